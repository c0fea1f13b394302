use serde_json::{Value, json};

use crate::{
    attendance::tests::{School, both, class, count, school, student},
    db::Cloud,
    identity::seed,
    testing::{Answer, TestApp},
};

const PATH: &str = "/api/classes/promote";
const NEW_YEAR: &str = "SELECT COUNT(*) FROM class_students WHERE institution_id = $1 AND academic_year = 2026 AND left_on IS NULL";
const ALL: &str = "SELECT COUNT(*) FROM class_students WHERE institution_id = $1";

async fn promote(t: &TestApp, school: &School, body: Value) -> Answer {
    t.post(PATH, Some(&school.admin), body).await
}

/// What the audit log says of promotions.
async fn noted(t: &TestApp, school: &School) -> Vec<Value> {
    let mut tx = t.app.db.read(Cloud).await.unwrap();
    let sql =
        "SELECT CAST(after AS TEXT) FROM audit_log WHERE institution_id = $1 AND action = 'class.promote'";
    let rows: Vec<(String,)> = tx.query(sql).bind(school.id.0).all().await.unwrap();
    rows.iter().map(|(after,)| serde_json::from_str(after).unwrap()).collect()
}

#[tokio::test]
async fn every_class_goes_to_its_next_once_and_last_years_books_stay() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let ten = class(&t, &school, "X", None).await;
        let eleven = class(&t, &school, "XI", None).await;
        let twelve = class(&t, &school, "XII", None).await;
        for (room, number) in [(ten, "1001"), (ten, "1002"), (eleven, "1003"), (twelve, "1004")] {
            student(&t, &school, room, number).await;
        }
        let gone = student(&t, &school, ten, "1009").await;
        t.put(&format!("/api/users/{gone}"), Some(&school.admin), json!({"is_active": false})).await;
        let before = count(&t, ALL, &school).await;
        let moves = json!([
            {"class_id": ten, "to_class_id": eleven}, {"class_id": eleven, "to_class_id": twelve},
            {"class_id": twelve, "to_class_id": null},
        ]);
        let mut told = json!({
            "dry_run": true, "from_year": 2025, "to_year": 2026, "moved": 3, "graduated": 1, "already_placed": 0,
            "classes": [
                {"class_id": ten, "to_class_id": eleven, "students": 2, "moved": 2, "graduated": 0, "already_placed": 0},
                {"class_id": eleven, "to_class_id": twelve, "students": 1, "moved": 1, "graduated": 0, "already_placed": 0},
                {"class_id": twelve, "to_class_id": null, "students": 1, "moved": 0, "graduated": 1, "already_placed": 0},
            ],
        });
        let dry = promote(&t, &school, json!({"from_year": 2025, "moves": moves, "dry_run": true})).await;
        let message = "Pratinjau kenaikan kelas; tidak ada yang disimpan";
        assert_eq!(dry.parts(), (200, &json!({"success": true, "message": message, "data": told})), "{}", t.on);
        assert_eq!(count(&t, ALL, &school).await, before);

        let done = promote(&t, &school, json!({"from_year": 2025, "moves": moves})).await;
        told["dry_run"] = json!(false);
        let message = "3 siswa naik kelas, 1 lulus";
        assert_eq!(done.parts(), (200, &json!({"success": true, "message": message, "data": told})), "{}", t.on);
        assert_eq!((count(&t, NEW_YEAR, &school).await, count(&t, ALL, &school).await), (3, before + 3));
        assert_eq!(noted(&t, &school).await, [told], "{}", t.on);

        // Again, and with another goal: nobody is moved twice.
        for to in [eleven, twelve] {
            let again = json!({"from_year": 2025, "moves": [{"class_id": ten, "to_class_id": to}]});
            let again = promote(&t, &school, again).await;
            assert_eq!(again.body["data"]["moved"], 0, "{}", again.body);
            assert_eq!(again.body["data"]["already_placed"], 2);
        }
        assert_eq!(count(&t, NEW_YEAR, &school).await, 3);
        let today = t.get(&format!("/api/classes/{ten}/students"), Some(&school.admin)).await;
        assert_eq!(today.body["data"]["students"].as_array().unwrap().len(), 2, "this year is as it was");
        let path = format!("/api/classes/{eleven}/students?academic_year=2026");
        let next = t.get(&path, Some(&school.admin)).await;
        let numbers: Vec<_> =
            next.body["data"]["students"].as_array().unwrap().iter().map(|one| one["nisn_nip_nik"].clone()).collect();
        assert_eq!(numbers, ["1001", "1002"]);
        assert_eq!(next.body["data"]["students"][0]["student_classes"][0]["joined_on"], "2026-07-01");
    })
    .await;
}

#[tokio::test]
async fn four_at_once_place_everybody_once() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let rooms = [
            class(&t, &school, "X", None).await,
            class(&t, &school, "XI 1", None).await,
            class(&t, &school, "XI 2", None).await,
        ];
        for number in ["1001", "1002", "1003"] {
            student(&t, &school, rooms[0], number).await;
        }
        let tasks: Vec<_> = (0..4)
            .map(|n| {
                let (t, admin) = (t.clone(), school.admin.clone());
                let moves = json!([{"class_id": rooms[0], "to_class_id": rooms[1 + n % 2]}]);
                let body = json!({"from_year": 2025, "moves": moves});
                tokio::spawn(
                    async move { t.post(PATH, Some(&admin), body).await.body["data"]["moved"].clone() },
                )
            })
            .collect();
        let mut moved = Vec::new();
        for task in tasks {
            moved.push(task.await.unwrap().as_i64().unwrap());
        }
        moved.sort_unstable();
        assert_eq!((moved, count(&t, NEW_YEAR, &school).await), (vec![0, 0, 0, 3], 3), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_changes_nothing() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::super::tests::school(&t, "B", "5101").await;
        let (_, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (ten, eleven) = (class(&t, &school, "X", None).await, class(&t, &school, "XI", None).await);
        let theirs = class(&t, &other, "X", None).await;
        student(&t, &school, ten, "1001").await;
        let one = |class: i64, to: Value| json!([{"class_id": class, "to_class_id": to}]);
        let good = one(ten.0, json!(eleven));
        for (status, body) in [
            (422, json!({})),
            (422, json!({"from_year": 2025})),
            (422, json!({"from_year": 2025, "moves": []})),
            (422, json!({"moves": good})),
            (422, json!({"from_year": 2023, "moves": good})),
            (422, json!({"from_year": 2026, "moves": good})),
            (422, json!({"from_year": 2025, "moves": [{"class_id": ten}]})),
            (422, json!({"from_year": 2025, "moves": [{"to_class_id": null}]})),
            (422, json!({"from_year": 2025, "moves": [good[0], good[0]]})),
            (422, json!({"from_year": "x", "moves": good})),
            (404, json!({"from_year": 2025, "moves": one(theirs.0, json!(eleven))})),
            (404, json!({"from_year": 2025, "moves": one(ten.0, json!(theirs))})),
            (404, json!({"from_year": 2025, "moves": one(999_999, Value::Null)})),
        ] {
            let answer = promote(&t, &school, body.clone()).await;
            assert_eq!(answer.status, status, "{} {body} {}", t.on, answer.body);
        }
        let body = json!({"from_year": 2025, "moves": good});
        assert_eq!(t.post(PATH, Some(&teacher), body.clone()).await.status, 403);
        assert_eq!(t.post(PATH, None, body).await.status, 401);
        assert_eq!(count(&t, NEW_YEAR, &school).await, 0);
    })
    .await;
}

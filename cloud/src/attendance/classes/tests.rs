use hadir_shared::time::SchoolDay;
use serde_json::json;

use crate::{
    attendance::tests::{both, class, school, student},
    identity::seed,
    testing::START,
};

#[tokio::test]
async fn classes_and_who_is_in_them() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (teacher, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let room = class(&t, &school, "X IPA 1", Some(teacher)).await;
        class(&t, &school, "X IPA 2", None).await;
        let second = student(&t, &school, room, "1002").await;
        let first = student(&t, &school, room, "1001").await;
        let at = START.to_rfc3339_micros();
        let person = |id: hadir_shared::ids::UserId, number: &str, role: i64| {
            json!({
                "id": id, "nisn_nip_nik": number, "name": format!("Orang {number}"), "email": null, "phone": null,
                "role_id": role, "photo_path": null, "is_active": true, "created_at": at, "updated_at": at,
            })
        };
        let bare = json!({"id": room, "name": "X IPA 1", "homeroom_teacher_id": teacher, "created_at": at, "updated_at": at});
        let mut full = bare.clone();
        full["homeroom_teacher"] = person(teacher, "2001", 2);
        let shown = t.get(&format!("/api/classes/{room}"), Some(&token)).await;
        assert_eq!(shown.parts(), (200, &json!({"success": true, "data": full})), "{}", t.on);
        let list = t.get("/api/classes", Some(&token)).await;
        assert_eq!(list.body["data"][0], full);
        assert_eq!(list.body["data"][1]["homeroom_teacher"], json!(null));

        let students = t.get(&format!("/api/classes/{room}/students"), Some(&token)).await;
        assert_eq!(students.body["data"]["class"], bare);
        let list = &students.body["data"]["students"];
        let mut andi = person(first, "1001", 1);
        let membership = list[0]["student_classes"][0].clone();
        andi["student_classes"] = json!([{
            "id": membership["id"], "student_id": first, "class_id": room, "academic_year": 2025, "joined_on": "2025-07-14",
            "left_on": null, "created_at": at,
        }]);
        assert_eq!(list[0], andi, "by name");
        assert_eq!(list[1]["id"], json!(second));
        let before = t.get(&format!("/api/classes/{room}/students?academic_year=2024"), Some(&token)).await;
        assert_eq!(before.body["data"]["students"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn another_schools_class_is_not_there_and_not_everybody_looks() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        let theirs = class(&t, &other, "VII A", None).await;
        let unknown = json!({"success": false, "message": "Kelas tidak ditemukan"});
        for path in [
            format!("/api/classes/{theirs}"),
            format!("/api/classes/{theirs}/students"),
            "/api/classes/0".into(),
        ] {
            assert_eq!(t.get(&path, Some(&school.admin)).await.parts(), (404, &unknown), "{path}");
        }
        assert_eq!(t.get("/api/classes", Some(&school.admin)).await.body["data"], json!([]));
        let denied =
            json!({"success": false, "message": "Anda tidak memiliki izin untuk melihat data kelas"});
        for (number, role, status) in [
            ("1001", seed::STUDENT, 403),
            ("2001", seed::TEACHER, 200),
            ("3001", seed::STAFF, 403),
            ("4001", seed::PRINCIPAL, 200),
        ] {
            let (_, token) = t.signed_in(school.id, number, role).await;
            let answer = t.get("/api/classes", Some(&token)).await;
            assert_eq!(answer.status, status, "{number}");
            if status == 403 {
                assert_eq!(answer.body, denied);
            }
        }
        assert_eq!(t.get("/api/classes", None).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn of_two_classes_the_one_he_came_to_last_is_his() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (new, old) =
            (class(&t, &school, "X IPA 1", None).await, class(&t, &school, "X IPA 2", None).await);
        let pupil = t.user(school.id, "1001", seed::STUDENT).await;
        for (room, from) in [(new, "2025-11-20"), (old, "2025-08-01")] {
            let group = json!({"student_ids": [pupil], "academic_year": 2025, "effective_from": from});
            let path = format!("/api/classes/{room}/assign-students");
            assert_eq!(t.post(&path, Some(&school.admin), group).await.status, 200, "{}", t.on);
        }
        let mut tx = t.app.db.read(school.id).await.unwrap();
        for (day, room, name) in [("2025-11-19", old, "X IPA 2"), ("2025-11-20", new, "X IPA 1")] {
            let day: SchoolDay = day.parse().unwrap();
            let names = super::names_on(&mut tx, school.id, day).await.unwrap();
            assert_eq!(names.get(&pupil).map(String::as_str), Some(name), "{} {day}", t.on);
            let of_student = super::of_student(&mut tx, school.id, pupil, day).await.unwrap();
            assert_eq!(of_student, Some(room), "{} {day}", t.on);
        }
    })
    .await;
}

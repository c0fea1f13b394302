use serde_json::{Value, json};

use crate::{
    attendance::tests::{both, class, count, school, student},
    identity::seed,
    testing::START,
};

const ACTIVE: &str = "SELECT COUNT(*) FROM student_cards WHERE institution_id = $1 AND is_active";

#[tokio::test]
async fn a_new_card_takes_the_place_of_the_old() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        let pupil = student(&t, &school, room, "1001").await;
        let generate = || t.post("/api/student-qr-cards/generate", Some(&school.admin), json!({"student_id": pupil}));
        let first = generate().await;
        let card = &first.body["data"];
        let at = START.to_rfc3339_micros();
        let body = json!({
            "success": true, "message": "QR card baru berhasil di-generate",
            "data": {
                "id": card["id"], "student_id": pupil, "serial": 1, "qr_code": card["qr_code"], "signed_code": card["signed_code"],
                "is_active": true, "generated_at": at, "created_at": at, "updated_at": at,
                "student": {
                    "id": pupil, "nisn_nip_nik": "1001", "name": "Orang 1001", "email": null, "phone": null, "role_id": 1,
                    "photo_path": null, "is_active": true, "created_at": at, "updated_at": at,
                },
            },
        });
        assert_eq!(first.parts(), (201, &body), "{}", t.on);
        assert_eq!(card["qr_code"].as_str().unwrap().len(), 10);
        assert!(card["signed_code"].as_str().unwrap().starts_with("HC1."));

        t.clock.advance_ms(60_000);
        let second = generate().await.body["data"].clone();
        assert_eq!((&second["serial"], &second["is_active"]), (&json!(2), &json!(true)));
        assert_ne!(second["qr_code"], card["qr_code"]);
        let old = t.get(&format!("/api/student-qr-cards/{}", card["id"]), Some(&school.admin)).await;
        assert_eq!((&old.body["success"], &old.body["data"]["is_active"]), (&json!(true), &json!(false)));

        let path = format!("/api/student-qr-cards/{}/status", card["id"]);
        let back = t.put(&path, Some(&school.admin), json!({"is_active": true})).await;
        assert_eq!((back.status.as_u16(), &back.body["message"]), (200, &json!("Status QR card berhasil diperbarui")));
        assert_eq!(back.body["data"]["is_active"], true);
        let list = t.get("/api/student-qr-cards", Some(&school.admin)).await;
        let active: Vec<&Value> = list.body["data"].as_array().unwrap().iter().map(|card| &card["is_active"]).collect();
        assert_eq!(active, [true, false], "activating one revokes the other");
        let off = t.put(&path, Some(&school.admin), json!({"is_active": false})).await;
        assert_eq!(off.body["data"]["is_active"], false);
        assert_eq!(count(&t, ACTIVE, &school).await, 0);
    })
    .await;
}

#[tokio::test]
async fn eight_at_once_leave_one_active_card() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        let pupil = student(&t, &school, room, "1001").await;
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (t, admin) = (t.clone(), school.admin.clone());
                let body = json!({"student_id": pupil});
                tokio::spawn(async move {
                    t.post("/api/student-qr-cards/generate", Some(&admin), body).await.status.as_u16()
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 201, "{}", t.on);
        }
        assert_eq!(count(&t, ACTIVE, &school).await, 1);
        assert_eq!(
            count(&t, "SELECT COUNT(*) FROM student_cards WHERE institution_id = $1", &school).await,
            8
        );
    })
    .await;
}

#[tokio::test]
async fn who_may_not_and_what_is_not_there() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        let room = class(&t, &other, "X", None).await;
        let stranger = student(&t, &other, room, "1301").await;
        let theirs = t
            .post("/api/student-qr-cards/generate", Some(&other.admin), json!({"student_id": stranger}))
            .await;
        let theirs = theirs.body["data"]["id"].clone();
        let unknown = json!({"success": false, "message": "QR card tidak ditemukan"});
        for id in [theirs.clone(), json!(999_999)] {
            let path = format!("/api/student-qr-cards/{id}");
            assert_eq!(t.get(&path, Some(&school.admin)).await.parts(), (404, &unknown));
            let set =
                t.put(&format!("{path}/status"), Some(&school.admin), json!({"is_active": false})).await;
            assert_eq!(set.parts(), (404, &unknown));
        }
        let teacher = t.user(school.id, "2001", seed::TEACHER).await;
        for nobody in [stranger, teacher] {
            let refused = t
                .post("/api/student-qr-cards/generate", Some(&school.admin), json!({"student_id": nobody}))
                .await;
            assert_eq!(
                refused.parts(),
                (404, &json!({"success": false, "message": "Siswa tidak ditemukan"}))
            );
        }
        assert_eq!(count(&t, ACTIVE, &other).await, 1, "untouched");
        let (_, principal) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        assert_eq!(
            t.get("/api/student-qr-cards", Some(&principal)).await.body["data"],
            json!([]),
            "none of the other school"
        );
        let refused =
            t.post("/api/student-qr-cards/generate", Some(&principal), json!({"student_id": 1})).await;
        assert_eq!(
            refused.parts(),
            (
                403,
                &json!({"success": false, "message": "Anda tidak memiliki izin untuk mengelola kartu siswa"})
            )
        );
        let teacher = t.login("2001").await;
        assert_eq!(t.get("/api/student-qr-cards", Some(&teacher)).await.status, 403);
        for (body, field) in [(json!({}), "student_id"), (json!({"student_id": "x"}), "student_id")] {
            let refused = t.post("/api/student-qr-cards/generate", Some(&school.admin), body).await;
            assert_eq!(refused.status, 422);
            assert!(refused.body["errors"][field].is_array(), "{}", refused.body);
        }
        let path = format!("/api/student-qr-cards/{theirs}/status");
        assert_eq!(t.put(&path, Some(&school.admin), json!({"is_active": "yes"})).await.status, 422);
        assert_eq!(t.put(&path, Some(&school.admin), json!({})).await.status, 422);
        assert_eq!(t.get("/api/student-qr-cards", None).await.status, 401);
    })
    .await;
}

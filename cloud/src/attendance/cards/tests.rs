use axum::http::{HeaderMap, header};
use hadir_shared::ids::UserId;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{
    attendance::tests::{School, both, class, count, school, student},
    identity::seed,
    testing::{START, TestApp, request},
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

/// A new card of a student: its id and what its QR holds.
async fn card(t: &TestApp, school: &School, pupil: UserId) -> (i64, String) {
    let made =
        t.post("/api/student-qr-cards/generate", Some(&school.admin), json!({"student_id": pupil})).await;
    let card = &made.body["data"];
    (card["id"].as_i64().unwrap(), card["signed_code"].as_str().unwrap().to_owned())
}

/// An answer whose body is no text.
async fn fetch(t: &TestApp, path: &str, token: &str) -> (HeaderMap, Vec<u8>) {
    let asked = request("GET", path, Some(token)).body(axum::body::Body::empty()).unwrap();
    let answer = t.router().oneshot(asked).await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let (parts, body) = answer.into_parts();
    (parts.headers, axum::body::to_bytes(body, 16 << 20).await.unwrap().into())
}

#[tokio::test]
async fn an_active_card_is_drawn_and_a_revoked_one_is_not() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        let room = class(&t, &school, "X", None).await;
        let pupil = student(&t, &school, room, "1001").await;
        let (_, principal) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        let (_, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (id, code) = card(&t, &school, pupil).await;
        let path = format!("/api/student-qr-cards/{id}/image.png");
        let (headers, png) = fetch(&t, &path, &principal).await;
        assert_eq!(headers[header::CONTENT_TYPE], "image/png");
        assert_eq!(headers[header::CACHE_CONTROL], "private, max-age=86400, immutable");
        let picture = image::load_from_memory(&png).unwrap().to_luma8();
        assert_eq!(super::qr::tests::scanned(&picture), Some(code), "{}", t.on);
        let vector = format!("/api/student-qr-cards/{id}/image.svg");
        let (headers, svg) = fetch(&t, &vector, &principal).await;
        assert_eq!(headers[header::CONTENT_TYPE], "image/svg+xml");
        assert!(svg.starts_with(b"<svg ") && svg.ends_with(b"</svg>"));
        let known =
            request("GET", &vector, Some(&principal)).header(header::IF_NONE_MATCH, &headers[header::ETAG]);
        assert_eq!(t.send(known.body(axum::body::Body::empty()).unwrap()).await.status, 304);

        let unknown = json!({"success": false, "message": "QR card tidak ditemukan"});
        for path in [&path, &vector] {
            assert_eq!(t.get(path, None).await.status, 401);
            for nobody in [&teacher, &t.login("1001").await] {
                assert_eq!(t.get(path, Some(nobody)).await.status, 403);
            }
            assert_eq!(t.get(path, Some(&other.admin)).await.parts(), (404, &unknown), "{}", t.on);
        }
        card(&t, &school, pupil).await;
        let revoked =
            json!({"success": false, "message": "Kartu ini sudah tidak aktif. Cetak kartu siswa yang aktif"});
        for path in [&path, &vector] {
            let known = request("GET", path, Some(&principal)).header(header::IF_NONE_MATCH, "*");
            let asked = t.send(known.body(axum::body::Body::empty()).unwrap()).await;
            assert_eq!(asked.parts(), (409, &revoked), "{}", t.on);
        }
    })
    .await;
}

#[tokio::test]
async fn a_class_is_printed_with_the_cards_it_has() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        let room = class(&t, &school, "X \"IPA\" 1\u{e9}", None).await;
        let path = format!("/api/classes/{room}/cards.pdf");
        let empty = json!({"success": false, "message": "Tidak ada siswa terdaftar di kelas ini"});
        assert_eq!(t.get(&path, Some(&school.admin)).await.parts(), (409, &empty));
        let mut students = Vec::new();
        for number in 1..=12 {
            students.push(student(&t, &school, room, &format!("{number:04}")).await);
        }
        let pages = async || {
            let (headers, pdf) = fetch(&t, &path, &school.admin).await;
            assert_eq!(headers[header::CONTENT_TYPE], "application/pdf");
            assert_eq!(headers[header::CONTENT_DISPOSITION], "inline; filename=\"kartu-X-IPA-1.pdf\"");
            assert_eq!(headers[header::CACHE_CONTROL], "private, no-store");
            let text = String::from_utf8_lossy(&pdf).into_owned();
            let without = headers["x-without-card"].to_str().unwrap().to_owned();
            (text.matches("/Type/Page/").count(), text.matches("/DCTDecode").count(), without)
        };
        assert_eq!(pages().await, (1, 0, "12".into()), "a page of those without a card");
        for pupil in &students[..11] {
            card(&t, &school, *pupil).await;
        }
        assert_eq!(pages().await, (3, 0, "1".into()), "two sheets, and who has none");
        card(&t, &school, students[11]).await;
        let photo = json!({"photo": super::super::tests::picture(40)});
        let uploaded = t.post(&format!("/api/users/{}/photo", students[0]), Some(&school.admin), photo).await;
        assert_eq!(uploaded.status, 200, "{}", uploaded.body);
        assert_eq!(pages().await, (2, 1, "0".into()), "{}", t.on);
        assert_eq!(count(&t, ACTIVE, &school).await, 12, "printing made none");

        let unknown = json!({"success": false, "message": "Kelas tidak ditemukan"});
        assert_eq!(t.get(&path, Some(&other.admin)).await.parts(), (404, &unknown), "{}", t.on);
        assert_eq!(t.get("/api/classes/999999/cards.pdf", Some(&school.admin)).await.status, 404);
        let (_, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        assert_eq!(t.get(&path, Some(&teacher)).await.status, 403);
        assert_eq!(t.get(&path, None).await.status, 401);
    })
    .await;
}

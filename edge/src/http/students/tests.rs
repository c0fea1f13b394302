use hadir_shared::{
    card::Card,
    ids::{InstitutionId, UserId},
    sign::SecretKey,
};
use serde_json::{Value, json};

use crate::http::testing::{DAY, Served};

const SCAN: &str = "/api/student-attendance/scan-qr";

#[tokio::test]
async fn a_card_and_a_number_are_recorded_once() {
    let school = Served::at("06:41:00").await;
    let token = school.token("2001").await;
    let card =
        json!({"qr_code": school.card("1001").await, "class_id": 1, "latitude": -6.2, "longitude": 106.8166});
    let answer = school.post(SCAN, card.clone()).bearer(&token).await.json();
    assert_eq!(answer["message"], "Absensi berhasil");
    let name = school.node().roster().person_by_number("1001").unwrap().name.clone();
    assert_eq!(answer["student"], json!({"id": school.id("1001"), "nisn_nip_nik": "1001", "name": name}));
    assert_eq!((&answer["data"]["type"], &answer["data"]["qr_token_used"]), (&json!("checkin"), &json!("1")));

    let recorded = school.recorded();
    let again = school.post(SCAN, card).bearer(&token).await;
    again.refused(400, "Sudah absen hari ini");
    assert_eq!(again.json()["data"]["timestamp"], "2026-11-19T23:41:00.000000Z");
    assert_eq!(school.recorded(), recorded);

    // A number wins over a code: somebody typed it because the card did not work.
    let both = json!({"qr_code": school.card("1001").await, "nisn_nip_nik": "1002"});
    let answer = school.post(SCAN, both).bearer(&token).await.json();
    assert_eq!(answer["student"]["nisn_nip_nik"], "1002");
    assert_eq!(answer["data"]["qr_token_used"], "MANUAL:1002");
}

#[tokio::test]
async fn what_is_not_accepted_is_said_and_not_recorded_of_anybody() {
    let school = Served::at("06:41:00").await;
    let token = school.token("2001").await;
    let foreign = Card { institution: InstitutionId(2), student: UserId(10), serial: 1, epoch: 0 };
    let foreign = foreign.sign(&SecretKey::from_seed(&[9; 32])).unwrap();
    let mut forged = school.card("1001").await.into_bytes();
    let middle = forged.len() / 2;
    forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    let cases = [
        (json!({"qr_code": foreign}), 400, "Kartu sekolah lain"),
        (json!({"qr_code": forged}), 400, "QR code tidak valid"),
        (json!({"qr_code": "https://example.com/"}), 400, "QR code tidak valid"),
        (json!({"qr_code": "TIDAK-ADA"}), 400, "QR code tidak valid"),
        (json!({"nisn_nip_nik": "9999"}), 404, "Siswa dengan NISN/NIP/NIK tersebut tidak ditemukan."),
        (
            json!({"qr_code": school.card("1001").await, "class_id": 2}),
            400,
            "Siswa tidak terdaftar di kelas ini",
        ),
        (json!({"qr_code": school.card("1001").await, "class_id": 999}), 404, "Kelas tidak ditemukan"),
    ];
    for (body, status, message) in cases {
        school.post(SCAN, body).bearer(&token).await.refused(status, message);
    }
    school.post(SCAN, json!({"class_id": 1})).bearer(&token).await.invalid(&["qr_code"]);
    school
        .post(SCAN, json!({"nisn_nip_nik": "1001", "class_id": "x"}))
        .bearer(&token)
        .await
        .invalid(&["class_id"]);
    let counts = school.node().counts(DAY.parse().unwrap()).await.unwrap();
    assert_eq!(counts.checked_in, 0);
}

#[tokio::test]
async fn a_whole_class_is_marked_and_seen() {
    let school = Served::at("06:41:00").await;
    let token = school.token("2001").await;
    school.post(SCAN, json!({"nisn_nip_nik": "1001"})).bearer(&token).await.json();
    let answer = school.post("/api/student-attendance/bulk", json!({"class_id": 1})).bearer(&token).await;
    assert_eq!(answer.json()["message"], "Absensi massal berhasil diproses");
    let mut data = answer.data();
    let students = data["processed_students"].take();
    let was_there = |v: &&Value| v["attended"] == true;
    assert_eq!(students.as_array().unwrap().iter().filter(was_there).count(), 1);
    assert_eq!(
        data,
        json!({"class_id": 1, "date": DAY, "total_students": 30, "already_attended": 1, "newly_attended": 29, "processed_students": null})
    );
    let status = format!("/api/student-attendance/class-status/1?date={DAY}");
    let lines = school.get(&status).bearer(&token).await.data();
    assert_eq!(lines.as_array().unwrap().iter().filter(was_there).count(), 30);
    assert!(
        lines.as_array().unwrap().iter().all(|l| l["status"] == "hadir" && l["nisn_nip_nik"].is_string())
    );

    let other = school.get("/api/student-attendance/class-status/2").bearer(&token).await.data();
    assert_eq!(other.as_array().unwrap().iter().filter(was_there).count(), 0);
    school
        .get("/api/student-attendance/class-status/999")
        .bearer(&token)
        .await
        .refused(404, "Kelas tidak ditemukan");
    school
        .get("/api/student-attendance/class-status/x")
        .bearer(&token)
        .await
        .refused(404, "Alamat tidak ditemukan");
    let bulk = |body: Value| school.post("/api/student-attendance/bulk", body).bearer(&token);
    bulk(json!({})).await.invalid(&["class_id"]);
    bulk(json!({"class_id": 1, "date": "besok"})).await.invalid(&["date"]);
    bulk(json!({"class_id": 1, "date": "2026-11-21"})).await.refused(422, "Tanggal belum tiba");
    bulk(json!({"class_id": 999})).await.refused(404, "Kelas tidak ditemukan");
}

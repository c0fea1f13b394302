use serde_json::{Value, json};

use super::{PHOTO, Section};
use crate::{
    attendance::tests::{both, class, school, student},
    identity::seed,
};

#[tokio::test]
async fn section_5() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let room = class(&t, &school, "X IPA 1", None).await;
        let other = class(&t, &school, "X IPA 2", None).await;
        let first = student(&t, &school, room, "1001").await;
        for number in ["1002", "1003"] {
            student(&t, &school, room, number).await;
        }
        let pupil = t.login("1001").await;
        let made = t.post("/api/student-qr-cards/generate", Some(&school.admin), json!({"student_id": first})).await;
        let card = &made.body["data"]["qr_code"];
        let doc = Section::open(&t, "attendance", "05-student-attendance");

        let scan = |answer| doc.ask("POST /api/student-attendance/scan-qr", answer);
        let at = |presented: Value| {
            let mut body = json!({
                "class_id": room, "latitude": -6.123_456, "longitude": 106.876_543, "accuracy": 50.0, "photo": PHOTO,
            });
            body.as_object_mut().unwrap().extend(presented.as_object().unwrap().clone());
            body
        };
        scan("student").by(&pupil).with(at(json!({"qr_code": card}))).send().await;
        scan("no card").by(&token).with(at(json!({"qr_code": "ABC123XYZ"}))).send().await;
        scan("other class").by(&token).with(at(json!({"qr_code": card, "class_id": other}))).send().await;
        scan("no such number").by(&token).with(at(json!({"nisn_nip_nik": "9999"}))).send().await;
        scan("no such number").by(&token).with(at(json!({"nisn_nip_nik": "2001"}))).send().await;
        scan("nothing presented").by(&token).with(at(json!({}))).send().await;
        scan("no location").by(&token).with(json!({"qr_code": card, "class_id": room})).send().await;
        scan("done").by(&token).with(at(json!({"qr_code": card}))).send().await;
        t.clock.advance_ms(60_000);
        let again = scan("second").by(&token).with(at(json!({"qr_code": card}))).send().await;
        assert_eq!(again["data"]["timestamp"], "2025-11-20T23:45:00.000000Z", "{}: when he came", t.on);
        let both_ways = at(json!({"nisn_nip_nik": "1002", "qr_code": card}));
        let manual = scan("by number").by(&token).with(both_ways).send().await;
        assert_eq!(manual["student"]["nisn_nip_nik"], "1002", "{}: the number wins", t.on);
        assert_eq!(manual["data"]["qr_token_used"], "MANUAL:1002", "{}", t.on);

        let status = |answer| doc.ask("GET /api/student-attendance/class-status/{classId}", answer).of(room);
        let today = status("done").by(&token).send().await;
        let attended = |list: &Value| -> Vec<bool> {
            list.as_array().unwrap().iter().map(|one| one["attended"].as_bool().unwrap()).collect()
        };
        assert_eq!(attended(&today["data"]), [true, true, false], "{}", t.on);
        let before = status("done").by(&token).query("date=2025-11-20").send().await;
        assert_eq!(attended(&before["data"]), [false; 3], "{}", t.on);
        status("student").by(&pupil).send().await;

        let bulk = |answer| doc.ask("POST /api/student-attendance/bulk", answer).by(&token);
        let marked = bulk("done").with(json!({"class_id": room, "date": "2025-11-21"})).send().await;
        let data = &marked["data"];
        assert_eq!(
            (&data["total_students"], &data["already_attended"], &data["newly_attended"]),
            (&json!(3), &json!(2), &json!(1)),
            "{}",
            t.on
        );
        assert_eq!(attended(&data["processed_students"]), [true, true, false], "{}: before the call", t.on);
        bulk("no such class").with(json!({"class_id": 999_999})).send().await;
        bulk("student").by(&pupil).with(json!({"class_id": room})).send().await;
        doc.close();
    })
    .await;
}

use serde_json::{Value, json};

use super::{PHOTO, Section};
use crate::{
    attendance::tests::{both, school, shown},
    identity::seed,
    testing::START,
};

#[tokio::test]
async fn section_3() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (teacher, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (colleague, other) = t.signed_in(school.id, "2002", seed::TEACHER).await;
        let (_, pupil) = t.signed_in(school.id, "1001", seed::STUDENT).await;
        let doc = Section::open(&t, "attendance", "03-qrcode");

        let now = doc.ask("GET /api/qrcode/dynamic", "done").by(&token).send().await;
        let qr = now["data"]["token"].as_str().unwrap();
        assert_eq!(qr, shown(&t, &school, START).await);
        doc.ask("GET /api/qrcode/dynamic", "student").by(&pupil).send().await;

        let verify = |answer| doc.ask("POST /api/qrcode/verify", answer).by(&token);
        let punch = |user, kind: &str, qr: &str| {
            json!({
                "user_id": user, "type": kind, "qr_token": qr, "latitude": -6.123_456, "longitude": 106.876_543,
                "accuracy": 50.0, "photo": PHOTO,
            })
        };
        verify("stale").with(punch(teacher, "checkin", &"0".repeat(32))).send().await;
        verify("for another").with(punch(colleague, "checkin", qr)).send().await;
        let came = verify("done").with(punch(teacher, "checkin", qr)).send().await;
        let place = (&came["data"]["latitude"], &came["data"]["longitude"], &came["data"]["accuracy"]);
        assert_eq!(place, (&json!("-6.12345600"), &json!("106.87654300"), &json!(50)), "{}", t.on);
        verify("second").with(punch(teacher, "checkin", qr)).send().await;
        verify("done checkout").with(punch(teacher, "checkout", qr)).send().await;

        // An administrator acts for others.
        let mut without_photo = punch(colleague, "checkin", qr);
        without_photo["photo"] = Value::Null;
        let acted = t.post("/api/qrcode/verify", Some(&school.admin), without_photo).await;
        assert_eq!((acted.status.as_u16(), &acted.body["data"]["user_id"]), (200, &json!(colleague)));
        let history = t.get("/api/attendance/history", Some(&other)).await;
        assert_eq!(history.body["data"]["total"], 1, "{}", t.on);
        doc.close();
    })
    .await;
}

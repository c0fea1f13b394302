use serde_json::{Value, json};

use super::{Section, person};
use crate::{
    attendance::tests::{both, school},
    identity::seed,
};

/// A role of another service: none in attendance.
const ELSEWHERE: i64 = 104;

#[tokio::test]
async fn section_10() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let admin = &school.admin;
        let (andi, _) = person(&t, &school, ("1001", "Andi Pratama"), seed::STUDENT).await;
        let (budi, teacher) = person(&t, &school, ("2001", "Budi Santoso"), seed::TEACHER).await;
        let (_, principal) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        let stranger = t.user(school.id, "9001", ELSEWHERE).await;
        let doc = Section::open(&t, "attendance", "10-offline-sync");

        let process = |answer| doc.ask("POST /api/offline-sync/process-attendance", answer);
        let full = |user, timestamp: &str| {
            json!({
                "user_id": user, "type": "checkin", "timestamp": timestamp, "latitude": -6.123_456, "longitude": 106.876_543,
                "accuracy": 5.2, "photo_path": "attendance/andi_checkin_2.jpg",
            })
        };
        let bare = |user| json!({"user_id": user, "type": "checkin", "timestamp": "2025-11-20 07:25:30"});
        let send = |items: Value| json!({ "attendances": items });
        let before = send(json!([bare(budi)]));
        t.post("/api/offline-sync/process-attendance", Some(&teacher), before).await;
        let items = send(json!([full(andi, "2025-11-20 07:25:30"), bare(budi)]));
        let done = process("done").by(admin).with(items).send().await;
        assert_eq!(done["data"]["failed"][0]["data"], bare(budi), "{}: as it was sent", t.on);
        let place = &done["data"]["processed"][0];
        let (latitude, longitude, accuracy) = (&place["latitude"], &place["longitude"], &place["accuracy"]);
        assert_eq!((latitude, longitude, accuracy), (&json!(-6.123_456), &json!(106.876_543), &json!(5.2)));
        process("for another").by(&teacher).with(send(json!([bare(andi)]))).send().await;
        process("without a role").by(admin).with(send(json!([bare(stranger)]))).send().await;

        let log = |query: &str| doc.ask("GET /api/offline-sync", "done").by(&principal).query(query);
        doc.ask("GET /api/offline-sync", "teacher").by(&teacher).send().await;
        let filters = format!("user_id={andi}&status=success&action_type=attendance&per_page=15");
        let logged = log(&filters).send().await;
        let stored = &logged["data"]["data"][0]["id"];
        let failed = log(&format!("user_id={stranger}")).send().await["data"]["data"][0]["id"].clone();
        let show = |answer| doc.ask("GET /api/offline-sync/{id}", answer);
        show("done").of(stored).by(&principal).send().await;
        show("teacher").of(stored).by(&teacher).send().await;
        show("unknown").of(999_999).by(&principal).send().await;

        let retry = |answer, id: &Value| doc.ask("POST /api/offline-sync/{id}/retry", answer).of(id);
        retry("principal", &failed).by(&principal).send().await;
        retry("not failed", stored).by(admin).send().await;
        retry("fails again", &failed).by(admin).send().await;
        // What a wrong clock dated into the future can be tried again when that day has come.
        let early = send(json!([full(andi, "2025-11-22 07:25:30")]));
        t.post("/api/offline-sync/process-attendance", Some(admin), early).await;
        t.clock.advance_ms(25 * 3_600_000);
        let early = log(&format!("user_id={andi}&status=failed")).send().await["data"]["data"][0]["id"].clone();
        let retried = retry("done", &early).by(admin).send().await;
        assert_eq!(retried["data"]["qr_token_used"], "OFFLINE_RETRY", "{}", t.on);
        doc.close();
    })
    .await;
}

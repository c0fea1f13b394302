use serde_json::{Value, json};

use super::{PHOTO, Section};
use crate::{
    attendance::tests::{both, choose, school, shown},
    identity::seed,
};

fn punch(qr: &str, latitude: f64) -> Value {
    json!({
        "qr_token": qr, "latitude": latitude, "longitude": 106.876_543, "accuracy": 50.0, "photo": PHOTO,
    })
}

#[tokio::test]
async fn section_4() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        choose(&t, &school, "school_latitude", "-6.123456").await;
        choose(&t, &school, "school_longitude", "106.876543").await;
        choose(&t, &school, "geofence_policy", "block").await;
        let (_, staff) = t.signed_in(school.id, "3001", seed::STAFF).await;
        let (_, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (_, pupil) = t.signed_in(school.id, "1001", seed::STUDENT).await;
        let doc = Section::open(&t, "attendance", "04-attendance");
        let check_in = |answer| doc.ask("POST /api/attendance/checkin", answer);
        let check_out = |answer| doc.ask("POST /api/attendance/checkout", answer);
        let here = -6.123_456;

        let qr = shown(&t, &school, t.app.now()).await;
        check_in("stale").by(&staff).with(punch(&"0".repeat(32), here)).send().await;
        check_in("outside").by(&staff).with(punch(&qr, -6.2)).send().await;
        check_in("student").by(&pupil).with(punch(&qr, here)).send().await;
        check_out("not come").by(&staff).with(punch(&qr, here)).send().await;
        check_in("done").by(&staff).with(punch(&qr, here)).send().await;
        check_in("second").by(&staff).with(punch(&qr, here)).send().await;
        let bare = json!({
            "qr_token": qr, "latitude": here, "longitude": 106.876_543, "accuracy": null, "photo": null,
        });
        check_in("second").by(&staff).with(bare).send().await;

        t.clock.advance_ms(3_600_000);
        let qr = shown(&t, &school, t.app.now()).await;
        let late = check_in("late").by(&teacher).with(punch(&qr, here)).send().await;
        assert_eq!(
            (&late["data"]["status"], &late["data"]["late_minutes"]),
            (&json!("terlambat"), &json!(15))
        );

        t.clock.advance_ms(9 * 3_600_000);
        let qr = shown(&t, &school, t.app.now()).await;
        let left = check_out("done").by(&staff).with(punch(&qr, here)).send().await;
        assert_eq!((&left["data"]["type"], &left["data"]["status"]), (&json!("checkout"), &json!("hadir")));
        check_out("second").by(&staff).with(punch(&qr, here)).send().await;

        let history =
            |query: &'static str| doc.ask("GET /api/attendance/history", "done").by(&staff).query(query);
        history("").send().await;
        history("start_date=2025-11-21&end_date=2025-11-21&per_page=15").send().await;
        doc.close();
    })
    .await;
}

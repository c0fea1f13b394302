use serde_json::json;

use super::Section;
use crate::{
    attendance::tests::{both, school},
    identity::seed,
};

#[tokio::test]
async fn section_11() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let admin = &school.admin;
        let (_, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let doc = Section::open(&t, "attendance", "11-settings");

        doc.ask("GET /api/settings", "done").by(admin).send().await;
        doc.ask("GET /api/settings", "teacher").by(&teacher).send().await;
        let show = |answer, key| doc.ask("GET /api/settings/{key}", answer).of(key).by(admin);
        show("done", "attendance_radius").send().await;
        show("unknown", "no_such_key").send().await;

        t.clock.advance_ms(60_000);
        let change = |answer, key| doc.ask("PUT /api/settings/{key}", answer).of(key).by(admin);
        change("unknown", "no_such_key").with(json!({"value": "1"})).send().await;
        change("no number", "attendance_radius").with(json!({"value": "jauh"})).send().await;
        let radius = json!({"value": "150", "description": "Radius absensi dalam meter"});
        change("done", "attendance_radius").with(radius).send().await;

        let change = |answer| doc.ask("PUT /api/settings/bulk-update", answer).by(admin);
        let two = |first: [&str; 2], second: [&str; 2]| {
            let items = [first, second].map(|[key, value]| json!({"key": key, "value": value}));
            json!({ "settings": items })
        };
        change("one unknown").with(two(["attendance_radius", "200"], ["no_such_key", "1"])).send().await;
        change("one wrong").with(two(["attendance_radius", "200"], ["checkin_end", "siang"])).send().await;
        let still = show("done", "attendance_radius").send().await;
        assert_eq!(still["data"]["value"], "150", "{}: all or nothing", t.on);
        change("done").with(two(["attendance_radius", "150"], ["checkin_end", "08:00:00"])).send().await;
        doc.close();
    })
    .await;
}

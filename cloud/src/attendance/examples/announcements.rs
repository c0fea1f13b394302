use serde_json::json;

use super::Section;
use crate::{
    attendance::tests::{both, school},
    identity::seed,
};

#[tokio::test]
async fn section_7() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, principal) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        let (_, pupil) = t.signed_in(school.id, "1001", seed::STUDENT).await;
        let doc = Section::open(&t, "attendance", "07-announcements");

        let create = |answer| doc.ask("POST /api/announcements", answer);
        let text = json!({"title": "Pengumuman Tes", "content": "Ini adalah pengumuman tes untuk pengujian sistem"});
        let made = create("done").by(&principal).with(text.clone()).send().await;
        let id = &made["data"]["id"];
        assert_eq!(made["data"]["is_published"], true, "{}: unless said otherwise", t.on);
        create("student").by(&pupil).with(text).send().await;
        create("nothing sent").by(&principal).with(json!({})).send().await;
        let draft = json!({"title": "Rancangan", "content": "Belum terbit", "is_published": false});
        let draft = create("done").by(&principal).with(draft).send().await["data"]["id"].clone();

        let list = |query: &'static str| doc.ask("GET /api/announcements", "done").by(&pupil).query(query);
        assert_eq!(list("").send().await["data"]["total"], 1, "{}: no drafts", t.on);
        list("per_page=15").send().await;
        doc.ask("GET /api/announcements/{id}", "done").of(id).by(&pupil).send().await;
        doc.ask("GET /api/announcements/{id}", "draft").of(&draft).by(&pupil).send().await;

        t.clock.advance_ms(60_000);
        let change = |answer| doc.ask("PUT /api/announcements/{id}", answer).of(id);
        let new = json!({
            "title": "Pengumuman Tes - Updated", "content": "Ini adalah pengumuman tes untuk pengujian sistem - Updated",
            "is_published": true,
        });
        change("student").by(&pupil).with(new.clone()).send().await;
        change("done").by(&principal).with(new).send().await;

        let delete = |answer| doc.ask("DELETE /api/announcements/{id}", answer).of(id);
        delete("student").by(&pupil).send().await;
        delete("done").by(&principal).send().await;
        doc.close();
    })
    .await;
}

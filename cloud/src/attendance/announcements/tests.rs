use serde_json::json;

use crate::{
    attendance::tests::{
        both, count, one_page, refuses_pages_that_are_none, refuses_what_is_no_body, school,
    },
    console::tests::Tab,
    identity::seed,
    testing::START,
};

#[tokio::test]
async fn written_and_read_as_documented() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (author, principal) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        let (_, pupil) = t.signed_in(school.id, "1001", seed::STUDENT).await;
        let at = START.to_rfc3339_micros();
        let body = json!({"title": "Pengumuman Tes", "content": "Ini adalah pengumuman tes"});
        let made = t.post("/api/announcements", Some(&principal), body).await;
        let id = &made.body["data"]["id"];
        let mut one = json!({
            "id": id, "title": "Pengumuman Tes", "content": "Ini adalah pengumuman tes", "author_id": author,
            "is_published": true, "published_at": at, "created_at": at, "updated_at": at,
        });
        let expected = json!({"success": true, "message": "Pengumuman berhasil dibuat", "data": one});
        assert_eq!(made.parts(), (201, &expected), "{}", t.on);
        let path = format!("/api/announcements/{id}");
        let message = "Data pengumuman berhasil diambil";
        let shown = t.get(&path, Some(&pupil)).await;
        assert_eq!(shown.parts(), (200, &json!({"success": true, "message": message, "data": one})));
        let list = t.get("/api/announcements", Some(&pupil)).await;
        let page = one_page("/api/announcements", &json!([one]));
        assert_eq!(list.parts(), (200, &json!({"success": true, "message": message, "data": page})));

        t.clock.advance_ms(60_000);
        let changed = t.put(&path, Some(&school.admin), json!({"title": "Pengumuman Tes - Updated"})).await;
        one["title"] = json!("Pengumuman Tes - Updated");
        one["updated_at"] = json!(t.app.now().to_rfc3339_micros());
        let expected = json!({"success": true, "message": "Pengumuman berhasil diperbarui", "data": one});
        assert_eq!(changed.parts(), (200, &expected), "published when it was");

        let deleted = t.delete(&path, Some(&principal)).await;
        assert_eq!(
            deleted.parts(),
            (200, &json!({"success": true, "message": "Pengumuman berhasil dihapus"}))
        );
        let unknown = json!({"success": false, "message": "Pengumuman tidak ditemukan"});
        assert_eq!(t.get(&path, Some(&pupil)).await.parts(), (404, &unknown));
        assert_eq!(t.delete(&path, Some(&principal)).await.parts(), (404, &unknown));
        let audited =
            "SELECT COUNT(*) FROM audit_log WHERE institution_id = $1 AND action LIKE 'announcement.%'";
        assert_eq!(count(&t, audited, &school).await, 3);
    })
    .await;
}

#[tokio::test]
async fn a_draft_is_for_writers() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, pupil) = t.signed_in(school.id, "1001", seed::STUDENT).await;
        let body = json!({"title": "Rapat", "content": "Senin", "is_published": false});
        let made = t.post("/api/announcements", Some(&school.admin), body).await;
        assert_eq!(made.body["data"]["published_at"], json!(null));
        let path = format!("/api/announcements/{}", made.body["data"]["id"]);
        let seen = async || {
            let list = t.get("/api/announcements", Some(&pupil)).await.body["data"]["total"].clone();
            (t.get(&path, Some(&pupil)).await.status.as_u16(), list)
        };
        assert_eq!(seen().await, (404, json!(0)), "{}", t.on);
        assert_eq!(t.get("/api/announcements", Some(&school.admin)).await.body["data"]["total"], 1);
        t.clock.advance_ms(3_600_000);
        let published = t.put(&path, Some(&school.admin), json!({"is_published": true})).await;
        let since = json!(t.app.now().to_rfc3339_micros());
        assert_eq!(published.body["data"]["published_at"], since);
        assert_eq!(seen().await, (200, json!(1)));
        t.clock.advance_ms(60_000);
        let again = t.put(&path, Some(&school.admin), json!({"is_published": true})).await;
        assert_eq!(again.body["data"]["published_at"], since, "published once");
        let withdrawn = t.put(&path, Some(&school.admin), json!({"is_published": false})).await;
        assert_eq!(withdrawn.body["data"]["published_at"], json!(null));
        assert_eq!(seen().await, (404, json!(0)));
    })
    .await;
}

#[tokio::test]
async fn who_may_and_what_may_not() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        let body = json!({"title": "UTS", "content": "Senin"});
        let made = t.post("/api/announcements", Some(&school.admin), body.clone()).await;
        let path = format!("/api/announcements/{}", made.body["data"]["id"]);
        let denied = |verb| json!({"success": false, "message": format!("Anda tidak memiliki izin untuk {verb} pengumuman")});
        for (number, role) in [("1001", seed::STUDENT), ("2001", seed::TEACHER), ("3001", seed::STAFF)] {
            let (_, who) = t.signed_in(school.id, number, role).await;
            assert_eq!(t.get(&path, Some(&who)).await.status, 200);
            let made = t.post("/api/announcements", Some(&who), body.clone()).await;
            assert_eq!(made.parts(), (403, &denied("membuat")), "{}", t.on);
            assert_eq!(t.put(&path, Some(&who), json!({})).await.parts(), (403, &denied("mengubah")));
            assert_eq!(t.delete(&path, Some(&who)).await.parts(), (403, &denied("menghapus")));
        }
        assert_eq!(t.get(&path, Some(&other.admin)).await.status, 404);
        assert_eq!(t.put(&path, Some(&other.admin), json!({"title": "x"})).await.status, 404);
        assert_eq!(t.delete(&path, Some(&other.admin)).await.status, 404);
        assert_eq!(t.get("/api/announcements", Some(&other.admin)).await.body["data"]["total"], 0);
        assert_eq!(t.get("/api/announcements", None).await.status, 401);
        assert_eq!(t.post("/api/announcements", None, body.clone()).await.status, 401);
        assert_eq!(t.get(&path, Some(&school.admin)).await.body["data"], made.body["data"], "untouched");

        refuses_what_is_no_body(&t, "POST", "/api/announcements", &school.admin, "title").await;
        refuses_what_is_no_body(&t, "PUT", &path, &school.admin, "content").await;
        refuses_pages_that_are_none(&t, "/api/announcements", &school.admin).await;
        let missing = t.post("/api/announcements", Some(&school.admin), json!({})).await;
        let errors = json!({"title": ["title wajib diisi"], "content": ["content wajib diisi"]});
        assert_eq!((missing.status.as_u16(), &missing.body["errors"]), (422, &errors));
        for (field, value) in [
            ("title", json!("a".repeat(256))),
            ("content", json!("a".repeat(10_001))),
            ("is_published", json!("ya")),
            ("title", json!(1)),
        ] {
            let mut bad = body.clone();
            bad[field] = value;
            let answer = t.post("/api/announcements", Some(&school.admin), bad).await;
            assert!(answer.body["errors"][field].is_array(), "{field} {}", answer.body);
        }
        assert_eq!(count(&t, "SELECT COUNT(*) FROM announcements WHERE institution_id = $1", &school).await, 1);
    })
    .await;
}

#[tokio::test]
async fn the_page_is_where_they_are_written_published_and_deleted() {
    both(async |t| {
        let (own, other) = (school(&t, "A", "5001").await, school(&t, "B", "5101").await);
        t.user(own.id, "2001", seed::TEACHER).await;
        t.user(own.id, "4001", seed::PRINCIPAL).await;
        let body = json!({"title": "Rahasia lain", "content": "x"});
        t.post("/api/announcements", Some(&other.admin), body).await;
        let at = format!("/console/{}/announcements", own.id.0);
        let tab = Tab::of(&t, "4001").await;
        assert!(tab.page(&at).await.contains("Belum ada pengumuman"));
        let api = format!("/console/{}/api/announcements", own.id.0);
        let body = json!({"title": "<script>alert(1)</script>", "content": "Baris \"satu\"\n</textarea>", "is_published": false});
        let made = tab.call("POST", &api, &body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let page = tab.page(&at).await;
        assert!(page.contains("Draf") && page.contains("&#60;script&#62;alert(1)") && page.contains("Orang 4001"), "{page}");
        assert!(!page.contains("<script>alert") && !page.contains("\n</textarea>\n") && !page.contains("Rahasia lain"), "{page}");
        let one = format!("{api}/{}", made.body["data"]["id"]);
        assert_eq!(tab.call("PUT", &one, &json!({"is_published": true})).await.status, 200);
        let page = tab.page(&at).await;
        assert!(page.contains("Terbit") && page.contains("value=\"false\""), "the button withdraws it now: {page}");
        assert_eq!(tab.call("DELETE", &one, &json!({})).await.status, 200);
        assert_eq!(tab.call("DELETE", &one, &json!({})).await.status, 404, "pressed twice");
        assert!(tab.page(&at).await.contains("Belum ada pengumuman"));
        assert_eq!(Tab::of(&t, "2001").await.get(&at).await.status, 403);
        assert_eq!(tab.get(&format!("/console/{}/announcements", other.id.0)).await.status, 404);
    })
    .await;
}

use hadir_shared::ids::InstitutionId;
use serde_json::json;

use crate::{
    attendance::tests::{both, school},
    console::tests::{Tab, super_admin},
    db::Cloud,
    identity::seed,
    jobs::{NewJob, enqueue},
    mail::{self, Channel, Language, Said, To},
    testing::{START, TestApp},
};

async fn job(t: &TestApp, institution: Option<InstitutionId>, state: &'static str) -> i64 {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let job = NewJob { kind: "files.erase", institution, payload: json!({"key": "rahasia"}), run_at: START };
    let id = enqueue(&mut tx, &job, START).await.unwrap();
    tx.query("UPDATE jobs SET state = $2, tries = 12, last_error = 'the disk <b>is</b> full' WHERE id = $1")
        .bind(id)
        .bind(state)
        .run()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn a_failed_job_is_tried_again_once_and_by_who_may() {
    both(async |t| {
        let (own, other) = (school(&t, "A", "5001").await, school(&t, "B", "5101").await);
        let (_, principal) = t.signed_in(own.id, "4001", seed::PRINCIPAL).await;
        let failed = job(&t, Some(own.id), "failed").await;
        let done = job(&t, Some(own.id), "done").await;
        let theirs = job(&t, Some(other.id), "failed").await;
        let nobodys = job(&t, None, "failed").await;
        let list = t.get("/api/jobs?state=failed", Some(&own.admin)).await;
        let jobs = list.body["data"]["jobs"].as_array().unwrap_or_else(|| panic!("{}", list.body));
        assert_eq!(jobs.len(), 1, "{} {jobs:?}", t.on);
        assert_eq!((&jobs[0]["id"], &jobs[0]["tries"]), (&json!(failed), &json!(12)));
        assert!(!list.body.to_string().contains("rahasia"), "what it carries is not shown");
        let retry = async |id: i64, token: &str| {
            t.post(&format!("/api/jobs/{id}/retry"), Some(token), json!({})).await.status.as_u16()
        };
        assert_eq!(retry(failed, &principal).await, 403);
        assert_eq!(t.get("/api/jobs", Some(&principal)).await.status, 403);
        for id in [done, theirs, nobodys, 999_999] {
            assert_eq!(retry(id, &own.admin).await, 404, "{} {id}", t.on);
        }
        let (a, b) = tokio::join!(retry(failed, &own.admin), retry(failed, &own.admin));
        assert_eq!(a.min(b), 200, "{}", t.on);
        assert_eq!(a.max(b), 404, "{}: twice at once is once", t.on);
        let waits = t.get("/api/jobs?state=waiting", Some(&own.admin)).await;
        let row = &waits.body["data"]["jobs"][0];
        assert_eq!(
            (&row["id"], &row["tries"], &row["finished_at"]),
            (&json!(failed), &json!(0), &json!(null))
        );
        let said = t.get("/api/audit?action=job.retry", Some(&own.admin)).await;
        assert_eq!(said.body["data"]["entries"].as_array().unwrap().len(), 1, "{}", said.body);
        for query in ["state=lost", "limit=0", "before=x"] {
            assert_eq!(t.get(&format!("/api/jobs?{query}"), Some(&own.admin)).await.status, 422, "{query}");
        }
        let first = t.get("/api/jobs?limit=1", Some(&own.admin)).await;
        assert_eq!(first.body["data"]["next"], first.body["data"]["jobs"][0]["id"]);
    })
    .await;
}

#[tokio::test]
async fn the_page_shows_what_failed_and_what_the_clock_does() {
    both(async |t| {
        let (own, other) = (school(&t, "A", "5001").await, school(&t, "B", "5101").await);
        t.user(own.id, "4001", seed::PRINCIPAL).await;
        let failed = job(&t, Some(own.id), "failed").await;
        let nobodys = job(&t, None, "failed").await;
        let at = format!("/console/{}/jobs", own.id.0);
        let tab = Tab::of(&t, "5001").await;
        let page = tab.page(&at).await;
        assert!(page.contains("the disk &#60;b&#62;is&#60;/b&#62; full"), "{page}");
        assert!(
            page.contains(&format!("/jobs/{failed}/retry"))
                && !page.contains(&format!("/jobs/{nobodys}/retry")),
            "{page}"
        );
        for one in crate::TIMETABLE {
            assert!(page.contains(one.name), "{}", one.name);
        }
        assert!(tab.page(&format!("{at}?state=done")).await.contains("Tidak ada pekerjaan"));
        assert_eq!(tab.get(&format!("{at}?state=x")).await.status, 422);
        assert_eq!(tab.get(&format!("/console/{}/jobs", other.id.0)).await.status, 404);
        assert_eq!(Tab::of(&t, "4001").await.get(&at).await.status, 403);
        let above = super_admin(&t).await.page(&at).await;
        assert!(
            above.contains(&format!("/jobs/{nobodys}/retry")),
            "who looks after all sees those of no school: {above}"
        );
    })
    .await;
}

async fn message(t: &TestApp, institution: Option<InstitutionId>, state: &'static str) -> i64 {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let to = To { name: "Siti", address: "siti@sekolah.sch.id", user: None, institution };
    let (said, language) = (Said::Reset("012345"), Language::Indonesian);
    let id = mail::post(&mut tx, &t.app, Channel::Email, to, said, language).await.unwrap();
    tx.query("UPDATE messages SET state = $2, tries = 12, last_error = '550 <b>no</b>' WHERE id = $1")
        .bind(id)
        .bind(state)
        .run()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn a_failed_message_is_sent_again_once_and_by_who_may() {
    both(async |t| {
        let (own, other) = (school(&t, "A", "5001").await, school(&t, "B", "5101").await);
        let (_, principal) = t.signed_in(own.id, "4001", seed::PRINCIPAL).await;
        let failed = message(&t, Some(own.id), "failed").await;
        let kept = message(&t, Some(own.id), "kept").await;
        let sent = message(&t, Some(own.id), "sent").await;
        let theirs = message(&t, Some(other.id), "failed").await;
        let nobodys = message(&t, None, "failed").await;

        let list = t.get("/api/messages", Some(&own.admin)).await;
        let ids: Vec<_> = list.body["data"]["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].as_i64().unwrap())
            .collect();
        assert_eq!(ids, [sent, kept, failed], "{} {}", t.on, list.body);
        assert!(!list.body.to_string().contains("012345"), "what stands in it is for its recipient");
        let list = t.get("/api/messages?state=failed&limit=1", Some(&own.admin)).await;
        assert_eq!(list.body["data"]["messages"][0]["id"], failed, "{}", list.body);
        assert_eq!(list.body["data"]["next"], json!(null));
        let older = t.get(&format!("/api/messages?before={kept}"), Some(&own.admin)).await;
        assert_eq!(older.body["data"]["messages"][0]["id"], failed, "{}", older.body);
        for query in ["state=lost", "state=running", "limit=0", "before=x"] {
            assert_eq!(
                t.get(&format!("/api/messages?{query}"), Some(&own.admin)).await.status,
                422,
                "{query}"
            );
        }

        let retry = async |id: i64, token: &str| {
            t.post(&format!("/api/messages/{id}/retry"), Some(token), json!({})).await.status.as_u16()
        };
        assert_eq!(retry(failed, &principal).await, 403);
        assert_eq!(t.get("/api/messages", Some(&principal)).await.status, 403);
        for id in [sent, theirs, nobodys, 999_999] {
            assert_eq!(retry(id, &own.admin).await, 404, "{} {id}", t.on);
        }
        let (a, b) = tokio::join!(retry(failed, &own.admin), retry(failed, &own.admin));
        assert_eq!((a.min(b), a.max(b)), (200, 404), "{}: twice at once is once", t.on);
        assert_eq!(retry(kept, &own.admin).await, 200);
        let waits = t.get("/api/messages?state=waiting", Some(&own.admin)).await;
        assert_eq!(waits.body["data"]["messages"].as_array().unwrap().len(), 2, "{}", waits.body);
        let said = t.get("/api/audit?action=message.retry", Some(&own.admin)).await;
        assert_eq!(said.body["data"]["entries"].as_array().unwrap().len(), 2, "{}", said.body);
    })
    .await;
}

#[tokio::test]
async fn the_outbox_shows_a_code_to_nobody_but_who_sets_the_cloud_up() {
    both(async |t| {
        let (own, other) = (school(&t, "A", "5001").await, school(&t, "B", "5101").await);
        t.user(own.id, "4001", seed::PRINCIPAL).await;
        let at = format!("/console/{}/outbox", own.id.0);
        let tab = Tab::of(&t, "5001").await;
        assert!(tab.page(&at).await.contains("Tidak ada pesan"));

        let kept = message(&t, Some(own.id), "kept").await;
        let failed = message(&t, Some(own.id), "failed").await;
        let theirs = message(&t, Some(other.id), "kept").await;
        let nobodys = message(&t, None, "kept").await;
        let page = tab.page(&at).await;
        for id in [kept, failed] {
            assert!(page.contains(&format!("/messages/{id}/retry")), "{page}");
        }
        for id in [theirs, nobodys] {
            assert!(!page.contains(&format!("/messages/{id}/retry")), "{page}");
        }
        assert!(page.contains("550 &#60;b&#62;no&#60;/b&#62;"), "{page}");
        assert!(page.contains("smtp_url") && !page.contains("012345"), "{page}");
        let some = tab.page(&format!("{at}?state=failed")).await;
        assert!(some.contains(&format!("#{failed}<")) && !some.contains(&format!("#{kept}<")), "{some}");
        assert_eq!(tab.get(&format!("{at}?state=x")).await.status, 422);
        assert_eq!(tab.get(&format!("/console/{}/outbox", other.id.0)).await.status, 404);
        assert_eq!(Tab::of(&t, "4001").await.get(&at).await.status, 403);

        let above = super_admin(&t).await;
        let page = above.page(&at).await;
        assert_eq!(
            page.matches("012345").count(),
            2,
            "of the school's and of nobody's that are kept: {page}"
        );
        assert!(
            page.contains(&format!("/messages/{nobodys}/retry")) && !page.contains(&format!("#{theirs}<"))
        );
        let api = format!("/console/{}/api/messages/{nobodys}/retry", own.id.0);
        assert_eq!(above.call("POST", &api, &json!({})).await.status, 200);
    })
    .await;
}

//! The log in the console, through the router as a browser uses it, on both databases.

use hadir_shared::{
    rules::status::{Direction, Schedule},
    time::Zone,
    wire::record::{UnknownCard, What},
};

use super::*;
use crate::{
    attendance::fleet::hand::HandBox,
    console::tests::{Tab, super_admin},
    jobs::Worker,
    kinds,
};

/// A school whose box sent a check-in of 1001, a card nobody knows, and bytes nobody can read.
async fn with_a_box(t: &TestApp) -> (School, HandBox) {
    let school = school(t, "A", "5001").await;
    let pupil = t.user(school.id, "1001", seed::STUDENT).await;
    let mut sender = HandBox::enrol(t, school.id).await;
    let card = UnknownCard {
        code: "1002".into(),
        direction: Direction::CheckIn,
        day: Zone::JAKARTA.day(START),
        gate: "Gerbang 1".into(),
        operator: None,
        schedule: Schedule {
            version: 1,
            zone: Zone::JAKARTA,
            checkin_end: "07:30:00".parse().unwrap(),
            late_grace_minutes: 0,
            checkout_start: "14:00:00".parse().unwrap(),
        },
    };
    let events = vec![
        HandBox::scan(t, pupil, START.plus_seconds(-300)),
        HandBox::record(t, START.plus_seconds(-200), What::UnknownCard(card)),
        "{\"v\":9}".into(),
    ];
    let batch = sender.batch(t, events);
    sender.deliver(t, &batch).await;
    (school, sender)
}

fn at(school: &School, path: &str) -> String {
    format!("/console/{}{path}", school.id.0)
}

/// The part of a page that lists.
fn table(page: &str) -> &str {
    page.split("<tbody>").nth(1).map_or("", |rest| rest.split("</tbody>").next().unwrap())
}

fn rows(page: &str) -> usize {
    table(page).matches("<tr>").count()
}

/// The ids of the records on a page, in its order.
fn ids(page: &str) -> Vec<i64> {
    let parts = table(page).split("id=\"open-").skip(1);
    parts.map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn a_record_is_found_by_every_filter() {
    both(async |t| {
        let (school, sender) = with_a_box(&t).await;
        let tab = Tab::of(&t, "5001").await;
        let all = tab.page(&at(&school, "/log")).await;
        assert_eq!(rows(&all), 3, "{}", t.on);
        for said in ["Terkirim", "Ditolak", "Menunggu", "Orang 1001", "Gerbang 1", "setelah 5 menit", "#1"] {
            assert!(table(&all).contains(said), "{} {said}", t.on);
        }
        assert!(all.contains("3 catatan masih menunggu di kotak"), "as the box told");
        let device = sender.device;
        let cases = [
            ("status=terkirim".to_owned(), 1),
            ("status=ditolak".into(), 1),
            ("status=menunggu".into(), 1),
            ("status=bentrok".into(), 0),
            ("status=failed".into(), 2),
            ("status=discarded".into(), 0),
            ("verdict=quarantined".into(), 1),
            ("status=menunggu&verdict=stored".into(), 0),
            ("action_type=unknown_card".into(), 1),
            (format!("device_id={device}"), 3),
            (format!("device_id={}", Uuid::nil()), 0),
            ("q=Orang+1001".into(), 1),
            ("q=tidak+dikenal".into(), 1),
            ("q=%25".into(), 0),
            ("start_date=2025-11-21&end_date=2025-11-21".into(), 3),
            ("end_date=2025-11-20".into(), 0),
            ("start_date=2025-11-22".into(), 0),
            (format!("q=1001&status=terkirim&device_id={device}&start_date=2025-11-21"), 1),
        ];
        for (query, expected) in cases {
            let page = tab.page(&at(&school, &format!("/log?{query}"))).await;
            assert_eq!(rows(&page), expected, "{} {query}", t.on);
        }
        let wrong = tab.get(&at(&school, "/log?start_date=2025-11-22&end_date=2025-11-21")).await;
        assert_eq!(wrong.status, 422);
        assert_eq!(tab.get(&at(&school, "/log?status=hilang")).await.status, 422);
    })
    .await;
}

#[tokio::test]
async fn page_after_page_shows_each_record_once_in_both_orders() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let pupil = t.user(school.id, "1001", seed::STUDENT).await;
        let mut sender = HandBox::enrol(&t, school.id).await;
        // The later they came, the earlier they were.
        let events = (0..120).map(|n| HandBox::scan(&t, pupil, START.plus_seconds(-n))).collect();
        let batch = sender.batch(&t, events);
        sender.deliver(&t, &batch).await;
        let tab = Tab::of(&t, "5001").await;
        for (query, is_by_time) in [
            ("q=Orang", false),
            ("verdict=duplicate", false),
            ("start_date=2025-11-21", true),
            ("end_date=2025-11-21&q=1001", false),
        ] {
            let (mut seen, mut path) = (Vec::new(), format!("/log?{query}"));
            for _ in 0..4 {
                let page = tab.page(&at(&school, &path)).await;
                seen.extend(ids(&page));
                let Some(next) = page.split("rel=\"next\" href=\"").nth(1) else { break };
                let next = next.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
                path = next.strip_prefix(&at(&school, "")).unwrap().to_owned();
            }
            let expected = if query.starts_with("verdict") { 119 } else { 120 };
            assert_eq!(seen.len(), expected, "{} {query}", t.on);
            let is_sorted = |a: &i64, b: &i64| if is_by_time { a < b } else { a > b };
            assert!(seen.is_sorted_by(is_sorted), "{} {query}: {seen:?}", t.on);
        }
        let beyond = tab.page(&at(&school, "/log?start_date=2025-11-21&after=999999")).await;
        assert_eq!(rows(&beyond), 0);
    })
    .await;
}

#[tokio::test]
async fn a_refused_record_is_found_given_to_a_person_and_delivered() {
    both(async |t| {
        let (school, _) = with_a_box(&t).await;
        let tab = Tab::of(&t, "5001").await;
        let list = tab.page(&at(&school, "/log?status=ditolak")).await;
        let id = ids(&list)[0];
        let path = at(&school, &format!("/log/{id}"));
        let before = tab.page(&path).await;
        assert!(before.contains("Kartu tidak dikenal") && before.contains("Petakan ke orangnya"), "{before}");
        assert!(
            before.contains("&#34;unknown_card&#34;") || before.contains("&quot;unknown_card&quot;"),
            "its bytes"
        );
        assert!(before.contains("Belum ada yang memutuskan"), "{before}");
        assert!(!before.contains("Petakan ke orang ini"), "nobody has 1002 yet");
        let owner = t.user(school.id, "1002", seed::STUDENT).await;
        // What stood on the card was looked for without asking.
        let found = tab.page(&path).await;
        assert!(found.contains(&format!("id=\"map-{}\"", owner.0)), "{found}");
        let by_name = tab.page(&format!("{path}?who=orang+1001")).await;
        assert!(by_name.contains("Petakan ke orang ini") && !by_name.contains(&format!("map-{}", owner.0)));

        let map = at(&school, &format!("/api/offline-sync/{id}/map"));
        let mapped = tab.call("POST", &map, &json!({"user_id": owner})).await;
        assert_eq!(mapped.status, 200, "{} {}", t.on, mapped.body);
        let twice = tab.call("POST", &map, &json!({"user_id": owner})).await;
        assert_eq!(twice.status, 400, "{}", twice.body);
        let after = tab.page(&path).await;
        assert!(after.contains("Terkirim") && after.contains("Dipetakan"), "{after}");
        assert!(after.contains("Orang 1002") && after.contains("id=\"tries\">2<"), "{after}");
        assert!(
            !after.contains("id=\"retry\"") && !after.contains("id=\"discard\""),
            "nothing is left to do"
        );
        assert_eq!(rows(&tab.page(&at(&school, "/log?status=terkirim")).await), 2, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn all_that_a_filter_finds_are_tried_again_and_the_page_tells_how_far_it_is() {
    both(async |t| {
        let (school, _) = with_a_box(&t).await;
        let tab = Tab::of(&t, "5001").await;
        let page = tab.page(&at(&school, "/log?status=failed&q=tidak")).await;
        let filter = page.split("data-as=\"json\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let filter = filter.replace("&#34;", "\"").replace("&quot;", "\"");
        let filter: Value = serde_json::from_str(&filter).unwrap();
        assert_eq!(filter, json!({"status": "failed", "q": "tidak"}));
        let retry = at(&school, "/api/offline-sync/retry");
        let begun = tab.call("POST", &retry, &json!({ "filter": filter })).await;
        assert_eq!(begun.status, 202, "{}", begun.body);
        let twice = tab.call("POST", &retry, &json!({ "filter": {} })).await;
        assert_eq!(twice.body["data"]["id"], begun.body["data"]["id"], "a second press begins nothing");
        let running = tab.page(&at(&school, "/log")).await;
        assert!(
            running.contains("data-live=\"soon\"") && running.contains("<progress value=\"0\" max=\"2\""),
            "{running}"
        );
        Worker::new(t.app.clone(), kinds()).drain().await.unwrap();
        let done = tab.page(&at(&school, "/log")).await;
        assert!(done.contains("Selesai dicoba ulang") && !done.contains("<progress"), "{done}");
        assert!(done.contains("0 terkirim, 2 masih gagal"), "{done}");
        t.clock.advance_ms(11 * 60_000);
        assert!(
            !tab.page(&at(&school, "/log")).await.contains("Selesai dicoba ulang"),
            "it is no news any more"
        );
    })
    .await;
}

#[tokio::test]
async fn a_principal_reads_a_teacher_does_not_and_another_schools_records_are_not_there() {
    both(async |t| {
        let (school, sender) = with_a_box(&t).await;
        let other = crate::attendance::tests::school(&t, "B", "5101").await;
        send(&t, &other.admin, json!([1])).await;
        t.user(school.id, "4001", seed::PRINCIPAL).await;
        t.user(school.id, "2001", seed::TEACHER).await;
        let principal = Tab::of(&t, "4001").await;
        let list = principal.page(&at(&school, "/log")).await;
        assert_eq!(rows(&list), 3);
        assert!(!list.contains("retry-some") && !list.contains("name=\"ids\""), "reads only");
        let failed = ids(&principal.page(&at(&school, "/log?status=ditolak")).await)[0];
        let record = principal.page(&at(&school, &format!("/log/{failed}"))).await;
        assert!(!record.contains("id=\"retry\"") && !record.contains("id=\"mapping\""), "{record}");
        let teacher = Tab::of(&t, "2001").await;
        for path in ["/log".to_owned(), format!("/log/{failed}")] {
            assert_eq!(teacher.get(&at(&school, &path)).await.status, 403, "{path}");
        }

        let stranger = Tab::of(&t, "5101").await;
        assert_eq!(stranger.get(&at(&school, "/log")).await.status, 404);
        assert_eq!(stranger.get(&at(&other, &format!("/log/{failed}"))).await.status, 404, "{}", t.on);
        assert_eq!(rows(&stranger.page(&at(&other, "/log")).await), 1);
        let theirs = stranger.page(&at(&other, &format!("/log?device_id={}", sender.device))).await;
        assert_eq!(rows(&theirs), 0);
        assert_eq!(
            rows(&super_admin(&t).await.page(&at(&school, "/log")).await),
            3,
            "whoever keeps the cloud"
        );
    })
    .await;
}

#[tokio::test]
async fn what_was_sent_runs_nowhere() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let hostile = "<script>alert(1)</script>";
        send(&t, &school.admin, json!([{"user_id": hostile, "type": "\"><img src=x onerror=alert(1)>"}]))
            .await;
        let tab = Tab::of(&t, "5001").await;
        let id = ids(&tab.page(&at(&school, "/log")).await)[0];
        for path in [
            "/log".to_owned(),
            format!("/log/{id}"),
            format!("/log/{id}?who=%3Cscript%3Ealert(1)%3C/script%3E"),
            "/log?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E".into(),
        ] {
            let page = tab.page(&at(&school, &path)).await;
            assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{path}: {page}");
        }
        assert!(tab.page(&at(&school, &format!("/log/{id}"))).await.contains("alert(1)"), "it is shown");
    })
    .await;
}

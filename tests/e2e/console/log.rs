//! The log: an outage's records arrive on an open page; a refused one is mended; many are tried again.

use hadir_tests::{api::Api, now};
use serde_json::{Value, json};

use super::{
    Console, can_run,
    sender::{days_of, enrolled, send, unknown_card},
};
use crate::school::on_both;

async fn activate(admin: &Api, person: i64, is_active: bool) {
    let body = json!({ "is_active": is_active });
    let request = admin.request(reqwest::Method::PUT, &format!("/api/users/{person}")).json(&body);
    request.send().await.unwrap().error_for_status().unwrap();
}

async fn total(admin: &Api, query: &str) -> u64 {
    admin.total(&format!("/api/offline-sync?{query}")).await.unwrap()
}

/// The number before "catatan" under the list.
const COUNTED: &str =
    "Number(document.getElementById('total')?.innerText.match(/^[0-9.]+/)?.[0].replaceAll('.', '') ?? 0)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outages_records_arrive_on_an_open_page() {
    if !can_run() {
        return;
    }
    on_both(async |engine| {
        let console = Console::open(engine, "5001").await.unwrap();
        let mut sender = enrolled(&console).await;
        let pupils = console.cloud.cards("5001").await.unwrap();
        console.go("/log").await.unwrap();
        console.run("window.marked = true").await.unwrap();
        let before = console.run(&format!("return {COUNTED}")).await.unwrap().as_i64().unwrap();
        // The line is back: a heartbeat tells of 300 records, and then they come.
        let mut beat = sender.batch(Vec::new());
        beat.health.pending = 300;
        send(&sender, &beat).await;
        let waiting = "document.getElementById('waits').innerText.includes('300 catatan masih menunggu')";
        console.browser.until(waiting).await.unwrap();
        let events: Vec<String> =
            pupils.iter().take(30).flat_map(|card| days_of(&sender, card.student, None, 10)).collect();
        assert_eq!(events.len(), 300);
        let start = now();
        let batch = sender.batch(events);
        send(&sender, &batch).await;
        console.browser.until(&format!("{COUNTED} === {}", before + 300)).await.unwrap();
        assert!(now().0 - start.0 < 10_000, "{engine:?}: it took {} ms", now().0 - start.0);
        console.browser.until(&format!("!({waiting})")).await.unwrap();
        assert_eq!(
            console.run("return window.marked").await.unwrap(),
            true,
            "{engine:?}: the page was loaded anew"
        );
        assert!(console.browser.complaints().await.unwrap().is_empty());
    })
    .await;
}

/// From the log: a filter, the record, the person; and, because he is not active, once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_record_is_found_given_to_a_person_tried_again_and_delivered() {
    if !can_run() {
        return;
    }
    on_both(async |engine| {
        let console = Console::open(engine, "5001").await.unwrap();
        let admin = console.cloud.sign_in("5001").await.unwrap();
        let mut sender = enrolled(&console).await;
        let owner = console.cloud.cards("5001").await.unwrap().remove(0);
        activate(&admin, owner.student, false).await;
        let batch = sender.batch(vec![unknown_card(&sender, &owner.number)]);
        send(&sender, &batch).await;
        let refused = total(&admin, "status=ditolak").await;
        assert!(refused > 0, "{engine:?}: the card of somebody inactive was accepted");

        console.go("/log").await.unwrap();
        let choose = "const s = document.getElementById('status'); s.value = 'ditolak'; s.dispatchEvent(new Event('change', { bubbles: true }))";
        console.run(choose).await.unwrap();
        console.browser.until("location.search.includes('status=ditolak') && document.querySelector('[id^=open-]')").await.unwrap();
        console.browser.tap("[id^=open-]").await.unwrap();
        console.browser.until("document.getElementById('mapping')").await.unwrap();
        let map = format!("#map-{}", owner.student);
        console.browser.tap(&map).await.unwrap();
        let state = |word: &str| format!("document.getElementById('state')?.innerText === '{word}'");
        console.browser.until("document.getElementById('history').innerText.includes('Dipetakan')").await.unwrap();
        assert_eq!(console.browser.text("#state").await.unwrap(), "Ditolak", "{engine:?}: he is not active");

        activate(&admin, owner.student, true).await;
        // Twice at once is once.
        console.run("const b = document.getElementById('retry'); b.click(); b.click()").await.unwrap();
        console.browser.until(&state("Terkirim")).await.unwrap();
        assert_eq!(console.browser.text("#tries").await.unwrap(), "3", "{engine:?}");
        assert_eq!(total(&admin, "status=ditolak").await, refused - 1);
        assert!(console.run("return document.getElementById('retry')").await.unwrap().is_null());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_are_tried_again_once_and_the_page_tells_how_far_it_is() {
    if !can_run() {
        return;
    }
    on_both(async |engine| {
        let console = Console::open(engine, "5001").await.unwrap();
        let admin = console.cloud.sign_in("5001").await.unwrap();
        let mut sender = enrolled(&console).await;
        let pupil = console.cloud.cards("5001").await.unwrap().remove(0).student;
        activate(&admin, pupil, false).await;
        let batch = sender.batch(days_of(&sender, pupil, None, 200));
        send(&sender, &batch).await;
        assert_eq!(total(&admin, "status=failed").await, 200, "{engine:?}");
        activate(&admin, pupil, true).await;

        console.go("/log?status=failed").await.unwrap();
        let progress = "window.seen = []; new MutationObserver(() => {
            const bar = document.querySelector('#retry progress');
            if (bar) window.seen.push([Number(bar.value), Number(bar.max)]);
        }).observe(document.body, { childList: true, subtree: true })";
        console.run(progress).await.unwrap();
        let yes = "document.querySelector('dialog[open] button[value=yes]')";
        console.browser.tap("#retry-all").await.unwrap();
        console.browser.until(yes).await.unwrap();
        console.run(&format!("{yes}.click(); document.getElementById('retry-all').click()")).await.unwrap();
        let over = "document.getElementById('retry').innerText.includes('Selesai dicoba ulang')";
        console.browser.until(over).await.unwrap();
        let said = console.browser.text("#retry").await.unwrap();
        assert!(said.contains("200 catatan: 200 terkirim, 0 masih gagal"), "{engine:?}: {said}");
        let seen = console.run("return window.seen").await.unwrap();
        let steps: Vec<&Value> = seen.as_array().unwrap().iter().collect();
        assert!(!steps.is_empty() && steps.iter().all(|step| step[1] == 200), "{engine:?}: {seen}");
        assert_eq!((total(&admin, "status=failed").await, total(&admin, "status=terkirim").await), (0, 200));

        // Whoever presses again finds nothing to do.
        console.go("/log?status=failed").await.unwrap();
        console.browser.tap("#retry-all").await.unwrap();
        console.browser.until(yes).await.unwrap();
        console.run(&format!("{yes}.click()")).await.unwrap();
        console
            .browser
            .until("document.getElementById('retry').innerText.includes('dicoba ulang 0 catatan')")
            .await
            .unwrap();
        assert_eq!(total(&admin, "status=terkirim").await, 200, "{engine:?}");
    })
    .await;
}

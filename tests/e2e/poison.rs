//! Records that cannot be taken as they are never stop the ones behind them, and stay visible until somebody decides.

use hadir_shared::{ids::UserId, time::Zone, wire::batch::Verdict};
use hadir_tests::{boxes, boxes::HandBox, now};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    ledger::assert_chained,
    school::{Cloud, Engine, on_both},
};

/// Seen to fail with a cloud that refuses a whole batch for one record it cannot read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_and_an_unknown_record_among_five_hundred_are_set_aside() {
    on_both(five_hundred).await;
}

async fn five_hundred(engine: Engine) {
    // Six classes of 84 are 504 students.
    let cloud = Cloud::start(engine, 84).await.unwrap();
    let client = boxes::client().unwrap();
    let code = cloud.plan.enrolment_code("SMAN1").await.unwrap();
    let mut by_hand = HandBox::enrol(&client, &cloud.url(), &code, "Kotak tangan").await.unwrap();
    let students = cloud.cards("5001").await.unwrap();
    let at = now();
    let day = Zone::JAKARTA.day(at);
    let mut events: Vec<String> = students
        .iter()
        .take(500)
        .map(|card| by_hand.scan(UserId(card.student), None, day, at).unwrap())
        .collect();
    events[99] = "{\"v\":1,\"event\":".into();
    events[199] = by_hand.scan(UserId(999_999), None, day, at).unwrap();
    let batch = by_hand.batch(events);

    let receipt = by_hand.send(&client, &batch).await.unwrap();
    assert_eq!((receipt.durable_through, receipt.head_hash), (500, by_hand.head.hash));
    let verdicts: Vec<_> = receipt.verdicts.iter().map(|v| (v.seq, v.verdict, v.reason.as_str())).collect();
    assert_eq!(
        verdicts,
        [(100, Verdict::Quarantined, "bad_schema"), (200, Verdict::Refused, "unknown_person")]
    );
    let again = by_hand.send(&client, &batch).await.unwrap();
    assert_eq!(
        (again.durable_through, again.head_hash),
        (500, by_hand.head.hash),
        "the same batch once more"
    );

    let records = cloud.books().records(by_hand.device.0).await.unwrap();
    assert_chained(&records);
    assert_eq!(cloud.books().lines(by_hand.device.0).await.unwrap().len(), 498);

    let admin = cloud.sign_in("5001").await.unwrap();
    let failed = admin.rows("/api/offline-sync?status=failed").await.unwrap();
    assert_eq!(failed.len(), 2, "{failed:?}");
    for log in &failed {
        let path = format!("/api/offline-sync/{}/retry", log["id"]);
        let answer = admin.request(Method::POST, &path).json(&json!({})).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        assert_ne!(status, 200, "nothing has changed, so it fails again: {body}");
        assert_eq!(body["success"], false);
    }
    let still = admin.rows("/api/offline-sync?status=failed").await.unwrap();
    assert_eq!(still.len(), 2, "it stays visible, and may be tried again");

    let elsewhere = cloud.sign_in("5101").await.unwrap();
    assert_eq!(elsewhere.total("/api/offline-sync?").await.unwrap(), 0, "another school sees none of it");
}

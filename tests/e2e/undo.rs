//! A slip at the gate: scanned, taken back, scanned again. Box and cloud say the same of it, and nobody had to settle anything.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    ledger::{assert_chained, assert_equal_to_recomputation, lines_of_the_box},
    school::{Card, Cloud, Edge, Engine, identity, on_both},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_back_and_scanned_again_counts_once_on_both_sides() {
    on_both(taken_back).await;
}

async fn taken_back(engine: Engine) {
    let mut cloud = Cloud::start(engine, 30).await.unwrap();
    let mut edge = Edge::enrol(&cloud, &cloud.url()).await.unwrap();
    let cards = cloud.cards("5001").await.unwrap();
    let [back_again, gone, untouched, offline, offline_gone] = &cards[..5] else {
        unreachable!("five cards")
    };

    // Each step reaches the cloud before the next is made.
    let first = green(&edge, back_again).await;
    edge.drained().await.unwrap();
    assert_eq!(take_back(&edge, &first).await["number"], back_again.number);
    edge.drained().await.unwrap();
    assert_eq!(present(&cloud).await, BTreeSet::new(), "as if it had not been");
    let second = green(&edge, back_again).await;
    assert_ne!(first, second);

    // All of it reaches the cloud at once, days later perhaps.
    edge.drained().await.unwrap();
    cloud.kill().await.unwrap();
    let event = green(&edge, gone).await;
    take_back(&edge, &event).await;
    take_back(&edge, &event).await; // safe to press twice
    green(&edge, untouched).await;
    for _ in 0..3 {
        let event = green(&edge, offline).await;
        take_back(&edge, &event).await;
    }
    green(&edge, offline).await;
    let event = green(&edge, offline_gone).await;
    take_back(&edge, &event).await;
    cloud.resume().await.unwrap();
    let status = edge.drained().await.unwrap();
    assert_eq!(status["failed"], Value::Array(vec![]), "{status}");

    let here: BTreeSet<_> = [back_again, untouched, offline].map(|card| card.student).into();
    assert_eq!(present(&cloud).await, here);
    let (device, _) = identity(&status).unwrap();
    edge.stop().await.unwrap();
    edge.plan.run(&["verify"]).await.unwrap();
    let records = cloud.books().records(device).await.unwrap();
    assert_chained(&records);
    assert!(records.iter().all(|record| record.verdict == "stored"), "nobody has to settle anything");
    assert_eq!(records.iter().filter(|record| record.body.contains("\"void\"")).count(), 6);
    let lines = cloud.books().lines(device).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.user_id).collect::<BTreeSet<_>>(), here);
    assert_eq!(lines, lines_of_the_box(&edge.database()).unwrap(), "the books of both");
    assert_equal_to_recomputation(&records, lines);
    let found = cloud.plan.command(&["doctor"]).output().await.unwrap();
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(found.contains("the attendance books equal their recomputation"), "{found}");
}

/// A card that is shown green for the first time; answers the record's name.
async fn green(edge: &Edge, card: &Card) -> Value {
    let answer = edge.scan(&card.code, "checkin", "Gerbang 1").await.unwrap();
    assert!(["hadir", "terlambat"].contains(&answer.outcome()), "{:?}", answer.body);
    answer.event().clone()
}

async fn take_back(edge: &Edge, event: &Value) -> Value {
    let (status, body) = edge.undo(event).await.unwrap();
    assert_eq!((status, &body["data"]["is_void"]), (200, &Value::Bool(true)), "{body}");
    body["data"].clone()
}

/// The students whom the cloud shows as present today, of all classes.
async fn present(cloud: &Cloud) -> BTreeSet<i64> {
    let admin = cloud.sign_in("5001").await.unwrap();
    let classes = admin.get("/api/classes").await.unwrap();
    let mut present = BTreeSet::new();
    for class in classes["data"].as_array().unwrap() {
        let path = format!("/api/student-attendance/class-status/{}", class["id"]);
        let of_it = admin.get(&path).await.unwrap();
        let there = of_it["data"].as_array().unwrap().iter().filter(|one| one["attended"] == true);
        present.extend(there.map(|one| one["id"].as_i64().unwrap()));
    }
    present
}

//! The promise, under fire: gates keep scanning while cloud and box are killed again and again.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hadir_tests::now;
use reqwest::Client;

use crate::{
    ledger::{assert_chained, assert_equal_to_recomputation, log_of_the_box},
    school::{Cloud, Edge, Engine, eventually, identity, on_both, scan},
};

const SCANS: usize = 2_000;
const GATES: usize = 4;
/// Six classes of 167: a check-in and a check-out of 1,000 students.
const CLASS_SIZE: usize = 167;

/// Seen to fail with a writer that answers before it commits (it left every eighth group's COMMIT to the next).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_scan_reaches_the_cloud_once_through_five_kills() {
    on_both(five_kills).await;
}

async fn five_kills(engine: Engine) {
    let mut cloud = Cloud::start(engine, CLASS_SIZE).await.unwrap();
    let mut edge = Edge::enrol(&cloud, &cloud.url()).await.unwrap();
    let cards = cloud.cards("5001").await.unwrap();
    let jobs: Vec<(i64, String, &str)> = ["checkin", "checkout"]
        .into_iter()
        .flat_map(|direction| {
            cards.iter().take(SCANS / 2).map(move |card| (card.student, card.code.clone(), direction))
        })
        .collect();
    assert_eq!(jobs.len(), SCANS);

    let done = Arc::new(AtomicUsize::new(0));
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let gates: Vec<_> = (0..GATES)
        .map(|gate| {
            let mine: Vec<_> = jobs.iter().skip(gate).step_by(GATES).cloned().collect();
            let (client, url) = (edge.client.clone(), edge.url());
            let (done, acknowledged) = (Arc::clone(&done), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                for (who, code, direction) in mine {
                    hold(&client, &url, &code, direction, &format!("Gerbang {gate}")).await;
                    acknowledged.lock().unwrap().insert((who, direction));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();

    let reached = async |share: usize| {
        eventually("the gates go on", async || (done.load(Ordering::Relaxed) >= share).then_some(()))
            .await
            .unwrap();
    };
    for (share, victim) in [(300, "cloud"), (600, "edge"), (900, "cloud"), (1_200, "edge"), (1_500, "cloud")]
    {
        reached(share).await;
        if victim == "cloud" {
            cloud.kill().await.unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
            cloud.resume().await.unwrap();
        } else {
            edge.kill().await.unwrap();
            edge.resume().await.unwrap();
        }
    }
    for gate in gates {
        gate.await.unwrap();
    }

    let status = edge.drained().await.unwrap();
    let (device, log) = identity(&status).unwrap();
    edge.stop().await.unwrap();
    edge.plan.run(&["verify"]).await.unwrap();
    let records = cloud.books().records(device).await.unwrap();
    let lines = cloud.books().lines(device).await.unwrap();
    assert_chained(&records);
    let here: Vec<_> = records.iter().map(|r| (r.seq, r.body.clone(), r.hash.clone())).collect();
    let there: Vec<_> = log_of_the_box(&edge.database(), log)
        .unwrap()
        .into_iter()
        .map(|(seq, body, hash)| (seq, body, hash.to_string()))
        .collect();
    // The clean end of the box appends nothing; what it holds is what the cloud holds, byte for byte.
    assert_eq!(here, there);
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert_eq!(acknowledged.len(), SCANS);
    let recorded: BTreeSet<_> = lines
        .iter()
        .map(|line| (line.user_id, if line.direction == "checkin" { "checkin" } else { "checkout" }))
        .collect();
    assert_eq!(recorded, acknowledged, "what was shown green is in the cloud, and nothing else");
    assert_eq!(lines.len(), SCANS, "each exactly once");
    assert_equal_to_recomputation(&records, lines);
}

/// Whoever sees no green light holds the card to the camera again.
async fn hold(client: &Client, url: &str, code: &str, direction: &str, gate: &str) {
    let start = now();
    loop {
        if scan(client, url, code, direction, gate).await.is_some_and(|answer| answer.is_recorded()) {
            return;
        }
        assert!(now().since(start) < 120_000, "the gate never gets an answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

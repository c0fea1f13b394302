//! The cloud commits, and the answer is lost: the same records come again, and nothing doubles.

use hadir_tests::proxy::{Mode, Proxy};

use crate::{
    ledger::{assert_chained, assert_equal_to_recomputation},
    school::{Cloud, Edge, Engine, eventually, identity, on_both},
};

/// Answers that are lost before one comes through.
const LOST: u64 = 3;

/// Seen to fail with a fence that skips nothing, and no unique key behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_whose_answer_is_lost_comes_again_and_nothing_doubles() {
    on_both(lost_answers).await;
}

async fn lost_answers(engine: Engine) {
    let cloud = Cloud::start(engine, 30).await.unwrap();
    let proxy = Proxy::start(cloud.address().parse().unwrap()).await.unwrap();
    let edge = Edge::enrol(&cloud, &proxy.url()).await.unwrap();
    let cards = cloud.cards("5001").await.unwrap();
    let (device, _) = identity(&edge.drained().await.unwrap()).unwrap();

    proxy.set(Mode::LoseReply("/api/offline-sync/batches"));
    for card in cards.iter().take(100) {
        assert!(edge.scan(&card.code, "checkin", "Gerbang 1").await.unwrap().is_recorded());
    }
    eventually("answers are lost", async || (proxy.lost() >= LOST).then_some(())).await.unwrap();
    let held = cloud.books().lines(device).await.unwrap().len();
    assert!(held > 0, "the cloud has committed what the box does not know of");
    let status = edge.status().await.unwrap();
    assert!(status["pending"].as_u64().unwrap() > 0, "no answer, no acknowledgement: {status}");

    proxy.set(Mode::Pass);
    edge.drained().await.unwrap();
    let records = cloud.books().records(device).await.unwrap();
    let lines = cloud.books().lines(device).await.unwrap();
    assert_chained(&records);
    assert_eq!(lines.len(), 100);
    assert!(
        records.iter().all(|record| record.verdict == "stored"),
        "a resent record is skipped, not judged again"
    );
    assert_equal_to_recomputation(&records, lines);
}

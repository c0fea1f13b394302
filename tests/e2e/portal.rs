//! Somebody else answers: a captive portal says 200 to everything, and acknowledges nothing.

use hadir_tests::proxy::{Mode, Proxy};

use crate::{
    ledger::assert_chained,
    school::{Cloud, Edge, Engine, eventually, identity, on_both},
};

/// Seen to fail with an uploader that takes any 200 for a receipt of what it sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_captive_portal_acknowledges_nothing_and_nothing_is_lost() {
    on_both(portal).await;
}

async fn portal(engine: Engine) {
    let cloud = Cloud::start(engine, 30).await.unwrap();
    let proxy = Proxy::start(cloud.address().parse().unwrap()).await.unwrap();
    let edge = Edge::enrol(&cloud, &proxy.url()).await.unwrap();
    let cards = cloud.cards("5001").await.unwrap();
    let before = edge.drained().await.unwrap();
    let (device, _) = identity(&before).unwrap();
    let sent_before = cloud.books().records(device).await.unwrap();

    proxy.set(Mode::CaptivePortal);
    for card in cards.iter().take(20) {
        assert!(
            edge.scan(&card.code, "checkin", "Gerbang 1").await.unwrap().is_recorded(),
            "the gate does not care"
        );
    }
    eventually("the portal answers the box", async || (proxy.portal_answers() >= 5).then_some(()))
        .await
        .unwrap();
    let status = edge.status().await.unwrap();
    assert_eq!(status["acked_through"], before["acked_through"], "a 200 with a login page is no receipt");
    assert!(status["pending"].as_u64().unwrap() >= 20, "{status}");
    assert_eq!(cloud.books().records(device).await.unwrap(), sent_before);

    proxy.set(Mode::Pass);
    edge.drained().await.unwrap();
    let records = cloud.books().records(device).await.unwrap();
    assert_chained(&records);
    assert_eq!(cloud.books().lines(device).await.unwrap().len(), 20);
}

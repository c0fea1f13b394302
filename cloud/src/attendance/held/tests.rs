use hadir_shared::{
    chain::Head,
    wire::{
        held::{HeldLogs, HeldRecords},
        record::{Boot, What},
        request::NONCE_HEADER,
    },
};

use crate::{
    attendance::fleet::hand::HandBox,
    identity::seed,
    testing::{START, TestApp},
};

const LOGS: &str = "/api/offline-sync/logs";

#[tokio::test]
async fn a_box_reads_back_its_own_records_and_the_signed_heads_they_lead_to() {
    TestApp::both(async |t| {
        let (school, other) = (t.institution("A").await, t.institution("B").await);
        let mut sender = HandBox::enrol(&t, school).await;
        let boot = |text: &str| {
            HandBox::record(&t, START, What::Boot(Boot { version: text.into(), previous_clean: true }))
        };
        // One with a NUL in its text, which PostgreSQL keeps aside; more than a page of them.
        let mut sent = vec![boot("1").replace("\"1\"", "\"a\\u0000b\""), format!("\u{0}{}", boot("2"))];
        sent.extend((0..700).map(|n| boot(&n.to_string())));
        for part in sent.chunks(500) {
            let batch = sender.batch(&t, part.to_vec());
            sender.deliver(&t, &batch).await;
        }

        let request = sender.signed(&t, "GET", LOGS, Vec::new());
        let nonce = request.headers()[NONCE_HEADER].to_str().unwrap().parse().unwrap();
        let answer = t.send(request).await;
        let held: HeldLogs = serde_json::from_value(answer.body).unwrap();
        held.verify(&sender.cloud_key, sender.device, nonce).unwrap();
        assert_eq!(held.logs.len(), 1, "{}", t.on);
        assert_eq!((held.logs[0].log, held.logs[0].head), (sender.log, sender.head), "{}", t.on);

        let mut got = Vec::new();
        loop {
            let target = format!("{LOGS}/{}/records?after={}", sender.log, got.len());
            let page: HeldRecords = serde_json::from_value(sender.get(&t, &target).await.body).unwrap();
            assert_eq!((page.first_seq, page.log), (got.len() as u64 + 1, sender.log));
            if page.events.is_empty() {
                break;
            }
            got.extend(page.events);
        }
        assert_eq!(got, sent, "{} byte for byte", t.on);
        let chain = got.iter().fold(Head::genesis(sender.log), |at, e| at.append(sender.log, e.as_bytes()));
        assert_eq!(chain, sender.head);

        // Nobody else reads them: not a box of the same school, not one of another.
        for stranger in [HandBox::enrol(&t, school).await, HandBox::enrol(&t, other).await] {
            let held: HeldLogs = serde_json::from_value(stranger.get(&t, LOGS).await.body).unwrap();
            assert_eq!(held.logs, [], "{}", t.on);
            let target = format!("{LOGS}/{}/records", sender.log);
            let page: HeldRecords = serde_json::from_value(stranger.get(&t, &target).await.body).unwrap();
            assert!(page.events.is_empty(), "{}", t.on);
        }
        assert_eq!(t.get(LOGS, None).await.status, 401, "{}", t.on);
        let (_, admin) = t.signed_in(school, "5001", seed::ADMIN).await;
        assert_eq!(t.get(LOGS, Some(&admin)).await.status, 401, "{} a person is no box", t.on);

        let revoke = format!("/api/edge-devices/{}/revoke", sender.device);
        t.post(&revoke, Some(&admin), serde_json::json!({})).await;
        assert_eq!(sender.get(&t, LOGS).await.status, 403, "{}", t.on);
        let target = format!("{LOGS}/{}/records", sender.log);
        assert_eq!(sender.get(&t, &target).await.status, 403, "{}", t.on);
    })
    .await;
}

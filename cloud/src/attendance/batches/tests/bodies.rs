//! Bodies that are too large, too slow, cut off or no batch, and what is said of them.

use std::time::Duration;

use hadir_shared::{
    chain::{Hash, Head},
    ids::UserId,
    wire::{
        batch::{MAX_BATCH_BYTES, MAX_RECORD_BYTES, MAX_WIRE_BYTES, Verdict},
        request::{DEVICE_HEADER, NONCE_HEADER, SIGNATURE_HEADER},
    },
};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt as _;

use super::{QUARANTINE, count, log, same_as_recomputed, students};
use crate::{
    attendance::fleet::hand::{BATCHES, HandBox, packed},
    db::Cloud,
    identity::seed,
    testing::{START, TestApp},
};

#[tokio::test]
async fn bodies_that_are_too_much_or_nothing() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let mut sender = HandBox::enrol(&t, school).await;
        let send = async |body: Vec<u8>| t.send(sender.signed(&t, "POST", BATCHES, body)).await;
        let bomb = packed(&vec![0; 64 * MAX_BATCH_BYTES]).await;
        assert!(bomb.len() < MAX_WIRE_BYTES, "{}", bomb.len());
        assert_eq!(send(bomb).await.status, 413, "{} a bomb", t.on);
        assert_eq!(send(vec![1; MAX_WIRE_BYTES + 1]).await.status, 413, "{} too long on the wire", t.on);
        // A frame header that asks for a window of 2 GiB.
        assert_eq!(
            send(vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0, 0, 0]).await.status,
            400,
            "{} a window",
            t.on
        );
        for rubbish in [&b""[..], b"{", b"[1]", b"\xff\xfe"] {
            assert_eq!(send(packed(rubbish).await).await.status, 400, "{} {rubbish:?}", t.on);
        }
        assert_eq!(send(b"not zstd".to_vec()).await.status, 400);
        for proto in [0, 2, 65_535] {
            let answer =
                send(packed(json!({"proto": proto, "new": "form"}).to_string().as_bytes()).await).await;
            let refusal = json!({"error": "upgrade", "oldest": 1, "newest": 1});
            assert_eq!((answer.status.as_u16(), &answer.body["refusal"]), (426, &refusal), "{}", t.on);
        }
        let long = sender.batch_from(&t, sender.head, vec!["x".repeat(MAX_RECORD_BYTES + 1)]);
        assert_eq!(sender.send(&t, &long).await.status, 413);
        let two = sender.batch_from(&t, sender.head, vec!["{}".into(), "{}".into()]);
        assert_eq!(sender.post(&t, QUARANTINE, &two).await.status, 413, "only one goes there");
        assert_eq!(count(&t, "SELECT COUNT(*) FROM sync_records").await, 0);

        let long = sender.batch(&t, vec!["x\0".repeat(MAX_RECORD_BYTES)]);
        let answer = sender.post(&t, QUARANTINE, &long).await;
        let receipt = sender.receipt(&t, &long, answer);
        assert_eq!((receipt.durable_through, receipt.verdicts[0].verdict), (1, Verdict::Quarantined));
        let scan = HandBox::scan(&t, UserId(1), START);
        let alone = sender.batch(&t, vec![scan]);
        let answer = sender.post(&t, QUARANTINE, &alone).await;
        let receipt = sender.receipt(&t, &alone, answer);
        assert_eq!(receipt.verdicts[0].reason, "bad_schema", "it is not looked into");
        assert_eq!(log(&t, &sender).await, (2, 2, 2, 2), "{}", t.on);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_leaves_no_transaction_behind() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let students = students(&t, school, 40).await;
        let mut sender = HandBox::enrol(&t, school).await;
        for (n, user) in students.iter().enumerate() {
            let batch = sender.batch(&t, vec![HandBox::scan(&t, *user, START)]);
            let body = packed(&serde_json::to_vec(&batch).unwrap()).await;
            let request = t.router().oneshot(sender.signed(&t, "POST", BATCHES, body));
            let patience = Duration::from_micros(n as u64 * 150);
            let _ = tokio::time::timeout(patience, request).await;
            // The next one does not go on from it unless it arrived; the box would send it again.
            let again = sender.send(&t, &batch).await;
            assert_eq!(again.status, 200, "{} {}", t.on, again.body);
        }
        assert_eq!(log(&t, &sender).await, (40, 40, 40, 40), "{}", t.on);
        same_as_recomputed(&t, school).await;
        if t.on == "postgres" {
            let open = "SELECT COUNT(*) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'";
            let mut left = 1;
            for _ in 0..100 {
                left = count(&t, open).await;
                if left == 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(left, 0);
        }
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        tx.query("DELETE FROM sync_records").run().await.unwrap();
        drop(tx);
        assert_eq!(log(&t, &sender).await, (40, 40, 40, 40), "{} a dropped transaction did not happen", t.on);
    })
    .await;
}

#[tokio::test]
async fn who_sends_his_body_slowly_keeps_nobody_waiting() {
    TestApp::both(async |t| {
        let (school, other) = (t.institution("A").await, t.institution("B").await);
        let slow = HandBox::enrol(&t, other).await;
        let mut sender = HandBox::enrol(&t, school).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cloud = tokio::spawn(axum::serve(listener, t.router()).into_future());
        let mut half_sent = Vec::new();
        for n in 0..40 * std::thread::available_parallelism().unwrap().get() {
            let length = if n % 2 == 0 { 100 } else { 100_000 };
            let head = format!(
                "POST {BATCHES} HTTP/1.1\r\nhost: a\r\n{DEVICE_HEADER}: {}\r\n{NONCE_HEADER}: {}\r\n\
                 {SIGNATURE_HEADER}: {}\r\ncontent-length: {length}\r\n\r\n{{",
                slow.device,
                t.app.ids.random_uuid(),
                "0".repeat(128),
            );
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            half_sent.push(stream);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let user = students(&t, school, 1).await[0];
        let batch = sender.batch(&t, vec![HandBox::scan(&t, user, START)]);
        sender.deliver(&t, &batch).await;
        let heartbeat = sender.batch(&t, vec![]);
        sender.deliver(&t, &heartbeat).await;
        cloud.abort();
    })
    .await;
}

#[tokio::test]
async fn a_text_that_cannot_be_written_down_is_no_fault_of_ours_when_it_is_tried_again() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let (_, admin) = t.signed_in(school, "5001", seed::ADMIN).await;
        let user = students(&t, school, 1).await[0];
        let mut sender = HandBox::enrol(&t, school).await;
        let scan = HandBox::scan(&t, user, START).replace("Gerbang 1", "a\\u0000b");
        let batch = sender.batch(&t, vec![scan]);
        assert_eq!(sender.deliver(&t, &batch).await.verdicts[0].verdict, Verdict::Quarantined, "{}", t.on);
        let list = t.get("/api/offline-sync", Some(&admin)).await;
        let path = format!("/api/offline-sync/{}/retry", list.body["data"]["data"][0]["id"]);
        let again = t.post(&path, Some(&admin), json!({})).await;
        let said = "Sinkronisasi gagal saat diulang: Data tidak dapat dibaca";
        assert_eq!(again.parts(), (400, &json!({"success": false, "message": said})), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_worded_for_people_and_for_programs() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let sender = HandBox::enrol(&t, school).await;
        let ahead = sender.batch_from(&t, Head { seq: 4, hash: Hash::of(b"x") }, vec![]);
        let expected: Value = json!({
            "success": false,
            "message": "Data sebelum kiriman ini belum diterima server",
            "refusal": {"error": "gap", "expected": 1}
        });
        assert_eq!(sender.send(&t, &ahead).await.parts(), (409, &expected), "{}", t.on);
        assert_eq!(t.get(BATCHES, None).await.status, 405);
    })
    .await;
}

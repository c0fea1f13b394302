//! The way up, through the router, on both databases.

use hadir_shared::{
    chain::{Hash, Head},
    ids::{DeviceId, InstitutionId, UserId},
    sign::SecretKey,
    wire::{
        batch::{Batch, Receipt, Verdict},
        record::{Boot, KeyRotation, What},
    },
};
use serde_json::json;

use crate::{
    attendance::{
        books,
        fleet::hand::{BATCHES, HandBox, new_key},
    },
    db::Cloud,
    identity::seed,
    testing::{START, TestApp},
};

mod backups;
mod bodies;

const QUARANTINE: &str = "/api/offline-sync/quarantine";

async fn students(t: &TestApp, school: InstitutionId, count: usize) -> Vec<UserId> {
    let first = t.user(school, &format!("s{school}"), seed::STUDENT).await;
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let mut students = vec![first];
    for n in 1..count {
        let (id,): (i64,) = tx
            .query(
                "INSERT INTO users (uuid, institution_id, nisn_nip_nik, name, password_hash, is_active, created_at, updated_at)
                 SELECT $1, institution_id, $2, name, password_hash, TRUE, created_at, updated_at FROM users
                 WHERE id = $3 RETURNING id",
            )
            .bind(t.app.ids.random_uuid())
            .bind(format!("s{school}-{n}"))
            .bind(first.0)
            .one()
            .await
            .unwrap();
        tx.query("INSERT INTO user_roles SELECT $1, service_id, role_id FROM user_roles WHERE user_id = $2")
            .bind(id)
            .bind(first.0)
            .run()
            .await
            .unwrap();
        students.push(UserId(id));
    }
    tx.commit().await.unwrap();
    students
}

/// Rows, distinct numbers, the largest number, and the head, of one log.
async fn log(t: &TestApp, sender: &HandBox) -> (i64, i64, i64, i64) {
    let mut tx = t.app.db.read(Cloud).await.unwrap();
    tx.query(
        "SELECT COUNT(*), COUNT(DISTINCT seq), COALESCE(MAX(seq), 0),
            COALESCE((SELECT high_seq FROM device_logs WHERE device_id = $1 AND log_id = $2), 0)
         FROM sync_records WHERE device_id = $1 AND log_id = $2",
    )
    .bind(sender.device.0)
    .bind(sender.log.0)
    .one()
    .await
    .unwrap()
}

async fn count(t: &TestApp, sql: &'static str) -> i64 {
    let (count,) = t.app.db.read(Cloud).await.unwrap().query(sql).one().await.unwrap();
    count
}

async fn same_as_recomputed(t: &TestApp, school: InstitutionId) {
    let differences = books::recompute(&mut t.app.db.read(Cloud).await.unwrap(), school).await.unwrap();
    assert_eq!(differences, [], "{}", t.on);
}

#[tokio::test]
async fn of_five_hundred_with_poison_and_a_stranger_all_are_kept_and_498_count() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let students = students(&t, school, 499).await;
        let mut sender = HandBox::enrol(&t, school).await;
        let mut events: Vec<String> = students.iter().map(|user| HandBox::scan(&t, *user, START)).collect();
        events[100] = "{\"v\":1,\"what\":{\"teleport\":{}}}\0".into();
        events.insert(200, HandBox::scan(&t, UserId(i64::MAX), START));
        let batch = sender.batch(&t, events);
        let receipt = sender.deliver(&t, &batch).await;
        let told = |receipt: &Receipt| -> Vec<(u64, Verdict, String)> {
            receipt.verdicts.iter().map(|v| (v.seq, v.verdict, v.reason.clone())).collect()
        };
        let expected = [
            (101, Verdict::Quarantined, "bad_schema".to_owned()),
            (201, Verdict::Refused, "unknown_person".to_owned()),
        ];
        assert_eq!(told(&receipt), expected, "{}", t.on);
        assert_eq!((receipt.durable_through, receipt.head_hash), (500, batch.last_hash));
        assert_eq!((receipt.prunable_through, receipt.store), (0, t.app.sync.store()));
        assert!(receipt.down.latest > 0, "the school's keys are in the feed");
        assert_eq!(log(&t, &sender).await, (500, 500, 500, 500), "{}", t.on);
        assert_eq!(count(&t, "SELECT COUNT(*) FROM attendance").await, 498);
        let kept = "SELECT COUNT(*) FROM sync_records WHERE raw IS NOT NULL AND verdict = 'quarantined'
            AND error_message = 'Data tidak dapat dibaca'";
        assert_eq!(count(&t, kept).await, 1, "{}", t.on);

        let again = sender.deliver(&t, &batch).await;
        assert_eq!((again.durable_through, again.head_hash), (500, batch.last_hash));
        assert_eq!(told(&again), expected, "who lost the answer is told again");
        assert_eq!(log(&t, &sender).await, (500, 500, 500, 500), "{}", t.on);
        same_as_recomputed(&t, school).await;

        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let health: (i64, i64, i64, i64) = tx
            .query("SELECT last_seen_at, clock_offset_ms, pending, roster_cursor FROM edge_devices")
            .one()
            .await
            .unwrap();
        assert_eq!(health, (START.0, 1_500, 3, 1), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn what_was_changed_in_the_books_is_found_by_recomputing_them() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let students = students(&t, school, 3).await;
        let mut sender = HandBox::enrol(&t, school).await;
        let events = students.iter().map(|user| HandBox::scan(&t, *user, START)).collect();
        let batch = sender.batch(&t, events);
        sender.deliver(&t, &batch).await;
        same_as_recomputed(&t, school).await;
        for (sql, found) in [
            ("UPDATE attendance SET status = 'terlambat' WHERE user_id = (SELECT MIN(user_id) FROM attendance)", 1),
            ("UPDATE attendance SET user_id = -1 WHERE user_id = (SELECT MAX(user_id) FROM attendance)", 2),
            ("DELETE FROM attendance WHERE user_id = -1", 2),
            ("DELETE FROM sync_records", 2),
        ] {
            let mut tx = t.app.db.write(Cloud).await.unwrap();
            tx.query(sql).run().await.unwrap();
            tx.commit().await.unwrap();
            let differences = books::recompute(&mut t.app.db.read(Cloud).await.unwrap(), school).await.unwrap();
            assert_eq!(differences.len(), found, "{} after {sql}: {differences:?}", t.on);
        }
    })
    .await;
}

#[tokio::test]
async fn twelve_who_send_the_same_log_at_once_store_it_once() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let students = students(&t, school, 60).await;
        let mut sender = HandBox::enrol(&t, school).await;
        let events: Vec<String> = students.iter().map(|user| HandBox::scan(&t, *user, START)).collect();
        let start = sender.head;
        sender.batch(&t, events.clone());
        let heads: Vec<Head> = events
            .iter()
            .scan(start, |head, event| {
                *head = head.append(sender.log, event.as_bytes());
                Some(*head)
            })
            .collect();
        let senders: Vec<_> = (1..=12)
            .map(|step| {
                // Each cuts the same log into batches of its own, goes back where it is told to, and never gives up.
                let (t, sender, events, heads) = (t.clone(), sender.clone(), events.clone(), heads.clone());
                tokio::spawn(async move {
                    let mut at = 0;
                    while at < events.len() {
                        let before = if at == 0 { start } else { heads[at - 1] };
                        let part = events[at..events.len().min(at + step)].to_vec();
                        let answer = sender.send(&t, &sender.batch_from(&t, before, part)).await;
                        at = match answer.status.as_u16() {
                            200 => usize::try_from(answer.body["durable_through"].as_u64().unwrap()).unwrap(),
                            409 => usize::try_from(answer.body["refusal"]["expected"].as_u64().unwrap() - 1)
                                .unwrap(),
                            503 => at,
                            _ => panic!("{} {}", t.on, answer.body),
                        };
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.await.unwrap();
        }
        assert_eq!(log(&t, &sender).await, (60, 60, 60, 60), "{}", t.on);
        assert_eq!(count(&t, "SELECT COUNT(*) FROM attendance").await, 60);
        same_as_recomputed(&t, school).await;
    })
    .await;
}

#[tokio::test]
async fn gaps_forks_overlaps_and_heartbeats() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let mut sender = HandBox::enrol(&t, school).await;
        let boot =
            || HandBox::record(&t, START, What::Boot(Boot { version: "1".into(), previous_clean: true }));
        let genesis = sender.head;
        let beat = sender.batch_from(&t, genesis, vec![]);
        assert_eq!(sender.deliver(&t, &beat).await.durable_through, 0, "a first contact with nothing to say");
        let events: Vec<String> = (0..6).map(|_| boot()).collect();
        let first = sender.batch(&t, events[..3].to_vec());
        let after_three = sender.head;
        let second = sender.batch(&t, events[3..].to_vec());

        let gap = sender.send(&t, &second).await;
        let refusal = json!({"error": "gap", "expected": 1});
        assert_eq!((gap.status.as_u16(), &gap.body["refusal"]), (409, &refusal), "{}", gap.body);
        assert_eq!((&gap.body["success"], gap.body["message"].is_string()), (&json!(false), true));

        assert_eq!(sender.deliver(&t, &first).await.durable_through, 3);
        let overlapping = sender.batch_from(&t, genesis, events[..5].to_vec());
        assert_eq!(sender.deliver(&t, &overlapping).await.durable_through, 5);
        assert_eq!(sender.deliver(&t, &second).await.durable_through, 6);
        assert_eq!(sender.deliver(&t, &first).await.durable_through, 6, "an old one again");
        assert_eq!(log(&t, &sender).await, (6, 6, 6, 6), "{}", t.on);

        let lost_end = sender.batch_from(&t, after_three, vec![]);
        let receipt = sender.deliver(&t, &lost_end).await;
        assert_eq!(
            (receipt.durable_through, receipt.head_hash),
            (6, sender.head.hash),
            "it is told what it lost"
        );

        let fork = json!({"error": "fork", "high": 6, "hash": sender.head.hash});
        let other = Hash::of(b"another history");
        let ahead = Head { seq: 9, hash: other };
        for (batch, expected, why) in [
            (sender.batch_from(&t, Head { seq: 6, hash: other }, vec![boot()]), &fork, "at the head"),
            (sender.batch_from(&t, after_three, vec![boot(), boot()]), &fork, "before the head"),
            (sender.batch_from(&t, after_three, (0..5).map(|_| boot()).collect()), &fork, "across the head"),
            (sender.batch_from(&t, Head { seq: 0, hash: other }, vec![]), &fork, "another genesis"),
            (
                sender.batch_from(&t, Head { seq: 6, hash: other }, vec![]),
                &fork,
                "a heartbeat of another history",
            ),
            (
                sender.batch_from(&t, ahead, vec![]),
                &json!({"error": "gap", "expected": 7}),
                "a heartbeat from ahead",
            ),
        ] {
            let answer = sender.send(&t, &batch).await;
            assert_eq!((answer.status.as_u16(), &answer.body["refusal"]), (409, expected), "{} {why}", t.on);
        }
        assert_eq!(log(&t, &sender).await, (6, 6, 6, 6), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_revoked_box_is_kept_and_counts_for_nothing() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let (_, admin) = t.signed_in(school, "5001", seed::ADMIN).await;
        let students = students(&t, school, 2).await;
        let mut sender = HandBox::enrol(&t, school).await;
        let batch = sender.batch(&t, vec![HandBox::scan(&t, students[0], START)]);
        sender.deliver(&t, &batch).await;
        let path = format!("/api/edge-devices/{}/revoke", sender.device);
        assert_eq!(t.post(&path, Some(&admin), json!({})).await.status, 200);
        let rotation = KeyRotation::new(sender.device, &new_key(&t));
        let events = vec![
            HandBox::scan(&t, students[1], START),
            HandBox::record(&t, START, What::KeyRotation(rotation)),
        ];
        let batch = sender.batch(&t, events);
        let receipt = sender.deliver(&t, &batch).await;
        assert_eq!(receipt.durable_through, 3, "it is acknowledged all the same");
        let told: Vec<_> = receipt.verdicts.iter().map(|v| (v.seq, v.verdict, &*v.reason)).collect();
        let (quarantined, why) = (Verdict::Quarantined, "revoked_device");
        assert_eq!(told, [(2, quarantined, why), (3, quarantined, why)], "{}", t.on);
        assert_eq!(count(&t, "SELECT COUNT(*) FROM attendance").await, 1);
        assert_eq!(count(&t, "SELECT COUNT(*) FROM edge_devices WHERE previous_key IS NOT NULL").await, 0);
        assert_eq!(sender.get(&t, "/api/offline-sync/roster/snapshot").await.status, 403);
        same_as_recomputed(&t, school).await;
    })
    .await;
}

#[tokio::test]
async fn nobody_speaks_for_another_box_or_school() {
    TestApp::both(async |t| {
        let (school, other) = (t.institution("A").await, t.institution("B").await);
        let student = students(&t, school, 1).await[0];
        let mut own = HandBox::enrol(&t, school).await;
        let mut theirs = HandBox::enrol(&t, other).await;
        let nobody = DeviceId(t.app.ids.random_uuid());
        let batch = own.batch(&t, vec![HandBox::scan(&t, student, START)]);
        let changed = |change: &dyn Fn(&mut HandBox)| {
            let mut sender = own.clone();
            change(&mut sender);
            sender
        };
        let stranger = new_key(&t);
        let as_other = |sender: &HandBox, of: &HandBox| {
            let mut batch = of.batch_from(&t, Head::genesis(of.log), batch.events.clone());
            batch.sign(&sender.key);
            batch
        };
        let of_other_school = changed(&|sender| sender.institution = other);
        let cases: [(&HandBox, Batch, u16, &str); 6] = [
            (&changed(&|sender| sender.key = stranger.clone()), batch.clone(), 401, "another key"),
            (&changed(&|sender| sender.device = nobody), batch.clone(), 401, "no such box"),
            (&own, as_other(&own, &theirs), 403, "another box in the body"),
            (&own, as_other(&own, &of_other_school), 403, "another school in the body"),
            (&own, as_other(&theirs, &own), 401, "a batch another box signed"),
            (&changed(&|sender| sender.key = theirs.key.clone()), batch.clone(), 401, "another box's key"),
        ];
        for (sender, batch, status, why) in cases {
            assert_eq!(sender.send(&t, &batch).await.status, status, "{} {why}", t.on);
        }
        let unsigned = t.post(BATCHES, None, serde_json::to_value(&batch).unwrap()).await;
        assert_eq!(unsigned.parts(), (401, &json!({"success": false, "message": "Token tidak valid"})));
        assert_eq!(count(&t, "SELECT COUNT(*) FROM sync_records").await, 0, "{}", t.on);
        assert_eq!(count(&t, "SELECT COUNT(*) FROM attendance").await, 0, "{}", t.on);

        let batch = theirs.batch(&t, vec![HandBox::scan(&t, student, START)]);
        let receipt = theirs.deliver(&t, &batch).await;
        assert_eq!(receipt.verdicts[0].reason, "unknown_person", "another school's student is nobody");
    })
    .await;
}

#[tokio::test]
async fn the_same_card_at_two_gates_at_once_is_one_attendance() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let students = students(&t, school, 200).await;
        let mut boxes = [HandBox::enrol(&t, school).await, HandBox::enrol(&t, school).await];
        for user in students {
            let sent = boxes.each_mut().map(|sender| {
                let batch = sender.batch(&t, vec![HandBox::scan(&t, user, START)]);
                let (t, sender) = (t.clone(), sender.clone());
                tokio::spawn(async move { sender.deliver(&t, &batch).await.verdicts })
            });
            let mut verdicts = Vec::new();
            for sent in sent {
                verdicts.extend(sent.await.unwrap());
            }
            let told: Vec<_> = verdicts.iter().map(|v| (v.verdict, &*v.reason)).collect();
            assert_eq!(told, [(Verdict::Duplicate, "already_recorded")], "{} {user}", t.on);
        }
        assert_eq!(count(&t, "SELECT COUNT(*) FROM attendance").await, 200, "{}", t.on);
        same_as_recomputed(&t, school).await;
    })
    .await;
}

#[tokio::test]
async fn a_box_changes_its_key_and_the_old_one_is_believed_until_the_new_one_was_used() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let mut sender = HandBox::enrol(&t, school).await;
        let (old, new) = (sender.key.clone(), new_key(&t));
        let rotate = |sender: &HandBox, key: &SecretKey| {
            HandBox::record(&t, START, What::KeyRotation(KeyRotation::new(sender.device, key)))
        };
        let other = HandBox::enrol(&t, school).await;
        let stolen = HandBox::record(&t, START, What::KeyRotation(KeyRotation::new(other.device, &new)));
        let batch = sender.batch(&t, vec![stolen, rotate(&sender, &other.key)]);
        let refused: Vec<_> =
            sender.deliver(&t, &batch).await.verdicts.into_iter().map(|v| v.reason).collect();
        assert_eq!(refused, ["not_allowed", "not_allowed"], "not announced by it; another box's");

        let announcing = sender.batch(&t, vec![rotate(&sender, &new)]);
        assert_eq!(sender.deliver(&t, &announcing).await.verdicts, []);
        assert_eq!(
            sender.deliver(&t, &announcing).await.durable_through,
            3,
            "its answer was lost: the same bytes again"
        );
        sender.key = new.clone();
        assert_eq!(
            sender.deliver(&t, &announcing).await.durable_through,
            3,
            "the same bytes, asked with the new key"
        );
        sender.key = new;
        let beat = sender.batch(&t, vec![]);
        sender.deliver(&t, &beat).await;
        sender.key = old;
        let beat = sender.batch(&t, vec![]);
        let second_node = t.another_node().await;
        assert_eq!(sender.send(&second_node, &beat).await.status, 401, "{} the old key is over", t.on);
    })
    .await;
}

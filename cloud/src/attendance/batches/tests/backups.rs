//! When a box may prune: a backup that was looked into.

use hadir_shared::{
    chain::Hash,
    wire::record::{Boot, What},
};
use serde_json::json;

use super::students;
use crate::{
    attendance::{
        batches::{backed_up, held, prove_copy},
        fleet::hand::HandBox,
    },
    db::Cloud,
    identity::seed,
    testing::{START, TestApp},
};

#[tokio::test]
async fn only_a_verified_backup_lets_a_box_prune() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let mut sender = HandBox::enrol(&t, school).await;
        let boot =
            || HandBox::record(&t, START, What::Boot(Boot { version: "1".into(), previous_clean: true }));
        let first = sender.batch(&t, vec![boot(), boot()]);
        sender.deliver(&t, &first).await;
        let backup = held(&mut t.app.db.read(Cloud).await.unwrap()).await.unwrap();
        let second = sender.batch(&t, vec![boot()]);
        assert_eq!(sender.deliver(&t, &second).await.prunable_through, 0);
        let mut wrong = backup.clone();
        wrong[0].high_hash = Hash::of(b"another").to_string();
        for (backup, moved, prunable, why) in [
            (&wrong, 0, 0, "another history"),
            (&backup, 1, 2, "the backup"),
            (&backup, 0, 2, "the same again"),
        ] {
            let mut tx = t.app.db.write(Cloud).await.unwrap();
            assert_eq!(backed_up(&mut tx, backup).await.unwrap(), moved, "{} {why}", t.on);
            tx.commit().await.unwrap();
            let beat = sender.batch(&t, vec![]);
            assert_eq!(sender.deliver(&t, &beat).await.prunable_through, prunable, "{} {why}", t.on);
        }
    })
    .await;
}

#[tokio::test]
async fn a_copy_that_lacks_a_record_or_has_another_one_is_no_backup() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let students = students(&t, school, 2).await;
        let mut sender = HandBox::enrol(&t, school).await;
        let mut events: Vec<_> = students.iter().map(|user| HandBox::scan(&t, *user, START)).collect();
        events.push(format!("\u{0}{}", events[0]));
        let batch = sender.batch(&t, events);
        sender.deliver(&t, &batch).await;
        // What somebody sent by himself is a log as well.
        let (_, teacher) = t.signed_in(school, "2001", seed::TEACHER).await;
        let sent = json!({"attendances": [
            {"user_id": students[0], "type": "checkin", "timestamp": "2025-11-18 06:40:00"},
        ]});
        let taken = t.post("/api/offline-sync/process-attendance", Some(&teacher), sent).await;
        assert_eq!(taken.status, 200, "{} {}", t.on, taken.body);
        let proven = prove_copy(&t.app.db).await.unwrap();
        assert_eq!(proven, held(&mut t.app.db.read(Cloud).await.unwrap()).await.unwrap(), "{}", t.on);
        assert!(proven.iter().any(|held| held.high_seq == 3) && proven.len() >= 2, "{} {proven:?}", t.on);

        for (damage, repair, why) in [
            (
                "UPDATE sync_records SET body = body || ' ' WHERE seq = 2",
                "UPDATE sync_records SET body = substr(body, 1, length(body) - 1) WHERE seq = 2",
                "record 2 is not what was written",
            ),
            (
                "UPDATE sync_records SET seq = 9 WHERE seq = 2",
                "UPDATE sync_records SET seq = 2 WHERE seq = 9",
                "record 2 is missing",
            ),
            (
                "UPDATE device_logs SET high_seq = 4 WHERE high_seq = 3",
                "UPDATE device_logs SET high_seq = 3 WHERE high_seq = 4",
                "ends at record 3, not at 4",
            ),
        ] {
            for (statement, fails) in [(damage, true), (repair, false)] {
                let mut tx = t.app.db.write(Cloud).await.unwrap();
                tx.query(statement).run().await.unwrap();
                tx.commit().await.unwrap();
                let said = prove_copy(&t.app.db).await.map_err(|why| format!("{why:#}"));
                assert_eq!(said.is_err(), fails, "{} {statement} {said:?}", t.on);
                assert!(!fails || said.unwrap_err().contains(why), "{} {why}", t.on);
            }
        }
    })
    .await;
}

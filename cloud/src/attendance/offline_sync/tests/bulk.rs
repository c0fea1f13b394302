//! Many records at once, on both databases.

use hadir_shared::wire::record::{Boot, What};

use super::*;
use crate::{
    attendance::fleet::hand::HandBox,
    jobs::{Kinds, Worker},
    kinds,
};

const RETRIES: &str = "SELECT COUNT(*) FROM sync_retries WHERE institution_id = $1";
const ITEMS: &str = "SELECT COUNT(*) FROM sync_retry_items WHERE institution_id = $1";
const JOBS: &str = "SELECT COUNT(*) FROM jobs WHERE institution_id = $1";

async fn press(t: &TestApp, school: &School, body: Value) -> (u16, Value) {
    let answer = t.post("/api/offline-sync/retry", Some(&school.admin), body).await;
    (answer.status.as_u16(), answer.body)
}

async fn seen(t: &TestApp, school: &School, id: &Value) -> Value {
    let answer = t.get(&format!("/api/offline-sync/retries/{id}"), Some(&school.admin)).await;
    assert_eq!(answer.status, 200, "{} {}", t.on, answer.body);
    answer.body["data"].clone()
}

fn numbers(bulk: &Value) -> [Value; 6] {
    ["state", "total", "done", "succeeded", "failed", "skipped"].map(|name| bulk[name].clone())
}

async fn activate(t: &TestApp, school: &School, active: bool) {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    tx.query("UPDATE users SET is_active = $2 WHERE institution_id = $1 AND nisn_nip_nik LIKE '1%'")
        .bind(school.id.0)
        .bind(active)
        .run()
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// A school with so many failed records of one student, each of a day of its own, and one that cannot be read.
async fn with_failures(t: &TestApp, failures: i64) -> School {
    let school = school(t, "A", "5001").await;
    let pupil = t.user(school.id, "1001", seed::STUDENT).await;
    activate(t, &school, false).await;
    let day = |n| (chrono::NaiveDate::from_ymd_opt(2025, 11, 20).unwrap() - chrono::Days::new(n)).to_string();
    let mut items: Vec<Value> = (0..failures.unsigned_abs())
        .map(|n| item(pupil, "checkin", &format!("{} 07:00:00", day(n))))
        .collect();
    items.push("rubbish".into());
    send(t, &school.admin, json!(items)).await;
    assert_eq!(log(t, &school, "status=failed").await["total"], failures + 1);
    activate(t, &school, true).await;
    school
}

#[tokio::test]
async fn all_that_failed_are_tried_again_by_jobs_and_who_presses_twice_gets_the_same() {
    both(async |t| {
        // More than one job's share.
        let school = with_failures(&t, 450).await;
        let (status, body) = press(&t, &school, json!({"filter": {"status": "failed"}})).await;
        assert_eq!((status, &body["message"]), (202, &json!("Sinkronisasi ulang sedang berjalan")), "{body}");
        let id = body["data"]["id"].clone();
        assert_eq!(
            numbers(&body["data"]),
            [json!("running"), 451.into(), 0.into(), 0.into(), 0.into(), 0.into()]
        );
        let (status, second) = press(&t, &school, json!({"filter": {}})).await;
        assert_eq!((status, &second["data"]["id"]), (202, &id), "{}", t.on);
        assert_eq!((count(&t, RETRIES, &school).await, count(&t, JOBS, &school).await), (1, 1));

        assert_eq!(Worker::new(t.app.clone(), kinds()).drain().await.unwrap(), 3, "{}", t.on);
        let done = seen(&t, &school, &id).await;
        assert_eq!(numbers(&done), [json!("done"), 451.into(), 451.into(), 450.into(), 1.into(), 0.into()]);
        assert_eq!(done["finished_at"], START.to_rfc3339_micros());
        assert_eq!((count(&t, ROWS, &school).await, count(&t, ITEMS, &school).await), (450, 0), "{}", t.on);
        let failed = log(&t, &school, "status=failed").await["data"].clone();
        let path = format!("/api/offline-sync/{}", failed[0]["id"]);
        let line = t.get(&path, Some(&school.admin)).await.body["data"].clone();
        assert_eq!((&line["tries"], &line["decisions"][0]["action"]), (&json!(2), &json!("retry")));
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        assert_eq!(recompute(&mut tx, school.id).await.unwrap(), []);
        drop(tx);

        let (_, third) = press(&t, &school, json!({"filter": {}})).await;
        assert_ne!(third["data"]["id"], id, "a new one, now that the first is done");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_that_come_twice_and_admins_who_press_at_once_do_each_record_once() {
    both(async |t| {
        let school = with_failures(&t, 60).await;
        let presses: Vec<_> = (0..6)
            .map(|_| {
                let (t, admin) = (t.clone(), school.admin.clone());
                tokio::spawn(async move {
                    let answer = t.post("/api/offline-sync/retry", Some(&admin), json!({"filter": {}})).await;
                    assert_eq!(answer.status, 202, "{} {}", t.on, answer.body);
                    answer.body["data"]["id"].clone()
                })
            })
            .collect();
        let mut ids = Vec::new();
        for press in presses {
            ids.push(press.await.unwrap());
        }
        assert!(ids.iter().all(|id| *id == ids[0]), "{} {ids:?}", t.on);
        assert_eq!((count(&t, RETRIES, &school).await, count(&t, JOBS, &school).await), (1, 1), "{}", t.on);

        // One job in the hands of four workers, as after claims that ran out.
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let job: jobs_row::Row = jobs_row::one(&mut tx, school.id).await;
        drop(tx);
        let job = std::sync::Arc::new(job);
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let (t, job) = (t.clone(), job.clone());
                tokio::spawn(
                    async move { crate::attendance::offline_sync::work(&t.app, &job).await.unwrap() },
                )
            })
            .collect();
        for worker in workers {
            worker.await.unwrap();
        }
        Worker::new(t.app.clone(), kinds()).drain().await.unwrap();
        let done = seen(&t, &school, &ids[0]).await;
        assert_eq!(
            numbers(&done),
            [json!("done"), 61.into(), 61.into(), 60.into(), 1.into(), 0.into()],
            "{}",
            t.on
        );
        let decided = "SELECT COUNT(*) FROM sync_decisions WHERE institution_id = $1";
        assert_eq!((count(&t, decided, &school).await, count(&t, ROWS, &school).await), (61, 60), "{}", t.on);
    })
    .await;
}

/// The one job there is, as a worker gets it.
mod jobs_row {
    use hadir_shared::ids::InstitutionId;

    use crate::db::Tx;
    pub use crate::jobs::Row;

    pub async fn one(tx: &mut Tx, school: InstitutionId) -> Row {
        tx.query("SELECT id, institution_id, kind, payload, tries FROM jobs WHERE institution_id = $1")
            .bind(school.0)
            .one()
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn one_whose_worker_died_goes_on_and_one_whose_job_failed_for_good_is_revived() {
    both(async |t| {
        let school = with_failures(&t, 5).await;
        let (_, body) = press(&t, &school, json!({"filter": {}})).await;
        let id = body["data"]["id"].clone();
        // A program that does not know the kind tries it until it gives up.
        for _ in 0..20 {
            t.clock.advance_ms(3_600_000);
            Worker::new(t.app.clone(), Kinds::default()).drain().await.unwrap();
        }
        assert_eq!(numbers(&seen(&t, &school, &id).await)[0], "running");
        let admin = t.login("5001").await;
        let again = t.post("/api/offline-sync/retry", Some(&admin), json!({"filter": {}})).await;
        assert_eq!(again.body["data"]["id"], id, "{} {}", t.on, again.body);
        let once_more = t.post("/api/offline-sync/retry", Some(&admin), json!({"filter": {}})).await;
        assert_eq!(once_more.status, 202);
        assert_eq!(count(&t, JOBS, &school).await, 2, "{} revived once", t.on);
        Worker::new(t.app.clone(), kinds()).drain().await.unwrap();
        let done = t.get(&format!("/api/offline-sync/retries/{id}"), Some(&admin)).await.body["data"].clone();
        assert_eq!(
            numbers(&done),
            [json!("done"), 6.into(), 6.into(), 5.into(), 1.into(), 0.into()],
            "{}",
            t.on
        );
    })
    .await;
}

#[tokio::test]
async fn ids_are_all_of_this_school_or_nothing_happens() {
    both(async |t| {
        let school = with_failures(&t, 3).await;
        let other = crate::attendance::tests::school(&t, "B", "5101").await;
        send(&t, &other.admin, json!([1])).await;
        let theirs = log(&t, &other, "").await["data"][0]["id"].clone();
        let lines = log(&t, &school, "status=failed&verdict=refused").await["data"].clone();
        let ids: Vec<Value> = lines.as_array().unwrap().iter().map(|line| line["id"].clone()).collect();
        let unknown = refusal("Log sinkronisasi dengan ID tersebut tidak ditemukan");
        for foreign in [theirs, json!(999_999)] {
            let refused = press(&t, &school, json!({"ids": [ids[0], foreign]})).await;
            assert_eq!(refused, (404, unknown.clone()), "{}", t.on);
        }
        for wrong in [
            json!({}),
            json!({"ids": []}),
            json!({"ids": vec![1; 1], "filter": {}}),
            json!({"ids": (0..501).collect::<Vec<i64>>()}),
            json!({"ids": ["x"]}),
            json!({"filter": {"userid": 7}}),
            json!({"filter": {"status": "lost"}}),
            json!({"filter": []}),
        ] {
            assert_eq!(press(&t, &school, wrong.clone()).await.0, 422, "{} {wrong}", t.on);
        }
        assert_eq!((count(&t, RETRIES, &school).await, count(&t, JOBS, &school).await), (0, 0));

        let (status, body) = press(&t, &school, json!({"ids": [ids[0], ids[1], ids[1]]})).await;
        assert_eq!((status, &body["data"]["total"]), (202, &json!(2)), "{body}");
        let discard = format!("/api/offline-sync/{}/discard", ids[0]);
        t.post(&discard, Some(&school.admin), json!({"reason": "sudah diurus"})).await;
        Worker::new(t.app.clone(), kinds()).drain().await.unwrap();
        let done = seen(&t, &school, &body["data"]["id"]).await;
        assert_eq!(
            numbers(&done),
            [json!("done"), 2.into(), 2.into(), 1.into(), 0.into(), 1.into()],
            "{}",
            t.on
        );

        let path = format!("/api/offline-sync/retries/{}", body["data"]["id"]);
        let absent = t.get(&path, Some(&other.admin)).await;
        assert_eq!(absent.parts(), (404, &refusal("Sinkronisasi ulang tidak ditemukan")), "{}", t.on);
        let (_, principal) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        assert_eq!(t.get(&path, Some(&principal)).await.status, 200, "who reads the log sees it");
        let may_not = refusal("Hanya admin yang dapat mencoba ulang sinkronisasi");
        for path in ["/api/offline-sync/retry".to_owned(), quarantine(Uuid::nil(), Uuid::nil())] {
            let refused = t.post(&path, Some(&principal), json!({"filter": {}})).await;
            assert_eq!(refused.parts(), (403, &may_not), "{path}");
        }
    })
    .await;
}

fn quarantine(device: Uuid, log: Uuid) -> String {
    format!("/api/offline-sync/quarantine/{device}/{log}/process")
}

#[tokio::test]
async fn what_a_log_has_in_quarantine_is_read_again_when_somebody_says_so() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = crate::attendance::tests::school(&t, "B", "5101").await;
        let pupil = t.user(school.id, "1001", seed::STUDENT).await;
        let mut sender = HandBox::enrol(&t, school.id).await;
        let alone = sender.batch(&t, vec![HandBox::scan(&t, pupil, START)]);
        assert_eq!(sender.post(&t, "/api/offline-sync/quarantine", &alone).await.status, 200);
        let revoke = format!("/api/edge-devices/{}/revoke", sender.device);
        assert_eq!(t.post(&revoke, Some(&school.admin), json!({})).await.status, 200);
        let boot = Boot { version: "1".into(), previous_clean: true };
        let events = vec![
            HandBox::record(&t, START, What::Boot(boot)),
            HandBox::scan(&t, pupil, START.plus_seconds(-24 * 3600)),
            "{\"v\":9}".into(),
        ];
        let batch = sender.batch(&t, events);
        sender.deliver(&t, &batch).await;
        assert_eq!(log(&t, &school, "verdict=quarantined").await["total"], 4);

        let path = quarantine(sender.device.0, sender.log.0);
        let because = json!({"reason": "Kotak ditemukan kembali"});
        assert_eq!(t.post(&path, Some(&school.admin), json!({})).await.status, 422);
        assert_eq!(t.post(&path, Some(&other.admin), because.clone()).await.status, 404);
        let nobody = quarantine(sender.device.0, Uuid::nil());
        assert_eq!(t.post(&nobody, Some(&school.admin), because.clone()).await.status, 404);
        let answer = t.post(&path, Some(&school.admin), because.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["message"]),
            (202, &json!("Karantina sedang diproses"))
        );
        assert_eq!(answer.body["data"]["total"], 4);
        let twice = t.post(&path, Some(&school.admin), because.clone()).await;
        assert_eq!(twice.body["data"]["id"], answer.body["data"]["id"], "{}", t.on);
        Worker::new(t.app.clone(), kinds()).drain().await.unwrap();
        let done = seen(&t, &school, &answer.body["data"]["id"]).await;
        assert_eq!(
            numbers(&done),
            [json!("done"), 4.into(), 4.into(), 3.into(), 1.into(), 0.into()],
            "{}",
            t.on
        );
        let lines = log(&t, &school, "").await["data"].clone();
        let read: Vec<_> = lines
            .as_array()
            .unwrap()
            .iter()
            .rev()
            .map(|line| (line["action_type"].as_str().unwrap(), line["verdict"].as_str().unwrap()))
            .collect();
        let expected = [
            ("attendance", "stored"),
            ("boot", "stored"),
            ("attendance", "stored"),
            ("unknown", "quarantined"),
        ];
        assert_eq!(read, expected, "{}", t.on);
        assert_eq!(count(&t, ROWS, &school).await, 2);
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        assert_eq!(recompute(&mut tx, school.id).await.unwrap(), []);
    })
    .await;
}

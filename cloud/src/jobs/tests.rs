use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::anyhow;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::{
    db::Cloud,
    testing::{START, TestApp},
};

const HOUR_MS: i64 = 3_600_000;

/// Leaves a row that can be counted.
fn effect<'a>(app: &'a App, job: &'a Row) -> Work<'a> {
    Box::pin(async move {
        let mut tx = app.db.write(Cloud).await?;
        let subject = job.payload["subject"].as_str().unwrap_or("?").to_owned();
        tx.query(
            "INSERT INTO login_throttles AS t VALUES ($1, 1, 0, 0)
             ON CONFLICT (subject) DO UPDATE SET failures = t.failures + 1",
        )
        .bind(subject)
        .run()
        .await?;
        tx.commit().await?;
        Ok(())
    })
}

fn broken<'a>(_: &'a App, _: &'a Row) -> Work<'a> {
    Box::pin(async { Err(anyhow!("the mail server is away").into()) })
}

fn worker(t: &TestApp) -> Worker {
    Worker::new(t.app.clone(), Kinds::default().on("effect", effect).on("broken", broken))
}

async fn put(t: &TestApp, kind: &'static str, subject: &str, run_at: Millis) -> i64 {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let job = NewJob { kind, institution: None, payload: json!({"subject": subject}), run_at };
    let id = enqueue(&mut tx, &job, t.app.now()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn state(t: &TestApp, id: i64) -> (String, i64, i64, Option<String>) {
    let mut tx = t.app.db.read(Cloud).await.unwrap();
    tx.query("SELECT state, tries, run_at, last_error FROM jobs WHERE id = $1").bind(id).one().await.unwrap()
}

async fn effects(t: &TestApp) -> Vec<(String, i64)> {
    let mut tx = t.app.db.read(Cloud).await.unwrap();
    tx.query("SELECT subject, failures FROM login_throttles ORDER BY subject").all().await.unwrap()
}

#[tokio::test]
async fn a_job_stands_or_falls_with_its_transaction_and_waits_for_its_time() {
    TestApp::both(async |t| {
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        let job =
            NewJob { kind: "effect", institution: None, payload: json!({"subject": "never"}), run_at: START };
        enqueue(&mut tx, &job, START).await.unwrap();
        drop(tx);
        let later = put(&t, "effect", "later", START.plus_millis(HOUR_MS)).await;
        let now = put(&t, "effect", "now", START).await;
        assert_eq!(worker(&t).drain().await.unwrap(), 1, "{}", t.on);
        assert_eq!(effects(&t).await, [("now".into(), 1)], "{}", t.on);
        assert_eq!((state(&t, now).await.0.as_str(), state(&t, later).await.0.as_str()), ("done", "waiting"));
        t.clock.advance_ms(HOUR_MS);
        assert_eq!(worker(&t).drain().await.unwrap(), 1, "{}", t.on);
        assert_eq!(state(&t, later).await.0, "done");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_workers_do_each_job_once() {
    TestApp::both(async |t| {
        for i in 0..40 {
            put(&t, "effect", &format!("{i:02}"), START).await;
        }
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let worker = worker(&t);
            workers.spawn(async move { worker.drain().await.unwrap() });
        }
        assert_eq!(workers.join_all().await.into_iter().sum::<usize>(), 40, "{}", t.on);
        let effects = effects(&t).await;
        assert!(effects.len() == 40 && effects.iter().all(|(_, times)| *times == 1), "{} {effects:?}", t.on);
    })
    .await;
}

#[tokio::test]
async fn what_fails_comes_back_later_and_in_the_end_stays_visible() {
    TestApp::both(async |t| {
        let id = put(&t, "broken", "x", START).await;
        let unknown = put(&t, "nobody.does.this", "x", START).await;
        assert_eq!(worker(&t).drain().await.unwrap(), 2);
        let (now, tries, run_at, error) = state(&t, id).await;
        assert_eq!(
            (now.as_str(), tries, error.as_deref()),
            ("waiting", 1, Some("the mail server is away")),
            "{}",
            t.on
        );
        assert!((START.0 + 5_000..=START.0 + 10_000).contains(&run_at), "{} {run_at}", t.on);
        assert!(state(&t, unknown).await.3.unwrap().contains("nobody here"), "{}", t.on);
        for _ in 0..20 {
            t.clock.advance_ms(HOUR_MS);
            worker(&t).drain().await.unwrap();
        }
        let (last, tries, _, _) = state(&t, id).await;
        assert_eq!((last.as_str(), tries), ("failed", 12), "{}", t.on);
        let counts = counts(&mut t.app.db.read(Cloud).await.unwrap()).await.unwrap();
        assert_eq!(counts, [("failed".into(), 2)], "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_claim_ends_by_itself_and_its_old_holder_cannot_finish() {
    TestApp::both(async |t| {
        let id = put(&t, "effect", "x", START).await;
        let gone = Uuid::from_u128(1);
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        let claimed = store::claim(&mut tx, gone, START, START.plus_millis(1000)).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        assert_eq!(worker(&t).drain().await.unwrap(), 0, "{}: it is claimed", t.on);
        t.clock.advance_ms(1000);
        assert_eq!(worker(&t).drain().await.unwrap(), 1, "{}: its worker went away", t.on);
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        assert_eq!(store::give_up(&mut tx, gone, &claimed, "late", START).await.unwrap(), 0, "{}", t.on);
        tx.commit().await.unwrap();
        assert_eq!(state(&t, id).await.0, "done", "{}", t.on);
    })
    .await;
}

static STRUCK: AtomicI64 = AtomicI64::new(0);

fn strike<'a>(tx: &'a mut Tx, _: &'a App) -> Work<'a> {
    Box::pin(async move {
        STRUCK.fetch_add(1, Ordering::SeqCst);
        tx.query(
            "INSERT INTO login_throttles AS t VALUES ('struck', 1, 0, 0)
             ON CONFLICT (subject) DO UPDATE SET failures = t.failures + 1",
        )
        .run()
        .await?;
        Ok(())
    })
}

fn fails<'a>(tx: &'a mut Tx, _: &'a App) -> Work<'a> {
    Box::pin(async move {
        tx.query("INSERT INTO login_throttles VALUES ('half', 1, 0, 0)").run().await?;
        Err(anyhow!("half way").into())
    })
}

#[tokio::test]
async fn an_occasion_happens_once_whoever_fires() {
    TestApp::both(async |t| {
        let clock = Schedule { name: "strike", cron: "0 0 19 * * *", work: Scheduled::Whole(strike) };
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        // The nodes' clocks differ by a second around the minute.
        let minute = Millis((START.0 / 60_000 + 1) * 60_000);
        t.clock.set(minute.plus_millis(-500));
        assert_eq!(clock.occur(&t.app, one).await.unwrap(), Occasion::Done, "{}", t.on);
        t.clock.set(minute.plus_millis(500));
        assert_eq!(clock.occur(&t.app, one).await.unwrap(), Occasion::Before, "{}: fired twice", t.on);
        assert_eq!(
            clock.occur(&t.app, two).await.unwrap(),
            Occasion::NotOurs,
            "{}: the lease is another's",
            t.on
        );
        // The first node pauses; its lease runs out; the second takes over in a new epoch; the first wakes up.
        t.clock.set(minute.plus_millis(24 * HOUR_MS));
        assert_eq!(clock.occur(&t.app, two).await.unwrap(), Occasion::Done, "{}", t.on);
        let late = clock.act(&t.app, one, 1, minute.plus_millis(48 * HOUR_MS)).await.unwrap();
        assert_eq!(late, Occasion::NotOurs, "{}: fenced", t.on);
        assert_eq!(effects(&t).await, [("struck".into(), 2)], "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn an_occasion_that_failed_left_nothing_and_may_be_tried_again() {
    TestApp::both(async |t| {
        let owner = Uuid::from_u128(1);
        let broken = Schedule { name: "job", cron: "0 0 19 * * *", work: Scheduled::Whole(fails) };
        assert!(broken.occur(&t.app, owner).await.is_err(), "{}", t.on);
        assert_eq!(effects(&t).await, [], "{}", t.on);
        let mended = Schedule { work: Scheduled::Whole(strike), ..broken };
        assert_eq!(mended.occur(&t.app, owner).await.unwrap(), Occasion::Done, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn the_timetable_is_readable_and_fires() {
    TestApp::both(async |t| {
        let before = STRUCK.load(Ordering::SeqCst);
        let every_second = Schedule { name: "tick", cron: "* * * * * *", work: Scheduled::Whole(strike) };
        let timetable: Vec<Schedule> = crate::TIMETABLE.iter().copied().chain([every_second]).collect();
        let mut scheduler = start_schedules(&t.app, &timetable).await.unwrap();
        for _ in 0..100 {
            if STRUCK.load(Ordering::SeqCst) > before {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        scheduler.shutdown().await.unwrap();
        assert!(STRUCK.load(Ordering::SeqCst) > before, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn old_jobs_are_purged_and_failed_ones_kept() {
    TestApp::both(async |t| {
        put(&t, "effect", "x", START).await;
        worker(&t).drain().await.unwrap();
        t.clock.advance_ms(31 * 24 * HOUR_MS);
        let waiting = put(&t, "broken", "x", t.app.now()).await;
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        purge(&mut tx, &t.app).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let left: Vec<(i64,)> = tx.query("SELECT id FROM jobs").all().await.unwrap();
        assert_eq!(left, [(waiting,)], "{}", t.on);
    })
    .await;
}

fn panics<'a>(_: &'a App, _: &'a Row) -> Work<'a> {
    Box::pin(async {
        tokio::task::yield_now().await;
        panic!("a name with a line break")
    })
}

#[tokio::test]
async fn a_handler_that_panics_ends_no_worker() {
    TestApp::both(async |t| {
        let worker = Worker::new(t.app.clone(), Kinds::default().on("effect", effect).on("panics", panics));
        let poisoned = put(&t, "panics", "x", START).await;
        let next = put(&t, "effect", "x", START).await;
        assert_eq!(worker.drain().await.unwrap(), 2, "{}", t.on);
        let (now, tries, _, error) = state(&t, poisoned).await;
        assert_eq!((now.as_str(), tries), ("waiting", 1), "{}", t.on);
        assert!(error.unwrap().contains("a name with a line break"), "{}", t.on);
        assert_eq!(state(&t, next).await.0, "done", "{}", t.on);
    })
    .await;
}

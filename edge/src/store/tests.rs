use std::{fs, path::Path};

use hadir_shared::{
    chain::Head,
    ids::{InstitutionId, LogId},
    time::Millis,
};
use proptest::prelude::*;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

const LOG: LogId = LogId(Uuid::from_u128(7));

fn options(folder: &Path) -> Options {
    Options {
        data_dir: folder.join("data"),
        ballast_mib: 0,
        max_pages: 0,
        first_log: LOG,
        institution: InstitutionId(1),
        now: Millis(0),
    }
}

async fn append(store: &Store, body: &str) -> Result<u64, NotSaved> {
    let body = body.to_owned();
    store.write(move |tx: &mut Tx<'_>| tx.append("test", &body)).await
}

async fn bodies(store: &Store) -> Vec<String> {
    let kept = store.read(|conn| log::records(conn, 1, 1, usize::MAX)).await.unwrap();
    kept.into_iter().map(|record| record.body).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test]
async fn a_bad_piece_of_work_does_not_sink_its_neighbours() {
    // Seen to fail without the ROLLBACK TO in `run_group`: the refused row was there, and the head was one too far.
    let folder = TempDir::new().unwrap();
    let store = Store::open(&options(folder.path())).unwrap();
    let good = |name: &'static str| append(&store, name);
    let refuses = store.write(|tx: &mut Tx<'_>| {
        tx.append("test", "never")?;
        Err::<(), _>(NotSaved::Rejected)
    });
    let fails = store.write(|tx: &mut Tx<'_>| {
        tx.append("test", "never")?;
        Ok::<_, NotSaved>(tx.execute("INSERT INTO nowhere VALUES (1)", [])?)
    });
    let panics = store.write(|tx: &mut Tx<'_>| {
        tx.append("test", "never")?;
        assert_eq!(tx.position().head.seq, 0, "on purpose");
        Ok::<_, NotSaved>(())
    });
    let (first, undone, failed, panicked, second) =
        tokio::join!(good("first"), refuses, fails, panics, good("second"));
    assert_eq!((first, second), (Ok(1), Ok(2)));
    assert_eq!((undone, failed.map(drop)), (Err(NotSaved::Rejected), Err(NotSaved::Rejected)));
    assert_eq!(panicked, Err(NotSaved::Rejected));
    assert_eq!(bodies(&store).await, ["first", "second"]);
}

#[tokio::test]
async fn many_at_once_are_one_contiguous_chain() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&options(folder.path())).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..500 {
        let store = store.clone();
        tasks.spawn(async move { append(&store, &format!("{{\"i\":{i}}}")).await.unwrap() });
    }
    let mut numbers = tasks.join_all().await;
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=500).collect::<Vec<_>>());
    let whole = store.read(|conn| Ok(log::verify_whole(conn, &log::position(conn)?.unwrap()))).await.unwrap();
    assert_eq!(whole, Ok(500));
    assert_eq!(store.position().head.seq, 500, "what is published is what is committed");
}

#[tokio::test]
async fn what_was_answered_is_in_a_copy_of_the_files_taken_at_that_moment() {
    // A copy of the files while the box runs is what a disk holds after the plug was pulled (without the unsynced writes,
    // which the power-loss tests take away). Seen to fail with the COMMIT put off to the
    // next group.
    let folder = TempDir::new().unwrap();
    let options = options(folder.path());
    let store = Store::open(&options).unwrap();
    for i in 1..=30_u64 {
        append(&store, &format!("record {i}")).await.unwrap();
        if i == 15 {
            store.checkpoint(false).await;
        }
        let copied = folder.path().join(format!("copy{i}"));
        copy(&options.data_dir, &copied);
        let again = Store::open(&Options { data_dir: copied, ..options.clone() }).unwrap();
        assert_eq!(again.position().head.seq, i);
    }
}

#[tokio::test]
async fn an_edited_a_lost_and_a_swapped_record_are_found() {
    // Seen to fail with `verify` comparing only the numbers.
    let sabotages = [
        "UPDATE log SET body = 'other' WHERE seq = 2",
        "DELETE FROM log WHERE seq = 2",
        "UPDATE log SET hash = (SELECT hash FROM log WHERE seq = 1) WHERE seq = 3",
        "UPDATE logs SET acked_through = 9",
        "UPDATE logs SET acked_through = 2",
    ];
    for sabotage in sabotages {
        let folder = TempDir::new().unwrap();
        let options = options(folder.path());
        let store = Store::open(&options).unwrap();
        for body in ["one", "two", "three"] {
            append(&store, body).await.unwrap();
        }
        store.close().await;
        let conn = Connection::open(open::file_in(&options.data_dir)).unwrap();
        if sabotage.contains(" log ") {
            assert!(conn.execute_batch(sabotage).is_err(), "the database itself refuses: {sabotage}");
            conn.execute_batch("DROP TRIGGER log_is_never_edited; DROP TRIGGER log_is_never_cut").unwrap();
        }
        conn.execute_batch(sabotage).unwrap();
        drop(conn);
        assert!(matches!(Store::open(&options), Err(OpenError::Broken(_))), "{sabotage}");
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_is_acknowledged_and_space_brings_it_back() {
    // Many at once, so that one commit that fails takes down work that had already gone well. Seen to fail with the lost
    // group answered as if it had been committed.
    let folder = TempDir::new().unwrap();
    let options = Options { max_pages: 100, ballast_mib: 1, ..options(folder.path()) };
    let store = Store::open(&options).unwrap();
    assert_eq!(store.state(), StoreState::Working);
    assert!(options.data_dir.join("ballast").exists());
    let body = "x".repeat(3_000);
    let mut acknowledged = 0;
    let mut refused = vec![];
    while refused.is_empty() {
        let mut at_once = tokio::task::JoinSet::new();
        for _ in 0..32 {
            let (store, body) = (store.clone(), body.clone());
            at_once.spawn(async move { append(&store, &body).await });
        }
        for answer in at_once.join_all().await {
            match answer {
                Ok(_) => acknowledged += 1,
                Err(why) => refused.push(why),
            }
        }
        assert!(acknowledged < 1_000, "the limit of the test does not bite");
    }
    assert!(refused.iter().all(|why| *why == NotSaved::DiskFull), "{refused:?}");
    assert!(!options.data_dir.join("ballast").exists(), "the space kept back was given first");
    assert_eq!(bodies(&store).await.len() as u64, acknowledged, "neither more nor less than was answered");
    // What the lost group would have taken is free again: fill it, one by one.
    while append(&store, &body).await.is_ok() {
        acknowledged += 1;
    }
    assert_eq!(append(&store, &body).await, Err(NotSaved::DiskFull), "again, and again told");
    assert_eq!(store.state(), StoreState::ReadOnlyFull);
    // Somebody makes room.
    let room =
        |tx: &mut Tx<'_>| Ok::<_, NotSaved>(tx.query_row("PRAGMA max_page_count = 10000", [], |_| Ok(()))?);
    store.write(room).await.unwrap();
    assert_eq!(append(&store, &body).await, Ok(acknowledged + 1));
    assert_eq!(store.state(), StoreState::Degraded, "it records, without space kept back");
    store.close().await;
    let again = Store::open(&Options { max_pages: 0, ..options }).unwrap();
    assert_eq!(again.position().head.seq, acknowledged + 1);
    assert_eq!(again.state(), StoreState::Working, "and at the next start it is kept back again");
}

#[tokio::test]
async fn a_record_too_long_to_be_sent_is_not_kept() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&options(folder.path())).unwrap();
    let long = "x".repeat(hadir_shared::wire::batch::MAX_RECORD_BYTES + 1);
    assert_eq!(append(&store, &long).await, Err(NotSaved::Rejected));
    assert_eq!(append(&store, "short").await, Ok(1));
}

#[tokio::test]
async fn after_the_close_everything_is_refused_and_a_second_process_is_seen() {
    let folder = TempDir::new().unwrap();
    let options = options(folder.path());
    let store = Store::open(&options).unwrap();
    append(&store, "one").await.unwrap();
    let other = Store::open(&options).unwrap();
    assert_eq!(append(&other, "two").await, Ok(2));
    assert_eq!(
        append(&store, "three").await,
        Ok(3),
        "the number follows what is on disk, not what was remembered"
    );
    other.close().await;
    store.close().await;
    assert_eq!(append(&store, "four").await, Err(NotSaved::Stopped));
}

/// What may happen to a box's disk.
#[derive(Debug, Clone)]
enum Action {
    Append(Vec<String>),
    Refuse,
    Acknowledge(prop::sample::Index),
    NewLog,
    /// Close in order, or drop without a word.
    Reopen {
        clean: bool,
    },
    Checkpoint,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        6 => prop::collection::vec("[a-z]{0,12}", 1..6).prop_map(Action::Append),
        2 => Just(Action::Refuse),
        2 => any::<prop::sample::Index>().prop_map(Action::Acknowledge),
        1 => Just(Action::NewLog),
        2 => any::<bool>().prop_map(|clean| Action::Reopen { clean }),
        1 => Just(Action::Checkpoint),
    ];
    prop::collection::vec(action, 1..25)
}

/// The same, kept in memory.
#[derive(Default)]
struct Model {
    logs: Vec<(LogId, Vec<String>, usize)>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_what_was_acknowledged_whatever_happens(actions in actions()) {
        // Seen to fail with `acknowledge` not writing the hash, and with work that was refused not rolled back.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = TempDir::new().unwrap();
            let options = options(folder.path());
            let mut store = Store::open(&options).unwrap();
            let mut model = Model { logs: vec![(LOG, vec![], 0)] };
            for action in actions {
                let (log_id, records, acked) = model.logs.last_mut().unwrap();
                match action {
                    Action::Append(new) => {
                        let appended = new.clone();
                        let work = move |tx: &mut Tx<'_>| {
                            for body in &appended {
                                tx.append("test", body)?;
                            }
                            Ok::<_, NotSaved>(())
                        };
                        store.write(work).await.unwrap();
                        records.extend(new);
                    }
                    Action::Refuse => {
                        let work = |tx: &mut Tx<'_>| {
                            tx.append("test", "refused")?;
                            Err::<(), _>(NotSaved::Rejected)
                        };
                        store.write(work).await.unwrap_err();
                    }
                    Action::Acknowledge(at) => {
                        *acked = at.index(records.len() + 1);
                        let start = Head::genesis(*log_id);
                        let head = records[..*acked].iter().fold(start, |h, b| h.append(*log_id, b.as_bytes()));
                        store.write(move |tx: &mut Tx<'_>| tx.acknowledge(head, 0)).await.unwrap();
                    }
                    Action::NewLog => {
                        let id = LogId(Uuid::from_u128(100 + model.logs.len() as u128));
                        let open = move |tx: &mut Tx<'_>| tx.open_log(id, InstitutionId(1), None, Millis(1), "test");
                        store.write(open).await.unwrap();
                        model.logs.push((id, vec![], 0));
                    }
                    Action::Reopen { clean } => {
                        if clean {
                            store.close().await;
                        }
                        drop(store);
                        store = Store::open(&options).unwrap();
                    }
                    Action::Checkpoint => store.checkpoint(false).await,
                }
            }
            let found = store
                .read(|conn| {
                    let logs = log::all(conn)?;
                    logs.iter()
                        .map(|l| Ok((l.log, log::verify_whole(conn, l), l.acked.seq, log::records(conn, l.number, 1, 9999)?)))
                        .collect::<rusqlite::Result<Vec<_>>>()
                })
                .await
                .unwrap();
            assert_eq!(found.len(), model.logs.len());
            for ((id, verified, acked, kept), (model_id, records, model_acked)) in found.iter().zip(&model.logs) {
                assert_eq!((id, *acked), (model_id, *model_acked as u64));
                assert_eq!(verified, &Ok(records.len() as u64));
                assert!(kept.iter().map(|k| &k.body).eq(records));
            }
        });
    }
}

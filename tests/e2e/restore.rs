//! A box dies. What it showed green is in its backup and in the cloud, and the box made of the two goes on.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use hadir_shared::ids::LogId;
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    ledger::{Kept, assert_chained, assert_equal_to_recomputation, lines_of_the_box, log_of_the_box},
    school::{Card, Cloud, Edge, Engine, eventually, identity, on_both},
};

/// Seen to fail with a restore that reads nothing back from the cloud, with one that goes on in the old log, and with one that
/// leaves the watermark where the backup had it (what was delivered after it came a second time).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_box_is_rebuilt_from_its_backup_and_the_cloud() {
    on_both(dead_and_rebuilt).await;
}

async fn dead_and_rebuilt(engine: Engine) {
    let cloud = Cloud::start(engine, 30).await.unwrap();
    let mut edge = Edge::enrol(&cloud, &cloud.url()).await.unwrap();
    let cards = cloud.cards("5001").await.unwrap();
    let aside = TempDir::new().unwrap();
    let file = aside.path().join("edge.tar.zst");

    // The backup is made while the gate goes on, and most of what it lacks is delivered before the end.
    green(&edge, &cards[..40]).await;
    let arguments = ["backup", text(&file)];
    let ((), backup) = tokio::join!(green(&edge, &cards[40..60]), edge.plan.run(&arguments));
    let backed_up = number_after(&backup.unwrap(), ": ", " records");
    assert!((40..=63).contains(&backed_up), "{backed_up}");
    green(&edge, &cards[60..80]).await;
    let before = edge.drained().await.unwrap();
    assert!(before["last_backup"]["recorded"].as_i64().unwrap() > 0, "{before}");
    let (device, log) = identity(&before).unwrap();
    // A box that lives can be drilled as well, and does not notice.
    let drilled = edge.plan.run(&["drill"]).await.unwrap();
    assert_eq!(row(&drilled, log)[4..], ["yes"], "{drilled}");

    edge.kill().await.unwrap();
    std::fs::remove_dir_all(edge.data_dir()).unwrap();

    let place = aside.path().join("drilled");
    let drilled = edge.plan.run(&["drill", "--from", text(&file), "--into", text(&place)]).await.unwrap();
    let recorded = before["recorded"].as_u64().unwrap().to_string();
    let backed_up = backed_up.to_string();
    assert_eq!(row(&drilled, log), [&log.to_string(), &recorded, &backed_up, &recorded, "yes"], "{drilled}");
    assert!(!edge.data_dir().exists(), "a drill leaves the box's own place alone");
    let at_the_cloud = cloud.books().records(device).await.unwrap();
    assert_eq!(bytes(&at_the_cloud, log), of_the_box(&place.join("edge.db"), log), "byte for byte");

    let said = edge.plan.run(&["restore", text(&file)]).await.unwrap();
    assert!(said.contains("read back from the cloud"), "{said}");
    edge.plan.run(&["verify"]).await.unwrap();
    edge.resume().await.unwrap();
    // Whom it let in before it died it knows, also those after the backup.
    for card in [&cards[10], &cards[79]] {
        assert_eq!(edge.scan(&card.code, "checkin", "Gerbang 1").await.unwrap().outcome(), "sudah");
    }
    green(&edge, &cards[80..100]).await;
    let after = edge.drained().await.unwrap();
    assert_eq!((&after["alarm"], &after["failed"]), (&Value::Null, &Value::Array(vec![])), "{after}");
    let (same, new) = identity(&after).unwrap();
    assert_eq!(same, device, "the same box");
    assert_ne!(new, log, "in a log of its own");
    edge.stop().await.unwrap();
    edge.plan.run(&["verify"]).await.unwrap();

    let records = cloud.books().records(device).await.unwrap();
    assert_chained(&records);
    assert_eq!(bytes(&records, new), of_the_box(&edge.database(), new));
    assert_eq!(bytes(&records, log), bytes(&at_the_cloud, log), "nothing was added to the log that was left");
    assert!(records.iter().all(|record| record.verdict == "stored"), "no record came twice");
    books_hold(&cloud, device, &records, &cards[..100]).await;
    refuses(&edge, &file).await;
}

/// Where the cloud cannot be asked the box goes on all the same, and the two sort it out when they meet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_that_is_restored_without_the_cloud_doubles_nothing() {
    on_both(restored_alone).await;
}

async fn restored_alone(engine: Engine) {
    let mut cloud = Cloud::start(engine, 30).await.unwrap();
    let mut edge = Edge::enrol(&cloud, &cloud.url()).await.unwrap();
    let cards = cloud.cards("5001").await.unwrap();
    let aside = TempDir::new().unwrap();
    let folder = aside.path().join("nightly");
    std::fs::create_dir(&folder).unwrap();
    green(&edge, &cards[..20]).await;
    edge.plan.run(&["backup", "--keep", "2", text(&folder)]).await.unwrap();
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    green(&edge, &cards[20..40]).await;
    let (device, log) = identity(&edge.drained().await.unwrap()).unwrap();
    edge.kill().await.unwrap();
    cloud.kill().await.unwrap();
    std::fs::remove_dir_all(edge.data_dir()).unwrap();

    assert_eq!(status(&edge, &["drill", "--from", text(&file)]).await, 69, "no drill without a cloud");
    let said = edge.plan.run(&["restore", text(&file)]).await.unwrap();
    assert!(said.contains("The box may start all the same"), "{said}");
    edge.resume().await.unwrap();
    // Ten it let in after the backup, whom it does not know any more, and ten new ones.
    green(&edge, &cards[30..50]).await;
    cloud.resume().await.unwrap();
    let left = async || {
        let status = edge.status().await.ok()?;
        let left = identity(&status).ok()?.1 != log;
        (left && status["pending"] == 0 && status["heads_equal"] == true).then_some(status)
    };
    eventually("the box leaves a log the cloud holds further", left).await.unwrap();
    edge.stop().await.unwrap();
    edge.plan.run(&["verify"]).await.unwrap();
    let records = cloud.books().records(device).await.unwrap();
    assert_chained(&records);
    books_hold(&cloud, device, &records, &cards[..50]).await;
}

/// The whole life of a box as an operator lives it, with every file where he has it: installed, started, enrolled, backed up,
/// lost, drilled, restored, proved. A slip at the gate before the backup and one after it come through as slips.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installed_box_is_enrolled_backed_up_lost_and_restored() {
    on_both(whole_life).await;
}

async fn whole_life(engine: Engine) {
    let cloud = Cloud::start(engine, 30).await.unwrap();
    let cards = cloud.cards("5001").await.unwrap();
    let mut edge = Edge::installed().await.unwrap();
    assert_eq!(edge.status().await.unwrap()["device"], Value::Null, "it belongs to no school yet");
    let code = cloud.plan.enrolment_code("SMAN1").await.unwrap();
    edge.plan.run(&["enroll", "--cloud", &cloud.url(), "--code", &code]).await.unwrap();
    let joined = async || edge.status().await.ok().filter(|status| !status["device"].is_null());
    eventually("the running box notices that it was enrolled", joined).await.unwrap();

    let aside = TempDir::new().unwrap();
    let file = aside.path().join("edge.tar.zst");
    green(&edge, &cards[..20]).await;
    take_back(&edge, &cards[19]).await;
    edge.plan.run(&["backup", text(&file)]).await.unwrap();
    green(&edge, &cards[20..30]).await;
    take_back(&edge, &cards[29]).await;
    let before = edge.drained().await.unwrap();
    let (device, log) = identity(&before).unwrap();
    edge.kill().await.unwrap();
    std::fs::remove_dir_all(edge.data_dir()).unwrap();

    let place = aside.path().join("drilled");
    let drilled = edge.plan.run(&["drill", "--from", text(&file), "--into", text(&place)]).await.unwrap();
    assert_eq!(row(&drilled, log)[4..], ["yes"], "{drilled}");
    edge.plan.run(&["restore", text(&file)]).await.unwrap();
    edge.plan.run(&["verify"]).await.unwrap();
    edge.resume().await.unwrap();
    // Whom it showed green it knows; whom it took back it lets in, and once only.
    assert_eq!(edge.scan(&cards[28].code, "checkin", "Gerbang 1").await.unwrap().outcome(), "sudah");
    for slip in [&cards[19], &cards[29]] {
        let again = edge.scan(&slip.code, "checkin", "Gerbang 1").await.unwrap();
        assert_ne!(again.outcome(), "sudah", "{:?}", again.body);
    }
    green(&edge, &cards[30..40]).await;
    let after = edge.drained().await.unwrap();
    assert_eq!((&after["alarm"], &after["failed"]), (&Value::Null, &Value::Array(vec![])), "{after}");
    assert_eq!(identity(&after).unwrap().0, device, "the same box");
    edge.stop().await.unwrap();
    edge.plan.run(&["verify"]).await.unwrap();

    let records = cloud.books().records(device).await.unwrap();
    assert_chained(&records);
    assert!(records.iter().all(|record| record.verdict == "stored"), "no record came twice");
    books_hold(&cloud, device, &records, &cards[..40]).await;
    let lines = cloud.books().lines(device).await.unwrap();
    assert_eq!(lines, lines_of_the_box(&edge.database()).unwrap(), "the books of both");
}

/// Takes the check-in of a card back that was shown green.
async fn take_back(edge: &Edge, card: &Card) {
    let latest = edge.latest().await.unwrap();
    let one = latest.iter().find(|one| one["number"] == card.number).expect("one of the last scans");
    assert_eq!(edge.undo(&one["event"]).await.unwrap().0, 200);
}

/// Every one of these cards is shown green.
async fn green(edge: &Edge, cards: &[Card]) {
    for card in cards {
        let answer = edge.scan(&card.code, "checkin", "Gerbang 1").await.unwrap();
        assert!(answer.is_recorded(), "{:?}", answer.body);
    }
}

/// Whoever was shown green is in the cloud's books, once, and nobody else.
async fn books_hold(cloud: &Cloud, device: Uuid, records: &[Kept], cards: &[Card]) {
    let lines = cloud.books().lines(device).await.unwrap();
    let present: BTreeSet<_> = lines.iter().map(|line| line.user_id).collect();
    assert_eq!(present, cards.iter().map(|card| card.student).collect());
    assert_eq!(lines.len(), cards.len(), "each once");
    assert_equal_to_recomputation(records, lines);
}

/// What must not be overwritten is not.
async fn refuses(edge: &Edge, file: &Path) {
    assert_eq!(status(edge, &["restore", text(file)]).await, 73, "there is a box already");
    edge.plan.run(&["verify"]).await.unwrap();
    let notes = file.with_file_name("notes.txt");
    std::fs::write(&notes, "of the school").unwrap();
    assert_eq!(status(edge, &["backup", text(&notes)]).await, 73);
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), "of the school");
    let cut = file.with_file_name("cut.tar.zst");
    let whole = std::fs::read(file).unwrap();
    std::fs::write(&cut, &whole[..whole.len() - 1]).unwrap();
    std::fs::remove_dir_all(edge.data_dir()).unwrap();
    assert_eq!(status(edge, &["restore", text(&cut)]).await, 65);
    assert_eq!(status(edge, &["restore", text(&file.with_file_name("none"))]).await, 66);
    assert!(!edge.data_dir().exists());
    assert_eq!(status(edge, &["backup", text(&PathBuf::from("nothing"))]).await, 69, "no box");
}

async fn status(edge: &Edge, arguments: &[&str]) -> i32 {
    edge.plan.command(arguments).output().await.unwrap().status.code().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The last number of the text between these words.
fn number_after(said: &str, before: &str, after: &str) -> u64 {
    let line = said.lines().rfind(|line| line.starts_with("log ")).unwrap();
    line.split_once(before).unwrap().1.split_once(after).unwrap().0.parse().unwrap()
}

/// The cells of a log's row in a drill's table.
fn row(table: &str, log: LogId) -> Vec<&str> {
    let line = table.lines().find(|line| line.starts_with(&log.to_string())).unwrap();
    line.split_whitespace().collect()
}

fn bytes(records: &[Kept], log: LogId) -> Vec<(i64, String, String)> {
    let own = records.iter().filter(|record| record.log_id == log.0);
    own.map(|record| (record.seq, record.body.clone(), record.hash.clone())).collect()
}

fn of_the_box(database: &Path, log: LogId) -> Vec<(i64, String, String)> {
    let records = log_of_the_box(database, log).unwrap();
    records.into_iter().map(|(seq, body, hash)| (seq, body, hash.to_string())).collect()
}

//! The cloud is backed up, and only then may a box forget; it is put back, and gets again what it lacks.

use std::{path::Path, time::Duration};

use hadir_tests::postgres;
use rusqlite::{Connection, OpenFlags};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    ledger::{Books, assert_chained},
    school::{Cloud, Edge, Engine, eventually, identity, on_both},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_may_forget_what_a_verified_backup_holds() {
    on_both(backed_up).await;
}

async fn backed_up(engine: Engine) {
    let mut cloud = Cloud::start(engine, 30).await.unwrap();
    let mut edge = Edge::enrol(&cloud, &cloud.url()).await.unwrap();
    let cards = cloud.cards("5001").await.unwrap();
    for card in &cards[..20] {
        edge.scan(&card.code, "checkin", "Gerbang 1").await.unwrap();
    }
    let then = edge.drained().await.unwrap()["recorded"].as_u64().unwrap();
    assert_eq!(prunable(&edge.database()), 0, "delivered is not backed up");

    let aside = TempDir::new().unwrap();
    let file = aside.path().join("cloud.db");
    let copied = copy(&cloud, &file).await;
    for card in &cards[20..30] {
        edge.scan(&card.code, "checkin", "Gerbang 1").await.unwrap();
    }
    edge.drained().await.unwrap();
    copied.look(&cloud).await;
    edge.scan(&cards[30].code, "checkin", "Gerbang 1").await.unwrap();
    edge.drained().await.unwrap();
    let may = || async { (prunable(&edge.database()) > 0).then_some(()) };
    eventually("the box is told", may).await.unwrap();
    let held = prunable(&edge.database());
    assert!(held >= then && held <= then + 2, "{held}: what the copy holds, and no more ({then})");
    copied.refuses(&cloud).await;

    // The cloud's disk dies, and the backup takes its place: what came after it is asked for again.
    if let (Books::Sqlite(database), Copied::File(file)) = (cloud.books(), &copied) {
        cloud.kill().await.unwrap();
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{ending}", database.display()));
        }
        std::fs::copy(file, &database).unwrap();
        cloud.resume().await.unwrap();
        edge.scan(&cards[31].code, "checkin", "Gerbang 1").await.unwrap();
        let (device, _) = identity(&edge.status().await.unwrap()).unwrap();
        let all = async || {
            let lines = cloud.books().lines(device).await.ok()?;
            (lines.len() == 32).then_some(())
        };
        eventually("everything is there again", all).await.unwrap();
        assert_chained(&cloud.books().records(device).await.unwrap());
    }
    edge.stop().await.unwrap();
    copied.forget(&cloud).await;
}

/// A backup, as each engine has it.
enum Copied {
    File(std::path::PathBuf),
    /// A database beside the cloud's, restored from a dump.
    Restored(String),
}

async fn copy(cloud: &Cloud, file: &Path) -> Copied {
    match cloud.books() {
        Books::Sqlite(_) => {
            let said = cloud.plan.run(&["backup", file.to_str().unwrap()]).await.unwrap();
            assert!(said.contains("1 logs are backed up further"), "{said}");
            Copied::File(file.into())
        }
        Books::Postgres(url) => {
            let restored = format!("{url}_restored");
            let bin = postgres::installation().unwrap();
            let name = restored.rsplit_once('/').unwrap().1.to_owned();
            let dump = file.with_extension("dump");
            let run = async |program: &str, arguments: &[&str]| {
                // A client's program need not lie beside the server's.
                let beside = Some(bin.join(program)).filter(|path| path.is_file());
                let done = Command::new(beside.unwrap_or_else(|| program.into()))
                    .args(arguments)
                    .output()
                    .await
                    .unwrap();
                assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
            };
            run("pg_dump", &["--format=custom", "--file", dump.to_str().unwrap(), &url]).await;
            administer(&url, &format!("CREATE DATABASE \"{name}\"")).await;
            run("pg_restore", &["--exit-on-error", "--dbname", &restored, dump.to_str().unwrap()]).await;
            Copied::Restored(restored)
        }
    }
}

async fn administer(server: &str, statement: &str) {
    let mut server = PgConnection::connect(server).await.unwrap();
    server.execute(AssertSqlSafe(statement.to_owned())).await.unwrap();
}

impl Copied {
    async fn forget(self, cloud: &Cloud) {
        if let (Self::Restored(url), Books::Postgres(server)) = (self, cloud.books()) {
            let name = url.rsplit_once('/').unwrap().1;
            administer(&server, &format!("DROP DATABASE \"{name}\" WITH (FORCE)")).await;
        }
    }

    /// The cloud looks through it. A file it has looked through when it wrote it: the second look finds nothing new.
    async fn look(&self, cloud: &Cloud) {
        let (url, further) = match self {
            Self::File(file) => (format!("sqlite://{}", file.display()), 0),
            Self::Restored(url) => (url.clone(), 1),
        };
        let said = cloud.plan.run(&["backup", "--restored", &url]).await.unwrap();
        assert!(said.contains(&format!("{further} logs are backed up further")), "{said}");
    }

    /// What is no backup is not taken for one, and what is none is not overwritten.
    async fn refuses(&self, cloud: &Cloud) {
        let status = async |arguments: &[&str]| {
            let done = cloud.plan.command(arguments).output().await.unwrap();
            done.status.code().unwrap()
        };
        match (self, cloud.books()) {
            (Self::File(file), Books::Sqlite(own)) => {
                assert_eq!(
                    status(&["backup", "--restored", &format!("sqlite://{}", own.display())]).await,
                    65
                );
                assert_eq!(status(&["backup", own.to_str().unwrap()]).await, 73, "not onto itself");
                let notes = file.with_file_name("notes.txt");
                std::fs::write(&notes, "of the school").unwrap();
                assert_eq!(status(&["backup", notes.to_str().unwrap()]).await, 73);
                assert_eq!(std::fs::read_to_string(&notes).unwrap(), "of the school");
                assert_eq!(
                    status(&["backup", file.to_str().unwrap()]).await,
                    0,
                    "a backup takes the place of another"
                );
            }
            (Self::Restored(_), Books::Postgres(own)) => {
                assert_eq!(status(&["backup", "--restored", &own]).await, 65, "its own database is no copy");
                assert_eq!(status(&["backup", "x.db"]).await, 78, "a file is not for PostgreSQL");
            }
            _ => unreachable!("one engine at a time"),
        }
        assert_eq!(status(&["backup"]).await, 64);
    }
}

/// What the box may forget of its open log, once it is old enough.
fn prunable(database: &Path) -> u64 {
    let db = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    db.busy_timeout(Duration::from_secs(5)).unwrap();
    db.query_row("SELECT prunable_through FROM logs ORDER BY number DESC LIMIT 1", [], |row| row.get(0))
        .unwrap()
}

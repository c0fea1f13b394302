use std::{future::Future as _, task::Context, time::Duration};

use sqlx::Connection as _;

use super::{
    open::{OLDEST_SQLITE, sqlite_version},
    *,
};
use crate::{identity::seed, testing::TestApp};

#[test]
fn counts_placeholders() {
    assert_eq!(placeholders("SELECT 1"), 0);
    assert_eq!(placeholders("a = $2 AND b = $1 OR c = $2"), 2);
    assert_eq!(placeholders("VALUES ($1, $10)"), 10);
}

#[test]
fn every_migration_in_the_folder_is_embedded() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/cloud");
    let mut files: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    files.retain(|name| name != "postgres");
    files.sort();
    let embedded: Vec<String> = MIGRATIONS.iter().map(|(n, name, _)| format!("{n:04}_{name}.sql")).collect();
    assert_eq!(files, embedded);
}

#[tokio::test]
async fn every_placeholder_must_be_bound() {
    TestApp::both(|t| async move {
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let query = tx.query("SELECT id FROM users WHERE name = $1 OR name = $2").bind("x");
        let error = query.all::<(i64,)>().await.unwrap_err();
        assert!(error.to_string().contains("1 values bound to 2 placeholders"), "{} {error}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_read_transaction_cannot_write() {
    TestApp::both(|t| async move {
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        assert!(tx.query("DELETE FROM login_throttles").run().await.is_err(), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_committed_did_not_happen() {
    TestApp::both(|t| async move {
        let insert = "INSERT INTO login_throttles VALUES ('x', 1, 1, 1)";
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        assert_eq!(tx.query(insert).run().await.unwrap(), 1);
        drop(tx);
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        assert_eq!(tx.query(insert).run().await.unwrap(), 1, "{}: the first one is gone", t.on);
        tx.commit().await.unwrap();
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        let taken = tx.query(insert).run().await.on_taken(Fail::conflict("there"));
        assert!(matches!(taken, Err(Fail::Conflict(_))), "{}: {taken:?}", t.on);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_increments_at_once_are_fifty() {
    TestApp::both(|t| async move {
        let db = t.app.db.clone();
        let mut tx = db.write(Cloud).await.unwrap();
        tx.query("INSERT INTO login_throttles VALUES ('n', 0, 0, 0)").run().await.unwrap();
        tx.commit().await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let db = db.clone();
            tasks.spawn(async move {
                let mut tx = db.write(Cloud).await.unwrap();
                tx.query("UPDATE login_throttles SET failures = failures + 1 WHERE subject = 'n'")
                    .run()
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
            });
        }
        tasks.join_all().await;
        let mut tx = db.read(Cloud).await.unwrap();
        let (n,): (i64,) = tx.query("SELECT failures FROM login_throttles").one().await.unwrap();
        assert_eq!(n, 50, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn many_values_are_bound_at_once() {
    TestApp::both(|t| async move {
        let names = ["a", "b\"'", "ç"];
        let counts = [1_i64, 2, 3];
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        // PostgreSQL unnests arrays; SQLite has none, and reads JSON.
        let done = tx
            .query_split(
                "INSERT INTO login_throttles SELECT s, n, $3, 0 FROM UNNEST($1::text[], $2::bigint[]) AS u (s, n)",
                "INSERT INTO login_throttles SELECT s.value, n.value, $3, 0
                 FROM json_each($1) s JOIN json_each($2) n ON n.key = s.key",
            )
            .bind_split(|| names.map(str::to_owned).to_vec(), || serde_json::to_string(&names).unwrap())
            .bind_split(|| counts.to_vec(), || serde_json::to_string(&counts).unwrap())
            .bind(9_i64)
            .run()
            .await
            .unwrap();
        assert_eq!(done, 3, "{}", t.on);
        let rows: Vec<(String, i64)> =
            tx.query("SELECT subject, failures FROM login_throttles ORDER BY failures").all().await.unwrap();
        assert_eq!(rows, [("a".into(), 1), ("b\"'".into(), 2), ("ç".into(), 3)], "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn migrations_run_once_and_an_edited_one_is_refused() {
    TestApp::both(|t| async move {
        assert_eq!(t.app.db.pending().await.unwrap(), Pending(vec![]), "{}", t.on);
        let db = t.as_owner().await;
        db.migrate().await.unwrap();
        let mut tx = db.write(Cloud).await.unwrap();
        let edit = "UPDATE _sqlx_migrations SET checksum = $1 WHERE version = 2";
        tx.query(edit).bind(vec![1_u8, 2]).run().await.unwrap();
        tx.commit().await.unwrap();
        assert!(db.migrate().await.unwrap_err().to_string().contains('2'), "{}", t.on);
        assert!(db.pending().await.unwrap_err().to_string().contains("edited"), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_fresh_file_lacks_everything_and_writes_durably() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&format!("sqlite://{}", folder.path().join("new.db").display())).await.unwrap();
    assert_eq!(db.pending().await.unwrap().0.len(), MIGRATIONS.len());
    let mut tx = db.write(Cloud).await.unwrap();
    let (journal,): (String,) = tx.query("SELECT journal_mode FROM pragma_journal_mode").one().await.unwrap();
    let (synchronous,): (i64,) = tx.query("SELECT synchronous FROM pragma_synchronous").one().await.unwrap();
    let (foreign_keys,): (i64,) =
        tx.query("SELECT foreign_keys FROM pragma_foreign_keys").one().await.unwrap();
    assert_eq!((journal.as_str(), synchronous, foreign_keys), ("wal", 2, 1), "2 is FULL");
}

/// hyper drops a handler's future when its client hangs up. Without the pool's `after_release` one of the drops leaves a
/// session that is idle in a transaction (seen by taking the hook out).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_begin_leaves_no_open_transaction() {
    TestApp::both(async |t| {
        if t.on != "postgres" {
            return;
        }
        let mut watcher = PgConnection::connect(&t.app.config.database_url()).await.unwrap();
        for polls in 1..12 {
            poll_and_drop(&t.app.db, polls);
            // The hook runs in a task of its own, after the drop.
            let mut open = i64::MAX;
            for _ in 0..50 {
                tokio::time::sleep(Duration::from_millis(10)).await;
                open = idle_in_transaction(&mut watcher).await;
                if open == 0 {
                    break;
                }
            }
            assert_eq!(open, 0, "begin() dropped after {polls} polls");
        }
    })
    .await;
}

fn poll_and_drop(db: &Db, polls: u32) {
    let mut begin = Box::pin(db.write(Cloud));
    for _ in 0..polls {
        if begin.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())).is_ready() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

async fn idle_in_transaction(watcher: &mut PgConnection) -> i64 {
    let open = "SELECT COUNT(*) FROM pg_stat_activity
         WHERE datname = current_database() AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()";
    sqlx::query_as::<_, (i64,)>(open).fetch_one(watcher).await.unwrap().0
}

#[test]
fn versions_compare_by_number() {
    assert!(sqlite_version("3.9.0") < sqlite_version("3.51.3"));
    assert!(sqlite_version("3.51.3") >= Some(OLDEST_SQLITE));
    assert!(sqlite_version("3.51.2") < Some(OLDEST_SQLITE));
    assert!(sqlite_version("what") < Some(OLDEST_SQLITE));
}

#[tokio::test]
async fn t09_postgres_hides_other_schools_from_a_statement_that_forgot_which() {
    TestApp::both(|t| async move {
        let (own, other) = (t.institution("SMAN1").await, t.institution("SMPN2").await);
        t.user(own, "1001", seed::STUDENT).await;
        t.user(other, "1301", seed::STUDENT).await;
        let numbers = async |scope: Scope| {
            let mut tx = t.app.db.read(scope).await.unwrap();
            let rows: Vec<(String,)> =
                tx.query("SELECT nisn_nip_nik FROM users ORDER BY 1").all().await.unwrap();
            rows.into_iter().map(|(number,)| number).collect::<Vec<_>>()
        };
        assert_eq!(numbers(Cloud).await, ["1001", "1301"], "{}", t.on);
        let Db::Pg(pool) = &t.app.db else { return };
        assert_eq!(numbers(own.into()).await, ["1001"]);
        assert_eq!(numbers(other.into()).await, ["1301"]);

        let mut tx = t.app.db.write(own).await.unwrap();
        assert_eq!(tx.query("UPDATE users SET name = 'x'").run().await.unwrap(), 1);
        assert_eq!(tx.query("DELETE FROM settings_versions").run().await.unwrap(), 0);
        let foreign = "INSERT INTO holidays (institution_id, day, name, created_at) VALUES ($1, '2025-12-25', 'Natal', 0)";
        let refused = tx.query(foreign).bind(other.0).run().await.unwrap_err().to_string();
        assert!(refused.contains("row-level security"), "{refused}");
        drop(tx);

        let unnamed: (i64,) = sqlx::query_as("SELECT COUNT(*) FROM users").fetch_one(pool).await.unwrap();
        assert_eq!(unnamed, (0,), "a transaction that names no scope sees nothing, and none is left in the pool");
    })
    .await;
}

#[tokio::test]
async fn on_postgres_every_table_of_a_school_is_guarded_and_the_cloud_owns_none() {
    TestApp::both(|t| async move {
        let Db::Pg(pool) = &t.app.db else { return };
        assert!(t.app.db.is_guarded().await.unwrap());
        let open: Vec<(String,)> = sqlx::query_as(
            "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relkind = 'r' AND a.attname = 'institution_id' AND NOT (c.relrowsecurity AND c.relforcerowsecurity)",
        )
        .fetch_all(pool)
        .await
        .unwrap();
        assert_eq!(open, []);
        let owned: (i64,) = sqlx::query_as(
            "SELECT COUNT(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = current_user",
        )
        .fetch_one(pool)
        .await
        .unwrap();
        assert_eq!(owned, (0,));
        for forbidden in ["CREATE TABLE t (n BIGINT)", "DROP POLICY own_school ON users", "TRUNCATE users"] {
            assert!(pool.execute(AssertSqlSafe(forbidden)).await.is_err(), "{forbidden}");
        }
    })
    .await;
}

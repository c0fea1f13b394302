//! What the machine does without us: the other side of every ratio.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use hadir_tests::random_id;
use rusqlite::Connection;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _};
use tokio::task::JoinSet;

/// A record is about this long.
const BODY: usize = 450;

/// Commits a second, one record each, with the box's own settings, on the same disk.
pub fn commits(folder: &Path, lasts: Duration) -> anyhow::Result<f64> {
    let connection = Connection::open(folder.join("raw.db"))?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 1000)?;
    connection.execute_batch(
        "CREATE TABLE log (seq INTEGER PRIMARY KEY, body TEXT NOT NULL, hash BLOB NOT NULL) STRICT",
    )?;
    let mut insert = connection.prepare("INSERT INTO log (body, hash) VALUES (?1, ?2)")?;
    let (body, start, mut done) = ("x".repeat(BODY), Instant::now(), 0_u32);
    while start.elapsed() < lasts {
        insert.execute((&body, [0_u8; 32]))?;
        done += 1;
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}

/// Records a second by the fence and one UNNEST a batch, straight into the log table: what PostgreSQL does when nobody
/// decides anything. `url` names a migrated database.
pub async fn fenced(url: &str, boxes: u32, batches: u32, size: u32) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut at_work = JoinSet::new();
    for _ in 0..boxes {
        let url = url.to_owned();
        at_work.spawn(async move { one_box(&url, batches, size).await });
    }
    while let Some(done) = at_work.join_next().await {
        done??;
    }
    Ok(f64::from(boxes * batches * size) / start.elapsed().as_secs_f64())
}

const LOCK: &str =
    "SELECT high_seq FROM device_logs WHERE institution_id = 1 AND device_id = $1 AND log_id = $1 FOR UPDATE";
const OPEN: &str = "INSERT INTO device_logs (institution_id, device_id, log_id, high_seq, high_hash, created_at, updated_at) \
     VALUES (1, $1, $1, 0, '', 0, 0)";
const APPEND: &str = "INSERT INTO sync_records (institution_id, device_id, log_id, seq, body, hash, received_at, verdict, \
     action_type, user_id, decided_at) \
     SELECT 1, $1, $1, r.seq, r.body, r.hash, 0, 'stored', 'attendance', 1, 0 \
     FROM UNNEST($2::bigint[], $3::text[], $4::text[]) AS r (seq, body, hash)";
const MOVE: &str =
    "UPDATE device_logs SET high_seq = $2 WHERE institution_id = 1 AND device_id = $1 AND log_id = $1";

async fn one_box(url: &str, batches: u32, size: u32) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    let device = random_id();
    sqlx::query(AssertSqlSafe(OPEN).into_sql_str()).bind(device).execute(&mut connection).await?;
    let bodies = vec!["x".repeat(BODY); size as usize];
    let hashes = vec!["0".repeat(64); size as usize];
    for _ in 0..batches {
        let mut tx = connection.begin().await?;
        let (high,): (i64,) = sqlx::query_as(LOCK).bind(device).fetch_one(&mut *tx).await?;
        let numbers: Vec<i64> = (high + 1..=high + i64::from(size)).collect();
        sqlx::query(APPEND).bind(device).bind(&numbers).bind(&bodies).bind(&hashes).execute(&mut *tx).await?;
        sqlx::query(MOVE).bind(device).bind(high + i64::from(size)).execute(&mut *tx).await?;
        tx.commit().await?;
    }
    Ok(())
}

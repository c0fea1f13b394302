use hadir_shared::time::Millis;
use serde_json::Value;
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use super::{NewJob, Reach};
use crate::db::Tx;

/// A claimed job.
#[derive(Debug, FromRow)]
pub struct Row {
    pub id: i64,
    pub institution_id: Option<i64>,
    pub kind: String,
    pub payload: Json<Value>,
    /// This try included.
    pub tries: i64,
}

pub async fn insert(tx: &mut Tx, job: &NewJob, now: Millis) -> sqlx::Result<i64> {
    let (id,): (i64,) = tx
        .query(
            "INSERT INTO jobs (institution_id, kind, payload, state, tries, run_at, created_at)
             VALUES ($1, $2, $3, 'waiting', 0, $4, $5) RETURNING id",
        )
        .bind(job.institution.map(|id| id.0))
        .bind(job.kind)
        .bind(Json(&job.payload))
        .bind(job.run_at.0)
        .bind(now.0)
        .one()
        .await?;
    Ok(id)
}

/// The job that has been due longest: one that waits, or one whose worker went away.
pub async fn claim(tx: &mut Tx, worker: Uuid, now: Millis, until: Millis) -> sqlx::Result<Option<Row>> {
    // PostgreSQL's workers step over rows that others are just claiming; SQLite has one writer and no such words.
    tx.query_split(
        "UPDATE jobs SET state = 'running', tries = tries + 1, claimed_by = $1, claimed_until = $3 WHERE id = (
            SELECT id FROM jobs WHERE (state = 'waiting' AND run_at <= $2) OR (state = 'running' AND claimed_until <= $2)
            ORDER BY run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING id, institution_id, kind, payload, tries",
        "UPDATE jobs SET state = 'running', tries = tries + 1, claimed_by = $1, claimed_until = $3 WHERE id = (
            SELECT id FROM jobs WHERE (state = 'waiting' AND run_at <= $2) OR (state = 'running' AND claimed_until <= $2)
            ORDER BY run_at, id LIMIT 1)
         RETURNING id, institution_id, kind, payload, tries",
    )
    .bind(worker)
    .bind(now.0)
    .bind(until.0)
    .opt()
    .await
}

/// No row: the claim was lost.
pub async fn finish(tx: &mut Tx, worker: Uuid, job: &Row, now: Millis) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE jobs SET state = 'done', finished_at = $4, claimed_by = NULL, claimed_until = NULL, last_error = NULL
         WHERE id = $1 AND claimed_by = $2 AND tries = $3 AND state = 'running'",
    )
    .bind(job.id)
    .bind(worker)
    .bind(job.tries)
    .bind(now.0)
    .run()
    .await
}

pub async fn try_again(tx: &mut Tx, worker: Uuid, job: &Row, error: &str, at: Millis) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE jobs SET state = 'waiting', run_at = $5, claimed_by = NULL, claimed_until = NULL, last_error = $4
         WHERE id = $1 AND claimed_by = $2 AND tries = $3 AND state = 'running'",
    )
    .bind(job.id)
    .bind(worker)
    .bind(job.tries)
    .bind(error)
    .bind(at.0)
    .run()
    .await
}

pub async fn give_up(tx: &mut Tx, worker: Uuid, job: &Row, error: &str, now: Millis) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE jobs SET state = 'failed', finished_at = $5, claimed_by = NULL, claimed_until = NULL, last_error = $4
         WHERE id = $1 AND claimed_by = $2 AND tries = $3 AND state = 'running'",
    )
    .bind(job.id)
    .bind(worker)
    .bind(job.tries)
    .bind(error)
    .bind(now.0)
    .run()
    .await
}

/// Where a job is on its way.
pub const STATES: &[&str] = &["waiting", "running", "failed", "done"];

/// A job as people see it: what it needs is its handler's business.
#[derive(Debug, Clone, FromRow)]
pub struct Listed {
    pub id: i64,
    pub institution_id: Option<i64>,
    pub kind: String,
    pub state: String,
    pub tries: i64,
    #[sqlx(try_from = "i64")]
    pub run_at: Millis,
    pub last_error: Option<String>,
    #[sqlx(try_from = "i64")]
    pub created_at: Millis,
    pub finished_at: Option<i64>,
}

/// The last time a scheduled job ran.
#[derive(Debug, Clone, FromRow)]
pub struct Run {
    pub job: String,
    #[sqlx(try_from = "i64")]
    pub scheduled_for: Millis,
    pub finished_at: Option<i64>,
}

pub async fn list(
    tx: &mut Tx,
    reach: Reach,
    state: Option<&str>,
    below: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<Listed>> {
    tx.query(
        "SELECT id, institution_id, kind, state, tries, run_at, last_error, created_at, finished_at FROM jobs
         WHERE (institution_id = $1 OR ($2 AND institution_id IS NULL))
         AND (CAST($3 AS TEXT) IS NULL OR state = $3) AND id < $4 ORDER BY id DESC LIMIT $5",
    )
    .bind(reach.institution.0)
    .bind(reach.all)
    .bind(state)
    .bind(below.unwrap_or(i64::MAX))
    .bind(limit)
    .all()
    .await
}

pub async fn counts_of(tx: &mut Tx, reach: Reach) -> sqlx::Result<Vec<(String, i64)>> {
    tx.query(
        "SELECT state, COUNT(*) FROM jobs WHERE (institution_id = $1 OR ($2 AND institution_id IS NULL)) GROUP BY state",
    )
    .bind(reach.institution.0)
    .bind(reach.all)
    .all()
    .await
}

pub async fn runs(tx: &mut Tx) -> sqlx::Result<Vec<Run>> {
    tx.query(
        "SELECT job, MAX(scheduled_for) AS scheduled_for, MAX(finished_at) AS finished_at FROM job_runs
         GROUP BY job ORDER BY job",
    )
    .all()
    .await
}

/// School, kind and last error of the one that was failed, and is so no more.
pub async fn wait_again(
    tx: &mut Tx,
    reach: Reach,
    id: i64,
    now: Millis,
) -> sqlx::Result<Option<(Option<i64>, String, Option<String>)>> {
    tx.query(
        "UPDATE jobs SET state = 'waiting', tries = 0, run_at = $4, finished_at = NULL
         WHERE id = $3 AND state = 'failed' AND (institution_id = $1 OR ($2 AND institution_id IS NULL))
         RETURNING institution_id, kind, last_error",
    )
    .bind(reach.institution.0)
    .bind(reach.all)
    .bind(id)
    .bind(now.0)
    .opt()
    .await
}

/// How many unfinished jobs there are in each state.
pub async fn counts(tx: &mut Tx) -> sqlx::Result<Vec<(String, i64)>> {
    tx.query(
        "SELECT state, COUNT(*) FROM jobs WHERE state IN ('waiting', 'running', 'failed') GROUP BY state",
    )
    .all()
    .await
}

/// Takes or renews the lease; `None` while somebody else holds it. A new owner raises the epoch.
pub async fn lease(
    tx: &mut Tx,
    job: &str,
    owner: Uuid,
    now: Millis,
    until: Millis,
) -> sqlx::Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .query(
            "INSERT INTO job_leases AS l (job, owner, epoch, expires_at) VALUES ($1, $2, 1, $4)
             ON CONFLICT (job) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at,
                epoch = CASE WHEN l.owner = excluded.owner THEN l.epoch ELSE l.epoch + 1 END
             WHERE l.owner = excluded.owner OR l.expires_at < $3 RETURNING epoch",
        )
        .bind(job)
        .bind(owner)
        .bind(now.0)
        .bind(until.0)
        .opt()
        .await?;
    Ok(row.map(|(epoch,)| epoch))
}

/// Whether the lease is still this owner's in this epoch; it stays so until the transaction ends.
pub async fn holds(tx: &mut Tx, job: &str, owner: Uuid, epoch: i64) -> sqlx::Result<bool> {
    // FOR SHARE keeps a new owner waiting until this transaction has ended; on SQLite no other writer exists meanwhile.
    let row: Option<(i64,)> = tx
        .query_split(
            "SELECT epoch FROM job_leases WHERE job = $1 AND owner = $2 AND epoch = $3 FOR SHARE",
            "SELECT epoch FROM job_leases WHERE job = $1 AND owner = $2 AND epoch = $3",
        )
        .bind(job)
        .bind(owner)
        .bind(epoch)
        .opt()
        .await?;
    Ok(row.is_some())
}

/// One row for the first to come with this occasion, none afterwards.
pub async fn mark_run(
    tx: &mut Tx,
    job: &str,
    scheduled_for: Millis,
    epoch: i64,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO job_runs (job, scheduled_for, epoch, finished_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(job)
    .bind(scheduled_for.0)
    .bind(epoch)
    .bind(now.0)
    .run()
    .await
}

pub async fn purge(tx: &mut Tx, then: Millis) -> sqlx::Result<u64> {
    let jobs =
        tx.query("DELETE FROM jobs WHERE state = 'done' AND finished_at < $1").bind(then.0).run().await?;
    let runs = tx.query("DELETE FROM job_runs WHERE scheduled_for < $1").bind(then.0).run().await?;
    Ok(jobs + runs)
}

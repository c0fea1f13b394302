use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use crate::{attendance::offline_sync::filter::Filter, db::Tx};

/// A row of `sync_retries`, with the numbers of its items while it runs.
#[derive(Debug, FromRow)]
pub struct Bulk {
    pub id: i64,
    pub action: String,
    pub device_id: Option<Uuid>,
    pub log_id: Option<Uuid>,
    pub reason: Option<String>,
    pub state: String,
    pub job_id: Option<i64>,
    pub total: i64,
    pub succeeded: i64,
    pub failed: i64,
    pub skipped: i64,
    pub created_by: i64,
    pub created_at: i64,
    pub finished_at: Option<i64>,
}

/// What a new one is to do.
#[derive(Debug, Clone, Copy)]
pub struct NewBulk<'b> {
    pub action: &'static str,
    /// Box and log, where it is about those alone.
    pub log: Option<(Uuid, Uuid)>,
    pub reason: Option<&'b str>,
    pub by: UserId,
}

/// `None`: one runs already.
pub async fn begin(
    tx: &mut Tx,
    institution: InstitutionId,
    new: &NewBulk<'_>,
    now: Millis,
) -> sqlx::Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .query(
            "INSERT INTO sync_retries (institution_id, action, device_id, log_id, reason, state, created_by, created_at)
             VALUES ($1, $2, $3, $4, $5, 'running', $6, $7)
             ON CONFLICT (institution_id, action) WHERE state = 'running' DO NOTHING RETURNING id",
        )
        .bind(institution.0)
        .bind(new.action)
        .bind(new.log.map(|(device, _)| device))
        .bind(new.log.map(|(_, log)| log))
        .bind(new.reason)
        .bind(new.by.0)
        .bind(now.0)
        .opt()
        .await?;
    Ok(row.map(|(id,)| id))
}

pub async fn running(tx: &mut Tx, institution: InstitutionId, action: &str) -> sqlx::Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .query("SELECT id FROM sync_retries WHERE institution_id = $1 AND action = $2 AND state = 'running'")
        .bind(institution.0)
        .bind(action)
        .opt()
        .await?;
    Ok(row.map(|(id,)| id))
}

/// The one that was begun last, whatever it does.
pub async fn latest(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .query("SELECT id FROM sync_retries WHERE institution_id = $1 ORDER BY id DESC LIMIT 1")
        .bind(institution.0)
        .opt()
        .await?;
    Ok(row.map(|(id,)| id))
}

pub async fn by_id(tx: &mut Tx, institution: InstitutionId, id: i64) -> sqlx::Result<Option<Bulk>> {
    tx.query(
        "SELECT b.id, b.action, b.device_id, b.log_id, b.reason, b.state, b.job_id,
            b.total + COUNT(i.record_id) AS total,
            b.succeeded + COUNT(CASE WHEN i.outcome = 'succeeded' THEN 1 END) AS succeeded,
            b.failed + COUNT(CASE WHEN i.outcome = 'failed' THEN 1 END) AS failed,
            b.skipped + COUNT(CASE WHEN i.outcome = 'skipped' THEN 1 END) AS skipped,
            b.created_by, b.created_at, b.finished_at
         FROM sync_retries b LEFT JOIN sync_retry_items i ON i.institution_id = b.institution_id AND i.retry_id = b.id
         WHERE b.institution_id = $1 AND b.id = $2 GROUP BY b.id",
    )
    .bind(institution.0)
    .bind(id)
    .opt()
    .await
}

/// How many of the ids are records of the school. The two take a list of ids differently.
pub async fn known(tx: &mut Tx, institution: InstitutionId, ids: &[i64]) -> sqlx::Result<i64> {
    let (count,) = tx
        .query_split(
            "SELECT COUNT(*) FROM sync_records WHERE institution_id = $1 AND id = ANY($2)",
            "SELECT COUNT(*) FROM sync_records WHERE institution_id = $1 AND id IN (SELECT value FROM json_each($2))",
        )
        .bind(institution.0)
        .bind_split(|| ids.to_vec(), || json!(ids).to_string())
        .one()
        .await?;
    Ok(count)
}

pub async fn take_ids(tx: &mut Tx, institution: InstitutionId, bulk: i64, ids: &[i64]) -> sqlx::Result<u64> {
    tx.query_split(
        "INSERT INTO sync_retry_items (institution_id, retry_id, record_id)
         SELECT institution_id, $2, id FROM sync_records WHERE institution_id = $1 AND id = ANY($3)",
        "INSERT INTO sync_retry_items (institution_id, retry_id, record_id)
         SELECT institution_id, $2, id FROM sync_records
         WHERE institution_id = $1 AND id IN (SELECT value FROM json_each($3))",
    )
    .bind(institution.0)
    .bind(bulk)
    .bind_split(|| ids.to_vec(), || json!(ids).to_string())
    .run()
    .await
}

/// All that failed and meet the filter, as they are now.
pub async fn take_filtered(
    tx: &mut Tx,
    institution: InstitutionId,
    bulk: i64,
    filter: &Filter,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO sync_retry_items (institution_id, retry_id, record_id)
         SELECT institution_id, $2, id FROM sync_records WHERE institution_id = $1
         AND verdict <> 'stored' AND verdict IN ('conflict', 'refused', 'quarantined')
         AND (CAST($3 AS BIGINT) IS NULL OR user_id = $3)
         AND (CAST($4 AS TEXT) IS NULL OR $4 = 'failed')
         AND (CAST($5 AS TEXT) IS NULL OR verdict = $5)
         AND (CAST($6 AS TEXT) IS NULL OR action_type = $6)
         AND (CAST($7 AS UUID) IS NULL OR device_id = $7)
         AND (CAST($8 AS BIGINT) IS NULL OR happened_at >= $8)
         AND (CAST($9 AS BIGINT) IS NULL OR happened_at <= $9)
         AND (CAST($10 AS TEXT) IS NULL OR LOWER(error_message) LIKE $10 ESCAPE '!'
            OR user_id IN (SELECT u.id FROM users u WHERE u.institution_id = $1
                AND (LOWER(u.name) LIKE $10 ESCAPE '!' OR LOWER(u.nisn_nip_nik) LIKE $10 ESCAPE '!')))",
    )
    .bind(institution.0)
    .bind(bulk)
    .bind(filter.user)
    .bind(filter.status.as_deref())
    .bind(filter.verdict.as_deref())
    .bind(filter.action.as_deref())
    .bind(filter.device)
    .bind(filter.from.map(|at| at.0))
    .bind(filter.until.map(|at| at.0))
    .bind(filter.pattern())
    .run()
    .await
}

pub async fn take_quarantined(
    tx: &mut Tx,
    institution: InstitutionId,
    bulk: i64,
    (device, log): (Uuid, Uuid),
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO sync_retry_items (institution_id, retry_id, record_id)
         SELECT institution_id, $2, id FROM sync_records
         WHERE institution_id = $1 AND device_id = $3 AND log_id = $4 AND verdict = 'quarantined'",
    )
    .bind(institution.0)
    .bind(bulk)
    .bind(device)
    .bind(log)
    .run()
    .await
}

/// Whether the school has the log.
pub async fn has_log(
    tx: &mut Tx,
    institution: InstitutionId,
    (device, log): (Uuid, Uuid),
) -> sqlx::Result<bool> {
    let row: Option<(i64,)> = tx
        .query(
            "SELECT high_seq FROM device_logs WHERE institution_id = $1 AND device_id = $2 AND log_id = $3",
        )
        .bind(institution.0)
        .bind(device)
        .bind(log)
        .opt()
        .await?;
    Ok(row.is_some())
}

/// One row when it runs and no job drives it: it is new, or its job has failed for good. The caller's job drives it next.
pub async fn is_adrift(tx: &mut Tx, institution: InstitutionId, id: i64) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE sync_retries SET job_id = NULL WHERE institution_id = $1 AND id = $2 AND state = 'running'
            AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = job_id AND j.state IN ('waiting', 'running'))",
    )
    .bind(institution.0)
    .bind(id)
    .run()
    .await
}

/// One row for the job that drives it; none for one that was overtaken.
pub async fn leave(tx: &mut Tx, institution: InstitutionId, id: i64, job: i64) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE sync_retries SET job_id = NULL
         WHERE institution_id = $1 AND id = $2 AND state = 'running' AND job_id = $3",
    )
    .bind(institution.0)
    .bind(id)
    .bind(job)
    .run()
    .await
}

pub async fn drive(tx: &mut Tx, institution: InstitutionId, id: i64, job: i64) -> sqlx::Result<u64> {
    tx.query("UPDATE sync_retries SET job_id = $3 WHERE institution_id = $1 AND id = $2")
        .bind(institution.0)
        .bind(id)
        .bind(job)
        .run()
        .await
}

pub async fn open_items(
    tx: &mut Tx,
    institution: InstitutionId,
    id: i64,
    limit: i64,
) -> sqlx::Result<Vec<(i64,)>> {
    tx.query(
        "SELECT record_id FROM sync_retry_items WHERE institution_id = $1 AND retry_id = $2 AND outcome IS NULL
         ORDER BY record_id LIMIT $3",
    )
    .bind(institution.0)
    .bind(id)
    .bind(limit)
    .all()
    .await
}

/// One row for the first to come; whoever else comes waits, and then gets none.
pub async fn claim_item(tx: &mut Tx, institution: InstitutionId, id: i64, record: i64) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE sync_retry_items SET outcome = 'skipped'
         WHERE institution_id = $1 AND retry_id = $2 AND record_id = $3 AND outcome IS NULL",
    )
    .bind(institution.0)
    .bind(id)
    .bind(record)
    .run()
    .await
}

pub async fn finish_item(
    tx: &mut Tx,
    institution: InstitutionId,
    id: i64,
    record: i64,
    outcome: &str,
) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE sync_retry_items SET outcome = $4 WHERE institution_id = $1 AND retry_id = $2 AND record_id = $3",
    )
    .bind(institution.0)
    .bind(id)
    .bind(record)
    .bind(outcome)
    .run()
    .await
}

/// Writes its numbers down and lets its items go, once none is open. No row: it is not at its end, or was ended before.
pub async fn finish(tx: &mut Tx, institution: InstitutionId, id: i64, now: Millis) -> sqlx::Result<u64> {
    let ended = tx
        .query(
            "UPDATE sync_retries SET state = 'done', finished_at = $3, job_id = NULL,
                total = (SELECT COUNT(*) FROM sync_retry_items i WHERE i.institution_id = $1 AND i.retry_id = $2),
                succeeded = (SELECT COUNT(*) FROM sync_retry_items i
                    WHERE i.institution_id = $1 AND i.retry_id = $2 AND i.outcome = 'succeeded'),
                failed = (SELECT COUNT(*) FROM sync_retry_items i
                    WHERE i.institution_id = $1 AND i.retry_id = $2 AND i.outcome = 'failed'),
                skipped = (SELECT COUNT(*) FROM sync_retry_items i
                    WHERE i.institution_id = $1 AND i.retry_id = $2 AND i.outcome = 'skipped')
             WHERE institution_id = $1 AND id = $2 AND state = 'running' AND NOT EXISTS (SELECT 1 FROM sync_retry_items i
                WHERE i.institution_id = $1 AND i.retry_id = $2 AND i.outcome IS NULL)",
        )
        .bind(institution.0)
        .bind(id)
        .bind(now.0)
        .run()
        .await?;
    if ended == 1 {
        tx.query("DELETE FROM sync_retry_items WHERE institution_id = $1 AND retry_id = $2")
            .bind(institution.0)
            .bind(id)
            .run()
            .await?;
    }
    Ok(ended)
}

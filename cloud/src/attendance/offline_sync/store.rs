use hadir_shared::{
    chain::Head,
    ids::{InstitutionId, LogId, UserId},
    time::Millis,
    wire::batch::{Reason, Verdict},
};
use sqlx::FromRow;
use uuid::Uuid;

use super::Filter;
use crate::{db::Tx, http::Page};

#[derive(Debug, FromRow)]
pub struct Row {
    pub id: i64,
    pub device_id: Uuid,
    pub seq: i64,
    pub body: String,
    #[sqlx(try_from = "i64")]
    pub received_at: Millis,
    pub verdict: String,
    pub reason: Option<String>,
    pub error_message: Option<String>,
    pub action_type: String,
    pub user_id: Option<i64>,
    pub claimed_at: Option<i64>,
    pub trusted_at: Option<i64>,
    pub tries: i64,
}

/// A record that was just decided.
#[derive(Debug)]
pub struct NewRow<'r> {
    pub device: Uuid,
    pub log: LogId,
    /// The log's head with this record.
    pub head: Head,
    pub body: &'r str,
    pub verdict: Verdict,
    pub reason: Option<Reason>,
    pub message: Option<&'r str>,
    pub user: Option<UserId>,
    pub at: Option<Millis>,
    pub attendance_id: Option<i64>,
}

pub async fn count(tx: &mut Tx, institution: InstitutionId, filter: &Filter) -> sqlx::Result<i64> {
    let (count,) = tx
        .query(
            "SELECT COUNT(*) FROM sync_records WHERE institution_id = $1
             AND (CAST($2 AS BIGINT) IS NULL OR user_id = $2)
             AND (CAST($3 AS TEXT) IS NULL
                OR CASE WHEN verdict IN ('stored', 'duplicate') THEN 'success' ELSE 'failed' END = $3)
             AND (CAST($4 AS TEXT) IS NULL OR action_type = $4)
             AND (CAST($5 AS UUID) IS NULL OR device_id = $5)
             AND (CAST($6 AS BIGINT) IS NULL OR COALESCE(trusted_at, received_at) >= $6)
             AND (CAST($7 AS BIGINT) IS NULL OR COALESCE(trusted_at, received_at) < $7)",
        )
        .bind(institution.0)
        .bind(filter.user)
        .bind(filter.status.as_deref())
        .bind(filter.action.as_deref())
        .bind(filter.device)
        .bind(filter.from.map(|at| at.0))
        .bind(filter.until.map(|at| at.0))
        .one()
        .await?;
    Ok(count)
}

pub async fn page(
    tx: &mut Tx,
    institution: InstitutionId,
    filter: &Filter,
    page: &Page,
) -> sqlx::Result<Vec<Row>> {
    tx.query(
        "SELECT * FROM sync_records WHERE institution_id = $1
         AND (CAST($2 AS BIGINT) IS NULL OR user_id = $2)
         AND (CAST($3 AS TEXT) IS NULL
            OR CASE WHEN verdict IN ('stored', 'duplicate') THEN 'success' ELSE 'failed' END = $3)
         AND (CAST($4 AS TEXT) IS NULL OR action_type = $4)
         AND (CAST($5 AS UUID) IS NULL OR device_id = $5)
         AND (CAST($6 AS BIGINT) IS NULL OR COALESCE(trusted_at, received_at) >= $6)
         AND (CAST($7 AS BIGINT) IS NULL OR COALESCE(trusted_at, received_at) < $7)
         ORDER BY id DESC LIMIT $8 OFFSET $9",
    )
    .bind(institution.0)
    .bind(filter.user)
    .bind(filter.status.as_deref())
    .bind(filter.action.as_deref())
    .bind(filter.device)
    .bind(filter.from.map(|at| at.0))
    .bind(filter.until.map(|at| at.0))
    .bind(page.per_page)
    .bind(page.offset())
    .all()
    .await
}

pub async fn by_id(tx: &mut Tx, institution: InstitutionId, id: i64) -> sqlx::Result<Option<Row>> {
    tx.query("SELECT * FROM sync_records WHERE institution_id = $1 AND id = $2")
        .bind(institution.0)
        .bind(id)
        .opt()
        .await
}

/// Counts a try of a failed record and keeps everybody else from it until the commit.
pub async fn claim_failed(
    tx: &mut Tx,
    institution: InstitutionId,
    id: i64,
    now: Millis,
) -> sqlx::Result<Option<Row>> {
    tx.query(
        "UPDATE sync_records SET tries = tries + 1, decided_at = $3
         WHERE institution_id = $1 AND id = $2 AND verdict IN ('conflict', 'refused', 'quarantined') RETURNING *",
    )
    .bind(institution.0)
    .bind(id)
    .bind(now.0)
    .opt()
    .await
}

/// Writes what a new try came to. A success has no message.
pub async fn decide(
    tx: &mut Tx,
    institution: InstitutionId,
    id: i64,
    verdict: Verdict,
    reason: Option<Reason>,
    attendance_id: Option<i64>,
    now: Millis,
) -> sqlx::Result<u64> {
    let failed = reason.filter(|_| !verdict.is_success());
    tx.query(
        "UPDATE sync_records SET verdict = $3, reason = $4, error_message = $5, attendance_id = $6, decided_at = $7,
            user_id = COALESCE((SELECT user_id FROM attendance WHERE institution_id = $1 AND id = $6), user_id)
         WHERE institution_id = $1 AND id = $2",
    )
    .bind(institution.0)
    .bind(id)
    .bind(verdict.as_str())
    .bind(reason.map(Reason::as_str))
    .bind(failed.map(Reason::message))
    .bind(attendance_id)
    .bind(now.0)
    .run()
    .await
}

/// The head of a sender's log, made where there is none, and locked.
pub async fn lock_head(
    tx: &mut Tx,
    institution: InstitutionId,
    device: Uuid,
    log: LogId,
    genesis: &str,
    now: Millis,
) -> sqlx::Result<(i64, String)> {
    tx.query(
        "INSERT INTO device_logs (institution_id, device_id, log_id, high_seq, high_hash, created_at, updated_at)
         VALUES ($1, $2, $3, 0, $4, $5, $5)
         ON CONFLICT (institution_id, device_id, log_id) DO UPDATE SET updated_at = excluded.updated_at
         RETURNING high_seq, high_hash",
    )
    .bind(institution.0)
    .bind(device)
    .bind(log.0)
    .bind(genesis)
    .bind(now.0)
    .one()
    .await
}

pub async fn move_head(
    tx: &mut Tx,
    institution: InstitutionId,
    device: Uuid,
    log: LogId,
    head: Head,
    now: Millis,
) -> sqlx::Result<()> {
    tx.query(
        "UPDATE device_logs SET high_seq = $4, high_hash = $5, updated_at = $6
         WHERE institution_id = $1 AND device_id = $2 AND log_id = $3",
    )
    .bind(institution.0)
    .bind(device)
    .bind(log.0)
    .bind(head.seq.cast_signed())
    .bind(head.hash.to_string())
    .bind(now.0)
    .run()
    .await?;
    Ok(())
}

pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    new: &NewRow<'_>,
    now: Millis,
) -> sqlx::Result<()> {
    let message = new.message.filter(|_| !new.verdict.is_success());
    tx.query(
        "INSERT INTO sync_records (institution_id, device_id, log_id, seq, body, hash, received_at, verdict, reason,
            error_message, action_type, user_id, claimed_at, trusted_at, attendance_id, decided_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'attendance', $11, $12, $12, $13, $7)",
    )
    .bind(institution.0)
    .bind(new.device)
    .bind(new.log.0)
    .bind(new.head.seq.cast_signed())
    .bind(new.body)
    .bind(new.head.hash.to_string())
    .bind(now.0)
    .bind(new.verdict.as_str())
    .bind(new.reason.map(Reason::as_str))
    .bind(message)
    .bind(new.user.map(|user| user.0))
    .bind(new.at.map(|at| at.0))
    .bind(new.attendance_id)
    .run()
    .await?;
    Ok(())
}

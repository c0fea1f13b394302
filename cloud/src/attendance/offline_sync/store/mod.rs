use hadir_shared::{
    chain::Head,
    ids::{InstitutionId, LogId, UserId},
    time::Millis,
    wire::batch::{Reason, Verdict},
};
use uuid::Uuid;

use crate::db::Tx;

pub mod bulk;
pub mod decisions;
pub mod list;

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

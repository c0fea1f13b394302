use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
    wire::batch::Reason,
};
use sqlx::FromRow;

use super::list::Row;
use crate::{
    attendance::offline_sync::decide::{Decision, Outcome, Said},
    db::Tx,
};

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

/// Writes what a new try came to, and what is known now of a record that could not be read before. A success has no message.
pub async fn decide(
    tx: &mut Tx,
    institution: InstitutionId,
    id: i64,
    outcome: &Outcome,
    now: Millis,
) -> sqlx::Result<u64> {
    let failed = outcome.reason.filter(|_| !outcome.is_success());
    tx.query(
        "UPDATE sync_records SET verdict = $3, reason = $4, error_message = $5, attendance_id = $6, decided_at = $7,
            user_id = COALESCE($8, user_id), action_type = COALESCE($9, action_type),
            claimed_at = COALESCE(claimed_at, $10), trusted_at = COALESCE(trusted_at, $11)
         WHERE institution_id = $1 AND id = $2",
    )
    .bind(institution.0)
    .bind(id)
    .bind(outcome.verdict)
    .bind(outcome.reason.map(Reason::as_str))
    .bind(failed.map(Reason::message))
    .bind(outcome.attendance)
    .bind(now.0)
    .bind(outcome.user.map(|user| user.0))
    .bind(outcome.action)
    .bind(outcome.at.map(|at| at.claimed.0))
    .bind(outcome.at.map(|at| at.trusted.0))
    .run()
    .await
}

/// No longer to be decided. `None`: it was not failed.
pub async fn discard(
    tx: &mut Tx,
    institution: InstitutionId,
    id: i64,
    now: Millis,
) -> sqlx::Result<Option<String>> {
    // RETURNING tells what is, not what was; the row that is read is locked, so that both are of one moment.
    let before: Option<(String,)> = tx
        .query_split(
            "SELECT verdict FROM sync_records WHERE institution_id = $1 AND id = $2
                AND verdict IN ('conflict', 'refused', 'quarantined') FOR UPDATE",
            "SELECT verdict FROM sync_records WHERE institution_id = $1 AND id = $2
                AND verdict IN ('conflict', 'refused', 'quarantined')",
        )
        .bind(institution.0)
        .bind(id)
        .opt()
        .await?;
    let Some((before,)) = before else { return Ok(None) };
    tx.query(
        "UPDATE sync_records SET verdict = 'discarded', decided_at = $3 WHERE institution_id = $1 AND id = $2",
    )
    .bind(institution.0)
    .bind(id)
    .bind(now.0)
    .run()
    .await?;
    Ok(Some(before))
}

/// As it was before it was discarded, which it answers. `None`: it is not.
pub async fn reopen(
    tx: &mut Tx,
    institution: InstitutionId,
    id: i64,
    now: Millis,
) -> sqlx::Result<Option<String>> {
    let row: Option<(String,)> = tx
        .query(
            "UPDATE sync_records SET decided_at = $3, verdict = (SELECT d.verdict_before FROM sync_decisions d
                WHERE d.institution_id = $1 AND d.record_id = $2 AND d.action = 'discard' ORDER BY d.id DESC LIMIT 1)
             WHERE institution_id = $1 AND id = $2 AND verdict = 'discarded' RETURNING verdict",
        )
        .bind(institution.0)
        .bind(id)
        .bind(now.0)
        .opt()
        .await?;
    Ok(row.map(|(verdict,)| verdict))
}

pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    record: i64,
    decision: &Decision<'_>,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO sync_decisions (institution_id, record_id, at, decided_by, action, reason, user_id, trusted_at,
            verdict_before, verdict_after, error)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(institution.0)
    .bind(record)
    .bind(now.0)
    .bind(decision.by.0)
    .bind(decision.action)
    .bind(decision.words)
    .bind(decision.user.map(|user| user.0))
    .bind(decision.at.map(|at| at.0))
    .bind(decision.before)
    .bind(decision.after)
    .bind(decision.error)
    .run()
    .await
}

/// A row of `sync_decisions`.
#[derive(Debug, FromRow)]
pub struct Made {
    pub at: i64,
    pub decided_by: i64,
    pub action: String,
    pub reason: Option<String>,
    pub user_id: Option<i64>,
    pub trusted_at: Option<i64>,
    pub verdict_before: String,
    pub verdict_after: String,
    pub error: Option<String>,
}

/// In the order they were made.
pub async fn of_record(tx: &mut Tx, institution: InstitutionId, record: i64) -> sqlx::Result<Vec<Made>> {
    tx.query("SELECT * FROM sync_decisions WHERE institution_id = $1 AND record_id = $2 ORDER BY id")
        .bind(institution.0)
        .bind(record)
        .all()
        .await
}

/// What people said about a record: the last word counts of each kind.
pub async fn said(tx: &mut Tx, institution: InstitutionId, record: i64) -> sqlx::Result<Said> {
    let (user, at): (Option<i64>, Option<i64>) = tx
        .query(
            "SELECT (SELECT user_id FROM sync_decisions WHERE institution_id = $1 AND record_id = $2
                    AND user_id IS NOT NULL ORDER BY id DESC LIMIT 1),
                (SELECT trusted_at FROM sync_decisions WHERE institution_id = $1 AND record_id = $2
                    AND trusted_at IS NOT NULL ORDER BY id DESC LIMIT 1)",
        )
        .bind(institution.0)
        .bind(record)
        .one()
        .await?;
    Ok(Said { user: user.map(UserId), at: at.map(Millis) })
}

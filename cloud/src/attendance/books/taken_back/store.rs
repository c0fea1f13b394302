use chrono::Duration;
use hadir_shared::{
    ids::InstitutionId,
    rules::duplicate::NaturalKey,
    time::Millis,
    wire::{
        batch::{Reason, Verdict},
        record::Record,
    },
};
use sqlx::FromRow;
use uuid::Uuid;

use super::Undo;
use crate::db::Tx;

/// Whether this scan was taken back before: the row it had, if any.
pub async fn undone(
    tx: &mut Tx,
    institution: InstitutionId,
    undo: &Undo,
) -> sqlx::Result<Option<Option<i64>>> {
    let row: Option<(Option<i64>,)> = tx
        .query(
            "SELECT attendance_id FROM attendance_voids WHERE institution_id = $1 AND device_id = $2 AND scan_event = $3",
        )
        .bind(institution.0)
        .bind(undo.device.0)
        .bind(undo.void.scan.0)
        .opt()
        .await?;
    Ok(row.map(|(attendance,)| attendance))
}

#[derive(FromRow)]
pub struct Standing {
    pub id: i64,
    pub device_id: Option<Uuid>,
    pub trusted_at: i64,
}

/// The row of the scan. Nobody corrects it, or decides by it, until the commit.
pub async fn row(tx: &mut Tx, institution: InstitutionId, undo: &Undo) -> sqlx::Result<Option<Standing>> {
    // SQLite has one writer, and no FOR UPDATE.
    tx.query_split(
        "SELECT id, device_id, trusted_at FROM attendance /* taken back, too */
         WHERE institution_id = $1 AND user_id = $2 AND day = $3 AND type = $4 AND event_id = $5 AND status <> 'alpha' FOR UPDATE",
        "SELECT id, device_id, trusted_at FROM attendance /* taken back, too */
         WHERE institution_id = $1 AND user_id = $2 AND day = $3 AND type = $4 AND event_id = $5 AND status <> 'alpha'",
    )
    .bind(institution.0)
    .bind(undo.void.user.0)
    .bind(undo.void.day.0)
    .bind(undo.void.direction.as_str())
    .bind(undo.void.scan.0)
    .opt()
    .await
}

/// A record that said the same as what stands, or otherwise.
#[derive(FromRow)]
pub struct Rival {
    pub id: i64,
    pub device_id: Uuid,
    body: String,
}

impl Rival {
    pub fn read(&self) -> Option<Record> {
        serde_json::from_str(&self.body).ok()
    }
}

/// The records of about that day that were not entered because a row stood, in the order they came. One that somebody
/// decides about at this moment is left to him: he waits for the row, and then finds it gone.
pub async fn rivals(tx: &mut Tx, institution: InstitutionId, key: NaturalKey) -> sqlx::Result<Vec<Rival>> {
    // Wherever the school is: its day lies within these.
    let midnight = key.day.0.and_time(chrono::NaiveTime::MIN).and_utc();
    let (from, to) = (midnight - Duration::days(1), midnight + Duration::days(2));
    tx.query_split(
        "SELECT id, device_id, body FROM sync_records
         WHERE institution_id = $1 AND user_id = $2 AND verdict IN ('duplicate', 'conflict')
            AND reason IN ('already_recorded', 'contradicts') AND raw IS NULL AND trusted_at BETWEEN $3 AND $4
         ORDER BY id FOR UPDATE SKIP LOCKED",
        "SELECT id, device_id, body FROM sync_records
         WHERE institution_id = $1 AND user_id = $2 AND verdict IN ('duplicate', 'conflict')
            AND reason IN ('already_recorded', 'contradicts') AND raw IS NULL AND trusted_at BETWEEN $3 AND $4
         ORDER BY id",
    )
    .bind(institution.0)
    .bind(key.user.0)
    .bind(from.timestamp_millis())
    .bind(to.timestamp_millis())
    .all()
    .await
}

/// Whether the person's check-out of that day stands.
pub async fn is_checked_out(tx: &mut Tx, institution: InstitutionId, key: NaturalKey) -> sqlx::Result<bool> {
    let (is,) = tx
        .query(
            "SELECT EXISTS (SELECT 1 FROM attendance a
                WHERE a.institution_id = $1 AND a.user_id = $2 AND a.day = $3 AND a.type = 'checkout' AND a.status <> 'alpha'
                    AND NOT EXISTS (SELECT 1 FROM attendance_voids v
                        WHERE v.institution_id = $1 AND v.attendance_id = a.id))",
        )
        .bind(institution.0)
        .bind(key.user.0)
        .bind(key.day.0)
        .one()
        .await?;
    Ok(is)
}

/// Whether somebody decided about that day and direction.
pub async fn is_corrected(tx: &mut Tx, institution: InstitutionId, key: NaturalKey) -> sqlx::Result<bool> {
    let (is,) = tx
        .query(
            "SELECT EXISTS (SELECT 1 FROM attendance_corrections
                WHERE institution_id = $1 AND user_id = $2 AND day = $3 AND type = $4)",
        )
        .bind(institution.0)
        .bind(key.user.0)
        .bind(key.day.0)
        .bind(key.direction.as_str())
        .one()
        .await?;
    Ok(is)
}

/// No row where it is there already.
pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    undo: &Undo,
    attendance: Option<i64>,
    now: Millis,
) -> sqlx::Result<u64> {
    let void = &undo.void;
    tx.query(
        "INSERT INTO attendance_voids (institution_id, attendance_id, device_id, scan_event, event_id, user_id, day, type,
            reason, gate, operator_id, trusted_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
    )
    .bind(institution.0)
    .bind(attendance)
    .bind(undo.device.0)
    .bind(void.scan.0)
    .bind(undo.event.0)
    .bind(void.user.0)
    .bind(void.day.0)
    .bind(void.direction.as_str())
    .bind(&*void.reason)
    .bind(&*void.gate)
    .bind(void.operator.map(|operator| operator.0))
    .bind(undo.at.trusted.0)
    .bind(now.0)
    .run()
    .await
}

/// A record's new verdict. A success has no message.
pub async fn decide(
    tx: &mut Tx,
    institution: InstitutionId,
    record: i64,
    (verdict, reason, attendance): (Verdict, Option<Reason>, Option<i64>),
    now: Millis,
) -> sqlx::Result<u64> {
    let failed = reason.filter(|_| !verdict.is_success());
    tx.query(
        "UPDATE sync_records SET verdict = $3, reason = $4, error_message = $5, attendance_id = $6, decided_at = $7,
            tries = tries + 1
         WHERE institution_id = $1 AND id = $2",
    )
    .bind(institution.0)
    .bind(record)
    .bind(verdict.as_str())
    .bind(reason.map(Reason::as_str))
    .bind(failed.map(Reason::message))
    .bind(attendance)
    .bind(now.0)
    .run()
    .await
}

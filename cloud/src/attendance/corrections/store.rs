use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::{Millis, SchoolDay},
};

use super::{Correction, Decided};
use crate::{attendance::records::Row, db::Tx};

/// Corrections of one record follow each other: each says what it found.
pub async fn lock(tx: &mut Tx, institution: InstitutionId, attendance: i64) -> sqlx::Result<()> {
    // SQLite has one writer, and no FOR UPDATE.
    tx.query_split(
        "SELECT id FROM attendance /* taken back, too */ WHERE institution_id = $1 AND id = $2 FOR UPDATE",
        "SELECT id FROM attendance /* taken back, too */ WHERE institution_id = $1 AND id = $2",
    )
    .bind(institution.0)
    .bind(attendance)
    .opt::<(i64,)>()
    .await
    .map(drop)
}

pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    row: &Row,
    decided: &Decided<'_>,
    now: Millis,
) -> sqlx::Result<Correction> {
    tx.query(
        "INSERT INTO attendance_corrections (institution_id, attendance_id, user_id, day, type, status_before, status_after,
            late_minutes_before, late_minutes_after, reason, corrected_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         RETURNING id, day, type, status_before, status_after, late_minutes_before, late_minutes_after, reason, corrected_by,
            created_at",
    )
    .bind(institution.0)
    .bind(row.id)
    .bind(row.user_id.0)
    .bind(row.day)
    .bind(row.direction.as_str())
    .bind(row.status.as_str())
    .bind(decided.status.as_str())
    .bind(row.late_minutes)
    .bind(decided.late_minutes)
    .bind(decided.reason)
    .bind(decided.by.0)
    .bind(now.0)
    .one()
    .await
}

/// A person's, between two days (both included), the oldest first.
pub async fn of_person(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    (first, last): (SchoolDay, SchoolDay),
) -> sqlx::Result<Vec<Correction>> {
    tx.query(
        "SELECT id, day, type, status_before, status_after, late_minutes_before, late_minutes_after, reason, corrected_by,
            created_at FROM attendance_corrections
         WHERE institution_id = $1 AND user_id = $2 AND day BETWEEN $3 AND $4 ORDER BY id",
    )
    .bind(institution.0)
    .bind(user.0)
    .bind(first.0)
    .bind(last.0)
    .all()
    .await
}

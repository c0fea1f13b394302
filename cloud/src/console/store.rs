use chrono::NaiveDate;
use hadir_shared::{ids::InstitutionId, time::SchoolDay};
use serde_json::json;

use super::shell::School;
use crate::{attendance::fleet::alerts::Heard, db::Tx};

/// An active school, with the zone its settings name.
pub async fn school(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Option<School>> {
    tx.query(
        "SELECT i.id, i.code, i.name, s.value AS zone FROM institutions i
         LEFT JOIN settings s ON s.institution_id = i.id AND s.key_name = 'timezone'
         WHERE i.id = $1 AND i.is_active",
    )
    .bind(institution.0)
    .opt()
    .await
}

/// What tells that there is something new in a school: numbers that rise with whatever a page shows. Each is one step into
/// an index that begins with the school.
/// `since` is yesterday or today: what came in on a day is the only thing counted.
pub async fn pulse(tx: &mut Tx, institution: InstitutionId, since: SchoolDay) -> sqlx::Result<Pulse> {
    tx.query(
        "SELECT
           (SELECT MAX(id) FROM sync_records WHERE institution_id = $1) AS records,
           (SELECT MAX(id) FROM sync_decisions WHERE institution_id = $1) AS decisions,
           (SELECT COUNT(*) FROM attendance /* taken back, too */ WHERE institution_id = $1 AND day >= $2) AS attendance,
           (SELECT MAX(at) FROM audit_log WHERE institution_id = $1) AS audited,
           (SELECT latest FROM feed_heads WHERE institution_id = $1) AS roster,
           (SELECT MAX(last_seen_at) / 15000 FROM edge_devices WHERE institution_id = $1) AS seen",
    )
    .bind(institution.0)
    .bind(since.0)
    .one()
    .await
}

/// See [`pulse`].
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Pulse {
    records: Option<i64>,
    decisions: Option<i64>,
    attendance: i64,
    audited: Option<i64>,
    roster: Option<i64>,
    /// Rounded to a quarter of a minute: a box that is only heard of again is no news.
    seen: Option<i64>,
}

// All schools.

/// An active school.
#[derive(Debug, sqlx::FromRow)]
pub struct Found {
    pub id: i64,
    pub code: String,
    pub name: String,
}

/// Those whose name or code fits a pattern, by name.
pub async fn schools(
    tx: &mut Tx,
    pattern: Option<&str>,
    limit: i64,
    offset: i64,
) -> sqlx::Result<Vec<Found>> {
    tx.query(
        "SELECT id, code, name FROM institutions WHERE is_active
            AND (CAST($1 AS TEXT) IS NULL OR LOWER(name) LIKE $1 ESCAPE '!' OR LOWER(code) LIKE $1 ESCAPE '!')
         ORDER BY name, id LIMIT $2 OFFSET $3",
    )
    .bind(pattern)
    .bind(limit)
    .bind(offset)
    .all()
    .await
}

pub async fn count_schools(tx: &mut Tx, pattern: Option<&str>) -> sqlx::Result<i64> {
    let (count,) = tx
        .query(
            "SELECT COUNT(*) FROM institutions WHERE is_active
                AND (CAST($1 AS TEXT) IS NULL OR LOWER(name) LIKE $1 ESCAPE '!' OR LOWER(code) LIKE $1 ESCAPE '!')",
        )
        .bind(pattern)
        .one()
        .await?;
    Ok(count)
}

/// A school, for a list to choose from.
#[derive(Debug, sqlx::FromRow)]
pub struct Named {
    pub id: i64,
    pub name: String,
    pub is_active: bool,
}

/// Those that are switched off, too: something may still be theirs.
pub async fn every_school(tx: &mut Tx) -> sqlx::Result<Vec<Named>> {
    tx.query("SELECT id, name, is_active FROM institutions ORDER BY name, id").all().await
}

// Of several schools at once; the two databases take a list of ids differently.

/// School, key, value.
pub async fn settings(tx: &mut Tx, schools: &[i64]) -> sqlx::Result<Vec<(i64, String, String)>> {
    tx.query_split(
        "SELECT institution_id, key_name, value FROM settings WHERE institution_id = ANY($1)",
        "SELECT institution_id, key_name, value FROM settings
         WHERE institution_id IN (SELECT value FROM json_each($1))",
    )
    .bind_split(|| schools.to_vec(), || json!(schools).to_string())
    .all()
    .await
}

/// School and day.
pub async fn holidays(
    tx: &mut Tx,
    schools: &[i64],
    (first, last): (SchoolDay, SchoolDay),
) -> sqlx::Result<Vec<(i64, NaiveDate)>> {
    tx.query_split(
        "SELECT institution_id, day FROM holidays WHERE institution_id = ANY($1) AND day BETWEEN $2 AND $3",
        "SELECT institution_id, day FROM holidays
         WHERE institution_id IN (SELECT value FROM json_each($1)) AND day BETWEEN $2 AND $3",
    )
    .bind_split(|| schools.to_vec(), || json!(schools).to_string())
    .bind(first.0)
    .bind(last.0)
    .all()
    .await
}

/// Every box that is not revoked.
pub async fn boxes(tx: &mut Tx, schools: &[i64]) -> sqlx::Result<Vec<Heard>> {
    tx.query_split(
        "SELECT institution_id, id, name, enrolled_at, last_seen_at, clock_offset_ms, disk_free_bytes
         FROM edge_devices WHERE institution_id = ANY($1) AND revoked_at IS NULL ORDER BY institution_id, enrolled_at, id",
        "SELECT institution_id, id, name, enrolled_at, last_seen_at, clock_offset_ms, disk_free_bytes
         FROM edge_devices WHERE institution_id IN (SELECT value FROM json_each($1)) AND revoked_at IS NULL
         ORDER BY institution_id, enrolled_at, id",
    )
    .bind_split(|| schools.to_vec(), || json!(schools).to_string())
    .all()
    .await
}

/// School, and its active students.
pub async fn students(tx: &mut Tx, schools: &[i64]) -> sqlx::Result<Vec<(i64, i64)>> {
    tx.query_split(
        "SELECT u.institution_id, COUNT(*) FROM users u JOIN user_roles r ON r.user_id = u.id AND r.role_id = 1
         WHERE u.institution_id = ANY($1) AND u.is_active GROUP BY u.institution_id",
        "SELECT u.institution_id, COUNT(*) FROM users u JOIN user_roles r ON r.user_id = u.id AND r.role_id = 1
         WHERE u.institution_id IN (SELECT value FROM json_each($1)) AND u.is_active GROUP BY u.institution_id",
    )
    .bind_split(|| schools.to_vec(), || json!(schools).to_string())
    .all()
    .await
}

/// School, and its records that wait for a decision, counted no further than `most`.
pub async fn refused(tx: &mut Tx, schools: &[i64], most: i64) -> sqlx::Result<Vec<(i64, i64)>> {
    tx.query_split(
        "SELECT i.id, (SELECT COUNT(*) FROM (SELECT 1 AS one FROM sync_records r WHERE r.institution_id = i.id
                AND r.verdict <> 'stored' AND r.verdict IN ('conflict', 'refused', 'quarantined') LIMIT $2) AS found)
         FROM institutions i WHERE i.id = ANY($1)",
        "SELECT i.id, (SELECT COUNT(*) FROM (SELECT 1 AS one FROM sync_records r WHERE r.institution_id = i.id
                AND r.verdict <> 'stored' AND r.verdict IN ('conflict', 'refused', 'quarantined') LIMIT $2) AS found)
         FROM institutions i WHERE i.id IN (SELECT value FROM json_each($1))",
    )
    .bind_split(|| schools.to_vec(), || json!(schools).to_string())
    .bind(most)
    .all()
    .await
}

/// How many students of a school came on a day, by how they were recorded.
#[derive(Debug, sqlx::FromRow)]
pub struct Came {
    pub institution_id: i64,
    pub day: NaiveDate,
    pub status: String,
    pub people: i64,
}

pub async fn came(
    tx: &mut Tx,
    schools: &[i64],
    (first, last): (SchoolDay, SchoolDay),
) -> sqlx::Result<Vec<Came>> {
    tx.query_split(
        "SELECT a.institution_id, a.day, a.status, COUNT(*) AS people FROM attendance a
         JOIN user_roles r ON r.user_id = a.user_id AND r.role_id = 1
         WHERE a.institution_id = ANY($1) AND a.day BETWEEN $2 AND $3 AND a.type = 'checkin' AND a.status <> 'alpha'
            AND NOT EXISTS (SELECT 1 FROM attendance_voids v
                WHERE v.institution_id = a.institution_id AND v.attendance_id = a.id)
         GROUP BY a.institution_id, a.day, a.status",
        "SELECT a.institution_id, a.day, a.status, COUNT(*) AS people FROM attendance a
         JOIN user_roles r ON r.user_id = a.user_id AND r.role_id = 1
         WHERE a.institution_id IN (SELECT value FROM json_each($1)) AND a.day BETWEEN $2 AND $3
            AND a.type = 'checkin' AND a.status <> 'alpha'
            AND NOT EXISTS (SELECT 1 FROM attendance_voids v
                WHERE v.institution_id = a.institution_id AND v.attendance_id = a.id)
         GROUP BY a.institution_id, a.day, a.status",
    )
    .bind_split(|| schools.to_vec(), || json!(schools).to_string())
    .bind(first.0)
    .bind(last.0)
    .all()
    .await
}

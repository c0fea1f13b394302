use hadir_shared::{ids::InstitutionId, time::SchoolDay};

use super::shell::School;
use crate::db::Tx;

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
           (SELECT COUNT(*) FROM attendance WHERE institution_id = $1 AND day >= $2) AS attendance,
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

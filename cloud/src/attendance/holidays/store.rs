use hadir_shared::{
    ids::InstitutionId,
    time::{Millis, SchoolDay},
};

use super::Holiday;
use crate::db::Tx;

/// From `first` to `last`, both included.
pub async fn between(
    tx: &mut Tx,
    institution: InstitutionId,
    (first, last): (SchoolDay, SchoolDay),
) -> sqlx::Result<Vec<Holiday>> {
    tx.query(
        "SELECT id, day, name, created_at FROM holidays
         WHERE institution_id = $1 AND day BETWEEN $2 AND $3 ORDER BY day",
    )
    .bind(institution.0)
    .bind(first.0)
    .bind(last.0)
    .all()
    .await
}

pub async fn by_id(tx: &mut Tx, institution: InstitutionId, id: i64) -> sqlx::Result<Option<Holiday>> {
    tx.query("SELECT id, day, name, created_at FROM holidays WHERE institution_id = $1 AND id = $2")
        .bind(institution.0)
        .bind(id)
        .opt()
        .await
}

/// `None`: the day is in the calendar already, and stays as it is.
pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    day: SchoolDay,
    name: &str,
    now: Millis,
) -> sqlx::Result<Option<Holiday>> {
    tx.query(
        "INSERT INTO holidays (institution_id, day, name, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (institution_id, day) DO NOTHING RETURNING id, day, name, created_at",
    )
    .bind(institution.0)
    .bind(day.0)
    .bind(name)
    .bind(now.0)
    .opt()
    .await
}

pub async fn update(
    tx: &mut Tx,
    institution: InstitutionId,
    id: i64,
    day: Option<SchoolDay>,
    name: Option<&str>,
) -> sqlx::Result<Option<Holiday>> {
    tx.query(
        "UPDATE holidays SET day = COALESCE($3, day), name = COALESCE($4, name)
         WHERE institution_id = $1 AND id = $2 RETURNING id, day, name, created_at",
    )
    .bind(institution.0)
    .bind(id)
    .bind(day.map(|day| day.0))
    .bind(name)
    .opt()
    .await
}

/// What stood there.
pub async fn delete(tx: &mut Tx, institution: InstitutionId, id: i64) -> sqlx::Result<Option<Holiday>> {
    tx.query("DELETE FROM holidays WHERE institution_id = $1 AND id = $2 RETURNING id, day, name, created_at")
        .bind(institution.0)
        .bind(id)
        .opt()
        .await
}

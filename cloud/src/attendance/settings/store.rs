use hadir_shared::{ids::InstitutionId, time::Millis};
use sqlx::FromRow;

use crate::db::Tx;

#[derive(FromRow)]
pub struct Row {
    pub key_name: String,
    pub value: String,
    pub description: String,
    #[sqlx(try_from = "i64")]
    pub updated_at: Millis,
}

/// 0 for a school that has never chosen anything.
pub async fn version(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<i64> {
    let row: Option<(i64,)> = tx
        .query("SELECT version FROM settings_versions WHERE institution_id = $1")
        .bind(institution.0)
        .opt()
        .await?;
    Ok(row.map_or(0, |(version,)| version))
}

/// Takes the lock under which a school's settings change.
pub async fn raise_version(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<i64> {
    let (version,) = tx
        .query(
            "INSERT INTO settings_versions (institution_id, version) VALUES ($1, 1)
             ON CONFLICT (institution_id) DO UPDATE SET version = settings_versions.version + 1 RETURNING version",
        )
        .bind(institution.0)
        .one()
        .await?;
    Ok(version)
}

pub async fn all(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<Row>> {
    tx.query("SELECT key_name, value, description, updated_at FROM settings WHERE institution_id = $1")
        .bind(institution.0)
        .all()
        .await
}

/// A description that is left out stays as it was, or is `usual`.
pub async fn put(
    tx: &mut Tx,
    institution: InstitutionId,
    key: &str,
    value: &str,
    description: Option<&str>,
    usual: &str,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO settings (institution_id, key_name, value, description, updated_at)
         VALUES ($1, $2, $3, COALESCE($4, $5), $6)
         ON CONFLICT (institution_id, key_name) DO UPDATE
         SET value = excluded.value, description = COALESCE($4, settings.description), updated_at = excluded.updated_at",
    )
    .bind(institution.0)
    .bind(key)
    .bind(value)
    .bind(description)
    .bind(usual)
    .bind(now.0)
    .run()
    .await
}

pub async fn institution_since(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Millis> {
    let (at,): (i64,) =
        tx.query("SELECT created_at FROM institutions WHERE id = $1").bind(institution.0).one().await?;
    Ok(Millis(at))
}

//! The school's keys.

use hadir_shared::{ids::InstitutionId, time::Millis};
use sqlx::FromRow;

use crate::db::Tx;

#[derive(FromRow)]
pub struct KeyRow {
    pub epoch: i64,
    /// Sealed.
    pub secret: String,
    pub public: Option<String>,
}

/// The keys of one purpose, the newest last.
pub async fn keys(tx: &mut Tx, institution: InstitutionId, purpose: &str) -> sqlx::Result<Vec<KeyRow>> {
    tx.query(
        "SELECT epoch, secret, public FROM institution_keys WHERE institution_id = $1 AND purpose = $2 ORDER BY epoch",
    )
    .bind(institution.0)
    .bind(purpose)
    .all()
    .await
}

pub async fn insert_key(
    tx: &mut Tx,
    institution: InstitutionId,
    purpose: &str,
    epoch: i64,
    secret: &str,
    public: Option<&str>,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO institution_keys (institution_id, purpose, epoch, secret, public, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(institution.0)
    .bind(purpose)
    .bind(epoch)
    .bind(secret)
    .bind(public)
    .bind(now.0)
    .run()
    .await
}

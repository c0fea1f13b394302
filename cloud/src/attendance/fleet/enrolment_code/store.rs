use hadir_shared::{ids::InstitutionId, time::Millis};

use crate::db::Tx;

pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    hash: &str,
    by: &str,
    now: Millis,
    expires_at: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO enrolment_codes (code_hash, institution_id, created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(hash)
    .bind(institution.0)
    .bind(by)
    .bind(now.0)
    .bind(expires_at.0)
    .run()
    .await
}

use hadir_shared::{ids::InstitutionId, settings, time::Millis};

use crate::db::Tx;

/// What a new school has chosen of its settings.
pub async fn choose(
    tx: &mut Tx,
    school: InstitutionId,
    key: &str,
    value: &str,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO settings (institution_id, key_name, value, description, updated_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(school.0)
    .bind(key)
    .bind(value)
    .bind(settings::find(key).map_or("", |setting| setting.description))
    .bind(now.0)
    .run()
    .await
}

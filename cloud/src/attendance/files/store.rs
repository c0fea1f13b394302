use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};

use crate::db::Tx;

pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    owner: UserId,
    key: &str,
    bytes: i64,
    now: Millis,
) -> sqlx::Result<()> {
    tx.query(
        "INSERT INTO files (key, institution_id, owner_id, kind, bytes, created_at) VALUES ($1, $2, $3, 'attendance', $4, $5)",
    )
    .bind(key)
    .bind(institution.0)
    .bind(owner.0)
    .bind(bytes)
    .bind(now.0)
    .run()
    .await?;
    Ok(())
}

pub async fn owner(tx: &mut Tx, institution: InstitutionId, key: &str) -> sqlx::Result<Option<UserId>> {
    let row: Option<(i64,)> = tx
        .query("SELECT owner_id FROM files WHERE institution_id = $1 AND key = $2")
        .bind(institution.0)
        .bind(key)
        .opt()
        .await?;
    Ok(row.map(|(id,)| UserId(id)))
}

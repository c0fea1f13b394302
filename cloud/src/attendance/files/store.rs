use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};

use super::{File, Kept};
use crate::db::Tx;

pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    owner: UserId,
    kept: &Kept,
    now: Millis,
) -> sqlx::Result<()> {
    tx.query(
        "INSERT INTO files (key, institution_id, owner_id, kind, media_type, bytes, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(kept.key.as_str())
    .bind(institution.0)
    .bind(owner.0)
    .bind(kept.kind)
    .bind(kept.media)
    .bind(kept.bytes)
    .bind(now.0)
    .run()
    .await?;
    Ok(())
}

pub async fn find(tx: &mut Tx, institution: InstitutionId, key: &str) -> sqlx::Result<Option<File>> {
    tx.query("SELECT owner_id, kind, media_type FROM files WHERE institution_id = $1 AND key = $2")
        .bind(institution.0)
        .bind(key)
        .opt()
        .await
}

/// The keys of the profile photos somebody had.
pub async fn delete_portraits(
    tx: &mut Tx,
    institution: InstitutionId,
    owner: UserId,
) -> sqlx::Result<Vec<String>> {
    let rows: Vec<(String,)> = tx
        .query(
            "DELETE FROM files WHERE institution_id = $1 AND owner_id = $2 AND kind = 'profile' RETURNING key",
        )
        .bind(institution.0)
        .bind(owner.0)
        .all()
        .await?;
    Ok(rows.into_iter().map(|(key,)| key).collect())
}

/// `false`: it is another's, or no letter.
pub async fn delete_letter(
    tx: &mut Tx,
    institution: InstitutionId,
    owner: UserId,
    key: &str,
) -> sqlx::Result<bool> {
    let gone = tx
        .query(
            "DELETE FROM files WHERE institution_id = $1 AND owner_id = $2 AND key = $3 AND kind = 'leave'",
        )
        .bind(institution.0)
        .bind(owner.0)
        .bind(key)
        .run()
        .await?;
    Ok(gone == 1)
}

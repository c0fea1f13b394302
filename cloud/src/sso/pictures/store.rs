use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};

use super::{Kind, Owner};
use crate::db::Tx;

pub async fn insert(tx: &mut Tx, owner: Owner, key: &str, now: Millis) -> sqlx::Result<u64> {
    let (institution, user) = match owner {
        Owner::User(user, institution) => (institution.map(|id| id.0), Some(user.0)),
        Owner::Institution(institution) => (Some(institution.0), None),
    };
    tx.query("INSERT INTO pictures (key, institution_id, user_id, created_at) VALUES ($1, $2, $3, $4)")
        .bind(key)
        .bind(institution)
        .bind(user)
        .bind(now.0)
        .run()
        .await
}

/// The institution and the user it belongs to.
pub async fn find(tx: &mut Tx, key: &str) -> sqlx::Result<Option<(Option<i64>, Option<i64>)>> {
    tx.query("SELECT institution_id, user_id FROM pictures WHERE key = $1").bind(key).opt().await
}

pub async fn delete(tx: &mut Tx, key: &str) -> sqlx::Result<u64> {
    tx.query("DELETE FROM pictures WHERE key = $1").bind(key).run().await
}

/// The keys of all he had, and the institution each was seen in.
pub async fn delete_of_user(tx: &mut Tx, user: UserId) -> sqlx::Result<Vec<(String, Option<i64>)>> {
    tx.query("DELETE FROM pictures WHERE user_id = $1 RETURNING key, institution_id").bind(user.0).all().await
}

/// The one he had. The first statement locks his row, so that of two at once the second sees what the first left.
pub async fn hang_on_user(
    tx: &mut Tx,
    user: UserId,
    kind: Kind,
    key: &str,
    now: Millis,
) -> sqlx::Result<Option<String>> {
    tx.query("UPDATE users SET updated_at = $2 WHERE id = $1").bind(user.0).bind(now.0).run().await?;
    let (read, write) = match kind {
        Kind::Avatar => {
            ("SELECT avatar FROM users WHERE id = $1", "UPDATE users SET avatar = $2 WHERE id = $1")
        }
        Kind::Cover => ("SELECT cover FROM users WHERE id = $1", "UPDATE users SET cover = $2 WHERE id = $1"),
    };
    let before: Option<(Option<String>,)> = tx.query(read).bind(user.0).opt().await?;
    tx.query(write).bind(user.0).bind(key).run().await?;
    Ok(before.and_then(|(before,)| before))
}

/// As [`hang_on_user`].
pub async fn hang_on_institution(
    tx: &mut Tx,
    institution: InstitutionId,
    kind: Kind,
    key: &str,
    now: Millis,
) -> sqlx::Result<Option<String>> {
    let lock = "UPDATE institutions SET updated_at = $2 WHERE id = $1";
    tx.query(lock).bind(institution.0).bind(now.0).run().await?;
    let (read, write) = match kind {
        Kind::Avatar => (
            "SELECT avatar FROM institutions WHERE id = $1",
            "UPDATE institutions SET avatar = $2 WHERE id = $1",
        ),
        Kind::Cover => (
            "SELECT cover FROM institutions WHERE id = $1",
            "UPDATE institutions SET cover = $2 WHERE id = $1",
        ),
    };
    let before: Option<(Option<String>,)> = tx.query(read).bind(institution.0).opt().await?;
    tx.query(write).bind(institution.0).bind(key).run().await?;
    Ok(before.and_then(|(before,)| before))
}

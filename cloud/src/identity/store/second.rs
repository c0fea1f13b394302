//! The second factor, and who needs one.

use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};
use sqlx::FromRow;

use crate::db::Tx;

#[derive(Debug, FromRow)]
pub struct TotpRow {
    pub secret: String,
    pub confirmed_at: Option<i64>,
}

pub async fn totp(tx: &mut Tx, user: UserId) -> sqlx::Result<Option<TotpRow>> {
    tx.query("SELECT secret, confirmed_at FROM totp_secrets WHERE user_id = $1").bind(user.0).opt().await
}

/// Replaces one that was not confirmed; a confirmed one stays.
pub async fn put_totp(tx: &mut Tx, user: UserId, secret: &str, now: Millis) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO totp_secrets AS t (user_id, secret, confirmed_at, last_step, created_at)
         VALUES ($1, $2, NULL, 0, $3)
         ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, created_at = excluded.created_at
         WHERE t.confirmed_at IS NULL",
    )
    .bind(user.0)
    .bind(secret)
    .bind(now.0)
    .run()
    .await
}

/// One row for the first who comes with this step, none for whoever comes again.
pub async fn take_step(tx: &mut Tx, user: UserId, step: i64) -> sqlx::Result<u64> {
    tx.query("UPDATE totp_secrets SET last_step = $2 WHERE user_id = $1 AND last_step < $2")
        .bind(user.0)
        .bind(step)
        .run()
        .await
}

pub async fn confirm_totp(tx: &mut Tx, user: UserId, now: Millis) -> sqlx::Result<u64> {
    tx.query("UPDATE totp_secrets SET confirmed_at = $2 WHERE user_id = $1 AND confirmed_at IS NULL")
        .bind(user.0)
        .bind(now.0)
        .run()
        .await
}

pub async fn delete_second(tx: &mut Tx, user: UserId) -> sqlx::Result<u64> {
    delete_recovery_codes(tx, user).await?;
    tx.query("DELETE FROM totp_secrets WHERE user_id = $1").bind(user.0).run().await
}

pub async fn delete_recovery_codes(tx: &mut Tx, user: UserId) -> sqlx::Result<u64> {
    tx.query("DELETE FROM recovery_codes WHERE user_id = $1").bind(user.0).run().await
}

pub async fn insert_recovery_code(tx: &mut Tx, user: UserId, hash: &str) -> sqlx::Result<u64> {
    tx.query("INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, $2)")
        .bind(user.0)
        .bind(hash)
        .run()
        .await
}

pub async fn spend_recovery_code(tx: &mut Tx, user: UserId, hash: &str, now: Millis) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE recovery_codes SET used_at = $3 WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL",
    )
    .bind(user.0)
    .bind(hash)
    .bind(now.0)
    .run()
    .await
}

pub async fn recovery_codes_left(tx: &mut Tx, user: UserId) -> sqlx::Result<i64> {
    let (left,): (i64,) = tx
        .query("SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL")
        .bind(user.0)
        .one()
        .await?;
    Ok(left)
}

pub async fn second_factor_roles(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<(i64,)>> {
    tx.query("SELECT role_id FROM second_factor_roles WHERE institution_id = $1 ORDER BY role_id")
        .bind(institution.0)
        .all()
        .await
}

pub async fn clear_second_factor_roles(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<u64> {
    tx.query("DELETE FROM second_factor_roles WHERE institution_id = $1").bind(institution.0).run().await
}

pub async fn insert_second_factor_role(
    tx: &mut Tx,
    institution: InstitutionId,
    role: i64,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO second_factor_roles (institution_id, role_id, created_at) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING",
    )
    .bind(institution.0)
    .bind(role)
    .bind(now.0)
    .run()
    .await
}

//! Accounts.

use hadir_shared::{ids::UserId, time::Millis};
use uuid::Uuid;

use crate::{
    db::Tx,
    identity::user::{Contact, NewUser, Profile, User},
};

pub async fn insert_user(tx: &mut Tx, uuid: Uuid, new: &NewUser<'_>, now: Millis) -> sqlx::Result<UserId> {
    let (id,): (i64,) = tx
        .query(
            "INSERT INTO users (uuid, institution_id, nisn_nip_nik, username, name, email, phone, password_hash,
                first_name, last_name, applied_as, is_active, token_version, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $10, $11, $12, $12 IS NULL, 0, $9, $9) RETURNING id",
        )
        .bind(uuid)
        .bind(new.institution.map(|id| id.0))
        .bind(new.number)
        .bind(new.username)
        .bind(new.name)
        .bind(new.email)
        .bind(new.phone)
        .bind(new.password_hash)
        .bind(now.0)
        .bind(new.first_name)
        .bind(new.last_name)
        .bind(new.applied_as)
        .one()
        .await?;
    Ok(UserId(id))
}

pub async fn user(tx: &mut Tx, id: UserId) -> sqlx::Result<Option<User>> {
    tx.query("SELECT * FROM users WHERE id = $1").bind(id.0).opt().await
}

pub async fn user_by_number(tx: &mut Tx, number: &str) -> sqlx::Result<Option<User>> {
    tx.query("SELECT * FROM users WHERE nisn_nip_nik = $1").bind(number).opt().await
}

pub async fn user_by_username(tx: &mut Tx, username: &str) -> sqlx::Result<Option<User>> {
    tx.query("SELECT * FROM users WHERE username = $1").bind(username).opt().await
}

pub async fn user_by_email(tx: &mut Tx, email: &str) -> sqlx::Result<Option<User>> {
    tx.query("SELECT * FROM users WHERE email = $1").bind(email).opt().await
}

pub async fn set_password_hash(tx: &mut Tx, user: UserId, hash: &str, now: Millis) -> sqlx::Result<u64> {
    tx.query("UPDATE users SET password_hash = $2, updated_at = $3 WHERE id = $1")
        .bind(user.0)
        .bind(hash)
        .bind(now.0)
        .run()
        .await
}

pub async fn set_contact(tx: &mut Tx, user: UserId, change: &Contact, now: Millis) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE users SET name = COALESCE($2, name), email = COALESCE($3, email), phone = COALESCE($4, phone),
            email_verified_at = CASE WHEN COALESCE($3, email) = email THEN email_verified_at END,
            phone_verified_at = CASE WHEN COALESCE($4, phone) = phone THEN phone_verified_at END,
            updated_at = $5 WHERE id = $1",
    )
    .bind(user.0)
    .bind(change.name.as_deref())
    .bind(change.email.as_deref())
    .bind(change.phone.as_deref())
    .bind(now.0)
    .run()
    .await
}

pub async fn set_profile(tx: &mut Tx, user: UserId, change: &Profile, now: Millis) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE users SET nisn_nip_nik = COALESCE($2, nisn_nip_nik), name = COALESCE($3, name),
            email = CASE WHEN $4 THEN $5 ELSE email END, phone = CASE WHEN $6 THEN $7 ELSE phone END,
            email_verified_at = CASE WHEN NOT $4 OR COALESCE($5, '') = email THEN email_verified_at END,
            phone_verified_at = CASE WHEN NOT $6 OR COALESCE($7, '') = phone THEN phone_verified_at END,
            photo_path = CASE WHEN $8 THEN $9 ELSE photo_path END, updated_at = $10
         WHERE id = $1",
    )
    .bind(user.0)
    .bind(change.number.as_deref())
    .bind(change.name.as_deref())
    .bind(change.email.changes())
    .bind(change.email.value().map(String::as_str))
    .bind(change.phone.changes())
    .bind(change.phone.value().map(String::as_str))
    .bind(change.photo_path.changes())
    .bind(change.photo_path.value().map(String::as_str))
    .bind(now.0)
    .run()
    .await
}

pub async fn delete_user(tx: &mut Tx, user: UserId) -> sqlx::Result<()> {
    for sql in [
        "DELETE FROM refresh_tokens WHERE session_id IN (SELECT id FROM sessions WHERE user_id = $1)",
        "DELETE FROM sessions WHERE user_id = $1",
        "DELETE FROM one_time_codes WHERE user_id = $1",
        "DELETE FROM totp_secrets WHERE user_id = $1",
        "DELETE FROM recovery_codes WHERE user_id = $1",
        "DELETE FROM user_roles WHERE user_id = $1",
        "DELETE FROM users WHERE id = $1",
    ] {
        tx.query(sql).bind(user.0).run().await?;
    }
    Ok(())
}

pub async fn set_user_active(tx: &mut Tx, user: UserId, active: bool, now: Millis) -> sqlx::Result<u64> {
    tx.query("UPDATE users SET is_active = $2, updated_at = $3 WHERE id = $1")
        .bind(user.0)
        .bind(active)
        .bind(now.0)
        .run()
        .await
}

pub async fn raise_token_version(tx: &mut Tx, user: UserId, now: Millis) -> sqlx::Result<u64> {
    tx.query("UPDATE users SET token_version = token_version + 1, updated_at = $2 WHERE id = $1")
        .bind(user.0)
        .bind(now.0)
        .run()
        .await
}

pub async fn user_by_uuid(tx: &mut Tx, uuid: Uuid) -> sqlx::Result<Option<User>> {
    tx.query("SELECT * FROM users WHERE uuid = $1").bind(uuid).opt().await
}

/// No row when the address is not this one any more.
pub async fn verify_email(tx: &mut Tx, user: UserId, email: &str, now: Millis) -> sqlx::Result<u64> {
    tx.query("UPDATE users SET email_verified_at = $3 WHERE id = $1 AND email = $2")
        .bind(user.0)
        .bind(email)
        .bind(now.0)
        .run()
        .await
}

/// No row when the number is not this one any more.
pub async fn verify_phone(tx: &mut Tx, user: UserId, phone: &str, now: Millis) -> sqlx::Result<u64> {
    tx.query("UPDATE users SET phone_verified_at = $3 WHERE id = $1 AND phone = $2")
        .bind(user.0)
        .bind(phone)
        .bind(now.0)
        .run()
        .await
}

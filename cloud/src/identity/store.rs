use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use super::{
    audit::Entry,
    session::{Listed, NewSession},
    user::{Contact, NewUser, Profile, User},
};
use crate::db::Tx;

// Users.

pub async fn insert_user(tx: &mut Tx, uuid: Uuid, new: &NewUser<'_>, now: Millis) -> sqlx::Result<UserId> {
    let (id,): (i64,) = tx
        .query(
            "INSERT INTO users (uuid, institution_id, nisn_nip_nik, username, name, email, phone, password_hash,
                is_active, token_version, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, TRUE, 0, $9, $9) RETURNING id",
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

// Institutions, services, roles.

pub async fn insert_institution(
    tx: &mut Tx,
    uuid: Uuid,
    code: &str,
    name: &str,
    now: Millis,
) -> sqlx::Result<InstitutionId> {
    let (id,): (i64,) = tx
        .query(
            "INSERT INTO institutions (uuid, code, name, is_active, created_at, updated_at)
             VALUES ($1, $2, $3, TRUE, $4, $4) RETURNING id",
        )
        .bind(uuid)
        .bind(code)
        .bind(name)
        .bind(now.0)
        .one()
        .await?;
    Ok(InstitutionId(id))
}

pub async fn institution_by_code(tx: &mut Tx, code: &str) -> sqlx::Result<Option<InstitutionId>> {
    let row: Option<(i64,)> =
        tx.query("SELECT id FROM institutions WHERE code = $1").bind(code).opt().await?;
    Ok(row.map(|(id,)| InstitutionId(id)))
}

pub async fn link_service(
    tx: &mut Tx,
    institution: InstitutionId,
    service: &str,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO institution_services (institution_id, service_id, created_at)
         SELECT $1, id, $3 FROM services WHERE code = $2 ON CONFLICT DO NOTHING",
    )
    .bind(institution.0)
    .bind(service)
    .bind(now.0)
    .run()
    .await
}

pub async fn insert_service(
    tx: &mut Tx,
    uuid: Uuid,
    code: &str,
    name: &str,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO services (uuid, code, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (code) DO NOTHING",
    )
    .bind(uuid)
    .bind(code)
    .bind(name)
    .bind(now.0)
    .run()
    .await
}

pub async fn insert_role(tx: &mut Tx, id: i64, service: &str, code: &str, name: &str) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO roles (id, service_id, code, name)
         SELECT $1, id, $3, $4 FROM services WHERE code = $2 ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(service)
    .bind(code)
    .bind(name)
    .run()
    .await
}

pub async fn insert_permission(tx: &mut Tx, service: &str, code: &str) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO permissions (service_id, code)
         SELECT id, $2 FROM services WHERE code = $1 ON CONFLICT DO NOTHING",
    )
    .bind(service)
    .bind(code)
    .run()
    .await
}

pub async fn grant(tx: &mut Tx, role: i64, permission: &str) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO role_permissions (role_id, permission_id)
         SELECT r.id, p.id FROM roles r JOIN permissions p ON p.service_id = r.service_id
         WHERE r.id = $1 AND p.code = $2 ON CONFLICT DO NOTHING",
    )
    .bind(role)
    .bind(permission)
    .run()
    .await
}

/// A role that does not exist violates the foreign key, because the service is looked up from it.
pub async fn upsert_user_role(tx: &mut Tx, user: UserId, role: i64) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO user_roles (user_id, service_id, role_id)
         VALUES ($1, COALESCE((SELECT service_id FROM roles WHERE id = $2), 0), $2)
         ON CONFLICT (user_id, service_id) DO UPDATE SET role_id = excluded.role_id",
    )
    .bind(user.0)
    .bind(role)
    .run()
    .await
}

/// Service code, role id, role code; without the services that the user's institution does not have.
pub async fn roles_of(tx: &mut Tx, user: UserId) -> sqlx::Result<Vec<(String, i64, String)>> {
    tx.query(
        "SELECT s.code, r.id, r.code FROM users u
         JOIN user_roles ur ON ur.user_id = u.id
         JOIN roles r ON r.id = ur.role_id
         JOIN services s ON s.id = ur.service_id
         WHERE u.id = $1 AND (u.institution_id IS NULL OR s.code = 'SSO' OR EXISTS (
            SELECT 1 FROM institution_services x
            WHERE x.institution_id = u.institution_id AND x.service_id = s.id))",
    )
    .bind(user.0)
    .all()
    .await
}

/// Permission codes, under the same condition.
pub async fn permissions_of(tx: &mut Tx, user: UserId) -> sqlx::Result<Vec<(String,)>> {
    tx.query(
        "SELECT p.code FROM users u
         JOIN user_roles ur ON ur.user_id = u.id
         JOIN services s ON s.id = ur.service_id
         JOIN role_permissions rp ON rp.role_id = ur.role_id
         JOIN permissions p ON p.id = rp.permission_id
         WHERE u.id = $1 AND (u.institution_id IS NULL OR s.code = 'SSO' OR EXISTS (
            SELECT 1 FROM institution_services x
            WHERE x.institution_id = u.institution_id AND x.service_id = s.id))",
    )
    .bind(user.0)
    .all()
    .await
}

// Sessions.

#[derive(Debug, FromRow)]
pub struct SessionRow {
    pub user_id: i64,
    pub expires_at: i64,
    pub last_seen_at: i64,
    pub revoked_at: Option<i64>,
    pub uuid: Uuid,
    pub institution_id: Option<i64>,
    pub name: String,
    pub token_version: i64,
    /// The user, and the institution if there is one.
    pub is_active: bool,
}

pub async fn insert_session(
    tx: &mut Tx,
    id: Uuid,
    user: UserId,
    new: &NewSession<'_>,
    now: Millis,
) -> sqlx::Result<u64> {
    let user_agent: Option<String> = new.user_agent.map(|agent| agent.chars().take(255).collect());
    tx.query(
        "INSERT INTO sessions (id, user_id, client, user_agent, address, created_at, last_seen_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $7)",
    )
    .bind(id)
    .bind(user.0)
    .bind(new.client)
    .bind(user_agent)
    .bind(new.address.to_string())
    .bind(now.0)
    .bind(now.plus_millis(new.life_ms).0)
    .run()
    .await
}

pub async fn session(tx: &mut Tx, id: Uuid) -> sqlx::Result<Option<SessionRow>> {
    tx.query(
        "SELECT s.user_id, s.expires_at, s.last_seen_at, s.revoked_at, u.uuid, u.institution_id, u.name, u.token_version,
            u.is_active AND COALESCE(i.is_active, TRUE) AS is_active
         FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN institutions i ON i.id = u.institution_id
         WHERE s.id = $1",
    )
    .bind(id)
    .opt()
    .await
}

pub async fn sessions(tx: &mut Tx, user: UserId, now: Millis) -> sqlx::Result<Vec<Listed>> {
    tx.query(
        "SELECT id, client, user_agent, address, created_at, last_seen_at, expires_at FROM sessions
         WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY created_at DESC, id",
    )
    .bind(user.0)
    .bind(now.0)
    .all()
    .await
}

pub async fn has_session_from(tx: &mut Tx, user: UserId, address: &str) -> sqlx::Result<bool> {
    let found: Option<(i64,)> = tx
        .query("SELECT user_id FROM sessions WHERE user_id = $1 AND address = $2 LIMIT 1")
        .bind(user.0)
        .bind(address)
        .opt()
        .await?;
    Ok(found.is_some())
}

pub async fn touch_session(tx: &mut Tx, id: Uuid, now: Millis) -> sqlx::Result<u64> {
    tx.query("UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2")
        .bind(id)
        .bind(now.0)
        .run()
        .await
}

pub async fn revoke_session(tx: &mut Tx, user: UserId, id: Uuid, now: Millis) -> sqlx::Result<u64> {
    tx.query("UPDATE sessions SET revoked_at = $3 WHERE id = $2 AND user_id = $1 AND revoked_at IS NULL")
        .bind(user.0)
        .bind(id)
        .bind(now.0)
        .run()
        .await
}

pub async fn revoke_sessions(
    tx: &mut Tx,
    user: UserId,
    except: Option<Uuid>,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE sessions SET revoked_at = $3
         WHERE user_id = $1 AND revoked_at IS NULL AND (CAST($2 AS UUID) IS NULL OR id <> $2)",
    )
    .bind(user.0)
    .bind(except)
    .bind(now.0)
    .run()
    .await
}

// Refresh tokens.

#[derive(Debug, FromRow)]
pub struct RefreshRow {
    pub session_id: Uuid,
    pub user_id: i64,
    pub expires_at: i64,
    pub used_at: Option<i64>,
}

pub async fn insert_refresh(
    tx: &mut Tx,
    hash: &str,
    session: Uuid,
    parent: Option<&str>,
    now: Millis,
    expires_at: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO refresh_tokens (token_hash, session_id, parent_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(hash)
    .bind(session)
    .bind(parent)
    .bind(now.0)
    .bind(expires_at.0)
    .run()
    .await
}

pub async fn refresh(tx: &mut Tx, hash: &str) -> sqlx::Result<Option<RefreshRow>> {
    tx.query(
        "SELECT r.session_id, s.user_id, r.expires_at, r.used_at
         FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id WHERE r.token_hash = $1",
    )
    .bind(hash)
    .opt()
    .await
}

/// One row for the one who spends it, none for everybody after him.
pub async fn spend_refresh(tx: &mut Tx, hash: &str, now: Millis) -> sqlx::Result<u64> {
    tx.query("UPDATE refresh_tokens SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL")
        .bind(hash)
        .bind(now.0)
        .run()
        .await
}

// One-time codes.

pub async fn put_code(
    tx: &mut Tx,
    user: UserId,
    purpose: &str,
    hash: &str,
    tries: i64,
    now: Millis,
    expires_at: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO one_time_codes (user_id, purpose, code_hash, tries_left, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (user_id, purpose) DO UPDATE SET code_hash = excluded.code_hash,
            tries_left = excluded.tries_left, created_at = excluded.created_at, expires_at = excluded.expires_at",
    )
    .bind(user.0)
    .bind(purpose)
    .bind(hash)
    .bind(tries)
    .bind(now.0)
    .bind(expires_at.0)
    .run()
    .await
}

/// Uses up one try; the hash to compare with, if there was one left.
pub async fn try_code(tx: &mut Tx, user: UserId, purpose: &str, now: Millis) -> sqlx::Result<Option<String>> {
    let row: Option<(String,)> = tx
        .query(
            "UPDATE one_time_codes SET tries_left = tries_left - 1
             WHERE user_id = $1 AND purpose = $2 AND tries_left > 0 AND expires_at > $3 RETURNING code_hash",
        )
        .bind(user.0)
        .bind(purpose)
        .bind(now.0)
        .opt()
        .await?;
    Ok(row.map(|(hash,)| hash))
}

pub async fn delete_code(tx: &mut Tx, user: UserId, purpose: &str) -> sqlx::Result<u64> {
    tx.query("DELETE FROM one_time_codes WHERE user_id = $1 AND purpose = $2")
        .bind(user.0)
        .bind(purpose)
        .run()
        .await
}

// Throttles.

pub async fn blocked_until(tx: &mut Tx, subject: &str, now: Millis) -> sqlx::Result<Option<Millis>> {
    let row: Option<(i64,)> = tx
        .query("SELECT blocked_until FROM login_throttles WHERE subject = $1 AND blocked_until > $2")
        .bind(subject)
        .bind(now.0)
        .opt()
        .await?;
    Ok(row.map(|(until,)| Millis(until)))
}

/// Counts one more failure, and says how many there are in the window; `None` while the subject waits, when nothing is
/// counted. Locks the subject's row until the transaction ends, so that of many at once each sees those before it.
pub async fn count_failure(
    tx: &mut Tx,
    subject: &str,
    now: Millis,
    window_ends_at: Millis,
) -> sqlx::Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .query(
            "INSERT INTO login_throttles AS t (subject, failures, window_ends_at, blocked_until) VALUES ($1, 1, $3, 0)
             ON CONFLICT (subject) DO UPDATE SET
                failures = CASE WHEN t.window_ends_at <= $2 THEN 1 ELSE t.failures + 1 END,
                window_ends_at = $3
             WHERE t.blocked_until <= $2 RETURNING failures",
        )
        .bind(subject)
        .bind(now.0)
        .bind(window_ends_at.0)
        .opt()
        .await?;
    Ok(row.map(|(failures,)| failures))
}

pub async fn block(tx: &mut Tx, subject: &str, until: Millis) -> sqlx::Result<u64> {
    tx.query("UPDATE login_throttles SET blocked_until = $2 WHERE subject = $1")
        .bind(subject)
        .bind(until.0)
        .run()
        .await
}

pub async fn forget_failures(tx: &mut Tx, subject: &str) -> sqlx::Result<u64> {
    tx.query("DELETE FROM login_throttles WHERE subject = $1").bind(subject).run().await
}

pub async fn uncount_failure(tx: &mut Tx, subject: &str) -> sqlx::Result<u64> {
    tx.query("UPDATE login_throttles SET failures = failures - 1, blocked_until = 0 WHERE subject = $1 AND failures > 0")
        .bind(subject)
        .run()
        .await
}

// Keys and audit.

#[derive(Debug, FromRow)]
pub struct SigningKeyRow {
    pub kid: String,
    pub secret: String,
    pub public: String,
    pub state: String,
}

pub async fn signing_keys(tx: &mut Tx) -> sqlx::Result<Vec<SigningKeyRow>> {
    tx.query(
        "SELECT kid, secret, public, state FROM signing_keys
         WHERE algorithm = 'EdDSA' AND state <> 'removed' ORDER BY created_at, kid",
    )
    .all()
    .await
}

pub async fn insert_signing_key(
    tx: &mut Tx,
    kid: &str,
    secret: &str,
    public: &str,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO signing_keys (kid, algorithm, secret, public, state, created_at)
         VALUES ($1, 'EdDSA', $2, $3, 'active', $4) ON CONFLICT DO NOTHING",
    )
    .bind(kid)
    .bind(secret)
    .bind(public)
    .bind(now.0)
    .run()
    .await
}

pub async fn retire_signing_keys(tx: &mut Tx) -> sqlx::Result<u64> {
    tx.query("UPDATE signing_keys SET state = 'passive' WHERE algorithm = 'EdDSA' AND state = 'active'")
        .run()
        .await
}

pub async fn insert_audit(
    tx: &mut Tx,
    entry: &Entry,
    request: Option<&str>,
    now: Millis,
) -> sqlx::Result<()> {
    tx.query(
        "INSERT INTO audit_log (institution_id, at, actor, action, subject, before, after, request_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(entry.institution.map(|id| id.0))
    .bind(now.0)
    .bind(entry.actor.to_string())
    .bind(entry.action)
    .bind(&entry.subject)
    .bind(entry.before.as_ref().map(Json))
    .bind(entry.after.as_ref().map(Json))
    .bind(request)
    .run()
    .await
    .map(drop)
}

/// Deletes what has been dead since before `then`.
pub async fn purge(tx: &mut Tx, then: Millis, now: Millis) -> sqlx::Result<u64> {
    let mut gone = 0;
    for sql in [
        "DELETE FROM refresh_tokens WHERE session_id IN (SELECT id FROM sessions WHERE expires_at < $1 OR revoked_at < $1)",
        "DELETE FROM sessions WHERE expires_at < $1 OR revoked_at < $1",
    ] {
        gone += tx.query(sql).bind(then.0).run().await?;
    }
    for sql in [
        "DELETE FROM refresh_tokens WHERE expires_at < $1",
        "DELETE FROM one_time_codes WHERE expires_at < $1",
        "DELETE FROM login_throttles WHERE window_ends_at < $1 AND blocked_until < $1",
    ] {
        gone += tx.query(sql).bind(now.0).run().await?;
    }
    Ok(gone)
}

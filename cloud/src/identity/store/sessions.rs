//! Sessions and the refresh tokens that continue them.

use hadir_shared::{ids::UserId, time::Millis};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::Tx,
    identity::session::{Assurance, From, Listed, NewSession},
};

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
    pub created_at: i64,
    pub assurance: String,
    /// A role of his asks for a second factor in his institution.
    pub needs_second: bool,
}

pub async fn insert_session(
    tx: &mut Tx,
    id: Uuid,
    user: UserId,
    new: &NewSession<'_>,
    from: &From,
    now: Millis,
) -> sqlx::Result<u64> {
    let user_agent: Option<String> = new.user_agent.map(|agent| agent.chars().take(255).collect());
    tx.query(
        "INSERT INTO sessions (id, user_id, client, user_agent, address, created_at, last_seen_at, expires_at,
            assurance, parent_id)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9)",
    )
    .bind(id)
    .bind(user.0)
    .bind(new.client)
    .bind(user_agent)
    .bind(new.address.to_string())
    .bind(now.0)
    .bind(now.plus_millis(new.life_ms).0)
    .bind(from.assurance.code())
    .bind(from.parent)
    .run()
    .await
}

pub async fn session(tx: &mut Tx, id: Uuid) -> sqlx::Result<Option<SessionRow>> {
    tx.query(
        "SELECT s.user_id, s.expires_at, s.last_seen_at, s.revoked_at, u.uuid, u.institution_id, u.name, u.token_version,
            u.is_active AND COALESCE(i.is_active, TRUE) AS is_active, s.created_at, s.assurance,
            EXISTS (SELECT 1 FROM user_roles r JOIN second_factor_roles f ON f.role_id = r.role_id
                WHERE r.user_id = u.id AND f.institution_id = u.institution_id) AS needs_second
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

/// What came from a session ends with it.
pub async fn revoke_children(tx: &mut Tx, user: UserId, parent: Uuid, now: Millis) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE sessions SET revoked_at = $3 WHERE parent_id = $2 AND user_id = $1 AND revoked_at IS NULL",
    )
    .bind(user.0)
    .bind(parent)
    .bind(now.0)
    .run()
    .await
}

pub async fn set_assurance(tx: &mut Tx, id: Uuid, assurance: Assurance) -> sqlx::Result<u64> {
    tx.query("UPDATE sessions SET assurance = $2 WHERE id = $1").bind(id).bind(assurance.code()).run().await
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

#[derive(Debug, FromRow)]
pub struct RefreshRow {
    pub session_id: Uuid,
    pub user_id: i64,
    pub client: String,
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
        "SELECT r.session_id, s.user_id, s.client, r.expires_at, r.used_at
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

//! Signing keys and the audit log.

use hadir_shared::time::Millis;
use sqlx::{FromRow, types::Json};

use crate::{
    db::Tx,
    identity::{
        audit::Entry,
        keys::{Alg, Made, turn::Listed},
    },
};

#[derive(Debug, FromRow)]
pub struct SigningKeyRow {
    pub kid: String,
    pub algorithm: String,
    pub secret: String,
    pub public: String,
    pub state: String,
}

/// What is published, and so believed. The key that signs receipts is of another kind, and not among them.
pub async fn signing_keys(tx: &mut Tx) -> sqlx::Result<Vec<SigningKeyRow>> {
    tx.query(
        "SELECT kid, algorithm, secret, public, state FROM signing_keys
         WHERE algorithm IN ('EdDSA', 'RS256') AND state <> 'removed' ORDER BY algorithm, created_at, kid",
    )
    .all()
    .await
}

pub async fn all_signing_keys(tx: &mut Tx) -> sqlx::Result<Vec<Listed>> {
    tx.query(
        "SELECT kid, algorithm, state, created_at, state_at FROM signing_keys
         ORDER BY algorithm, created_at, state_at, kid",
    )
    .all()
    .await
}

pub async fn insert_signing_key(tx: &mut Tx, key: &Made, state: &str, now: Millis) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO signing_keys (kid, algorithm, secret, public, state, created_at, state_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT DO NOTHING",
    )
    .bind(&key.kid)
    .bind(key.alg.name())
    .bind(&key.secret)
    .bind(&key.public)
    .bind(state)
    .bind(now.0)
    .run()
    .await
}

/// Of several who turn the keys over at once, one waits here for the other.
pub async fn lock_signing_keys(tx: &mut Tx, alg: Alg) -> sqlx::Result<u64> {
    tx.query("UPDATE signing_keys SET state = state WHERE algorithm = $1 AND state <> 'removed'")
        .bind(alg.name())
        .run()
        .await
}

pub async fn signs_since(tx: &mut Tx, alg: Alg) -> sqlx::Result<Option<Millis>> {
    let row: Option<(i64,)> = tx
        .query("SELECT state_at FROM signing_keys WHERE algorithm = $1 AND state = 'active'")
        .bind(alg.name())
        .opt()
        .await?;
    Ok(row.map(|(at,)| Millis(at)))
}

/// What signs no more has no secret either.
pub async fn move_signing_keys(
    tx: &mut Tx,
    alg: Alg,
    from: &str,
    to: &str,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE signing_keys SET state = $3, state_at = $4,
            secret = CASE WHEN $3 IN ('passive', 'removed') THEN '' ELSE secret END
         WHERE algorithm = $1 AND state = $2",
    )
    .bind(alg.name())
    .bind(from)
    .bind(to)
    .bind(now.0)
    .run()
    .await
}

pub async fn remove_passive_keys(tx: &mut Tx, then: Millis, now: Millis) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE signing_keys SET state = 'removed', state_at = $2
         WHERE algorithm IN ('EdDSA', 'RS256') AND state = 'passive' AND state_at < $1",
    )
    .bind(then.0)
    .bind(now.0)
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
         VALUES (COALESCE($1, (SELECT institution_id FROM users WHERE id = $9)), $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(entry.institution.map(|id| id.0))
    .bind(now.0)
    .bind(entry.actor.to_string())
    .bind(entry.action)
    .bind(&entry.subject)
    .bind(entry.before.as_ref().map(Json))
    .bind(entry.after.as_ref().map(Json))
    .bind(request)
    .bind(entry.person.map(|id| id.0))
    .run()
    .await
    .map(drop)
}

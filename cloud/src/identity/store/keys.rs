//! Signing keys and the audit log.

use hadir_shared::time::Millis;
use sqlx::{FromRow, types::Json};

use crate::{db::Tx, identity::audit::Entry};

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

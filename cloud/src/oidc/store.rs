//! The statements of the provider. All of them run in the scope of the whole cloud: a client's users may be of any school.

use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use super::{
    client::{About, Client},
    code::NewCode,
    scope::Scopes,
};
use crate::{app::App, db::Tx, fail::Fail, identity::Alg, jobs::Work};

/// Used codes are kept this long: so that one that comes again is known.
const KEEP_CODES_MS: i64 = 24 * 3600 * 1000;

#[derive(FromRow)]
struct ClientRow {
    id: i64,
    client_id: String,
    institution_id: Option<i64>,
    name: String,
    is_public: bool,
    secret_hash: Option<String>,
    old_secret_hash: Option<String>,
    old_secret_until: Option<i64>,
    redirect_uris: Json<Vec<String>>,
    logout_uris: Json<Vec<String>>,
    scopes: String,
    algorithm: String,
    is_trusted: bool,
    is_active: bool,
    created_at: i64,
    updated_at: i64,
}

impl From<ClientRow> for Client {
    fn from(row: ClientRow) -> Self {
        Self {
            key: row.id,
            client_id: row.client_id,
            about: About {
                name: row.name,
                institution: row.institution_id.map(InstitutionId),
                is_public: row.is_public,
                redirect_uris: row.redirect_uris.0,
                logout_uris: row.logout_uris.0,
                scopes: Scopes::parse(&row.scopes),
                alg: Alg::parse(&row.algorithm).unwrap_or(Alg::Rs256),
                is_trusted: row.is_trusted,
                is_active: row.is_active,
            },
            secret_hash: row.secret_hash,
            old_secret: row.old_secret_hash.zip(row.old_secret_until.map(Millis)),
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        }
    }
}

pub async fn client(tx: &mut Tx, client_id: &str) -> Result<Option<Client>, Fail> {
    let row: Option<ClientRow> =
        tx.query("SELECT * FROM oidc_clients WHERE client_id = $1").bind(client_id).opt().await?;
    Ok(row.map(Into::into))
}

pub async fn clients(tx: &mut Tx) -> Result<Vec<Client>, Fail> {
    let rows: Vec<ClientRow> = tx.query("SELECT * FROM oidc_clients ORDER BY name, id").all().await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub async fn insert_client(
    tx: &mut Tx,
    client_id: &str,
    secret_hash: Option<&str>,
    about: &About,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO oidc_clients (client_id, secret_hash, institution_id, name, is_public, redirect_uris, logout_uris,
            scopes, algorithm, is_trusted, is_active, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)",
    )
    .bind(client_id)
    .bind(secret_hash)
    .bind(about.institution.map(|id| id.0))
    .bind(&about.name)
    .bind(about.is_public)
    .bind(Json(&about.redirect_uris))
    .bind(Json(&about.logout_uris))
    .bind(about.scopes.to_string())
    .bind(about.alg.name())
    .bind(about.is_trusted)
    .bind(about.is_active)
    .bind(now.0)
    .run()
    .await
}

pub async fn update_client(tx: &mut Tx, key: i64, about: &About, now: Millis) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE oidc_clients SET institution_id = $2, name = $3, redirect_uris = $4, logout_uris = $5, scopes = $6,
            algorithm = $7, is_trusted = $8, is_active = $9, updated_at = $10 WHERE id = $1",
    )
    .bind(key)
    .bind(about.institution.map(|id| id.0))
    .bind(&about.name)
    .bind(Json(&about.redirect_uris))
    .bind(Json(&about.logout_uris))
    .bind(about.scopes.to_string())
    .bind(about.alg.name())
    .bind(about.is_trusted)
    .bind(about.is_active)
    .bind(now.0)
    .run()
    .await
}

pub async fn set_secret(
    tx: &mut Tx,
    key: i64,
    hash: &str,
    old_until: Millis,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE oidc_clients SET old_secret_hash = secret_hash, old_secret_until = $3, secret_hash = $2, updated_at = $4
         WHERE id = $1",
    )
    .bind(key)
    .bind(hash)
    .bind(old_until.0)
    .bind(now.0)
    .run()
    .await
}

pub async fn end_sessions_of(tx: &mut Tx, client: i64, now: Millis) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE sessions SET revoked_at = $2
         WHERE revoked_at IS NULL AND id IN (SELECT session_id FROM oidc_grants WHERE client = $1)",
    )
    .bind(client)
    .bind(now.0)
    .run()
    .await
}

pub async fn delete_client(tx: &mut Tx, key: i64) -> sqlx::Result<u64> {
    tx.query("DELETE FROM oidc_clients WHERE id = $1").bind(key).run().await
}

pub async fn consent(tx: &mut Tx, user: UserId, client: i64) -> sqlx::Result<Option<String>> {
    let row: Option<(String,)> = tx
        .query("SELECT scopes FROM oidc_consents WHERE user_id = $1 AND client = $2")
        .bind(user.0)
        .bind(client)
        .opt()
        .await?;
    Ok(row.map(|(scopes,)| scopes))
}

pub async fn put_consent(
    tx: &mut Tx,
    user: UserId,
    client: i64,
    scopes: &str,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO oidc_consents (user_id, client, scopes, updated_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (user_id, client) DO UPDATE SET scopes = excluded.scopes, updated_at = excluded.updated_at",
    )
    .bind(user.0)
    .bind(client)
    .bind(scopes)
    .bind(now.0)
    .run()
    .await
}

pub async fn insert_code(
    tx: &mut Tx,
    hash: &str,
    code: &NewCode<'_>,
    expires_at: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO oidc_codes (code_hash, client, user_id, browser, scopes, redirect_uri, challenge, nonce, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(hash)
    .bind(code.client.key)
    .bind(code.who.user.0)
    .bind(code.who.session)
    .bind(code.scopes.to_string())
    .bind(code.redirect_uri)
    .bind(code.challenge)
    .bind(code.nonce)
    .bind(expires_at.0)
    .run()
    .await
}

#[derive(Debug, FromRow)]
pub struct CodeRow {
    pub client: i64,
    pub user_id: i64,
    pub browser: Uuid,
    pub scopes: String,
    pub redirect_uri: String,
    pub challenge: String,
    pub nonce: Option<String>,
    pub expires_at: i64,
    pub issued: Option<Uuid>,
}

/// One row for the first who comes with it, none for everybody after him.
pub async fn spend_code(tx: &mut Tx, hash: &str, now: Millis) -> sqlx::Result<u64> {
    tx.query("UPDATE oidc_codes SET used_at = $2 WHERE code_hash = $1 AND used_at IS NULL")
        .bind(hash)
        .bind(now.0)
        .run()
        .await
}

pub async fn code(tx: &mut Tx, hash: &str) -> sqlx::Result<Option<CodeRow>> {
    tx.query(
        "SELECT client, user_id, browser, scopes, redirect_uri, challenge, nonce, expires_at, issued
         FROM oidc_codes WHERE code_hash = $1",
    )
    .bind(hash)
    .opt()
    .await
}

pub async fn set_issued(tx: &mut Tx, hash: &str, session: Uuid) -> sqlx::Result<u64> {
    tx.query("UPDATE oidc_codes SET issued = $2 WHERE code_hash = $1").bind(hash).bind(session).run().await
}

/// The address from which a session was opened.
pub async fn address_of(tx: &mut Tx, session: Uuid) -> sqlx::Result<Option<String>> {
    let row: Option<(Option<String>,)> =
        tx.query("SELECT address FROM sessions WHERE id = $1").bind(session).opt().await?;
    Ok(row.and_then(|(address,)| address))
}

#[derive(Debug, FromRow)]
pub struct GrantRow {
    pub client: i64,
    pub scopes: String,
    pub auth_time: i64,
}

pub async fn insert_grant(
    tx: &mut Tx,
    session: Uuid,
    client: i64,
    scopes: &str,
    auth_time: Millis,
) -> sqlx::Result<u64> {
    tx.query("INSERT INTO oidc_grants (session_id, client, scopes, auth_time) VALUES ($1, $2, $3, $4)")
        .bind(session)
        .bind(client)
        .bind(scopes)
        .bind(auth_time.0)
        .run()
        .await
}

pub async fn grant(tx: &mut Tx, session: Uuid) -> sqlx::Result<Option<GrantRow>> {
    tx.query("SELECT client, scopes, auth_time FROM oidc_grants WHERE session_id = $1")
        .bind(session)
        .opt()
        .await
}

/// A school's code and name.
pub async fn school(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Option<(String, String)>> {
    tx.query("SELECT code, name FROM institutions WHERE id = $1").bind(institution.0).opt().await
}

/// Deletes codes whose time is long over. A scheduled job.
pub fn purge<'a>(tx: &'a mut Tx, app: &'a App) -> Work<'a> {
    Box::pin(async move {
        let then = app.now().plus_millis(-KEEP_CODES_MS);
        let gone = tx.query("DELETE FROM oidc_codes WHERE expires_at < $1").bind(then.0).run().await?;
        tracing::info!(gone, "codes of sign-ins deleted");
        Ok(())
    })
}

//! Refresh tokens: opaque, 256 bits, stored as SHA-256, spent by use.
//!
//! What always holds: of many who spend one token at once, one succeeds; a spent one that comes again means that two people
//! hold it, and ends its session, and so its whole family.

use hadir_shared::{ids::UserId, time::Millis};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    audit::{Actor, Entry, audit},
    session::{self, Caller},
    store,
};
use crate::{
    app::App,
    db::Tx,
    fail::{Fail, NoSession},
};

/// The first token of a session.
pub async fn issue(tx: &mut Tx, app: &App, who: &Caller, life_ms: i64) -> Result<String, Fail> {
    insert(tx, app, who.session, None, life_ms, who.expires_at).await
}

/// What a refresh gives: the session's caller, and the next token.
#[derive(Debug)]
pub struct Refreshed {
    pub caller: Caller,
    pub token: String,
}

/// Spends a token for its successor. Fails with [`Fail::Unauthenticated`]; runs its own transaction, because the end of a
/// stolen family must be kept although the request fails.
pub async fn rotate(app: &App, token: &str, life_ms: i64) -> Result<Refreshed, Fail> {
    let now = app.now();
    let hash = hash(token);
    let mut tx = app.db.write().await?;
    let row = store::refresh(&mut tx, &hash).await?.ok_or(Fail::Unauthenticated(NoSession::Invalid))?;
    if store::spend_refresh(&mut tx, &hash, now).await? == 0 {
        end_family(&mut tx, app, UserId(row.user_id), row.session_id).await?;
        tx.commit().await?;
        app.identity.forget();
        return Err(Fail::Unauthenticated(NoSession::Invalid));
    }
    if row.expires_at <= now.0 {
        return Err(Fail::Unauthenticated(NoSession::Expired));
    }
    let caller = session::living(&mut tx, row.session_id, now).await?;
    let token = insert(&mut tx, app, caller.session, Some(&hash), life_ms, caller.expires_at).await?;
    tx.commit().await?;
    Ok(Refreshed { caller, token })
}

async fn end_family(tx: &mut Tx, app: &App, user: UserId, session: Uuid) -> Result<(), Fail> {
    tracing::warn!(%session, "a spent refresh token came again: its session ends");
    store::revoke_session(tx, user, session, app.now()).await?;
    audit(tx, app, &Entry::new(Actor::System, "session.refresh_reuse", format!("session:{session}"))).await
}

async fn insert(
    tx: &mut Tx,
    app: &App,
    session: Uuid,
    parent: Option<&str>,
    life_ms: i64,
    session_ends: Millis,
) -> Result<String, Fail> {
    let now = app.now();
    let token = app.ids.token();
    store::insert_refresh(tx, &hash(&token), session, parent, now, now.plus_millis(life_ms).min(session_ends)).await?;
    Ok(token)
}

fn hash(token: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(token))
}

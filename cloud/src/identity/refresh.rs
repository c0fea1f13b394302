//! Refresh tokens: opaque, 256 bits, stored as SHA-256, spent by use.
//!
//! What always holds: of many who spend one token at once, all get the same successor; a spent one that comes later than
//! [`GRACE_MS`], or whose successor was spent too, means that two people hold it, and ends its session, and so its whole
//! family. The moment of grace is for answers that got lost: without it ordinary users are signed out by bad networks.

use data_encoding::BASE64URL_NOPAD;
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
    db::{Cloud, Tx},
    fail::{Fail, NoSession},
};

/// How long the immediate predecessor may be used again: it gives the successor that is already there.
pub const GRACE_MS: i64 = 10_000;

/// The first token of a session.
pub async fn issue(tx: &mut Tx, app: &App, who: &Caller, life_ms: i64) -> Result<String, Fail> {
    insert(tx, app, who, app.ids.token(), None, life_ms).await
}

/// What a refresh gives: the session's caller, and the next token.
#[derive(Debug)]
pub struct Refreshed {
    pub caller: Caller,
    pub token: String,
}

/// Spends a token for its successor, of a session that `client` made: what was given to other software is good there and
/// nowhere else. Fails with [`Fail::Unauthenticated`]; runs its own transaction, because the end of a stolen family must be
/// kept although the request fails.
pub async fn rotate(app: &App, client: &str, token: &str, life_ms: i64) -> Result<Refreshed, Fail> {
    let now = app.now();
    let spent = hash(token);
    // Not stored, so that it can be given out again and the database still holds no token.
    let successor = BASE64URL_NOPAD.encode(&app.seal.mac("refresh-successor", token.as_bytes()));
    let mut tx = app.db.write(Cloud).await?;
    let is_first = store::spend_refresh(&mut tx, &spent, now).await? == 1;
    let row = store::refresh(&mut tx, &spent).await?.filter(|row| row.client == client);
    let row = row.ok_or(Fail::Unauthenticated(NoSession::Invalid))?;
    if row.expires_at <= now.0 {
        return Err(Fail::Unauthenticated(NoSession::Expired));
    }
    if is_first {
        let caller = session::living(&mut tx, row.session_id, now).await?;
        let token = insert(&mut tx, app, &caller, successor, Some(&spent), life_ms).await?;
        tx.commit().await?;
        return Ok(Refreshed { caller, token });
    }
    let next = store::refresh(&mut tx, &hash(&successor)).await?;
    let again = row.used_at.is_some_and(|used| now.0 - used < GRACE_MS)
        && next.is_some_and(|next| next.used_at.is_none());
    if again {
        let caller = session::living(&mut tx, row.session_id, now).await?;
        return Ok(Refreshed { caller, token: successor });
    }
    end_family(&mut tx, app, UserId(row.user_id), row.session_id).await?;
    tx.commit().await?;
    app.identity.forget();
    Err(Fail::Unauthenticated(NoSession::Invalid))
}

/// The session a token belongs to, whatever became of it.
pub async fn session_of(tx: &mut Tx, token: &str) -> Result<Option<Uuid>, Fail> {
    Ok(store::refresh(tx, &hash(token)).await?.map(|row| row.session_id))
}

/// Whose session this is.
pub async fn user_of(tx: &mut Tx, session: Uuid) -> Result<Option<UserId>, Fail> {
    Ok(store::session(tx, session).await?.map(|row| UserId(row.user_id)))
}

/// A token that could be spent now.
#[derive(Debug)]
pub struct Living {
    pub caller: Caller,
    pub expires_at: Millis,
}

/// What a token is good for; `None` when for nothing. Spends nothing.
pub async fn living(tx: &mut Tx, token: &str, now: Millis) -> Result<Option<Living>, Fail> {
    let row = store::refresh(tx, &hash(token)).await?;
    let Some(row) = row.filter(|row| row.used_at.is_none() && row.expires_at > now.0) else {
        return Ok(None);
    };
    match session::living(tx, row.session_id, now).await {
        Ok(caller) => Ok(Some(Living { caller, expires_at: Millis(row.expires_at) })),
        Err(Fail::Unauthenticated(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

async fn end_family(tx: &mut Tx, app: &App, user: UserId, session: Uuid) -> Result<(), Fail> {
    tracing::warn!(%session, "a spent refresh token came again: its session ends");
    store::revoke_session(tx, user, session, app.now()).await?;
    store::revoke_children(tx, user, session, app.now()).await?;
    let entry = Entry::new(Actor::System, "session.refresh_reuse", format!("session:{session}"));
    audit(tx, app, &entry.about(user)).await
}

async fn insert(
    tx: &mut Tx,
    app: &App,
    who: &Caller,
    token: String,
    parent: Option<&str>,
    life_ms: i64,
) -> Result<String, Fail> {
    let now = app.now();
    let expires_at = now.plus_millis(life_ms).min(who.expires_at);
    store::insert_refresh(tx, &hash(&token), who.session, parent, now, expires_at).await?;
    Ok(token)
}

fn hash(token: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(token))
}

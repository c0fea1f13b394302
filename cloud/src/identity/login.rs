//! Signing in with a password.

use hadir_shared::time::Millis;
use serde_json::json;

use super::{
    audit::{Entry, audit},
    password::Match,
    session::{self, Caller, NewSession},
    store, throttle, user,
    user::User,
};
use crate::{app::App, fail::Fail};

/// By which of his names somebody signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// NISN, NIP or NIK.
    Number(&'a str),
    Username(&'a str),
    Email(&'a str),
}

/// A login as it came in.
#[derive(Debug)]
pub struct Attempt<'a> {
    pub key: Key<'a>,
    pub password: &'a str,
    pub session: NewSession<'a>,
}

/// What a login gives.
#[derive(Debug)]
pub struct SignedIn {
    pub user: User,
    pub caller: Caller,
    /// Lives as long as the session.
    pub token: String,
    pub expires_at: Millis,
}

/// Fails with [`Fail::BadCredentials`], [`Fail::TooMany`] (the address), or [`Fail::Unavailable`] (the hashing queue).
/// `admit` is asked once the password is right: a module refuses there whom it has no role for.
pub async fn login(
    app: &App,
    attempt: &Attempt<'_>,
    admit: impl FnOnce(&Caller) -> Result<(), Fail>,
) -> Result<SignedIn, Fail> {
    let known = user::by_key(&mut app.db.read().await?, attempt.key).await?;
    let counted = {
        let mut tx = app.db.write().await?;
        let id = known.as_ref().map(|known| known.id);
        let counted =
            throttle::count(&mut tx, &subject(attempt.key), id, attempt.session.address, app.now()).await;
        tx.commit().await?;
        counted?
    };
    let stored = known.as_ref().map(|known| known.password_hash.as_str());
    let answer = app.identity.hasher().verify(attempt.password, stored).await?;
    let (Some(counted), Some(user)) = (counted, known.filter(|known| known.is_active && answer != Match::No))
    else {
        return Err(Fail::BadCredentials);
    };
    let fresh = match answer {
        Match::Outdated => Some(app.identity.hasher().hash(&app.ids, attempt.password).await?),
        _ => None,
    };

    let mut tx = app.db.write().await?;
    counted.succeeded(&mut tx).await?;
    if let Some(hash) = fresh {
        store::set_password_hash(&mut tx, user.id, &hash, app.now()).await?;
    }
    let caller = session::open(&mut tx, app, user.id, &attempt.session).await?;
    admit(&caller)?;
    tx.commit().await?;
    let token = session::access_token(app, &caller, caller.expires_at)?;
    let expires_at = caller.expires_at;
    Ok(SignedIn { user, caller, token, expires_at })
}

/// Changes the caller's own password: every other session of his ends. Fails with [`Fail::BadCredentials`] when the current
/// one is wrong. The new one has been checked with [`super::password::flaw`].
pub async fn change_password(app: &App, who: &Caller, current: &str, new: &str) -> Result<(), Fail> {
    let user = user::by_id(&mut app.db.read().await?, who.user).await?.ok_or(Fail::BadCredentials)?;
    if app.identity.hasher().verify(current, Some(&user.password_hash)).await? == Match::No {
        return Err(Fail::BadCredentials);
    }
    let hash = app.identity.hasher().hash(&app.ids, new).await?;
    let mut tx = app.db.write().await?;
    store::set_password_hash(&mut tx, who.user, &hash, app.now()).await?;
    session::revoke_all(&mut tx, app, who.actor(), who.user, Some(who.session)).await?;
    audit(
        &mut tx,
        app,
        &Entry::new(who.actor(), "user.password", format!("user:{}", who.user)).after(json!({})),
    )
    .await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(())
}

/// What an account's failures are counted under. Logins are compared without regard to case and space, so that variants
/// do not get counts of their own; too long ones share one.
fn subject(key: Key<'_>) -> String {
    let (Key::Number(text) | Key::Username(text) | Key::Email(text)) = key;
    text.trim().to_lowercase().chars().take(128).collect()
}

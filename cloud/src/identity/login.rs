//! Signing in with a password.

use hadir_shared::time::Millis;

use super::{
    password::Match,
    session::{self, Caller, NewSession},
    store, throttle, user,
    user::User,
};
use crate::{
    db::Cloud,
    {app::App, fail::Fail},
};

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
    let known = user::by_key(&mut app.db.read(Cloud).await?, attempt.key).await?;
    let counted = {
        let mut tx = app.db.write(Cloud).await?;
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

    let mut tx = app.db.write(Cloud).await?;
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

/// Whether this is the caller's password; fails with [`Fail::BadCredentials`] when it is not.
pub async fn prove(app: &App, who: &Caller, password: &str) -> Result<(), Fail> {
    let user = user::by_id(&mut app.db.read(Cloud).await?, who.user).await?.ok_or(Fail::BadCredentials)?;
    match app.identity.hasher().verify(password, Some(&user.password_hash)).await? {
        Match::No => Err(Fail::BadCredentials),
        Match::Yes | Match::Outdated => Ok(()),
    }
}

/// What an account's failures are counted under. Logins are compared without regard to case and space, so that variants
/// do not get counts of their own; too long ones share one.
fn subject(key: Key<'_>) -> String {
    let (Key::Number(text) | Key::Username(text) | Key::Email(text)) = key;
    text.trim().to_lowercase().chars().take(128).collect()
}

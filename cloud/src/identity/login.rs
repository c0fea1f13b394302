//! Signing in with a password.

use hadir_shared::{ids::UserId, time::Millis};
use sha2::{Digest as _, Sha256};

use super::{
    device,
    password::Match,
    second,
    session::{self, Assurance, Caller, NewSession},
    store, throttle, user,
    user::User,
};
use crate::{
    app::App,
    db::Cloud,
    fail::{Fail, Flaw},
};

/// By which of his names somebody signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// NISN, NIP or NIK.
    Number(&'a str),
    Username(&'a str),
    Email(&'a str),
}

impl<'a> Key<'a> {
    pub(super) const fn text(self) -> &'a str {
        let (Self::Number(text) | Self::Username(text) | Self::Email(text)) = self;
        text
    }
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

/// What comes with a login beside the password.
#[derive(Debug, Clone, Copy, Default)]
pub struct Proof<'a> {
    /// Of the authenticator app, or from paper.
    pub code: Option<&'a str>,
    /// What the device kept from an earlier login: see [`super::device`].
    pub device: Option<&'a str>,
    /// Lets somebody in who needs a second factor and has none, to set one up and do nothing else. Only where that can be
    /// done.
    pub may_set_up: bool,
}

/// How a login went.
#[derive(Debug)]
pub enum Entered {
    In(Box<SignedIn>),
    /// The password was right, and a code is wanted: this ticket stands for the password for a few minutes.
    Half(String),
}

/// How long a ticket of [`Entered::Half`] stands for the password.
const TICKET_MS: i64 = 5 * 60_000;
const TICKET: &str = "half-login";

/// As [`enter`], where all comes at once or not at all: without the code that a user needs, or with a wrong one, fails with
/// [`Fail::Invalid`] on the field [`second::FIELD`].
pub async fn login(
    app: &App,
    attempt: &Attempt<'_>,
    admit: impl FnOnce(&Caller) -> Result<(), Fail>,
) -> Result<SignedIn, Fail> {
    login_with(app, attempt, Proof::default(), admit).await
}

/// As [`login`], with a code.
pub async fn login_with(
    app: &App,
    attempt: &Attempt<'_>,
    proof: Proof<'_>,
    admit: impl FnOnce(&Caller) -> Result<(), Fail>,
) -> Result<SignedIn, Fail> {
    match enter(app, attempt, proof, admit).await? {
        Entered::In(signed_in) => Ok(*signed_in),
        Entered::Half(_) => Err(Fail::invalid(second::FIELD, Flaw::Missing)),
    }
}

/// Fails with [`Fail::BadCredentials`], [`Fail::TooMany`] (the address, or codes), [`Fail::Invalid`] (the code), or
/// [`Fail::Unavailable`] (the hashing queue). `admit` is asked once everything is right: a module refuses there whom it
/// has no role for.
pub async fn enter(
    app: &App,
    attempt: &Attempt<'_>,
    proof: Proof<'_>,
    admit: impl FnOnce(&Caller) -> Result<(), Fail>,
) -> Result<Entered, Fail> {
    let user = password(app, attempt, proof.device).await?;
    let assurance = match (second::is_on(&mut app.db.read(Cloud).await?, user.id).await?, proof.code) {
        (false, _) => Assurance::Password,
        (true, None) => return Ok(Entered::Half(ticket(app, &user)?)),
        (true, Some(code)) if second::check(app, user.id, code).await? => Assurance::SecondFactor,
        (true, Some(_)) => return Err(second::wrong()),
    };
    open(app, user, &attempt.session, assurance, proof.may_set_up, admit).await.map(Box::new).map(Entered::In)
}

/// The second half of a login: the ticket of the first, and a code. Fails as [`enter`] does, and with
/// [`Fail::BadCredentials`] when the ticket is too old, or the password was changed since.
pub async fn finish(
    app: &App,
    ticket: &str,
    code: &str,
    session: &NewSession<'_>,
    admit: impl FnOnce(&Caller) -> Result<(), Fail>,
) -> Result<SignedIn, Fail> {
    let user = redeemed(app, ticket).await?.ok_or(Fail::BadCredentials)?;
    if !second::check(app, user.id, code).await? {
        return Err(second::wrong());
    }
    open(app, user, session, Assurance::SecondFactor, false, admit).await
}

/// The user whose password this is.
async fn password(app: &App, attempt: &Attempt<'_>, device: Option<&str>) -> Result<User, Fail> {
    let known = user::by_key(&mut app.db.read(Cloud).await?, attempt.key).await?;
    let counted = {
        let mut tx = app.db.write(Cloud).await?;
        let id = known.as_ref().map(|known| known.id);
        let device = known.as_ref().and_then(|known| device::name(app, known.uuid, device?));
        let address = attempt.session.address;
        let counted = throttle::count(&mut tx, &subject(attempt.key), id, device, address, app.now()).await;
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
    tx.commit().await?;
    Ok(user)
}

/// The session of somebody who has proved all that he can.
async fn open(
    app: &App,
    user: User,
    session: &NewSession<'_>,
    assurance: Assurance,
    may_set_up: bool,
    admit: impl FnOnce(&Caller) -> Result<(), Fail>,
) -> Result<SignedIn, Fail> {
    let mut tx = app.db.write(Cloud).await?;
    let from = session::From { assurance, parent: None };
    let caller = session::open(&mut tx, app, user.id, session, from).await?;
    if !caller.is_half {
        admit(&caller)?;
    } else if !may_set_up {
        return Err(Fail::denied(
            "Akun Anda wajib memakai verifikasi dua langkah: aktifkan dahulu di konsol",
        ));
    }
    tx.commit().await?;
    let token = session::access_token(app, &caller, caller.expires_at)?;
    let expires_at = caller.expires_at;
    Ok(SignedIn { user, caller, token, expires_at })
}

/// Who, until when, and under which password: sealed, so that nobody reads or makes one.
fn ticket(app: &App, user: &User) -> Result<String, Fail> {
    let until = app.now().plus_millis(TICKET_MS).0;
    let text = format!("{} {until} {}", user.id, digest(&user.password_hash));
    Ok(app.seal.seal(&app.ids, TICKET, text.as_bytes())?)
}

async fn redeemed(app: &App, ticket: &str) -> Result<Option<User>, Fail> {
    let Some(text) = app.seal.open(TICKET, ticket).ok().filter(|_| ticket.len() <= 512) else {
        return Ok(None);
    };
    let mut parts = std::str::from_utf8(&text).unwrap_or_default().split(' ');
    let mut number = || parts.next().and_then(|part| part.parse::<i64>().ok());
    let (Some(id), Some(until)) = (number(), number()) else { return Ok(None) };
    let user = user::by_id(&mut app.db.read(Cloud).await?, UserId(id)).await?;
    let password = parts.next().unwrap_or_default().to_owned();
    let is_good =
        |user: &User| user.is_active && app.now().0 < until && digest(&user.password_hash) == password;
    Ok(user.filter(is_good))
}

fn digest(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(text)[..16])
}

/// Whether this is the caller's password; fails with [`Fail::BadCredentials`] when it is not, and with [`Fail::TooMany`]
/// after five that were not: a session that was left open is no place to guess.
pub async fn prove(app: &App, who: &Caller, password: &str) -> Result<(), Fail> {
    let user = user::by_id(&mut app.db.read(Cloud).await?, who.user).await?.ok_or(Fail::BadCredentials)?;
    let mut tx = app.db.write(Cloud).await?;
    let guess = throttle::prove(&mut tx, who.user, app.now()).await?;
    tx.commit().await?;
    match app.identity.hasher().verify(password, Some(&user.password_hash)).await? {
        Match::No => Err(Fail::BadCredentials),
        Match::Yes | Match::Outdated => {
            let mut tx = app.db.write(Cloud).await?;
            guess.succeeded(&mut tx).await?;
            tx.commit().await?;
            Ok(())
        }
    }
}

/// What an account's failures are counted under. Logins are compared without regard to case and space, so that variants
/// do not get counts of their own; too long ones share one.
fn subject(key: Key<'_>) -> String {
    key.text().trim().to_lowercase().chars().filter(|c| !c.is_control()).take(128).collect()
}

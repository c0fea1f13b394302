//! Who is signed in to the box. Staff sign in with the verifiers of the roster, without the internet; a token of the cloud
//! is accepted too.
//!
//! What always holds: a token of this box is random, kept only as its SHA-256, ends after 30 days and with a logout; what
//! somebody may do is decided by the roster as it is now, at every request; students do not sign in here.

mod caller;
mod password;
mod store;
#[cfg(test)]
mod tests;
mod throttle;
mod token;

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    routing::{get, post},
};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use self::{
    caller::{Allowed, AtBoxOr, AtGate, AtScreen, Caller, Keeper, Permission, ScanStudents, ShowQr, bearer},
    password::{Verifier, hash},
    store::forget,
    throttle::{Throttle, slow_down},
};
use super::{
    Web,
    dialect::{Done, Said, User},
    extract::{Body, Peer},
    fail::{Fail, Flaw, Problem},
};

/// How long a token of this box is good for.
const SESSION_MS: i64 = 30 * 24 * 3600 * 1000;
/// A login has two short fields.
const LOGIN_BYTES: usize = 8 * 1024;

pub fn routes() -> Router<Web> {
    Router::new()
        .route("/auth/login", post(login))
        .route("/auth/logout", post(logout))
        .route("/user", get(user))
        .layer(DefaultBodyLimit::max(LOGIN_BYTES))
}

#[derive(Deserialize)]
struct Login {
    nisn_nip_nik: Option<String>,
    password: Option<String>,
}

#[derive(Serialize)]
struct SignedIn {
    user: User,
    token: String,
}

async fn login(State(web): State<Web>, peer: Peer, Body(login): Body<Login>) -> Result<Said<SignedIn>, Fail> {
    let (number, password) = login.given()?;
    web.throttle.attempt(&number, &peer.key())?;
    let roster = web.node.roster();
    let person = roster.person_by_number(&number).filter(|p| p.active);
    let verifier = person.and_then(|p| p.verifier.clone());
    if !web.verifier.verify(password, verifier).await? {
        return Err(Fail::BadCredentials);
    }
    let person = person.ok_or(Fail::BadCredentials)?;
    let token = BASE64URL_NOPAD.encode(&web.node.ids().bytes::<32>());
    let now = web.node.trusted_now().time;
    store::begin(web.node.store(), digest(&token), person.id, now, now.plus_millis(SESSION_MS)).await?;
    Ok(Said("Login berhasil", SignedIn { user: person.into(), token }))
}

async fn logout(State(web): State<Web>, caller: Caller) -> Result<Done, Fail> {
    let now = web.node.trusted_now().time;
    store::end(web.node.store(), caller.session, caller.person.id, now, now.plus_millis(SESSION_MS)).await?;
    Ok(Done("Logout berhasil"))
}

#[derive(Serialize)]
struct Me {
    user: User,
}

async fn user(caller: Caller) -> Said<Me> {
    Said("Data user berhasil diambil", Me { user: (&caller.person).into() })
}

impl Login {
    fn given(self) -> Result<(String, String), Fail> {
        let number = self.nisn_nip_nik.map(|n| n.trim().to_owned()).filter(|n| !n.is_empty());
        let password = self.password.filter(|p| !p.is_empty());
        let missing = |field: &str| Problem { field: field.into(), flaw: Flaw::Missing };
        match (number, password) {
            (Some(number), Some(password)) => Ok((number, password)),
            (number, password) => {
                let number = number.is_none().then(|| missing("nisn_nip_nik"));
                let password = password.is_none().then(|| missing("password"));
                Err(Fail::Invalid(number.into_iter().chain(password).collect()))
            }
        }
    }
}

/// What is stored of a token.
pub fn digest(token: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(token))
}

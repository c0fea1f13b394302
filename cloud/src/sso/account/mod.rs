//! One's own account: registering, signing in and out, who am I, and changing it. Section 1 of the contract.
//!
//! What always holds:
//! - registering gives no privileged role: a company's administrator waits, inactive, until an institution is his;
//! - a session is ended by a token in a header, never by a cookie, although the documents make it a GET;
//! - what somebody may not change of himself is refused when it differs, and passed over when a client only repeats it;
//! - a password is changed with the old one, or by who manages the accounts.

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with},
};
use axum::{
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, header::USER_AGENT},
};
use hadir_shared::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    dialect::{self, Done, Said},
    form::FORM_LIMIT,
};
use crate::{
    app::App,
    fail::Fail,
    http::{
        AUTH_BODY_LIMIT, Body, Check, ClientAddress,
        describe::{public, says},
    },
    identity::{self, Attempt, Caller, Key, NewSession, Proof, session, user},
};

pub mod change;
pub mod enter;
mod register;
pub mod shown;
pub mod store;
#[cfg(test)]
mod tests;

use shown::{Account, shown};

const DAY_MS: i64 = 24 * 3600 * 1000;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/auth",
            post_with(login, public("Sign in with a username and a password"))
                .layer(DefaultBodyLimit::max(AUTH_BODY_LIMIT)),
        )
        .api_route(
            "/auth/register",
            post_with(register::register, public("Make an account for oneself"))
                .layer(DefaultBodyLimit::max(FORM_LIMIT)),
        )
        .api_route("/auth/me", get_with(me, says("Who am I")))
        .api_route("/auth/logout", get_with(logout, says("Sign out")))
        .api_route("/auth/verify-token", post_with(verify, says("Whether a token is valid, and whose it is")))
        .api_route(
            "/auth/{uuid}",
            post_with(change::change, says("Change an account: one's own, or one of the institution"))
                .layer(DefaultBodyLimit::max(FORM_LIMIT)),
        )
}

#[derive(Deserialize, JsonSchema)]
struct Login {
    username: Option<String>,
    password: Option<String>,
    /// The six digits of the authenticator app, or a recovery code: of whoever has a second factor.
    otp: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SignedIn")]
struct SignedIn {
    user: Account,
    token: String,
}

/// What a token is good for.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "VerifiedToken")]
struct Verified {
    valid: bool,
    user: Account,
    #[serde(with = "dialect::Instant")]
    expires_at: Millis,
}

async fn login(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Body(login): Body<Login>,
) -> Result<Said<SignedIn>, Fail> {
    let mut check = Check::new();
    let username = check.text("username", login.username, 1..=255);
    let password = check.required("password", login.password);
    check.finish()?;
    let user_agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let session =
        NewSession { client: "sso", address, user_agent, life_ms: app.config.session_days * DAY_MS };
    let attempt = Attempt { key: Key::Username(&username), password: &password, session };
    // Whoever has an account has one here.
    let proof = Proof { code: login.otp.as_deref(), ..Proof::default() };
    let signed_in = identity::login_with(&app, &attempt, proof, |_| Ok(())).await?;
    let mut tx = app.db.read(signed_in.caller.institution).await?;
    let user = shown(&mut tx, signed_in.user).await?;
    Ok(Said("Login berhasil!", SignedIn { user, token: signed_in.token }))
}

async fn me(State(app): State<App>, who: Caller) -> Result<Said<Account>, Fail> {
    Ok(Said("Data pengguna berhasil diambil", own(&app, &who).await?))
}

async fn verify(State(app): State<App>, who: Caller) -> Result<Said<Verified>, Fail> {
    let user = own(&app, &who).await?;
    Ok(Said("Token valid", Verified { valid: true, user, expires_at: who.expires_at }))
}

async fn logout(State(app): State<App>, who: Caller) -> Result<Done, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    session::revoke(&mut tx, &app, who.user, who.session).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(Done("Logout berhasil"))
}

async fn own(app: &App, who: &Caller) -> Result<Account, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let user = user::by_id(&mut tx, who.user).await?.ok_or_else(unknown)?;
    shown(&mut tx, user).await
}

/// Nobody of this name, or nobody within reach.
pub fn unknown() -> Fail {
    Fail::not_found("Pengguna tidak ditemukan")
}

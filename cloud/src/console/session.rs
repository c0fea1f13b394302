//! The browser's session: one cookie, for the console and for signing in to other software.
//!
//! What always holds: the cookie cannot be read by a script, travels over HTTPS only (browsers count a loopback address as
//! that), is sent by no other site's forms, and belongs to this host alone (`__Host-`); it holds a token of an ordinary
//! session, which ends when the session is ended, wherever that is done. A visitor who opens no page for [`IDLE_MS`]
//! signs in anew, and everybody does after [`LIFE_MS`].

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, header},
    middleware::Next,
    response::Response,
};

use super::words::cookie;
use crate::{
    app::App,
    fail::{Fail, NoSession},
    identity::{Caller, session::access_token},
};

pub const COOKIE: &str = "__Host-hadir";
/// What made the session, as its owner reads it in the list.
pub const CLIENT: &str = "console";
/// A session lives no longer.
pub const LIFE_MS: i64 = 12 * 3600 * 1000;
/// Without a page opened it ends so long after the last.
pub const IDLE_MS: i64 = 90 * 60 * 1000;
/// A token older than this is replaced when a page is opened.
const FRESH_S: i64 = 5 * 60;
/// A page that only brings itself up to date says so: it keeps no session alive.
pub const LIVE: &str = "x-live";

/// Who the cookie's session belongs to; fails with [`Fail::Unauthenticated`].
pub async fn caller(app: &App, headers: &HeaderMap) -> Result<Caller, Fail> {
    let token = cookie(headers, COOKIE).ok_or(Fail::Unauthenticated(NoSession::Missing))?;
    app.identity.caller(app, token).await
}

/// The cookie for a session that was just opened, or goes on.
pub fn cookie_of(app: &App, who: &Caller) -> Result<HeaderValue, Fail> {
    let until = app.now().plus_millis(IDLE_MS).min(who.expires_at);
    let token = access_token(app, who, until)?;
    let seconds = until.since(app.now()).max(0) / 1000;
    let text = format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}");
    HeaderValue::from_str(&text).map_err(|e| anyhow::Error::from(e).into())
}

/// Takes the cookie away.
pub fn no_cookie() -> HeaderValue {
    HeaderValue::from_static("__Host-hadir=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}

/// Around the pages: whoever opens one stays signed in.
pub async fn keep(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_opened = request.method() == Method::GET && !request.headers().contains_key(LIVE);
    let aged = if is_opened { aged(&app, request.headers()).await } else { None };
    let mut response = next.run(request).await;
    if let Some(cookie) = aged.filter(|_| !response.headers().contains_key(header::SET_COOKIE)) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A new cookie, where the one that came is good and no longer fresh.
async fn aged(app: &App, headers: &HeaderMap) -> Option<HeaderValue> {
    let token = cookie(headers, COOKIE)?;
    let claims = app.identity.keys().verify(app, token).await.ok()?;
    if claims.iat + FRESH_S > app.now().0.div_euclid(1000) {
        return None;
    }
    let who = app.identity.caller(app, token).await.ok()?;
    cookie_of(app, &who).ok()
}

//! Signing in by a page, signing out, and the choice of the language.
//!
//! What always holds: the session of before is not taken over (the cookie is made anew); where one goes on to is a path of
//! this host; the form is good only for the browser it was given to; the words of a refusal are the same whatever was wrong.

use std::net::IpAddr;

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    csrf, error,
    form::Form,
    page::{POLICY, html_with},
    second, session,
    visit::Guest,
    words::{self, Lang, cookie},
};
use crate::{
    app::App,
    db::Cloud,
    fail::Fail,
    http::{ClientAddress, Origin, Params},
    identity::{self, Attempt, Entered, Key, NewSession, Proof, SignedIn, device, session as sessions, user},
};

/// Binds a form to the browser it was given to, before anybody is signed in.
const FORM_COOKIE: &str = "__Host-hadir-form";
/// Lets its owner past the wait that others caused by guessing at his account. It signs nobody in.
const DEVICE_COOKIE: &str = "__Host-hadir-device";
const DEVICE_S: i64 = 400 * 24 * 3600;
/// A login or password is not longer, in bytes: what is longer is wrong without being looked at.
const LONGEST: usize = 256;

#[derive(Template)]
#[template(path = "console/login.html")]
struct LoginPage {
    lang: Lang,
    csrf: String,
    next: String,
    login: String,
    said: Option<String>,
    /// Browsers keep no cookie of ours otherwise.
    is_secure: bool,
}

/// The second half of a login: the password was right.
#[derive(Template)]
#[template(path = "console/code.html")]
struct CodePage {
    lang: Lang,
    csrf: String,
    next: String,
    ticket: String,
    said: Option<String>,
}

#[derive(Deserialize)]
pub struct Asked {
    next: Option<String>,
    /// Asks even who is signed in.
    again: Option<String>,
    /// Who it may be, as other software believes.
    hint: Option<String>,
}

#[derive(Deserialize)]
pub struct Coded {
    ticket: Option<String>,
    code: Option<String>,
    next: Option<String>,
    csrf: Option<String>,
}

#[derive(Deserialize)]
pub struct Filled {
    login: Option<String>,
    password: Option<String>,
    next: Option<String>,
    csrf: Option<String>,
}

pub async fn show(
    State(app): State<App>,
    origin: Origin,
    Params(asked): Params<Asked>,
    headers: HeaderMap,
) -> Result<Response, Fail> {
    let next = safe(asked.next.as_deref());
    if asked.again.is_none() && session::caller(&app, &headers).await.is_ok() {
        return Ok(Redirect::to(&next).into_response());
    }
    let hint = asked.hint.filter(|hint| hint.len() <= LONGEST).unwrap_or_default();
    form(&app, &origin, &headers, StatusCode::OK, next, hint, None)
}

pub async fn enter(
    State(app): State<App>,
    origin: Origin,
    ClientAddress(address): ClientAddress,
    Form { filled, headers }: Form<Filled>,
) -> Result<Response, Fail> {
    is_own_form(&app, &headers, filled.csrf.as_deref())?;
    let next = safe(filled.next.as_deref());
    let name = filled.login.unwrap_or_default().trim().to_owned();
    let password = filled.password.unwrap_or_default();
    let entered = if name.is_empty() || name.len() > LONGEST || password.len() > LONGEST {
        Err(Fail::BadCredentials)
    } else {
        let session = new_session(address, &headers);
        let attempt = Attempt { key: key(&app, &name).await?, password: &password, session };
        let proof = Proof { code: None, device: cookie(&headers, DEVICE_COOKIE), may_set_up: true };
        identity::enter(&app, &attempt, proof, |_| Ok(())).await
    };
    match entered {
        Ok(Entered::In(signed_in)) => welcome(&app, &signed_in, &next),
        Ok(Entered::Half(ticket)) => code_form(&app, &headers, StatusCode::OK, next, ticket, None),
        Err(fail @ (Fail::BadCredentials | Fail::TooMany { .. } | Fail::Unavailable { .. })) => {
            form(&app, &origin, &headers, fail.status(), next, name, Some(&fail))
        }
        Err(fail) => Err(fail),
    }
}

pub async fn with_code(
    State(app): State<App>,
    origin: Origin,
    ClientAddress(address): ClientAddress,
    Form { filled, headers }: Form<Coded>,
) -> Result<Response, Fail> {
    is_own_form(&app, &headers, filled.csrf.as_deref())?;
    let next = safe(filled.next.as_deref());
    let (ticket, code) = (filled.ticket.unwrap_or_default(), filled.code.unwrap_or_default());
    let session = new_session(address, &headers);
    match identity::finish(&app, &ticket, &code, &session, |_| Ok(())).await {
        Ok(signed_in) => welcome(&app, &signed_in, &next),
        Err(fail @ (Fail::Invalid(_) | Fail::TooMany { .. })) => {
            code_form(&app, &headers, fail.status(), next, ticket, Some(&fail))
        }
        // The ticket is too old: the password again.
        Err(fail @ Fail::BadCredentials) => {
            form(&app, &origin, &headers, fail.status(), next, String::new(), Some(&fail))
        }
        Err(fail) => Err(fail),
    }
}

/// Fails with [`Fail::Denied`] when the form was given to another browser.
fn is_own_form(app: &App, headers: &HeaderMap, given: Option<&str>) -> Result<(), Fail> {
    let given_to = cookie(headers, FORM_COOKIE).unwrap_or_default();
    csrf::check(app, given_to, given.filter(|_| !given_to.is_empty()), headers)
}

fn new_session(address: IpAddr, headers: &HeaderMap) -> NewSession<'_> {
    NewSession {
        client: session::CLIENT,
        address,
        user_agent: headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()),
        life_ms: session::LIFE_MS,
    }
}

/// On to where he wanted to go; who still has to set up a second factor goes there first.
fn welcome(app: &App, signed_in: &SignedIn, next: &str) -> Result<Response, Fail> {
    let who = &signed_in.caller;
    let to = if who.is_half { second::url(next) } else { next.to_owned() };
    let mut response = Redirect::to(&to).into_response();
    let device = device::token(app, who.uuid);
    for cookie in
        [session::cookie_of(app, who)?, form_cookie("", 0)?, own_cookie(DEVICE_COOKIE, &device, DEVICE_S)?]
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

fn code_form(
    app: &App,
    headers: &HeaderMap,
    status: StatusCode,
    next: String,
    ticket: String,
    failed: Option<&Fail>,
) -> Result<Response, Fail> {
    let lang = Lang::of(headers);
    let csrf = csrf::token(app, cookie(headers, FORM_COOKIE).unwrap_or_default());
    let said = failed.map(|fail| second::said(fail, lang));
    html_with(status, POLICY, &CodePage { lang, csrf, next, ticket, said })
}

/// By which of his names somebody signs in: what has an `@` is an address, what is somebody's number is a number.
async fn key<'n>(app: &App, name: &'n str) -> Result<Key<'n>, Fail> {
    if name.contains('@') {
        return Ok(Key::Email(name));
    }
    let is_number = user::name_in_use(&mut app.db.read(Cloud).await?, Key::Number(name), None).await?;
    Ok(if is_number { Key::Number(name) } else { Key::Username(name) })
}

fn form(
    app: &App,
    origin: &Origin,
    headers: &HeaderMap,
    status: StatusCode,
    next: String,
    login: String,
    failed: Option<&Fail>,
) -> Result<Response, Fail> {
    let given_to = cookie(headers, FORM_COOKIE)
        .filter(|id| !id.is_empty())
        .map_or_else(|| app.ids.token(), str::to_owned);
    let lang = Lang::of(headers);
    let said = failed.map(|fail| error::said(fail, lang));
    let csrf = csrf::token(app, &given_to);
    let page = LoginPage { lang, csrf, next, login, said, is_secure: is_secure(&origin.0) };
    let mut response = html_with(status, POLICY, &page)?;
    response.headers_mut().append(header::SET_COOKIE, form_cookie(&given_to, 3600)?);
    Ok(response)
}

/// Whether a browser keeps a cookie that is for HTTPS only.
fn is_secure(origin: &str) -> bool {
    let Some(host) = origin.strip_prefix("http://") else { return true };
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    host == "localhost" || host.starts_with("127.") || host == "[::1]"
}

fn form_cookie(value: &str, seconds: i64) -> Result<HeaderValue, Fail> {
    own_cookie(FORM_COOKIE, value, seconds)
}

fn own_cookie(name: &str, value: &str, seconds: i64) -> Result<HeaderValue, Fail> {
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}");
    HeaderValue::from_str(&text).map_err(|e| anyhow::Error::from(e).into())
}

/// A path of this host, and nothing that a browser would take for another.
pub fn safe(next: Option<&str>) -> String {
    let is_path = |next: &&str| {
        next.starts_with('/')
            && !next[1..].starts_with(['/', '\\'])
            && next.len() <= 2048
            && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
    };
    next.filter(is_path).unwrap_or("/console").to_owned()
}

#[derive(Deserialize)]
pub struct Leaving {
    csrf: Option<String>,
}

pub async fn leave(
    State(app): State<App>,
    Guest { shell }: Guest,
    Form { filled, headers }: Form<Leaving>,
) -> Result<Response, Fail> {
    csrf::check(&app, &shell.who.session.to_string(), filled.csrf.as_deref(), &headers)?;
    let mut tx = app.db.write(Cloud).await?;
    sessions::revoke(&mut tx, &app, shell.who.user, shell.who.session).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(([(header::SET_COOKIE, session::no_cookie())], Redirect::to("/console/login")).into_response())
}

#[derive(Deserialize)]
pub struct Chosen {
    language: Option<String>,
    next: Option<String>,
}

/// Changes nothing but how the next page is worded, so it asks for no proof.
pub async fn language(Form { filled, .. }: Form<Chosen>) -> Result<Response, Fail> {
    let lang = Lang::parse(filled.language.as_deref().unwrap_or_default());
    Ok(([(header::SET_COOKIE, words::remember(lang))], Redirect::to(&safe(filled.next.as_deref())))
        .into_response())
}

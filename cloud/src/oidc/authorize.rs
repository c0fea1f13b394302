//! `/oauth2/authorize` and the question whether one agrees.

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Redirect, Response},
};
use hadir_shared::time::Millis;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    claims::Hint,
    code::{self, NewCode},
    dialect::Refusal,
    issuer,
    params::{Params, Posted},
    request::{self, Back, Flawed, Request},
    scope::Scopes,
    store,
};
use crate::{
    app::App,
    console::{self, Form, Lang, csrf, words},
    db::Cloud,
    fail::Fail,
    identity::{Caller, Entry, Rules, audit},
};

#[derive(Template)]
#[template(path = "oidc/consent.html")]
struct ConsentPage<'a> {
    lang: Lang,
    csrf: String,
    request: &'a str,
    client: &'a str,
    host: &'a str,
    name: &'a str,
    scopes: Vec<(&'static str, &'static str)>,
    again: String,
}

#[derive(Template)]
#[template(path = "oidc/onward.html")]
struct OnwardPage<'a> {
    lang: Lang,
    url: &'a str,
}

/// What to do with a request.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    SignIn,
    SetUpSecond,
    Ask,
    Refuse(&'static str, &'static str),
    Agree,
}

/// What a visitor answered on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Allow,
    Deny,
}

/// Who sits in front of the browser, as far as the plan needs to know.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
struct Visitor {
    since: Millis,
    is_half: bool,
    is_admitted: bool,
    /// He is whom the client means, or the client means nobody.
    is_meant: bool,
    has_agreed: bool,
}

pub async fn show(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Fail> {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    answer(&app, &headers, &params, None).await
}

/// A request by POST is the same request: the browser comes back with it by GET, and then brings its cookie.
pub async fn posted(posted: Result<Posted, Refusal>) -> Result<Response, Fail> {
    let Ok(posted) = posted else { return Err(unanswerable("body")) };
    let query = posted.params.query_without(request::AFTER);
    Ok(Redirect::to(&format!("/oauth2/authorize?{query}")).into_response())
}

#[derive(Deserialize)]
pub struct Answered {
    request: Option<String>,
    decision: Option<String>,
    csrf: Option<String>,
}

pub async fn consent(
    State(app): State<App>,
    Form { filled, headers }: Form<Answered>,
) -> Result<Response, Fail> {
    let who = console::session::caller(&app, &headers).await?;
    csrf::check(&app, &who.session.to_string(), filled.csrf.as_deref(), &headers)?;
    let decision = match filled.decision.as_deref() {
        Some("allow") => Decision::Allow,
        _ => Decision::Deny,
    };
    let params = Params::parse(filled.request.unwrap_or_default().as_bytes());
    answer(&app, &headers, &params, Some(decision)).await
}

async fn answer(
    app: &App,
    headers: &HeaderMap,
    params: &Params,
    decision: Option<Decision>,
) -> Result<Response, Fail> {
    let issuer = issuer(app)?;
    let lang = Lang::of(headers);
    let request = match request::read(app, params).await? {
        Ok(request) => request,
        Err(Flawed::Here(what)) => return Err(unanswerable(what)),
        Err(Flawed::Back(back)) => return onward(lang, &back.url(issuer), decision.is_some()),
    };
    // A form's answer leads to the client by way of a page: a browser that obeys `form-action` would stop there otherwise.
    let by_page = decision.is_some() || request.after.is_some();
    let back = |back: &Back| onward(lang, &back.url(issuer), by_page);
    let who = match console::session::caller(app, headers).await {
        Ok(who) => Some(who),
        Err(Fail::Unauthenticated(_)) => None,
        Err(fail) => return Err(fail),
    };
    let visitor = match &who {
        Some(who) => Some(look_at(app, issuer, &request, who).await?),
        None => None,
    };
    match (plan(&request, visitor, decision, app.now()), who) {
        (Step::Refuse(error, said), _) => back(&request.back(error, said)),
        (Step::SetUpSecond, _) => {
            Ok(Redirect::to(&console::second::url(&request.again(app))).into_response())
        }
        (Step::Ask, Some(who)) => ask(app, request.lang.unwrap_or(lang), &request, &who),
        (Step::Agree, Some(who)) => {
            let url = agree(app, issuer, &request, &who, decision.is_some()).await?;
            onward(lang, &url, by_page)
        }
        (Step::SignIn | Step::Ask | Step::Agree, _) => Ok(sign_in(app, headers, &request)),
    }
}

/// Decides, and touches nothing.
fn plan(request: &Request, visitor: Option<Visitor>, decision: Option<Decision>, now: Millis) -> Step {
    let quiet = |step: Step, error, said| if request.prompt.none { Step::Refuse(error, said) } else { step };
    let sign_in = || quiet(Step::SignIn, "login_required", "Nobody is signed in who will do.");
    let Some(visitor) = visitor else { return sign_in() };
    let has_just = request.after.is_some_and(|after| visitor.since > after);
    let age_s = now.since(visitor.since).div_euclid(1000);
    let is_old = request.max_age.is_some_and(|most| age_s > most || most == 0);
    if !has_just && (request.prompt.login || is_old || !visitor.is_meant) {
        return sign_in();
    }
    if visitor.is_half {
        return quiet(Step::SetUpSecond, "interaction_required", "A second factor has to be set up.");
    }
    if !visitor.is_admitted || !visitor.is_meant {
        return Step::Refuse("access_denied", "This account may not sign in there.");
    }
    match decision {
        Some(Decision::Deny) => Step::Refuse("access_denied", "The user did not agree."),
        None if request.prompt.consent || !visitor.has_agreed => {
            quiet(Step::Ask, "consent_required", "The user has not agreed yet.")
        }
        Some(Decision::Allow) | None => Step::Agree,
    }
}

async fn look_at(app: &App, issuer: &str, request: &Request, who: &Caller) -> Result<Visitor, Fail> {
    let given = store::consent(&mut app.db.read(Cloud).await?, who.user, request.client.key).await?;
    let given = Scopes::parse(given.as_deref().unwrap_or_default());
    let is_meant = match &request.id_token_hint {
        Some(hint) => hinted(app, issuer, &request.client.client_id, hint).await? == Some(who.uuid),
        None => true,
    };
    Ok(Visitor {
        since: who.since,
        is_half: who.is_half,
        is_admitted: who.is_half || request.client.admits(who),
        is_meant,
        has_agreed: request.client.about.is_trusted || request.scopes.is_subset(&given),
    })
}

/// Whom an id token of this client was about, however old it is.
async fn hinted(app: &App, issuer: &str, client: &str, hint: &str) -> Result<Option<Uuid>, Fail> {
    let rules = Rules { typ: "JWT", issuer, audience: Some(client), stale: true };
    match app.identity.keys().verify_as::<Hint>(app, hint, &rules).await {
        Ok(hint) => Ok(Some(hint.sub)),
        Err(Fail::Unauthenticated(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

fn sign_in(app: &App, headers: &HeaderMap, request: &Request) -> Response {
    let next = request.again(app);
    let mut pairs = vec![("next", next.as_str()), ("again", "1")];
    if let Some(hint) = &request.login_hint {
        pairs.push(("hint", hint));
    }
    let mut response = Redirect::to(&format!("/console/login?{}", encoded(&pairs))).into_response();
    // The language the client asks for, unless the visitor has chosen one himself.
    if let Some(lang) = request.lang.filter(|_| words::cookie(headers, words::COOKIE).is_none()) {
        response.headers_mut().append(header::SET_COOKIE, words::remember(lang));
    }
    response
}

fn ask(app: &App, lang: Lang, request: &Request, who: &Caller) -> Result<Response, Fail> {
    let page = ConsentPage {
        lang,
        csrf: csrf::token(app, &who.session.to_string()),
        request: &request.whole,
        client: &request.client.about.name,
        host: host(&request.redirect_uri),
        name: &who.name,
        scopes: request.scopes.iter().map(meaning).collect(),
        again: format!("/console/login?{}", encoded(&[("next", &request.again(app)), ("again", "1")])),
    };
    console::html(&page)
}

/// Remembers that the user agreed, and makes the code.
async fn agree(
    app: &App,
    issuer: &str,
    request: &Request,
    who: &Caller,
    was_asked: bool,
) -> Result<String, Fail> {
    let mut tx = app.db.write(Cloud).await?;
    if was_asked {
        let before = store::consent(&mut tx, who.user, request.client.key).await?;
        let all = Scopes::parse(before.as_deref().unwrap_or_default()).with(&request.scopes).to_string();
        store::put_consent(&mut tx, who.user, request.client.key, &all, app.now()).await?;
        let subject = format!("oidc_client:{}", request.client.client_id);
        let entry = Entry::new(who.actor(), "oidc.consent", subject).about(who.user);
        audit(&mut tx, app, &entry.after(serde_json::json!({"scopes": all}))).await?;
    }
    let new = NewCode {
        client: &request.client,
        who,
        scopes: &request.scopes,
        redirect_uri: &request.redirect_uri,
        challenge: &request.challenge,
        nonce: request.nonce.as_deref(),
    };
    let code = code::make(&mut tx, app, &new).await?;
    tx.commit().await?;
    Ok(request.onward(issuer, &code))
}

/// On to an address of the client.
pub fn onward(lang: Lang, url: &str, by_page: bool) -> Result<Response, Fail> {
    if !by_page {
        return Ok(Redirect::to(url).into_response());
    }
    let mut response = console::html(&OnwardPage { lang, url })?;
    let refresh = HeaderValue::from_str(&format!("0;url={url}")).map_err(anyhow::Error::from)?;
    response.headers_mut().insert(header::REFRESH, refresh);
    Ok(response)
}

pub fn unanswerable(what: &str) -> Fail {
    Fail::bad_request(format!(
        "Aplikasi yang mengirim Anda ke sini meminta dengan salah ({what}). Hubungi pengelolanya."
    ))
}

/// Where the address leads, for people to recognise.
fn host(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// What a scope means, Indonesian and English.
fn meaning(scope: &str) -> (&'static str, &'static str) {
    match scope {
        "profile" => ("nama dan nama pengguna Anda", "your name and user name"),
        "email" => ("alamat email Anda", "your e-mail address"),
        "phone" => ("nomor telepon Anda", "your phone number"),
        "school" => ("sekolah, nomor induk, dan peran Anda", "your school, number and roles"),
        "offline_access" => {
            ("tetap terhubung saat Anda tidak sedang membukanya", "to stay connected while you are away")
        }
        _ => ("siapa Anda (sebuah tanda pengenal)", "who you are (an identifier)"),
    }
}

#[cfg(test)]
mod tests;

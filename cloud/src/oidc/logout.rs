//! Signing out from a client (OpenID Connect RP-Initiated Logout 1.0).
//!
//! What always holds: one goes on only to an address that the client registered for this; whoever comes without a token that
//! says who is meant is asked first, because any page can send a browser here.

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, header},
    response::Response,
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    authorize::{onward, unanswerable},
    claims::Hint,
    client,
    dialect::Refusal,
    issuer,
    params::{Params, Posted},
    request,
};
use crate::{
    app::App,
    console::{self, Form, Lang, csrf, session},
    db::Cloud,
    fail::Fail,
    identity::{Caller, Rules, session as sessions},
};

#[derive(Template)]
#[template(path = "oidc/logout.html")]
struct LogoutPage<'a> {
    lang: Lang,
    csrf: String,
    request: &'a str,
    name: &'a str,
    client: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "oidc/signed_out.html")]
struct SignedOutPage {
    lang: Lang,
}

/// A request to sign out that makes sense.
struct Wish {
    client: Option<String>,
    /// Whom the client means.
    subject: Option<Uuid>,
    /// Where to go on to.
    address: Option<String>,
    query: String,
}

pub async fn show(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Fail> {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    answer(&app, &headers, &params, false).await
}

/// By POST the cookie does not come from another site: the same request again, by GET.
pub async fn posted(posted: Result<Posted, Refusal>) -> Result<Response, Fail> {
    use axum::response::{IntoResponse as _, Redirect};
    let Ok(posted) = posted else { return Err(unanswerable("body")) };
    Ok(Redirect::to(&format!("/oauth2/logout?{}", posted.params.query_without(""))).into_response())
}

#[derive(Deserialize)]
pub struct Confirmed {
    request: Option<String>,
    csrf: Option<String>,
}

pub async fn confirm(
    State(app): State<App>,
    Form { filled, headers }: Form<Confirmed>,
) -> Result<Response, Fail> {
    let who = session::caller(&app, &headers).await?;
    csrf::check(&app, &who.session.to_string(), filled.csrf.as_deref(), &headers)?;
    let params = Params::parse(filled.request.unwrap_or_default().as_bytes());
    answer(&app, &headers, &params, true).await
}

async fn answer(app: &App, headers: &HeaderMap, params: &Params, is_sure: bool) -> Result<Response, Fail> {
    let wish = read(app, params).await?;
    let lang = Lang::of(headers);
    let who = match session::caller(app, headers).await {
        Ok(who) => Some(who),
        Err(Fail::Unauthenticated(_)) => None,
        Err(fail) => return Err(fail),
    };
    if let Some(who) = &who {
        if !is_sure && wish.subject != Some(who.uuid) {
            return console::html(&LogoutPage {
                lang,
                csrf: csrf::token(app, &who.session.to_string()),
                request: &wish.query,
                name: &who.name,
                client: wish.client.as_deref(),
            });
        }
        end(app, who).await?;
    }
    let mut response = match &wish.address {
        Some(address) => onward(lang, address, is_sure)?,
        None => console::html(&SignedOutPage { lang })?,
    };
    if who.is_some() {
        response.headers_mut().append(header::SET_COOKIE, session::no_cookie());
    }
    Ok(response)
}

async fn end(app: &App, who: &Caller) -> Result<(), Fail> {
    let mut tx = app.db.write(Cloud).await?;
    sessions::revoke(&mut tx, app, who.user, who.session).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(())
}

async fn read(app: &App, params: &Params) -> Result<Wish, Fail> {
    if let Some(name) = &params.repeated {
        return Err(unanswerable(name));
    }
    let hint = match params.get("id_token_hint") {
        Some(text) => Some(hinted(app, text).await?),
        None => None,
    };
    let named = params.get("client_id").or(hint.as_ref().map(|hint| hint.aud.as_str()));
    if hint.as_ref().is_some_and(|hint| Some(hint.aud.as_str()) != named) {
        return Err(unanswerable("client_id"));
    }
    let client = match named {
        Some(name) => client::by_id(&mut app.db.read(Cloud).await?, name).await?,
        None => None,
    };
    let address = match (params.get("post_logout_redirect_uri"), &client) {
        (None, _) => None,
        (Some(uri), Some(client)) if client.about.logout_uris.iter().any(|known| known == uri) => {
            Some(request::url(uri, &[], params.get("state")))
        }
        (Some(_), _) => return Err(unanswerable("post_logout_redirect_uri")),
    };
    Ok(Wish {
        client: client.map(|client| client.about.name),
        subject: hint.map(|hint| hint.sub),
        address,
        query: params.query_without(""),
    })
}

/// An id token of ours, of whatever age.
async fn hinted(app: &App, text: &str) -> Result<Hint, Fail> {
    let rules = Rules { typ: "JWT", issuer: issuer(app)?, audience: None, stale: true };
    app.identity.keys().verify_as(app, text, &rules).await.map_err(|fail| match fail {
        Fail::Unauthenticated(_) => unanswerable("id_token_hint"),
        other => other,
    })
}

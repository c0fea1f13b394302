//! `POST /oauth2/token`: a code or a refresh token, and what they are exchanged for; and who the client is that asks.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    claims::{self, Holder},
    client::{self, Client},
    code::{self, gone},
    dialect::{Answer, INVALID_GRANT, Refusal},
    issuer,
    params::{Params, Posted},
    scope::{OFFLINE, Scopes},
    store,
};
use crate::{
    app::App,
    db::Cloud,
    identity::{Caller, refresh},
};

/// A refresh token that is not used for so long is dead.
const REFRESH_MS: i64 = 30 * 24 * 3600 * 1000;

pub async fn exchange(
    State(app): State<App>,
    Posted { params, headers }: Posted,
) -> Result<Response, Refusal> {
    issuer(&app)?;
    let client = authenticate(&app, &headers, &params).await?;
    let answer = match params.get("grant_type") {
        Some("authorization_code") => by_code(&app, &client, &params).await?,
        Some("refresh_token") => by_refresh(&app, &client, &params).await?,
        Some(_) => return Err(Refusal::Error("unsupported_grant_type", "Only codes and refresh tokens.")),
        None => return Err(Refusal::Error("invalid_request", "grant_type is missing.")),
    };
    let mut response = Answer(answer).into_response();
    response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    Ok(response)
}

async fn by_code(app: &App, client: &Client, params: &Params) -> Result<Value, Refusal> {
    let code = params.get("code").ok_or(Refusal::Error("invalid_request", "code is missing."))?;
    let (uri, verifier) = (params.get("redirect_uri"), params.get("code_verifier"));
    let redeemed = code::redeem(app, client, code, uri, verifier).await?;
    let refresh_token = if redeemed.scopes.has(OFFLINE) {
        let mut tx = app.db.write(Cloud).await?;
        let token = refresh::issue(&mut tx, app, &redeemed.who, REFRESH_MS).await?;
        tx.commit().await?;
        Some(token)
    } else {
        None
    };
    let holder = Holder {
        client,
        who: &redeemed.who,
        scopes: &redeemed.scopes,
        auth_time: redeemed.auth_time,
        nonce: redeemed.nonce.as_deref(),
    };
    tokens(app, &holder, refresh_token)
}

async fn by_refresh(app: &App, client: &Client, params: &Params) -> Result<Value, Refusal> {
    let token = params.get("refresh_token");
    let token = token.ok_or(Refusal::Error("invalid_request", "refresh_token is missing."))?;
    let mut tx = app.db.read(Cloud).await?;
    let session = refresh::session_of(&mut tx, token).await?.ok_or(INVALID_GRANT)?;
    let grant = store::grant(&mut tx, session).await?.filter(|grant| grant.client == client.key);
    let grant = grant.ok_or(INVALID_GRANT)?;
    drop(tx);
    let granted = Scopes::parse(&grant.scopes);
    let scopes = match params.get("scope") {
        Some(asked) => Scopes::parse(asked),
        None => granted.clone(),
    };
    if !scopes.is_subset(&granted) {
        return Err(Refusal::Error("invalid_scope", "More than was granted."));
    }
    let refreshed = refresh::rotate(app, code::CLIENT, token, REFRESH_MS).await.map_err(gone)?;
    if !client.admits(&refreshed.caller) {
        return Err(INVALID_GRANT);
    }
    let auth_time = hadir_shared::time::Millis(grant.auth_time);
    let holder = Holder { client, who: &refreshed.caller, scopes: &scopes, auth_time, nonce: None };
    tokens(app, &holder, Some(refreshed.token))
}

fn tokens(app: &App, holder: &Holder<'_>, refresh_token: Option<String>) -> Result<Value, Refusal> {
    let issuer = issuer(app)?;
    let (access_token, until) = claims::access(app, issuer, holder)?;
    let id_token = claims::id_token(app, issuer, holder, &access_token)?;
    let mut answer = json!({
        "access_token": access_token, "token_type": "Bearer", "expires_in": until.since(app.now()) / 1000,
        "id_token": id_token, "scope": holder.scopes.to_string(),
    });
    if let (Some(token), Some(answer)) = (refresh_token, answer.as_object_mut()) {
        answer.insert("refresh_token".into(), token.into());
    }
    Ok(answer)
}

/// The client that asks: by `client_secret_basic`, by `client_secret_post`, or, if it can keep no secret, by its name alone.
pub async fn authenticate(app: &App, headers: &HeaderMap, params: &Params) -> Result<Client, Refusal> {
    let basic = headers.get(header::AUTHORIZATION).map(|value| basic(value).ok_or(Refusal::Client));
    let (name, secret) = match (basic.transpose()?, params.get("client_id"), params.get("client_secret")) {
        (Some(_), _, Some(_)) => {
            return Err(Refusal::Error("invalid_request", "The client proves itself in one way."));
        }
        (Some((name, _)), Some(other), None) if name != other => return Err(Refusal::Client),
        (Some((name, secret)), _, None) => (name, Some(secret)),
        (None, Some(name), secret) => (name.to_owned(), secret.map(str::to_owned)),
        (None, None, _) => return Err(Refusal::Client),
    };
    let client = client::by_id(&mut app.db.read(Cloud).await?, &name).await?;
    let client = client.filter(|client| client.about.is_active).ok_or(Refusal::Client)?;
    let is_it = match secret {
        Some(secret) => !client.about.is_public && client.has_secret(&secret, app.now()),
        None => client.about.is_public,
    };
    if is_it { Ok(client) } else { Err(Refusal::Client) }
}

/// RFC 6749, section 2.3.1: both parts are written as in a form before they are put together.
fn basic(value: &HeaderValue) -> Option<(String, String)> {
    let (scheme, text) = value.to_str().ok()?.split_once(' ')?;
    let text = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(text.trim()).ok())??;
    let text = String::from_utf8(text).ok()?;
    let (name, secret) = text.split_once(':')?;
    let read = |text: &str| -> Option<String> {
        let pair = format!("x={text}");
        let (_, value) = form_urlencoded::parse(pair.as_bytes()).next()?;
        Some(value.into_owned())
    };
    Some((read(name)?, read(secret)?))
}

/// The user behind an access token of a client, what it may see of him, and the client.
pub async fn holder_of(app: &App, text: &str) -> Result<(claims::Access, Caller, Client), Refusal> {
    let issuer = issuer(app)?;
    let rules = crate::identity::Rules { typ: "at+jwt", issuer, audience: Some(issuer), stale: false };
    let no = |fail| match fail {
        crate::fail::Fail::Unauthenticated(_) => Refusal::Token,
        other => Refusal::Failed(other),
    };
    let access: claims::Access = app.identity.keys().verify_as(app, text, &rules).await.map_err(no)?;
    let who = app.identity.holder(app, access.sid, access.sub, access.ver).await.map_err(no)?;
    let mut tx = app.db.read(Cloud).await?;
    let client = client::by_id(&mut tx, &access.client_id).await?.filter(|client| client.admits(&who));
    let client = client.ok_or(Refusal::Token)?;
    let grant = store::grant(&mut tx, access.sid).await?.filter(|grant| grant.client == client.key);
    grant.ok_or(Refusal::Token)?;
    Ok((access, who, client))
}

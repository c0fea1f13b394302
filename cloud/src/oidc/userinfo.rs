//! `GET, POST /oauth2/userinfo` (OpenID Connect Core, section 5.3).

use axum::{
    extract::State,
    http::{HeaderMap, header},
};
use serde_json::Value;

use super::{
    claims,
    dialect::{Answer, Refusal},
    params::Posted,
    scope::{OPENID, Scopes},
    token::holder_of,
};
use crate::{app::App, db::Cloud};

pub async fn get(State(app): State<App>, headers: HeaderMap) -> Result<Answer<Value>, Refusal> {
    answer(&app, bearer(&headers)).await
}

/// The token comes in the header, or in the body, and never in both.
pub async fn post(
    State(app): State<App>,
    Posted { params, headers }: Posted,
) -> Result<Answer<Value>, Refusal> {
    match (bearer(&headers), params.get("access_token")) {
        (Some(_), Some(_)) => Err(Refusal::Error("invalid_request", "The token comes in one place.")),
        (Some(token), None) | (None, Some(token)) => answer(&app, Some(token)).await,
        (None, None) => answer(&app, None).await,
    }
}

async fn answer(app: &App, token: Option<&str>) -> Result<Answer<Value>, Refusal> {
    let (access, who, _) = holder_of(app, token.ok_or(Refusal::Token)?).await?;
    let scopes = Scopes::parse(&access.scope);
    if !scopes.has(OPENID) {
        return Err(Refusal::Scope);
    }
    let mut tx = app.db.read(Cloud).await?;
    Ok(Answer(claims::about(&mut tx, &who, &scopes).await?))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

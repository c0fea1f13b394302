//! Taking tokens back (RFC 7009) and asking about them (RFC 7662).
//!
//! What always holds: a client learns of, and ends, its own tokens only; of another's it is told what it is told of one that
//! never was. Taking back any token ends the whole hold it belongs to.

use axum::{extract::State, http::StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    claims::Access,
    client::Client,
    code,
    dialect::{Answer, Refusal},
    issuer,
    params::Posted,
    scope::Scopes,
    store,
    token::{authenticate, holder_of},
};
use crate::{
    app::App,
    db::Cloud,
    fail::Fail,
    identity::{Rules, refresh},
};

pub async fn revoke(
    State(app): State<App>,
    Posted { params, headers }: Posted,
) -> Result<StatusCode, Refusal> {
    let client = authenticate(&app, &headers, &params).await?;
    let token = params.get("token").ok_or(Refusal::Error("invalid_request", "token is missing."))?;
    if let Some(session) = session_of(&app, token).await? {
        let mut tx = app.db.write(Cloud).await?;
        let grant = store::grant(&mut tx, session).await?.filter(|grant| grant.client == client.key);
        if grant.is_some()
            && let Some(user) = refresh::user_of(&mut tx, session).await?
        {
            code::end(&mut tx, &app, user, session, "oidc.revoke").await?;
            tx.commit().await?;
            app.identity.forget();
        }
    }
    Ok(StatusCode::OK)
}

/// The session behind a refresh token, or behind an access token, if only an old one.
async fn session_of(app: &App, token: &str) -> Result<Option<Uuid>, Refusal> {
    if let Some(session) = refresh::session_of(&mut app.db.read(Cloud).await?, token).await? {
        return Ok(Some(session));
    }
    let issuer = issuer(app)?;
    let rules = Rules { typ: "at+jwt", issuer, audience: Some(issuer), stale: true };
    match app.identity.keys().verify_as::<Access>(app, token, &rules).await {
        Ok(access) => Ok(Some(access.sid)),
        Err(Fail::Unauthenticated(_)) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

pub async fn introspect(
    State(app): State<App>,
    Posted { params, headers }: Posted,
) -> Result<Answer<Value>, Refusal> {
    let client = authenticate(&app, &headers, &params).await?;
    if client.about.is_public {
        return Err(Refusal::Client);
    }
    let token = params.get("token").ok_or(Refusal::Error("invalid_request", "token is missing."))?;
    let told = match holder_of(&app, token).await {
        Ok((access, who, owner)) if owner.key == client.key => {
            let mut told = serde_json::to_value(&access).map_err(anyhow::Error::from).map_err(Fail::from)?;
            told["active"] = json!(true);
            told["token_type"] = json!("Bearer");
            if Scopes::parse(&access.scope).has("profile") {
                told["username"] = json!(who.name);
            }
            Some(told)
        }
        Ok(_) => None,
        Err(Refusal::Token) => refresh_token(&app, &client, token).await?,
        Err(other) => return Err(other),
    };
    Ok(Answer(told.unwrap_or_else(|| json!({"active": false}))))
}

async fn refresh_token(app: &App, client: &Client, token: &str) -> Result<Option<Value>, Refusal> {
    let mut tx = app.db.read(Cloud).await?;
    let Some(living) = refresh::living(&mut tx, token, app.now()).await? else { return Ok(None) };
    let grant =
        store::grant(&mut tx, living.caller.session).await?.filter(|grant| grant.client == client.key);
    let Some(grant) = grant.filter(|_| client.admits(&living.caller)) else { return Ok(None) };
    Ok(Some(json!({
        "active": true, "client_id": client.client_id, "scope": grant.scopes, "sub": living.caller.uuid,
        "exp": super::claims::seconds(living.expires_at), "iss": issuer(app)?,
    })))
}

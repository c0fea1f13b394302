//! The registry by API, for super admins.

use axum::{extract::FromRequestParts, extract::State, http::StatusCode, http::request::Parts};
use hadir_shared::ids::InstitutionId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    client::{self, About, Client},
    dialect::{Answer, Created},
    scope::Scopes,
};
use crate::{
    app::App,
    db::Cloud,
    fail::{Fail, Flaw},
    http::{Body, Check, Segment},
    identity::{Alg, Caller},
};

/// What opens the registry.
pub const KEEP_CLIENTS: &str = "sso.clients.write";
const TYPES: &[&str] = &["confidential", "public"];
const ALGS: &[&str] = &["RS256", "EdDSA"];
/// So long a replaced secret goes on to count.
pub const USUAL_OVERLAP_HOURS: i64 = 24;
pub const LONGEST_OVERLAP_HOURS: i64 = 720;

/// Somebody who looks after the registry.
pub struct Keeper(Caller);

impl FromRequestParts<App> for Keeper {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fail> {
        let who = Caller::from_request_parts(parts, app).await?;
        if who.may(KEEP_CLIENTS) { Ok(Self(who)) } else { Err(Fail::denied("This is for super admins.")) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    name: Option<String>,
    r#type: Option<String>,
    institution_id: Option<i64>,
    redirect_uris: Option<Vec<String>>,
    post_logout_redirect_uris: Option<Vec<String>>,
    scope: Option<String>,
    id_token_signed_response_alg: Option<String>,
    trusted: Option<bool>,
    active: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    overlap_hours: Option<i64>,
}

#[derive(Serialize)]
pub struct Shown {
    client_id: String,
    name: String,
    r#type: &'static str,
    institution_id: Option<i64>,
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    scope: String,
    id_token_signed_response_alg: &'static str,
    trusted: bool,
    active: bool,
    created_at: String,
    updated_at: String,
}

impl Told {
    fn check(self) -> Result<About, Fail> {
        let mut check = Check::new();
        let name = check.text("name", self.name, 1..=100);
        let kind = self.r#type.unwrap_or_else(|| TYPES[0].into());
        check.one_of("type", &kind, TYPES);
        let alg = self.id_token_signed_response_alg.unwrap_or_else(|| ALGS[0].into());
        check.one_of("id_token_signed_response_alg", &alg, ALGS);
        let scope = self.scope.unwrap_or_else(|| "openid profile email".into());
        let scopes = Scopes::parse(&scope);
        let known = scope.split_whitespace().all(|word| scopes.has(word));
        check.that(known, "scope", Flaw::Said("has a word that is no scope here".into()));
        check.finish()?;
        Ok(About {
            name,
            institution: self.institution_id.map(InstitutionId),
            is_public: kind == TYPES[1],
            redirect_uris: self.redirect_uris.unwrap_or_default(),
            logout_uris: self.post_logout_redirect_uris.unwrap_or_default(),
            scopes,
            alg: Alg::parse(&alg).unwrap_or(Alg::Rs256),
            is_trusted: self.trusted.unwrap_or(false),
            is_active: self.active.unwrap_or(true),
        })
    }
}

pub async fn list(State(app): State<App>, _: Keeper) -> Result<Answer<Value>, Fail> {
    let all = client::list(&mut app.db.read(Cloud).await?).await?;
    Ok(Answer(json!({"clients": all.into_iter().map(shown).collect::<Vec<_>>()})))
}

pub async fn show(
    State(app): State<App>,
    _: Keeper,
    Segment(client_id): Segment<String>,
) -> Result<Answer<Shown>, Fail> {
    let client = client::by_id(&mut app.db.read(Cloud).await?, &client_id).await?;
    client.map(shown).map(Answer).ok_or_else(client::unknown)
}

pub async fn create(
    State(app): State<App>,
    Keeper(who): Keeper,
    Body(told): Body<Told>,
) -> Result<Created<Value>, Fail> {
    let about = told.check()?;
    let mut tx = app.db.write(Cloud).await?;
    let (client, secret) = client::create(&mut tx, &app, who.actor(), &about).await?;
    tx.commit().await?;
    let mut answer = serde_json::to_value(shown(client)).map_err(anyhow::Error::from)?;
    if let Some(secret) = secret {
        answer["client_secret"] = secret.into();
    }
    Ok(Created(answer))
}

pub async fn replace(
    State(app): State<App>,
    Keeper(who): Keeper,
    Segment(client_id): Segment<String>,
    Body(told): Body<Told>,
) -> Result<Answer<Shown>, Fail> {
    let mut tx = app.db.write(Cloud).await?;
    let client = client::by_id(&mut tx, &client_id).await?.ok_or_else(client::unknown)?;
    client::replace(&mut tx, &app, who.actor(), &client, &told.check()?).await?;
    let after = client::by_id(&mut tx, &client_id).await?.ok_or_else(client::unknown)?;
    tx.commit().await?;
    Ok(Answer(shown(after)))
}

pub async fn remove(
    State(app): State<App>,
    Keeper(who): Keeper,
    Segment(client_id): Segment<String>,
) -> Result<StatusCode, Fail> {
    let mut tx = app.db.write(Cloud).await?;
    let client = client::by_id(&mut tx, &client_id).await?.ok_or_else(client::unknown)?;
    client::remove(&mut tx, &app, who.actor(), &client).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(StatusCode::NO_CONTENT)
}

pub async fn renew_secret(
    State(app): State<App>,
    Keeper(who): Keeper,
    Segment(client_id): Segment<String>,
    Body(renewal): Body<Renewal>,
) -> Result<Answer<Value>, Fail> {
    let mut check = Check::new();
    let hours = renewal.overlap_hours.unwrap_or(USUAL_OVERLAP_HOURS);
    let hours = check.range("overlap_hours", hours, 0..=LONGEST_OVERLAP_HOURS);
    check.finish()?;
    let mut tx = app.db.write(Cloud).await?;
    let client = client::by_id(&mut tx, &client_id).await?.ok_or_else(client::unknown)?;
    let secret = client::renew_secret(&mut tx, &app, who.actor(), &client, hours).await?;
    tx.commit().await?;
    Ok(Answer(json!({"client_id": client_id, "client_secret": secret})))
}

fn shown(client: Client) -> Shown {
    let about = client.about;
    Shown {
        client_id: client.client_id,
        name: about.name,
        r#type: TYPES[usize::from(about.is_public)],
        institution_id: about.institution.map(|id| id.0),
        redirect_uris: about.redirect_uris,
        post_logout_redirect_uris: about.logout_uris,
        scope: about.scopes.to_string(),
        id_token_signed_response_alg: about.alg.name(),
        trusted: about.is_trusted,
        active: about.is_active,
        created_at: client.created_at.to_rfc3339_micros(),
        updated_at: client.updated_at.to_rfc3339_micros(),
    }
}

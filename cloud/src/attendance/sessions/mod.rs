//! Sessions: where somebody is signed in, seen and ended by himself, and by the school's administrator. Beyond the documents.
//!
//! What always holds:
//! - one sees and ends one's own; an administrator those of his school's people who may do no more than he in the core;
//! - an ended session is over at once, and everywhere within two seconds; ending it again is 404;
//! - what is shown of a session is what it said of itself when it was opened: no token, nothing to go on with.
//!
//! | route | what |
//! |---|---|
//! | `GET /sessions`, `DELETE /sessions/{id}` | one's own; one of them is ended |
//! | `POST /sessions/end-others` | all of one's own but this one |
//! | `GET`, `DELETE /users/{id}/sessions` | somebody's; all of them are ended |
//! | `DELETE /users/{id}/sessions/{session}` | one of them is ended |

use aide::axum::{
    ApiRouter,
    routing::{delete_with, get_with, post_with},
};
use axum::extract::State;
use hadir_shared::{ids::UserId, time::Millis};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{
    dialect::{self, Data, Done, Told},
    export::file,
    permits::{Use, WriteUsers},
    users,
};
use crate::{
    app::App,
    db::Tx,
    fail::Fail,
    http::{Allowed, Segment, describe::says},
    identity::session::{self, Listed},
    sheet::{AsFile, Column, Columns, OrFile},
};

pub mod page;
mod store;
#[cfg(test)]
mod tests;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/sessions", get_with(own, says("Where one is signed in")))
        .api_route("/sessions/end-others", post_with(end_others, says("Sign out everywhere else")))
        .api_route("/sessions/{id}", delete_with(end_own, says("End one of one's own sessions")))
        .api_route(
            "/users/{id}/sessions",
            get_with(of_user, says("Where somebody is signed in"))
                .delete_with(end_all, says("End all of somebody's sessions")),
        )
        .api_route(
            "/users/{id}/sessions/{session}",
            delete_with(end_one, says("End one of somebody's sessions")),
        )
}

/// A living session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Session")]
struct Shown {
    id: Uuid,
    /// Which login made it: `attendance`, `console`, `sso`.
    client: String,
    user_agent: Option<String>,
    address: Option<String>,
    #[serde(with = "dialect::Instant")]
    created_at: Millis,
    /// To within five minutes.
    #[serde(with = "dialect::Instant")]
    last_seen_at: Millis,
    #[serde(with = "dialect::Instant")]
    expires_at: Millis,
    /// Whether it is the one that asks.
    current: bool,
}

impl Shown {
    fn new(one: Listed, asking: Uuid) -> Self {
        Self {
            current: one.id == asking,
            id: one.id,
            client: one.client,
            user_agent: one.user_agent,
            address: one.address,
            created_at: one.created_at,
            last_seen_at: one.last_seen_at,
            expires_at: one.expires_at,
        }
    }
}

impl Columns for Shown {
    const COLUMNS: &'static [Column<Self>] = &[
        ("Masuk lewat", |one| one.client.as_str().into()),
        ("Perangkat", |one| one.user_agent.as_deref().into()),
        ("Alamat", |one| one.address.as_deref().into()),
        ("Masuk pada", |one| one.created_at.into()),
        ("Terakhir terlihat", |one| one.last_seen_at.into()),
        ("Berakhir", |one| one.expires_at.into()),
    ];
}

async fn own(
    State(app): State<App>,
    who: Allowed<Use>,
    AsFile(format): AsFile,
) -> Result<OrFile<Data<Vec<Shown>>>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let sessions = of(&mut tx, &app, who.user, who.session).await?;
    match format {
        Some(format) => file(&mut tx, &app, who.institution, format, "sesi", sessions).await,
        None => Ok(OrFile::Usual(Data(sessions))),
    }
}

/// Whoever ends the session he asks with is signed out by it.
async fn end_own(
    State(app): State<App>,
    who: Allowed<Use>,
    Segment(id): Segment<Uuid>,
) -> Result<Done, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    if !session::revoke(&mut tx, &app, who.user, id).await? {
        return Err(unknown());
    }
    tx.commit().await?;
    app.identity.forget();
    Ok(Done(ENDED))
}

async fn end_others(State(app): State<App>, who: Allowed<Use>) -> Result<Told<Ended>, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    let ended = session::revoke_all(&mut tx, &app, who.actor(), who.user, Some(who.session)).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(told(ended))
}

async fn of_user(
    State(app): State<App>,
    who: Allowed<WriteUsers>,
    Segment(id): Segment<UserId>,
    AsFile(format): AsFile,
) -> Result<OrFile<Data<Vec<Shown>>>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    users::changeable(&mut tx, &who, id).await?;
    let sessions = of(&mut tx, &app, id, who.session).await?;
    match format {
        Some(format) => file(&mut tx, &app, who.institution, format, "sesi", sessions).await,
        None => Ok(OrFile::Usual(Data(sessions))),
    }
}

async fn end_one(
    State(app): State<App>,
    who: Allowed<WriteUsers>,
    Segment((id, session)): Segment<(UserId, Uuid)>,
) -> Result<Done, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    users::changeable(&mut tx, &who, id).await?;
    if !session::revoke_by(&mut tx, &app, who.actor(), id, session).await? {
        return Err(unknown());
    }
    tx.commit().await?;
    app.identity.forget();
    Ok(Done(ENDED))
}

async fn end_all(
    State(app): State<App>,
    who: Allowed<WriteUsers>,
    Segment(id): Segment<UserId>,
) -> Result<Told<Ended>, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    users::changeable(&mut tx, &who, id).await?;
    let ended = session::revoke_all(&mut tx, &app, who.actor(), id, None).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(told(ended))
}

const ENDED: &str = "Sesi diakhiri";

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SessionsEnded")]
struct Ended {
    ended: u64,
}

fn told(ended: u64) -> Told<Ended> {
    Told(format!("{ended} sesi diakhiri"), Ended { ended })
}

async fn of(tx: &mut Tx, app: &App, user: UserId, asking: Uuid) -> Result<Vec<Shown>, Fail> {
    let sessions = session::list(tx, user, app.now()).await?;
    Ok(sessions.into_iter().map(|one| Shown::new(one, asking)).collect())
}

fn unknown() -> Fail {
    Fail::not_found("Sesi tidak ditemukan")
}

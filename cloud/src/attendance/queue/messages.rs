//! The outbox: mails and text messages, and where each is on its way.

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with},
};
use axum::extract::State;
use hadir_shared::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Asked, cut, reach, scope};
use crate::{
    app::App,
    attendance::{
        dialect::{self, Data, Done},
        permits::{ReadJobs, RetryJobs},
    },
    fail::Fail,
    http::{Allowed, Params, Segment, describe::says},
    mail::{self, State as On},
};

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/messages", get_with(list, says("Mails and text messages, the newest first")))
        .api_route(
            "/messages/{id}/retry",
            post_with(retry, says("Have a message that failed or was kept sent again")),
        )
}

/// A message. What stands in it is for its recipient.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Message")]
struct Shown {
    id: i64,
    /// `email` or `sms`.
    channel: String,
    /// What it is about: `reset`, `verify_email` and so on.
    template: String,
    recipient: String,
    subject: String,
    /// `waiting`, `sent`, `kept` (nothing is configured to send it with) or `failed`.
    state: String,
    tries: i64,
    last_error: Option<String>,
    #[serde(with = "dialect::Instant")]
    created_at: Millis,
    sent_at: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MessagePage")]
struct Messages {
    messages: Vec<Shown>,
    /// What `before` is for the next page; null on the last.
    next: Option<i64>,
}

impl From<mail::Listed> for Shown {
    fn from(message: mail::Listed) -> Self {
        Self {
            id: message.id,
            channel: message.channel,
            template: message.template,
            recipient: message.recipient,
            subject: message.subject,
            state: message.state,
            tries: message.tries,
            last_error: message.last_error,
            created_at: message.created_at,
            sent_at: message.sent_at.map(|at| Millis(at).to_rfc3339_micros()),
        }
    }
}

async fn list(
    State(app): State<App>,
    who: Allowed<ReadJobs>,
    Params(asked): Params<Asked>,
) -> Result<Data<Messages>, Fail> {
    let limit = asked.check(On::NAMES)?;
    let state = asked.state.as_deref().and_then(On::parse);
    let mut tx = app.db.read(scope(&who)).await?;
    let rows = mail::list(&mut tx, Some(reach(&who)), state, asked.before, limit + 1).await?;
    let (rows, next) = cut(rows, limit, |message| message.id);
    Ok(Data(Messages { messages: rows.into_iter().map(Shown::from).collect(), next }))
}

async fn retry(
    State(app): State<App>,
    who: Allowed<RetryJobs>,
    Segment(id): Segment<i64>,
) -> Result<Done, Fail> {
    let mut tx = app.db.write(scope(&who)).await?;
    if !mail::retry(&mut tx, &app, who.actor(), Some(reach(&who)), id).await? {
        return Err(Fail::not_found("Tidak ada pesan gagal atau tersimpan dengan nomor ini"));
    }
    tx.commit().await?;
    app.jobs.ring();
    Ok(Done("Pesan akan dikirim lagi"))
}

//! Mails and text messages: written with what causes them, sent by a job, kept to be looked at and sent again.
//!
//! What always holds:
//! - a message is a row of the transaction that causes it: both happen or neither;
//! - what stands in it is sealed in the database, because there may be a code in it, and gone once it was sent;
//! - without a server to send it (`smtp_url`, `sms_url`) it is kept, and a log line says so: for development, and for
//!   whoever sets up a school and reads it in the outbox;
//! - a message that cannot be sent ends no worker and holds up no other message;
//! - sent twice, it carries the same `Message-ID`: a job may run twice.

use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::{
    app::App,
    config::Config,
    db::{Cloud, Tx},
    fail::Fail,
    identity::{Actor, Entry, audit},
    jobs::{self, NewJob, Reach, Work},
};

mod gateway;
mod smtp;
mod store;
#[cfg(test)]
mod tests;
mod words;

pub use smtp::{check_sender, check_server};
pub use store::{Listed, State};
pub use words::{Language, Said};

/// A job: sends one message.
pub const SEND: &str = "mail.send";
const SEALED_AS: &str = "message";
/// Messages are kept this long after they were written.
const KEEP_MS: i64 = 90 * 24 * 3600 * 1000;

/// By which way it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Email,
    Sms,
}

/// Whom it is to.
#[derive(Debug, Clone, Copy)]
pub struct To<'a> {
    pub name: &'a str,
    /// An e-mail address, or a telephone number.
    pub address: &'a str,
    pub user: Option<UserId>,
    pub institution: Option<InstitutionId>,
}

/// What is sealed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Content {
    id: Uuid,
    pub name: String,
    pub text: String,
    pub html: String,
}

/// Why it was not sent.
#[derive(Debug)]
enum Unsent {
    /// Nothing is there to send it with.
    Nowhere,
    /// It will never be taken: a wrong address, a refusal.
    Refused(anyhow::Error),
    /// Perhaps later.
    Later(anyhow::Error),
}

/// The channels by which nothing can be sent here: messages by them are kept.
pub fn mute(config: &Config) -> Vec<Channel> {
    let given = [(Channel::Email, &config.smtp_url), (Channel::Sms, &config.sms_url)];
    given.into_iter().filter(|(_, url)| url.is_none()).map(|(channel, _)| channel).collect()
}

/// Writes a message. Ring [`App::jobs`] after the commit.
pub async fn post(
    tx: &mut Tx,
    app: &App,
    channel: Channel,
    to: To<'_>,
    said: Said<'_>,
    language: Language,
) -> Result<i64, Fail> {
    let sender = smtp::sender_name(&app.config);
    let worded = match channel {
        Channel::Email => words::mail(said, language, to.name, &sender)?,
        Channel::Sms => words::sms(said, language, &sender),
    };
    let now = app.now();
    let (name, id) = (to.name.to_owned(), app.ids.uuid(now));
    let content = Content { id, name, text: worded.text, html: worded.html };
    let sealed = serde_json::to_vec(&content).map_err(anyhow::Error::from)?;
    let sealed = app.seal.seal(&app.ids, SEALED_AS, &sealed)?;
    let row = store::New { channel, to, template: said.name(), subject: worded.subject, content: &sealed };
    let id = store::insert(tx, &row, now).await?;
    enqueue(tx, id, to.institution, now).await?;
    Ok(id)
}

async fn enqueue(tx: &mut Tx, id: i64, institution: Option<InstitutionId>, now: Millis) -> Result<(), Fail> {
    let job = NewJob { kind: SEND, institution, payload: json!({ "message": id }), run_at: now };
    jobs::enqueue(tx, &job, now).await.map(drop)
}

/// The newest messages first: within somebody's reach, or all with `None`; in one state or in any; older than `before`.
pub async fn list(
    tx: &mut Tx,
    reach: Option<Reach>,
    state: Option<State>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Listed>, Fail> {
    Ok(store::list(tx, reach, state, before, limit).await?)
}

/// What stands in a message that was not sent. `None`: there is no such message within reach, or nothing is left of it.
pub async fn read(tx: &mut Tx, app: &App, reach: Option<Reach>, id: i64) -> Result<Option<Content>, Fail> {
    let row = store::find(tx, reach, id).await?;
    let Some(sealed) = row.and_then(|row| row.content) else { return Ok(None) };
    Ok(Some(open(app, &sealed)?))
}

/// Sends a kept or failed message again. `false`: there is none within reach that could be. Ring [`App::jobs`] after the
/// commit.
pub async fn retry(tx: &mut Tx, app: &App, by: Actor, reach: Option<Reach>, id: i64) -> Result<bool, Fail> {
    let Some(row) = store::find(tx, reach, id).await? else { return Ok(false) };
    if store::wait_again(tx, id).await? == 0 {
        return Ok(false);
    }
    let mut entry = Entry::new(by, "message.retry", format!("message:{id}"));
    entry.institution = row.institution_id.map(InstitutionId);
    audit(tx, app, &entry).await?;
    enqueue(tx, id, entry.institution, app.now()).await?;
    Ok(true)
}

/// Does [`SEND`].
pub fn send_job<'a>(app: &'a App, job: &'a jobs::Row) -> Work<'a> {
    Box::pin(async move {
        let id = job.payload["message"].as_i64().unwrap_or_default();
        let row = store::find(&mut app.db.read(Cloud).await?, None, id).await?;
        let Some(row) = row.filter(|row| row.state == State::Waiting.name()) else { return Ok(()) };
        let sent = match &row.content {
            Some(sealed) => send(app, &row, sealed).await,
            None => Err(Unsent::Refused(anyhow::anyhow!("nothing is left of it"))),
        };
        let now = app.now();
        let mut tx = app.db.write(Cloud).await?;
        let again = match sent {
            Ok(()) => store::sent(&mut tx, id, now).await.map(|_| None)?,
            Err(Unsent::Nowhere) => {
                tracing::warn!(
                    message = id,
                    channel = row.channel,
                    template = row.template,
                    "kept in the outbox: nothing is configured to send it"
                );
                store::kept(&mut tx, id).await.map(|_| None)?
            }
            Err(Unsent::Refused(e)) => {
                tracing::error!(message = id, "a message cannot be sent: {e:#}");
                store::failed(&mut tx, id, &told(&e)).await.map(|_| None)?
            }
            Err(Unsent::Later(e)) if job.tries >= jobs::TRIES => {
                store::failed(&mut tx, id, &told(&e)).await.map(|_| Some(e))?
            }
            Err(Unsent::Later(e)) => store::tried(&mut tx, id, &told(&e)).await.map(|_| Some(e))?,
        };
        tx.commit().await?;
        again.map_or(Ok(()), |e| Err(e.into()))
    })
}

async fn send(app: &App, row: &store::Row, sealed: &str) -> Result<(), Unsent> {
    let content = open(app, sealed).map_err(Unsent::Refused)?;
    if row.channel == Channel::Sms.name() {
        gateway::send(app, row, &content).await
    } else {
        smtp::send(app, row, &content).await
    }
}

fn open(app: &App, sealed: &str) -> anyhow::Result<Content> {
    Ok(serde_json::from_slice(&app.seal.open(SEALED_AS, sealed)?)?)
}

fn told(e: &anyhow::Error) -> String {
    format!("{e:#}").chars().take(500).collect()
}

/// Deletes old messages. A scheduled job.
pub fn purge<'a>(tx: &'a mut Tx, app: &'a App) -> Work<'a> {
    Box::pin(async move {
        let gone = store::purge(tx, app.now().plus_millis(-KEEP_MS)).await?;
        tracing::info!(gone, "old messages deleted");
        Ok(())
    })
}

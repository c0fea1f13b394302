use hadir_shared::time::Millis;
use sqlx::FromRow;

use super::{Channel, To};
use crate::{db::Tx, jobs::Reach};

impl Channel {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }
}

/// Where a message is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Waiting,
    Sent,
    /// There was nothing to send it with.
    Kept,
    Failed,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Sent, Self::Kept, Self::Failed];
    pub const NAMES: &'static [&'static str] = &["waiting", "sent", "kept", "failed"];

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Kept => "kept",
            Self::Failed => "failed",
        }
    }
}

/// A message to be written.
#[derive(Debug)]
pub struct New<'a> {
    pub channel: Channel,
    pub to: To<'a>,
    pub template: &'static str,
    pub subject: &'static str,
    /// Sealed.
    pub content: &'a str,
}

/// A message, with what is sealed in it.
#[derive(Debug, FromRow)]
pub struct Row {
    pub institution_id: Option<i64>,
    pub channel: String,
    pub template: String,
    pub recipient: String,
    pub subject: String,
    pub content: Option<String>,
    pub state: String,
}

/// A message as lists show it: what stands in it is not there.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Listed {
    pub id: i64,
    pub institution_id: Option<i64>,
    pub user_id: Option<i64>,
    pub channel: String,
    pub template: String,
    pub recipient: String,
    pub subject: String,
    pub state: String,
    pub tries: i64,
    pub last_error: Option<String>,
    #[sqlx(try_from = "i64")]
    pub created_at: Millis,
    pub sent_at: Option<i64>,
}

pub async fn insert(tx: &mut Tx, new: &New<'_>, now: Millis) -> sqlx::Result<i64> {
    let (id,) = tx
        .query(
            "INSERT INTO messages (institution_id, user_id, channel, template, recipient, subject, content, state, tries, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting', 0, $8) RETURNING id",
        )
        .bind(new.to.institution.map(|id| id.0))
        .bind(new.to.user.map(|id| id.0))
        .bind(new.channel.name())
        .bind(new.template)
        .bind(new.to.address)
        .bind(new.subject)
        .bind(new.content)
        .bind(now.0)
        .one()
        .await?;
    Ok(id)
}

pub async fn find(tx: &mut Tx, reach: Option<Reach>, id: i64) -> sqlx::Result<Option<Row>> {
    tx.query(
        "SELECT institution_id, channel, template, recipient, subject, content, state FROM messages
         WHERE id = $3 AND (CAST($1 AS BIGINT) IS NULL OR institution_id = $1 OR ($2 AND institution_id IS NULL))",
    )
    .bind(reach.map(|reach| reach.institution.0))
    .bind(reach.is_some_and(|reach| reach.all))
    .bind(id)
    .opt()
    .await
}

pub async fn list(
    tx: &mut Tx,
    reach: Option<Reach>,
    state: Option<State>,
    before: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<Listed>> {
    tx.query(
        "SELECT id, institution_id, user_id, channel, template, recipient, subject, state, tries, last_error, created_at, sent_at
         FROM messages
         WHERE (CAST($1 AS BIGINT) IS NULL OR institution_id = $1 OR ($2 AND institution_id IS NULL))
         AND (CAST($3 AS TEXT) IS NULL OR state = $3)
         AND (CAST($4 AS BIGINT) IS NULL OR id < $4) ORDER BY id DESC LIMIT $5",
    )
    .bind(reach.map(|reach| reach.institution.0))
    .bind(reach.is_some_and(|reach| reach.all))
    .bind(state.map(State::name))
    .bind(before)
    .bind(limit)
    .all()
    .await
}

pub async fn sent(tx: &mut Tx, id: i64, now: Millis) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE messages SET state = 'sent', sent_at = $2, content = NULL, last_error = NULL, tries = tries + 1 WHERE id = $1",
    )
    .bind(id)
    .bind(now.0)
    .run()
    .await
}

pub async fn kept(tx: &mut Tx, id: i64) -> sqlx::Result<u64> {
    tx.query("UPDATE messages SET state = 'kept' WHERE id = $1").bind(id).run().await
}

pub async fn failed(tx: &mut Tx, id: i64, error: &str) -> sqlx::Result<u64> {
    tx.query("UPDATE messages SET state = 'failed', last_error = $2, tries = tries + 1 WHERE id = $1")
        .bind(id)
        .bind(error)
        .run()
        .await
}

/// It goes on waiting.
pub async fn tried(tx: &mut Tx, id: i64, error: &str) -> sqlx::Result<u64> {
    tx.query("UPDATE messages SET last_error = $2, tries = tries + 1 WHERE id = $1")
        .bind(id)
        .bind(error)
        .run()
        .await
}

/// No row for one that waits already, or was sent.
pub async fn wait_again(tx: &mut Tx, id: i64) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE messages SET state = 'waiting', last_error = NULL
         WHERE id = $1 AND state IN ('kept', 'failed') AND content IS NOT NULL",
    )
    .bind(id)
    .run()
    .await
}

pub async fn purge(tx: &mut Tx, then: Millis) -> sqlx::Result<u64> {
    tx.query("DELETE FROM messages WHERE created_at < $1").bind(then.0).run().await
}

//! Effects that follow a change, and work that is due.
//!
//! What always holds:
//! - an effect is a row written by [`enqueue`] in the change's own transaction: both happen or neither;
//! - a job may run twice (its worker can die after the effect and before the mark), so every handler is idempotent;
//! - a claim ends by itself: a job whose worker went away is taken by another one;
//! - only the one who holds the claim may finish the job;
//! - each occasion of a scheduled job happens once, whatever number of nodes fire, and in one transaction with its mark; one
//!   that goes school by school is marked first, and leaves what failed to the next.

use std::{future::Future, pin::Pin, sync::Arc};

use hadir_shared::{ids::InstitutionId, time::Millis};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    app::App,
    db::Tx,
    fail::Fail,
    identity::{Actor, Entry, audit},
};

mod schedule;
mod store;
#[cfg(test)]
mod tests;
mod work;

pub use schedule::{Occasion, Schedule, Scheduled, start as start_schedules};
pub use store::{Listed, Row, Run, STATES};
pub use work::{Kinds, TRIES, Worker};

/// What a handler or a scheduled job gives back.
pub type Work<'a> = Pin<Box<dyn Future<Output = Result<(), Fail>> + Send + 'a>>;

/// Finished jobs are kept this long for admins to look at; failed ones until somebody deletes them.
const KEEP_DONE_MS: i64 = 30 * 24 * 3600 * 1000;

/// Wakes the workers of this node; those of others poll.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// Call after a commit that enqueued something.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    async fn rung(&self) {
        self.0.notified().await;
    }
}

/// A job to be done after the commit.
#[derive(Debug)]
pub struct NewJob {
    /// As a module registered it: `mail.send`.
    pub kind: &'static str,
    pub institution: Option<InstitutionId>,
    /// An object; whatever the handler needs. No passwords and no tokens.
    pub payload: Value,
    /// Not before.
    pub run_at: Millis,
}

/// Writes the job's row. It stands or falls with the transaction. Ring [`App::jobs`] after the commit.
pub async fn enqueue(tx: &mut Tx, job: &NewJob, now: Millis) -> Result<i64, Fail> {
    Ok(store::insert(tx, job, now).await?)
}

/// How many jobs wait, run, and have failed.
pub async fn counts(tx: &mut Tx) -> Result<Vec<(String, i64)>, Fail> {
    Ok(store::counts(tx).await?)
}

/// Whose jobs and messages somebody looks at: a school's, and, where he looks after all of them, those of no school.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    pub institution: InstitutionId,
    pub all: bool,
}

impl Reach {
    pub const fn of(institution: InstitutionId) -> Self {
        Self { institution, all: false }
    }
}

/// Jobs, the newest first: in one state or in any, below an id.
pub async fn list(
    tx: &mut Tx,
    reach: Reach,
    state: Option<&str>,
    below: Option<i64>,
    limit: i64,
) -> Result<Vec<Listed>, Fail> {
    Ok(store::list(tx, reach, state, below, limit).await?)
}

/// How many there are in each state.
pub async fn counts_of(tx: &mut Tx, reach: Reach) -> Result<Vec<(String, i64)>, Fail> {
    Ok(store::counts_of(tx, reach).await?)
}

/// When each scheduled job ran last.
pub async fn runs(tx: &mut Tx) -> Result<Vec<Run>, Fail> {
    Ok(store::runs(tx).await?)
}

/// Has a job that failed done again, from its first try on. `false`: there is none within reach that failed. Ring
/// [`App::jobs`] after the commit.
pub async fn retry(tx: &mut Tx, app: &App, by: Actor, reach: Reach, id: i64) -> Result<bool, Fail> {
    let Some((institution, kind, error)) = store::wait_again(tx, reach, id, app.now()).await? else {
        return Ok(false);
    };
    let mut entry = Entry::new(by, "job.retry", format!("job:{id}"));
    entry.institution = institution.map(InstitutionId);
    let entry = entry.before(json!({"state": "failed", "kind": kind, "error": error}));
    audit(tx, app, &entry.after(json!({"state": "waiting", "kind": kind}))).await?;
    Ok(true)
}

/// Deletes jobs that were done long ago, and the marks of old occasions.
pub fn purge<'a>(tx: &'a mut Tx, app: &'a App) -> Work<'a> {
    Box::pin(async move {
        let gone = store::purge(tx, app.now().plus_millis(-KEEP_DONE_MS)).await?;
        tracing::info!(gone, "old jobs deleted");
        Ok(())
    })
}

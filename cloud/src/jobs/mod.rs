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
use serde_json::Value;
use tokio::sync::Notify;

use crate::{app::App, db::Tx, fail::Fail};

mod schedule;
mod store;
#[cfg(test)]
mod tests;
mod work;

pub use schedule::{Occasion, Schedule, Scheduled, start as start_schedules};
pub use store::Row;
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

/// Deletes jobs that were done long ago, and the marks of old occasions.
pub fn purge<'a>(tx: &'a mut Tx, app: &'a App) -> Work<'a> {
    Box::pin(async move {
        let gone = store::purge(tx, app.now().plus_millis(-KEEP_DONE_MS)).await?;
        tracing::info!(gone, "old jobs deleted");
        Ok(())
    })
}

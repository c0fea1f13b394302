//! The workers: claim, do, mark; again until nothing is due; then wait for the bell or the next look.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    task::Poll,
    time::Duration,
};

use anyhow::anyhow;
use hadir_shared::time::Millis;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Work, store, store::Row};
use crate::{
    db::Cloud,
    {app::App, fail::Fail},
};

/// A claim lasts this long, and so does a try at most.
const CLAIM_MS: i64 = 5 * 60_000;
/// After this many tries a job has failed and waits for a person.
pub const TRIES: i64 = 12;
const FIRST_WAIT_MS: i64 = 10_000;
const LONGEST_WAIT_MS: i64 = 3_600_000;
/// How often a worker looks whether another node's job is due.
const LOOK: Duration = Duration::from_secs(5);

/// Does one job. May run twice for the same row.
pub type Handler = for<'a> fn(&'a App, &'a Row) -> Work<'a>;

/// Which handler does which kind of job.
#[derive(Clone, Default)]
pub struct Kinds(BTreeMap<&'static str, Handler>);

impl Kinds {
    #[must_use]
    pub fn on(mut self, kind: &'static str, handler: Handler) -> Self {
        self.0.insert(kind, handler);
        self
    }
}

/// One worker of this node.
pub struct Worker {
    app: App,
    kinds: Kinds,
    id: Uuid,
}

impl Worker {
    pub fn new(app: App, kinds: Kinds) -> Self {
        let id = app.ids.random_uuid();
        Self { app, kinds, id }
    }

    /// Works until `stop`. A job that was begun is finished.
    pub async fn run(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.one().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(e) => tracing::error!("a worker cannot reach its queue: {e}"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.app.jobs.rung() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Does what is due now, and says how many jobs that were.
    pub async fn drain(&self) -> Result<usize, Fail> {
        let mut done = 0;
        while self.one().await? {
            done += 1;
        }
        Ok(done)
    }

    /// `false`: nothing was due.
    async fn one(&self) -> Result<bool, Fail> {
        let now = self.app.now();
        let mut tx = self.app.db.write(Cloud).await?;
        let claimed = store::claim(&mut tx, self.id, now, now.plus_millis(CLAIM_MS)).await?;
        tx.commit().await?;
        let Some(job) = claimed else { return Ok(false) };
        let result = self.attempt(&job).await;
        let outcome = self.mark(&job, result).await?;
        metrics::counter!("jobs_total", "kind" => job.kind, "outcome" => outcome).increment(1);
        Ok(true)
    }

    async fn attempt(&self, job: &Row) -> Result<(), Fail> {
        let handler = self.kinds.0.get(job.kind.as_str()).copied();
        let Some(handler) = handler else {
            return Err(anyhow!("nobody here does jobs of kind {:?}", job.kind).into());
        };
        let limit = Duration::from_millis(CLAIM_MS.unsigned_abs());
        match tokio::time::timeout(limit, unpanicked(handler(&self.app, job))).await {
            Ok(result) => result,
            Err(_) => Err(anyhow!("took longer than {} s", limit.as_secs()).into()),
        }
    }

    async fn mark(&self, job: &Row, result: Result<(), Fail>) -> Result<&'static str, Fail> {
        let now = self.app.now();
        let mut tx = self.app.db.write(Cloud).await?;
        let (marked, outcome) = match result {
            Ok(()) => (store::finish(&mut tx, self.id, job, now).await?, "done"),
            Err(fail) if job.tries >= TRIES => {
                tracing::error!(job = job.id, kind = job.kind, "a job has failed for good: {}", cause(&fail));
                (store::give_up(&mut tx, self.id, job, &cause(&fail), now).await?, "failed")
            }
            Err(fail) => {
                tracing::warn!(
                    job = job.id,
                    kind = job.kind,
                    tries = job.tries,
                    "a job will be tried again: {}",
                    cause(&fail)
                );
                let at = self.next_try(job.tries, now);
                (store::try_again(&mut tx, self.id, job, &cause(&fail), at).await?, "again")
            }
        };
        tx.commit().await?;
        Ok(if marked == 0 { "lost" } else { outcome })
    }

    /// Doubling, between half and the whole of the wait, so that what failed together does not come back together.
    fn next_try(&self, tries: i64, now: Millis) -> Millis {
        let doublings = u32::try_from(tries - 1).unwrap_or(0).min(20);
        let wait = (FIRST_WAIT_MS << doublings).min(LONGEST_WAIT_MS);
        let jitter = self.app.ids.below(wait.unsigned_abs() / 2);
        now.plus_millis(wait / 2 + i64::try_from(jitter).unwrap_or(0))
    }
}

/// A handler that panics has failed, like any other: its worker goes on.
async fn unpanicked(mut work: Work<'_>) -> Result<(), Fail> {
    std::future::poll_fn(move |cx| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))).unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words");
            Poll::Ready(Err(anyhow!("panicked: {said}").into()))
        })
    })
    .await
}

fn cause(fail: &Fail) -> String {
    let text = match fail {
        Fail::Internal(e) => format!("{e:#}"),
        fail => fail.to_string(),
    };
    text.chars().take(500).collect()
}

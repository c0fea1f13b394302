//! What happens by the clock: tokio-cron-scheduler fires on every node, a lease decides who acts, and a mark in the same
//! transaction makes each occasion happen once even if the lease were wrong.

use hadir_shared::time::Millis;
use tokio_cron_scheduler::{Job, JobScheduler};
use uuid::Uuid;

use super::{Work, store};
use crate::{
    db::Cloud,
    {app::App, db::Tx, fail::Fail},
};

const LEASE_MS: i64 = 60_000;
const MINUTE_MS: i64 = 60_000;

/// What an occasion does.
#[derive(Clone, Copy)]
pub enum Scheduled {
    /// Runs inside one transaction: everything it does commits with the mark that it was done. Longer work is enqueued.
    Whole(for<'a> fn(&'a mut Tx, &'a App) -> Work<'a>),
    /// Opens transactions of its own, after the mark has been committed: what fails or is cut short waits for the next occasion,
    /// which has to make up for it.
    Parts(for<'a> fn(&'a App) -> Work<'a>),
}

/// One entry of the timetable.
#[derive(Clone, Copy)]
pub struct Schedule {
    pub name: &'static str,
    /// Seconds, minutes, hours, day, month, weekday, in UTC; on whole minutes.
    pub cron: &'static str,
    pub work: Scheduled,
}

/// How a firing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    Done,
    /// Another node holds the lease.
    NotOurs,
    /// It has happened already.
    Before,
}

/// Fires the timetable until the scheduler is shut down.
pub async fn start(app: &App, timetable: &[Schedule]) -> anyhow::Result<JobScheduler> {
    let scheduler = JobScheduler::new().await?;
    let owner = app.ids.random_uuid();
    for entry in timetable.iter().copied() {
        let app = app.clone();
        let job = Job::new_async(entry.cron, move |_, _| {
            let app = app.clone();
            Box::pin(async move { fire(&app, owner, entry).await })
        })?;
        scheduler.add(job).await?;
    }
    scheduler.start().await?;
    Ok(scheduler)
}

async fn fire(app: &App, owner: Uuid, entry: Schedule) {
    match entry.occur(app, owner).await {
        Ok(occasion) => tracing::info!(job = entry.name, ?occasion, "the clock struck"),
        Err(fail) => tracing::error!(job = entry.name, "a scheduled job failed: {fail}: {fail:?}"),
    }
}

impl Schedule {
    /// What one firing does. The occasion is the nearest whole minute, so that nodes whose clocks differ a little mean the
    /// same one.
    pub async fn occur(&self, app: &App, owner: Uuid) -> Result<Occasion, Fail> {
        let now = app.now();
        let scheduled_for = Millis((now.0 + MINUTE_MS / 2).div_euclid(MINUTE_MS) * MINUTE_MS);
        let mut tx = app.db.write(Cloud).await?;
        let epoch = store::lease(&mut tx, self.name, owner, now, now.plus_millis(LEASE_MS)).await?;
        tx.commit().await?;
        let Some(epoch) = epoch else { return Ok(Occasion::NotOurs) };
        self.act(app, owner, epoch, scheduled_for).await
    }

    pub(super) async fn act(&self, app: &App, owner: Uuid, epoch: i64, at: Millis) -> Result<Occasion, Fail> {
        let mut tx = app.db.write(Cloud).await?;
        if !store::holds(&mut tx, self.name, owner, epoch).await? {
            return Ok(Occasion::NotOurs);
        }
        if store::mark_run(&mut tx, self.name, at, epoch, app.now()).await? == 0 {
            return Ok(Occasion::Before);
        }
        match self.work {
            Scheduled::Whole(work) => {
                work(&mut tx, app).await?;
                tx.commit().await?;
            }
            Scheduled::Parts(work) => {
                // Not held meanwhile: SQLite has one writer.
                tx.commit().await?;
                work(app).await?;
            }
        }
        Ok(Occasion::Done)
    }
}

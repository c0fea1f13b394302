//! What happens again and again, whether anything else happens or not.

use std::{future::Future, pin::Pin, time::Duration};

use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use crate::{http::photos, node::Node};

/// 19:00 UTC: from two to four in the night, wherever in Indonesia the school is. Nobody passes a gate.
const NIGHT: &str = "0 0 19 * * *";
const MINUTE: Duration = Duration::from_mins(1);

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs until it is stopped.
pub async fn run(node: Node, stop: CancellationToken) {
    match scheduled(&node).await {
        Ok(mut scheduler) => {
            stop.cancelled().await;
            if let Err(error) = scheduler.shutdown().await {
                tracing::warn!(%error, "the scheduler did not end in order");
            }
        }
        Err(error) => tracing::error!(%error, "nothing happens by the clock: the scheduler does not start"),
    }
}

async fn scheduled(node: &Node) -> Result<JobScheduler, JobSchedulerError> {
    let config = node.config();
    let heartbeat = Duration::from_secs(config.heartbeat_seconds);
    let roster = Duration::from_secs(config.roster_seconds);
    let scheduler = JobScheduler::new().await?;
    let each = |every: Duration, job: fn(Node) -> Running| {
        let node = node.clone();
        Job::new_repeated_async(every, move |_, _| job(node.clone()))
    };
    scheduler
        .add(each(heartbeat, |node| Box::pin(async move { node.shared().heartbeat.notify_one() }))?)
        .await?;
    scheduler.add(each(roster, |node| Box::pin(async move { node.shared().pull.notify_one() }))?).await?;
    scheduler.add(each(MINUTE, |node| Box::pin(tidy(node)))?).await?;
    let at_night = node.clone();
    let truncate = move |_, _| -> Running {
        let node = at_night.clone();
        Box::pin(async move {
            photos::forget_old(&node).await;
            node.store().checkpoint(true).await;
        })
    };
    scheduler.add(Job::new_async(NIGHT, truncate)?).await?;
    scheduler.start().await?;
    Ok(scheduler)
}

async fn tidy(node: Node) {
    node.notice_clock().await;
    node.store().checkpoint(false).await;
}

//! Prometheus metrics: requests by route, jobs by kind, the database's connections.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

use anyhow::anyhow;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{
    db::Cloud,
    {app::App, fail::Fail, jobs},
};

/// Seconds: from a cached answer to the time limit of a request.
const BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts recording. Once per process; before it, measurements go nowhere.
pub fn install() -> anyhow::Result<()> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_duration_seconds".into()), BUCKETS)?
        .install_recorder()?;
    metrics::describe_counter!(
        "http_requests_total",
        "Requests answered, by method, route template and status."
    );
    metrics::describe_histogram!("http_request_duration_seconds", "How long answers took.");
    metrics::describe_counter!(
        "jobs_total",
        "Tries of jobs, by kind and outcome: done, again, failed, lost."
    );
    metrics::describe_gauge!("jobs", "Jobs that wait, run, or have failed for good.");
    metrics::describe_gauge!("db_connections", "Open connections to the database.");
    metrics::describe_gauge!("db_connections_idle", "Of these, how many nobody uses.");
    HANDLE.set(recorder).map_err(|_| anyhow!("metrics are installed twice"))
}

/// Call once a request. Single measurements are kept until somebody reads them: now and then they are put into their
/// buckets, so that they do not fill the memory of a cloud that nobody watches.
pub fn tidy_up() {
    static REQUESTS: AtomicU32 = AtomicU32::new(0);
    if REQUESTS.fetch_add(1, Ordering::Relaxed).is_multiple_of(1024)
        && let Some(handle) = HANDLE.get()
    {
        handle.run_upkeep();
    }
}

/// In Prometheus' text format; empty when nothing records. Says the rest when the database does not answer.
pub async fn render(app: &App) -> String {
    match unfinished(app).await {
        Ok(counts) => {
            for state in ["waiting", "running", "failed"] {
                let count = counts.iter().find(|(found, _)| found == state).map_or(0, |(_, count)| *count);
                metrics::gauge!("jobs", "state" => state)
                    .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
            }
        }
        Err(fail) => tracing::warn!("jobs cannot be counted: {fail}"),
    }
    let (open, idle) = app.db.connections();
    metrics::gauge!("db_connections").set(f64::from(open));
    metrics::gauge!("db_connections_idle").set(u32::try_from(idle).map_or(f64::INFINITY, f64::from));
    let Some(handle) = HANDLE.get() else { return String::new() };
    handle.run_upkeep();
    handle.render()
}

async fn unfinished(app: &App) -> Result<Vec<(String, i64)>, Fail> {
    jobs::counts(&mut app.db.read(Cloud).await?).await
}

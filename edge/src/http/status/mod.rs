//! How the box is, for programs: the command line, scripts, monitors.
//!
//! Nothing here tells of a person, so the school's network may read it; to act takes the keeper.

#[cfg(test)]
mod tests;

use axum::{
    Router,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::{
    Web,
    auth::Keeper,
    dialect::{Data, Done},
};
use crate::outbox::{StoreState, SyncStatus};

pub fn routes() -> Router<Web> {
    Router::new().route("/box/status", get(status)).route("/box/sync", post(sync))
}

pub fn probes() -> Router<Web> {
    Router::new().route("/healthz", get(health)).route("/metrics", get(metrics))
}

async fn status(State(web): State<Web>) -> Data<SyncStatus> {
    Data(web.node.sync_status().await)
}

/// Only asks: the answer does not wait for the cloud.
async fn sync(State(web): State<Web>, _: Keeper) -> Done {
    web.node.sync_now();
    Done("Sinkronisasi dimulai")
}

/// 200 while scans are recorded, 503 when they are not.
async fn health(State(web): State<Web>) -> (StatusCode, &'static str) {
    match web.node.store().state() {
        StoreState::Working | StoreState::Degraded => (StatusCode::OK, "ok\n"),
        StoreState::ReadOnlyFull | StoreState::Stopped => {
            (StatusCode::SERVICE_UNAVAILABLE, "not recording\n")
        }
    }
}

async fn metrics(State(web): State<Web>) -> Response {
    let status = web.node.sync_status().await;
    gauge("hadir_records", status.recorded);
    gauge("hadir_records_acknowledged", status.acked_through);
    gauge("hadir_records_pending", status.pending);
    metrics::gauge!("hadir_heads_equal").set(if status.heads_equal { 1.0 } else { 0.0 });
    let oldest_ms = status.oldest_pending.map_or(0, |at| status.now.since(at).max(0));
    gauge("hadir_oldest_pending_seconds", oldest_ms.unsigned_abs() / 1000);
    let text = (web.metrics)();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

#[expect(clippy::cast_precision_loss, reason = "a box makes no 2^53 records")]
fn gauge(name: &'static str, value: u64) {
    metrics::gauge!(name).set(value as f64);
}

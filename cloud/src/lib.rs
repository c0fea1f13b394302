//! The cloud of Hadir: keeps the record, and hosts the modules schools already know. ARCHITECTURE.md has the map.

pub mod app;
pub mod attendance;
pub mod clock;
pub mod config;
pub mod db;
pub mod fail;
pub mod http;
pub mod identity;
pub mod jobs;
pub mod ops;
pub mod seal;
#[cfg(test)]
pub mod testing;

use app::App;
use axum::Router;

/// Every route of the cloud: one line per module.
pub fn router(app: App) -> Router {
    let routes = Router::new().merge(ops::routes()).nest("/api", attendance::routes());
    http::outer(routes, &app).with_state(app)
}

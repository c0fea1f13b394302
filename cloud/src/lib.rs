//! The cloud of Hadir: keeps the record, and hosts the modules schools already know. ARCHITECTURE.md has the map.

pub mod app;
pub mod attendance;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod db;
pub mod demo;
pub mod docs;
pub mod fail;
pub mod http;
pub mod identity;
pub mod jobs;
pub mod oidc;
pub mod ops;
pub mod print;
pub mod seal;
pub mod sheet;
#[cfg(test)]
mod testing;

use app::App;
use axum::{Router, response::Response, routing::any};
use fail::Fail;
use jobs::{Kinds, Schedule, Scheduled};

/// Every route of the cloud: one line per module.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        .merge(ops::routes())
        .merge(oidc::routes())
        .merge(oidc::pages())
        .nest("/docs", docs::routes())
        .nest("/console", console::routes(&app, attendance::pages()))
        .route("/console/", console::slash())
        .nest("/api", attendance::routes().layer(http::any_origin()))
        .nest("/files", attendance::files::routes().layer(http::any_origin()))
        // No route of a nest, and no address of another module either.
        .route("/api/", any(nowhere))
        .route("/files/", any(nowhere));
    http::outer(routes, &app).with_state(app)
}

async fn nowhere() -> Response {
    attendance::dialect::failure(&Fail::NoRoute)
}

/// Which module does which kind of job.
pub fn kinds() -> Kinds {
    Kinds::default()
        .on(attendance::files::ERASE, attendance::files::erase_job)
        .on(attendance::offline_sync::KIND, attendance::offline_sync::work)
}

/// What happens by the clock. Times are UTC: 19:00 is two in the morning in Jakarta.
pub const TIMETABLE: &[Schedule] = &[
    Schedule { name: "identity.purge", cron: "0 0 19 * * *", work: Scheduled::Whole(identity::purge) },
    Schedule {
        name: "identity.keys",
        cron: "0 5 19 * * *",
        work: Scheduled::Parts(identity::keys::turn::keep),
    },
    Schedule { name: "oidc.purge", cron: "0 15 19 * * *", work: Scheduled::Whole(oidc::purge) },
    Schedule { name: "jobs.purge", cron: "0 10 19 * * *", work: Scheduled::Whole(jobs::purge) },
    Schedule {
        name: "roster.purge",
        cron: "0 20 19 * * *",
        work: Scheduled::Whole(attendance::roster::purge),
    },
    // Soon after midnight in every zone of Indonesia, and before anybody comes to school.
    Schedule {
        name: "roster.refresh",
        cron: "0 30 17 * * *",
        work: Scheduled::Parts(attendance::roster::refresh),
    },
    // When yesterday is over in every zone of Indonesia.
    Schedule {
        name: "absences.mark",
        cron: "0 45 17 * * *",
        work: Scheduled::Parts(attendance::absences::mark),
    },
];

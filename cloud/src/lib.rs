//! The cloud of Hadir: keeps the record, and hosts the modules schools already know. ARCHITECTURE.md has the map.

pub mod app;
pub mod attendance;
pub mod blobs;
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
pub mod mail;
pub mod oidc;
pub mod ops;
pub mod picture;
pub mod print;
pub mod seal;
pub mod sheet;
pub mod sso;
#[cfg(test)]
mod testing;

use app::App;
use axum::{Router, routing::any};
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
        .nest(sso::PREFIX, sso::routes().layer(http::any_origin()))
        // No route of a nest, and no address of another module either.
        .route("/api/", any(async || attendance::dialect::failure(&Fail::NoRoute)))
        .route("/files/", any(async || attendance::dialect::failure(&Fail::NoRoute)))
        .route("/sso/", any(async || sso::dialect::failure(&Fail::NoRoute)));
    http::outer(routes, &app).with_state(app)
}

/// The routes of some modules alone, as a client knows them that was written for a server of its own: for a listener that is
/// configured so. A module answers at its usual address besides.
pub fn router_of(app: App, modules: &[String]) -> Router {
    let mut routes = Router::new().merge(ops::probes());
    for module in modules {
        routes = match module.as_str() {
            "sso" => routes
                .nest(sso::PREFIX, sso::routes().layer(http::any_origin()))
                .merge(sso::routes().layer(http::any_origin())),
            // Its documents have `/api` in every path.
            "attendance" => routes
                .nest("/api", attendance::routes().layer(http::any_origin()))
                .nest("/files", attendance::files::routes().layer(http::any_origin())),
            _ => routes,
        };
    }
    http::outer(routes, &app).with_state(app)
}

/// The modules a listener may have alone.
pub const MODULES: &[&str] = &["attendance", "sso"];

/// Who is told of a person who was changed elsewhere.
pub const WITNESSES: &[identity::Witness] = &[attendance::roster::witness];
/// Who is told of an account that is about to go, to let go of what he keeps of it.
pub const CLEARERS: &[identity::RemovalWitness] = &[sso::pictures::clear];
/// Who is told of an institution that is new, or has a new service.
pub const FOUNDERS: &[identity::InstitutionWitness] = &[attendance::roster::founder];

/// Which module does which kind of job.
pub fn kinds() -> Kinds {
    Kinds::default()
        .on(attendance::files::ERASE, attendance::files::erase_job)
        .on(attendance::offline_sync::KIND, attendance::offline_sync::work)
        .on(identity::recovery::KIND, identity::recovery::work)
        .on(mail::SEND, mail::send_job)
        .on(sso::pictures::ERASE, sso::pictures::erase_job)
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
    Schedule { name: "mail.purge", cron: "0 25 19 * * *", work: Scheduled::Whole(mail::purge) },
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

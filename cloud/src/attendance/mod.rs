//! Attendance (SiPresensi). Contract: `contracts/attendance.md`, mounted at `/api`.

use aide::{axum::ApiRouter, openapi::OpenApi};
use axum::Router;

use crate::{
    app::App,
    http::{describe, speak_beside},
};

pub mod absences;
mod account;
mod announcements;
mod audit;
pub mod batches;
pub mod books;
pub mod cards;
pub mod checkin;
mod classes;
mod corrections;
mod dashboard;
pub mod dialect;
#[cfg(test)]
mod examples;
mod export;
pub mod files;
pub mod fleet;
mod held;
pub mod holidays;
mod imports;
mod leaves;
#[cfg(test)]
mod matrix;
pub mod offline_sync;
mod openapi;
mod pages;
mod people;
pub mod permits;
mod photos;
mod place;
mod qrcode;
mod queue;
mod recap;
mod records;
pub mod roster;
mod second_factor;
mod sessions;
pub mod settings;
mod students;
#[cfg(test)]
pub(crate) mod tests;
mod undo;
mod users;

pub use pages::pages;

/// The service's code in `services`.
pub const SERVICE: &str = "ATTENDANCE";

pub fn routes() -> Router<App> {
    speak_beside(api().into(), batches::routes().into(), dialect::failure)
}

/// What the module's routes say of themselves.
pub fn document() -> OpenApi {
    let all = || ApiRouter::new().nest("/api", api().merge(batches::routes())).nest("/files", files::api());
    describe::document(openapi::head(), all)
}

fn api() -> ApiRouter<App> {
    ApiRouter::new()
        .merge(account::routes())
        .merge(announcements::routes())
        .merge(audit::routes())
        .merge(cards::routes())
        .merge(checkin::routes())
        .merge(classes::routes())
        .merge(corrections::routes())
        .merge(dashboard::routes())
        .merge(fleet::routes())
        .merge(held::routes())
        .merge(holidays::routes())
        .merge(imports::routes())
        .merge(leaves::routes())
        .merge(offline_sync::routes())
        .merge(photos::routes())
        .merge(qrcode::routes())
        .merge(queue::routes())
        .merge(recap::routes())
        .merge(roster::routes())
        .merge(second_factor::routes())
        .merge(sessions::routes())
        .merge(settings::routes())
        .merge(students::routes())
        .merge(users::routes())
}

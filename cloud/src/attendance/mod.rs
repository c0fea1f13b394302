//! Attendance (SiPresensi). Contract: `contracts/attendance.md`, mounted at `/api`.

use axum::Router;

use crate::{app::App, http::speak_beside};

mod account;
mod announcements;
pub mod batches;
pub mod books;
pub mod cards;
pub mod checkin;
mod classes;
mod dashboard;
pub mod dialect;
pub mod files;
pub mod fleet;
mod leaves;
mod offline_sync;
mod people;
pub mod permits;
mod place;
mod qrcode;
mod records;
pub mod roster;
pub mod settings;
mod students;
#[cfg(test)]
mod tests;
mod users;

/// The service's code in `services`.
pub const SERVICE: &str = "ATTENDANCE";

pub fn routes() -> Router<App> {
    let routes = Router::new()
        .merge(account::routes())
        .merge(announcements::routes())
        .merge(cards::routes())
        .merge(checkin::routes())
        .merge(classes::routes())
        .merge(dashboard::routes())
        .merge(fleet::routes())
        .merge(leaves::routes())
        .merge(offline_sync::routes())
        .merge(qrcode::routes())
        .merge(roster::routes())
        .merge(settings::routes())
        .merge(students::routes())
        .merge(users::routes());
    speak_beside(routes, batches::routes(), dialect::failure)
}

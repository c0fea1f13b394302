//! Attendance (SiPresensi). Contract: `contracts/attendance-sipresensi.md`, mounted at `/api`.

use axum::Router;

use crate::{app::App, http::speak};

mod account;
pub mod books;
pub mod dialect;
pub mod fleet;
pub mod permits;
pub mod roster;

/// The service's code in `services`.
pub const SERVICE: &str = "ATTENDANCE";

pub fn routes() -> Router<App> {
    speak(Router::new().merge(account::routes()), dialect::failure)
}

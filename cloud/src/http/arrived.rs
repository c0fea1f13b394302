//! When a request came.

use std::convert::Infallible;

use axum::{extract::FromRequestParts, http::request::Parts};
use hadir_shared::time::Millis;

use crate::app::App;

/// The moment the head of the request was read, before its body: who stands in front of the kiosk is not late because the
/// photo takes long to upload. It must stand before the body in a handler's signature, where extractors run in order.
#[derive(Debug, Clone, Copy)]
pub struct Arrived(pub Millis);

impl FromRequestParts<App> for Arrived {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self(app.now()))
    }
}

//! The pages people use. HTML comes from the box, the small scripts too: nothing is fetched from anywhere else.
//!
//! What always holds: no inline script or style, so the content security policy can forbid them; a page that shows
//! something that grows stale says so by itself when it no longer hears from the box.

mod assets;
mod ca;
mod pages;
#[cfg(test)]
mod tests;

use axum::{Router, middleware::from_fn_with_state, routing::get};

pub use self::ca::IN_CLEAR;
use crate::http::{Web, pairing};

pub fn routes(web: &Web) -> Router<Web> {
    Router::new()
        .route("/", get(pages::home))
        .route("/gate", get(pages::gate))
        .route("/status", get(pages::status))
        .route_layer(from_fn_with_state(web.clone(), pairing::keep_kiosks))
        .route("/kiosk", get(pages::kiosk))
        .route("/c/{token}", get(pages::check_in))
        .route("/ca", get(ca::show))
        .route("/ca.crt", get(ca::der))
        .route("/ca.pem", get(ca::pem))
        .route("/ca.mobileconfig", get(ca::profile))
        .route("/assets/{file}", get(assets::serve))
        .route("/sw.js", get(assets::worker))
}

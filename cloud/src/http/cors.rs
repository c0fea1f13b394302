//! Clients in a browser, on any other origin: a school's own admin panel, a phone app's web view.
//!
//! What always holds: nothing here is done for a cookie, so a page that may call us can do no more than whoever holds a
//! token could do with curl; credentials are never allowed.

use std::time::Duration;

use axum::http::{HeaderName, Method, header};
use tower_http::cors::{Any, CorsLayer};

/// How long a browser may remember that it may ask.
const REMEMBERED: Duration = Duration::from_hours(1);

/// What stands around the routes of a module whose callers carry a token in `Authorization`.
pub fn any_origin() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT])
        .expose_headers([
            header::CONTENT_DISPOSITION,
            header::RETRY_AFTER,
            HeaderName::from_static("x-request-id"),
            HeaderName::from_static("x-without-card"),
        ])
        .max_age(REMEMBERED)
}

//! Single sign-on (Qrion). Contract: `contracts/sso.md`, mounted at `/sso`, and at the root of a listener of its own where one
//! is configured.
//!
//! Absent on purpose: a login of its own. What an account is and who may sign in is decided in `identity`; this module is how
//! other software asks for it.

use aide::{
    axum::{ApiRouter, routing::get_with},
    openapi::OpenApi,
};
use axum::{
    Router,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};

use crate::{
    app::App,
    http::{
        describe::{self, public},
        speak,
    },
};

mod account;
mod companies;
pub mod dialect;
#[cfg(test)]
mod examples;
mod form;
mod install;
mod listing;
#[cfg(test)]
mod matrix;
mod openapi;
mod permissions;
pub mod permits;
pub mod pictures;
mod reach;
mod recovery;
mod roles;
mod services;
mod subscriptions;
#[cfg(test)]
mod tests;
mod users;

use reach::Reach;

/// The service's code in `services`.
pub const SERVICE: &str = "SSO";
/// Where it is mounted; it answers there on a listener of its own as well, so that addresses in answers lead somewhere.
pub const PREFIX: &str = "/sso";

pub fn routes() -> Router<App> {
    speak(api().into(), dialect::failure)
}

/// What the module's routes say of themselves.
pub fn document() -> OpenApi {
    describe::document(openapi::head(), || ApiRouter::new().nest(PREFIX, api()))
}

fn api() -> ApiRouter<App> {
    ApiRouter::new()
        .merge(account::routes())
        .merge(companies::routes())
        .merge(install::routes())
        .merge(permissions::routes())
        .merge(pictures::routes())
        .merge(recovery::routes())
        .merge(roles::routes())
        .merge(services::routes())
        .merge(subscriptions::routes())
        .merge(users::routes())
        .api_route("/.well-known/jwks.json", get_with(jwks, public("The keys that tokens are verified with")))
}

async fn jwks(State(app): State<App>) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, app.identity.keys().jwks().to_string()).into_response()
}

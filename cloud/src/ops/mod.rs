//! For operators and other programs: is it alive, is it ready, which keys sign its tokens.

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{app::App, fail::Fail, http::speak};

pub mod metrics;
pub mod store;
#[cfg(test)]
mod tests;

pub fn routes() -> Router<App> {
    let routes = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(prometheus))
        .route("/.well-known/jwks.json", get(jwks));
    speak(routes, plain)
}

/// The part of [`routes`] that a listener of some modules alone has: whoever balances load asks it.
pub fn probes() -> Router<App> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(ready_or_not))
}

async fn ready_or_not(state: State<App>) -> Response {
    readyz(state).await.map_or_else(|fail| plain(&fail), IntoResponse::into_response)
}

/// The process answers.
async fn healthz() -> &'static str {
    "ok\n"
}

/// The database answers.
async fn readyz(State(app): State<App>) -> Result<&'static str, Fail> {
    store::version(&app.db).await?;
    Ok("ready\n")
}

async fn prometheus(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics::render(&app).await).into_response()
}

async fn jwks(State(app): State<App>) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, app.identity.keys().jwks().to_string()).into_response()
}

/// The words of what belongs to no module.
pub fn plain(fail: &Fail) -> Response {
    let text = match fail {
        Fail::NoRoute => "not found\n",
        Fail::Internal(_) | Fail::Unavailable { .. } | Fail::TimedOut => "not ready\n",
        _ => "refused\n",
    };
    let status =
        if matches!(fail, Fail::Internal(_)) { StatusCode::SERVICE_UNAVAILABLE } else { fail.status() };
    (status, text).into_response()
}

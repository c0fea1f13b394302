//! The outermost layer: a name for each request, one log line and one measurement of it, and the headers every answer has.
//!
//! What always holds: no log line carries a query string, a body, a token or a person's data; a route is measured by its
//! template, so that ids do not make new series.

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use tower_http::compression::CompressionLayer;
use tracing::Instrument as _;

use crate::{app::App, ops};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names one request in logs, audit rows and its own answer: the client's `X-Request-Id` where it is sane, else a new one.
#[derive(Debug, Clone)]
pub struct RequestId(pub Arc<str>);

tokio::task_local! {
    static CURRENT: RequestId;
}

impl RequestId {
    /// Of the request this task answers; `None` outside of one.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }
}

/// Wraps the whole router.
pub fn outer(router: Router<App>, app: &App) -> Router<App> {
    router.layer(CompressionLayer::new()).layer(from_fn_with_state(app.clone(), observe))
}

async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&app, request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", id = &*id.0, %method, route);
    let answer = CURRENT.scope(id.clone(), next.run(request));
    let mut response = answer.instrument(span.clone()).await;

    let status = response.status();
    let seconds = started.elapsed().as_secs_f64();
    let labels =
        [("method", name_of(&method).to_owned()), ("route", route), ("status", status.as_str().to_owned())];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", &labels[..2]).record(seconds);
    ops::metrics::tidy_up();
    span.in_scope(|| tracing::info!(status = status.as_u16(), ms = (seconds * 1e3).round(), "answered"));
    decorate(response.headers_mut(), &id, app.config.public_url.as_deref());
    response
}

/// A method is any word a client makes up; those that no route has are one.
fn name_of(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::PATCH
        | Method::DELETE
        | Method::OPTIONS => method.as_str(),
        _ => "other",
    }
}

fn request_id(app: &App, headers: &HeaderMap) -> RequestId {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let sane = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    RequestId(given.filter(sane).map_or_else(|| app.ids.uuid(app.now()).to_string().into(), Into::into))
}

/// A page that needs more (scripts, caching) sets its own value, and keeps it.
fn decorate(headers: &mut HeaderMap, id: &RequestId, public_url: Option<&str>) {
    let mut usual = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    usual(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    usual(header::X_FRAME_OPTIONS, "DENY");
    usual(header::REFERRER_POLICY, "same-origin");
    usual(header::CACHE_CONTROL, "no-store");
    usual(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    if public_url.is_some_and(|url| url.starts_with("https://")) {
        usual(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID, id);
    }
}

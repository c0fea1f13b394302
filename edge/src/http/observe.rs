//! The outermost layer: a name for each request, when it arrived, one log line and one measurement of it, and the headers
//! every answer has.
//!
//! What always holds: no log line carries a query string, a body, a token or a person's data; a route is measured by its
//! template, so that ids and tokens do not make new series.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tower_http::compression::CompressionLayer;
use tracing::Instrument as _;

use super::{Web, extract::Arrival};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps the whole router.
pub fn outer(router: Router<Web>, web: &Web) -> Router<Web> {
    router.layer(CompressionLayer::new()).layer(from_fn_with_state(web.clone(), observe))
}

async fn observe(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    request.extensions_mut().insert(Arrival(web.node.reading()));
    let id = request_id(&web, request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", id = &*id, %method, route);
    let mut response = next.run(request).instrument(span.clone()).await;

    let status = response.status();
    let seconds = started.elapsed().as_secs_f64();
    let labels =
        [("method", name_of(&method).to_owned()), ("route", route), ("status", status.as_str().to_owned())];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", &labels[..2]).record(seconds);
    tidy_up();
    span.in_scope(|| tracing::debug!(status = status.as_u16(), ms = (seconds * 1e3).round(), "answered"));
    decorate(response.headers_mut(), &id);
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

/// The client's `X-Request-Id` where it is sane, else a new one.
fn request_id(web: &Web, headers: &HeaderMap) -> Arc<str> {
    let sane = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(sane);
    given.map_or_else(|| web.node.ids().random_uuid().to_string().into(), Into::into)
}

/// A page that needs more (scripts, caching) sets its own value, and keeps it.
fn decorate(headers: &mut HeaderMap, id: &str) {
    let mut usual = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    usual(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    usual(header::X_FRAME_OPTIONS, "DENY");
    usual(header::REFERRER_POLICY, "no-referrer");
    usual(header::CACHE_CONTROL, "no-store");
    usual(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}

/// In seconds: a scan is milliseconds, a frame tens of them, a login a quarter of a second.
const BUCKETS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
/// Records that share one commit: as many as a group of the writer holds.
const RECORDS: [f64; 10] = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Single measurements are kept until somebody reads them, and at many a box nobody ever does: now and then they are put
/// into their buckets.
fn tidy_up() {
    static REQUESTS: AtomicU32 = AtomicU32::new(0);
    if REQUESTS.fetch_add(1, Ordering::Relaxed).is_multiple_of(1024)
        && let Some(handle) = HANDLE.get().and_then(Option::as_ref)
    {
        handle.run_upkeep();
    }
}

/// Renders everything the process has measured. The recorder is the process's own and is put in place once.
pub fn recorder() -> fn() -> String {
    fn render() -> String {
        let handle = HANDLE.get().and_then(Option::as_ref);
        handle.map(PrometheusHandle::render).unwrap_or_default()
    }
    HANDLE.get_or_init(|| {
        let seconds = Matcher::Suffix("_seconds".into());
        let records = Matcher::Suffix("_commit_records".into());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, &BUCKETS).ok()?;
        let builder = builder.set_buckets_for_metric(records, &RECORDS).ok()?;
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).ok().map(|()| handle)
    });
    render
}

//! What every dialect needs and no module owns: extractors that fail with [`Fail`], and the layers around the routes.
//!
//! What always holds: whatever goes wrong under a module's path is answered in that module's words, never in plain text; a
//! client's fault is never a 500; a failure of ours is logged once, here, and its answer tells nothing about the inside.

use std::{any::Any, time::Duration};

use anyhow::anyhow;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderValue, StatusCode, header},
    middleware::{Next, from_fn, map_response},
    response::{IntoResponse as _, Response},
};
use tower_http::{catch_panic::CatchPanicLayer, decompression::RequestDecompressionLayer};

use crate::{app::App, fail::Fail};

mod arrived;
mod body;
mod caller;
mod check;
mod cors;
pub mod describe;
mod immutable;
mod instant;
pub mod listen;
mod observe;
mod origin;
mod page;
mod params;
mod patch;
#[cfg(test)]
mod tests;

pub use arrived::Arrived;
pub use body::Body;
pub use caller::{Allowed, Holder, Member, Permission, bearer};
pub use check::Check;
pub use cors::any_origin;
pub use immutable::immutable;
pub use instant::Instant;
pub use observe::{RequestId, outer};
pub use origin::{ClientAddress, Origin};
pub use page::Page;
pub use params::{Params, Segment};
pub use patch::Patch;

/// The largest body of a route that does not say otherwise, decompressed.
pub const BODY_LIMIT: usize = 64 * 1024;
/// The largest body of a login or of anything else that is answered before anybody is known.
pub const AUTH_BODY_LIMIT: usize = 8 * 1024;
/// After this a request is answered with [`Fail::TimedOut`].
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Words every failure under `router` with `render`, unknown routes and wrong methods included.
pub fn speak(router: Router<App>, render: fn(&Fail) -> Response) -> Router<App> {
    speak_beside(router, Router::new(), render)
}

/// As [`speak`], for routes that stand beside others of the same path: what is none of theirs is left to those.
pub fn speak_part(router: Router<App>, render: fn(&Fail) -> Response) -> Router<App> {
    router
        .method_not_allowed_fallback(async || Fail::WrongMethod)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(RequestDecompressionLayer::new())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(|request, next| within(TIME_LIMIT, request, next)))
        .layer(map_response(move |response| async move { word(response, render) }))
}

/// As [`speak`]. The bodies of `raw` come as they travelled, compressed or not, because they are signed so.
pub fn speak_beside(router: Router<App>, raw: Router<App>, render: fn(&Fail) -> Response) -> Router<App> {
    router
        .fallback(async || Fail::NoRoute)
        .method_not_allowed_fallback(async || Fail::WrongMethod)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(RequestDecompressionLayer::new())
        .merge(raw.method_not_allowed_fallback(async || Fail::WrongMethod))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(|request, next| within(TIME_LIMIT, request, next)))
        .layer(map_response(move |response| async move { word(response, render) }))
}

/// Words the failures of routes that stand among those of another dialect.
pub fn worded(router: Router<App>, render: fn(&Fail) -> Response) -> Router<App> {
    router.layer(map_response(move |response| async move { word(response, render) }))
}

#[expect(clippy::needless_pass_by_value, reason = "the signature CatchPanicLayer wants")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let said =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Fail::from(anyhow!("panicked: {}", said.unwrap_or("without words"))).into_response()
}

async fn within(limit: Duration, request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(limit, next.run(request)).await;
    answer.unwrap_or_else(|_| Fail::TimedOut.into_response())
}

fn word(response: Response, render: fn(&Fail) -> Response) -> Response {
    let fail = match response.extensions().get::<Fail>() {
        Some(fail) => fail.clone(),
        // A content encoding that nobody here decodes is refused by the decompression layer, with no body.
        None if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE
            && !response.headers().contains_key(header::CONTENT_TYPE) =>
        {
            Fail::WrongContentType
        }
        None => return response,
    };
    if let Fail::Internal(e) = &fail {
        tracing::error!("{e:#}");
    }
    let mut worded = render(&fail);
    let headers = worded.headers_mut();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        headers.insert(header::ALLOW, allow.clone());
    }
    if let Some(wait) = fail.retry_after() {
        headers.insert(header::RETRY_AFTER, wait.as_secs().max(1).into());
    }
    if let Fail::Unauthenticated(_) = fail {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    worded
}

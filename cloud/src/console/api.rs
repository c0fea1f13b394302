//! The module's own API, for its pages: the same routes a second time, where the browser's session counts.
//!
//! What always holds: whoever asks is the session's user as a member of the school in the address; a request that changes
//! something carries the page's token; nothing of the browser's request but its method, query, body and type reaches the
//! API, its cookie least of all.

use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts as _, OriginalUri, RawPathParams, Request, State},
    http::{HeaderMap, Method, Uri, header, request::Parts},
    response::Response,
    routing::any,
};
use tower::ServiceExt as _;

use super::{csrf, session, visit};
use crate::{app::App, attendance, fail::Fail, http::worded, identity::Caller};

/// What of a page's request the API gets to see.
const PASSED: &[header::HeaderName] = &[
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::ACCEPT,
    header::HOST,
    header::IF_NONE_MATCH,
    header::USER_AGENT,
];

pub fn routes(app: &App) -> Router<App> {
    let inner = Router::new()
        .nest("/api", attendance::routes())
        .nest("/files", attendance::files::routes())
        .with_state(app.clone());
    let passing = move |State(app): State<App>, request: Request| {
        let inner = inner.clone();
        async move { pass(&app, inner, request).await }
    };
    let routes = Router::new()
        .route("/{school}/api/{*rest}", any(passing.clone()))
        .route("/{school}/files/{*rest}", any(passing));
    worded(routes, attendance::dialect::failure)
}

async fn pass(app: &App, inner: Router, request: Request) -> Result<Response, Fail> {
    let (mut parts, body) = request.into_parts();
    let caller = session::caller(app, &parts.headers).await?;
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        let given = parts.headers.get(csrf::HEADER).and_then(|given| given.to_str().ok());
        csrf::check(app, &caller.session.to_string(), given, &parts.headers)?;
    }
    let institution = visit::school_of(&mut parts, app).await?;
    let member = visit::member(app, caller, institution).await?;
    let request = inside(&mut parts, app, body, member.caller).await?;
    inner.oneshot(request).await.map_err(|never| match never {})
}

/// The same request as the API's clients make it.
async fn inside(parts: &mut Parts, app: &App, body: Body, caller: Caller) -> Result<Request, Fail> {
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = inner_uri(parts, app).await?;
    for name in PASSED {
        copy(&parts.headers, request.headers_mut(), name);
    }
    if let Some(peer) = parts.extensions.get::<axum::extract::ConnectInfo<std::net::SocketAddr>>() {
        request.extensions_mut().insert(*peer);
    }
    request.extensions_mut().insert(caller);
    Ok(request)
}

/// `/console/7/api/leaves?page=2` is `/api/leaves?page=2`.
async fn inner_uri(parts: &mut Parts, app: &App) -> Result<Uri, Fail> {
    let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| Fail::NoRoute)?;
    let school = params.iter().find(|(name, _)| *name == "school").map_or("", |(_, value)| value).to_owned();
    let original = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    let path_and_query = original.path_and_query().map_or("", |whole| whole.as_str());
    let inner = path_and_query.strip_prefix(&format!("/console/{school}")).ok_or(Fail::NoRoute)?;
    inner.parse().map_err(|_| Fail::NoRoute)
}

fn copy(from: &HeaderMap, to: &mut HeaderMap, name: &header::HeaderName) {
    if let Some(value) = from.get(name) {
        to.insert(name.clone(), value.clone());
    }
}

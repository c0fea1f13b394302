//! The modules' own API, for their pages: the same routes a second time, where the browser's session counts.
//!
//! What always holds: whoever asks is the session's user, below a school as a member of the school in the address; a request
//! that changes something carries the page's token; nothing of the browser's request but its method, query, body and type
//! reaches the API, its cookie least of all.

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, FromRequestParts as _, OriginalUri, RawPathParams, Request, State},
    http::{HeaderMap, Method, Uri, header, request::Parts},
    response::Response,
    routing::any,
};
use tower::ServiceExt as _;

use super::{clients, csrf, session, visit};
use crate::{
    app::App,
    attendance,
    fail::Fail,
    http::{BODY_LIMIT, worded},
    identity::Caller,
    oidc,
};

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
    of_a_school(app).merge(of_clients(app))
}

fn of_a_school(app: &App) -> Router<App> {
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

/// The registry, for whoever may open its pages; for others it is not here either.
fn of_clients(app: &App) -> Router<App> {
    let inner = Router::new()
        .nest(clients::API, oidc::registry())
        .fallback(async || Fail::NoRoute)
        .method_not_allowed_fallback(async || Fail::WrongMethod)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(app.clone());
    let passing = move |State(app): State<App>, request: Request| {
        let inner = inner.clone();
        async move {
            let (parts, body) = request.into_parts();
            let caller = proven(&app, &parts).await?;
            if !caller.may(oidc::KEEP_CLIENTS) {
                return Err(Fail::NoRoute);
            }
            let uri = original(&parts).clone();
            inner.oneshot(inside(&parts, uri, body, caller)).await.map_err(|never| match never {})
        }
    };
    let routes =
        Router::new().route("/clients/api", any(passing.clone())).route("/clients/api/{*rest}", any(passing));
    worded(routes, clients::failure)
}

async fn pass(app: &App, inner: Router, request: Request) -> Result<Response, Fail> {
    let (mut parts, body) = request.into_parts();
    let caller = proven(app, &parts).await?;
    let institution = visit::school_of(&mut parts, app).await?;
    let member = visit::member(app, caller, institution).await?;
    let uri = inner_uri(&mut parts, app).await?;
    inner.oneshot(inside(&parts, uri, body, member.caller)).await.map_err(|never| match never {})
}

/// The session's user; if the request changes something, it comes from a page of ours.
async fn proven(app: &App, parts: &Parts) -> Result<Caller, Fail> {
    let caller = session::caller(app, &parts.headers).await?;
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        let given = parts.headers.get(csrf::HEADER).and_then(|given| given.to_str().ok());
        csrf::check(app, &caller.session.to_string(), given, &parts.headers)?;
    }
    Ok(caller)
}

/// The same request as the API's clients make it.
fn inside(parts: &Parts, uri: Uri, body: Body, caller: Caller) -> Request {
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = uri;
    for name in PASSED {
        copy(&parts.headers, request.headers_mut(), name);
    }
    if let Some(peer) = parts.extensions.get::<axum::extract::ConnectInfo<std::net::SocketAddr>>() {
        request.extensions_mut().insert(*peer);
    }
    request.extensions_mut().insert(caller);
    request
}

/// `/console/7/api/leaves?page=2` is `/api/leaves?page=2`.
async fn inner_uri(parts: &mut Parts, app: &App) -> Result<Uri, Fail> {
    let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| Fail::NoRoute)?;
    let school = params.iter().find(|(name, _)| *name == "school").map_or("", |(_, value)| value).to_owned();
    let path_and_query = original(parts).path_and_query().map_or("", |whole| whole.as_str());
    let inner = path_and_query.strip_prefix(&format!("/console/{school}")).ok_or(Fail::NoRoute)?;
    inner.parse().map_err(|_| Fail::NoRoute)
}

/// The address as the browser knows it.
fn original(parts: &Parts) -> &Uri {
    parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0)
}

fn copy(from: &HeaderMap, to: &mut HeaderMap, name: &header::HeaderName) {
    if let Some(value) = from.get(name) {
        to.insert(name.clone(), value.clone());
    }
}

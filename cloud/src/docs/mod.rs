//! The documents of the modules' APIs, for people and for programs.
//!
//! What always holds: a document is made from the routes that are served; the page that shows it loads nothing from
//! elsewhere and runs nothing that stands in it.
//!
//! | route | what |
//! |---|---|
//! | `GET /docs` | which modules there are |
//! | `GET /docs/{module}` | the viewer |
//! | `GET /docs/{module}/openapi.json` | the document |

use std::{collections::BTreeMap, sync::LazyLock};

use aide::openapi::OpenApi;
use axum::{
    Router,
    http::header,
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};

use crate::{
    app::App,
    attendance,
    fail::Fail,
    http::{Segment, speak},
    ops, sso,
};

#[cfg(test)]
mod tests;
mod viewer;

/// A module's name, as it is asked for, and what makes its document.
type Module = (&'static str, fn() -> OpenApi);

/// The modules that have a document.
pub const MODULES: &[Module] = &[("attendance", attendance::document), ("sso", sso::document)];

/// The document of a module, in JSON; `None` when there is no such module. Made once.
pub fn json(module: &str) -> Option<&'static str> {
    static DOCUMENTS: LazyLock<BTreeMap<&str, String>> = LazyLock::new(|| {
        let text = |document: OpenApi| serde_json::to_string_pretty(&document).unwrap_or_default();
        MODULES.iter().map(|(name, document)| (*name, text(document()))).collect()
    });
    DOCUMENTS.get(module).map(String::as_str)
}

pub fn routes() -> Router<App> {
    let routes = Router::new()
        .route("/", get(first))
        .route("/viewer/script.js", get(script))
        .route("/viewer/style.css", get(style))
        .route("/{module}", get(page))
        .route("/{module}/start.js", get(start))
        .route("/{module}/openapi.json", get(document));
    speak(routes, ops::plain)
}

async fn first() -> Redirect {
    Redirect::to("/docs/attendance")
}

async fn page(Segment(module): Segment<String>) -> Result<Response, Fail> {
    let html = Html(viewer::page(known(&module)?));
    Ok(([(header::CONTENT_SECURITY_POLICY, viewer::POLICY)], html).into_response())
}

async fn start(Segment(module): Segment<String>) -> Result<Response, Fail> {
    Ok(text("text/javascript; charset=utf-8", viewer::start(known(&module)?)))
}

async fn script() -> Response {
    text("text/javascript; charset=utf-8", viewer::PARTS.script.as_str())
}

async fn style() -> Response {
    text("text/css; charset=utf-8", viewer::PARTS.style.as_str())
}

fn known(module: &str) -> Result<&'static str, Fail> {
    let known = MODULES.iter().find(|(name, _)| *name == module);
    known.map(|(name, _)| *name).ok_or(Fail::NoRoute)
}

fn text(media_type: &'static str, text: impl IntoResponse) -> Response {
    ([(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "public, max-age=86400")], text)
        .into_response()
}

async fn document(Segment(module): Segment<String>) -> Result<Response, Fail> {
    let document = json(&module).ok_or(Fail::NoRoute)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], document).into_response())
}

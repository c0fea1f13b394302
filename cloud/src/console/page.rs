//! A page as an answer, and the list of the pages there are.

use askama::Template;
use axum::{
    Router,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, get},
};

use crate::{app::App, fail::Fail};

/// What a page may load and run: what this cloud serves, and nothing that stands in the page itself.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub fn html(template: &impl Template) -> Result<Response, Fail> {
    html_with(StatusCode::OK, POLICY, template)
}

/// With another status, or under another policy.
pub fn html_with(
    status: StatusCode,
    policy: &'static str,
    template: &impl Template,
) -> Result<Response, Fail> {
    let text = template.render().map_err(anyhow::Error::from)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)),
    ];
    Ok((status, headers, text).into_response())
}

/// The pages of a school, with their addresses: the tests walk them all.
#[derive(Debug, Default)]
pub struct Pages {
    router: Router<App>,
    paths: Vec<&'static str>,
}

impl Pages {
    /// `path` is what follows the school: `/leaves`, `/log/{id}`, or nothing for its first page.
    #[must_use]
    pub fn page<H, T>(self, path: &'static str, handler: H) -> Self
    where
        H: axum::handler::Handler<T, App>,
        T: 'static,
    {
        self.route(path, get(handler))
    }

    #[must_use]
    pub fn route(mut self, path: &'static str, methods: MethodRouter<App>) -> Self {
        self.paths.push(path);
        // A school's own address ends without a slash; a router's root is one.
        let at = if path.is_empty() { "/" } else { path };
        Self { router: self.router.route(at, methods), paths: self.paths }
    }

    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.paths.extend(other.paths);
        Self { router: self.router.merge(other.router), paths: self.paths }
    }

    pub fn paths(&self) -> &[&'static str] {
        &self.paths
    }

    pub(super) fn into_router(self) -> Router<App> {
        self.router
    }
}

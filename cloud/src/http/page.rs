//! Which part of a list is asked for, and the links to the others.

use axum::{
    extract::{FromRequestParts, OriginalUri},
    http::request::Parts,
};
use serde::Deserialize;

use super::{Check, origin::origin, params};
use crate::{
    app::App,
    fail::Fail,
    sheet::{Format, MOST_WRITTEN},
};

/// `?page` (from 1) and `?per_page` (1 to 100), or `?format` for the whole list as a file. Other values are
/// [`Fail::Invalid`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub page: i64,
    pub per_page: i64,
    /// The list is to be a file: the page is then the whole, and one row more than may be written.
    pub format: Option<Format>,
    /// The list's own address, without its query.
    pub path: String,
    /// The rest of the query, so that a link keeps the filters it was made under.
    filters: String,
}

#[derive(Deserialize)]
struct Asked {
    page: Option<i64>,
    per_page: Option<i64>,
    format: Option<String>,
}

impl Page {
    /// The most rows of one page.
    pub const MOST: i64 = 100;
    /// Rows of a page when the client does not say.
    pub const USUAL: i64 = 15;
    /// The last page that can be asked for; behind it an offset would only cost time.
    pub const LAST: i64 = 1_000_000;
    /// Rows of a list that is to be a file.
    const WHOLE: i64 = MOST_WRITTEN as i64 + 1;

    /// Rows to skip.
    pub const fn offset(&self) -> i64 {
        (self.page - 1) * self.per_page
    }

    /// The number of the last page of a list of `total` rows; an empty list has one page.
    pub const fn last(&self, total: i64) -> i64 {
        if total <= 0 { 1 } else { (total - 1) / self.per_page + 1 }
    }

    /// The address of page `n`.
    pub fn url(&self, n: i64) -> String {
        let and = if self.filters.is_empty() { "" } else { "&" };
        format!("{}?{}{and}page={n}", self.path, self.filters)
    }
}

impl FromRequestParts<App> for Page {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fail> {
        let query = parts.uri.query().unwrap_or_default();
        let asked: Asked = params::read(query)?;
        let mut check = Check::new();
        let page = check.range("page", asked.page.unwrap_or(1), 1..=Self::LAST);
        let per_page = check.range("per_page", asked.per_page.unwrap_or(Self::USUAL), 1..=Self::MOST);
        check.finish()?;
        let format = asked.format.as_deref().map(Format::parse).transpose()?;
        let (page, per_page) = if format.is_some() { (1, Self::WHOLE) } else { (page, per_page) };
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        let others = form_urlencoded::parse(query.as_bytes())
            .filter(|(key, value)| key != "page" && !value.is_empty());
        let filters = form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish();
        Ok(Self { page, per_page, format, path: format!("{}{}", origin(parts, app), uri.path()), filters })
    }
}

//! Which part of a list is asked for: `?page&limit&search&sort`.

use axum::{extract::FromRequestParts, http::request::Parts};
use schemars::{JsonSchema, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    fail::{Fail, Flaw},
    http::{
        Check, Params,
        describe::{may_answer, queries},
    },
};

const USUAL: i64 = 10;
const MOST: i64 = 100;
/// Behind it an offset would only cost time.
const LAST: i64 = 1_000_000;
const LONGEST_SEARCH: usize = 100;

/// What lists can be sorted by, either way.
pub const SORTS: &[&str] = &["id", "-id", "name", "-name", "created_at", "-created_at"];

/// A page of a list, what is looked for, and in which order.
#[derive(Debug, Clone)]
pub struct Listing {
    pub page: i64,
    pub limit: i64,
    /// A LIKE pattern in lower case, with `!` as its escape.
    pub pattern: Option<String>,
    /// One of [`SORTS`].
    pub sort: &'static str,
}

/// How much of the list a page is.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    total_items: i64,
    item_count: i64,
    items_per_page: i64,
    total_pages: i64,
    current_page: i64,
}

impl Listing {
    pub const fn offset(&self) -> i64 {
        (self.page - 1) * self.limit
    }

    /// Of a list of so many, of which so many are on the page.
    pub fn meta(&self, total_items: i64, on_page: usize) -> Meta {
        Meta {
            total_items,
            item_count: i64::try_from(on_page).unwrap_or(i64::MAX),
            items_per_page: self.limit,
            total_pages: if total_items <= 0 { 0 } else { (total_items - 1) / self.limit + 1 },
            current_page: self.page,
        }
    }
}

#[derive(Deserialize)]
struct Asked {
    page: Option<i64>,
    limit: Option<i64>,
    search: Option<String>,
    sort: Option<String>,
}

impl FromRequestParts<App> for Listing {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fail> {
        let Params(asked): Params<Asked> = Params::from_request_parts(parts, app).await?;
        let mut check = Check::new();
        let page = check.range("page", asked.page.unwrap_or(1), 1..=LAST);
        let limit = check.range("limit", asked.limit.unwrap_or(USUAL), 1..=MOST);
        let search = check.optional_text("search", asked.search, 1..=LONGEST_SEARCH);
        let wanted = asked.sort.as_deref().map(normal);
        let sort = wanted.map_or(Some("id"), |wanted| SORTS.iter().copied().find(|known| *known == wanted));
        check.that(sort.is_some(), "sort", Flaw::NotOneOf(SORTS));
        check.finish()?;
        Ok(Self { page, limit, pattern: search.as_deref().map(anywhere), sort: sort.unwrap_or("id") })
    }
}

/// `name:desc`, `name,DESC` and `-name` are the same.
fn normal(sort: &str) -> String {
    let (column, direction) = sort.split_once([':', ',']).unwrap_or((sort, ""));
    let column = column.trim();
    match direction.trim().to_ascii_lowercase().as_str() {
        "desc" => format!("-{column}"),
        "" | "asc" => column.to_owned(),
        // No direction: refused as it stands.
        _ => sort.to_owned(),
    }
}

/// A pattern that finds a text as it stands.
fn anywhere(part: &str) -> String {
    format!("%{}%", part.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_"))
}

impl aide::OperationInput for Listing {
    fn operation_input(_: &mut aide::generate::GenContext, operation: &mut aide::openapi::Operation) {
        let number = |most: i64, usual: i64| json_schema!({"type": "integer", "minimum": 1, "maximum": most, "default": usual});
        queries(operation, "page", number(LAST, 1));
        queries(operation, "limit", number(MOST, USUAL));
        queries(operation, "search", json_schema!({"type": "string", "maxLength": LONGEST_SEARCH}));
        queries(operation, "sort", json_schema!({"type": "string", "enum": SORTS, "default": "id"}));
        may_answer(operation, 422, "Invalid");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sort_is_one_of_those_there_are() {
        for (asked, found) in [
            ("name", "name"),
            ("-name", "-name"),
            ("name:desc", "-name"),
            ("name,ASC", "name"),
            (" created_at : DESC ", "-created_at"),
        ] {
            assert_eq!(normal(asked), found, "{asked}");
        }
        for bad in ["name; DROP TABLE users", "password_hash", "name:sideways", "--name", ""] {
            assert!(!SORTS.contains(&normal(bad).as_str()), "{bad}");
        }
    }

    #[test]
    fn what_is_looked_for_is_looked_for_as_it_stands() {
        assert_eq!(anywhere("50%_A!"), "%50!%!_a!!%");
    }
}

//! The page on which announcements are written.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Response};
use hadir_shared::ids::UserId;
use serde_json::json;

use super::{CONTENT_MAX, CreateAnnouncement, TITLE_MAX, seen_by, store};
use crate::{
    app::App,
    attendance::people,
    console::{Pages, Shell, Visit, html},
    fail::Fail,
    http::Page,
};

pub fn pages() -> Pages {
    Pages::default().page("/announcements", list)
}

#[derive(Template)]
#[template(path = "console/announcements.html")]
struct ListPage {
    shell: Shell,
    rows: Vec<store::Row>,
    authors: BTreeMap<UserId, String>,
    page: i64,
    last: i64,
    total: i64,
}

async fn list(
    State(app): State<App>,
    visit: Visit<CreateAnnouncement>,
    page: Page,
) -> Result<Response, Fail> {
    let seen = seen_by(&app, visit.member());
    let mut tx = app.db.read(visit.institution).await?;
    let total = store::count(&mut tx, visit.institution, seen).await?;
    let rows = store::slice(&mut tx, visit.institution, seen, page.per_page, page.offset()).await?;
    let people = people::by_ids(&mut tx, visit.institution, rows.iter().map(|row| row.author_id)).await?;
    html(&ListPage {
        shell: visit.shell,
        rows,
        authors: people.into_iter().map(|(id, person)| (id, person.name)).collect(),
        page: page.page,
        last: page.last(total),
        total,
    })
}

impl ListPage {
    /// Whoever looks after all schools is nobody of this one.
    fn author(&self, row: &store::Row) -> &str {
        self.authors.get(&row.author_id).map_or("Hadir", String::as_str)
    }

    /// What the form for changing one begins with.
    fn fill(row: &store::Row) -> String {
        json!({"title": row.title, "content": row.content, "is_published": row.is_published}).to_string()
    }
}

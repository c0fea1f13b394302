//! The page on which leaves are decided.

use askama::Template;
use axum::{extract::State, response::Response};
use serde::Deserialize;

use super::{APPROVED, DecideLeaves, Filter, Leave, STATUSES, TYPES, WAITING, store};
use crate::{
    app::App,
    console::{Pages, Shell, Visit, html},
    fail::Fail,
    http::{Page, Params},
};

pub fn pages() -> Pages {
    Pages::default().page("/leaves", list)
}

#[derive(Deserialize)]
struct Asked {
    status: Option<String>,
    leave_type: Option<String>,
}

#[derive(Template)]
#[template(path = "console/leaves.html")]
struct ListPage {
    shell: Shell,
    status: String,
    kind: String,
    leaves: Vec<Leave>,
    page: i64,
    last: i64,
    total: i64,
}

/// Those that wait come first, unless something else is asked for.
async fn list(
    State(app): State<App>,
    visit: Visit<DecideLeaves>,
    Params(asked): Params<Asked>,
    page: Page,
) -> Result<Response, Fail> {
    let known = |text: Option<String>, words: &[&str]| text.filter(|text| words.contains(&text.as_str()));
    let status = asked.status.unwrap_or_else(|| WAITING.into());
    let filter = Filter {
        status: known(Some(status.clone()), STATUSES),
        kind: known(asked.leave_type, TYPES),
        ..Filter::default()
    };
    let mut tx = app.db.read(visit.institution).await?;
    let total = store::count(&mut tx, visit.institution, &filter).await?;
    let rows = store::page(&mut tx, visit.institution, &filter, &page).await?;
    html(&ListPage {
        shell: visit.shell,
        status,
        kind: filter.kind.unwrap_or_default(),
        leaves: rows.into_iter().map(Leave::from).collect(),
        page: page.page,
        last: page.last(total),
        total,
    })
}

impl ListPage {
    /// Who decided or decides; nobody about his own.
    fn is_own(&self, leave: &Leave) -> bool {
        leave.user_id == self.shell.who.user
    }

    fn kind_word(&self, kind: &str) -> &'static str {
        match kind {
            "sakit" => self.shell.t("Sakit", "Ill"),
            "cuti" => self.shell.t("Cuti", "Vacation"),
            "dinas_luar" => self.shell.t("Dinas luar", "On duty elsewhere"),
            _ => self.shell.t("Izin", "Excused"),
        }
    }

    fn status_word(&self, status: &str) -> (&'static str, &'static str) {
        match status {
            WAITING => ("calm", self.shell.t("Menunggu", "Waiting")),
            APPROVED => ("good", self.shell.t("Disetujui", "Approved")),
            _ => ("bad", self.shell.t("Ditolak", "Refused")),
        }
    }
}

/// `14-07-2025 – 16-07-2025`.
fn days(leave: &Leave) -> String {
    let (first, last) = (leave.start_date.format("%d-%m-%Y"), leave.end_date.format("%d-%m-%Y"));
    if leave.start_date == leave.end_date { first.to_string() } else { format!("{first} – {last}") }
}

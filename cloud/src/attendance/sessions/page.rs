//! The page of sessions: one's own, and, for who manages accounts, those of the school's people.

use askama::Template;
use axum::{extract::State, response::Response};
use serde::Deserialize;

use super::{Shown, WriteUsers, of, store};
use crate::{
    app::App,
    attendance::{people::role_name, permits::UseConsole},
    console::{Pages, Shell, Visit, html},
    fail::Fail,
    http::{Page, Params, Permission as _},
};

/// Longer names are not looked for.
const SEARCH_MAX: usize = 100;

pub fn pages() -> Pages {
    Pages::default().page("/sessions", list)
}

#[derive(Deserialize)]
struct Asked {
    q: Option<String>,
}

/// The sessions of the school's people.
struct School {
    rows: Vec<store::Row>,
    page: i64,
    last: i64,
    total: i64,
}

#[derive(Template)]
#[template(path = "console/sessions.html")]
struct SessionsPage {
    shell: Shell,
    own: Vec<Shown>,
    q: String,
    /// For who manages accounts.
    school: Option<School>,
}

async fn list(
    State(app): State<App>,
    visit: Visit<UseConsole>,
    Params(asked): Params<Asked>,
    page: Page,
) -> Result<Response, Fail> {
    let q: String =
        asked.q.unwrap_or_default().trim().chars().filter(|c| !c.is_control()).take(SEARCH_MAX).collect();
    let part = Some(q.to_lowercase()).filter(|part| !part.is_empty());
    let mut tx = app.db.read(visit.institution).await?;
    let own = of(&mut tx, &app, visit.user, visit.session).await?;
    let school = if visit.may(WriteUsers::CODE) {
        let total = store::count(&mut tx, visit.institution, part.as_deref(), app.now()).await?;
        let rows = store::page(&mut tx, visit.institution, part.as_deref(), app.now(), &page).await?;
        Some(School { rows, page: page.page, last: page.last(total), total })
    } else {
        None
    };
    html(&SessionsPage { shell: visit.shell, own, q, school })
}

impl SessionsPage {
    fn client_word(&self, client: &str) -> &'static str {
        match client {
            "console" => self.shell.t("Konsol", "Console"),
            "attendance" => self.shell.t("Aplikasi absensi", "Attendance app"),
            _ => "SSO",
        }
    }

    /// `Chrome, Android`: enough to know a device again.
    #[expect(clippy::ref_option, reason = "a template hands in references")]
    fn device(&self, user_agent: &Option<String>) -> String {
        let Some(agent) = user_agent else { return self.shell.t("Tidak dikenal", "Unknown").to_owned() };
        let of = |known: &[(&str, &'static str)]| {
            known.iter().find(|(part, _)| agent.contains(part)).map(|(_, word)| *word)
        };
        match (of(BROWSERS), of(SYSTEMS)) {
            (None, None) => agent.chars().take(60).collect(),
            (browser, system) => [browser, system].into_iter().flatten().collect::<Vec<_>>().join(", "),
        }
    }
}

/// A part of what a browser says of itself, and its name. Each but the last says those after it, too.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
const SYSTEMS: &[(&str, &str)] = &[
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
];

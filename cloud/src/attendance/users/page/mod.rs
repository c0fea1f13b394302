//! The pages of the school's people: the list, and one of them.

use askama::Template;
use axum::{extract::State, response::Response};
use hadir_shared::{
    ids::{ClassId, UserId},
    wire::roster::Role,
};
use serde::Deserialize;

use super::{Filter, store};
use crate::{
    app::App,
    attendance::{
        classes::{self, Class},
        people::Person,
        permits::WriteUsers,
        settings,
    },
    console::{Lang, Pages, Shell, Visit, html},
    fail::Fail,
    http::{Page, Params},
};

mod one;
#[cfg(test)]
mod tests;

/// People on one page.
const ON_A_PAGE: i64 = 50;

pub fn pages() -> Pages {
    Pages::default().page("/people", list).page("/people/{id}", one::show)
}

#[derive(Deserialize)]
struct Asked {
    q: Option<String>,
    role_id: Option<i64>,
    class_id: Option<i64>,
    active: Option<String>,
    placed: Option<String>,
}

#[derive(Template)]
#[template(path = "console/people.html")]
struct ListPage {
    shell: Shell,
    q: String,
    role: i64,
    class: i64,
    active: String,
    unplaced: bool,
    classes: Vec<Class>,
    people: Vec<(Person, Option<String>)>,
    page: i64,
    last: i64,
    total: i64,
}

/// Active people, by name, unless something else is asked for.
async fn list(
    State(app): State<App>,
    visit: Visit<WriteUsers>,
    Params(asked): Params<Asked>,
    mut page: Page,
) -> Result<Response, Fail> {
    page.per_page = ON_A_PAGE;
    let q: String = asked.q.unwrap_or_default().trim().chars().take(100).collect();
    let active = asked.active.unwrap_or_else(|| "1".into());
    let mut tx = app.db.read(visit.institution).await?;
    let today = settings::load(&mut tx, visit.institution).await?.schedule.zone.day(app.now());
    let filter = Filter {
        role: asked.role_id.filter(|id| Role::try_from(*id).is_ok()),
        active: match active.as_str() {
            "0" => Some(false),
            "all" => None,
            _ => Some(true),
        },
        part: Some(q.to_lowercase()).filter(|part| !part.is_empty()),
        class: asked.class_id.map(ClassId),
        unplaced: asked.placed.as_deref() == Some("no"),
        today,
        by_name: true,
    };
    let total = store::count(&mut tx, visit.institution, &filter).await?;
    let people = store::page(&mut tx, visit.institution, &filter, &page).await?;
    let mut names = classes::names_on(&mut tx, visit.institution, today).await?;
    let mut classes = classes::all(&mut tx, visit.institution).await?;
    drop(tx);
    classes.sort_by_cached_key(|class| class.name.to_lowercase());
    html(&ListPage {
        shell: visit.shell,
        q,
        role: filter.role.unwrap_or(0),
        class: asked.class_id.unwrap_or(0),
        active,
        unplaced: filter.unplaced,
        classes,
        people: people.into_iter().map(|one| (names.remove(&one.id), one)).map(|(c, p)| (p, c)).collect(),
        page: page.page,
        last: page.last(total),
        total,
    })
}

#[expect(
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    reason = "what a template calls, with what it hands"
)]
impl ListPage {
    fn role_word(&self, id: &i64) -> &'static str {
        role_word(self.shell.lang, *id)
    }

    fn is_role(&self, id: &i64) -> bool {
        self.role == *id
    }

    fn initials(&self, person: &Person) -> String {
        initials(&person.name)
    }

    fn at(&self, id: &UserId) -> String {
        self.shell.at(&format!("/people/{id}"))
    }

    /// Whether anything but the usual is asked for.
    fn is_filtered(&self) -> bool {
        !self.q.is_empty() || self.role != 0 || self.class != 0 || self.active != "1" || self.unplaced
    }
}

/// The word for a role.
pub fn role_word(lang: Lang, id: i64) -> &'static str {
    match Role::try_from(id) {
        Ok(Role::Siswa) => lang.t("Siswa", "Student"),
        Ok(Role::Guru) => lang.t("Guru", "Teacher"),
        Ok(Role::Pegawai) => lang.t("Pegawai", "Staff"),
        Ok(Role::KepalaSekolah) => lang.t("Kepala sekolah", "Principal"),
        Ok(Role::Admin) => "Admin",
        Err(_) => "–",
    }
}

/// What stands where there is no photo: the first letters of two names.
pub fn initials(name: &str) -> String {
    name.split_whitespace()
        .filter_map(|word| word.chars().next())
        .take(2)
        .flat_map(char::to_uppercase)
        .collect()
}

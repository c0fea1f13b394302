//! The pages of cards: how far each class is, and the cards of one.

use std::collections::HashMap;

use askama::Template;
use axum::{extract::State, response::Response};
use hadir_shared::{
    ids::{ClassId, UserId},
    time::Millis,
};
use serde::Deserialize;

use super::{Row, store};
use crate::{
    app::App,
    attendance::{
        classes::{self, Class},
        people::{self, Person},
        permits::{ReadCards, WriteCards},
        settings,
    },
    console::{
        Pages, Shell, Visit,
        chart::{Part, stacked},
        html,
    },
    fail::Fail,
    http::{Params, Permission as _},
};

#[cfg(test)]
mod tests;

pub fn pages() -> Pages {
    Pages::default().page("/cards", show)
}

#[derive(Deserialize)]
struct Asked {
    class_id: Option<i64>,
    state: Option<String>,
}

/// A class, its students, and those of them with an active card.
struct Line {
    class: Class,
    students: i64,
    with: i64,
}

#[derive(Template)]
#[template(path = "console/cards.html")]
struct CardsPage {
    shell: Shell,
    lines: Vec<Line>,
    may_edit: bool,
}

#[derive(Template)]
#[template(path = "console/cards_class.html")]
struct ClassPage {
    shell: Shell,
    class: Class,
    classes: Vec<Class>,
    /// With the newest card of each.
    students: Vec<(Person, Option<Row>)>,
    state: String,
    /// Of the whole class.
    missing: usize,
    may_edit: bool,
}

async fn show(
    State(app): State<App>,
    visit: Visit<ReadCards>,
    Params(asked): Params<Asked>,
) -> Result<Response, Fail> {
    match asked.class_id {
        Some(class) => of_class(&app, visit, ClassId(class), asked.state.unwrap_or_default()).await,
        None => of_school(&app, visit).await,
    }
}

async fn of_school(app: &App, visit: Visit<ReadCards>) -> Result<Response, Fail> {
    let mut tx = app.db.read(visit.institution).await?;
    let today = settings::load(&mut tx, visit.institution).await?.schedule.zone.day(app.now());
    let counts: HashMap<i64, (i64, i64)> = store::by_class(&mut tx, visit.institution, today)
        .await?
        .into_iter()
        .map(|(class, students, with)| (class, (students, with)))
        .collect();
    let mut classes = classes::all(&mut tx, visit.institution).await?;
    drop(tx);
    classes.sort_by_cached_key(|class| class.name.to_lowercase());
    let line = |class: Class| {
        let (students, with) = counts.get(&class.id.0).copied()?;
        Some(Line { class, students, with })
    };
    let may_edit = visit.may(WriteCards::CODE);
    let lines = classes.into_iter().filter_map(line).collect();
    html(&CardsPage { shell: visit.shell, lines, may_edit })
}

async fn of_class(app: &App, visit: Visit<ReadCards>, id: ClassId, state: String) -> Result<Response, Fail> {
    let institution = visit.institution;
    let mut tx = app.db.read(institution).await?;
    let class = classes::find(&mut tx, institution, id).await?;
    let today = settings::load(&mut tx, institution).await?.schedule.zone.day(app.now());
    let people = people::of_class(&mut tx, institution, id, today).await?;
    let cards = store::newest_of(&mut tx, institution, people.iter().map(|one| one.id)).await?;
    let mut classes = classes::all(&mut tx, institution).await?;
    drop(tx);
    classes.sort_by_cached_key(|class| class.name.to_lowercase());
    let mut cards: HashMap<UserId, Row> = cards.into_iter().map(|card| (card.student_id, card)).collect();
    let with_card = |one: Person| (cards.remove(&one.id), one);
    let mut students: Vec<(Person, Option<Row>)> =
        people.into_iter().map(with_card).map(|(card, one)| (one, card)).collect();
    let missing = students.iter().filter(|(_, card)| !is_active(card.as_ref())).count();
    students.retain(|(_, card)| match state.as_str() {
        "active" => is_active(card.as_ref()),
        "missing" => !is_active(card.as_ref()),
        _ => true,
    });
    let may_edit = visit.may(WriteCards::CODE);
    html(&ClassPage { shell: visit.shell, class, classes, students, state, missing, may_edit })
}

fn is_active(card: Option<&Row>) -> bool {
    card.is_some_and(|card| card.is_active)
}

#[expect(clippy::unused_self, reason = "what a template calls")]
impl CardsPage {
    fn missing(&self) -> i64 {
        self.lines.iter().map(|line| line.students - line.with).sum()
    }

    fn bar(&self, line: &Line) -> String {
        let said = format!("{} / {}", line.with, line.students);
        stacked(&[Part { value: line.with, class: "good" }], line.students, &said)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands references")]
impl ClassPage {
    fn is_chosen(&self, class: &Class) -> bool {
        class.id == self.class.id
    }

    fn date(&self, at: &Millis) -> String {
        self.shell.zone().day(*at).0.format("%d-%m-%Y").to_string()
    }
}

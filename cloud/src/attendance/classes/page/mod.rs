//! The pages of classes: the list, one of them, and the step into a new school year.

use std::collections::{HashMap, HashSet};

use askama::Template;
use axum::{extract::State, response::Response};
use hadir_shared::{
    ids::{ClassId, UserId},
    time::SchoolDay,
};
use serde::Deserialize;

use super::{Shown, all, find, of_teacher, with_teachers};
use crate::{
    app::App,
    attendance::{
        people::{self, Person},
        permits::{ReadClasses, ReadSchoolRecap, WriteClasses},
        records, settings,
        users::anywhere,
    },
    console::{Pages, Shell, Visit, html},
    fail::Fail,
    http::{Params, Permission as _, Segment},
};

mod promote;
mod store;
#[cfg(test)]
mod tests;

use store::Candidate;

/// Students that are offered to be put into a class: who wants more, looks for them.
const MOST_CANDIDATES: i64 = 30;

pub fn pages() -> Pages {
    Pages::default().page("/classes", list).page("/classes/promote", promote::show).page("/classes/{id}", one)
}

#[derive(Template)]
#[template(path = "console/classes.html")]
struct ListPage {
    shell: Shell,
    /// With the students of each today.
    classes: Vec<(Shown, i64)>,
    teachers: Vec<(i64, String)>,
    may_edit: bool,
    only_own: bool,
}

/// All of the school's; for a teacher the ones he leads.
async fn list(State(app): State<App>, visit: Visit<ReadClasses>) -> Result<Response, Fail> {
    let only_own = !visit.may(ReadSchoolRecap::CODE);
    let may_edit = visit.may(WriteClasses::CODE);
    let mut tx = app.db.read(visit.institution).await?;
    let today = settings::load(&mut tx, visit.institution).await?.schedule.zone.day(app.now());
    let classes = if only_own {
        of_teacher(&mut tx, visit.institution, visit.user).await?
    } else {
        all(&mut tx, visit.institution).await?
    };
    let mut shown = with_teachers(&mut tx, visit.institution, classes).await?;
    let sizes: HashMap<i64, i64> =
        store::sizes(&mut tx, visit.institution, today).await?.into_iter().collect();
    let teachers = if may_edit { store::teachers(&mut tx, visit.institution).await? } else { Vec::new() };
    drop(tx);
    shown.sort_by_cached_key(|one| one.class.name.to_lowercase());
    let counted = |one: Shown| (sizes.get(&one.class.id.0).copied().unwrap_or(0), one);
    let classes = shown.into_iter().map(counted).map(|(size, one)| (one, size)).collect();
    html(&ListPage { shell: visit.shell, classes, teachers, may_edit, only_own })
}

#[derive(Deserialize)]
struct Asked {
    q: Option<String>,
    /// Shows who could be put into the class.
    add: Option<String>,
}

#[derive(Template)]
#[template(path = "console/class.html")]
struct ClassPage {
    shell: Shell,
    shown: Shown,
    students: Vec<Person>,
    present: HashSet<UserId>,
    teachers: Vec<(i64, String)>,
    may_edit: bool,
    adding: bool,
    q: String,
    candidates: Vec<Candidate>,
    today: SchoolDay,
}

async fn one(
    State(app): State<App>,
    visit: Visit<ReadClasses>,
    Segment((_, id)): Segment<(i64, i64)>,
    Params(asked): Params<Asked>,
) -> Result<Response, Fail> {
    let (institution, id) = (visit.institution, ClassId(id));
    let may_edit = visit.may(WriteClasses::CODE);
    let mut tx = app.db.read(institution).await?;
    let class = find(&mut tx, institution, id).await?;
    if !visit.may(ReadSchoolRecap::CODE) && class.homeroom_teacher_id != Some(visit.user.0) {
        return Err(super::unknown());
    }
    let today = settings::load(&mut tx, institution).await?.schedule.zone.day(app.now());
    let students = people::of_class(&mut tx, institution, id, today).await?;
    let present = records::present(&mut tx, institution, id, today).await?;
    let teachers = if may_edit { store::teachers(&mut tx, institution).await? } else { Vec::new() };
    let q: String = asked.q.unwrap_or_default().trim().chars().take(100).collect();
    let adding = may_edit && (asked.add.is_some() || !q.is_empty());
    let candidates = if adding {
        let part = if q.is_empty() { String::new() } else { anywhere(&q.to_lowercase()) };
        store::candidates(&mut tx, institution, id, &part, today, MOST_CANDIDATES).await?
    } else {
        Vec::new()
    };
    let shown = with_teachers(&mut tx, institution, vec![class]).await?.pop().ok_or_else(super::unknown)?;
    drop(tx);
    let present = present.into_iter().collect();
    let shell = visit.shell;
    html(&ClassPage { shell, shown, students, present, teachers, may_edit, adding, q, candidates, today })
}

impl ListPage {
    fn total(&self) -> i64 {
        self.classes.iter().map(|(_, size)| size).sum()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands references")]
impl ClassPage {
    fn is_in(&self, student: &Person) -> bool {
        self.present.contains(&student.id)
    }

    fn leads(&self, teacher: &i64) -> bool {
        self.shown.class.homeroom_teacher_id == Some(*teacher)
    }
}

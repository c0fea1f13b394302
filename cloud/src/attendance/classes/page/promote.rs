//! The page on which a whole school goes a year on: each class, the one it goes to, and what that would do.

use std::collections::HashMap;

use askama::Template;
use axum::{extract::State, response::Response};
use hadir_shared::ids::ClassId;
use serde::Deserialize;

use super::super::{
    Class, all,
    promote::{Next, next, sizes},
};
use crate::{
    app::App,
    attendance::{permits::WriteClasses, settings},
    console::{Shell, Visit, html},
    fail::Fail,
    http::Params,
};

#[derive(Deserialize)]
pub struct Asked {
    from_year: Option<i64>,
}

#[derive(Template)]
#[template(path = "console/promote.html")]
struct Page {
    shell: Shell,
    from_year: i64,
    this_year: i64,
    classes: Vec<Class>,
    lines: Vec<Line>,
}

/// A class with students, and where its name says that it goes.
struct Line {
    class: Class,
    students: i64,
    /// Of them, who is in a class of the new year already.
    placed: i64,
    to: Goal,
}

enum Goal {
    To(ClassId),
    Leaves,
    /// A class of this name is to be made first.
    Missing(String),
    Unknown,
}

/// The academic year that ends, unless the last one is asked for.
pub async fn show(
    State(app): State<App>,
    visit: Visit<WriteClasses>,
    Params(asked): Params<Asked>,
) -> Result<Response, Fail> {
    let mut tx = app.db.read(visit.institution).await?;
    let today = settings::load(&mut tx, visit.institution).await?.schedule.zone.day(app.now());
    let this_year = today.academic_year();
    let from_year = asked.from_year.filter(|year| *year == this_year - 1).unwrap_or(this_year);
    let sizes: HashMap<i64, (i64, i64)> = sizes(&mut tx, visit.institution, from_year)
        .await?
        .into_iter()
        .map(|(class, students, placed)| (class, (students, placed)))
        .collect();
    let mut classes = all(&mut tx, visit.institution).await?;
    drop(tx);
    classes.sort_by_cached_key(|class| class.name.to_lowercase());
    let line = |class: &Class| {
        let (students, placed) = sizes.get(&class.id.0).copied()?;
        Some(Line { to: goal(class, &classes), class: class.clone(), students, placed })
    };
    let lines = classes.iter().filter_map(line).collect();
    html(&Page { shell: visit.shell, from_year, this_year, lines, classes })
}

fn goal(class: &Class, classes: &[Class]) -> Goal {
    match next(&class.name, classes.iter().map(|class| class.name.as_str())) {
        Next::Leaves => Goal::Leaves,
        Next::Unknown => Goal::Unknown,
        Next::Named(name) => {
            let same = classes.iter().find(|other| other.name.to_lowercase() == name.to_lowercase());
            same.map_or(Goal::Missing(name), |other| Goal::To(other.id))
        }
    }
}

#[expect(
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    reason = "what a template calls, with what it hands"
)]
impl Page {
    fn is_goal(&self, line: &Line, class: &ClassId) -> bool {
        matches!(line.to, Goal::To(id) if id == *class)
    }

    fn leaves(&self, line: &Line) -> bool {
        matches!(line.to, Goal::Leaves)
    }

    /// The class that should be made first.
    fn missing<'l>(&self, line: &'l Line) -> Option<&'l str> {
        match &line.to {
            Goal::Missing(name) => Some(name),
            _ => None,
        }
    }

    /// `2025/2026`.
    fn year(&self, first: &i64) -> String {
        format!("{first}/{}", first + 1)
    }

    fn year_before(&self) -> String {
        self.year(&(self.this_year - 1))
    }

    fn year_after(&self) -> String {
        self.year(&(self.from_year + 1))
    }
}

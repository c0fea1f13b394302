//! The recap as pages: the sheet as it prints, and in it each person's day, to be looked into and corrected.
//!
//! What always holds: a page shows the very [`paper::Paper`] that the files are drawn from.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use hadir_shared::{
    ids::{ClassId, UserId},
    time::{Month, SchoolDay},
};
use serde::Deserialize;

use self::{day::Look, sheet::Sheet};
use super::{OfClass, ReadRecap, ReadSchoolRecap, class_recap, paper, school_recap};
use crate::{
    app::App,
    attendance::classes::{self, Class},
    console::{Pages, Shell, Visit, html},
    fail::Fail,
    http::{Params, Permission as _, Segment},
};

mod day;
mod sheet;
#[cfg(test)]
mod tests;

pub fn pages() -> Pages {
    Pages::default().page("/recap", overview).page("/recap/{id}", of_class)
}

#[derive(Deserialize)]
struct Chosen {
    month: Option<Month>,
    class: Option<ClassId>,
}

#[derive(Template)]
#[template(path = "console/recap.html")]
struct Overview {
    shell: Shell,
    month: Month,
    classes: Vec<Class>,
    /// Of the school, for whoever may see it.
    sheet: Option<Sheet>,
}

/// The classes there are to look into, and what the school did as a whole.
async fn overview(
    State(app): State<App>,
    visit: Visit<ReadRecap>,
    Params(chosen): Params<Chosen>,
) -> Result<Response, Fail> {
    let month = chosen.month.unwrap_or_else(|| Month::of(visit.shell.today()));
    if let Some(class) = chosen.class {
        return Ok(Redirect::to(&visit.shell.at(&format!("/recap/{class}?month={month}"))).into_response());
    }
    let sheet = if visit.may(ReadSchoolRecap::CODE) {
        let (recap, _) = school_recap(&app, visit.member(), Some(month)).await?;
        let class = |line: usize| recap.classes.get(line).map(|line| line.class.id);
        let link = |line, column| Some(class(line).filter(|_| column == 1)?.to_string());
        let to = |id: String| visit.shell.at(&format!("/recap/{id}?month={month}"));
        Some(Sheet::new(paper::of_school(&recap), |line, column, _| link(line, column).map(to)))
    } else {
        None
    };
    let classes = open_to(&app, &visit).await?;
    html(&Overview { shell: visit.shell, month, classes, sheet })
}

#[derive(Deserialize)]
struct Asked {
    month: Option<Month>,
    /// Whose day is looked into: a student and the day's number, `1012-5`.
    at: Option<String>,
}

#[derive(Template)]
#[template(path = "console/recap_class.html")]
struct ClassPage {
    shell: Shell,
    month: Month,
    class: ClassId,
    name: String,
    classes: Vec<Class>,
    sheet: Sheet,
    look: Option<Look>,
}

async fn of_class(
    State(app): State<App>,
    visit: Visit<ReadRecap>,
    Segment((_, id)): Segment<(i64, ClassId)>,
    Params(asked): Params<Asked>,
) -> Result<Response, Fail> {
    let (recap, _) = class_recap(&app, visit.member(), id, asked.month).await?;
    let look = match asked.at.as_deref() {
        Some(at) => Some(day::look(&app, &visit, &recap, place(at, recap.head.month)?).await?),
        None => None,
    };
    let classes = open_to(&app, &visit).await?;
    html(&ClassPage {
        month: recap.head.month,
        class: id,
        sheet: sheet_of(&recap),
        name: recap.class.name,
        classes,
        look,
        shell: visit.shell,
    })
}

/// Each mark leads to its day.
fn sheet_of(recap: &OfClass) -> Sheet {
    let paper = paper::of_class(recap);
    let first = usize::from(paper.fixed);
    let month = recap.head.month;
    Sheet::new(paper, |line, column, text| {
        let day = recap.head.days.get(column.checked_sub(first)?)?;
        let student = recap.students.get(line)?.student.id;
        let number = day.day.0.format("%-d");
        (!text.is_empty()).then(|| format!("?month={month}&at={student}-{number}"))
    })
}

/// `1012-5`. What cannot be read is nobody's day.
fn place(at: &str, month: Month) -> Result<(UserId, SchoolDay), Fail> {
    let read = || {
        let (student, day) = at.split_once('-')?;
        let day: usize = day.parse().ok()?;
        Some((UserId(student.parse().ok()?), month.days().nth(day.checked_sub(1)?)?))
    };
    read().ok_or(Fail::NoRoute)
}

/// A teacher looks into his own.
async fn open_to(app: &App, visit: &Visit<ReadRecap>) -> Result<Vec<Class>, Fail> {
    let mut tx = app.db.read(visit.institution).await?;
    if visit.may(ReadSchoolRecap::CODE) {
        classes::all(&mut tx, visit.institution).await
    } else {
        classes::of_teacher(&mut tx, visit.institution, visit.user).await
    }
}

/// The months beside one.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands in references")]
fn beside(month: &Month) -> (Month, Month) {
    let before = month.first().0.pred_opt().unwrap_or_default();
    let after = month.last().0.succ_opt().unwrap_or_default();
    (Month::of(SchoolDay(before)), Month::of(SchoolDay(after)))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands in references")]
fn month_word(shell: &Shell, month: &Month) -> String {
    shell.lang.month(month.first().0)
}

//! The calendar as a page: a month as a grid, and the days off of its year.

use std::collections::BTreeSet;

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::Datelike as _;
use hadir_shared::time::{Month, SchoolDay};
use serde::Deserialize;
use serde_json::json;

use super::{Holiday, NAME_MAX, WriteHolidays, span, store};
use crate::{
    app::App,
    attendance::{permits::UseConsole, settings},
    console::{Pages, Shell, Visit, html},
    fail::Fail,
    http::{Params, Permission as _},
};

#[cfg(test)]
mod tests;

pub fn pages() -> Pages {
    Pages::default().page("/calendar", calendar)
}

#[derive(Deserialize)]
struct Asked {
    month: Option<Month>,
}

/// A day of the grid.
#[expect(clippy::struct_field_names, reason = "a day's day")]
struct Day {
    day: SchoolDay,
    /// School is held on this weekday.
    is_weekday: bool,
    holiday: Option<Holiday>,
}

#[derive(Template)]
#[template(path = "console/calendar.html")]
struct Calendar {
    shell: Shell,
    month: Month,
    /// From Monday; `None` outside the month.
    weeks: Vec<Vec<Option<Day>>>,
    school_days: usize,
    year: i32,
    /// Of the whole year.
    holidays: Vec<Holiday>,
    may_write: bool,
}

async fn calendar(
    State(app): State<App>,
    visit: Visit<UseConsole>,
    Params(asked): Params<Asked>,
) -> Result<Response, Fail> {
    let month = asked.month.unwrap_or_else(|| Month::of(visit.shell.today()));
    let year = month.first().0.year();
    let mut tx = app.db.read(visit.institution).await?;
    let settings = settings::load(&mut tx, visit.institution).await?;
    let whole = span(year, None).ok_or(Fail::NoRoute)?;
    let holidays = store::between(&mut tx, visit.institution, whole).await?;
    let day = |day: SchoolDay| Day {
        day,
        is_weekday: settings.school_days.include(day, &BTreeSet::new()),
        holiday: holidays.iter().find(|holiday| holiday.day == day.0).cloned(),
    };
    let days: Vec<Day> = month.days().map(day).collect();
    html(&Calendar {
        school_days: days.iter().filter(|day| day.is_school_day()).count(),
        weeks: weeks(days),
        may_write: visit.may(WriteHolidays::CODE),
        shell: visit.shell,
        month,
        year,
        holidays,
    })
}

/// Seven to a line.
fn weeks(days: Vec<Day>) -> Vec<Vec<Option<Day>>> {
    let before = days.first().map_or(0, |first| usize::from(first.day.weekday()) - 1);
    let mut cells: Vec<Option<Day>> = std::iter::repeat_with(|| None).take(before).collect();
    cells.extend(days.into_iter().map(Some));
    while !cells.len().is_multiple_of(7) {
        cells.push(None);
    }
    let mut weeks = Vec::new();
    while !cells.is_empty() {
        let rest = cells.split_off(7);
        weeks.push(std::mem::replace(&mut cells, rest));
    }
    weeks
}

impl Day {
    fn is_school_day(&self) -> bool {
        self.is_weekday && self.holiday.is_none()
    }

    /// What the form for a new day off begins with.
    fn fill(&self) -> String {
        json!({"start_date": self.day, "end_date": self.day}).to_string()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands in references")]
impl Calendar {
    fn month_word(&self, month: &Month) -> String {
        self.shell.lang.month(month.first().0)
    }

    fn long_day(&self, holiday: &Holiday) -> String {
        self.shell.lang.long_day(SchoolDay(holiday.day))
    }

    fn weekday_word(&self, n: &u8) -> &'static str {
        self.shell.lang.weekday(*n)
    }

    fn short_weekday(&self, n: &u8) -> String {
        self.weekday_word(n).chars().take(3).collect()
    }

    fn beside(&self) -> (Month, Month) {
        let before = self.month.first().0.pred_opt().unwrap_or_default();
        let after = self.month.last().0.succ_opt().unwrap_or_default();
        (Month::of(SchoolDay(before)), Month::of(SchoolDay(after)))
    }

    /// What the form for changing one begins with.
    fn fill(holiday: &Holiday) -> String {
        json!({"name": holiday.name, "date": holiday.day}).to_string()
    }
}

//! One of the school's people: a month of his attendance, his card, his classes, and what may be changed of him.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::{Months, NaiveDate};
use hadir_shared::{
    ids::UserId,
    time::{Millis, Month, SchoolDay},
    wire::roster::Role,
};
use serde::Deserialize;

use super::{super::find, initials, role_word};
use crate::{
    app::App,
    attendance::{
        cards,
        classes::{self, Class, Placed},
        people::Person,
        permits::{ReadCards, ReadClasses, ReadSchoolRecap, WriteUsers},
        records::{self, Row},
        settings,
    },
    console::{Shell, Visit, html},
    db::Tx,
    fail::Fail,
    http::{Member, Page, Params, Permission as _, Segment},
};

/// Rows of a month: two a day and some to spare.
const MOST_ROWS: i64 = 100;

#[derive(Deserialize)]
pub struct Asked {
    month: Option<Month>,
}

#[derive(Template)]
#[template(path = "console/person.html")]
struct PersonPage {
    shell: Shell,
    person: Person,
    /// May be changed by who looks.
    may_edit: bool,
    month: Month,
    /// `None`: this is the last one that has begun.
    next: Option<Month>,
    before: Month,
    days: Vec<Recorded>,
    sums: Sums,
    cards: Option<Vec<cards::Row>>,
    history: Vec<Placed>,
    /// The class he is in today.
    class: Option<String>,
    classes: Vec<Class>,
    today: SchoolDay,
}

/// What was recorded of a day.
#[derive(Debug)]
struct Recorded {
    day: SchoolDay,
    came: Option<Row>,
    left: Option<Row>,
}

#[derive(Debug, Default)]
struct Sums {
    present: usize,
    late: usize,
    late_minutes: i64,
    sick: usize,
    excused: usize,
    absent: usize,
}

/// Whoever reads classes; a teacher only the students he leads, and himself. Of others nobody is told that they exist.
pub async fn show(
    State(app): State<App>,
    visit: Visit<ReadClasses>,
    Segment((_, id)): Segment<(i64, i64)>,
    Params(asked): Params<Asked>,
    mut page: Page,
) -> Result<Response, Fail> {
    let id = UserId(id);
    let mut tx = app.db.read(visit.institution).await?;
    let today = settings::load(&mut tx, visit.institution).await?.schedule.zone.day(app.now());
    let person = find(&mut tx, visit.institution, id).await?;
    if !sees(&mut tx, &visit, id, today).await? {
        return Err(Fail::not_found("Pengguna tidak ditemukan"));
    }
    let month = asked.month.filter(|month| month.first() <= today).unwrap_or(Month::of(today));
    page.page = 1;
    page.per_page = MOST_ROWS;
    let days = (Some(month.first().0), Some(month.last().0));
    let (rows, _) = records::history(&mut tx, visit.institution, id, days, &page).await?;
    let is_student = person.role() == Some(Role::Siswa);
    let cards = if is_student && visit.may(ReadCards::CODE) {
        Some(cards::of_student(&mut tx, visit.institution, id).await?)
    } else {
        None
    };
    let may_edit = visit.may(WriteUsers::CODE);
    let history = classes::history(&mut tx, visit.institution, id).await?;
    let mut classes =
        if may_edit && is_student { classes::all(&mut tx, visit.institution).await? } else { Vec::new() };
    drop(tx);
    classes.sort_by_cached_key(|class| class.name.to_lowercase());
    let next = shifted(month, 1).filter(|month| month.first() <= today);
    html(&PersonPage {
        class: history.iter().find(|placed| placed.includes(today)).map(|placed| placed.name.clone()),
        sums: Sums::of(&rows),
        days: days_of(rows),
        before: shifted(month, -1).unwrap_or(month),
        shell: visit.shell,
        person,
        may_edit,
        month,
        next,
        cards,
        history,
        classes,
        today,
    })
}

async fn sees(tx: &mut Tx, who: &Member, id: UserId, today: SchoolDay) -> Result<bool, Fail> {
    if id == who.user || who.may(ReadSchoolRecap::CODE) {
        return Ok(true);
    }
    classes::leads(tx, who.institution, who.user, id, today).await
}

fn shifted(month: Month, by: i32) -> Option<Month> {
    let first = month.first().0;
    let months = Months::new(by.unsigned_abs());
    let shifted: NaiveDate =
        if by < 0 { first.checked_sub_months(months)? } else { first.checked_add_months(months)? };
    Some(Month::of(SchoolDay(shifted)))
}

/// The newest day first.
fn days_of(rows: Vec<Row>) -> Vec<Recorded> {
    let mut days: BTreeMap<NaiveDate, Recorded> = BTreeMap::new();
    for row in rows {
        let day = days.entry(row.day).or_insert(Recorded { day: SchoolDay(row.day), came: None, left: None });
        let is_arrival = row.direction == "checkin";
        *(if is_arrival { &mut day.came } else { &mut day.left }) = Some(row);
    }
    days.into_values().rev().collect()
}

impl Sums {
    fn of(rows: &[Row]) -> Self {
        let mut sums = Self::default();
        for row in rows.iter().filter(|row| row.direction == "checkin") {
            match row.status.as_str() {
                "hadir" => sums.present += 1,
                "terlambat" => {
                    sums.present += 1;
                    sums.late += 1;
                    sums.late_minutes += row.late_minutes;
                }
                "sakit" => sums.sick += 1,
                "izin" => sums.excused += 1,
                _ => sums.absent += 1,
            }
        }
        sums
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands references")]
impl PersonPage {
    fn role_word(&self) -> &'static str {
        role_word(self.shell.lang, self.person.role_id.unwrap_or(0))
    }

    fn role_word_of(&self, id: &i64) -> &'static str {
        role_word(self.shell.lang, *id)
    }

    fn has_role(&self, id: &i64) -> bool {
        self.person.role_id == Some(*id)
    }

    fn is_student(&self) -> bool {
        self.person.role() == Some(Role::Siswa)
    }

    fn is_oneself(&self) -> bool {
        self.person.id == self.shell.who.user
    }

    fn initials(&self) -> String {
        initials(&self.person.name)
    }

    fn month_word(&self) -> String {
        self.shell.lang.month(self.month.first().0)
    }

    /// `Jum, 21 Nov`.
    fn short(&self, day: &SchoolDay) -> String {
        let weekday: String = self.shell.lang.weekday(day.weekday()).chars().take(3).collect();
        format!("{weekday}, {}", self.shell.lang.short_day(*day))
    }

    /// Colour and word of a day.
    fn status(&self, row: &Row) -> (&'static str, &'static str) {
        match row.status.as_str() {
            "hadir" => ("good", self.shell.t("Hadir", "On time")),
            "terlambat" => ("warn", self.shell.t("Terlambat", "Late")),
            "sakit" => ("calm", self.shell.t("Sakit", "Ill")),
            "izin" => ("calm", self.shell.t("Izin", "Excused")),
            _ => ("bad", self.shell.t("Alpa", "Absent")),
        }
    }

    fn time(&self, row: &Row) -> String {
        if row.is_absence() { "–".into() } else { self.shell.time(&row.trusted_at) }
    }

    fn date(&self, at: &Millis) -> String {
        self.shell.zone().day(*at).0.format("%d-%m-%Y").to_string()
    }

    /// The card that counts.
    fn active(&self) -> Option<&cards::Row> {
        self.cards.as_ref()?.iter().find(|card| card.is_active)
    }
}

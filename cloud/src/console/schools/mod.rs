//! All schools, for whoever looks after them: which of them is not well today.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::{extract::State, response::Response};
use hadir_shared::{
    settings::Settings,
    time::{Millis, SchoolDay, Zone},
};
use serde::Deserialize;

#[cfg(test)]
mod tests;

use super::{
    page::html,
    shell::Shell,
    store::{self, Came, Found},
    visit::Above,
};
use crate::{
    app::App,
    attendance::fleet::alerts::{self, Alert, Heard},
    db::Cloud,
    fail::Fail,
    http::{Page, Params},
};

/// No school's today is further from that of Jakarta.
const DAY_MS: i64 = 24 * 3600 * 1000;
/// Refused records of a school are counted no further.
const MOST_REFUSED: i64 = 1_000;

#[derive(Deserialize)]
pub struct Asked {
    /// Part of a name or code.
    q: Option<String>,
}

#[derive(Template)]
#[template(path = "console/schools.html")]
struct SchoolsPage {
    shell: Shell,
    q: String,
    schools: Vec<School>,
    page: i64,
    last: i64,
    total: i64,
}

/// A school, as it is now.
struct School {
    id: i64,
    code: String,
    name: String,
    students: i64,
    present: i64,
    late: i64,
    boxes: usize,
    ill: usize,
    /// The worst of what is wrong with its boxes.
    alert: Option<Alert>,
    refused: i64,
}

/// What is known of the schools of a page, each under its number.
struct Known {
    settings: BTreeMap<i64, BTreeMap<String, String>>,
    holidays: BTreeMap<i64, BTreeSet<SchoolDay>>,
    boxes: BTreeMap<i64, Vec<Heard>>,
    students: BTreeMap<i64, i64>,
    refused: BTreeMap<i64, i64>,
    came: Vec<Came>,
}

pub async fn show(
    State(app): State<App>,
    Above { shell }: Above,
    Params(asked): Params<Asked>,
    page: Page,
) -> Result<Response, Fail> {
    let now = app.now();
    let q: String = asked.q.unwrap_or_default().trim().chars().take(100).collect();
    let pattern = (!q.is_empty()).then(|| pattern(&q));
    let mut tx = app.db.read(Cloud).await?;
    let total = store::count_schools(&mut tx, pattern.as_deref()).await?;
    let found = store::schools(&mut tx, pattern.as_deref(), page.per_page, page.offset()).await?;
    let ids: Vec<i64> = found.iter().map(|school| school.id).collect();
    let days = (Zone::JAKARTA.day(now.plus_millis(-DAY_MS)), Zone::JAKARTA.day(now.plus_millis(DAY_MS)));
    let known = Known {
        settings: nested(store::settings(&mut tx, &ids).await?),
        holidays: nested_set(store::holidays(&mut tx, &ids, days).await?),
        boxes: listed(store::boxes(&mut tx, &ids).await?),
        students: store::students(&mut tx, &ids).await?.into_iter().collect(),
        refused: store::refused(&mut tx, &ids, MOST_REFUSED + 1).await?.into_iter().collect(),
        came: store::came(&mut tx, &ids, days).await?,
    };
    let schools = found.into_iter().map(|school| known.about(school, now)).collect::<Result<_, Fail>>()?;
    html(&SchoolsPage { shell, q, schools, page: page.page, last: page.last(total), total })
}

/// A LIKE pattern that finds a text as it stands, in lower case.
fn pattern(text: &str) -> String {
    format!("%{}%", text.replace('!', "!!").replace('%', "!%").replace('_', "!_").to_lowercase())
}

fn nested(rows: Vec<(i64, String, String)>) -> BTreeMap<i64, BTreeMap<String, String>> {
    let mut all: BTreeMap<i64, BTreeMap<String, String>> = BTreeMap::new();
    for (school, key, value) in rows {
        all.entry(school).or_default().insert(key, value);
    }
    all
}

fn nested_set(rows: Vec<(i64, chrono::NaiveDate)>) -> BTreeMap<i64, BTreeSet<SchoolDay>> {
    let mut all: BTreeMap<i64, BTreeSet<SchoolDay>> = BTreeMap::new();
    for (school, day) in rows {
        all.entry(school).or_default().insert(SchoolDay(day));
    }
    all
}

fn listed(rows: Vec<Heard>) -> BTreeMap<i64, Vec<Heard>> {
    let mut all: BTreeMap<i64, Vec<Heard>> = BTreeMap::new();
    for heard in rows {
        all.entry(heard.institution_id.0).or_default().push(heard);
    }
    all
}

impl Known {
    fn about(&self, found: Found, now: Millis) -> Result<School, Fail> {
        let (nothing, none) = (BTreeMap::new(), BTreeSet::new());
        let texts = self.settings.get(&found.id).unwrap_or(&nothing);
        let settings = Settings::read(0, texts).map_err(anyhow::Error::from)?;
        let today = settings.schedule.zone.day(now);
        let opened = alerts::open_since(&settings, self.holidays.get(&found.id).unwrap_or(&none), now);
        let boxes = self.boxes.get(&found.id).map_or(&[][..], Vec::as_slice);
        let ill = boxes.iter().filter(|heard| !alerts::of_box(heard, opened, now).is_empty()).count();
        let came = self.came.iter().filter(|came| came.institution_id == found.id && came.day == today.0);
        let (present, late) = came.fold((0, 0), |(present, late), came| match came.status.as_str() {
            "hadir" => (present + came.people, late),
            "terlambat" => (present, late + came.people),
            _ => (present, late),
        });
        Ok(School {
            students: self.students.get(&found.id).copied().unwrap_or(0),
            refused: self.refused.get(&found.id).copied().unwrap_or(0),
            alert: alerts::alerts(boxes, 0, opened, now).into_iter().next(),
            boxes: boxes.len(),
            id: found.id,
            code: found.code,
            name: found.name,
            present,
            late,
            ill,
        })
    }
}

impl SchoolsPage {
    fn warning(&self, alert: &Alert) -> String {
        alert.words(self.shell.lang, self.shell.now)
    }

    /// `1.000+` where they were not all counted.
    fn refused(&self, school: &School) -> String {
        let n = self.shell.n(&school.refused.min(MOST_REFUSED));
        if school.refused > MOST_REFUSED { format!("{n}+") } else { n }
    }

    fn bar(&self, school: &School) -> String {
        let parts = [
            super::chart::Part { value: school.present, class: "good" },
            super::chart::Part { value: school.late, class: "warn" },
        ];
        let said = format!(
            "{} {}, {} {}, {} {}",
            self.shell.n(&school.present),
            self.shell.t("hadir", "present"),
            self.shell.n(&school.late),
            self.shell.t("terlambat", "late"),
            self.shell.n(&school.students),
            self.shell.t("siswa", "students")
        );
        super::chart::stacked(&parts, school.students, &said)
    }
}

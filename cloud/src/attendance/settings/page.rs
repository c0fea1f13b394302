//! The settings as a page: grouped, explained, and the fence drawn to scale with a point that can be tried.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::{Days, NaiveTime};
use hadir_shared::{
    rules::fence::{Position, Verdict, judge},
    settings::{ALL, Setting, Settings},
    time::SchoolDay,
};
use serde::Deserialize;

use super::{
    WriteSettings,
    drawing::{self, Tested},
    texts,
};
use crate::{
    app::App,
    console::{Pages, Shell, Visit, html},
    fail::Fail,
    http::Params,
};

#[cfg(test)]
mod tests;

/// Those that have a place of their own on the page; others stand at its end.
const PLACED: &[&str] = &[
    "app_name",
    "school_name",
    "timezone",
    "school_days",
    "checkin_start",
    "checkin_end",
    "late_grace_minutes",
    "checkout_start",
    "weekday_hours",
    "attendance_radius",
    "school_latitude",
    "school_longitude",
    "school_area",
    "geofence_policy",
    "qr_refresh_interval",
    "kiosk_people",
];
/// A position so uncertain says nothing.
const LEAST_ACCURATE: f64 = 100_000.0;

pub fn pages() -> Pages {
    Pages::default().page("/settings", settings)
}

/// A point to be tried.
#[derive(Deserialize)]
struct Asked {
    latitude: Option<String>,
    longitude: Option<String>,
    accuracy: Option<String>,
}

/// A day of the week.
struct Weekday {
    n: u8,
    is_school_day: bool,
    /// Hours of its own.
    own: Option<(NaiveTime, NaiveTime)>,
}

#[derive(Template)]
#[template(path = "console/settings.html")]
struct SettingsPage {
    shell: Shell,
    values: BTreeMap<String, String>,
    version: i64,
    weekdays: Vec<Weekday>,
    /// `None`: the school has no fence.
    drawing: Option<String>,
    asked: Asked,
    tested: Option<Tested>,
    others: Vec<&'static Setting>,
}

async fn settings(
    State(app): State<App>,
    visit: Visit<WriteSettings>,
    Params(asked): Params<Asked>,
) -> Result<Response, Fail> {
    let (version, values) = texts(&mut app.db.read(visit.institution).await?, visit.institution).await?;
    let settings = Settings::read(version, &values).map_err(anyhow::Error::from)?;
    let tested = settings
        .fence
        .as_ref()
        .zip(asked.position())
        .map(|(fence, position)| Tested { position, verdict: judge(fence, position) });
    let shell = visit.shell;
    let said = shell.t("Pagar sekolah dari atas, berskala", "The school's fence from above, to scale");
    let north = shell.t("U", "N");
    html(&SettingsPage {
        drawing: settings.fence.as_ref().map(|fence| drawing::draw(fence, tested, said, north)),
        weekdays: weekdays(&settings),
        others: ALL.iter().filter(|setting| !PLACED.contains(&setting.key)).collect(),
        shell,
        values,
        version,
        asked,
        tested,
    })
}

impl Asked {
    /// `None` for what is no place.
    fn position(&self) -> Option<Position> {
        let number = |text: &Option<String>| text.as_deref()?.trim().replace(',', ".").parse::<f64>().ok();
        let accuracy = number(&self.accuracy).filter(|metres| (0.0..=LEAST_ACCURATE).contains(metres));
        Position::new(number(&self.latitude)?, number(&self.longitude)?, accuracy)
    }

    fn is_empty(&self) -> bool {
        self.latitude.is_none() && self.longitude.is_none()
    }
}

fn weekdays(settings: &Settings) -> Vec<Weekday> {
    // Any week will do.
    let monday = chrono::NaiveDate::default().checked_add_days(Days::new(4)).unwrap_or_default();
    let weekday = |(n, day): (u8, chrono::NaiveDate)| Weekday {
        n,
        is_school_day: settings.school_days.include(SchoolDay(day), &BTreeSet::new()),
        own: settings.schedule.weekdays.of(n).map(|hours| (hours.checkin_end, hours.checkout_start)),
    };
    (1..=7).zip(monday.iter_days()).map(weekday).collect()
}

impl SettingsPage {
    /// The value that holds.
    fn value(&self, key: &str) -> &str {
        let usual = || hadir_shared::settings::find(key).map_or("", |setting| setting.default);
        self.values.get(key).map_or_else(usual, String::as_str)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands in references")]
    fn weekday_word(&self, n: &u8) -> &'static str {
        self.shell.lang.weekday(*n)
    }

    /// `07:30` of `07:30:00`, as the field for a time wants it.
    fn time(&self, key: &str) -> &str {
        let value = self.value(key).trim();
        value.get(..5).filter(|_| value.ends_with(":00") && value.len() == 8).unwrap_or(value)
    }

    fn is(&self, key: &str, value: &str) -> bool {
        self.value(key) == value
    }

    fn verdict_word(&self, tested: &Tested) -> &'static str {
        match tested.verdict {
            Verdict::Inside => self.shell.t("Di dalam area", "Inside"),
            Verdict::Uncertain => self
                .shell
                .t("Tidak pasti: akurasinya melewati batas", "Uncertain: its accuracy crosses the edge"),
            Verdict::Outside => self.shell.t("Di luar area", "Outside"),
        }
    }

    /// What follows from it under the policy.
    fn consequence(&self, tested: &Tested) -> &'static str {
        match (tested.verdict, self.value("geofence_policy")) {
            (Verdict::Outside, "block") => {
                self.shell.t("Absensi dari titik ini ditolak.", "A check-in from here is refused.")
            }
            (Verdict::Outside, _) => self.shell.t(
                "Absensi dari titik ini diterima dan ditandai.",
                "A check-in from here is accepted and marked.",
            ),
            _ => self.shell.t("Absensi dari titik ini diterima.", "A check-in from here is accepted."),
        }
    }

    #[expect(clippy::ref_option, reason = "a template hands in references")]
    fn hours(own: &Option<(NaiveTime, NaiveTime)>) -> (String, String) {
        let text = |time: NaiveTime| time.format("%H:%M").to_string();
        own.map_or_else(Default::default, |(from, to)| (text(from), text(to)))
    }
}

//! The overview: today by class, who is missing, who is late, who came last, and how the last month went.
//!
//! Who sees the whole school sees all of it; a teacher sees the classes he leads, and nothing of the staff. Few statements,
//! whatever the school's size: each is bounded by a school and a day, or by a school and a month.

use std::collections::HashSet;

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::Days;
use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    settings::Settings,
    time::{Millis, SchoolDay},
};

use super::{
    roll::{self, Line, Person, Standing, Tally},
    store, trend,
};
use crate::{
    app::App,
    attendance::{
        classes,
        fleet::alerts::{self, Alert},
        holidays,
        permits::{ReadDevices, ReadSchoolRecap, ReadSyncLog, UseConsole},
        settings,
    },
    console::{
        Pages, Shell, Visit,
        chart::{Part, Point, line, stacked},
        html,
    },
    db::Tx,
    fail::Fail,
    http::Permission as _,
};

#[cfg(test)]
mod tests;

/// Days of the trend, today included.
const TREND_DAYS: u64 = 30;
/// Names of who is missing that the page holds: before the gate opens it is everybody, and the page stays light.
const MOST_MISSING: usize = 300;
const MOST_LATE: usize = 40;
const MOST_STAFF: usize = 60;
const MOST_RECENT: usize = 8;

pub fn pages() -> Pages {
    Pages::default().page("", show)
}

#[derive(Template)]
#[template(path = "console/overview.html")]
struct Overview {
    shell: Shell,
    today: SchoolDay,
    day_off: bool,
    /// For whoever may look after boxes.
    alerts: Vec<Alert>,
    students: Tally,
    /// `None`: not for who sees his own classes alone.
    staff: Option<Tally>,
    lines: Vec<Line>,
    late: Vec<Person>,
    recent: Vec<(Person, Millis)>,
    missing_staff: Vec<Person>,
    /// Students who are in no class: nobody's line counts them.
    without_class: usize,
    trend: Vec<trend::Day>,
}

/// What a page of today needs of the books.
struct Books {
    people: Vec<Person>,
    lines: Vec<Line>,
    trend: Vec<trend::Day>,
    today: SchoolDay,
    day_off: bool,
}

async fn show(State(app): State<App>, visit: Visit<UseConsole>) -> Result<Response, Fail> {
    let mut tx = app.db.read(visit.institution).await?;
    let teacher = (!visit.may(ReadSchoolRecap::CODE)).then_some(visit.user);
    let settings = settings::load(&mut tx, visit.institution).await?;
    let sees_boxes = visit.may(ReadDevices::CODE) && visit.may(ReadSyncLog::CODE);
    let alerts =
        if sees_boxes { alerts::of_school(&mut tx, visit.institution, app.now()).await? } else { Vec::new() };
    let books = read(&mut tx, visit.institution, teacher, &settings, app.now()).await?;
    drop(tx);
    html(&Overview::new(visit.shell, books, alerts, teacher.is_none()))
}

async fn read(
    tx: &mut Tx,
    institution: InstitutionId,
    teacher: Option<UserId>,
    settings: &Settings,
    now: Millis,
) -> Result<Books, Fail> {
    let today = settings.schedule.zone.day(now);
    let first = today.0.checked_sub_days(Days::new(TREND_DAYS - 1)).map_or(today, SchoolDay);
    let holidays = holidays::between(tx, institution, first, today).await?;
    let days = trend::days((first, today), &settings.school_days, &holidays);
    let came = store::came(tx, institution, (first, today), teacher).await?;
    let trend = trend::trend(&days, &came, &store::spans(tx, institution, first, teacher).await?);
    let mut classes = match teacher {
        Some(teacher) => classes::of_teacher(tx, institution, teacher).await?,
        None => classes::all(tx, institution).await?,
    };
    classes.sort_by_cached_key(|class| (class.name.to_lowercase(), class.id));
    let members = store::members(tx, institution, today).await?;
    let mut people = store::roll(tx, institution, today).await?;
    if teacher.is_some() {
        let led: HashSet<ClassId> = classes.iter().map(|class| class.id).collect();
        let own: HashSet<UserId> =
            members.iter().filter(|(_, class)| led.contains(class)).map(|(student, _)| *student).collect();
        people.retain(|person| own.contains(&person.id));
    }
    let lines = roll::lines(classes, &members, &people);
    Ok(Books { people, lines, trend, today, day_off: !days.contains(&today) })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands references")]
impl Overview {
    fn new(shell: Shell, books: Books, alerts: Vec<Alert>, sees_staff: bool) -> Self {
        let Books { people, lines, trend, today, day_off } = books;
        let mut late: Vec<Person> =
            people.iter().filter(|one| one.standing() == Standing::Late).cloned().collect();
        late.sort_by_key(|one| -one.late_minutes);
        late.truncate(MOST_LATE);
        let mut recent: Vec<(Person, Millis)> =
            people.iter().filter_map(|one| Some((one.clone(), one.came_at()?))).collect();
        recent.sort_by_key(|(_, at)| -at.0);
        recent.truncate(MOST_RECENT);
        let missing = |one: &&Person| matches!(one.standing(), Standing::Absent | Standing::NotYet);
        let is_staff = |one: &&Person| !one.is_student();
        let students = Tally::of(people.iter().filter(|one| one.is_student()));
        let in_lines: i64 = lines.iter().map(|line| line.tally.total()).sum();
        Self {
            staff: sees_staff.then(|| Tally::of(people.iter().filter(is_staff))),
            missing_staff: people.iter().filter(is_staff).filter(missing).take(MOST_STAFF).cloned().collect(),
            without_class: usize::try_from(students.total() - in_lines).unwrap_or(0),
            students,
            shell,
            today,
            day_off,
            alerts,
            lines,
            late,
            recent,
            trend,
        }
    }

    /// The classes of which somebody is missing, with the names that the page still holds.
    fn missing(&self) -> Vec<(&Line, &[Person])> {
        let mut room = MOST_MISSING;
        let lines = self.lines.iter().filter(|line| !line.missing.is_empty());
        lines
            .map(|line| {
                let names = if line.missing.len() <= room { line.missing.as_slice() } else { &[] };
                room -= names.len();
                (line, names)
            })
            .collect()
    }

    fn page_of(&self, alert: &Alert) -> String {
        self.shell.at(&alert.page())
    }

    fn alert_words(&self, alert: &Alert) -> String {
        alert.words(self.shell.lang, self.shell.now)
    }

    fn bar(&self, tally: &Tally) -> String {
        let parts = [
            Part { value: tally.present, class: "good" },
            Part { value: tally.late, class: "warn" },
            Part { value: tally.excused, class: "calm" },
            Part { value: tally.absent, class: "bad" },
        ];
        let t = |id, en| self.shell.t(id, en);
        let said = format!(
            "{} {}, {} {}, {} {}, {} {}",
            tally.present,
            t("hadir", "on time"),
            tally.late,
            t("terlambat", "late"),
            tally.excused,
            t("izin atau sakit", "excused"),
            tally.missing(),
            t("belum hadir", "not in"),
        );
        stacked(&parts, tally.total(), &said)
    }

    fn chart(&self) -> String {
        let point =
            |day: &trend::Day| Point { label: self.shell.lang.short_day(day.day), value: day.percent };
        let points: Vec<Point> = self.trend.iter().map(point).collect();
        line(
            &points,
            100.0,
            "%",
            self.shell.t("Kehadiran siswa 30 hari terakhir", "Students' attendance of 30 days"),
        )
    }

    /// The share of who came, of who was to come.
    #[expect(clippy::cast_precision_loss, reason = "people of a school")]
    fn percent(&self, tally: &Tally) -> String {
        if tally.total() == 0 {
            return "–".into();
        }
        format!("{}%", self.shell.lang.decimal(100.0 * tally.came() as f64 / tally.total() as f64))
    }

    fn share(&self, percent: &f64) -> String {
        format!("{}%", self.shell.lang.decimal(*percent))
    }

    /// Whose page may be opened.
    fn person(&self, id: &UserId) -> String {
        self.shell.at(&format!("/people/{id}"))
    }
}

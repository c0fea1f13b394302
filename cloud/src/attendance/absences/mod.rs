//! Absences: when a day is over, every student who neither came nor was excused gets a row that says so (`alpha`). No routes of
//! its own.
//!
//! What always holds:
//! - only students, only of classes they were in on that day, and only on school days that are over in the school's zone;
//! - it may run twice, or at two nodes at once: a person and day is marked once, by a unique key;
//! - a row is never taken back. What makes it untrue is beside it, and readers see that first: a check-in that a box delivers
//!   later, a leave approved afterwards, a correction, a holiday declared afterwards.
//!
//! The recap works absences out for itself and does not depend on these rows: they are for history and for corrections, which
//! need something to point at.

use chrono::Days;
use hadir_shared::{
    ids::{ClassId, EventId, InstitutionId, UserId},
    settings::Settings,
    time::SchoolDay,
};

use super::{holidays, roster, settings};
use crate::{app::App, db::Tx, fail::Fail, jobs::Work};

mod store;
#[cfg(test)]
mod tests;

/// `qr_token_used` of a row that nobody's card or phone made.
pub const TOKEN: &str = "ALPHA";
/// Days that are caught up with after a standstill. What lies further back stays as it is known: the recap counts it anyway.
const MOST_DAYS: u64 = 31;

/// Marks what is over since the last time, school by school. A scheduled job.
pub fn mark(app: &App) -> Work<'_> {
    Box::pin(roster::each_school(app, "absences.mark", mark_school))
}

fn mark_school<'a>(tx: &'a mut Tx, app: &'a App, institution: InstitutionId) -> Work<'a> {
    Box::pin(async move {
        let settings = settings::load(tx, institution).await?;
        let today = settings.schedule.zone.day(app.now());
        let marked = store::through(tx, institution).await?;
        let rows = mark_days(tx, app, institution, &settings, &due(marked, today)).await?;
        tracing::info!(institution = institution.0, rows, "absences marked");
        Ok(())
    })
}

/// The absence of one student of a class on one day, whether or not he was excused: for a correction, which needs something to
/// point at. One that is there already stays.
pub async fn mark_one(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    student: UserId,
    class: ClassId,
    (day, settings): (SchoolDay, &Settings),
) -> Result<i64, Fail> {
    let event = EventId(app.ids.uuid(app.now()));
    store::mark_one(tx, institution, student, class, day, settings, event, app.now()).await?;
    Ok(store::of_day(tx, institution, student, day).await?)
}

/// Marks the days from `first` to yesterday, whatever was marked before.
pub async fn mark_since(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    first: SchoolDay,
) -> Result<u64, Fail> {
    let settings = settings::load(tx, institution).await?;
    let today = settings.schedule.zone.day(app.now());
    let days: Vec<_> = first.0.iter_days().take_while(|day| *day < today.0).map(SchoolDay).collect();
    mark_days(tx, app, institution, &settings, &days).await
}

/// Marks a day that was marked before, now that it is a school day after all. A day that is still to be marked waits for its
/// night.
pub async fn reconsider(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    day: SchoolDay,
) -> Result<(), Fail> {
    if store::through(tx, institution).await?.is_some_and(|through| day <= through) {
        let settings = settings::load(tx, institution).await?;
        mark_days(tx, app, institution, &settings, &[day]).await?;
    }
    Ok(())
}

/// How many rows that made. `days` are in order.
async fn mark_days(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    settings: &Settings,
    days: &[SchoolDay],
) -> Result<u64, Fail> {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return Ok(0) };
    let off = holidays::between(tx, institution, *first, *last).await?;
    let mut rows = 0;
    for day in days.iter().filter(|day| settings.school_days.include(**day, &off)) {
        // The event is the marking of the day: its rows share it.
        let event = EventId(app.ids.uuid(app.now()));
        rows += store::mark(tx, institution, *day, settings, event, app.now()).await?;
    }
    store::advance(tx, institution, *last).await?;
    Ok(rows)
}

/// The days that are over and not marked. A school that was never marked begins with yesterday: before that it had no Hadir.
fn due(marked: Option<SchoolDay>, today: SchoolDay) -> Vec<SchoolDay> {
    let before = |days| today.0.checked_sub_days(Days::new(days));
    let first = match marked {
        Some(marked) => marked.0.succ_opt().max(before(MOST_DAYS)),
        None => before(1),
    };
    first
        .into_iter()
        .flat_map(|first| first.iter_days())
        .take_while(|day| *day < today.0)
        .map(SchoolDay)
        .collect()
}

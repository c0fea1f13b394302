//! Corrections: what somebody decides about a day afterwards, with a reason. Beyond the documents.
//!
//! What always holds:
//! - the record stays as it was entered; a correction is a row beside it and says what it found, what it made of it, who and
//!   why;
//! - it is about a person's day and direction, not about a row: of several the last counts, over whatever was recorded before or
//!   comes later;
//! - only arrivals are corrected: how somebody came is what the day counts by.
//!
//! An administrator corrects everybody's, a teacher those of students who were in a class of his on that day.
//!
//! | route | what |
//! |---|---|
//! | `POST /attendance/{id}/correct` | corrects |
//! | `POST /attendance/correct` | corrects a person's day; a student's of which nothing was recorded becomes an absence first |
//! | `GET /attendance/{id}/corrections` | all there were, the last first |

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with},
};
use axum::extract::State;
use chrono::NaiveDate;
use hadir_shared::{
    ids::{InstitutionId, UserId},
    rules::status::{Direction, Status},
    time::{Millis, SchoolDay},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::FromRow;

use super::{
    absences, classes,
    dialect::{self, Created, Data},
    export::file,
    holidays, people,
    permits::{CorrectAnybody, CorrectRecords},
    records::{self, Corrected, Row},
    settings,
};
use crate::{
    app::App,
    db::Tx,
    fail::{Fail, Flaw},
    http::{Allowed, Body, Check, Member, Permission as _, Segment, describe::says},
    identity::{Entry, audit},
    sheet::{AsFile, Column, Columns, OrFile},
};

mod store;
#[cfg(test)]
mod tests;

const REASON: std::ops::RangeInclusive<usize> = 3..=500;
const STATUSES: &[&str] = &["hadir", "terlambat", "izin", "sakit", "alpha"];
const CORRECTED: &str = "Absensi berhasil dikoreksi";
/// Minutes of a day: nobody is later.
const LATEST: i64 = 24 * 60;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/attendance/correct",
            post_with(
                correct_day,
                says("Correct how somebody came on a day, whether or not anything was recorded"),
            ),
        )
        .api_route("/attendance/{id}/correct", post_with(correct, says("Correct how somebody came")))
        .api_route("/attendance/{id}/corrections", get_with(list, says("The corrections of an arrival")))
}

/// A row of `attendance_corrections`.
#[derive(Debug, Clone, Serialize, FromRow, JsonSchema)]
pub struct Correction {
    pub id: i64,
    #[serde(skip)]
    pub day: NaiveDate,
    #[sqlx(rename = "type")]
    #[serde(skip)]
    pub direction: String,
    pub status_before: String,
    pub status_after: String,
    pub late_minutes_before: i64,
    pub late_minutes_after: i64,
    pub reason: String,
    #[sqlx(try_from = "i64")]
    pub corrected_by: UserId,
    #[sqlx(try_from = "i64")]
    #[serde(with = "dialect::Instant")]
    pub created_at: Millis,
}

impl Columns for Correction {
    const COLUMNS: &'static [Column<Self>] = &[
        ("Tanggal", |one| one.day.into()),
        ("Status semula", |one| one.status_before.as_str().into()),
        ("Status", |one| one.status_after.as_str().into()),
        ("Terlambat semula (menit)", |one| one.late_minutes_before.into()),
        ("Terlambat (menit)", |one| one.late_minutes_after.into()),
        ("Alasan", |one| one.reason.as_str().into()),
        ("Dikoreksi", |one| one.created_at.into()),
    ];
}

#[derive(Deserialize, JsonSchema)]
struct New {
    status: Option<String>,
    /// Of who came late; as they stand, unless said.
    late_minutes: Option<i64>,
    reason: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct NewOfDay {
    user_id: Option<UserId>,
    date: Option<SchoolDay>,
    status: Option<String>,
    /// Of who came late; as they stand, unless said.
    late_minutes: Option<i64>,
    reason: Option<String>,
}

/// A correction that is well-formed.
struct Wish {
    status: Status,
    late_minutes: Option<i64>,
    reason: String,
}

async fn correct(
    State(app): State<App>,
    who: Allowed<CorrectRecords>,
    Segment(id): Segment<i64>,
    Body(new): Body<New>,
) -> Result<Created<Corrected>, Fail> {
    let mut check = Check::new();
    let wish = wish(&mut check, new);
    check.finish()?;
    let mut tx = app.db.write(who.institution).await?;
    let after = apply(&mut tx, &app, &who, id, &wish).await?;
    tx.commit().await?;
    Ok(Created(CORRECTED, after.into()))
}

async fn correct_day(
    State(app): State<App>,
    who: Allowed<CorrectRecords>,
    Body(new): Body<NewOfDay>,
) -> Result<Created<Corrected>, Fail> {
    let mut check = Check::new();
    let user = UserId(check.required("user_id", new.user_id.map(|id| id.0)));
    let day = SchoolDay(check.required("date", new.date.map(|day| day.0)));
    let new = New { status: new.status, late_minutes: new.late_minutes, reason: new.reason };
    let wish = wish(&mut check, new);
    check.finish()?;
    let mut tx = app.db.write(who.institution).await?;
    let id = arrival_of(&mut tx, &app, &who, user, day).await?;
    let after = apply(&mut tx, &app, &who, id, &wish).await?;
    tx.commit().await?;
    Ok(Created(CORRECTED, after.into()))
}

fn wish(check: &mut Check, new: New) -> Wish {
    let status = check.required("status", new.status);
    check.one_of("status", &status, STATUSES);
    let reason = check.text("reason", new.reason, REASON);
    if let Some(minutes) = new.late_minutes {
        check.range("late_minutes", minutes, 0..=LATEST);
    }
    let status = Status::parse(&status).unwrap_or(Status::Alpha);
    Wish { status, late_minutes: new.late_minutes, reason }
}

/// Corrects where this record is; the caller's commit makes it hold.
async fn apply(tx: &mut Tx, app: &App, who: &Member, id: i64, wish: &Wish) -> Result<Row, Fail> {
    // The absence and the check-in that superseded it lead to one row: that one is held, and read again.
    let held = correctable(tx, who, id).await?.id;
    store::lock(tx, who.institution, held).await?;
    let row = correctable(tx, who, held).await?;
    let late_minutes = lateness(wish.status, wish.late_minutes, row.late_minutes)?;
    let decided = Decided { status: wish.status, late_minutes, reason: &wish.reason, by: who.user };
    let correction = enter(tx, who.institution, &row, &decided, app.now()).await?;
    let said = |status: &str, minutes: i64| json!({"status": status, "late_minutes": minutes});
    let entry = Entry::new(who.actor(), "attendance.correct", format!("attendance:{}", row.id));
    let entry =
        entry.of(who.institution).before(said(&row.status, row.late_minutes)).after(json!(correction));
    audit(tx, app, &entry).await?;
    records::find(tx, who.institution, row.id).await?.ok_or_else(unknown)
}

/// The arrival of somebody's day; where there is none, the absence of a student of a class, which is entered if it was not.
async fn arrival_of(tx: &mut Tx, app: &App, who: &Member, user: UserId, day: SchoolDay) -> Result<i64, Fail> {
    let person = people::by_id(tx, who.institution, user).await?;
    person.ok_or_else(|| Fail::not_found("Pengguna tidak ditemukan"))?;
    allowed(tx, who, user, day).await?;
    if let Some(row) = records::of_day(tx, who.institution, user, day, Direction::CheckIn).await? {
        return Ok(row.id);
    }
    let settings = settings::load(tx, who.institution).await?;
    let wrong = |field: &'static str, text: &'static str| Fail::invalid(field, Flaw::Said(text.into()));
    if day > settings.schedule.zone.day(app.now()) {
        return Err(wrong("date", "date belum tiba"));
    }
    let off = holidays::between(tx, who.institution, day, day).await?;
    if !settings.school_days.include(day, &off) {
        return Err(wrong("date", "date bukan hari sekolah"));
    }
    let class = classes::of_student(tx, who.institution, user, day).await?;
    let class = class.ok_or_else(|| wrong("user_id", "user_id bukan siswa sebuah kelas pada tanggal itu"))?;
    absences::mark_one(tx, app, who.institution, user, class, (day, &settings)).await
}

/// What somebody decides that an arrival counts as.
#[derive(Debug)]
pub struct Decided<'d> {
    pub status: Status,
    pub late_minutes: i64,
    pub reason: &'d str,
    pub by: UserId,
}

/// The check-in of a person's day with what counts now, which nobody else corrects until the commit. An absence is none.
pub async fn hold_check_in(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    day: SchoolDay,
) -> Result<Option<Row>, Fail> {
    let arrival = records::of_day(tx, institution, user, day, Direction::CheckIn).await?;
    let Some(row) = arrival.filter(|row| !row.is_absence()) else { return Ok(None) };
    store::lock(tx, institution, row.id).await?;
    // Read again: who held it before may have corrected it.
    records::find(tx, institution, row.id).await
}

/// Enters a correction of the row that was held. The caller writes the audit row: he knows what led to it.
pub async fn enter(
    tx: &mut Tx,
    institution: InstitutionId,
    row: &Row,
    decided: &Decided<'_>,
    now: Millis,
) -> Result<Correction, Fail> {
    Ok(store::insert(tx, institution, row, decided, now).await?)
}

async fn list(
    State(app): State<App>,
    who: Allowed<CorrectRecords>,
    Segment(id): Segment<i64>,
    AsFile(format): AsFile,
) -> Result<OrFile<Data<Vec<Correction>>>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let row = correctable(&mut tx, &who, id).await?;
    let day = SchoolDay(row.day);
    let mut corrections = of_person(&mut tx, who.institution, row.user_id, (day, day)).await?;
    corrections.retain(|correction| correction.direction == row.direction);
    corrections.reverse();
    match format {
        Some(format) => file(&mut tx, &app, who.institution, format, "koreksi-absensi", corrections).await,
        None => Ok(OrFile::Usual(Data(corrections))),
    }
}

/// A person's corrections between two days (both included), the oldest first.
pub async fn of_person(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    days: (SchoolDay, SchoolDay),
) -> Result<Vec<Correction>, Fail> {
    Ok(store::of_person(tx, institution, user, days).await?)
}

/// The arrival that counts where this record is, if the caller may correct it.
async fn correctable(tx: &mut Tx, who: &Member, id: i64) -> Result<Row, Fail> {
    let row = records::find(tx, who.institution, id).await?.ok_or_else(unknown)?;
    let day = SchoolDay(row.day);
    allowed(tx, who, row.user_id, day).await?;
    if row.direction != Direction::CheckIn.as_str() {
        return Err(Fail::bad_request("Hanya absen masuk yang dapat dikoreksi"));
    }
    // An absence that somebody's check-in superseded leads to that check-in.
    Ok(records::of_day(tx, who.institution, row.user_id, day, Direction::CheckIn).await?.unwrap_or(row))
}

/// Refuses who may correct neither everybody nor this student's day.
async fn allowed(tx: &mut Tx, who: &Member, user: UserId, day: SchoolDay) -> Result<(), Fail> {
    if who.may(CorrectAnybody::CODE) || classes::leads(tx, who.institution, who.user, user, day).await? {
        return Ok(());
    }
    Err(Fail::denied(CorrectAnybody::REFUSAL))
}

/// Minutes are of who came late: those that are said, or those that stand.
fn lateness(status: Status, said: Option<i64>, standing: i64) -> Result<i64, Fail> {
    let minutes = said.filter(|minutes| *minutes > 0);
    match (status, minutes) {
        (Status::Terlambat, Some(minutes)) => Ok(minutes),
        (Status::Terlambat, None) if said.is_none() && standing > 0 => Ok(standing),
        (Status::Terlambat, None) => Err(Fail::invalid("late_minutes", Flaw::Missing)),
        (_, Some(_)) => {
            Err(Fail::invalid("late_minutes", Flaw::Said("late_minutes hanya untuk status terlambat".into())))
        }
        (_, None) => Ok(0),
    }
}

fn unknown() -> Fail {
    Fail::not_found("Data absensi tidak ditemukan")
}

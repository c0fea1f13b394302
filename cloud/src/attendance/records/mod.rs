//! Rows of the attendance books as answers show them, and the way of one passage into the books. No routes of its own.
//!
//! What always holds: a row that leaves here says what counts now, not only what was entered: the last correction stands over
//! it, and over an absence the leave that was approved afterwards. An absence is not shown at all beside a check-in of its day,
//! nor on a day that is a holiday by now.

use chrono::NaiveDate;
use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    rules::status::{Direction, Status},
    time::{Millis, SchoolDay, Zone},
    wire::batch::Reason,
};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Number;
use sqlx::FromRow;

use super::{
    absences,
    books::{self, Candidate, Outcome},
    corrections::{self, Correction},
    dialect,
    people::Named,
};
use crate::{
    db::Tx,
    fail::Fail,
    http::Page,
    sheet::{Column, Columns},
};

mod store;
#[cfg(test)]
mod tests;

/// A row of `attendance`, with the status and lateness that count now.
#[derive(Debug, Clone, FromRow)]
pub struct Row {
    pub id: i64,
    #[sqlx(try_from = "i64")]
    pub user_id: UserId,
    #[sqlx(rename = "type")]
    pub direction: String,
    pub status: String,
    pub late_minutes: i64,
    pub early_minutes: i64,
    #[sqlx(try_from = "i64")]
    pub trusted_at: Millis,
    pub day: NaiveDate,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub accuracy: Option<f64>,
    pub fence: Option<String>,
    pub photo_path: Option<String>,
    pub qr_token_used: String,
    pub gate: Option<String>,
    #[sqlx(try_from = "i64")]
    pub created_at: Millis,
    /// The last one.
    #[sqlx(skip)]
    pub correction: Option<Correction>,
}

impl Columns for Row {
    const COLUMNS: &'static [Column<Self>] = &[
        ("Tanggal", |row| row.day.into()),
        ("Jenis", |row| if row.direction == "checkin" { "masuk" } else { "keluar" }.into()),
        ("Waktu", |row| row.trusted_at.into()),
        ("Status", |row| row.status.as_str().into()),
        ("Terlambat (menit)", |row| row.late_minutes.into()),
        ("Pulang awal (menit)", |row| row.early_minutes.into()),
        ("Gerbang", |row| row.gate.as_deref().into()),
        ("Lintang", |row| row.latitude.into()),
        ("Bujur", |row| row.longitude.into()),
        ("Akurasi (m)", |row| row.accuracy.into()),
        ("Di area", |row| row.fence.as_deref().into()),
    ];
}

impl Row {
    /// Whether it is the mark of a day on which nobody came, and not somebody's passage.
    pub fn is_absence(&self) -> bool {
        self.qr_token_used == absences::TOKEN
    }
}

/// As sections 3 and 4 of the contract write a record: coordinates are texts, instants are UTC.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Online {
    id: i64,
    user_id: UserId,
    r#type: String,
    latitude: Option<String>,
    longitude: Option<String>,
    #[serde(serialize_with = "whole")]
    accuracy: Option<f64>,
    photo_path: Option<String>,
    qr_token_used: String,
    status: String,
    #[serde(with = "dialect::Instant")]
    timestamp: Millis,
    date_only: SchoolDay,
    synced: bool,
    #[serde(with = "dialect::Instant")]
    created_at: Millis,
    late_minutes: i64,
    early_minutes: i64,
    fence: Option<String>,
    gate: Option<String>,
}

impl From<Row> for Online {
    fn from(row: Row) -> Self {
        let degrees = |value: Option<f64>| value.map(|value| format!("{value:.8}"));
        Self {
            id: row.id,
            user_id: row.user_id,
            r#type: row.direction,
            latitude: degrees(row.latitude),
            longitude: degrees(row.longitude),
            accuracy: row.accuracy,
            photo_path: row.photo_path,
            qr_token_used: row.qr_token_used,
            status: row.status,
            timestamp: row.trusted_at,
            date_only: SchoolDay(row.day),
            synced: true,
            created_at: row.created_at,
            late_minutes: row.late_minutes,
            early_minutes: row.early_minutes,
            fence: row.fence,
            gate: row.gate,
        }
    }
}

/// A record, and what was decided about it afterwards.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Corrected {
    #[serde(flatten)]
    record: Online,
    correction: Option<Correction>,
}

impl From<Row> for Corrected {
    fn from(mut row: Row) -> Self {
        Self { correction: row.correction.take(), record: row.into() }
    }
}

/// What stands already, and of whom: under `data` of a refusal, as a box answers it too.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Earlier {
    pub student: Option<Named>,
    #[serde(flatten)]
    pub record: Online,
}

/// As section 10 writes one: coordinates are numbers, the time is the school's own.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Offline {
    id: i64,
    user_id: UserId,
    r#type: String,
    latitude: Option<f64>,
    longitude: Option<f64>,
    #[serde(serialize_with = "whole")]
    accuracy: Option<f64>,
    photo_path: Option<String>,
    qr_token_used: String,
    status: String,
    timestamp: String,
    date_only: SchoolDay,
    synced: bool,
    #[serde(with = "dialect::Instant")]
    created_at: Millis,
    late_minutes: i64,
    early_minutes: i64,
    fence: Option<String>,
}

impl Offline {
    pub fn new(row: Row, zone: Zone) -> Self {
        Self {
            id: row.id,
            user_id: row.user_id,
            r#type: row.direction,
            latitude: row.latitude,
            longitude: row.longitude,
            accuracy: row.accuracy,
            photo_path: row.photo_path,
            qr_token_used: row.qr_token_used,
            status: row.status,
            timestamp: local(zone, row.trusted_at),
            date_only: SchoolDay(row.day),
            synced: true,
            created_at: row.created_at,
            late_minutes: row.late_minutes,
            early_minutes: row.early_minutes,
            fence: row.fence,
        }
    }
}

/// `2025-04-05 07:25:00`, by the school's clocks.
pub fn local(zone: Zone, at: Millis) -> String {
    format!("{} {}", zone.day(at), zone.time_of_day(at).format("%H:%M:%S"))
}

/// 50 and not 50.0: JavaScript and PHP wrote the documents.
#[expect(clippy::ref_option, reason = "serde's signature")]
fn whole<S: Serializer>(value: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    let number = |value: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "whole and small, as checked beside it")]
        let whole = (value.fract() == 0.0 && value.abs() < 1e15).then_some(value as i64);
        whole.map(Number::from).or_else(|| Number::from_f64(value))
    };
    value.and_then(number).serialize(to)
}

/// What became of one passage.
#[derive(Debug)]
pub enum Entered {
    New(Row),
    /// The day has one of this direction already: this one.
    Already(Row),
    Refused(Reason),
}

/// Takes one passage to the books. Nothing is entered that stood before, whatever it said.
pub async fn enter(
    tx: &mut Tx,
    institution: InstitutionId,
    candidate: Candidate,
    now: Millis,
) -> Result<Entered, Fail> {
    let (user, direction) = (candidate.user, candidate.direction);
    let day = candidate.schedule.zone.day(candidate.trusted);
    let outcomes = books::project(tx, institution, &[candidate], now).await?;
    Ok(match outcomes.first() {
        Some(Outcome::Refused(reason)) => Entered::Refused(*reason),
        Some(Outcome::Stored { attendance_id }) => {
            Entered::New(by_id(tx, institution, *attendance_id).await?)
        }
        _ => Entered::Already(
            of_day(tx, institution, user, day, direction).await?.ok_or(sqlx::Error::RowNotFound)?,
        ),
    })
}

/// The record with this id.
pub async fn find(tx: &mut Tx, institution: InstitutionId, id: i64) -> Result<Option<Row>, Fail> {
    let row = store::by_id(tx, institution, id).await?;
    as_it_counts(tx, institution, row).await
}

/// The record with this id, which is known to be there.
pub async fn by_id(tx: &mut Tx, institution: InstitutionId, id: i64) -> Result<Row, Fail> {
    Ok(find(tx, institution, id).await?.ok_or(sqlx::Error::RowNotFound)?)
}

/// What was recorded of one person, day and direction.
pub async fn of_day(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    day: SchoolDay,
    direction: Direction,
) -> Result<Option<Row>, Fail> {
    let row = store::of_day(tx, institution, user, day, direction).await?;
    as_it_counts(tx, institution, row).await
}

/// A person's records between two days (both included), the newest first, and how many there are.
pub async fn history(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    days: (Option<NaiveDate>, Option<NaiveDate>),
    page: &Page,
) -> Result<(Vec<Row>, i64), Fail> {
    let total = store::count(tx, institution, user, days).await?;
    let mut rows = store::page(tx, institution, user, days, page).await?;
    amend(tx, institution, user, &mut rows).await?;
    Ok((rows, total))
}

async fn as_it_counts(
    tx: &mut Tx,
    institution: InstitutionId,
    row: Option<Row>,
) -> Result<Option<Row>, Fail> {
    let Some(mut row) = row else { return Ok(None) };
    let user = row.user_id;
    amend(tx, institution, user, std::slice::from_mut(&mut row)).await?;
    Ok(Some(row))
}

/// Lays over one person's rows what was decided since.
async fn amend(tx: &mut Tx, institution: InstitutionId, user: UserId, rows: &mut [Row]) -> Result<(), Fail> {
    let days = || rows.iter().map(|row| row.day);
    let (Some(first), Some(last)) = (days().min(), days().max()) else { return Ok(()) };
    let corrections =
        corrections::of_person(tx, institution, user, (SchoolDay(first), SchoolDay(last))).await?;
    let excuses = if rows.iter().any(Row::is_absence) {
        store::excuses(tx, institution, user, (first, last)).await?
    } else {
        Vec::new()
    };
    for row in rows {
        row.amend(&corrections, &excuses);
    }
    Ok(())
}

impl Row {
    /// The last correction of its day and direction counts; without one an approved leave excuses an absence, of several
    /// the last: as [`hadir_shared::rules::recap`] has it.
    fn amend(&mut self, corrections: &[Correction], excuses: &[store::Excuse]) {
        let about = |one: &&Correction| one.day == self.day && one.direction == self.direction;
        if let Some(last) = corrections.iter().rev().find(about) {
            self.status.clone_from(&last.status_after);
            self.late_minutes = last.late_minutes_after;
            self.correction = Some(last.clone());
        } else if self.is_absence() {
            let covers =
                |excuse: &&store::Excuse| excuse.start_date <= self.day && self.day <= excuse.end_date;
            let status = |excuse: &store::Excuse| match excuse.leave_type.as_str() {
                "sakit" => Status::Sakit,
                _ => Status::Izin,
            };
            if let Some(status) = excuses.iter().rev().find(covers).map(status) {
                status.as_str().clone_into(&mut self.status);
            }
        }
    }
}

/// The students of a class who were there on a day, on time or late.
pub async fn present(
    tx: &mut Tx,
    institution: InstitutionId,
    class: ClassId,
    day: SchoolDay,
) -> Result<Vec<UserId>, Fail> {
    let ids = store::present(tx, institution, class, day).await?;
    Ok(ids.into_iter().map(|(id,)| UserId(id)).collect())
}

//! Rows of the attendance books as answers show them, and the way of one passage into the books. No routes of its own.

use chrono::NaiveDate;
use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    rules::status::Direction,
    time::{Millis, SchoolDay, Zone},
    wire::batch::Reason,
};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Number;
use sqlx::FromRow;

use super::{
    books::{self, Candidate, Outcome},
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

/// A row of `attendance`.
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
            Entered::New(store::by_id(tx, institution, *attendance_id).await?)
        }
        _ => Entered::Already(
            store::of_day(tx, institution, user, day, direction).await?.ok_or(sqlx::Error::RowNotFound)?,
        ),
    })
}

/// The record with this id, which is known to be there.
pub async fn by_id(tx: &mut Tx, institution: InstitutionId, id: i64) -> Result<Row, Fail> {
    Ok(store::by_id(tx, institution, id).await?)
}

/// What stands of one person, day and direction.
pub async fn of_day(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    day: SchoolDay,
    direction: Direction,
) -> Result<Option<Row>, Fail> {
    Ok(store::of_day(tx, institution, user, day, direction).await?)
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
    Ok((store::page(tx, institution, user, days, page).await?, total))
}

/// The students of a class (in the year of `day`) who checked in on that day.
pub async fn present(
    tx: &mut Tx,
    institution: InstitutionId,
    class: ClassId,
    day: SchoolDay,
) -> Result<Vec<UserId>, Fail> {
    let ids = store::present(tx, institution, class, day).await?;
    Ok(ids.into_iter().map(|(id,)| UserId(id)).collect())
}

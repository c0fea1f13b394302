//! The school's calendar: days off besides the weekdays of `school_days`. Beyond the documents.
//!
//! What always holds:
//! - a day is in the calendar once; what the school wrote there is not overwritten by the national list;
//! - on a day in the calendar nobody is absent, whenever it was entered; where one is taken out that is over already, its
//!   absences are marked in the same transaction;
//! - a change travels to the school's boxes in the transaction that makes it.
//!
//! | route | what |
//! |---|---|
//! | `GET /holidays?year=&month=` | the calendar, for everybody of the school |
//! | `POST /holidays`, `PUT`, `DELETE /holidays/{id}` | a day or several in a row |
//! | `POST /holidays/prefill` | the national holidays of a year, as far as this program knows them |

use std::collections::BTreeSet;

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with, put_with},
};
use axum::extract::State;
use chrono::{Months, NaiveDate};
use hadir_shared::{
    ids::InstitutionId,
    time::{Millis, SchoolDay},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::FromRow;

use super::{
    absences,
    dialect::{self, Created, Data, Done, Said, Told},
    export::file,
    permits::{Use, WriteHolidays},
    roster,
};
use crate::{
    app::App,
    db::{ResultExt as _, Tx},
    fail::{Fail, Flaw},
    http::{Allowed, Body, Check, Member, Params, Segment, describe::says},
    identity::{Entry, audit},
    sheet::{AsFile, Column, Columns, OrFile},
};

pub mod national;
pub mod page;
mod store;
#[cfg(test)]
mod tests;

const NAME_MAX: usize = 100;
const YEARS: std::ops::RangeInclusive<i32> = 2000..=2100;
/// Days in one request: more than the longest holidays have.
const MOST_DAYS: usize = 92;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/holidays",
            get_with(list, says("The calendar"))
                .post_with(create, says("Add a holiday of one day or several")),
        )
        .api_route("/holidays/prefill", post_with(prefill, says("Add a year's national holidays")))
        .api_route(
            "/holidays/{id}",
            put_with(update, says("Change a holiday")).delete_with(delete, says("Delete a holiday")),
        )
}

/// A row of `holidays`.
#[derive(Debug, Clone, Serialize, FromRow, JsonSchema)]
struct Holiday {
    id: i64,
    #[serde(rename = "date")]
    day: NaiveDate,
    name: String,
    #[sqlx(try_from = "i64")]
    #[serde(with = "dialect::Instant")]
    created_at: Millis,
}

impl Columns for Holiday {
    const COLUMNS: &'static [Column<Self>] =
        &[("Tanggal", |holiday| holiday.day.into()), ("Nama", |holiday| holiday.name.as_str().into())];
}

/// Both, a year, or neither: then this year.
#[derive(Deserialize, JsonSchema)]
struct Asked {
    year: Option<i32>,
    month: Option<u32>,
}

/// `date`, or the first and the last of several.
#[derive(Deserialize, JsonSchema)]
struct New {
    date: Option<SchoolDay>,
    start_date: Option<SchoolDay>,
    end_date: Option<SchoolDay>,
    name: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Change {
    date: Option<SchoolDay>,
    name: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Year {
    year: Option<i32>,
}

#[derive(Serialize, JsonSchema)]
struct Prefilled {
    year: i32,
    added: usize,
    /// Of those that were added: days that the year's decree has yet to confirm.
    unconfirmed: usize,
    holidays: Vec<Holiday>,
}

async fn list(
    State(app): State<App>,
    who: Allowed<Use>,
    Params(asked): Params<Asked>,
    AsFile(format): AsFile,
) -> Result<OrFile<Data<Vec<Holiday>>>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let today = super::settings::load(&mut tx, who.institution).await?.schedule.zone.day(app.now());
    let year = asked.year.unwrap_or_else(|| chrono::Datelike::year(&today.0));
    let mut check = Check::new();
    sensible(&mut check, "year", year);
    let span = span(year, asked.month);
    check.that(span.is_some(), "month", Flaw::OutOfRange(1, 12));
    check.finish()?;
    let span = span.unwrap_or((today, today));
    let holidays = store::between(&mut tx, who.institution, span).await?;
    match format {
        Some(format) => file(&mut tx, &app, who.institution, format, "hari-libur", holidays).await,
        None => Ok(OrFile::Usual(Data(holidays))),
    }
}

async fn create(
    State(app): State<App>,
    who: Allowed<WriteHolidays>,
    Body(new): Body<New>,
) -> Result<Created<Vec<Holiday>>, Fail> {
    let mut check = Check::new();
    let name = check.text("name", new.name, 1..=NAME_MAX);
    let days = days(&mut check, new.date.or(new.start_date), new.date.or(new.end_date));
    check.finish()?;
    let mut tx = app.db.write(who.institution).await?;
    let mut made = Vec::new();
    for day in days {
        made.extend(store::insert(&mut tx, who.institution, day, &name, app.now()).await?);
    }
    if made.is_empty() {
        return Err(taken());
    }
    publish(&mut tx, &app, &who, entry(&who, "holiday.create", &made).after(json!(made))).await?;
    tx.commit().await?;
    Ok(Created("Hari libur berhasil ditambahkan", made))
}

async fn update(
    State(app): State<App>,
    who: Allowed<WriteHolidays>,
    Segment(id): Segment<i64>,
    Body(new): Body<Change>,
) -> Result<Said<Holiday>, Fail> {
    let mut check = Check::new();
    let name = check.optional_text("name", new.name, 1..=NAME_MAX);
    if let Some(day) = new.date {
        sensible(&mut check, "date", chrono::Datelike::year(&day.0));
    }
    check.finish()?;
    let mut tx = app.db.write(who.institution).await?;
    let before = store::by_id(&mut tx, who.institution, id).await?.ok_or_else(unknown)?;
    let after = store::update(&mut tx, who.institution, id, new.date, name.as_deref())
        .await
        .on_taken(taken())?
        .ok_or_else(unknown)?;
    let entry = entry(&who, "holiday.update", std::slice::from_ref(&after)).before(json!(before));
    publish(&mut tx, &app, &who, entry.after(json!(after))).await?;
    if before.day != after.day {
        absences::reconsider(&mut tx, &app, who.institution, SchoolDay(before.day)).await?;
    }
    tx.commit().await?;
    Ok(Said("Hari libur berhasil diperbarui", after))
}

async fn delete(
    State(app): State<App>,
    who: Allowed<WriteHolidays>,
    Segment(id): Segment<i64>,
) -> Result<Done, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    let gone = store::delete(&mut tx, who.institution, id).await?.ok_or_else(unknown)?;
    let entry = entry(&who, "holiday.delete", std::slice::from_ref(&gone)).before(json!(gone));
    publish(&mut tx, &app, &who, entry).await?;
    absences::reconsider(&mut tx, &app, who.institution, SchoolDay(gone.day)).await?;
    tx.commit().await?;
    Ok(Done("Hari libur berhasil dihapus"))
}

async fn prefill(
    State(app): State<App>,
    who: Allowed<WriteHolidays>,
    Body(asked): Body<Year>,
) -> Result<Told<Prefilled>, Fail> {
    let mut check = Check::new();
    let year = check.required("year", asked.year);
    if asked.year.is_some() {
        sensible(&mut check, "year", year);
    }
    check.finish()?;
    let mut tx = app.db.write(who.institution).await?;
    let (holidays, unconfirmed) = enter_national(&mut tx, who.institution, year, app.now()).await?;
    if !holidays.is_empty() {
        publish(&mut tx, &app, &who, entry(&who, "holiday.prefill", &holidays).after(json!(holidays)))
            .await?;
    }
    tx.commit().await?;
    let added = holidays.len();
    let message = format!("{added} hari libur nasional {year} ditambahkan");
    Ok(Told(message, Prefilled { year, added, unconfirmed, holidays }))
}

/// Enters the national holidays of a year where the calendar has nothing yet. Publishes nothing.
pub async fn prefill_year(
    tx: &mut Tx,
    institution: InstitutionId,
    year: i32,
    now: Millis,
) -> Result<usize, Fail> {
    Ok(enter_national(tx, institution, year, now).await?.0.len())
}

/// What was added, and how many of them the year's decree has yet to confirm.
async fn enter_national(
    tx: &mut Tx,
    institution: InstitutionId,
    year: i32,
    now: Millis,
) -> Result<(Vec<Holiday>, usize), Fail> {
    let (mut added, mut unconfirmed) = (Vec::new(), 0);
    for national in national::of(year) {
        if let Some(holiday) = store::insert(tx, institution, national.day, &national.name, now).await? {
            added.push(holiday);
            unconfirmed += usize::from(!national.decreed);
        }
    }
    Ok((added, unconfirmed))
}

/// The days in the calendar from `first` to `last`, both included.
pub async fn between(
    tx: &mut Tx,
    institution: InstitutionId,
    first: SchoolDay,
    last: SchoolDay,
) -> Result<BTreeSet<SchoolDay>, Fail> {
    let rows = store::between(tx, institution, (first, last)).await?;
    Ok(rows.into_iter().map(|holiday| SchoolDay(holiday.day)).collect())
}

async fn publish(tx: &mut Tx, app: &App, who: &Member, entry: Entry) -> Result<(), Fail> {
    roster::touch_holidays(tx, app, who.institution).await?;
    audit(tx, app, &entry).await
}

fn entry(who: &Member, action: &'static str, holidays: &[Holiday]) -> Entry {
    let first = holidays.first().map(|holiday| format!("holiday:{}", holiday.id)).unwrap_or_default();
    Entry::new(who.actor(), action, first).of(who.institution)
}

/// The first and the last day of a month, or of a year.
fn span(year: i32, month: Option<u32>) -> Option<(SchoolDay, SchoolDay)> {
    let first = NaiveDate::from_ymd_opt(year, month.unwrap_or(1), 1)?;
    let months = if month.is_some() { 1 } else { 12 };
    let last = first.checked_add_months(Months::new(months))?.pred_opt()?;
    Some((SchoolDay(first), SchoolDay(last)))
}

/// Every day of a holiday, where it is one.
fn days(check: &mut Check, first: Option<SchoolDay>, last: Option<SchoolDay>) -> Vec<SchoolDay> {
    let Some(first) = first else {
        check.flaw("start_date", Flaw::Missing);
        return Vec::new();
    };
    let last = last.unwrap_or(first);
    sensible(check, "start_date", chrono::Datelike::year(&first.0));
    sensible(check, "end_date", chrono::Datelike::year(&last.0));
    check.that(last >= first, "end_date", Flaw::Said("end_date tidak boleh sebelum start_date".into()));
    let days: Vec<SchoolDay> =
        first.0.iter_days().take_while(|day| *day <= last.0).take(MOST_DAYS + 1).map(SchoolDay).collect();
    check.that(
        days.len() <= MOST_DAYS,
        "end_date",
        Flaw::Said(format!("hari libur paling lama {MOST_DAYS} hari").into()),
    );
    days
}

fn sensible(check: &mut Check, field: &'static str, year: i32) {
    check.range(field, i64::from(year), i64::from(*YEARS.start())..=i64::from(*YEARS.end()));
}

fn taken() -> Fail {
    Fail::Taken { field: "date", message: "date sudah menjadi hari libur".into() }
}

fn unknown() -> Fail {
    Fail::not_found("Hari libur tidak ditemukan")
}

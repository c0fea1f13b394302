//! The audit log: who did what in the school, with before and after. Beyond the documents; reading only.
//!
//! What always holds: rows are of this school alone; nothing here changes or deletes one; a page begins where the one before
//! ended, however many rows came in between.

use aide::axum::{ApiRouter, routing::get_with};
use axum::extract::State;
use chrono::NaiveTime;
use hadir_shared::{
    ids::InstitutionId,
    time::{Millis, SchoolDay},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    dialect::{self, Data},
    export::file,
    permits::ReadAudit,
    settings,
};
use crate::{
    app::App,
    db::Tx,
    fail::{Fail, Flaw},
    http::{Allowed, Check, Params, describe::says},
    sheet::{AsFile, Column, Columns, MOST_WRITTEN, OrFile},
};

mod diff;
pub mod page;
mod store;
#[cfg(test)]
mod tests;

/// Rows of a page, unless said.
const USUAL: i64 = 50;
const MOST: i64 = 100;
const TEXT_MAX: usize = 100;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/audit", get_with(list, says("The audit log of the school, the newest first")))
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Asked {
    /// `user:8`, `device:…`, `system`, or a part of somebody's name or number.
    actor: Option<String>,
    /// How the action begins: `setting.`, `user.update`.
    action: Option<String>,
    /// How the subject begins: `user:8`.
    subject: Option<String>,
    start_date: Option<SchoolDay>,
    end_date: Option<SchoolDay>,
    /// `next` of the page before.
    before: Option<String>,
    limit: Option<i64>,
}

/// Which rows are wanted.
#[derive(Debug, Default)]
struct Filter {
    /// The actor as it stands.
    actor: Option<String>,
    /// Part of a name or number, in lower case.
    person: Option<String>,
    action: Option<String>,
    subject: Option<String>,
    from: Option<Millis>,
    until: Option<Millis>,
    /// Below this moment and id.
    before: Option<(Millis, i64)>,
    limit: i64,
}

/// A row of the log.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
struct Shown {
    id: i64,
    #[serde(with = "dialect::Instant")]
    at: Millis,
    actor: String,
    /// Of who is somebody of the school.
    actor_name: Option<String>,
    action: String,
    subject: String,
    before: Option<Value>,
    after: Option<Value>,
    request_id: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditPage")]
struct Entries {
    entries: Vec<Shown>,
    /// What `before` is for the next page; null on the last.
    next: Option<String>,
}

impl Columns for Shown {
    const COLUMNS: &'static [Column<Self>] = &[
        ("Waktu", |row| row.at.into()),
        ("Pelaku", |row| row.actor.as_str().into()),
        ("Nama pelaku", |row| row.actor_name.as_deref().into()),
        ("Tindakan", |row| row.action.as_str().into()),
        ("Objek", |row| row.subject.as_str().into()),
        ("Sebelum", |row| row.before.as_ref().map(Value::to_string).unwrap_or_default().into()),
        ("Sesudah", |row| row.after.as_ref().map(Value::to_string).unwrap_or_default().into()),
        ("Permintaan", |row| row.request_id.as_deref().into()),
    ];
}

async fn list(
    State(app): State<App>,
    who: Allowed<ReadAudit>,
    Params(asked): Params<Asked>,
    AsFile(format): AsFile,
) -> Result<OrFile<Data<Entries>>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let mut filter = filter(&mut tx, who.institution, asked).await?;
    if let Some(format) = format {
        filter.limit = i64::from(MOST_WRITTEN) + 1;
        filter.before = None;
        let rows = store::list(&mut tx, who.institution, &filter).await?;
        return file(&mut tx, &app, who.institution, format, "jejak-audit", rows).await;
    }
    let (entries, next) = page_of(&mut tx, who.institution, filter).await?;
    Ok(OrFile::Usual(Data(Entries { entries, next })))
}

/// A page, and where the next one begins.
async fn page_of(
    tx: &mut Tx,
    institution: InstitutionId,
    mut filter: Filter,
) -> Result<(Vec<Shown>, Option<String>), Fail> {
    let limit = filter.limit;
    filter.limit += 1;
    let mut rows = store::list(tx, institution, &filter).await?;
    let is_more = i64::try_from(rows.len()).is_ok_and(|len| len > limit);
    if is_more {
        rows.pop();
    }
    let next = rows.last().filter(|_| is_more).map(|last| format!("{}-{}", last.at.0, last.id));
    Ok((rows, next))
}

async fn filter(tx: &mut Tx, institution: InstitutionId, asked: Asked) -> Result<Filter, Fail> {
    let zone = settings::load(tx, institution).await?.schedule.zone;
    let mut check = Check::new();
    let actor = check.optional_text("actor", asked.actor, 1..=TEXT_MAX);
    let action = check.optional_text("action", asked.action, 1..=TEXT_MAX);
    let subject = check.optional_text("subject", asked.subject, 1..=TEXT_MAX);
    let limit = check.range("limit", asked.limit.unwrap_or(USUAL), 1..=MOST);
    let before = asked.before.as_deref().and_then(cursor);
    check.that(asked.before.is_none() || before.is_some(), "before", Flaw::WrongType("a cursor".into()));
    let backwards = asked.start_date.zip(asked.end_date).is_some_and(|(first, last)| last < first);
    check.that(!backwards, "end_date", Flaw::Said("end_date tidak boleh sebelum start_date".into()));
    check.finish()?;
    let midnight = |day: SchoolDay| zone.instant(day, NaiveTime::MIN);
    let is_exact =
        |text: &String| text == "system" || text.starts_with("user:") || text.starts_with("device:");
    let (actor, person) = match actor {
        Some(text) if is_exact(&text) => (Some(text), None),
        text => (None, text.map(|text| text.to_lowercase())),
    };
    Ok(Filter {
        actor,
        person,
        action,
        subject,
        from: asked.start_date.map(midnight),
        until: asked.end_date.and_then(|day| day.0.succ_opt()).map(|day| midnight(SchoolDay(day))),
        before,
        limit,
    })
}

/// `1763682300000-12`: a moment and an id.
fn cursor(text: &str) -> Option<(Millis, i64)> {
    let (at, id) = text.split_once('-')?;
    Some((Millis(at.parse().ok()?), id.parse().ok()?))
}

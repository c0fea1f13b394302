//! What was recorded without the cloud: the log of it, the documented upload, and trying again. Section 10 of the contract.
//! (Boxes send through `batches`; their records stand in the same log.)
//!
//! What always holds:
//! - every item of an upload is in the log, byte for byte, in a gap-free chain of its sender's own, whatever was decided;
//! - an item is decided alone: a bad one fails, the others go on;
//! - a record is tried again only while it is failed, and by one at a time; what comes of it is what a new upload would get.
//!
//! Absent on purpose: `photo_path` of an item. A path from a client is no file of ours.

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    routing::{get, post},
};
use chrono::NaiveDate;
use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::{Millis, SchoolDay, Zone},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    dialect::{Data, Paginated, Said},
    people::{self, Person},
    permits::{ProcessOffline, ReadSyncLog, RecordOthers, RetrySync},
    records::{Offline, local},
    settings,
};
use crate::{
    app::App,
    db::Tx,
    fail::{Fail, Flaw},
    http::{Allowed, Body, Check, Page, Params, Permission as _, Segment},
};

mod process;
mod retry;
mod shown;
mod store;
#[cfg(test)]
mod tests;

/// Items of one upload; as many as a box sends at once.
const MOST_ITEMS: usize = 500;
/// A thousand bytes for each item and more.
const BODY_LIMIT: usize = 1024 * 1024;
const FAILED: &str = "failed";
const STATUSES: &[&str] = &["pending", "success", FAILED];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/offline-sync", get(list))
        .route("/offline-sync/process-attendance", post(upload).layer(DefaultBodyLimit::max(BODY_LIMIT)))
        .route("/offline-sync/{id}", get(show))
        .route("/offline-sync/{id}/retry", post(try_again))
}

#[derive(Deserialize)]
struct Asked {
    user_id: Option<i64>,
    status: Option<String>,
    action_type: Option<String>,
    device: Option<Uuid>,
    day: Option<SchoolDay>,
}

/// Which part of the log is wanted.
#[derive(Debug, Default)]
struct Filter {
    user: Option<i64>,
    status: Option<String>,
    action: Option<String>,
    device: Option<Uuid>,
    /// From the first instant to the one after the last.
    from: Option<Millis>,
    until: Option<Millis>,
}

/// One row of the log, as the contract has it, and what this project knows besides.
#[derive(Debug, Serialize)]
struct Logged {
    id: i64,
    user_id: Option<i64>,
    action_type: String,
    data: Value,
    synced_at: String,
    status: &'static str,
    error_message: Option<String>,
    user: Option<Person>,
    event_id: Option<Uuid>,
    device_id: Uuid,
    seq: i64,
    claimed_at: Option<String>,
    trusted_at: Option<String>,
    received_at: String,
    verdict: String,
    reason: Option<String>,
    tries: i64,
}

#[derive(Deserialize)]
struct Upload {
    attendances: Option<Vec<Value>>,
}

#[derive(Debug, Serialize)]
struct Outcomes {
    processed: Vec<Offline>,
    failed: Vec<Failed>,
    processed_count: usize,
    failed_count: usize,
}

#[derive(Debug, Serialize)]
struct Failed {
    data: Value,
    error: String,
}

async fn list(
    State(app): State<App>,
    who: Allowed<ReadSyncLog>,
    Params(asked): Params<Asked>,
    page: Page,
) -> Result<Data<Paginated<Logged>>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let zone = settings::load(&mut tx, who.institution).await?.schedule.zone;
    let filter = filter(asked, zone)?;
    let total = store::count(&mut tx, who.institution, &filter).await?;
    let rows = store::page(&mut tx, who.institution, &filter, &page).await?;
    let logged = logged(&mut tx, who.institution, zone, rows).await?;
    Ok(Data(Paginated::new(&page, logged, total)))
}

fn filter(asked: Asked, zone: Zone) -> Result<Filter, Fail> {
    let mut check = Check::new();
    let action = check.optional_text("action_type", asked.action_type, 1..=32);
    let status = check.optional_text("status", asked.status, 1..=32);
    if let Some(status) = &status {
        check.one_of("status", status, STATUSES);
    }
    check.finish()?;
    let begins = |day: NaiveDate| zone.instant(SchoolDay(day), chrono::NaiveTime::MIN);
    let until = asked.day.and_then(|day| day.0.succ_opt()).map(begins);
    Ok(Filter {
        user: asked.user_id,
        status,
        action,
        device: asked.device,
        from: asked.day.map(|day| begins(day.0)),
        until,
    })
}

async fn show(
    State(app): State<App>,
    who: Allowed<ReadSyncLog>,
    Segment(id): Segment<i64>,
) -> Result<Data<Logged>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let zone = settings::load(&mut tx, who.institution).await?.schedule.zone;
    let row = store::by_id(&mut tx, who.institution, id).await?.ok_or_else(unknown)?;
    let mut logged = logged(&mut tx, who.institution, zone, vec![row]).await?;
    Ok(Data(logged.pop().ok_or_else(unknown)?))
}

async fn logged(
    tx: &mut Tx,
    institution: InstitutionId,
    zone: Zone,
    rows: Vec<store::Row>,
) -> Result<Vec<Logged>, Fail> {
    let people =
        people::by_ids(tx, institution, rows.iter().filter_map(|row| row.user_id.map(UserId))).await?;
    let show = |row: store::Row| {
        let user = row.user_id.and_then(|id| people.get(&UserId(id)).cloned());
        let shown = shown::read(&row.body, zone);
        let status = shown::status(&row.verdict);
        Logged {
            id: row.id,
            user_id: row.user_id,
            action_type: row.action_type,
            data: shown.data,
            synced_at: local(zone, row.received_at),
            status,
            error_message: row.error_message.filter(|_| status == FAILED),
            user,
            event_id: shown.event,
            device_id: row.device_id,
            seq: row.seq,
            claimed_at: row.claimed_at.map(|at| Millis(at).to_rfc3339_micros()),
            trusted_at: row.trusted_at.map(|at| Millis(at).to_rfc3339_micros()),
            received_at: row.received_at.to_rfc3339_micros(),
            verdict: row.verdict,
            reason: row.reason,
            tries: row.tries,
        }
    };
    Ok(rows.into_iter().map(show).collect())
}

async fn upload(
    State(app): State<App>,
    who: Allowed<ProcessOffline>,
    Body(upload): Body<Upload>,
) -> Result<Said<Outcomes>, Fail> {
    let items = upload.attendances.ok_or_else(|| Fail::invalid("attendances", Flaw::Missing))?;
    if items.len() > MOST_ITEMS {
        return Err(Fail::invalid(
            "attendances",
            Flaw::Said(format!("attendances maksimal {MOST_ITEMS} data").into()),
        ));
    }
    let sender = process::Sender {
        institution: who.institution,
        user: who.user,
        uuid: who.uuid,
        may_record_others: who.may(RecordOthers::CODE),
    };
    Ok(Said("Proses sinkronisasi data absensi selesai", process::run(&app, sender, items).await?))
}

async fn try_again(
    State(app): State<App>,
    who: Allowed<RetrySync>,
    Segment(id): Segment<i64>,
) -> Result<Said<Offline>, Fail> {
    Ok(Said("Sinkronisasi berhasil diulang", retry::run(&app, &who, id).await?))
}

fn unknown() -> Fail {
    Fail::not_found("Log sinkronisasi dengan ID tersebut tidak ditemukan")
}

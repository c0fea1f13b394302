//! What was recorded without the cloud: the log of it, the documented upload, and what people decide about records that
//! failed. Section 10 of the contract. (Boxes send through `batches`; their records stand in the same log.)
//!
//! What always holds:
//! - every item of an upload is in the log, byte for byte, in a gap-free chain of its sender's own, whatever was decided;
//! - an item is decided alone: a bad one fails, the others go on;
//! - a record is decided again only while it is failed, and by one at a time; pressing twice does it once;
//! - what is decided about a record is a row beside it, with who and why; nothing is edited away, nothing is deleted.
//!
//! | file | what |
//! |---|---|
//! | `filter.rs` | which part of the log is asked for |
//! | `shown.rs` | a record, read for people |
//! | `process.rs` | the documented upload |
//! | `decide.rs` | one record decided anew, whichever way |
//! | `resolve.rs` | the ways somebody can choose: retry, map, accept, discard, reopen |
//! | `bulk.rs` | many records at once, by a job |
//! | `page/` | the log in the console |
//!
//! Absent on purpose: `photo_path` of an item (a path from a client is no file of ours); mapping an unknown card for records
//! to come (it is one record that is given to somebody; a card is made known by making it the student's).

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with},
};
use axum::extract::{DefaultBodyLimit, State};
use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::{Millis, Zone},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use self::{
    filter::Asked,
    store::list::{Part, Row, Search},
};
use super::{
    dialect::{Data, Paginated, Said},
    export::file,
    people::{self, Person},
    permits::{ProcessOffline, ReadSyncLog, RecordOthers},
    records::{Offline, local},
    settings,
};
use crate::{
    app::App,
    db::Tx,
    fail::{Fail, Flaw},
    http::{Allowed, Body, Page, Params, Permission as _, Segment, describe::says},
    sheet::OrFile,
};

mod bulk;
mod decide;
mod export;
mod filter;
pub mod page;
mod process;
mod resolve;
mod shown;
mod store;
#[cfg(test)]
mod tests;

pub use bulk::{KIND, work};

/// Items of one upload; as many as a box sends at once.
const MOST_ITEMS: usize = 500;
/// A thousand bytes for each item and more.
const BODY_LIMIT: usize = 1024 * 1024;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/offline-sync", get_with(list, says("The log of what was recorded offline")))
        .api_route(
            "/offline-sync/process-attendance",
            post_with(upload, says("Send records that were collected offline"))
                .layer(DefaultBodyLimit::max(BODY_LIMIT)),
        )
        .api_route("/offline-sync/{id}", get_with(show, says("A record of the log")))
        .merge(resolve::routes())
        .merge(bulk::routes())
}

/// Where a list goes on that is not counted in pages.
#[derive(Deserialize, JsonSchema)]
struct Beyond {
    after: Option<i64>,
}

/// A list by pages, or what follows the line one has seen last: as fast in its depths as at its top.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Listed {
    Pages(Paginated<Logged>),
    Stretch { data: Vec<Logged>, per_page: i64, next_after: Option<i64> },
}

/// One row of the log, as the contract has it, and what this project knows besides.
#[derive(Debug, Serialize, JsonSchema)]
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
    log_id: Uuid,
    seq: i64,
    claimed_at: Option<String>,
    trusted_at: Option<String>,
    received_at: String,
    verdict: String,
    reason: Option<String>,
    tries: i64,
}

#[derive(Deserialize, JsonSchema)]
struct Upload {
    attendances: Option<Vec<Value>>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Outcomes {
    processed: Vec<Offline>,
    failed: Vec<Failed>,
    processed_count: usize,
    failed_count: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Failed {
    data: Value,
    error: String,
}

/// How many records wait for somebody's decision; counted no further than `most`.
pub async fn waiting(tx: &mut Tx, institution: InstitutionId, most: i64) -> Result<i64, Fail> {
    Ok(store::list::waiting(tx, institution, most).await?)
}

async fn list(
    State(app): State<App>,
    who: Allowed<ReadSyncLog>,
    Params(asked): Params<Asked>,
    Params(beyond): Params<Beyond>,
    page: Page,
) -> Result<OrFile<Data<Listed>>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let zone = settings::load(&mut tx, who.institution).await?.schedule.zone;
    let filter = asked.check(zone)?;
    if let Some(format) = page.format {
        let lines = export::lines(&mut tx, who.institution, zone, &filter).await?;
        return file(&mut tx, &app, who.institution, format, "log-sinkronisasi", lines).await;
    }
    let offset = if beyond.after.is_some() { 0 } else { page.offset() };
    let part = Part { after: beyond.after, limit: page.per_page, offset };
    let search = Search::new(&mut tx, who.institution, &filter).await?;
    let rows = search.page(&mut tx, who.institution, part).await?;
    let last = rows.last().map(|row| row.id);
    let data = logged(&mut tx, who.institution, zone, rows).await?;
    Ok(OrFile::Usual(Data(if beyond.after.is_some() {
        let is_full = i64::try_from(data.len()) == Ok(page.per_page);
        Listed::Stretch { data, per_page: page.per_page, next_after: last.filter(|_| is_full) }
    } else {
        let total = search.count(&mut tx, who.institution, i64::MAX).await?;
        Listed::Pages(Paginated::new(&page, data, total))
    })))
}

/// A line, with all that was decided about it.
#[derive(Debug, Serialize, JsonSchema)]
struct Detail {
    #[serde(flatten)]
    line: Logged,
    decisions: Vec<Decided>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "as the answer names them")]
struct Decided {
    at: String,
    decided_by: i64,
    decided_by_name: Option<String>,
    action: String,
    reason: Option<String>,
    user_id: Option<i64>,
    timestamp: Option<String>,
    verdict_before: String,
    verdict_after: String,
    error_message: Option<String>,
}

async fn show(
    State(app): State<App>,
    who: Allowed<ReadSyncLog>,
    Segment(id): Segment<i64>,
) -> Result<Data<Detail>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let zone = settings::load(&mut tx, who.institution).await?.schedule.zone;
    let row = store::list::by_id(&mut tx, who.institution, id).await?.ok_or_else(unknown)?;
    let mut logged = logged(&mut tx, who.institution, zone, vec![row]).await?;
    let line = logged.pop().ok_or_else(unknown)?;
    let decisions = decisions(&mut tx, who.institution, zone, id).await?;
    Ok(Data(Detail { line, decisions }))
}

async fn decisions(
    tx: &mut Tx,
    institution: InstitutionId,
    zone: Zone,
    record: i64,
) -> Result<Vec<Decided>, Fail> {
    let made = store::decisions::of_record(tx, institution, record).await?;
    let deciders = made.iter().map(|made| UserId(made.decided_by));
    let deciders = people::by_ids(tx, institution, deciders).await?;
    let decided = |made: store::decisions::Made| Decided {
        at: Millis(made.at).to_rfc3339_micros(),
        decided_by: made.decided_by,
        decided_by_name: deciders.get(&UserId(made.decided_by)).map(|person| person.name.clone()),
        action: made.action,
        reason: made.reason,
        user_id: made.user_id,
        timestamp: made.trusted_at.map(|at| local(zone, Millis(at))),
        verdict_before: made.verdict_before,
        verdict_after: made.verdict_after,
        error_message: made.error,
    };
    Ok(made.into_iter().map(decided).collect())
}

async fn logged(
    tx: &mut Tx,
    institution: InstitutionId,
    zone: Zone,
    rows: Vec<Row>,
) -> Result<Vec<Logged>, Fail> {
    let people =
        people::by_ids(tx, institution, rows.iter().filter_map(|row| row.user_id.map(UserId))).await?;
    let show = |row: Row| {
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
            error_message: row.error_message.filter(|_| status != "success"),
            user,
            event_id: shown.event,
            device_id: row.device_id,
            log_id: row.log_id,
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

fn unknown() -> Fail {
    Fail::not_found("Log sinkronisasi dengan ID tersebut tidak ditemukan")
}

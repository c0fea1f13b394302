//! Many failed records decided anew, by a job.
//!
//! What always holds:
//! - which records are meant is written down when somebody presses: what fails later is not among them;
//! - each record is decided in a transaction of its own, together with the mark that it is done, so that a worker that dies
//!   loses nothing, and one that comes twice does nothing twice;
//! - one of each kind runs in a school at a time: who presses again gets the one that runs, and revives it when its job has
//!   failed for good;
//! - a record that cannot be decided is one that failed; it holds up no other.
//!
//! | route | what |
//! |---|---|
//! | `POST /offline-sync/retry` | `{ids}` or `{filter}`: all of those that failed, as if they came now |
//! | `POST /offline-sync/quarantine/{device}/{log}/process` | all that a log has in quarantine |
//! | `GET /offline-sync/retries/{id}` | how far it is |

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with},
};
use axum::extract::State;
use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    decide::{self, Hand, How},
    filter::{Asked, Filter},
    store::bulk::{self as store, NewBulk},
    unknown,
};
use crate::{
    app::App,
    attendance::{
        dialect::{Accepted, Data},
        permits::{ReadSyncLog, RetrySync},
        settings,
    },
    db::Tx,
    fail::{Fail, Flaw},
    http::{Allowed, Body, Check, Segment, describe::says},
    identity::{Actor, Entry, audit},
    jobs::{self, NewJob, Work},
};

/// The kind of its jobs.
pub const KIND: &str = "sync.retry";
/// Ids that can be named at once.
const MOST_IDS: usize = 500;
/// Records of one job; the next goes on with the rest. Far less than what a worker's claim lasts for.
const STEP: i64 = 200;

const RETRY: &str = "retry";
const REPROCESS: &str = "reprocess";

pub fn routes() -> ApiRouter<App> {
    let process = post_with(process, says("Decide anew what a log has in quarantine"));
    ApiRouter::new()
        .api_route("/offline-sync/retry", post_with(retry, says("Try many failed records again")))
        .api_route("/offline-sync/quarantine/{device}/{log}/process", process)
        .api_route("/offline-sync/retries/{id}", get_with(show, says("How far a retry of many is")))
}

#[derive(Deserialize, JsonSchema)]
struct Which {
    ids: Option<Vec<i64>>,
    filter: Option<Map<String, Value>>,
}

#[derive(Deserialize, JsonSchema)]
struct Because {
    reason: Option<String>,
}

/// One that runs or ran.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RetryOfMany")]
struct Shown {
    id: i64,
    action: String,
    device_id: Option<Uuid>,
    log_id: Option<Uuid>,
    reason: Option<String>,
    state: String,
    total: i64,
    done: i64,
    succeeded: i64,
    failed: i64,
    /// Somebody else had decided these by then.
    skipped: i64,
    created_by: i64,
    created_at: String,
    finished_at: Option<String>,
}

impl From<store::Bulk> for Shown {
    fn from(bulk: store::Bulk) -> Self {
        Self {
            id: bulk.id,
            action: bulk.action,
            device_id: bulk.device_id,
            log_id: bulk.log_id,
            reason: bulk.reason,
            state: bulk.state,
            total: bulk.total,
            done: bulk.succeeded + bulk.failed + bulk.skipped,
            succeeded: bulk.succeeded,
            failed: bulk.failed,
            skipped: bulk.skipped,
            created_by: bulk.created_by,
            created_at: Millis(bulk.created_at).to_rfc3339_micros(),
            finished_at: bulk.finished_at.map(|at| Millis(at).to_rfc3339_micros()),
        }
    }
}

/// Which records are taken.
enum Taken {
    Ids(Vec<i64>),
    Filtered(Box<Filter>),
    Quarantined(Uuid, Uuid),
}

async fn retry(
    State(app): State<App>,
    who: Allowed<RetrySync>,
    Body(which): Body<Which>,
) -> Result<Accepted<Shown>, Fail> {
    let hand = Hand::from(&*who);
    let mut tx = app.db.write(hand.institution).await?;
    let (taken, asked) = match (which.ids, which.filter) {
        (Some(ids), None) => {
            let ids = distinct(ids)?;
            let known = store::known(&mut tx, hand.institution, &ids).await?;
            if usize::try_from(known) != Ok(ids.len()) {
                return Err(unknown());
            }
            let asked = json!({ "ids": ids });
            (Taken::Ids(ids), asked)
        }
        (None, Some(filter)) => {
            let asked = json!({ "filter": filter });
            let zone = settings::load(&mut tx, hand.institution).await?.schedule.zone;
            (Taken::Filtered(Box::new(Asked::from_body(filter)?.check(zone)?)), asked)
        }
        _ => return Err(Fail::invalid("ids", Flaw::Said("Isi salah satu dari: ids, filter".into()))),
    };
    let new = NewBulk { action: RETRY, log: None, reason: None, by: hand.user };
    let id = begin(&mut tx, &app, hand, &new, &taken, asked).await?;
    let bulk = store::by_id(&mut tx, hand.institution, id).await?.ok_or_else(unknown)?;
    tx.commit().await?;
    app.jobs.ring();
    Ok(Accepted("Sinkronisasi ulang sedang berjalan", bulk.into()))
}

fn distinct(mut ids: Vec<i64>) -> Result<Vec<i64>, Fail> {
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() || ids.len() > MOST_IDS {
        let flaw = Flaw::Said(format!("ids harus berisi 1 sampai {MOST_IDS} id").into());
        return Err(Fail::invalid("ids", flaw));
    }
    Ok(ids)
}

async fn process(
    State(app): State<App>,
    who: Allowed<RetrySync>,
    Segment((device, log)): Segment<(Uuid, Uuid)>,
    Body(because): Body<Because>,
) -> Result<Accepted<Shown>, Fail> {
    let mut check = Check::new();
    let reason = check.text("reason", because.reason, 3..=500);
    check.finish()?;
    let hand = Hand::from(&*who);
    let mut tx = app.db.write(hand.institution).await?;
    if !store::has_log(&mut tx, hand.institution, (device, log)).await? {
        return Err(unknown());
    }
    let new = NewBulk { action: REPROCESS, log: Some((device, log)), reason: Some(&reason), by: hand.user };
    let asked = json!({"device_id": device, "log_id": log, "reason": reason});
    let id = begin(&mut tx, &app, hand, &new, &Taken::Quarantined(device, log), asked).await?;
    let bulk = store::by_id(&mut tx, hand.institution, id).await?.ok_or_else(unknown)?;
    if (bulk.device_id, bulk.log_id) != (Some(device), Some(log)) {
        return Err(Fail::conflict("Karantina perangkat lain sedang diproses"));
    }
    tx.commit().await?;
    app.jobs.ring();
    Ok(Accepted("Karantina sedang diproses", bulk.into()))
}

async fn show(
    State(app): State<App>,
    who: Allowed<ReadSyncLog>,
    Segment(id): Segment<i64>,
) -> Result<Data<Shown>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let bulk = store::by_id(&mut tx, who.institution, id).await?;
    Ok(Data(bulk.ok_or_else(|| Fail::not_found("Sinkronisasi ulang tidak ditemukan"))?.into()))
}

/// A new one, or the one that runs already. Either way a job drives it.
async fn begin(
    tx: &mut Tx,
    app: &App,
    hand: Hand,
    new: &NewBulk<'_>,
    taken: &Taken,
    asked: Value,
) -> Result<i64, Fail> {
    let (institution, now) = (hand.institution, app.now());
    let Some(id) = store::begin(tx, institution, new, now).await? else {
        let running = store::running(tx, institution, new.action).await?;
        // It ended between the two statements: pressing once more begins a new one.
        let retry_after = std::time::Duration::from_secs(1);
        let id = running.ok_or(Fail::Unavailable { retry_after })?;
        drive(tx, app, institution, id).await?;
        return Ok(id);
    };
    match taken {
        Taken::Ids(ids) => store::take_ids(tx, institution, id, ids).await?,
        Taken::Filtered(filter) => store::take_filtered(tx, institution, id, filter).await?,
        Taken::Quarantined(device, log) => {
            store::take_quarantined(tx, institution, id, (*device, *log)).await?
        }
    };
    let entry = Entry::new(Actor::User(hand.user), "sync.bulk", format!("sync_retry:{id}")).of(institution);
    audit(tx, app, &entry.after(asked)).await?;
    drive(tx, app, institution, id).await?;
    Ok(id)
}

/// Gives it a job, where it has none that lives.
async fn drive(tx: &mut Tx, app: &App, institution: InstitutionId, id: i64) -> Result<(), Fail> {
    if store::is_adrift(tx, institution, id).await? == 1 {
        hand_on(tx, app, institution, id).await?;
    }
    Ok(())
}

async fn hand_on(tx: &mut Tx, app: &App, institution: InstitutionId, id: i64) -> Result<(), Fail> {
    let now = app.now();
    let new =
        NewJob { kind: KIND, institution: Some(institution), payload: json!({"retry": id}), run_at: now };
    let job = jobs::enqueue(tx, &new, now).await?;
    store::drive(tx, institution, id, job).await?;
    Ok(())
}

/// One job's share. May run twice, and beside itself.
pub fn work<'a>(app: &'a App, job: &'a jobs::Row) -> Work<'a> {
    Box::pin(async move {
        let (Some(institution), Some(id)) = (job.institution_id, job.payload["retry"].as_i64()) else {
            return Err(anyhow::anyhow!("a retry without its school or number").into());
        };
        share(app, InstitutionId(institution), id, job.id).await
    })
}

async fn share(app: &App, institution: InstitutionId, id: i64, job: i64) -> Result<(), Fail> {
    let mut tx = app.db.read(institution).await?;
    let bulk = store::by_id(&mut tx, institution, id).await?;
    let Some(bulk) = bulk.filter(|bulk| bulk.job_id == Some(job)) else { return Ok(()) };
    let items = store::open_items(&mut tx, institution, id, STEP).await?;
    drop(tx);
    for (record,) in items {
        one(app, institution, &bulk, record).await?;
    }
    let mut tx = app.db.write(institution).await?;
    // Of two workers with one job, one hands it on.
    if store::finish(&mut tx, institution, id, app.now()).await? == 0
        && store::leave(&mut tx, institution, id, job).await? == 1
    {
        hand_on(&mut tx, app, institution, id).await?;
    }
    tx.commit().await?;
    app.jobs.ring();
    Ok(())
}

/// Decides one record, if nobody has yet.
async fn one(app: &App, institution: InstitutionId, bulk: &store::Bulk, record: i64) -> Result<(), Fail> {
    let hand = Hand { institution, user: UserId(bulk.created_by) };
    let how = if bulk.action == REPROCESS { How::Reprocess } else { How::Retry };
    let mut tx = app.db.write(institution).await?;
    if store::claim_item(&mut tx, institution, bulk.id, record).await? == 0 {
        return Ok(());
    }
    let outcome = match decide::again(&mut tx, app, hand, record, how, bulk.reason.as_deref()).await {
        Ok(None) => "skipped",
        Ok(Some(outcome)) if outcome.is_success() => "succeeded",
        Ok(Some(_)) => "failed",
        Err(fail @ (Fail::Unavailable { .. } | Fail::TimedOut)) => return Err(fail),
        Err(fail) => {
            // One that cannot be decided holds up no other. What it did is undone; that it was tried is not.
            tracing::warn!(record, "a record could not be decided again: {fail}");
            drop(tx);
            tx = app.db.write(institution).await?;
            if store::claim_item(&mut tx, institution, bulk.id, record).await? == 0 {
                return Ok(());
            }
            "failed"
        }
    };
    store::finish_item(&mut tx, institution, bulk.id, record, outcome).await?;
    tx.commit().await?;
    Ok(())
}

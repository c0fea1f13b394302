//! Batches of records from boxes.
//!
//! What always holds:
//! - a record is held exactly once, whatever is sent how often: the box's head row is locked, what is held is skipped, what is
//!   missing is asked for, and another history of the same log is refused, never merged;
//! - every record whose envelope is sound is kept, byte for byte, and the head moves past it, whatever is decided about it: no
//!   record stops the queue;
//! - the receipt is written after the commit, signed, and names the hash of the last record held;
//! - a client that hangs up cancels nothing: the transaction runs in a task of its own;
//! - work is turned away before it is begun, not in the middle;
//! - only a whole, signed request takes a place: who sends his body slowly keeps nobody else waiting.
//!
//! | route | what |
//! |---|---|
//! | `POST /offline-sync/batches` | up to 500 records, or none: a heartbeat |
//! | `POST /offline-sync/quarantine` | one record that is not to be looked into |

use std::time::Instant;

use aide::axum::{ApiRouter, routing::post_with};
use anyhow::anyhow;
use axum::{
    extract::{DefaultBodyLimit, FromRequestParts, State},
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use hadir_shared::{
    chain::Hash,
    sign::PublicKey,
    wire::batch::{Batch, MAX_WIRE_BYTES, RECEIPT_CONTENT_TYPE, Receipt, Unsound},
};
use sqlx::FromRow;
use tracing::Instrument as _;
use uuid::Uuid;

use super::fleet::{
    Load, Refused,
    device::{Device, Signed},
};
use crate::{
    app::App,
    db::Tx,
    fail::{Fail, NoSession},
    http::{Arrived, describe::says},
};

mod ingest;
mod plan;
mod proof;
mod store;
#[cfg(test)]
mod tests;
mod unpack;

pub use proof::prove_copy;

/// A body up to here is taken for a heartbeat, in bytes, until it is read.
const LIGHT_BYTES: u64 = 2 * 1024;

/// Their bodies are signed as they travel: nothing may unpack them on the way here.
pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/offline-sync/batches", post_with(take, says("A box sends records")))
        .api_route(
            "/offline-sync/quarantine",
            post_with(take_alone, says("A box sends one record the cloud does not understand")),
        )
        .layer(DefaultBodyLimit::max(MAX_WIRE_BYTES))
}

async fn take(
    State(app): State<App>,
    arrived: Arrived,
    _: Room,
    signed: Signed,
) -> Result<Response, Refused> {
    receive(app, arrived, signed, false).await
}

async fn take_alone(
    State(app): State<App>,
    arrived: Arrived,
    _: Room,
    signed: Signed,
) -> Result<Response, Refused> {
    receive(app, arrived, signed, true).await
}

async fn receive(
    app: App,
    Arrived(t2): Arrived,
    signed: Signed,
    is_opaque: bool,
) -> Result<Response, Refused> {
    let started = Instant::now();
    let load = load_of(signed.body.len() as u64);
    let place = app.sync.enter(&app, load).await?;
    let batch = unpack::batch(&signed.headers, &signed.body).await?;
    if batch.device != signed.device.id || batch.institution != signed.device.institution {
        return Err(Fail::denied("Data ini bukan milik perangkat pengirim").into());
    }
    let (hashes, signed_by) = prove(&batch, &signed.device, is_opaque)?;
    let place = if load == Load::Light && !batch.events.is_empty() {
        // It looked like a heartbeat, and queues with the others after all.
        drop(place);
        app.sync.enter(&app, Load::Ingest).await?
    } else {
        place
    };
    let proven = ingest::Proven { batch, hashes, signed_by, is_opaque, t2 };
    let work = async move {
        let receipt = ingest::ingest(&app, &proven).await;
        drop(place);
        receipt
    };
    let receipt = tokio::spawn(work.in_current_span())
        .await
        .map_err(|e| anyhow!("a batch was not finished: {e}"))??;
    metrics::histogram!("sync_batch_duration_seconds").record(started.elapsed().as_secs_f64());
    answer(&receipt)
}

/// Bare, and of a type of its own: a captive portal's 200 is no receipt.
fn answer(receipt: &Receipt) -> Result<Response, Refused> {
    let body = serde_json::to_vec(receipt).map_err(anyhow::Error::from)?;
    Ok(([(header::CONTENT_TYPE, RECEIPT_CONTENT_TYPE)], body).into_response())
}

/// The hash of every event, and the key that signed: the box's, or the one before it.
fn prove(batch: &Batch, device: &Device, is_opaque: bool) -> Result<(Vec<Hash>, PublicKey), Fail> {
    let mut unsound = Unsound::Signature;
    for key in device.keys() {
        match if is_opaque { batch.check_alone(key) } else { batch.check(key) } {
            Ok(hashes) => return Ok((hashes, *key)),
            Err(why) => unsound = why,
        }
        if unsound != Unsound::Signature {
            break;
        }
    }
    Err(match unsound {
        Unsound::TooLarge => Fail::TooLarge,
        Unsound::Signature => Fail::Unauthenticated(NoSession::Invalid),
        Unsound::Numbering | Unsound::Chain => Fail::bad_request("Rantai data tidak utuh"),
    })
}

/// There is room for one more in the queue, or there is no need to read its body.
struct Room;

impl aide::OperationInput for Room {}

impl FromRequestParts<App> for Room {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fail> {
        let length = parts.headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        app.sync.has_room(app, load_of(length.unwrap_or(u64::MAX))).map(|()| Self)
    }
}

const fn load_of(body_bytes: u64) -> Load {
    if body_bytes <= LIGHT_BYTES { Load::Light } else { Load::Ingest }
}

/// How far a log is held: a line of a backup's manifest.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Held {
    pub institution_id: i64,
    pub device_id: Uuid,
    pub log_id: Uuid,
    pub high_seq: i64,
    pub high_hash: String,
}

/// What a backup made of this transaction's state holds.
pub async fn held(tx: &mut Tx) -> Result<Vec<Held>, Fail> {
    Ok(store::heads(tx).await?)
}

/// Names the database of a transaction; a copy has the name of what it is a copy of.
pub async fn store_name(tx: &mut Tx) -> Result<Option<Uuid>, Fail> {
    Ok(store::store_name(tx).await?.map(|(id,)| id))
}

/// Call when a backup was made, read back and found whole: from now on boxes may prune what it holds. Answers how many logs
/// this moved.
pub async fn backed_up(tx: &mut Tx, backup: &[Held]) -> Result<u64, Fail> {
    let mut moved = 0;
    for held in backup {
        moved += store::raise_backed_up(tx, held).await?;
    }
    Ok(moved)
}

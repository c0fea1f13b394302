//! What is held of a box's logs, for that box: it reads its own records back when it is rebuilt from a backup.
//!
//! What always holds: a box reads its own logs and no others, whatever it asks for; a revoked one reads none; the list of
//! heads is signed, and the records are the very bytes that were hashed, so that their chain proves them.
//!
//! | route | what |
//! |---|---|
//! | `GET /offline-sync/logs` | every log of the box, and how far it is held |
//! | `GET /offline-sync/logs/{log}/records?after=` | the records after a number |

use aide::axum::{ApiRouter, routing::get_with};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use hadir_shared::{
    chain::Head,
    ids::LogId,
    sign::Signature,
    wire::{
        PROTO,
        batch::MAX_BATCH_BYTES,
        held::{HeldLog, HeldLogs, HeldRecords},
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fleet::{Load, device::Signed};
use crate::{
    app::App,
    fail::Fail,
    http::{Params, Segment, describe::says},
};

mod store;
#[cfg(test)]
mod tests;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/offline-sync/logs", get_with(list, says("A box's own logs, and how far they are held")))
        .api_route(
            "/offline-sync/logs/{log}/records",
            get_with(records, says("A box reads its own records back")),
        )
}

async fn list(State(app): State<App>, signed: Signed) -> Result<Response, Fail> {
    let device = signed.active()?;
    let _place = app.sync.enter(&app, Load::Light).await?;
    let rows =
        store::logs(&mut app.db.read(device.institution).await?, device.institution, device.id).await?;
    let logs = rows.iter().map(held).collect::<Result<_, _>>()?;
    let nonce = signed.nonce;
    let mut held = HeldLogs { proto: PROTO, device: device.id, nonce, logs, sig: Signature([0; 64]) };
    held.sign(app.sync.key());
    Ok(json(&held)?)
}

fn held(row: &store::LogRow) -> anyhow::Result<HeldLog> {
    Ok(HeldLog {
        log: LogId(row.log_id),
        head: Head { seq: row.high_seq.cast_unsigned(), hash: row.high_hash.parse()? },
        prunable_through: row.backed_up_through.cast_unsigned(),
    })
}

#[derive(Debug, Deserialize, JsonSchema)]
struct After {
    /// The number of the last record the box has; the first ones where it is left out.
    after: Option<u32>,
}

async fn records(
    State(app): State<App>,
    Segment(log): Segment<LogId>,
    Params(After { after }): Params<After>,
    signed: Signed,
) -> Result<Response, Fail> {
    let device = signed.active()?;
    let _place = app.sync.enter(&app, Load::Light).await?;
    let after = after.unwrap_or(0);
    let mut tx = app.db.read(device.institution).await?;
    let rows = store::records(&mut tx, device.institution, device.id, log, i64::from(after)).await?;
    drop(tx);
    let mut events = rows.into_iter().map(store::RecordRow::bytes).collect::<Result<Vec<_>, _>>()?;
    let mut bytes = 0;
    let fitting = events.iter().take_while(|event| {
        bytes += event.len();
        bytes <= MAX_BATCH_BYTES
    });
    let fitting = fitting.count().max(1);
    events.truncate(fitting);
    Ok(json(&HeldRecords { proto: PROTO, log, first_seq: u64::from(after) + 1, events })?)
}

/// Bare, as everything between box and cloud.
fn json(body: &impl Serialize) -> anyhow::Result<Response> {
    Ok(([(header::CONTENT_TYPE, "application/json")], serde_json::to_vec(body)?).into_response())
}

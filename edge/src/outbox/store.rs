//! What the outbox keeps: the newest receipt, verdicts, the newest contact with the cloud's clock.

use std::collections::BTreeMap;

use hadir_shared::{
    ids::{DeviceId, LogId},
    time::{Anchor, Millis},
    wire::{
        batch::Receipt,
        record::{Origin, Record},
    },
};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::FailedRecord;
use crate::{
    attendance::store::{At, take},
    store::{NotSaved, Position, Tx, log},
};

/// Failed records shown at once.
const SHOWN: u32 = 100;

/// What was known when the box was last on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    pub last_contact: Option<Millis>,
    pub anchor: Option<Anchor>,
}

pub fn known(conn: &Connection) -> rusqlite::Result<Known> {
    conn.query_row("SELECT last_contact_at, anchor FROM sync_state", [], |row| {
        Ok(Known {
            last_contact: row.get::<_, Option<i64>>(0)?.map(Millis),
            anchor: row.get::<_, Option<String>>(1)?.and_then(|text| serde_json::from_str(&text).ok()),
        })
    })
}

/// What a receipt proves, in one transaction: the watermark, the verdicts, the receipt itself.
pub fn keep(
    tx: &mut Tx<'_>,
    receipt: &Receipt,
    anchor: Option<&Anchor>,
    now: Millis,
) -> Result<(), NotSaved> {
    let number = tx.position().number;
    let head = hadir_shared::chain::Head { seq: receipt.durable_through, hash: receipt.head_hash };
    tx.acknowledge(head, receipt.prunable_through.min(receipt.durable_through))?;
    for verdict in &receipt.verdicts {
        tx.prepare_cached(
            "INSERT INTO verdicts (log, seq, verdict, reason, decided_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (log, seq) DO UPDATE SET verdict = excluded.verdict, reason = excluded.reason,
                decided_at = excluded.decided_at",
        )?
        .execute(params![
            number,
            verdict.seq,
            verdict.verdict.as_str(),
            verdict.reason,
            receipt.t3.0
        ])?;
    }
    let text = serde_json::to_string(receipt).map_err(|_| NotSaved::Rejected)?;
    let anchor = anchor.map(serde_json::to_string).transpose().map_err(|_| NotSaved::Rejected)?;
    tx.execute(
        "UPDATE sync_state SET server_store = ?1, receipt = ?2, last_contact_at = ?3, anchor = COALESCE(?4, anchor)",
        params![receipt.store, text, now.0, anchor],
    )?;
    Ok(())
}

/// Leaves the open log and carries everything over that the cloud has not proven to hold of it.
pub fn fork(tx: &mut Tx<'_>, new: LogId, now: Millis) -> Result<u64, NotSaved> {
    let left = tx.position();
    carry_over(tx, &left, new, now, "the cloud knows another history of it")
}

/// Opens a log, and carries over what the cloud has not proven to hold of `left`. Answers how many records that were.
pub fn carry_over(
    tx: &mut Tx<'_>,
    left: &Position,
    new: LogId,
    now: Millis,
    because: &str,
) -> Result<u64, NotSaved> {
    let unproven = log::records(tx, left.number, left.acked.seq + 1, usize::MAX)?;
    tx.open_log(new, left.institution, left.device, now, because)?;
    for kept in &unproven {
        // Unknown fields stay: the value is changed, not read and written anew.
        let mut value: serde_json::Value =
            serde_json::from_str(&kept.body).map_err(|_| NotSaved::Rejected)?;
        let origin = Origin { log: left.log, seq: kept.seq };
        value["origin"] = serde_json::to_value(origin).map_err(|_| NotSaved::Rejected)?;
        let body = value.to_string();
        let seq = tx.append(&kept.kind, &body)?;
        if let Ok(record) = serde_json::from_str::<Record>(&body) {
            take(tx, At { log: tx.position().number, seq }, &record)?;
        }
    }
    Ok(unproven.len() as u64)
}

/// Records by verdict, over every log this device had.
pub fn counts(conn: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    conn.prepare_cached("SELECT verdict, COUNT(*) FROM verdicts GROUP BY verdict")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// The newest records of the open log that somebody has to look at.
pub fn failed(conn: &Connection) -> rusqlite::Result<Vec<FailedRecord>> {
    conn.prepare_cached(
        "SELECT v.seq, v.verdict, v.reason, r.body FROM verdicts v JOIN log r ON r.log = v.log AND r.seq = v.seq
         WHERE v.log = (SELECT MAX(number) FROM logs) AND v.verdict IN ('conflict', 'refused', 'quarantined')
         ORDER BY v.seq DESC LIMIT ?1",
    )?
    .query_map([SHOWN], |row| {
        Ok(FailedRecord {
            seq: row.get(0)?,
            verdict: row.get(1)?,
            reason: row.get(2)?,
            recorded_at: recorded_at(row.get_ref(3)?.as_str()?),
        })
    })?
    .collect()
}

/// When the first unacknowledged record of the open log was recorded.
pub fn oldest_pending(conn: &Connection) -> rusqlite::Result<Option<Millis>> {
    let Some(open) = log::position(conn)? else { return Ok(None) };
    let first = log::records(conn, open.number, open.acked.seq + 1, 1)?;
    Ok(first.first().and_then(|kept| recorded_at(&kept.body)))
}

/// Logs of this device the box had to leave because the cloud knew another history.
pub fn left_logs(conn: &Connection, device: DeviceId) -> rusqlite::Result<u64> {
    conn.prepare_cached("SELECT COUNT(*) FROM logs WHERE device_id = ?1 AND left_because LIKE 'the cloud%'")?
        .query_row([device.0], |row| row.get(0))
}

/// The name of the cloud's store, as the last receipt told it.
pub fn server_store(conn: &Connection) -> rusqlite::Result<Option<Uuid>> {
    conn.query_row("SELECT server_store FROM sync_state", [], |row| row.get(0))
}

fn recorded_at(body: &str) -> Option<Millis> {
    let record: Record = serde_json::from_str(body).ok()?;
    Some(record.at.trusted)
}

//! Store and forward: what is recorded reaches the cloud exactly once, and both sides can prove it.
//!
//! Invariants:
//! - Only a receipt moves the watermark: a 200 with the right content type, the box's own batch id, a signature by the
//!   school's cloud, and a head hash equal to the box's own at that number.
//! - Nothing is ever dropped because of a status code, a number of tries or an age. No verdict stops the queue.
//! - One request is in flight; the same records may be sent any number of times.
//! - When the cloud knows another history of a log, the box leaves that log and carries the rest over.

pub mod plan;
pub mod store;
#[cfg(test)]
mod tests;
pub mod upload;

use std::collections::BTreeMap;

use hadir_shared::{
    ids::{DeviceId, InstitutionId, LogId},
    time::{Grade, Millis},
};
use serde::{Deserialize, Serialize};

use crate::{backup::LastBackup, tls::Https};

/// Whether the last contact with the cloud succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The box belongs to no school and sends nothing.
    StandAlone,
    Online,
    Offline,
}

/// How well the store does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreState {
    Working,
    /// It records, but the disk was full: the space kept back is in use.
    Degraded,
    /// The disk is full: nothing more is recorded.
    ReadOnlyFull,
    /// The disk failed three times in a row: nothing more is recorded.
    Stopped,
}

/// A record the cloud did not simply store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRecord {
    pub seq: u64,
    /// `conflict`, `refused` or `quarantined`.
    pub verdict: String,
    pub reason: String,
    pub recorded_at: Option<Millis>,
}

/// How the box is: what is recorded, sent and refused. Served at `/api/box/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncStatus {
    pub version: String,
    pub device: Option<DeviceId>,
    pub institution: Option<InstitutionId>,
    pub institution_name: String,
    pub cloud: Option<String>,
    pub line: Line,
    pub store: StoreState,
    /// The open log. A box that had to leave one has a new one.
    pub log: LogId,
    /// The number of the last record in the log.
    pub recorded: u64,
    pub acked_through: u64,
    pub pending: u64,
    pub oldest_pending: Option<Millis>,
    /// Whether the cloud's last receipt named the very head this log has.
    pub heads_equal: bool,
    pub last_contact: Option<Millis>,
    /// Why the last contact failed, in English, for whoever looks after the box.
    pub last_error: Option<String>,
    /// Set when somebody must act: the box is refused, must be updated, or had to leave a log.
    pub alarm: Option<String>,
    /// Records by verdict; `stored` is not counted one by one and is left out.
    pub verdicts: BTreeMap<String, u64>,
    /// The newest records that were not simply stored, at most 100.
    pub failed: Vec<FailedRecord>,
    pub clock_offset_ms: Option<i64>,
    pub clock_grade: Grade,
    pub roster_cursor: u64,
    pub roster_pulled_at: Option<Millis>,
    pub disk_free_bytes: Option<u64>,
    /// `None` where no backup was made yet.
    #[serde(default)]
    pub last_backup: Option<LastBackup>,
    /// `None` where the box serves no HTTPS.
    #[serde(default)]
    pub https: Option<Https>,
    pub now: Millis,
}

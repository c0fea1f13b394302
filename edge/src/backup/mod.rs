//! A copy of the box in one file, and a box rebuilt from it.
//!
//! What always holds:
//! - A file has its name only once it was read back and found whole: every part under its hash, the database sound, every log
//!   chained up to the heads the manifest names. A broken or half-written one never takes the place of a good one.
//! - It is made while the box records, and holds back nobody.
//! - A box is put where no box is. All of it appears at once, by one rename, or nothing does.
//! - A box that is rebuilt never goes on in a log that the cloud holds further than its backup (`contracts/sync.md`).
//!
//! The file is a tar under zstd, for the day on which only ordinary tools are at hand: `manifest.json`, `edge.db`,
//! `secret.key`, `tls/…`. It holds the box's key, so whoever has the file is the box: it is for its owner alone (0600), on a
//! medium that is guarded as the box is. Without `secret.key` a restored box could neither speak to its cloud nor let its
//! staff log in, and a lost box is exactly when both are needed.
//!
//! Deliberately absent: pictures of check-ins, which stay on the box and are deleted in time; the school's own certificate,
//! which is not the box's; the configuration.

mod catch_up;
mod pack;
mod rebuild;
mod rotate;
#[cfg(test)]
mod tests;
mod unpack;

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use hadir_shared::{
    chain::{Hash, Head},
    ids::{DeviceId, LogId},
    time::Millis,
};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

pub use self::{
    catch_up::{CannotAsk, Compared},
    pack::{make, make_aside},
    rebuild::{Ask, Rebuilt, rebuild},
    rotate::{file_name, rotate},
    unpack::read_manifest,
};
use crate::store::{OpenError, log};

/// The form of the file.
const FORMAT: u32 = 1;
/// The first part of the file.
const MANIFEST: &str = "manifest.json";
const DATABASE: &str = "edge.db";
/// What is kept beside the database and belongs to the box, as it lies in the data folder.
const BESIDE: [&str; 3] = ["secret.key", "tls/ca.pem", "tls/leaf.pem"];
/// Where the newest backup is written down, in the data folder.
const LAST: &str = "last-backup.json";

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub made_at: Millis,
    /// Of the program that made it.
    pub version: String,
    /// Of the database.
    pub schema: i64,
    /// `None` of a box that stands alone.
    pub device: Option<DeviceId>,
    pub logs: Vec<LoggedHead>,
    pub parts: Vec<Part>,
}

/// Where a log stands in the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedHead {
    pub log: LogId,
    #[serde(flatten)]
    pub head: Head,
}

/// A file in the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its place in the data folder.
    pub name: String,
    pub bytes: u64,
    pub sha256: Hash,
}

/// The newest backup, for whoever looks after the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastBackup {
    pub at: Millis,
    /// Of the file.
    pub bytes: u64,
    /// The number of the last record in it, of the log that was open.
    pub recorded: u64,
}

/// Why there is no backup, or no box out of one.
#[derive(Debug, thiserror::Error)]
pub enum NoBackup {
    #[error("no box has run in {} yet", .0.display())]
    NoBox(PathBuf),
    #[error("{} is there already and is no backup: it is left alone", .0.display())]
    Occupied(PathBuf),
    #[error("{} is not empty: a box is restored where there is none. Move what is there away first", .0.display())]
    NotEmpty(PathBuf),
    #[error("{} cannot be read: {error}", path.display())]
    NoFile { path: PathBuf, error: io::Error },
    #[error("this is no backup of a box, or it is damaged: {0}")]
    Damaged(String),
    #[error(
        "the backup was made by a newer version of this program ({version}, schema {schema}); install that one, then restore"
    )]
    Newer { version: String, schema: i64 },
    #[error("this box stands alone: no cloud has a copy of it")]
    Alone,
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{}: {error}", path.display())]
    Disk { path: PathBuf, error: io::Error },
    #[error(transparent)]
    CannotAsk(#[from] CannotAsk),
}

impl From<rusqlite::Error> for NoBackup {
    fn from(error: rusqlite::Error) -> Self {
        Self::Open(error.into())
    }
}

impl NoBackup {
    fn disk(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |error| Self::Disk { path: path.into(), error }
    }
}

/// Where every log of a database stands.
fn heads(conn: &Connection) -> Result<Vec<LoggedHead>, NoBackup> {
    Ok(log::all(conn)?.into_iter().map(|log| LoggedHead { log: log.log, head: log.head }).collect())
}

/// Writes down that a backup was made.
pub fn note(data_dir: &Path, last: &LastBackup) -> io::Result<()> {
    let aside = data_dir.join(format!("{LAST}.new"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(serde_json::to_string(last)?.as_bytes())?;
    file.sync_all()?;
    fs::rename(&aside, data_dir.join(LAST))
}

/// The newest backup of the box in a data folder; `None` where there is none, or nobody knows.
pub fn last(data_dir: &Path) -> Option<LastBackup> {
    serde_json::from_slice(&fs::read(data_dir.join(LAST)).ok()?).ok()
}

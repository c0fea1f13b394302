//! What a box stands on, looked at: each finding says what is so, and how to put right what is wrong.
//!
//! What always holds:
//! - It may run beside a box at the busiest moment: it takes no lock, opens the database for reading, and writes one small
//!   file, to measure the disk, which it removes.
//! - Whatever it cannot look at is said to be skipped, or wrong where a box needs it; never ok.
//! - It tells of no person and shows no secret.

mod clock;
mod cloud;
mod disk;
mod files;
mod page;
mod ports;
mod records;
mod service;
#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc};

use hadir_shared::time::{Clock, Millis, Trusted};
use rusqlite::Connection;
use serde::Serialize;

use crate::{
    clock::{BUILT, Timekeeper},
    config::Config,
    membership::{self, Membership},
    outbox,
    store::{open, seal::Seal},
};

/// How long anything outside of this program may take to answer.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub state: State,
    pub detail: String,
    /// What to do; there is one for whatever is wrong.
    pub fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    Wrong,
    /// Does not apply, or cannot be told here.
    Skipped,
}

/// What a look came to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Fine(String),
    Wrong { what: String, fix: String },
    Skipped(String),
}

impl Seen {
    fn fine(what: impl Into<String>) -> Self {
        Self::Fine(what.into())
    }

    fn wrong(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Wrong { what: what.into(), fix: fix.into() }
    }

    fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped(why.into())
    }

    fn into_finding(self, check: &'static str) -> Finding {
        let (state, detail, fix) = match self {
            Self::Fine(detail) => (State::Ok, detail, None),
            Self::Skipped(detail) => (State::Skipped, detail, None),
            Self::Wrong { what, fix } => (State::Wrong, what, Some(fix)),
        };
        Finding { check, state, detail, fix }
    }
}

/// What is looked at, and what the box's own disk says of it.
struct Patient<'a> {
    config: &'a Config,
    /// The process that holds the box's folder, when one does.
    running: Option<u32>,
    /// `None` where no box has run, or its disk cannot be read.
    kept: Option<Kept>,
    now: Trusted,
}

/// The box's database, read at one moment.
struct Kept {
    conn: Connection,
    member: Option<Membership>,
    contact: outbox::store::Known,
}

impl Kept {
    fn read(data_dir: &Path) -> anyhow::Result<Option<Self>> {
        if !open::file_in(data_dir).try_exists()? {
            return Ok(None);
        }
        let conn = open::reader(data_dir)?;
        let contact = outbox::store::known(&conn)?;
        let seal = Seal::kept_in(data_dir)?;
        Ok(Some(Self { member: membership::read(&conn, &seal)?, contact, conn }))
    }
}

/// Looks at everything, in the order in which one thing stands on another.
pub async fn examine(config: &Config, clock: Arc<dyn Clock>) -> Vec<Finding> {
    let read = Kept::read(&config.data_dir);
    let unreadable = read.as_ref().err().map(ToString::to_string);
    let kept = read.ok().flatten();
    let contact = kept.as_ref().map(|kept| kept.contact).unwrap_or_default();
    let floor = contact.last_contact.unwrap_or(BUILT).max(BUILT);
    let time = Timekeeper::new(clock, floor, contact.anchor);
    let running = ports::holder(&config.data_dir.join("run.lock"));
    let patient = Patient { config, running, kept, now: time.now() };
    let data_dir = &config.data_dir;
    vec![
        service::look(config).await.into_finding("service"),
        files::look(config).into_finding("files"),
        disk::space(data_dir).into_finding("disk space"),
        disk::speed(data_dir).into_finding("disk speed"),
        clock::look(&patient, &time).await.into_finding("clock"),
        records::sqlite().into_finding("sqlite"),
        records::database(&patient, unreadable).into_finding("database"),
        records::backup(&patient).into_finding("backup"),
        ports::look(&patient, "listen", &config.listen).into_finding("port (this machine)"),
        ports::look(&patient, "listen_tls", &config.listen_tls).into_finding("port (the school)"),
        page::certificate(&patient).into_finding("certificate"),
        page::gate(&patient).await.into_finding("gate page"),
        page::name(&patient).await.into_finding("name in the network"),
        cloud::look(&patient, &time).await.into_finding("cloud"),
        records::roster(&patient).into_finding("roster"),
        records::pending(&patient).into_finding("records waiting"),
    ]
}

/// How long ago, in words that fit a line.
fn ago(at: Millis, now: Millis) -> String {
    let minutes = now.since(at).max(0) / 60_000;
    match minutes {
        0..120 => format!("{minutes} min ago"),
        120..2_880 => format!("{} h ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1440),
    }
}

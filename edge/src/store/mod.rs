//! The box's disk: the durable log, and everything else that must survive a power cut.
//!
//! Invariants:
//! - [`Store::write`] answers `Ok` only after the commit that holds the work is synced (`synchronous=FULL`).
//! - Records have contiguous numbers, given inside the transaction by the one writer; each carries the hash of all before
//!   it. A record is never edited, and never deleted before a backup of the cloud holds it.
//! - After a failure of the disk nothing is answered until the database was reopened and verified.
//! - Readers cannot write, and never block the writer.
//!
//! There is deliberately no delay that gathers work, and no flag per record: progress is one watermark.

mod ballast;
pub mod log;
pub mod open;
pub mod seal;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use hadir_shared::{
    ids::{InstitutionId, LogId},
    time::Millis,
};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use self::{
    ballast::Ballast,
    writer::{Job, Message, Writer},
};
pub use self::{
    ballast::disk_free,
    log::{Kept, Position},
    open::OpenError,
    writer::GROUP,
};
use crate::outbox::StoreState;

/// Connections that read, at most.
const READERS: usize = 4;
/// Pieces of work that may wait; beyond it whoever asks waits before asking.
const QUEUE: usize = 1024;

/// Why something is not on disk. Nobody may be told that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSaved {
    /// The disk is full, and so is the space that was kept back.
    #[error("the disk is full")]
    DiskFull,
    /// The disk fails; the box is reopening its database. Trying again may help.
    #[error("the disk failed")]
    Io,
    /// The box has stopped recording until somebody looks at it.
    #[error("the box has stopped recording")]
    Stopped,
    /// The statement itself was refused, whatever the disk.
    #[error("the database refused the statement")]
    Rejected,
}

impl From<rusqlite::Error> for NotSaved {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly,
            ) => Self::Io,
            _ => {
                tracing::error!(%error, "the database refused a statement");
                Self::Rejected
            }
        }
    }
}

/// How a unit of work is refused: its own words, or [`NotSaved`].
pub trait Undo: From<NotSaved> + From<rusqlite::Error> + Send + 'static {
    fn not_saved(&self) -> Option<NotSaved>;
}

impl Undo for NotSaved {
    fn not_saved(&self) -> Option<NotSaved> {
        Some(*self)
    }
}

/// The transaction a unit of work rides in.
pub struct Tx<'c> {
    conn: &'c Connection,
    position: Position,
}

impl Tx<'_> {
    /// Where the open log stands, with what this transaction has added.
    pub fn position(&self) -> Position {
        self.position
    }
}

impl std::ops::Deref for Tx<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.conn
    }
}

/// What is opened, and what for the first time.
#[derive(Debug, Clone)]
pub struct Options {
    pub data_dir: PathBuf,
    pub ballast_mib: u64,
    /// The most pages the database may have; 0 is no limit.
    pub max_pages: u32,
    /// The log of a database that has none yet: nobody's, on a box that stands alone.
    pub first_log: LogId,
    pub institution: InstitutionId,
    pub now: Millis,
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    data_dir: PathBuf,
    writer: mpsc::Sender<Message>,
    position: watch::Receiver<Position>,
    state: Arc<Mutex<StoreState>>,
    readers: Mutex<Vec<Connection>>,
    reading: Semaphore,
}

impl Store {
    /// Opens the database, checks it, and starts the writer.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        let conn = open::writer(&options.data_dir, options.max_pages)?;
        if log::position(&conn)?.is_none() {
            log::insert(&conn, options.first_log, options.institution, None, options.now)?;
        }
        let position =
            log::position(&conn)?.ok_or_else(|| OpenError::Damaged("the first log is not there".into()))?;
        let ballast = Ballast::new(&options.data_dir, options.ballast_mib);
        let kept_back = ballast.restore().unwrap_or_else(|error| {
            tracing::error!(%error, "no space can be kept back");
            false
        });
        let state = Arc::new(Mutex::new(if kept_back { StoreState::Working } else { StoreState::Degraded }));
        let (published, watched) = watch::channel(position);
        let (sender, inbox) = mpsc::channel(QUEUE);
        let writer = Writer {
            data_dir: options.data_dir.clone(),
            max_pages: options.max_pages,
            ballast,
            conn: Some(conn),
            position,
            published,
            state: Arc::clone(&state),
        };
        thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run(inbox))
            .map_err(|error| OpenError::Io { path: options.data_dir.clone(), error })?;
        Ok(Self {
            inner: Arc::new(Inner {
                data_dir: options.data_dir.clone(),
                writer: sender,
                position: watched,
                state,
                readers: Mutex::new(Vec::new()),
                reading: Semaphore::new(READERS),
            }),
        })
    }

    /// Reads on a connection that cannot write. Keep it short: a long reader holds back the checkpoint.
    pub async fn read<T, F>(&self, work: F) -> Result<T, NotSaved>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let _permit = self.inner.reading.acquire().await.map_err(|_| NotSaved::Stopped)?;
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.read_here(work)).await.map_err(|_| NotSaved::Rejected)?
    }

    /// [`Self::read`] on the calling thread.
    fn read_here<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, NotSaved> {
        let pooled = self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let conn = pooled.map_or_else(|| open::reader(&self.inner.data_dir), Ok)?;
        let value = work(&conn)?;
        // One that failed is not used again.
        self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        Ok(value)
    }

    /// Rides in the next group commit; answers after it. An error undoes this work alone, not its neighbours'. The work
    /// may be run again when the whole group had to be, so it must not leave traces outside the transaction.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Undo,
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (job, answer) = Job::new(work);
        let sent = self.inner.writer.send(Message::Work(Box::new(job))).await;
        sent.map_err(|_| NotSaved::Stopped)?;
        answer.await.map_err(|_| NotSaved::Stopped)?
    }

    /// Where the open log stands, as committed.
    pub fn position(&self) -> Position {
        *self.inner.position.borrow()
    }

    /// Wakes at every commit that moves the log or its watermark.
    pub fn watch(&self) -> watch::Receiver<Position> {
        self.inner.position.clone()
    }

    pub fn state(&self) -> StoreState {
        *self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn data_dir(&self) -> &Path {
        &self.inner.data_dir
    }

    pub fn disk_free(&self) -> Option<u64> {
        disk_free(&self.inner.data_dir)
    }

    /// Moves the WAL into the database after what is queued; `truncate` waits for readers and is for the night.
    pub async fn checkpoint(&self, truncate: bool) {
        let _ = self.inner.writer.send(Message::Checkpoint { truncate }).await;
    }

    /// Looks for what another process wrote.
    pub async fn refresh(&self) {
        let _ = self.inner.writer.send(Message::Refresh).await;
    }

    /// Finishes what is queued and closes the database. Whatever is asked afterwards is refused.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.inner.writer.send(Message::Stop(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

/// A value of the `meta` table.
pub fn meta(conn: &Connection, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

pub fn set_meta(conn: &Connection, key: &str, value: &[u8]) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![key, value])?;
    Ok(())
}

/// `true` when it was there.
pub fn remove_meta(conn: &Connection, key: &str) -> rusqlite::Result<bool> {
    Ok(conn.execute("DELETE FROM meta WHERE key = ?1", [key])? > 0)
}

//! The box's disk.

use rusqlite::{Connection, ErrorCode};

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
            _ => Self::Rejected,
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
}

impl std::ops::Deref for Tx<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.conn
    }
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {}

impl Store {
    /// Reads on a connection that cannot write. Keep it short: a long reader holds back the checkpoint.
    #[expect(clippy::unused_async, reason = "it will wait for a reader's connection")]
    pub async fn read<T, F>(&self, _work: F) -> Result<T, NotSaved>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        Err(NotSaved::Stopped)
    }

    /// Rides in the next group commit; answers after it. An error undoes this work alone, not its neighbours'. The work
    /// may be run again when the whole group had to be, so it must not leave traces outside the transaction.
    #[expect(clippy::unused_async, reason = "it will wait for the group's commit")]
    pub async fn write<T, E, F>(&self, _work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Undo,
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        Err(NotSaved::Stopped.into())
    }
}

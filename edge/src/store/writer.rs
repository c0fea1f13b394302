//! The one writer: a thread that owns the connection.
//!
//! It takes whatever waits (at most [`GROUP`]), runs each piece of work in a savepoint of one transaction, commits, and
//! only then answers. Nothing is delayed on purpose: an idle queue commits at once, a full one shares the disk's sync.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    NotSaved, Tx, Undo,
    ballast::Ballast,
    log::{self, Position},
    open::{self, OpenError},
};
use crate::outbox::StoreState;

/// Pieces of work in one transaction, at most.
pub const GROUP: usize = 256;
/// Times the database is reopened for one group before the box stops recording.
const REOPENINGS: u32 = 3;

/// How a piece of work ended, before the commit.
pub enum Ran {
    Keep,
    Undo,
    /// The disk failed under it: the whole group is off.
    Broken(NotSaved),
}

/// A piece of work and whoever waits for it.
pub trait Work: Send {
    fn run(&mut self, tx: &mut Tx<'_>) -> Ran;
    /// After the commit, or instead of it.
    fn answer(self: Box<Self>, group: Result<(), NotSaved>);
}

pub enum Message {
    Work(Box<dyn Work>),
    /// Moves the WAL into the database; `truncate` only at night.
    Checkpoint {
        truncate: bool,
    },
    /// Looks again: another process may have opened a log.
    Refresh,
    Stop(oneshot::Sender<()>),
}

/// A closure as [`Work`].
pub struct Job<F, T, E> {
    work: F,
    result: Option<Result<T, E>>,
    reply: Option<oneshot::Sender<Result<T, E>>>,
}

impl<F, T, E> Job<F, T, E> {
    pub fn new(work: F) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (Self { work, result: None, reply: Some(reply) }, answer)
    }
}

impl<F, T, E> Work for Job<F, T, E>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: Undo,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Ran {
        let result = (self.work)(tx);
        let ran = match &result {
            Ok(_) => Ran::Keep,
            Err(why) => match why.not_saved() {
                Some(why @ (NotSaved::DiskFull | NotSaved::Io)) => Ran::Broken(why),
                _ => Ran::Undo,
            },
        };
        self.result = Some(result);
        ran
    }

    fn answer(mut self: Box<Self>, group: Result<(), NotSaved>) {
        let result = match group {
            Ok(()) => self.result.take().unwrap_or_else(|| Err(NotSaved::Rejected.into())),
            Err(why) => Err(why.into()),
        };
        if let Some(reply) = self.reply.take() {
            // Whoever asked may have hung up; what is committed stays.
            let _ = reply.send(result);
        }
    }
}

pub struct Writer {
    pub data_dir: PathBuf,
    pub max_pages: u32,
    pub ballast: Ballast,
    pub conn: Option<Connection>,
    pub position: Position,
    pub published: watch::Sender<Position>,
    pub state: Arc<Mutex<StoreState>>,
}

impl Writer {
    pub fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        let mut group: Vec<Box<dyn Work>> = Vec::with_capacity(GROUP);
        while let Some(first) = inbox.blocking_recv() {
            let mut next = Some(first);
            let mut then = None;
            while let Some(message) = next.take() {
                match message {
                    Message::Work(work) => group.push(work),
                    other => {
                        then = Some(other);
                        break;
                    }
                }
                if group.len() < GROUP {
                    next = inbox.try_recv().ok();
                }
            }
            self.save(&mut group);
            match then {
                Some(Message::Checkpoint { truncate }) => self.checkpoint(truncate),
                Some(Message::Refresh) => self.refresh(),
                Some(Message::Stop(done)) => {
                    self.checkpoint(true);
                    self.conn = None;
                    let _ = done.send(());
                    return;
                }
                Some(Message::Work(_)) | None => {}
            }
        }
    }

    /// Commits a group and answers it; whatever happens, everybody is answered the truth.
    fn save(&mut self, group: &mut Vec<Box<dyn Work>>) {
        if group.is_empty() {
            return;
        }
        let outcome = self.commit(group);
        // Before the answers: whoever is told of a record finds it counted.
        if outcome.is_ok() {
            self.published.send_if_modified(|published| {
                let moved = *published != self.position;
                *published = self.position;
                moved
            });
        }
        for work in group.drain(..) {
            work.answer(outcome);
        }
    }

    fn commit(&mut self, group: &mut [Box<dyn Work>]) -> Result<(), NotSaved> {
        let mut reopened = 0;
        loop {
            let tried = match &self.conn {
                Some(conn) => attempt(conn, self.position, group),
                None if self.state() == StoreState::Stopped => return Err(NotSaved::Stopped),
                None => Err(NotSaved::Io),
            };
            match tried {
                Ok(position) => {
                    count(self.position, position);
                    self.position = position;
                    self.set_state(if self.ballast.is_there() {
                        StoreState::Working
                    } else {
                        StoreState::Degraded
                    });
                    return Ok(());
                }
                Err(NotSaved::DiskFull) if self.ballast.release() => {
                    tracing::error!("the disk is full: the space kept back is in use now");
                    self.set_state(StoreState::Degraded);
                }
                Err(NotSaved::DiskFull) => {
                    self.set_state(StoreState::ReadOnlyFull);
                    return Err(NotSaved::DiskFull);
                }
                Err(NotSaved::Io) => {
                    reopened += 1;
                    if reopened > REOPENINGS {
                        tracing::error!("the disk failed again and again: the box records nothing more");
                        self.conn = None;
                        self.set_state(StoreState::Stopped);
                        return Err(NotSaved::Stopped);
                    }
                    self.reopen();
                }
                Err(why) => return Err(why),
            }
        }
    }

    /// After a failed sync nobody knows what is on the disk but the disk: close, open, verify, look.
    fn reopen(&mut self) {
        tracing::error!("the disk failed under a commit: reopening the database");
        self.conn = None;
        let opened = open::writer(&self.data_dir, self.max_pages)
            .and_then(|conn| Ok((log::position(&conn)?, conn)))
            .map_err(|error: OpenError| tracing::error!(%error, "the database does not open"));
        if let Ok((Some(position), conn)) = opened {
            self.position = position;
            self.conn = Some(conn);
        }
    }

    fn refresh(&mut self) {
        let Some(conn) = &self.conn else { return };
        if let Ok(Some(position)) = log::position(conn) {
            self.position = position;
            self.published.send_replace(position);
        }
    }

    fn checkpoint(&self, truncate: bool) {
        let Some(conn) = &self.conn else { return };
        let sql = if truncate { "PRAGMA wal_checkpoint(TRUNCATE)" } else { "PRAGMA wal_checkpoint(PASSIVE)" };
        let pages = conn.query_row(sql, [], |row| row.get::<_, i64>(1));
        match pages {
            Ok(pages) if pages > 16_384 => {
                tracing::warn!(pages, "the WAL is over 64 MiB: a reader holds it back");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the checkpoint failed"),
        }
    }

    fn state(&self) -> StoreState {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_state(&self, state: StoreState) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// A commit, and the records in it. A log that was begun anew starts from nothing.
fn count(before: Position, after: Position) {
    let held = if before.log == after.log { before.head.seq } else { 0 };
    let records = after.head.seq.saturating_sub(held);
    metrics::counter!("hadir_edge_commits_total").increment(1);
    metrics::counter!("hadir_edge_records_total").increment(records);
    metrics::histogram!("hadir_edge_commit_records")
        .record(u32::try_from(records).map_or(f64::INFINITY, f64::from));
}

/// Runs a group in one transaction and commits it; answers where the log stands then.
fn attempt(conn: &Connection, known: Position, group: &mut [Box<dyn Work>]) -> Result<Position, NotSaved> {
    conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let outcome = run_group(conn, known, group).and_then(|position| {
        conn.prepare_cached("COMMIT")?.execute([]).map(|_| position).map_err(NotSaved::from)
    });
    if outcome.is_err() && !conn.is_autocommit() {
        // A connection that cannot even roll back is closed by the reopening that follows.
        let _ = conn.execute_batch("ROLLBACK");
    }
    outcome
}

fn run_group(conn: &Connection, known: Position, group: &mut [Box<dyn Work>]) -> Result<Position, NotSaved> {
    // Another process (`hadir-edge enroll`) may have written since.
    let position = log::position(conn)?.unwrap_or(known);
    let mut tx = Tx { conn, position };
    for work in group {
        let before = tx.position;
        conn.prepare_cached("SAVEPOINT work")?.execute([])?;
        let ran = catch_unwind(AssertUnwindSafe(|| work.run(&mut tx))).unwrap_or_else(|_| {
            tracing::error!("a piece of work panicked and is undone");
            Ran::Undo
        });
        match ran {
            Ran::Keep => {}
            Ran::Broken(why) => return Err(why),
            // SQLite rolls the whole transaction back by itself on some failures.
            Ran::Undo if conn.is_autocommit() => return Err(NotSaved::Io),
            Ran::Undo => {
                conn.prepare_cached("ROLLBACK TO work")?.execute([])?;
                tx.position = before;
            }
        }
        conn.prepare_cached("RELEASE work")?.execute([])?;
    }
    Ok(tx.position)
}

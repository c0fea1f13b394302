//! The log: one open at a time, contiguous, chained by hash.

use hadir_shared::{
    chain::{Hash, Head},
    ids::{DeviceId, InstitutionId, LogId},
    time::Millis,
    wire::batch::MAX_RECORD_BYTES,
};
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::{NotSaved, Tx};

/// The open log, where it stands, and how far the cloud holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Of the log, on this box: 1, 2, …
    pub number: i64,
    pub log: LogId,
    pub institution: InstitutionId,
    /// `None` while the box stands alone: nothing of this log is ever sent.
    pub device: Option<DeviceId>,
    pub head: Head,
    pub acked: Head,
    pub prunable_through: u64,
}

impl Position {
    /// Records the cloud has not acknowledged; none of a log that is never sent.
    pub fn pending(&self) -> u64 {
        if self.device.is_none() { 0 } else { self.head.seq.saturating_sub(self.acked.seq) }
    }
}

/// A record as it lies in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub seq: u64,
    pub kind: String,
    pub body: String,
    pub hash: Hash,
}

/// The log is not what was written. Nothing may be added to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("log {log}: record {expected} is missing")]
    Gap { log: i64, expected: u64 },
    #[error("log {log}: record {seq} is not what was written")]
    Chain { log: i64, seq: u64 },
    #[error("log {log}: the cloud acknowledged record {seq}, which is not here as it was")]
    Watermark { log: i64, seq: u64 },
    #[error("the log cannot be read: {0}")]
    Unreadable(String),
}

impl From<rusqlite::Error> for Broken {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl Tx<'_> {
    /// Appends a record to the open log and answers its number.
    pub fn append(&mut self, kind: &str, body: &str) -> Result<u64, NotSaved> {
        if body.len() > MAX_RECORD_BYTES {
            tracing::error!(kind, bytes = body.len(), "a record is too long to be sent, and is not kept");
            return Err(NotSaved::Rejected);
        }
        let head = self.position.head.append(self.position.log, body.as_bytes());
        insert_record(self.conn, self.position.number, head, kind, body)?;
        self.position.head = head;
        Ok(head.seq)
    }

    /// Puts records back that the cloud holds of a log and the box lost, behind the last one that is here, and moves the
    /// log's watermark to `acked`, which the cloud has proven to hold. Kinds and bodies, in order.
    pub fn put_back(
        &mut self,
        log: &Position,
        records: &[(&str, &str)],
        acked: Head,
        prunable_through: u64,
    ) -> Result<(), NotSaved> {
        let mut head = log.head;
        for (kind, body) in records {
            head = head.append(log.log, body.as_bytes());
            insert_record(self.conn, log.number, head, kind, body)?;
        }
        acknowledge(self.conn, log.number, acked, prunable_through)?;
        if log.number == self.position.number {
            self.position = Position { head, acked, prunable_through, ..self.position };
        }
        Ok(())
    }

    /// Leaves the open log, which stays on disk, and opens an empty one.
    pub fn open_log(
        &mut self,
        log: LogId,
        institution: InstitutionId,
        device: Option<DeviceId>,
        at: Millis,
        because: &str,
    ) -> Result<(), NotSaved> {
        self.conn.execute(
            "UPDATE logs SET left_because = ?1 WHERE number = ?2",
            params![because, self.position.number],
        )?;
        insert(self.conn, log, institution, device, at)?;
        self.position = position(self.conn)?.ok_or(NotSaved::Rejected)?;
        Ok(())
    }

    /// Moves the watermark: the cloud has proven that it holds everything up to `acked`.
    pub fn acknowledge(&mut self, acked: Head, prunable_through: u64) -> Result<(), NotSaved> {
        acknowledge(self.conn, self.position.number, acked, prunable_through)?;
        self.position.acked = acked;
        self.position.prunable_through = prunable_through;
        Ok(())
    }
}

fn insert_record(conn: &Connection, log: i64, at: Head, kind: &str, body: &str) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT INTO log (log, seq, kind, body, hash) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![log, at.seq, kind, body, at.hash.0])?;
    Ok(())
}

fn acknowledge(conn: &Connection, log: i64, acked: Head, prunable_through: u64) -> rusqlite::Result<()> {
    conn.execute(
        "UPDATE logs SET acked_through = ?1, acked_hash = ?2, prunable_through = ?3 WHERE number = ?4",
        params![acked.seq, acked.hash.0, prunable_through, log],
    )?;
    Ok(())
}

/// Opens an empty log.
pub fn insert(
    conn: &Connection,
    log: LogId,
    institution: InstitutionId,
    device: Option<DeviceId>,
    at: Millis,
) -> rusqlite::Result<()> {
    conn.execute(
        "INSERT INTO logs (log_id, institution_id, device_id, opened_at, acked_through, acked_hash, prunable_through)
         VALUES (?1, ?2, ?3, ?4, 0, ?5, 0)",
        params![log.0, institution.0, device.map(|d| d.0), at.0, Hash::genesis(log).0],
    )?;
    Ok(())
}

/// The open log; `None` before the first one.
pub fn position(conn: &Connection) -> rusqlite::Result<Option<Position>> {
    let open = conn
        .prepare_cached(
            "SELECT number, log_id, institution_id, device_id, acked_through, acked_hash, prunable_through
             FROM logs ORDER BY number DESC LIMIT 1",
        )?
        .query_row([], read_position)
        .optional()?;
    let Some(mut open) = open else { return Ok(None) };
    let last = conn
        .prepare_cached("SELECT seq, hash FROM log WHERE log = ?1 ORDER BY seq DESC LIMIT 1")?
        .query_row([open.number], |row| Ok(Head { seq: row.get(0)?, hash: Hash(row.get(1)?) }))
        .optional()?;
    open.head = last.unwrap_or_else(|| Head::genesis(open.log));
    Ok(Some(open))
}

fn read_position(row: &rusqlite::Row<'_>) -> rusqlite::Result<Position> {
    let log = LogId(row.get::<_, Uuid>(1)?);
    Ok(Position {
        number: row.get(0)?,
        log,
        institution: InstitutionId(row.get(2)?),
        device: row.get::<_, Option<Uuid>>(3)?.map(DeviceId),
        head: Head::genesis(log),
        acked: Head { seq: row.get(4)?, hash: Hash(row.get(5)?) },
        prunable_through: row.get(6)?,
    })
}

/// Records `first..` of a log, at most `limit`.
pub fn records(conn: &Connection, number: i64, first: u64, limit: usize) -> rusqlite::Result<Vec<Kept>> {
    conn.prepare_cached(
        "SELECT seq, kind, body, hash FROM log WHERE log = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3",
    )?
    .query_map(params![number, first, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok(Kept { seq: row.get(0)?, kind: row.get(1)?, body: row.get(2)?, hash: Hash(row.get(3)?) })
    })?
    .collect()
}

/// The hash at a number of a log; the genesis at 0, `None` past its end.
pub fn hash_at(conn: &Connection, number: i64, log: LogId, seq: u64) -> rusqlite::Result<Option<Hash>> {
    if seq == 0 {
        return Ok(Some(Hash::genesis(log)));
    }
    conn.prepare_cached("SELECT hash FROM log WHERE log = ?1 AND seq = ?2")?
        .query_row(params![number, seq], |row| row.get(0).map(Hash))
        .optional()
}

/// Every log on disk, oldest first.
pub fn all(conn: &Connection) -> rusqlite::Result<Vec<Position>> {
    let mut logs = conn
        .prepare(
            "SELECT number, log_id, institution_id, device_id, acked_through, acked_hash, prunable_through
             FROM logs ORDER BY number",
        )?
        .query_map([], read_position)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for log in &mut logs {
        let last = conn
            .query_row(
                "SELECT seq, hash FROM log WHERE log = ?1 ORDER BY seq DESC LIMIT 1",
                [log.number],
                |row| Ok(Head { seq: row.get(0)?, hash: Hash(row.get(1)?) }),
            )
            .optional()?;
        log.head = last.unwrap_or(log.head);
    }
    Ok(logs)
}

/// What the cloud does not hold yet is contiguous and chained from what it holds.
pub fn verify_from_acked(conn: &Connection) -> Result<(), Broken> {
    let Some(open) = position(conn)? else { return Ok(()) };
    watermark_holds(conn, &open)?;
    verify(conn, &open, open.acked).map(drop)
}

/// The whole log is contiguous and chained; answers how many records that were.
pub fn verify_whole(conn: &Connection, log: &Position) -> Result<u64, Broken> {
    watermark_holds(conn, log)?;
    verify(conn, log, Head::genesis(log.log))
}

fn watermark_holds(conn: &Connection, log: &Position) -> Result<(), Broken> {
    let here = hash_at(conn, log.number, log.log, log.acked.seq)?;
    if here == Some(log.acked.hash) {
        Ok(())
    } else {
        Err(Broken::Watermark { log: log.number, seq: log.acked.seq })
    }
}

fn verify(conn: &Connection, log: &Position, from: Head) -> Result<u64, Broken> {
    let mut statement =
        conn.prepare("SELECT seq, body, hash FROM log WHERE log = ?1 AND seq > ?2 ORDER BY seq")?;
    let mut rows = statement.query(params![log.number, from.seq])?;
    let mut head = from;
    while let Some(row) = rows.next()? {
        let seq: u64 = row.get(0)?;
        if seq != head.seq + 1 {
            return Err(Broken::Gap { log: log.number, expected: head.seq + 1 });
        }
        head = head.append(log.log, row.get_ref(1)?.as_bytes().map_err(rusqlite::Error::from)?);
        if Hash(row.get(2)?) != head.hash {
            return Err(Broken::Chain { log: log.number, seq });
        }
    }
    Ok(head.seq - from.seq)
}

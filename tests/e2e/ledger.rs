//! What both sides hold, read from their databases behind their backs, and what must be true of it.
//!
//! Nothing here asks the programs under test: a program that lies about its own books must be caught.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use hadir_shared::{
    chain::{Hash, Head},
    ids::LogId,
    rules::{
        duplicate::{Content, NaturalKey, Second, compare},
        status::{Direction, decide},
    },
    wire::record::{Record, What},
};
use rusqlite::OpenFlags;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

/// A record as the cloud keeps it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Kept {
    pub log_id: Uuid,
    pub seq: i64,
    pub body: String,
    pub hash: String,
    pub verdict: String,
}

/// A line of the cloud's attendance books.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, sqlx::FromRow)]
pub struct Line {
    pub user_id: i64,
    pub day: String,
    pub direction: String,
    pub status: String,
    pub late_minutes: i64,
    pub event_id: Uuid,
}

/// Where the cloud's books are.
#[derive(Debug, Clone)]
pub enum Books {
    Sqlite(PathBuf),
    Postgres(String),
}

const KEPT: &str =
    "SELECT log_id, seq, body, hash, verdict FROM sync_records WHERE device_id = $1 ORDER BY id";
const LINES: &str = "SELECT user_id, CAST(day AS TEXT) AS day, type AS direction, status, late_minutes, event_id FROM attendance \
                     WHERE device_id = $1 AND id NOT IN (SELECT attendance_id FROM attendance_voids WHERE attendance_id IS NOT NULL) \
                     ORDER BY user_id, day, type";
const LINES_OF_THE_BOX: &str = "SELECT user_id, day, direction, status, late_minutes, event FROM attendance ORDER BY user_id, day, direction";

impl Books {
    /// Every record of a box, in the order they were taken in.
    pub async fn records(&self, device: Uuid) -> anyhow::Result<Vec<Kept>> {
        Ok(match self {
            Self::Sqlite(path) => {
                let db = read_only(path)?;
                let mut statement = db.prepare(KEPT)?;
                let rows = statement.query_map([device.as_bytes()], |row| {
                    Ok(Kept {
                        log_id: uuid(row, 0)?,
                        seq: row.get(1)?,
                        body: row.get(2)?,
                        hash: row.get(3)?,
                        verdict: row.get(4)?,
                    })
                })?;
                rows.collect::<Result<_, _>>()?
            }
            Self::Postgres(url) => {
                sqlx::query_as(KEPT).bind(device).fetch_all(&mut PgConnection::connect(url).await?).await?
            }
        })
    }

    /// Every line that came from a box, and counts.
    pub async fn lines(&self, device: Uuid) -> anyhow::Result<Vec<Line>> {
        Ok(match self {
            Self::Sqlite(path) => {
                let db = read_only(path)?;
                let mut statement = db.prepare(LINES)?;
                let rows = statement.query_map([device.as_bytes()], line)?;
                rows.collect::<Result<_, _>>()?
            }
            Self::Postgres(url) => {
                sqlx::query_as(LINES).bind(device).fetch_all(&mut PgConnection::connect(url).await?).await?
            }
        })
    }
}

/// Every line of a box's own books, in the order of [`Books::lines`].
pub fn lines_of_the_box(database: &Path) -> anyhow::Result<Vec<Line>> {
    let db = read_only(database)?;
    let mut statement = db.prepare(LINES_OF_THE_BOX)?;
    let rows = statement.query_map([], line)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn line(row: &rusqlite::Row<'_>) -> rusqlite::Result<Line> {
    Ok(Line {
        user_id: row.get(0)?,
        day: row.get(1)?,
        direction: row.get(2)?,
        status: row.get(3)?,
        late_minutes: row.get(4)?,
        event_id: uuid(row, 5)?,
    })
}

/// The exact bytes and hashes of a box's own log, in order.
pub fn log_of_the_box(database: &Path, log: LogId) -> anyhow::Result<Vec<(i64, String, Hash)>> {
    let db = read_only(database)?;
    let mut statement = db.prepare(
        "SELECT r.seq, r.body, r.hash FROM log r JOIN logs l ON l.number = r.log WHERE l.log_id = ?1 ORDER BY r.seq",
    )?;
    let rows = statement
        .query_map([log.0.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?)))?;
    rows.map(|row| {
        let (seq, body, hash) = row?;
        let hash =
            <[u8; 32]>::try_from(hash).map_err(|_| anyhow::anyhow!("record {seq} has a broken hash"))?;
        Ok((seq, body, Hash(hash)))
    })
    .collect()
}

/// Contiguous, each once, and chained: recomputed here from the bytes.
pub fn assert_chained(records: &[Kept]) {
    let mut heads: BTreeMap<Uuid, Head> = BTreeMap::new();
    for record in records {
        let log = LogId(record.log_id);
        let head = heads.entry(record.log_id).or_insert_with(|| Head::genesis(log));
        *head = head.append(log, record.body.as_bytes());
        assert_eq!(
            record.seq.cast_unsigned(),
            head.seq,
            "records of one log, in order, without a gap or a double"
        );
        assert_eq!(record.hash, head.hash.to_string(), "record {} keeps its hash", record.seq);
    }
}

/// The books, worked out once more from the records: what came first stands, until it is taken back.
pub fn recompute(records: &[Kept]) -> Vec<Line> {
    let mut books: BTreeMap<NaturalKey, (Content, Line)> = BTreeMap::new();
    for kept in records.iter().filter(|kept| kept.verdict != "refused" && kept.verdict != "quarantined") {
        let record: Record = serde_json::from_str(&kept.body).expect("a record that was understood");
        let scan = match record.what {
            What::Scan(scan) => scan,
            What::Void(void) => {
                let key = NaturalKey { user: void.user, day: void.day, direction: void.direction };
                let gone = books.remove(&key).map(|(content, _)| content.event);
                assert_eq!((gone, &*kept.verdict), (Some(void.scan), "stored"), "an undo of what stood");
                continue;
            }
            _ => continue,
        };
        let key = NaturalKey { user: scan.user, day: scan.day, direction: scan.direction };
        let arrival = NaturalKey { direction: Direction::CheckIn, ..key };
        let arrived = (scan.direction == Direction::CheckOut)
            .then(|| books.get(&arrival).map(|(content, _)| content.status))
            .flatten();
        let decision = decide(&scan.schedule, scan.direction, record.at.trusted, arrived);
        let content = Content::new(record.event, &decision);
        match books.get(&key) {
            None => {
                assert_eq!(kept.verdict, "stored", "the first record of {key:?}");
                let line = Line {
                    user_id: scan.user.0,
                    day: scan.day.to_string(),
                    direction: scan.direction.as_str().into(),
                    status: decision.status.as_str().into(),
                    late_minutes: decision.late_minutes,
                    event_id: record.event.0,
                };
                books.insert(key, (content, line));
            }
            Some((standing, _)) => {
                let expected = match compare(standing, &content) {
                    Second::Duplicate => "duplicate",
                    Second::Conflict => "conflict",
                };
                assert_eq!(kept.verdict, expected, "a second record of {key:?}");
            }
        }
    }
    let mut lines: Vec<Line> = books.into_values().map(|(_, line)| line).collect();
    lines.sort();
    lines
}

/// The attendance books say what the records say, each key once.
pub fn assert_equal_to_recomputation(records: &[Kept], mut lines: Vec<Line>) {
    let keys: BTreeSet<_> = lines.iter().map(|l| (l.user_id, &l.day, &l.direction)).collect();
    assert_eq!(keys.len(), lines.len(), "one line per person, day and direction");
    lines.sort();
    assert_eq!(lines, recompute(records), "attendance equals a recomputation from the records");
}

fn read_only(path: &Path) -> anyhow::Result<rusqlite::Connection> {
    let db = rusqlite::Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(db)
}

fn uuid(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    let bytes: Vec<u8> = row.get(column)?;
    Uuid::from_slice(&bytes).map_err(|e| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, Box::new(e))
    })
}

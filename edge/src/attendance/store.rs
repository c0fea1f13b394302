//! The projection of the log: one line per person, day and direction.

use hadir_shared::{
    ids::{ClassId, EventId, LogId, UserId},
    rules::{
        fence::{Position as Place, Verdict},
        status::{Decision, Direction, Status, decide},
    },
    time::{Grade, Millis, SchoolDay},
    wire::record::{Record, Scan, Stamp, Void, What},
};
use rusqlite::{Connection, OptionalExtension as _, Row, params, types::Type};
use uuid::Uuid;

use super::AttendanceRow;
use crate::store::{NotSaved, Tx, log, open};

const COLUMNS: &str =
    "a.seq, a.event, a.user_id, a.direction, a.day, a.status, a.late_minutes, a.early_minutes,
     a.claimed, a.trusted, a.grade, a.token, a.gate, a.class_id, a.latitude, a.longitude, a.accuracy, a.fence,
     a.seq <= l.acked_through";
const FROM: &str = "FROM attendance a JOIN logs l ON l.number = a.log";
const FROM_VOIDED: &str = "FROM voided a JOIN logs l ON l.number = a.log";

/// Where a record stands.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// The log's number on this box.
    pub log: i64,
    pub seq: u64,
}

/// Writes the line of a scan, unless its key is taken. `false` when it is: what was recorded first stands.
pub fn project(
    conn: &Connection,
    at: At,
    event: EventId,
    stamp: &Stamp,
    scan: &Scan,
) -> rusqlite::Result<bool> {
    let arrived = match scan.direction {
        Direction::CheckIn => None,
        Direction::CheckOut => status_of(conn, scan.user, scan.day, Direction::CheckIn)?,
    };
    let Decision { status, late_minutes, early_minutes } =
        decide(&scan.schedule, scan.direction, stamp.trusted, arrived);
    let written = conn
        .prepare_cached(
            "INSERT INTO attendance (user_id, day, direction, log, seq, event, status, late_minutes, early_minutes,
                claimed, trusted, grade, token, gate, class_id, latitude, longitude, accuracy, fence)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
             ON CONFLICT (user_id, day, direction) DO NOTHING",
        )?
        .execute(params![
            scan.user.0,
            scan.day.to_string(),
            scan.direction.as_str(),
            at.log,
            at.seq,
            event.0,
            status.as_str(),
            late_minutes,
            early_minutes,
            stamp.claimed.0,
            stamp.trusted.0,
            stamp.grade.as_str(),
            scan.token,
            scan.gate,
            scan.class.map(|c| c.0),
            scan.position.map(|p| p.latitude),
            scan.position.map(|p| p.longitude),
            scan.position.and_then(|p| p.accuracy),
            scan.fence.map(Verdict::as_str),
        ])?;
    Ok(written > 0)
}

fn status_of(
    conn: &Connection,
    user: UserId,
    day: SchoolDay,
    direction: Direction,
) -> rusqlite::Result<Option<Status>> {
    let word: Option<String> = conn
        .prepare_cached("SELECT status FROM attendance WHERE user_id = ?1 AND day = ?2 AND direction = ?3")?
        .query_row(params![user.0, day.to_string(), direction.as_str()], |row| row.get(0))
        .optional()?;
    Ok(word.and_then(|word| Status::parse(&word)))
}

/// The line of a key.
pub fn find(
    conn: &Connection,
    user: UserId,
    day: SchoolDay,
    direction: Direction,
) -> rusqlite::Result<Option<AttendanceRow>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} {FROM} WHERE a.user_id = ?1 AND a.day = ?2 AND a.direction = ?3"
    ))?
    .query_row(params![user.0, day.to_string(), direction.as_str()], read)
    .optional()
}

/// Every line of a day.
pub fn of_day(conn: &Connection, day: SchoolDay) -> rusqlite::Result<Vec<AttendanceRow>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} {FROM} WHERE a.day = ?1"))?
        .query_map([day.to_string()], read)?
        .collect()
}

/// Somebody's lines between two days, newest first, and how many there are.
pub fn history(
    conn: &Connection,
    user: UserId,
    from: Option<SchoolDay>,
    to: Option<SchoolDay>,
    page: u32,
    per_page: u32,
) -> rusqlite::Result<(Vec<AttendanceRow>, u64)> {
    let from = from.map_or_else(|| "0000-00-00".to_owned(), |day| day.to_string());
    let to = to.map_or_else(|| "9999-99-99".to_owned(), |day| day.to_string());
    let skip = u64::from(page.max(1) - 1) * u64::from(per_page);
    let rows = conn
        .prepare_cached(&format!(
            "SELECT {COLUMNS} {FROM} WHERE a.user_id = ?1 AND a.day BETWEEN ?2 AND ?3
             ORDER BY a.day DESC, a.direction DESC LIMIT ?4 OFFSET ?5"
        ))?
        .query_map(params![user.0, from, to, per_page, skip], read)?
        .collect::<rusqlite::Result<_>>()?;
    let total = conn
        .prepare_cached("SELECT COUNT(*) FROM attendance WHERE user_id = ?1 AND day BETWEEN ?2 AND ?3")?
        .query_row(params![user.0, from, to], |row| row.get(0))?;
    Ok((rows, total))
}

/// The lines recorded last, newest first, and whether each was taken back.
pub fn latest(conn: &Connection, limit: u32) -> rusqlite::Result<Vec<(AttendanceRow, bool)>> {
    conn.prepare_cached(&format!(
        "SELECT * FROM (SELECT {COLUMNS}, FALSE, a.log {FROM} ORDER BY a.log DESC, a.seq DESC LIMIT ?1)
         UNION ALL
         SELECT * FROM (SELECT {COLUMNS}, TRUE, a.log {FROM_VOIDED} ORDER BY a.log DESC, a.seq DESC LIMIT ?1)
         ORDER BY 21 DESC, 1 DESC LIMIT ?1"
    ))?
    .query_map([limit], |row| Ok((read(row)?, row.get(19)?)))?
    .collect()
}

/// The line of a record of that day that stands.
pub fn by_event(
    conn: &Connection,
    day: SchoolDay,
    event: EventId,
) -> rusqlite::Result<Option<AttendanceRow>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} {FROM} WHERE a.day = ?1 AND a.event = ?2"))?
        .query_row(params![day.to_string(), event.0], read)
        .optional()
}

/// The line of a record that was taken back.
pub fn voided_by_event(
    conn: &Connection,
    day: SchoolDay,
    event: EventId,
) -> rusqlite::Result<Option<AttendanceRow>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} {FROM_VOIDED} WHERE a.day = ?1 AND a.event = ?2"))?
        .query_row(params![day.to_string(), event.0], read)
        .optional()
}

/// Takes a line back and frees its key. `false` when it does not stand: it was taken back before, or another does.
pub fn void(conn: &Connection, void: &Void) -> rusqlite::Result<bool> {
    let key = params![void.user.0, void.day.to_string(), void.direction.as_str(), void.scan.0];
    let kept = conn
        .prepare_cached(
            "INSERT INTO voided SELECT * FROM attendance
             WHERE user_id = ?1 AND day = ?2 AND direction = ?3 AND event = ?4",
        )?
        .execute(key)?;
    conn.prepare_cached(
        "DELETE FROM attendance WHERE user_id = ?1 AND day = ?2 AND direction = ?3 AND event = ?4",
    )?
    .execute(key)?;
    Ok(kept > 0)
}

/// The latest trusted time of a line that was not in doubt.
pub fn latest_trusted(conn: &Connection) -> rusqlite::Result<Option<Millis>> {
    conn.query_row("SELECT MAX(trusted) FROM attendance WHERE grade <> 'suspect'", [], |row| {
        Ok(row.get::<_, Option<i64>>(0)?.map(Millis))
    })
}

/// Works the projection out again, in place.
pub fn rebuild(tx: &Tx<'_>) -> Result<(), NotSaved> {
    tx.execute("DELETE FROM attendance", [])?;
    tx.execute("DELETE FROM voided", [])?;
    Ok(fold(tx, tx)?)
}

/// Whether the projection is what the logs say; answers how many lines that are, or the first that differs.
pub fn compare_with_rebuild(conn: &Connection) -> Result<u64, String> {
    let text = |error: rusqlite::Error| error.to_string();
    let fresh = open::in_memory().map_err(text)?;
    copy_logs(conn, &fresh).map_err(text)?;
    fold(conn, &fresh).map_err(text)?;
    let all = format!(
        "SELECT {COLUMNS}, FALSE {FROM} UNION ALL SELECT {COLUMNS}, TRUE {FROM_VOIDED} ORDER BY 20, 3, 5, 4, 1"
    );
    let read = |row: &Row<'_>| Ok((read(row)?, row.get::<_, bool>(19)?));
    let (mut here, mut there) = (conn.prepare(&all).map_err(text)?, fresh.prepare(&all).map_err(text)?);
    let mut here = here.query_map([], read).map_err(text)?;
    let mut there = there.query_map([], read).map_err(text)?;
    let mut same = 0;
    loop {
        match (here.next().transpose().map_err(text)?, there.next().transpose().map_err(text)?) {
            (None, None) => return Ok(same),
            (Some(a), Some(b)) if a == b => same += 1,
            (a, b) => {
                let of = a.or(b).map_or(0, |(row, _)| row.seq);
                return Err(format!("the attendance line of record {of} is not what the log says"));
            }
        }
    }
}

fn copy_logs(from: &Connection, to: &Connection) -> rusqlite::Result<()> {
    for log in log::all(from)? {
        to.execute(
            "INSERT INTO logs (number, log_id, institution_id, device_id, opened_at, acked_through, acked_hash,
                prunable_through)
             VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7)",
            params![
                log.number,
                log.log.0,
                log.institution.0,
                log.device.map(|d| d.0),
                log.acked.seq,
                log.acked.hash.0,
                log.prunable_through
            ],
        )?;
    }
    Ok(())
}

/// Every scan of the logs of the present membership, and what was taken back, in order.
fn fold(from: &Connection, to: &Connection) -> rusqlite::Result<()> {
    let mut statement = from.prepare(
        "SELECT r.log, r.seq, r.body FROM log r JOIN logs l ON l.number = r.log
         WHERE r.kind IN ('attendance', 'void') AND l.device_id IS (SELECT device_id FROM logs ORDER BY number DESC LIMIT 1)
         ORDER BY r.log, r.seq",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let at = At { log: row.get(0)?, seq: row.get(1)? };
        let body = row.get_ref(2)?.as_str()?;
        // A kind of record that a newer version wrote is not this version's to project.
        let Ok(record) = serde_json::from_str::<Record>(body) else { continue };
        take(to, at, &record)?;
    }
    Ok(())
}

/// Projects a record that may have moved here from a log the box had to leave.
pub fn take(conn: &Connection, at: At, record: &Record) -> rusqlite::Result<()> {
    let scan = match &record.what {
        What::Scan(scan) => scan,
        // Its scan came before it; where that did not, there is nothing to take back.
        What::Void(it) => return void(conn, it).map(drop),
        _ => return Ok(()),
    };
    if let Some(origin) = record.origin
        && moved(conn, origin.log, origin.seq, at)?
    {
        return Ok(());
    }
    project(conn, at, record.event, &record.at, scan).map(drop)
}

/// Points the line of a record at its new place. `false` when there is no such line.
fn moved(conn: &Connection, log: LogId, seq: u64, to: At) -> rusqlite::Result<bool> {
    let place = params![to.log, to.seq, seq, log.0];
    let standing = conn.execute(
        "UPDATE attendance SET log = ?1, seq = ?2
         WHERE seq = ?3 AND log = (SELECT number FROM logs WHERE log_id = ?4)",
        place,
    )?;
    let voided = conn.execute(
        "UPDATE voided SET log = ?1, seq = ?2
         WHERE seq = ?3 AND log = (SELECT number FROM logs WHERE log_id = ?4)",
        place,
    )?;
    Ok(standing + voided > 0)
}

fn read(row: &Row<'_>) -> rusqlite::Result<AttendanceRow> {
    let position = match (row.get(14)?, row.get(15)?) {
        (Some(latitude), Some(longitude)) => Some(Place { latitude, longitude, accuracy: row.get(16)? }),
        _ => None,
    };
    Ok(AttendanceRow {
        seq: row.get(0)?,
        event: EventId(row.get::<_, Uuid>(1)?),
        user: UserId(row.get(2)?),
        direction: word(row, 3, Direction::parse)?,
        day: word(row, 4, |text| text.parse().ok())?,
        decision: Decision {
            status: word(row, 5, Status::parse)?,
            late_minutes: row.get(6)?,
            early_minutes: row.get(7)?,
        },
        claimed: Millis(row.get(8)?),
        trusted: Millis(row.get(9)?),
        grade: word(row, 10, grade)?,
        token: row.get(11)?,
        gate: row.get(12)?,
        class: row.get::<_, Option<i64>>(13)?.map(ClassId),
        position,
        fence: row.get_ref(17)?.as_str_or_null()?.and_then(verdict),
        synced: row.get(18)?,
    })
}

fn word<T>(row: &Row<'_>, at: usize, parse: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text = row.get_ref(at)?.as_str()?;
    let unknown = || format!("{text:?} is no such word").into();
    parse(text).ok_or_else(|| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, unknown()))
}

fn grade(text: &str) -> Option<Grade> {
    [Grade::Anchored, Grade::Estimated, Grade::Suspect].into_iter().find(|g| g.as_str() == text)
}

fn verdict(text: &str) -> Option<Verdict> {
    [Verdict::Inside, Verdict::Uncertain, Verdict::Outside].into_iter().find(|v| v.as_str() == text)
}

//! The books worked out a second time, from the records alone.

use std::collections::{HashMap, HashSet};

use hadir_shared::{
    ids::InstitutionId,
    rules::status::{Direction, Schedule, Status, decide},
    time::Millis,
    wire::record::{Record, What},
};
use uuid::Uuid;

use super::store;
use crate::db::Tx;

/// Records read at a time.
const STEP: i64 = 5_000;

/// Where the books and the records disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In `sync_records`; absent for a row that no record explains.
    pub record: Option<i64>,
    pub attendance: Option<i64>,
    pub what: &'static str,
}

/// Compares a school's books with what its records say they must be: every record that counts as stored has exactly the row
/// it leads to, every duplicate names a row that says the same and stands, every row that came through a log has its one record,
/// and every undo of a gate has its own.
///
/// Nothing in the answer means that the books equal their recomputation.
pub async fn recompute(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<Difference>> {
    let mut differences = Vec::new();
    let mut explained: HashMap<i64, i64> = HashMap::new();
    let undone = Undone::of(store::taken(tx, institution).await?);
    let mut undos = HashSet::new();
    let mut after = 0;
    loop {
        let records = store::evidence(tx, institution, after, STEP).await?;
        let Some(last) = records.last() else { break };
        after = last.id;
        for record in &records {
            let is_stored = record.verdict == "stored";
            let read = serde_json::from_str::<Record>(&record.body).ok();
            let is_undo = read.as_ref().is_some_and(|read| matches!(read.what, What::Void(_)));
            undos.extend(read.as_ref().filter(|_| is_undo).map(|read| read.event.0));
            if let Some(what) = flaw(record, read, is_stored, &undone) {
                differences.push(Difference {
                    record: Some(record.id),
                    attendance: record.attendance_id,
                    what,
                });
            }
            let Some(row) = record.attendance_id.filter(|_| is_stored && !is_undo) else { continue };
            if explained.insert(row, record.id).is_some() {
                let what = "two records were stored in one row";
                differences.push(Difference { record: Some(record.id), attendance: Some(row), what });
            }
        }
    }
    for (row,) in store::rows_from_devices(tx, institution).await? {
        if !explained.contains_key(&row) {
            let what = "a row that no record explains";
            differences.push(Difference { record: None, attendance: Some(row), what });
        }
    }
    for (undo, row) in undone.scans.values() {
        if !undos.contains(undo) {
            let what = "an undo that no record explains";
            differences.push(Difference { record: None, attendance: *row, what });
        }
    }
    Ok(differences)
}

/// What was taken back.
struct Undone {
    /// By box and scan: the event of the undo, and the row it took back.
    scans: HashMap<(Uuid, Uuid), (Uuid, Option<i64>)>,
    rows: HashSet<i64>,
}

impl Undone {
    fn of(taken: Vec<store::Taken>) -> Self {
        let rows = taken.iter().filter_map(|one| one.attendance_id).collect();
        let scan = |one: store::Taken| ((one.device_id, one.scan_event), (one.event_id, one.attendance_id));
        Self { rows, scans: taken.into_iter().map(scan).collect() }
    }
}

/// What a record must have become.
struct Passage {
    direction: Direction,
    schedule: Schedule,
}

fn passage(what: What) -> Option<Passage> {
    match what {
        What::Scan(scan) => Some(Passage { direction: scan.direction, schedule: scan.schedule }),
        What::UnknownCard(card) => Some(Passage { direction: card.direction, schedule: card.schedule }),
        _ => None,
    }
}

fn flaw(
    record: &store::Evidence,
    read: Option<Record>,
    is_stored: bool,
    undone: &Undone,
) -> Option<&'static str> {
    let Some(Record { event, at, what, .. }) = read else {
        return Some("counted, and cannot be read");
    };
    if let What::Void(void) = &what {
        let made = undone.scans.get(&(record.device_id, void.scan.0));
        let is_as_told =
            made.is_some_and(|(undo, row)| !is_stored || (*undo == event.0 && *row == record.attendance_id));
        return (!is_as_told).then_some("counted, and its scan was not taken back");
    }
    let was_taken_back = undone.scans.contains_key(&(record.device_id, event.0));
    if was_taken_back && !is_stored {
        // Whatever it said, it says it no more.
        return None;
    }
    let Some(passage) = passage(what) else { return Some("counted, and is no passage of a gate") };
    let trusted = record.said_at.map_or(at.trusted, Millis);
    let Some(arrived) = record.row_status.as_deref().and_then(Status::parse) else {
        return Some("counted, and its row is not there");
    };
    let same_key = record.row_user == record.user_id
        && record.row_day == Some(passage.schedule.zone.day(trusted).0)
        && record.row_type.as_deref() == Some(passage.direction.as_str());
    if !same_key {
        return Some("its row is of another person, day or direction");
    }
    let stands = !record.attendance_id.is_some_and(|row| undone.rows.contains(&row));
    if !is_stored {
        return (!stands).then_some("its row was taken back");
    }
    let same_record = record.row_event == Some(event.0)
        && record.row_claimed.map(Millis) == Some(at.claimed)
        && record.row_trusted.map(Millis) == Some(trusted);
    if !same_record {
        return Some("its row says another moment or event");
    }
    if stands == was_taken_back {
        return Some("its row stands, or does not, against its gate's word");
    }
    let decision = decide(&passage.schedule, passage.direction, trusted, Some(arrived));
    let same_minutes =
        record.row_late == Some(decision.late_minutes) && record.row_early == Some(decision.early_minutes);
    // A check-out keeps what was known of the check-in when it came; the check-in may have come later, or be another by now.
    let known = |status: Status| {
        !stands || record.arrived.as_deref() == Some(status.as_str()) || status == Status::Hadir
    };
    let same_status = match passage.direction {
        Direction::CheckIn => decision.status == arrived,
        Direction::CheckOut => known(arrived),
    };
    if same_minutes && same_status { None } else { Some("its row has another status") }
}

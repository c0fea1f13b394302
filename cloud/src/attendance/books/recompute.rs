//! The books worked out a second time, from the records alone.

use std::collections::HashMap;

use hadir_shared::{
    ids::InstitutionId,
    rules::status::{Direction, Schedule, Status, decide},
    time::Millis,
    wire::record::{Record, What},
};

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
/// it leads to, every duplicate names a row that says the same, and every row that came through a log has its one record.
///
/// Nothing in the answer means that the books equal their recomputation.
pub async fn recompute(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<Difference>> {
    let mut differences = Vec::new();
    let mut explained: HashMap<i64, i64> = HashMap::new();
    let mut after = 0;
    loop {
        let records = store::evidence(tx, institution, after, STEP).await?;
        let Some(last) = records.last() else { break };
        after = last.id;
        for record in &records {
            let is_stored = record.verdict == "stored";
            if let Some(what) = flaw(record, is_stored) {
                differences.push(Difference {
                    record: Some(record.id),
                    attendance: record.attendance_id,
                    what,
                });
            }
            let Some(row) = record.attendance_id.filter(|_| is_stored) else { continue };
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
    Ok(differences)
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

fn flaw(record: &store::Evidence, is_stored: bool) -> Option<&'static str> {
    let Ok(Record { event, at, what, .. }) = serde_json::from_str(&record.body) else {
        return Some("counted, and cannot be read");
    };
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
    if !is_stored {
        return None;
    }
    let same_record = record.row_event == Some(event.0)
        && record.row_claimed.map(Millis) == Some(at.claimed)
        && record.row_trusted.map(Millis) == Some(trusted);
    if !same_record {
        return Some("its row says another moment or event");
    }
    let decision = decide(&passage.schedule, passage.direction, trusted, Some(arrived));
    let same_minutes =
        record.row_late == Some(decision.late_minutes) && record.row_early == Some(decision.early_minutes);
    // A check-out keeps what was known of the check-in when it came; the check-in may have come later.
    let known =
        |status: Status| record.arrived.as_deref() == Some(status.as_str()) || status == Status::Hadir;
    let same_status = match passage.direction {
        Direction::CheckIn => decision.status == arrived,
        Direction::CheckOut => known(arrived),
    };
    if same_minutes && same_status { None } else { Some("its row has another status") }
}

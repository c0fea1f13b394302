//! The attendance books: who came and went, one row per person, school day and direction.
//!
//! What always holds:
//! - [`project`] is the only way in, for boxes, `process-attendance`, check-ins online and retries alike, so no path can
//!   decide differently from another;
//! - a row is never edited and never deleted: what was entered first stands, and the second record of a key is a duplicate
//!   (it says the same) or a conflict (it says otherwise);
//! - an absence that was marked when the day was over does not stand in the way of who turns out to have come;
//! - what a gate took back ([`take_back`]) stands no more: a row beside it says so, and the next scan of its key is entered;
//! - the status follows from the record's own schedule and its trusted time, not from the settings of today;
//! - of two boxes that enter the same key at once, one wins and the other is told so: the unique key decides, and the
//!   loser compares with what won.
//!
//! Absent on purpose: permission (the caller's), geofence and tokens (judged where the person stood), corrections.

use std::collections::HashMap;

use hadir_shared::{
    ids::{ClassId, DeviceId, EventId, InstitutionId, UserId},
    rules::{
        duplicate::{Second, compare},
        fence::{Position, Verdict},
        status::{Direction, Schedule},
    },
    time::{Grade, Millis},
    wire::{
        batch::Reason,
        record::{Scan, Stamp},
    },
};

use crate::db::Tx;

/// How often a call begins again because somebody else committed the same key meanwhile. Each time that is somebody's
/// success, so it ends long before.
const MOST_ROUNDS: usize = 16;

mod plan;
mod recompute;
mod store;
mod taken_back;
#[cfg(test)]
mod tests;

pub use recompute::{Difference, recompute};
pub use taken_back::{Undo, take_back};

/// Somebody passed, and it is to be entered.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub event: EventId,
    pub user: UserId,
    pub direction: Direction,
    /// What the device's wall clock showed.
    pub claimed: Millis,
    /// What decides the day and the status.
    pub trusted: Millis,
    pub grade: Grade,
    pub position: Option<Position>,
    pub fence: Option<Verdict>,
    pub photo_path: Option<String>,
    /// The contract's `qr_token_used`.
    pub token: String,
    /// The student's class that day.
    pub class: Option<ClassId>,
    /// The rules this record is decided by.
    pub schedule: Schedule,
    /// `None`: recorded online, at the cloud itself.
    pub device: Option<DeviceId>,
    pub gate: Option<String>,
    pub operator: Option<UserId>,
}

impl Candidate {
    /// From a box's record.
    pub fn scanned(event: EventId, at: Stamp, scan: Scan, device: DeviceId) -> Self {
        Self {
            event,
            user: scan.user,
            direction: scan.direction,
            claimed: at.claimed,
            trusted: at.trusted,
            grade: at.grade,
            position: scan.position,
            fence: scan.fence,
            photo_path: None,
            token: scan.token,
            class: scan.class,
            schedule: scan.schedule,
            device: Some(device),
            gate: Some(scan.gate),
            operator: scan.operator,
        }
    }

    /// Whether its texts can be written down: `PostgreSQL` has none with a NUL in it.
    pub fn is_writable(&self) -> bool {
        !self.token.contains('\0') && !self.gate.as_ref().is_some_and(|gate| gate.contains('\0'))
    }
}

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Entered.
    Stored {
        attendance_id: i64,
    },
    /// The books say so already, in this row.
    Duplicate {
        attendance_id: i64,
    },
    /// The books say otherwise.
    Conflict,
    /// Its own gate took it back: it is not entered, now or later.
    TakenBack,
    Refused(Reason),
}

/// Enters what can be entered and answers for every candidate, in order. It costs four statements, however many there are, and
/// two more where a candidate meets what stands already.
pub async fn project(
    tx: &mut Tx,
    institution: InstitutionId,
    candidates: &[Candidate],
    now: Millis,
) -> sqlx::Result<Vec<Outcome>> {
    project_with(tx, institution, candidates, false, now).await
}

/// As [`project`], for one candidate whose person may have become inactive since: somebody answers for it.
pub async fn project_of_inactive(
    tx: &mut Tx,
    institution: InstitutionId,
    candidate: Candidate,
    now: Millis,
) -> sqlx::Result<Option<Outcome>> {
    Ok(project_with(tx, institution, &[candidate], true, now).await?.pop())
}

async fn project_with(
    tx: &mut Tx,
    institution: InstitutionId,
    candidates: &[Candidate],
    may_be_inactive: bool,
    now: Millis,
) -> sqlx::Result<Vec<Outcome>> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let mut people =
        store::people(tx, institution, candidates.iter().map(|candidate| candidate.user)).await?;
    for person in people.values_mut().filter(|_| may_be_inactive) {
        person.active = true;
    }
    let mut own = HashMap::new();
    let mut outcomes = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let mut days = store::standing(tx, institution, candidates.iter().map(plan::day_of)).await?;
        days.claim(&own);
        let judged = plan::judge(candidates, &people, &mut days, now);
        let mut entries: Vec<_> = plan::entries(candidates, &judged, &days).collect();
        // In the order of the key, so that two boxes entering the same people wait for each other in the same order.
        entries.sort_unstable_by_key(|entry| entry.key);
        let entered = if entries.is_empty() {
            Vec::new()
        } else {
            store::enter(tx, institution, &entries, now).await?
        };
        for (key, id) in &entered {
            own.extend(days.confirm(*key, *id).map(|index| (*id, index)));
        }
        let is_whole = entered.len() == entries.len();
        outcomes = judged.iter().enumerate().map(|(index, judged)| outcome(index, judged, &days)).collect();
        // Somebody else entered a key meanwhile, or took back what stood: then it is decided by what stands now.
        if is_whole && !store::were_taken_back(tx, institution, &met(&outcomes, &judged, &days)).await? {
            break;
        }
    }
    Ok(outcomes)
}

/// The rows that decided what was not entered.
fn met(outcomes: &[Outcome], judged: &[Result<plan::Judged, Reason>], days: &plan::Days) -> Vec<i64> {
    let is_second = |outcome: &Outcome| matches!(outcome, Outcome::Duplicate { .. } | Outcome::Conflict);
    let keys = outcomes.iter().zip(judged).filter(|(outcome, _)| is_second(outcome));
    let standing = keys.filter_map(|(_, judged)| days.get(judged.as_ref().ok()?.key));
    let mut ids: Vec<i64> =
        standing.filter(|standing| standing.entered_by.is_none()).map(|standing| standing.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn outcome(index: usize, judged: &Result<plan::Judged, Reason>, days: &plan::Days) -> Outcome {
    let judged = match judged {
        Ok(judged) => judged,
        Err(reason) => return Outcome::Refused(*reason),
    };
    if judged.is_taken_back {
        return Outcome::TakenBack;
    }
    match days.get(judged.key) {
        // Lost to somebody else, whom this call has not met yet.
        Some(standing) if standing.id == 0 => Outcome::Conflict,
        Some(standing) if standing.entered_by == Some(index) => {
            Outcome::Stored { attendance_id: standing.id }
        }
        Some(standing) => match compare(&standing.content, &judged.content()) {
            Second::Duplicate => Outcome::Duplicate { attendance_id: standing.id },
            Second::Conflict => Outcome::Conflict,
        },
        // Every other key stands: it was found, or entered.
        None => Outcome::Conflict,
    }
}

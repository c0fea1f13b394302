//! A scan taken back at its gate: the books are as if it had not been.
//!
//! What always holds:
//! - the row and its record stay; the undo is a row beside them, once per scan, whatever is sent how often;
//! - a box takes back what it recorded itself, within minutes, by the rule its own gate decided with
//!   ([`hadir_shared::rules::undo`]);
//! - what a person decided stands: a day that was corrected is not changed by a machine;
//! - who was seen by another gate meanwhile was seen: a record that was a duplicate of what is gone, or a conflict with it, is
//!   decided again, in the order they came;
//! - a scan that is not in the books, because it was a duplicate, refused or not understood, will not come in later either.
//!
//! Absent on purpose: the absence that a past day has then (`absences`, by the caller), and undoing an undo: who is there is
//! scanned once more.

use hadir_shared::{
    ids::{DeviceId, EventId, InstitutionId},
    rules::{
        duplicate::NaturalKey,
        undo::{Scanned, Stays, may_undo},
    },
    time::Millis,
    wire::{
        batch::{Reason, Verdict},
        record::{Method, Record, Stamp, Void, What},
        roster::Role,
    },
};

use super::{Candidate, Outcome, project, store as books};
use crate::db::Tx;

mod store;

/// An undo, as its box recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    pub event: EventId,
    pub device: DeviceId,
    pub at: Stamp,
    pub void: Void,
}

impl Undo {
    const fn key(&self) -> NaturalKey {
        NaturalKey { user: self.void.user, day: self.void.day, direction: self.void.direction }
    }

    /// Whether its texts can be written down: `PostgreSQL` has none with a NUL in it.
    pub fn is_writable(&self) -> bool {
        !self.void.gate.contains('\0') && !self.void.reason.contains('\0')
    }
}

/// Takes a scan back, and answers as for a passage: `Stored` with the row that stands no more, or `TakenBack` where the scan
/// had none.
pub async fn take_back(
    tx: &mut Tx,
    institution: InstitutionId,
    undo: &Undo,
    now: Millis,
) -> sqlx::Result<Outcome> {
    if let Some(row) = store::undone(tx, institution, undo).await? {
        return Ok(row.map_or(Outcome::TakenBack, |attendance_id| Outcome::Duplicate { attendance_id }));
    }
    let row = store::row(tx, institution, undo).await?;
    let rivals = store::rivals(tx, institution, undo.key()).await?;
    let refused = match &row {
        Some(row) => refusal(tx, institution, undo, row).await?,
        None => is_of_another(undo, &rivals).then_some(Outcome::Refused(Reason::NotAllowed)),
    };
    if let Some(refused) = refused {
        return Ok(refused);
    }
    let row = row.map(|row| row.id);
    if store::insert(tx, institution, undo, row, now).await? == 0 {
        // The same undo through another log, at the same moment.
        return Ok(row.map_or(Outcome::TakenBack, |attendance_id| Outcome::Duplicate { attendance_id }));
    }
    let Some(attendance_id) = row else { return Ok(Outcome::TakenBack) };
    decide_again(tx, institution, undo, &rivals, now).await?;
    Ok(Outcome::Stored { attendance_id })
}

/// Why a row that is in the books stays there.
async fn refusal(
    tx: &mut Tx,
    institution: InstitutionId,
    undo: &Undo,
    row: &store::Standing,
) -> sqlx::Result<Option<Outcome>> {
    let not_allowed = Some(Outcome::Refused(Reason::NotAllowed));
    if row.device_id != Some(undo.device.0) {
        return Ok(not_allowed);
    }
    let people = books::people(tx, institution, std::iter::once(undo.void.user)).await?;
    let role = people.get(&undo.void.user).and_then(|person| person.role);
    let scanned = Scanned {
        direction: undo.void.direction,
        at: Millis(row.trusted_at),
        is_of_a_student: role.is_none_or(|role| role == Role::Siswa),
        checked_out: store::is_checked_out(tx, institution, undo.key()).await?,
    };
    match may_undo(&scanned, undo.at.trusted) {
        Err(Stays::TooLate | Stays::NotOfTheGate) => return Ok(not_allowed),
        Err(Stays::CheckedOut) => return Ok(Some(Outcome::Refused(Reason::DecidedSince))),
        Ok(()) => {}
    }
    let is_corrected = store::is_corrected(tx, institution, undo.key()).await?;
    Ok(is_corrected.then_some(Outcome::Refused(Reason::DecidedSince)))
}

/// Whether a scan that is not in the books was another box's.
fn is_of_another(undo: &Undo, rivals: &[store::Rival]) -> bool {
    rivals.iter().any(|rival| {
        rival.device_id != undo.device.0 && rival.read().is_some_and(|record| record.event == undo.void.scan)
    })
}

/// Lets those count whom the row stood in the way of.
async fn decide_again(
    tx: &mut Tx,
    institution: InstitutionId,
    undo: &Undo,
    rivals: &[store::Rival],
    now: Millis,
) -> sqlx::Result<()> {
    let key = undo.key();
    let (ids, candidates): (Vec<i64>, Vec<Candidate>) =
        rivals.iter().filter_map(|rival| Some((rival.id, candidate(rival, key)?))).unzip();
    let outcomes = project(tx, institution, &candidates, now).await?;
    for (id, outcome) in ids.into_iter().zip(outcomes) {
        store::decide(tx, institution, id, outcome.verdict(), now).await?;
    }
    Ok(())
}

/// The passage of a record, if it is one of this key by its own word. Others were given to the person or the day by somebody,
/// who decides about them again.
fn candidate(rival: &store::Rival, key: NaturalKey) -> Option<Candidate> {
    let Record { event, at, what: What::Scan(scan), .. } = rival.read()? else { return None };
    let (method, schedule) = (scan.method, scan.schedule);
    let candidate = Candidate::scanned(event, at, *scan, DeviceId(rival.device_id));
    let (user, day) = (candidate.user, schedule.zone.day(candidate.trusted));
    if (NaturalKey { user, day, direction: candidate.direction }) != key || !candidate.is_writable() {
        return None;
    }
    let gate = candidate.gate.filter(|_| method != Method::Offline);
    Some(Candidate { gate, ..candidate })
}

impl Outcome {
    /// As the log of the box's records has it, with the row it names.
    pub const fn verdict(self) -> (Verdict, Option<Reason>, Option<i64>) {
        match self {
            Self::Stored { attendance_id } => (Verdict::Stored, None, Some(attendance_id)),
            Self::Duplicate { attendance_id } => {
                (Verdict::Duplicate, Some(Reason::AlreadyRecorded), Some(attendance_id))
            }
            Self::Conflict => (Verdict::Conflict, Some(Reason::Contradicts), None),
            Self::TakenBack => (Verdict::Duplicate, Some(Reason::TakenBack), None),
            Self::Refused(reason @ Reason::DecidedSince) => (Verdict::Conflict, Some(reason), None),
            Self::Refused(reason) => (Verdict::Refused, Some(reason), None),
        }
    }
}

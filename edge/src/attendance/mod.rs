//! A person passes the gate: who it is, what it means, and the record of it.
//!
//! Invariants:
//! - Whoever is told "recorded" is on disk: log row, hash and projection in one transaction, answered after its commit.
//! - One check-in and one check-out per person and school day, decided inside that transaction by a unique key. A second
//!   one appends nothing and is told of the first.
//! - What is taken back at the gate is a record of its own: the scan stays in the log, and its key is free again.
//! - Lateness is decided from trusted time, by the same rule as at the cloud, from the schedule stored on the record.
//! - Nothing here waits for the internet.

mod gate;
pub mod store;
#[cfg(test)]
mod tests;

use hadir_shared::{
    ids::{ClassId, EventId, UserId},
    rules::{
        fence::{Position, Verdict},
        status::{Decision, Direction},
        undo::Stays,
    },
    time::{Grade, Millis, Reading, SchoolDay},
    wire::roster::Person,
};
use serde::Serialize;

pub use self::gate::Gate;
use crate::store::{NotSaved, Undo};

/// How a student is named at the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// What a camera or a scanner read.
    Scanned(String),
    /// A NISN typed in by whoever stands at the gate.
    Number(String),
}

/// A student at the gate.
#[derive(Debug, Clone)]
pub struct ScanRequest {
    pub code: Code,
    /// `None` is decided by the hours.
    pub direction: Option<Direction>,
    /// Only students of this class are accepted, when it is given.
    pub class: Option<ClassId>,
    pub position: Option<Position>,
    pub gate: String,
    pub operator: Option<UserId>,
}

/// A member of staff, with the rotating QR.
#[derive(Debug, Clone)]
pub struct PassRequest {
    pub user: UserId,
    pub direction: Direction,
    /// The token, the address that ends with it, or the six digits.
    pub token: String,
    /// The clocks as the request arrived: that moment counts, not the one after a login.
    pub received: Reading,
    pub position: Option<Position>,
    pub gate: String,
}

/// A scan that is taken back, moments later.
#[derive(Debug, Clone)]
pub struct UndoRequest {
    pub event: EventId,
    /// In the words of whoever did it; may be empty.
    pub reason: String,
    pub gate: String,
    pub operator: Option<UserId>,
}

/// Every student of a class who has no check-in that day, as present at the end of the check-in.
#[derive(Debug, Clone)]
pub struct BulkRequest {
    pub class: ClassId,
    /// Today when it is left out.
    pub day: Option<SchoolDay>,
    pub operator: UserId,
    pub gate: String,
}

/// What was recorded.
#[derive(Debug, Clone, Serialize)]
pub struct Scanned {
    pub row: AttendanceRow,
    pub person: Person,
    /// Records the cloud has not acknowledged yet, this one included; always 0 on a box that stands alone.
    pub pending: u64,
}

/// One line of the attendance: a projection of the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttendanceRow {
    /// The number of its record in the box's log.
    pub seq: u64,
    pub event: EventId,
    pub user: UserId,
    pub direction: Direction,
    pub day: SchoolDay,
    pub decision: Decision,
    pub claimed: Millis,
    pub trusted: Millis,
    pub grade: Grade,
    /// The contract's `qr_token_used`.
    pub token: String,
    pub gate: String,
    pub class: Option<ClassId>,
    pub position: Option<Position>,
    pub fence: Option<Verdict>,
    /// Whether the cloud's receipt covers it.
    pub synced: bool,
}

/// A class after [`BulkRequest`].
#[derive(Debug, Clone, Serialize)]
pub struct Bulk {
    pub class: ClassId,
    pub day: SchoolDay,
    /// Every student of the class; `attended` as it was before.
    pub students: Vec<StudentStatus>,
    pub already_attended: u64,
    pub newly_attended: u64,
}

/// A student of a class on a day.
#[derive(Debug, Clone, Serialize)]
pub struct StudentStatus {
    pub person: Person,
    /// Whether there is a check-in.
    pub attended: bool,
    pub check_in: Option<AttendanceRow>,
    pub check_out: Option<AttendanceRow>,
}

/// A day in numbers: students only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DayCounts {
    pub day: SchoolDay,
    pub checked_in: u64,
    pub checked_out: u64,
    pub late: u64,
    /// Active students without an approved leave; 0 on a day off.
    pub expected: u64,
}

/// Why nothing was recorded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refused {
    #[error("already recorded")]
    AlreadyRecorded { person: Box<Person>, earlier: Box<AttendanceRow> },
    #[error("a check-out needs the day's check-in")]
    NotCheckedIn,
    #[error("nobody knows this code")]
    UnknownCode,
    #[error("the card has been withdrawn")]
    RevokedCard { person: Option<Box<Person>> },
    #[error("the card belongs to another school")]
    OtherSchool,
    #[error("this is no card")]
    NotACard,
    #[error("nobody has this number")]
    UnknownNumber,
    #[error("the student is not in this class")]
    NotInClass { person: Box<Person> },
    #[error("the class has no students")]
    NoStudents,
    #[error("this is not a student")]
    NotAStudent,
    #[error("the token is not valid, or no longer")]
    StaleToken,
    #[error("surely outside the school")]
    OutsideArea,
    #[error("this role does not record itself")]
    RoleNotAllowed,
    #[error("the account is not active")]
    Inactive,
    #[error("there is no such class")]
    UnknownClass,
    #[error("the day has not come yet")]
    FutureDay,
    #[error("there is no such scan today")]
    NoSuchScan,
    #[error("the scan stays: {0:?}")]
    Stays(Stays),
    #[error("not saved: {0}")]
    NotSaved(NotSaved),
}

impl From<Stays> for Refused {
    fn from(why: Stays) -> Self {
        Self::Stays(why)
    }
}

impl From<NotSaved> for Refused {
    fn from(why: NotSaved) -> Self {
        Self::NotSaved(why)
    }
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        Self::NotSaved(error.into())
    }
}

impl Undo for Refused {
    fn not_saved(&self) -> Option<NotSaved> {
        match self {
            Self::NotSaved(why) => Some(*why),
            _ => None,
        }
    }
}

//! One result, as a gate shows it: a word for colour and sound, and the facts under it.

use hadir_shared::{
    ids::EventId,
    rules::{
        status::{Direction, Status},
        undo,
    },
    time::Millis,
    wire::roster::{Person, Role},
};
use serde::Serialize;

use crate::{
    attendance::{AttendanceRow, Refused, Scanned},
    http::dialect,
    node::Node,
};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// `hadir`, `terlambat`, `pulang` (on disk); `sudah`; `belum_masuk`, `kartu_dicabut`, `kartu_sekolah_lain`,
    /// `tidak_dikenal`, `ditolak` (nothing recorded of a person); `belum_tersimpan` (try again).
    pub outcome: &'static str,
    /// In Indonesian.
    pub message: &'static str,
    /// What was scanned or typed; tells one card from the next.
    pub code: String,
    /// Whether this card was answered a moment ago and is still before the camera.
    pub again: bool,
    pub name: Option<String>,
    pub number: Option<String>,
    pub class: Option<String>,
    pub direction: Option<Direction>,
    /// When it was recorded; the earlier time of what is recorded already.
    pub at: Option<Millis>,
    /// The same on the school's wall clock: `06:41`.
    pub time: Option<String>,
    /// Where that was.
    pub gate: Option<String>,
    pub late_minutes: i64,
    /// The number of the record in the box's log, and its name for ever.
    pub seq: Option<u64>,
    pub event: Option<EventId>,
    /// Whether it was taken back since, and whether it can be now.
    pub is_void: bool,
    pub can_undo: bool,
    /// The key of the person's portrait at this box.
    pub photo: Option<String>,
    /// Records the cloud does not have yet.
    pub pending: u64,
}

impl Outcome {
    pub fn new(node: &Node, code: String, scanned: &Result<Scanned, Refused>) -> Self {
        match scanned {
            Ok(scanned) => {
                Self { code, pending: scanned.pending, ..Self::recorded(node, &scanned.row, &scanned.person) }
            }
            Err(refused) => Self { pending: node.pending(), ..Self::refused(node, code, refused) },
        }
    }

    /// A line of the attendance, which may have been taken back; `None` when its person has left the roster.
    pub fn of_row(node: &Node, row: &AttendanceRow, is_void: bool) -> Option<Self> {
        let roster = node.roster();
        let person = roster.person(row.user)?;
        let scan = undo::Scanned {
            direction: row.direction,
            at: row.trusted,
            is_of_a_student: person.role == Role::Siswa,
            // Seldom, and told when somebody tries.
            checked_out: false,
        };
        let can_undo = !is_void && undo::may_undo(&scan, node.trusted_now().time).is_ok();
        Some(Self { is_void, can_undo, ..Self::recorded(node, row, person) })
    }

    /// Whether the box has given its last word: everything but "not saved".
    pub fn is_answered(&self) -> bool {
        self.outcome != NOT_SAVED
    }

    fn recorded(node: &Node, row: &AttendanceRow, person: &Person) -> Self {
        let (outcome, message) = match (row.direction, row.decision.status) {
            (Direction::CheckOut, _) => ("pulang", "Pulang"),
            (Direction::CheckIn, Status::Terlambat) => ("terlambat", "Terlambat"),
            (Direction::CheckIn, _) => ("hadir", "Hadir"),
        };
        Self {
            direction: Some(row.direction),
            late_minutes: row.decision.late_minutes,
            seq: Some(row.seq),
            event: Some(row.event),
            ..Self::bare(outcome, message).seen(node, row).of(node, person)
        }
    }

    fn refused(node: &Node, code: String, refused: &Refused) -> Self {
        let bare = Self::bare(word(refused), dialect::reason(refused));
        let told = match refused {
            Refused::AlreadyRecorded { person, earlier } => {
                Self { direction: Some(earlier.direction), ..bare.seen(node, earlier).of(node, person) }
            }
            Refused::RevokedCard { person: Some(person) } | Refused::NotInClass { person } => {
                bare.of(node, person)
            }
            Refused::NotCheckedIn => Self { message: "Belum absen masuk hari ini", ..bare },
            _ => bare,
        };
        Self { code, ..told }
    }

    fn bare(outcome: &'static str, message: &'static str) -> Self {
        Self {
            outcome,
            message,
            code: String::new(),
            again: false,
            name: None,
            number: None,
            class: None,
            direction: None,
            at: None,
            time: None,
            gate: None,
            late_minutes: 0,
            seq: None,
            event: None,
            is_void: false,
            can_undo: false,
            photo: None,
            pending: 0,
        }
    }

    fn seen(self, node: &Node, row: &AttendanceRow) -> Self {
        let time = node.roster().schedule().zone.time_of_day(row.trusted);
        Self {
            at: Some(row.trusted),
            time: Some(time.format("%H:%M").to_string()),
            gate: Some(row.gate.clone()),
            ..self
        }
    }

    fn of(self, node: &Node, person: &Person) -> Self {
        let class = person.class.and_then(|id| node.roster().class(id).map(|c| c.name.clone()));
        Self {
            name: Some(person.name.clone()),
            number: Some(person.number.clone()),
            class,
            photo: node.portraits().of(person),
            ..self
        }
    }
}

const NOT_SAVED: &str = "belum_tersimpan";

fn word(refused: &Refused) -> &'static str {
    match refused {
        Refused::AlreadyRecorded { .. } => "sudah",
        Refused::NotCheckedIn => "belum_masuk",
        Refused::RevokedCard { .. } => "kartu_dicabut",
        Refused::OtherSchool => "kartu_sekolah_lain",
        Refused::UnknownCode | Refused::NotACard | Refused::UnknownNumber => "tidak_dikenal",
        Refused::NotSaved(_) => NOT_SAVED,
        Refused::NotInClass { .. }
        | Refused::NoStudents
        | Refused::NotAStudent
        | Refused::StaleToken
        | Refused::OutsideArea
        | Refused::RoleNotAllowed
        | Refused::Inactive
        | Refused::UnknownClass
        | Refused::NoSuchScan
        | Refused::Stays(_)
        | Refused::FutureDay => "ditolak",
    }
}

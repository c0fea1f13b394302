//! The recap of a month: what each counted day was for each student of a class, and the sums.
//!
//! What always holds:
//! - a day counts when it is a school day and over: a day off never makes anybody absent;
//! - a student has one mark for each counted day on which he was a member of the class, and none for any other, so that
//!   H + S + I + A are his effective days;
//! - the last correction decides a day, else the check-in, else an approved leave; else he was absent, whether or not that was
//!   ever written down;
//! - it depends on what is known and not on the order in which it is told.

use std::{
    collections::{BTreeSet, HashMap},
    ops::AddAssign,
};

use super::{school_days::SchoolDays, status::Status, timetable::Timetable};
use crate::{
    ids::UserId,
    time::{Millis, Month, SchoolDay},
};

/// What a counted day was for a student.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// H, *hadir*: came. Late or not: coming late is coming.
    Present {
        /// 0 when on time.
        late_minutes: i64,
    },
    /// S, *sakit*.
    Sick,
    /// I, *izin*: away with leave.
    Excused,
    /// A, *alpha*: away without a word.
    Absent,
}

impl Mark {
    /// As it stands in the books of Indonesian schools.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Present { .. } => "H",
            Self::Sick => "S",
            Self::Excused => "I",
            Self::Absent => "A",
        }
    }

    /// 0 for who did not come, or came on time.
    pub const fn late_minutes(self) -> i64 {
        match self {
            Self::Present { late_minutes } => late_minutes,
            Self::Sick | Self::Excused | Self::Absent => 0,
        }
    }

    /// What a status of the books means; the minutes count for who came late only.
    const fn of(status: Status, late_minutes: i64) -> Self {
        match status {
            Status::Hadir => Self::Present { late_minutes: 0 },
            Status::Terlambat => Self::Present { late_minutes },
            Status::Sakit => Self::Sick,
            Status::Izin => Self::Excused,
            Status::Alpha => Self::Absent,
        }
    }
}

/// How often each mark occurs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    pub present: i64,
    pub sick: i64,
    pub excused: i64,
    pub absent: i64,
    /// Of `present`, how often late.
    pub late: i64,
    pub late_minutes: i64,
}

impl Sums {
    /// How many marks were summed.
    pub const fn effective_days(&self) -> i64 {
        self.present + self.sick + self.excused + self.absent
    }

    /// Present in a thousand effective days, a half rounded up: 966 is 96.6 %. `None` without effective days.
    pub const fn present_per_mille(&self) -> Option<i64> {
        let days = self.effective_days();
        if days == 0 { None } else { Some((2 * 1000 * self.present + days) / (2 * days)) }
    }

    const fn add(&mut self, mark: Mark) {
        match mark {
            Mark::Present { late_minutes } => {
                self.present += 1;
                self.late += (late_minutes > 0) as i64;
                self.late_minutes += late_minutes;
            }
            Mark::Sick => self.sick += 1,
            Mark::Excused => self.excused += 1,
            Mark::Absent => self.absent += 1,
        }
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.present += other.present;
        self.sick += other.sick;
        self.excused += other.excused;
        self.absent += other.absent;
        self.late += other.late;
        self.late_minutes += other.late_minutes;
    }
}

/// That a student is in the class from a day on, until before another day or to this day. A student may have left and come
/// back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    pub student: UserId,
    pub joined_on: SchoolDay,
    pub left_on: Option<SchoolDay>,
}

impl Membership {
    fn includes(&self, day: SchoolDay) -> bool {
        self.joined_on <= day && self.left_on.is_none_or(|left| day < left)
    }

    fn touches(&self, month: Month) -> bool {
        self.joined_on <= month.last()
            && self.left_on.is_none_or(|left| month.first() < left && self.joined_on < left)
    }

    /// What remains before and after another one.
    fn without(self, other: &Self) -> impl Iterator<Item = Self> {
        let ends = |left: SchoolDay| self.left_on.map_or(left, |own| own.min(left));
        let before = Self { left_on: Some(ends(other.joined_on)), ..self };
        let after = other.left_on.map(|left| Self { joined_on: self.joined_on.max(left), ..self });
        [Some(before), after]
            .into_iter()
            .flatten()
            .filter(|part| part.left_on.is_none_or(|left| part.joined_on < left))
    }
}

/// What of a month's memberships counts: on each day the class a student came to last, however many he was in. They are told
/// in the order in which they were written down, which decides between two of one day.
pub fn one_class_a_day<C: Copy>(month: Month, mut memberships: Vec<(C, Membership)>) -> Vec<(C, Membership)> {
    // Stable: what was written down later stays later.
    memberships.sort_by_key(|(_, membership)| (membership.student, membership.joined_on));
    let mut kept = Vec::new();
    for own in memberships.chunk_by(|(_, a), (_, b)| a.student == b.student) {
        for (n, (class, membership)) in own.iter().enumerate() {
            let mut parts = vec![*membership];
            for (_, later) in own.iter().skip(n + 1).filter(|(_, later)| later.touches(month)) {
                parts = parts.into_iter().flat_map(|part| part.without(later)).collect();
            }
            kept.extend(parts.into_iter().filter(|part| part.touches(month)).map(|part| (*class, part)));
        }
    }
    kept
}

/// A day's check-in. There is one for a student and a day; the rows that mark an absence are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckIn {
    pub student: UserId,
    pub day: SchoolDay,
    pub status: Status,
    pub late_minutes: i64,
}

/// What somebody decided afterwards about a student's check-in of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correction {
    /// Rises: of several about one day the last decides.
    pub id: i64,
    pub student: UserId,
    pub day: SchoolDay,
    pub status: Status,
    pub late_minutes: i64,
}

/// An approved leave, both its days included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leave {
    /// Rises: of several about one day the last decides.
    pub id: i64,
    pub student: UserId,
    pub first: SchoolDay,
    pub last: SchoolDay,
    /// For sickness; every other leave is *izin*.
    pub sick: bool,
}

/// What is known of some students and days, put so that a day's mark is found at once.
#[derive(Debug, Default)]
pub struct Evidence {
    decided: HashMap<(UserId, SchoolDay), Mark>,
    leaves: HashMap<UserId, Vec<Leave>>,
}

impl Evidence {
    pub fn new(check_ins: &[CheckIn], mut corrections: Vec<Correction>, mut leaves: Vec<Leave>) -> Self {
        corrections.sort_unstable_by_key(|correction| correction.id);
        leaves.sort_unstable_by_key(|leave| leave.id);
        // What comes later in the chain replaces what came before.
        let came = check_ins
            .iter()
            .filter(|row| row.status != Status::Alpha)
            .map(|row| ((row.student, row.day), Mark::of(row.status, row.late_minutes)));
        let corrected =
            corrections.iter().map(|row| ((row.student, row.day), Mark::of(row.status, row.late_minutes)));
        let mut away: HashMap<UserId, Vec<Leave>> = HashMap::new();
        for leave in leaves {
            away.entry(leave.student).or_default().push(leave);
        }
        Self { decided: came.chain(corrected).collect(), leaves: away }
    }

    /// What a counted day was for a student.
    pub fn mark(&self, student: UserId, day: SchoolDay) -> Mark {
        self.decided.get(&(student, day)).copied().unwrap_or_else(|| self.without_check_in(student, day))
    }

    fn without_check_in(&self, student: UserId, day: SchoolDay) -> Mark {
        let leaves = self.leaves.get(&student).map(Vec::as_slice).unwrap_or_default();
        match leaves.iter().rev().find(|leave| leave.first <= day && day <= leave.last) {
            Some(Leave { sick: true, .. }) => Mark::Sick,
            Some(_) => Mark::Excused,
            None => Mark::Absent,
        }
    }
}

/// One student's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub student: UserId,
    /// Beside the counted days, in order; `None` where he was no member.
    pub marks: Vec<Option<Mark>>,
    pub sums: Sums,
}

/// The recap of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// By the students' ids.
    pub rows: Vec<Row>,
    /// Beside the counted days, in order.
    pub columns: Vec<Sums>,
    pub total: Sums,
}

/// The days of a month that count: school days that are over. Today is over once the way out has opened.
pub fn counted_days(
    month: Month,
    school_days: &SchoolDays,
    holidays: &BTreeSet<SchoolDay>,
    timetable: &Timetable,
    now: Millis,
) -> Vec<SchoolDay> {
    let Some(through) = through(month, timetable, now) else { return Vec::new() };
    month.days().filter(|day| *day <= through && school_days.include(*day, holidays)).collect()
}

/// The last day of a month that is over; `None` while none is.
pub fn through(month: Month, timetable: &Timetable, now: Millis) -> Option<SchoolDay> {
    let today = timetable.zone.day(now);
    let closed = timetable.zone.time_of_day(now) >= timetable.on(today).checkout_start;
    let over = |day: &SchoolDay| *day < today || (*day == today && closed);
    month.days().take_while(over).last()
}

/// Makes the recap of a class. `days` are the counted ones, in order. Whoever is a member in any way has a line, be it empty.
pub fn table(days: &[SchoolDay], memberships: &[Membership], evidence: &Evidence) -> Table {
    let mut memberships: Vec<&Membership> = memberships.iter().collect();
    memberships.sort_unstable_by_key(|membership| membership.student);
    let mut columns = vec![Sums::default(); days.len()];
    let mut total = Sums::default();
    let mut rows = Vec::new();
    for own in memberships.chunk_by(|a, b| a.student == b.student) {
        let Some(student) = own.first().map(|membership| membership.student) else { continue };
        let mut sums = Sums::default();
        let mark = |(day, column): (&SchoolDay, &mut Sums)| {
            let is_member = own.iter().any(|membership| membership.includes(*day));
            let mark = is_member.then(|| evidence.mark(student, *day))?;
            sums.add(mark);
            column.add(mark);
            Some(mark)
        };
        let marks = days.iter().zip(&mut columns).map(mark).collect();
        total += sums;
        rows.push(Row { student, marks, sums });
    }
    Table { rows, columns, total }
}

#[cfg(test)]
mod tests;

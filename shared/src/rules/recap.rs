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

use super::{
    school_days::SchoolDays,
    status::{Schedule, Status},
};
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
    schedule: &Schedule,
    now: Millis,
) -> Vec<SchoolDay> {
    let Some(through) = through(month, schedule, now) else { return Vec::new() };
    month.days().filter(|day| *day <= through && school_days.include(*day, holidays)).collect()
}

/// The last day of a month that is over; `None` while none is.
pub fn through(month: Month, schedule: &Schedule, now: Millis) -> Option<SchoolDay> {
    let today = schedule.zone.day(now);
    let closed = schedule.zone.time_of_day(now) >= schedule.checkout_start;
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{settings::Settings, time::Zone};

    const SITI: UserId = UserId(7);

    fn november(day: u32) -> SchoolDay {
        format!("2025-11-{day:02}").parse().unwrap()
    }

    fn came(day: u32, status: Status, late_minutes: i64) -> CheckIn {
        CheckIn { student: SITI, day: november(day), status, late_minutes }
    }

    fn corrected(id: i64, day: u32, status: Status) -> Correction {
        Correction { id, student: SITI, day: november(day), status, late_minutes: 3 }
    }

    fn away(id: i64, first: u32, last: u32, sick: bool) -> Leave {
        Leave { id, student: SITI, first: november(first), last: november(last), sick }
    }

    #[test]
    fn what_decides_a_day() {
        use Status::{Alpha, Hadir, Izin, Sakit, Terlambat};
        let on_time = Mark::Present { late_minutes: 0 };
        let late = |late_minutes| Mark::Present { late_minutes };
        let leave = away(1, 3, 3, true);
        #[rustfmt::skip]
        let cases = [
            ("nothing at all", vec![], vec![], vec![], Mark::Absent),
            ("came", vec![came(3, Hadir, 0)], vec![], vec![], on_time),
            ("came late", vec![came(3, Terlambat, 12)], vec![], vec![], late(12)),
            ("an absence was marked", vec![came(3, Alpha, 0)], vec![], vec![], Mark::Absent),
            ("an absence was marked, and a leave approved later", vec![came(3, Alpha, 0)], vec![], vec![leave], Mark::Sick),
            ("an absence was marked, and the box delivered later", vec![came(3, Alpha, 0), came(3, Hadir, 0)], vec![], vec![], on_time),
            ("the same in the other order", vec![came(3, Hadir, 0), came(3, Alpha, 0)], vec![], vec![], on_time),
            ("a teacher wrote sick", vec![came(3, Sakit, 0)], vec![], vec![], Mark::Sick),
            ("came in spite of a leave", vec![came(3, Hadir, 0)], vec![], vec![leave], on_time),
            ("on leave, for whatever but sickness", vec![], vec![], vec![away(1, 1, 30, false)], Mark::Excused),
            ("a leave that ends before", vec![], vec![], vec![away(1, 1, 2, true)], Mark::Absent),
            ("a leave that begins after", vec![], vec![], vec![away(1, 4, 5, true)], Mark::Absent),
            ("two leaves: the later filed", vec![], vec![], vec![away(2, 3, 3, false), leave], Mark::Excused),
            ("corrected", vec![came(3, Hadir, 0)], vec![corrected(1, 3, Izin)], vec![leave], Mark::Excused),
            ("corrected to late", vec![came(3, Alpha, 0)], vec![corrected(1, 3, Terlambat)], vec![], late(3)),
            ("corrected to on time keeps no minutes", vec![came(3, Terlambat, 9)], vec![corrected(1, 3, Hadir)], vec![], on_time),
            ("corrected to absent, with a leave", vec![], vec![corrected(1, 3, Alpha)], vec![leave], Mark::Absent),
            ("corrected twice", vec![], vec![corrected(9, 3, Sakit), corrected(4, 3, Hadir)], vec![], Mark::Sick),
            ("another day's", vec![came(4, Hadir, 0)], vec![corrected(1, 5, Sakit)], vec![], Mark::Absent),
        ];
        for (why, check_ins, corrections, leaves, expected) in cases {
            let evidence = Evidence::new(&check_ins, corrections, leaves);
            assert_eq!(evidence.mark(SITI, november(3)), expected, "{why}");
        }
    }

    #[test]
    fn which_days_count() {
        let settings = |zone: &str| Settings::read(1, &[("timezone".into(), zone.into())].into()).unwrap();
        let days = |zone: &str, month: &str, at: (&str, &str)| {
            let settings = settings(zone);
            let jakarta = Zone::JAKARTA;
            let now = jakarta.instant(at.0.parse().unwrap(), at.1.parse().unwrap());
            let holidays = [november(10), november(23)].into();
            counted_days(month.parse().unwrap(), &settings.school_days, &holidays, &settings.schedule, now)
                .len()
        };
        let cases = [
            (
                "Asia/Jakarta",
                "2025-11",
                ("2025-12-01", "00:00:00"),
                24,
                "25 without Sundays, a holiday less; one on a Sunday",
            ),
            ("Asia/Jakarta", "2025-11", ("2031-01-01", "12:00:00"), 24, "and it stays so"),
            ("Asia/Jakarta", "2025-11", ("2025-11-12", "13:59:59"), 8, "today is not over"),
            ("Asia/Jakarta", "2025-11", ("2025-11-12", "14:00:00"), 9, "now it is"),
            ("Asia/Jayapura", "2025-11", ("2025-11-12", "12:00:00"), 9, "two hours earlier in the east"),
            ("Asia/Jayapura", "2025-11", ("2025-11-12", "11:59:59"), 8, "and not before"),
            ("Asia/Jakarta", "2025-11", ("2025-10-31", "23:00:00"), 0, "a month to come"),
            ("Asia/Jayapura", "2025-11", ("2025-11-01", "11:00:00"), 0, "its first day has just begun"),
        ];
        for (zone, month, at, expected, why) in cases {
            assert_eq!(days(zone, month, at), expected, "{why}");
        }
    }

    #[test]
    fn a_member_has_the_days_he_was_one() {
        let days: Vec<_> = (3..=8).map(november).collect();
        let until = |first, left| Membership {
            student: SITI,
            joined_on: november(first),
            left_on: Some(november(left)),
        };
        let table = table(
            &days,
            &[until(7, 8), until(1, 5)],
            &Evidence::new(&[came(4, Status::Hadir, 0)], vec![], vec![]),
        );
        let marks: String = table.rows[0].marks.iter().map(|mark| mark.map_or("-", Mark::letter)).collect();
        assert_eq!((marks.as_str(), table.rows[0].sums.effective_days()), ("AH--A-", 3));
    }

    #[test]
    fn in_two_classes_at_once_the_one_he_came_to_last_counts() {
        let from = |joined_on, left_on: Option<u32>| Membership {
            student: SITI,
            joined_on: november(joined_on),
            left_on: left_on.map(november),
        };
        let month = Month::of(november(1));
        let cases = [
            (vec![("a", from(1, None))], "aaaaaaaa"),
            (vec![("a", from(1, None)), ("b", from(4, None))], "aaabbbbb"),
            (vec![("b", from(4, None)), ("a", from(1, None))], "aaabbbbb"),
            (vec![("a", from(1, None)), ("b", from(4, Some(6)))], "aaabbaaa"),
            (vec![("a", from(1, None)), ("b", from(1, None))], "bbbbbbbb"),
            (vec![("b", from(1, None)), ("a", from(1, None))], "aaaaaaaa"),
            (vec![("a", from(1, Some(6))), ("b", from(2, Some(4))), ("c", from(3, Some(5)))], "abcca---"),
            (vec![("a", from(1, None)), ("b", from(4, Some(4)))], "aaaaaaaa"),
        ];
        for (told, expected) in cases {
            let kept = one_class_a_day(month, told.clone());
            let on = |day: SchoolDay| {
                let mut classes = kept.iter().filter(|(_, m)| m.includes(day)).map(|(class, _)| *class);
                let class = classes.next().unwrap_or("-");
                assert_eq!(classes.next(), None, "{told:?}");
                class
            };
            assert_eq!((1..=8).map(november).map(on).collect::<String>(), expected, "{told:?}");
        }
    }

    #[test]
    fn a_percentage_has_one_decimal_and_a_half_rounds_up() {
        let per_mille = |present, absent| Sums { present, absent, ..Sums::default() }.present_per_mille();
        let cases = [
            (0, 0, None),
            (0, 7, Some(0)),
            (7, 0, Some(1000)),
            (29, 1, Some(967)),
            (2, 1, Some(667)),
            (1, 2, Some(333)),
            (1, 1999, Some(1)),
            (1, 2000, Some(0)),
        ];
        for (present, absent, expected) in cases {
            assert_eq!(per_mille(present, absent), expected, "{present} of {}", present + absent);
        }
    }

    fn status() -> impl Strategy<Value = Status> {
        prop::sample::select(vec![
            Status::Hadir,
            Status::Terlambat,
            Status::Izin,
            Status::Sakit,
            Status::Alpha,
        ])
    }

    /// Students 1 to 5, days 1 to 30 of November 2025.
    #[derive(Debug, Clone)]
    struct Month5 {
        days: Vec<SchoolDay>,
        memberships: Vec<Membership>,
        check_ins: Vec<CheckIn>,
        corrections: Vec<Correction>,
        leaves: Vec<Leave>,
    }

    fn months() -> impl Strategy<Value = Month5> {
        let student = || (1..=5_i64).prop_map(UserId);
        let day = || (1..=30_u32).prop_map(november);
        let days = prop::collection::btree_set(day(), 0..25).prop_map(|days| days.into_iter().collect());
        let membership = (student(), day(), prop::option::of(day()))
            .prop_map(|(student, joined_on, left_on)| Membership { student, joined_on, left_on });
        // One check-in for a student and a day, as the natural key has it; and absences beside them.
        let check_ins = prop::collection::btree_map((student(), day()), (status(), 0..90_i64), 0..60)
            .prop_map(|rows| {
                let row =
                    |((student, day), (status, late_minutes))| CheckIn { student, day, status, late_minutes };
                rows.into_iter().map(row).collect::<Vec<_>>()
            });
        let corrections =
            prop::collection::vec((student(), day(), status(), 0..90_i64), 0..15).prop_map(|rows| {
                let row = |(id, (student, day, status, late_minutes))| Correction {
                    id,
                    student,
                    day,
                    status,
                    late_minutes,
                };
                (1..).zip(rows).map(row).collect::<Vec<_>>()
            });
        let leaves = prop::collection::vec((student(), day(), day(), any::<bool>()), 0..8).prop_map(|rows| {
            let row = |(id, (student, first, last, sick))| Leave { id, student, first, last, sick };
            (1..).zip(rows).map(row).collect::<Vec<_>>()
        });
        (days, prop::collection::vec(membership, 0..12), check_ins, corrections, leaves).prop_map(
            |(days, memberships, check_ins, corrections, leaves)| Month5 {
                days,
                memberships,
                check_ins,
                corrections,
                leaves,
            },
        )
    }

    fn recap(month: &Month5) -> Table {
        let evidence = Evidence::new(&month.check_ins, month.corrections.clone(), month.leaves.clone());
        table(&month.days, &month.memberships, &evidence)
    }

    proptest! {
        #[test]
        fn the_sums_are_the_effective_days_and_rows_and_columns_agree(month in months()) {
            let table = recap(&month);
            let (mut by_row, mut by_column) = (Sums::default(), Sums::default());
            for row in &table.rows {
                let member = |day: &&SchoolDay| {
                    month.memberships.iter().any(|m| m.student == row.student && m.includes(**day))
                };
                let effective = month.days.iter().filter(member).count();
                prop_assert_eq!(row.sums.effective_days(), i64::try_from(effective).unwrap());
                prop_assert_eq!(row.marks.len(), month.days.len());
                by_row += row.sums;
            }
            for (n, column) in table.columns.iter().enumerate() {
                let marked = table.rows.iter().filter(|row| row.marks[n].is_some()).count();
                prop_assert_eq!(column.effective_days(), i64::try_from(marked).unwrap());
                by_column += *column;
            }
            prop_assert_eq!(by_row, table.total);
            prop_assert_eq!(by_column, table.total);
        }

        #[test]
        fn each_day_of_a_student_is_in_one_class(month in months()) {
            let told: Vec<_> = (0..).zip(month.memberships.clone()).collect::<Vec<(i64, _)>>();
            let kept = one_class_a_day(Month::of(november(1)), told.clone());
            for student in (1..=5).map(UserId) {
                for day in (1..=30).map(november) {
                    let of = |all: &[(i64, Membership)]| -> Vec<_> {
                        all.iter().filter(|(_, m)| m.student == student && m.includes(day)).copied().collect()
                    };
                    let last = of(&told).into_iter().max_by_key(|(class, m)| (m.joined_on, *class));
                    let classes: Vec<_> = of(&kept).into_iter().map(|(class, _)| class).collect();
                    prop_assert_eq!(classes, last.map(|(class, _)| class).into_iter().collect::<Vec<_>>());
                }
            }
        }

        #[test]
        fn a_day_off_never_makes_an_absence(month in months(), off in 1..=30_u32) {
            let before = recap(&month);
            let mut after = month.clone();
            after.days.retain(|day| *day != november(off));
            let after = recap(&after);
            for (before, after) in before.rows.iter().zip(&after.rows) {
                prop_assert!(after.sums.absent <= before.sums.absent);
                prop_assert!(after.sums.effective_days() <= before.sums.effective_days());
            }
            let none = recap(&Month5 { days: vec![], ..month });
            prop_assert_eq!(none.total, Sums::default());
        }

        #[test]
        fn the_order_in_which_things_are_told_does_not_matter(month in months()) {
            let mut turned = month.clone();
            turned.memberships.reverse();
            turned.check_ins.reverse();
            turned.corrections.reverse();
            turned.leaves.reverse();
            prop_assert_eq!(recap(&month), recap(&turned));
            turned.check_ins.sort_by_key(|row| (row.day, row.student));
            turned.corrections.sort_by_key(|row| (row.day, row.id % 3));
            prop_assert_eq!(recap(&month), recap(&turned));
        }

        #[test]
        fn a_correction_is_stronger_than_a_check_in_than_a_leave_than_nothing(month in months()) {
            let evidence = Evidence::new(&month.check_ins, month.corrections.clone(), month.leaves.clone());
            for student in (1..=5).map(UserId) {
                for day in (1..=30).map(november) {
                    let about = |s: UserId, d: SchoolDay| s == student && d == day;
                    let corrected = month.corrections.iter().filter(|c| about(c.student, c.day)).max_by_key(|c| c.id);
                    let came = month.check_ins.iter().find(|c| about(c.student, c.day) && c.status != Status::Alpha);
                    let away = month.leaves.iter().filter(|l| l.student == student && l.first <= day && day <= l.last);
                    let expected = match (corrected, came, away.max_by_key(|l| l.id)) {
                        (Some(c), ..) => Mark::of(c.status, c.late_minutes),
                        (None, Some(c), _) => Mark::of(c.status, c.late_minutes),
                        (None, None, Some(l)) if l.sick => Mark::Sick,
                        (None, None, Some(_)) => Mark::Excused,
                        (None, None, None) => Mark::Absent,
                    };
                    prop_assert_eq!(evidence.mark(student, day), expected);
                }
            }
        }
    }
}

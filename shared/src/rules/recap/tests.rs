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
        counted_days(month.parse().unwrap(), &settings.school_days, &holidays, &settings.schedule, now).len()
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
    let until =
        |first, left| Membership { student: SITI, joined_on: november(first), left_on: Some(november(left)) };
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
    prop::sample::select(vec![Status::Hadir, Status::Terlambat, Status::Izin, Status::Sakit, Status::Alpha])
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
    let check_ins =
        prop::collection::btree_map((student(), day()), (status(), 0..90_i64), 0..60).prop_map(|rows| {
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

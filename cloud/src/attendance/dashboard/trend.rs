//! How many of those who should have come did, day by day.

use std::collections::{BTreeSet, HashMap};

use hadir_shared::{rules::school_days::SchoolDays, time::SchoolDay};

/// Memberships of classes that began and end alike.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub year: i64,
    pub first: SchoolDay,
    /// The first day no more.
    pub end: Option<SchoolDay>,
    pub students: i64,
}

/// The share of students who came, in percent; `None` where nobody was to come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Day {
    pub day: SchoolDay,
    pub percent: Option<f64>,
}

/// The school days from `first` to `today`, both included.
pub fn days(
    (first, today): (SchoolDay, SchoolDay),
    school_days: &SchoolDays,
    holidays: &BTreeSet<SchoolDay>,
) -> Vec<SchoolDay> {
    let all = first.0.iter_days().take_while(|day| *day <= today.0).map(SchoolDay);
    all.filter(|day| school_days.include(*day, holidays)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "students of a school")]
pub fn trend(days: &[SchoolDay], came: &HashMap<SchoolDay, i64>, spans: &[Span]) -> Vec<Day> {
    let expected = |day: SchoolDay| -> i64 {
        let counts = |span: &&Span| {
            span.year == day.academic_year() && span.first <= day && span.end.is_none_or(|end| end > day)
        };
        spans.iter().filter(counts).map(|span| span.students).sum()
    };
    let percent = |day: SchoolDay| {
        let (came, expected) = (came.get(&day).copied().unwrap_or(0), expected(day));
        // Who left his class later that day came, and is expected no more.
        (expected > 0).then(|| (100.0 * came as f64 / expected as f64).min(100.0))
    };
    days.iter().map(|day| Day { day: *day, percent: percent(*day) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> SchoolDay {
        text.parse().unwrap()
    }

    #[test]
    fn the_share_is_of_who_was_in_a_class_that_day() {
        let span = |first: &str, end: Option<&str>, students| Span {
            year: 2025,
            first: day(first),
            end: end.map(day),
            students,
        };
        let spans = [
            span("2025-07-14", None, 8),
            span("2025-11-20", None, 2),
            span("2025-07-14", Some("2025-11-20"), 2),
        ];
        let came = HashMap::from([(day("2025-11-19"), 5), (day("2025-11-20"), 10), (day("2025-11-21"), 12)]);
        let days = ["2025-07-01", "2025-11-19", "2025-11-20", "2025-11-21"].map(day);
        let shares: Vec<_> = trend(&days, &came, &spans).into_iter().map(|one| one.percent).collect();
        assert_eq!(shares, [None, Some(50.0), Some(100.0), Some(100.0)]);
    }
}

//! The national holidays of Indonesia (*hari libur nasional*), as the yearly joint decree of three ministers (*SKB 3 Menteri*:
//! Agama, Ketenagakerjaan, PANRB) lists them.
//!
//! - 2025: SKB 1017/2024, 2/2024, 2/2024 of 14 October 2024.
//! - 2026: SKB 1497/2025, 2/2025, 5/2025 of 19 September 2025.
//! - 2027: not decreed when this was written. The Christian days follow from the date of Easter and are certain; those of the
//!   other calendars are reckoned ahead and may be decreed a day off, so their names say that the decree is awaited.
//!
//! Five days are the same every year, by decrees of their own; of a year that is not listed only those are known here.
//!
//! Absent on purpose: *cuti bersama*, the joint leave of offices. Schools follow their province's calendar there, and enter it
//! themselves.

use chrono::NaiveDate;
use hadir_shared::time::SchoolDay;

/// A day off for everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct National {
    pub day: SchoolDay,
    pub name: String,
    /// `false`: reckoned ahead, and to be confirmed by the year's decree.
    pub decreed: bool,
}

/// Month, day, name.
type Day = (u32, u32, &'static str);

/// Follows the name of a day that is not decreed yet.
const AWAITED: &str = "(perkiraan, menunggu SKB)";

const EVERY_YEAR: &[Day] = &[
    (1, 1, "Tahun Baru Masehi"),
    (5, 1, "Hari Buruh Internasional"),
    (6, 1, "Hari Lahir Pancasila"),
    (8, 17, "Hari Proklamasi Kemerdekaan Republik Indonesia"),
    (12, 25, "Hari Raya Natal"),
];

/// The movable days of a year.
struct Movable {
    year: i32,
    certain: &'static [Day],
    awaited: &'static [Day],
}

const MOVABLE: &[Movable] = &[
    Movable {
        year: 2025,
        certain: &[
            (1, 27, "Isra Mikraj Nabi Muhammad SAW"),
            (1, 29, "Tahun Baru Imlek 2576 Kongzili"),
            (3, 29, "Hari Suci Nyepi (Tahun Baru Saka 1947)"),
            (3, 31, "Hari Raya Idul Fitri 1446 Hijriah"),
            (4, 1, "Hari Raya Idul Fitri 1446 Hijriah"),
            (4, 18, "Wafat Yesus Kristus"),
            (4, 20, "Kebangkitan Yesus Kristus (Paskah)"),
            (5, 12, "Hari Raya Waisak 2569 BE"),
            (5, 29, "Kenaikan Yesus Kristus"),
            (6, 6, "Hari Raya Idul Adha 1446 Hijriah"),
            (6, 27, "Tahun Baru Islam 1447 Hijriah"),
            (9, 5, "Maulid Nabi Muhammad SAW"),
        ],
        awaited: &[],
    },
    Movable {
        year: 2026,
        certain: &[
            (1, 16, "Isra Mikraj Nabi Muhammad SAW"),
            (2, 17, "Tahun Baru Imlek 2577 Kongzili"),
            (3, 19, "Hari Suci Nyepi (Tahun Baru Saka 1948)"),
            (3, 21, "Hari Raya Idul Fitri 1447 Hijriah"),
            (3, 22, "Hari Raya Idul Fitri 1447 Hijriah"),
            (4, 3, "Wafat Yesus Kristus"),
            (4, 5, "Kebangkitan Yesus Kristus (Paskah)"),
            (5, 14, "Kenaikan Yesus Kristus"),
            (5, 27, "Hari Raya Idul Adha 1447 Hijriah"),
            (5, 31, "Hari Raya Waisak 2570 BE"),
            (6, 16, "Tahun Baru Islam 1448 Hijriah"),
            (8, 25, "Maulid Nabi Muhammad SAW"),
        ],
        awaited: &[],
    },
    Movable {
        year: 2027,
        certain: &[
            (3, 26, "Wafat Yesus Kristus"),
            (3, 28, "Kebangkitan Yesus Kristus (Paskah)"),
            (5, 6, "Kenaikan Yesus Kristus"),
        ],
        awaited: &[
            (1, 5, "Isra Mikraj Nabi Muhammad SAW"),
            (2, 6, "Tahun Baru Imlek 2578 Kongzili"),
            (3, 8, "Hari Suci Nyepi (Tahun Baru Saka 1949)"),
            (3, 10, "Hari Raya Idul Fitri 1448 Hijriah"),
            (3, 11, "Hari Raya Idul Fitri 1448 Hijriah"),
            (5, 16, "Hari Raya Idul Adha 1448 Hijriah"),
            (5, 20, "Hari Raya Waisak 2571 BE"),
            (6, 6, "Tahun Baru Islam 1449 Hijriah"),
            (8, 15, "Maulid Nabi Muhammad SAW"),
            (12, 26, "Isra Mikraj Nabi Muhammad SAW"),
        ],
    },
];

/// What is known of a year, by day.
pub fn of(year: i32) -> Vec<National> {
    let day = |&(month, day, name): &Day, decreed| {
        let name = if decreed { name.to_owned() } else { format!("{name} {AWAITED}") };
        Some(National { day: SchoolDay(NaiveDate::from_ymd_opt(year, month, day)?), name, decreed })
    };
    let movable = MOVABLE.iter().filter(|movable| movable.year == year);
    let mut days: Vec<National> = EVERY_YEAR.iter().filter_map(|one| day(one, true)).collect();
    for movable in movable {
        days.extend(movable.certain.iter().filter_map(|one| day(one, true)));
        days.extend(movable.awaited.iter().filter_map(|one| day(one, false)));
    }
    days.sort_unstable_by_key(|national| national.day);
    days
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_decree_has_seventeen_days() {
        for year in [2025, 2026] {
            let days = of(year);
            assert_eq!(days.len(), 17, "{year}");
            assert!(days.iter().all(|national| national.decreed), "{year}");
        }
    }

    #[test]
    fn what_is_written_exists_once_in_its_year_and_in_order() {
        for movable in MOVABLE {
            let written = EVERY_YEAR.len() + movable.certain.len() + movable.awaited.len();
            let days: BTreeSet<SchoolDay> = of(movable.year).iter().map(|national| national.day).collect();
            assert_eq!(days.len(), written, "{}: each on a day of its own", movable.year);
        }
        let days = of(2026);
        assert_eq!(days.first().unwrap().day, "2026-01-01".parse().unwrap());
        assert_eq!(days.last().unwrap().day, "2026-12-25".parse().unwrap());
    }

    #[test]
    fn the_weekdays_are_those_that_were_announced() {
        // As the decree of 2026 prints them: a slip in a date would move its weekday.
        let cases = [
            ("2026-01-16", 5),
            ("2026-02-17", 2),
            ("2026-03-19", 4),
            ("2026-03-21", 6),
            ("2026-04-03", 5),
            ("2026-05-14", 4),
            ("2026-05-27", 3),
            ("2026-05-31", 7),
            ("2026-06-16", 2),
            ("2026-08-25", 2),
        ];
        let days = of(2026);
        for (day, weekday) in cases {
            let day: SchoolDay = day.parse().unwrap();
            assert_eq!(day.weekday(), weekday, "{day}");
            assert!(days.iter().any(|national| national.day == day), "{day}");
        }
    }

    #[test]
    fn what_is_not_decreed_says_so_and_of_other_years_the_fixed_days_are_known() {
        let (awaited, certain): (Vec<_>, Vec<_>) =
            of(2027).into_iter().partition(|national| !national.decreed);
        assert_eq!((awaited.len(), certain.len()), (10, 8));
        assert!(awaited.iter().all(|national| national.name.ends_with(AWAITED)));
        assert!(certain.iter().all(|national| !national.name.contains("perkiraan")));
        assert_eq!(of(2031).len(), 5);
        assert_eq!(of(i32::MAX), []);
    }
}

//! The hours of a school, which need not be the same on every day of the week: many close earlier on Fridays.
//!
//! What a record is decided by is the [`Schedule`] of its own day, and only that is stored on it: who reads a record needs to
//! know of no other day, and a box that has never heard of this keeps the usual hours.

use std::{fmt, str::FromStr};

use chrono::NaiveTime;

use super::status::Schedule;
use crate::time::{Millis, SchoolDay, Zone};

/// Until when one comes on time, and from when one may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    pub checkin_end: NaiveTime,
    pub checkout_start: NaiveTime,
}

/// Weekdays with hours of their own, written `5=07:00-11:30; 6=07:15-12:00`; 1 is Monday. Nothing is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WeekdayHours([Option<Hours>; 7]);

/// The text is no list of hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("hours of weekdays are written as 5=07:00-11:30; 6=07:15-12:00, where 1 is Monday")]
pub struct NotHours;

/// When school is, on any day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timetable {
    /// The version of the settings it was taken from; rises with every change.
    pub version: i64,
    pub zone: Zone,
    pub late_grace_minutes: u16,
    /// On a weekday that has none of its own.
    pub usual: Hours,
    pub weekdays: WeekdayHours,
}

impl Timetable {
    /// The hours of a school day.
    pub fn on(&self, day: SchoolDay) -> Schedule {
        let Hours { checkin_end, checkout_start } = self.weekdays.of(day.weekday()).unwrap_or(self.usual);
        let Self { version, zone, late_grace_minutes, .. } = *self;
        Schedule { version, zone, checkin_end, late_grace_minutes, checkout_start }
    }

    /// The hours of the school day that an instant falls on.
    pub fn at(&self, at: Millis) -> Schedule {
        self.on(self.zone.day(at))
    }
}

impl WeekdayHours {
    /// 1 is Monday. `None`: that day has the usual hours.
    pub fn of(&self, weekday: u8) -> Option<Hours> {
        self.0.get(usize::from(weekday).checked_sub(1)?).copied().flatten()
    }
}

impl FromStr for WeekdayHours {
    type Err = NotHours;

    fn from_str(text: &str) -> Result<Self, NotHours> {
        let mut days = Self::default();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (weekday, hours) = part.split_once('=').ok_or(NotHours)?;
            let (from, to) = hours.split_once('-').ok_or(NotHours)?;
            let hours = Hours { checkin_end: time(from)?, checkout_start: time(to)? };
            let weekday: usize = weekday.trim().parse().map_err(|_| NotHours)?;
            let day = weekday.checked_sub(1).and_then(|day| days.0.get_mut(day)).ok_or(NotHours)?;
            if day.is_some() || hours.checkin_end >= hours.checkout_start {
                return Err(NotHours);
            }
            *day = Some(hours);
        }
        Ok(days)
    }
}

fn time(text: &str) -> Result<NaiveTime, NotHours> {
    let text = text.trim();
    let read = |form| NaiveTime::parse_from_str(text, form);
    read("%H:%M:%S").or_else(|_| read("%H:%M")).map_err(|_| NotHours)
}

impl fmt::Display for WeekdayHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (hours, weekday) in self.0.iter().zip(1..) {
            if let Some(Hours { checkin_end, checkout_start }) = hours {
                write!(f, "{between}{weekday}={checkin_end}-{checkout_start}")?;
                between = "; ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::{
        recap::through,
        status::{Direction, Status, decide, direction_by_hours},
    };

    fn timetable(zone: &str, weekdays: &str) -> Timetable {
        Timetable {
            version: 7,
            zone: zone.parse().unwrap(),
            late_grace_minutes: 0,
            usual: Hours {
                checkin_end: "07:30:00".parse().unwrap(),
                checkout_start: "14:00:00".parse().unwrap(),
            },
            weekdays: weekdays.parse().unwrap(),
        }
    }

    /// 2025-11-20 is a Thursday.
    fn at(zone: &str, day: &str, time: &str) -> Millis {
        zone.parse::<Zone>().unwrap().instant(day.parse().unwrap(), time.parse().unwrap())
    }

    #[test]
    fn each_weekday_has_its_own_hours_or_the_usual_ones() {
        let cases = [
            ("nothing chosen: as ever", "", "2025-11-21", "07:30:00", "14:00:00"),
            ("a Friday", "5=07:00-11:30", "2025-11-21", "07:00:00", "11:30:00"),
            ("the Thursday before it", "5=07:00-11:30", "2025-11-20", "07:30:00", "14:00:00"),
            ("the Saturday after it", "5=07:00-11:30;6=08:15:30-12:00", "2025-11-22", "08:15:30", "12:00:00"),
            ("a Monday", "1=06:45-15:00", "2025-11-24", "06:45:00", "15:00:00"),
            ("a Sunday", "7=08:00-10:00", "2025-11-23", "08:00:00", "10:00:00"),
        ];
        for (why, weekdays, day, checkin_end, checkout_start) in cases {
            let schedule = timetable("Asia/Jakarta", weekdays).on(day.parse().unwrap());
            assert_eq!(schedule.checkin_end.to_string(), checkin_end, "{why}");
            assert_eq!(schedule.checkout_start.to_string(), checkout_start, "{why}");
            assert_eq!((schedule.version, schedule.late_grace_minutes), (7, 0), "{why}");
        }
    }

    #[test]
    fn what_a_passage_means_follows_the_hours_of_its_day_in_the_schools_zone() {
        let cases = [
            ("Asia/Jakarta", "2025-11-21", "07:10:00", Status::Terlambat, 10, "ten minutes late on a Friday"),
            ("Asia/Jakarta", "2025-11-20", "07:10:00", Status::Hadir, 0, "and early on a Thursday"),
            (
                "Asia/Jayapura",
                "2025-11-21",
                "07:00:00",
                Status::Hadir,
                0,
                "Thursday still in London: Friday there",
            ),
            (
                "Asia/Jayapura",
                "2025-11-21",
                "07:00:01",
                Status::Terlambat,
                1,
                "a second late is a begun minute",
            ),
        ];
        for (zone, day, time, status, late, why) in cases {
            let moment = at(zone, day, time);
            let schedule = timetable(zone, "5=07:00-11:30").at(moment);
            let decision = decide(&schedule, Direction::CheckIn, moment, None);
            assert_eq!((decision.status, decision.late_minutes), (status, late), "{why}");
        }
        let leaves = at("Asia/Jakarta", "2025-11-21", "11:30:00");
        let friday = timetable("Asia/Jakarta", "5=07:00-11:30").at(leaves);
        assert_eq!(decide(&friday, Direction::CheckOut, leaves, None).early_minutes, 0);
        assert_eq!(direction_by_hours(&friday, leaves), Direction::CheckOut);
        let thursday = at("Asia/Jakarta", "2025-11-20", "10:00:00");
        let usual = timetable("Asia/Jakarta", "5=07:00-11:30").at(thursday);
        assert_eq!(direction_by_hours(&usual, thursday), Direction::CheckIn);
        assert_eq!(
            direction_by_hours(&friday, at("Asia/Jakarta", "2025-11-21", "10:00:00")),
            Direction::CheckOut
        );
    }

    #[test]
    fn a_short_day_is_over_earlier() {
        let month = "2025-11".parse().unwrap();
        let noon = at("Asia/Jakarta", "2025-11-21", "12:00:00");
        let through = |weekdays| through(month, &timetable("Asia/Jakarta", weekdays), noon);
        assert_eq!(through("5=07:00-11:30"), Some("2025-11-21".parse().unwrap()));
        assert_eq!(through("4=07:00-11:30"), Some("2025-11-20".parse().unwrap()));
        assert_eq!(through(""), Some("2025-11-20".parse().unwrap()));
    }

    #[test]
    fn rubbish_is_refused() {
        for text in [
            "5",
            "5=",
            "5=07:00",
            "0=07:00-11:00",
            "8=07:00-11:00",
            "5=11:00-07:00",
            "5=07:00-07:00",
            "=07:00-11:00",
            "5=07:00-25:00",
            "5=07:00-11:00,6=07:00-11:00",
            "5=07:00-11:00; 5=08:00-11:00",
            "jumat=07:00-11:00",
            "5=07:00-11:00-12:00",
            "-1=07:00-11:00",
        ] {
            assert_eq!(text.parse::<WeekdayHours>(), Err(NotHours), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn hours_survive_their_text(days in prop::array::uniform7(prop::option::of((0..86_399_u32, 0..86_399_u32)))) {
            let time = |second| NaiveTime::from_num_seconds_from_midnight_opt(second, 0).unwrap();
            let hours = WeekdayHours(days.map(|day| day.map(|(a, b)| Hours {
                checkin_end: time(a.min(b)), checkout_start: time(a.max(b) + 1),
            })));
            prop_assert_eq!(hours.to_string().parse(), Ok(hours));
        }
    }
}

//! In or out, on time or late.

use chrono::NaiveTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::{Millis, Zone};

/// Which way somebody passes the gate. The contract calls it `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    CheckIn,
    CheckOut,
}

impl Direction {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CheckIn => "checkin",
            Self::CheckOut => "checkout",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::CheckIn, Self::CheckOut].into_iter().find(|d| d.as_str() == text)
    }
}

/// A day's status, in the words of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Hadir,
    Terlambat,
    Izin,
    Sakit,
    Alpha,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hadir => "hadir",
            Self::Terlambat => "terlambat",
            Self::Izin => "izin",
            Self::Sakit => "sakit",
            Self::Alpha => "alpha",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Hadir, Self::Terlambat, Self::Izin, Self::Sakit, Self::Alpha]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

/// The part of a school's settings that decides a status. It is stored on each record as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The version of the settings it was taken from; rises with every change.
    pub version: i64,
    pub zone: Zone,
    /// Arriving by this time of day, and the grace after it, is on time.
    pub checkin_end: NaiveTime,
    pub late_grace_minutes: u16,
    /// Leaving before this time of day is early. It refuses nothing.
    pub checkout_start: NaiveTime,
}

/// What a passage of the gate means for the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub status: Status,
    /// Begun minutes after `checkin_end`; 0 when on time. The grace forgives lateness, it does not shorten it.
    pub late_minutes: i64,
    /// Begun minutes before `checkout_start`; 0 at a check-in.
    pub early_minutes: i64,
}

/// Decides from trusted time, in the school's zone.
///
/// A check-in before the gate opens is accepted as on time. A check-out keeps `arrived`, the status of the day's check-in
/// (`hadir` when that is not known): leaving never changes how somebody came.
pub fn decide(schedule: &Schedule, direction: Direction, at: Millis, arrived: Option<Status>) -> Decision {
    let time = schedule.zone.time_of_day(at);
    match direction {
        Direction::CheckIn => {
            let late = begun_minutes(schedule.checkin_end, time);
            if late > i64::from(schedule.late_grace_minutes) {
                Decision { status: Status::Terlambat, late_minutes: late, early_minutes: 0 }
            } else {
                Decision { status: Status::Hadir, late_minutes: 0, early_minutes: 0 }
            }
        }
        Direction::CheckOut => Decision {
            status: arrived.unwrap_or(Status::Hadir),
            late_minutes: 0,
            early_minutes: begun_minutes(time, schedule.checkout_start),
        },
    }
}

/// Which way somebody passes who did not say: in before the middle between `checkin_end` and `checkout_start`, out from
/// there on. Never toggled: a second tap in the morning is not a way out.
pub fn direction_by_hours(schedule: &Schedule, at: Millis) -> Direction {
    let day = schedule.checkout_start - schedule.checkin_end;
    let middle = schedule.checkin_end + day / 2;
    if schedule.zone.time_of_day(at) < middle { Direction::CheckIn } else { Direction::CheckOut }
}

/// Minutes from `from` to `to`, a begun one counting whole; 0 when `to` is not later.
fn begun_minutes(from: NaiveTime, to: NaiveTime) -> i64 {
    let ms = (to - from).num_milliseconds();
    if ms <= 0 { 0 } else { (ms + 59_999) / 60_000 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SchoolDay;

    fn schedule(zone: &str, grace: u16) -> Schedule {
        Schedule {
            version: 1,
            zone: zone.parse().unwrap(),
            checkin_end: "07:30:00".parse().unwrap(),
            late_grace_minutes: grace,
            checkout_start: "14:00:00".parse().unwrap(),
        }
    }

    fn at(zone: &str, time: &str) -> Millis {
        let day: SchoolDay = "2026-11-20".parse().unwrap();
        zone.parse::<Zone>().unwrap().instant(day, time.parse().unwrap())
    }

    #[test]
    fn arriving() {
        use Status::{Hadir, Terlambat};
        let cases = [
            ("05:00:00", 0, Hadir, 0, "long before the gate opens"),
            ("07:30:00", 0, Hadir, 0, "exactly at the end"),
            ("07:30:00.001", 0, Terlambat, 1, "a millisecond late is a begun minute"),
            ("07:31:00", 0, Terlambat, 1, "exactly one minute"),
            ("07:31:01", 0, Terlambat, 2, "the second minute has begun"),
            ("07:35:00", 5, Hadir, 0, "the last moment of the grace"),
            ("07:35:01", 5, Terlambat, 6, "past the grace the whole lateness counts"),
            ("23:59:59", 0, Terlambat, 990, "the end of the day"),
        ];
        for (time, grace, status, late, why) in cases {
            let zone = "Asia/Jakarta";
            let got = decide(&schedule(zone, grace), Direction::CheckIn, at(zone, time), None);
            assert_eq!(got, Decision { status, late_minutes: late, early_minutes: 0 }, "{why}");
        }
    }

    #[test]
    fn the_cut_off_of_a_school_in_wit_is_decided_in_wit() {
        let moment = at("Asia/Jakarta", "06:00:00"); // 08:00 in Jayapura
        let there = decide(&schedule("Asia/Jayapura", 0), Direction::CheckIn, moment, None);
        assert_eq!((there.status, there.late_minutes), (Status::Terlambat, 30));
        let here = decide(&schedule("Asia/Jakarta", 0), Direction::CheckIn, moment, None);
        assert_eq!(here.status, Status::Hadir);
    }

    #[test]
    fn leaving_keeps_how_somebody_came() {
        let zone = "Asia/Jakarta";
        let cases = [
            ("14:00:00", Some(Status::Terlambat), Status::Terlambat, 0),
            ("13:59:30", Some(Status::Hadir), Status::Hadir, 1),
            ("12:00:00", None, Status::Hadir, 120),
            ("18:00:00", None, Status::Hadir, 0),
        ];
        for (time, arrived, status, early) in cases {
            let got = decide(&schedule(zone, 0), Direction::CheckOut, at(zone, time), arrived);
            assert_eq!(got, Decision { status, late_minutes: 0, early_minutes: early }, "{time}");
        }
    }

    #[test]
    fn the_hours_say_which_way() {
        use Direction::{CheckIn, CheckOut};
        let cases = [
            ("00:00:00", CheckIn, "the day begins with arriving"),
            ("07:45:00", CheckIn, "late is still arriving"),
            ("10:44:59.999", CheckIn, "just before the middle of 07:30 and 14:00"),
            ("10:45:00", CheckOut, "the middle itself"),
            ("23:59:59", CheckOut, "the end of the day"),
        ];
        for (time, direction, why) in cases {
            let zone = "Asia/Makassar";
            assert_eq!(direction_by_hours(&schedule(zone, 0), at(zone, time)), direction, "{why}");
        }
    }

    #[test]
    fn words_survive_their_text() {
        for status in [Status::Hadir, Status::Terlambat, Status::Izin, Status::Sakit, Status::Alpha] {
            assert_eq!(Status::parse(status.as_str()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        for direction in [Direction::CheckIn, Direction::CheckOut] {
            assert_eq!(Direction::parse(direction.as_str()), Some(direction));
            assert_eq!(serde_json::to_value(direction).unwrap(), direction.as_str());
        }
    }
}

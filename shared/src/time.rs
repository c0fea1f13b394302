//! Instants, school days and how far a box's clock may be believed.
//!
//! Nothing here reads a clock: a [`Clock`] is handed in. Instants are whole milliseconds, because both databases and
//! both languages of the wire keep exactly that much.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use uuid::Uuid;

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// `None` outside the years chrono can name (about ±262,000).
    pub fn to_utc(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.0)
    }

    /// `2025-08-21T08:54:57.000000Z`: how the attendance contract writes an instant. An instant outside chrono's
    /// range is written as 1970.
    pub fn to_rfc3339_micros(self) -> String {
        self.to_utc().unwrap_or_default().to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    #[must_use]
    pub const fn plus_millis(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    #[must_use]
    pub const fn plus_seconds(self, s: i64) -> Self {
        self.plus_millis(s.saturating_mul(1000))
    }

    /// Milliseconds from `earlier` to `self`; negative when `self` is the earlier one.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl From<DateTime<Utc>> for Millis {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_millis())
    }
}

impl From<i64> for Millis {
    fn from(ms: i64) -> Self {
        Self(ms)
    }
}

/// A calendar day of a school, in the school's own zone. One that is read from outside has a year of four digits: what lies
/// beyond, no school has seen, and databases disagree about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct SchoolDay(pub NaiveDate);

impl<'de> Deserialize<'de> for SchoolDay {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let day = NaiveDate::deserialize(from)?;
        if (1..=9999).contains(&day.year()) {
            Ok(Self(day))
        } else {
            Err(D::Error::custom("no year of a school"))
        }
    }
}

impl SchoolDay {
    /// 1 is Monday, 7 is Sunday (ISO 8601).
    pub fn weekday(self) -> u8 {
        u8::try_from(self.0.weekday().number_from_monday()).unwrap_or(7)
    }

    /// The academic year the day lies in, by the year it began: Indonesian schools begin in July.
    pub fn academic_year(self) -> i64 {
        i64::from(self.0.year()) - i64::from(self.0.month() < 7)
    }

    /// The first day of the academic year that begins in `year`; `None` for a year no calendar has.
    pub fn first_of(year: i64) -> Option<Self> {
        NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, 7, 1).map(Self)
    }
}

impl fmt::Display for SchoolDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.format("%Y-%m-%d").fmt(f)
    }
}

impl FromStr for SchoolDay {
    type Err = chrono::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        NaiveDate::parse_from_str(text, "%Y-%m-%d").map(Self)
    }
}

impl From<NaiveDate> for SchoolDay {
    fn from(day: NaiveDate) -> Self {
        Self(day)
    }
}

/// A calendar month, `2025-11`. As a day from outside, it has a year of four digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(transparent)]
pub struct Month(#[schemars(with = "String", regex(pattern = r"^[0-9]{4}-(0[1-9]|1[0-2])$"))] NaiveDate);

/// The text is no month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a month is written as 2025-11")]
pub struct NotAMonth;

impl Month {
    /// The month a day lies in.
    pub fn of(day: SchoolDay) -> Self {
        Self(day.0.with_day(1).unwrap_or(day.0))
    }

    pub const fn first(self) -> SchoolDay {
        SchoolDay(self.0)
    }

    pub fn last(self) -> SchoolDay {
        self.days().last().unwrap_or(self.first())
    }

    /// Its days, in order.
    pub fn days(self) -> impl Iterator<Item = SchoolDay> {
        self.0.iter_days().take_while(move |day| day.month() == self.0.month()).map(SchoolDay)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.format("%Y-%m").fmt(f)
    }
}

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let (year, month) = text.split_once('-').ok_or(NotAMonth)?;
        let digits = |text: &str, many: usize| text.len() == many && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) || year == "0000" {
            return Err(NotAMonth);
        }
        let first = NaiveDate::from_ymd_opt(
            year.parse().map_err(|_| NotAMonth)?,
            month.parse().map_err(|_| NotAMonth)?,
            1,
        );
        first.map(Self).ok_or(NotAMonth)
    }
}

impl TryFrom<String> for Month {
    type Error = NotAMonth;

    fn try_from(text: String) -> Result<Self, NotAMonth> {
        text.parse()
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.to_string()
    }
}

/// A school's time zone, by its IANA name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(Tz);

/// The text is not a time zone's IANA name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a time zone, such as Asia/Jakarta")]
pub struct UnknownZone(String);

impl Zone {
    /// Western Indonesia (WIB, UTC+7): the default of a school that has not chosen.
    pub const JAKARTA: Self = Self(Tz::Asia__Jakarta);

    /// The school day an instant falls on.
    pub fn day(self, at: Millis) -> SchoolDay {
        SchoolDay(self.local(at).date_naive())
    }

    /// The wall clock's reading in the school at an instant.
    pub fn time_of_day(self, at: Millis) -> NaiveTime {
        self.local(at).time()
    }

    /// The instant at which the school's wall clock shows `time` on `day`. A time skipped by a clock change is moved
    /// forward by an hour; of a repeated one the first is taken. (Indonesia has neither.)
    pub fn instant(self, day: SchoolDay, time: NaiveTime) -> Millis {
        let local = day.0.and_time(time);
        let at = self
            .0
            .from_local_datetime(&local)
            .earliest()
            .or_else(|| self.0.from_local_datetime(&(local + chrono::Duration::hours(1))).earliest());
        at.map_or_else(|| local.and_utc().into(), |at| at.with_timezone(&Utc).into())
    }

    /// `WIB`, `WITA`, `WIT` for Indonesia's zones; the zone's own abbreviation elsewhere.
    pub fn abbreviation(self, at: Millis) -> String {
        match self.0 {
            Tz::Asia__Jakarta | Tz::Asia__Pontianak => "WIB".into(),
            Tz::Asia__Makassar | Tz::Asia__Ujung_Pandang => "WITA".into(),
            Tz::Asia__Jayapura => "WIT".into(),
            _ => self.local(at).format("%Z").to_string(),
        }
    }

    /// The IANA name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    fn local(self, at: Millis) -> DateTime<Tz> {
        at.to_utc().unwrap_or_default().with_timezone(&self.0)
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        name.parse().map(Self).map_err(|_| UnknownZone(name.into()))
    }
}

impl TryFrom<String> for Zone {
    type Error = UnknownZone;

    fn try_from(name: String) -> Result<Self, UnknownZone> {
        name.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name().into()
    }
}

/// What a machine's clocks show at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The wall clock, which anybody may set.
    pub wall: Millis,
    /// Milliseconds since the machine started, sleep included (`CLOCK_BOOTTIME`). Nobody can set it.
    pub boottime_ms: i64,
    /// Names this start of the machine; `boottime_ms` of two boots cannot be compared.
    pub boot: Uuid,
}

/// Where time comes from. Real ones read the machine; tests set the hands.
pub trait Clock: Send + Sync {
    fn read(&self) -> Reading;

    /// The wall clock alone.
    fn now(&self) -> Millis {
        self.read().wall
    }
}

/// A moment at which the true time was known, from the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    pub boot: Uuid,
    pub boottime_ms: i64,
    /// The cloud's time at that moment, half the round trip added.
    pub time: Millis,
    /// The round trip, which bounds the error to its half.
    pub round_trip_ms: i64,
}

/// How far an estimate of the time may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Counted from an [`Anchor`] of the same boot by a clock nobody can set.
    Anchored,
    /// The wall clock, which has not been caught out.
    Estimated,
    /// The wall clock contradicts what is already known: it ran behind history, far ahead of it, or was set.
    Suspect,
}

impl Grade {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anchored => "anchored",
            Self::Estimated => "estimated",
            Self::Suspect => "suspect",
        }
    }
}

/// The best estimate of the true time, and its grade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trusted {
    pub time: Millis,
    pub grade: Grade,
}

/// What a box knows about time before it looks at its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeBasis {
    /// The newest contact with the cloud's clock, if any.
    pub anchor: Option<Anchor>,
    /// The reading when this process started.
    pub start: Reading,
    /// The latest trusted time recorded before this start, or the time this program was built: it cannot be
    /// earlier than that.
    pub floor: Millis,
}

/// Past this difference between wall clock and counted time, the wall clock was set.
pub const STEP_MS: i64 = 2_000;
/// A start this far past everything recorded is not believed without an anchor: a box is not left in a drawer longer.
pub const LEAP_MS: i64 = 400 * 24 * 3600 * 1000;

impl TimeBasis {
    /// The trusted time of a reading. Lateness is decided from this, never from the wall clock alone.
    pub fn trust(&self, now: Reading) -> Trusted {
        if let Some(anchor) = self.anchor.filter(|a| a.boot == now.boot) {
            let elapsed = now.boottime_ms.saturating_sub(anchor.boottime_ms);
            return Trusted { time: anchor.time.plus_millis(elapsed), grade: Grade::Anchored };
        }
        let counted = self.counted(now);
        let behind = self.start.wall < self.floor;
        let ahead = self.start.wall.since(self.floor) > LEAP_MS;
        let grade =
            if behind || ahead || self.stepped(now).is_some() { Grade::Suspect } else { Grade::Estimated };
        Trusted { time: if behind { counted.max(self.floor) } else { counted }, grade }
    }

    /// By how many milliseconds the wall clock was set since the start, when it was.
    pub fn stepped(&self, now: Reading) -> Option<i64> {
        let step = now.wall.since(self.counted(now));
        (step.abs() > STEP_MS).then_some(step)
    }

    /// The wall clock of the start, carried on by the clock nobody can set.
    fn counted(&self, now: Reading) -> Millis {
        if now.boot == self.start.boot {
            self.start.wall.plus_millis(now.boottime_ms.saturating_sub(self.start.boottime_ms))
        } else {
            now.wall
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: Uuid = Uuid::from_u128(1);
    const HOUR: i64 = 3_600_000;

    fn reading(wall: i64, boottime_ms: i64) -> Reading {
        Reading { wall: Millis(wall), boottime_ms, boot: BOOT }
    }

    #[test]
    fn a_day_from_outside_has_a_year_of_four_digits() {
        for day in ["0001-01-01", "2025-11-21", "9999-12-31"] {
            let read: SchoolDay = serde_json::from_str(&format!("\"{day}\"")).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), format!("\"{day}\""));
        }
        for day in ["0000-12-31", "-0001-01-01", "-262143-01-01", "+10000-01-01", "+262142-12-31"] {
            assert!(serde_json::from_str::<NaiveDate>(&format!("\"{day}\"")).is_ok(), "{day}");
            assert!(serde_json::from_str::<SchoolDay>(&format!("\"{day}\"")).is_err(), "{day}");
        }
    }

    #[test]
    fn days_follow_the_schools_zone() {
        // 2025-08-20T22:30:00Z is 05:30 on the 21st in Jakarta, 07:30 in Jayapura, still the 20th in London.
        let at = Millis(1_755_729_000_000);
        let day = |zone: &str| zone.parse::<Zone>().unwrap().day(at).to_string();
        assert_eq!(day("Asia/Jakarta"), "2025-08-21");
        assert_eq!(day("Asia/Jayapura"), "2025-08-21");
        assert_eq!(day("Europe/London"), "2025-08-20");
        let wit: Zone = "Asia/Jayapura".parse().unwrap();
        assert_eq!(wit.time_of_day(at).to_string(), "07:30:00");
        assert_eq!(wit.abbreviation(at), "WIT");
        assert_eq!(wit.instant(wit.day(at), wit.time_of_day(at)), at);
        assert!("Mars/Olympus".parse::<Zone>().is_err());
    }

    #[test]
    fn an_academic_year_begins_in_july() {
        for (day, year) in [("2025-06-30", 2024), ("2025-07-01", 2025), ("2026-01-01", 2025)] {
            assert_eq!(day.parse::<SchoolDay>().unwrap().academic_year(), year, "{day}");
        }
        assert_eq!(SchoolDay::first_of(2025), Some("2025-07-01".parse().unwrap()));
        assert_eq!(SchoolDay::first_of(i64::MAX), None);
    }

    #[test]
    fn a_month_has_its_days_and_refuses_what_is_none() {
        let cases = [("2025-11", 30), ("2024-02", 29), ("2025-02", 28), ("2025-12", 31), ("9999-12", 31)];
        for (text, days) in cases {
            let month: Month = text.parse().unwrap();
            assert_eq!((month.to_string().as_str(), month.days().count()), (text, days));
            assert_eq!((Month::of(month.first()), Month::of(month.last())), (month, month), "{text}");
            assert_eq!(month.last().to_string(), format!("{text}-{days}"));
        }
        let rubbish = [
            "",
            "2025",
            "2025-13",
            "2025-00",
            "2025-1",
            "25-11",
            "2025-11-01",
            "0000-01",
            "+025-11",
            "2025-1a",
        ];
        for text in rubbish {
            assert_eq!(text.parse::<Month>(), Err(NotAMonth), "{text}");
        }
    }

    #[test]
    fn an_instant_is_written_as_the_contract_writes_it() {
        assert_eq!(Millis(1_755_766_497_000).to_rfc3339_micros(), "2025-08-21T08:54:57.000000Z");
    }

    #[test]
    fn a_set_clock_is_caught_and_never_moves_trusted_time() {
        let t0 = 1_700_000_000_000;
        let basis = TimeBasis { anchor: None, start: reading(t0, 0), floor: Millis(t0 - HOUR) };
        let cases = [
            ("nothing happened", reading(t0 + HOUR, HOUR), t0 + HOUR, Grade::Estimated),
            ("drift stays below a step", reading(t0 + HOUR + 1_900, HOUR), t0 + HOUR, Grade::Estimated),
            ("set back an hour", reading(t0, HOUR), t0 + HOUR, Grade::Suspect),
            ("set forward ten years", reading(t0 + 87_600 * HOUR, HOUR), t0 + HOUR, Grade::Suspect),
        ];
        for (what, now, time, grade) in cases {
            assert_eq!(basis.trust(now), Trusted { time: Millis(time), grade }, "{what}");
        }
    }

    #[test]
    fn a_start_before_history_or_far_past_it_is_suspect() {
        let floor = Millis(1_700_000_000_000);
        let starts = |wall| TimeBasis { anchor: None, start: reading(wall, 0), floor };
        assert_eq!(
            starts(0).trust(reading(0, 0)),
            Trusted { time: floor, grade: Grade::Suspect },
            "a box that woke up in 1970"
        );
        assert_eq!(
            starts(floor.0 + LEAP_MS + 1).trust(reading(floor.0 + LEAP_MS + 1, 0)).grade,
            Grade::Suspect
        );
        assert_eq!(starts(floor.0 + HOUR).trust(reading(floor.0 + HOUR, 0)).grade, Grade::Estimated);
    }

    #[test]
    fn an_anchor_rules_over_the_wall_clock_but_only_in_its_own_boot() {
        let anchor = Anchor { boot: BOOT, boottime_ms: 5_000, time: Millis(9_000_000), round_trip_ms: 80 };
        let basis = TimeBasis { anchor: Some(anchor), start: reading(0, 0), floor: Millis(0) };
        let now = basis.trust(reading(123, 7_000));
        assert_eq!(now, Trusted { time: Millis(9_002_000), grade: Grade::Anchored });
        let other = Reading { boot: Uuid::from_u128(2), ..reading(9_100_000, 10) };
        let rebooted = TimeBasis { start: other, floor: Millis(9_000_000), ..basis };
        assert_eq!(rebooted.trust(other).grade, Grade::Estimated);
    }
}

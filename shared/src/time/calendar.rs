//! School days, months and the zones they are counted in.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::Millis;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}

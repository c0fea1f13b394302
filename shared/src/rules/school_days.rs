//! Which days are school days. A check-in on a day off is accepted; a day off never makes anybody absent.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::time::SchoolDay;

/// The weekdays school is held on: `1-6`, `1,2,3,5`, `1-4,6`. 1 is Monday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SchoolDays(BTreeSet<u8>);

/// The text is no list of weekdays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("school days are written as 1-6 or 1,2,3,5, where 1 is Monday and 7 is Sunday")]
pub struct NotWeekdays;

impl SchoolDays {
    /// Whether `day` is a school day, `holidays` being the school's calendar.
    pub fn include(&self, day: SchoolDay, holidays: &BTreeSet<SchoolDay>) -> bool {
        self.0.contains(&day.weekday()) && !holidays.contains(&day)
    }
}

impl FromStr for SchoolDays {
    type Err = NotWeekdays;

    fn from_str(text: &str) -> Result<Self, NotWeekdays> {
        let weekday =
            |t: &str| t.trim().parse::<u8>().ok().filter(|d| (1..=7).contains(d)).ok_or(NotWeekdays);
        let mut days = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (weekday(first)?, weekday(last)?),
                None => (weekday(part)?, weekday(part)?),
            };
            if first > last {
                return Err(NotWeekdays);
            }
            days.extend(first..=last);
        }
        Ok(Self(days))
    }
}

impl TryFrom<String> for SchoolDays {
    type Error = NotWeekdays;

    fn try_from(text: String) -> Result<Self, NotWeekdays> {
        text.parse()
    }
}

impl fmt::Display for SchoolDays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days: Vec<String> = self.0.iter().map(u8::to_string).collect();
        f.write_str(&days.join(","))
    }
}

impl From<SchoolDays> for String {
    fn from(days: SchoolDays) -> Self {
        days.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays_and_holidays() {
        let holidays = BTreeSet::from(["2026-12-25".parse().unwrap()]);
        let cases = [
            ("1-6", "2026-11-21", true, "a Saturday in a six-day week"),
            ("1-5", "2026-11-21", false, "a Saturday in a five-day week"),
            ("1-6", "2026-11-22", false, "a Sunday"),
            ("7", "2026-11-22", true, "a school that meets on Sundays"),
            ("1-6", "2026-12-25", false, "a Friday that is a holiday"),
            ("1,3,5-6", "2026-11-17", false, "a Tuesday left out"),
        ];
        for (days, day, expected, why) in cases {
            let days: SchoolDays = days.parse().unwrap();
            assert_eq!(days.include(day.parse().unwrap(), &holidays), expected, "{why}");
        }
    }

    #[test]
    fn rubbish_is_refused() {
        for rubbish in ["", "0", "8", "6-1", "1-", "-", "1,,2", "Senin", "1-8", "1;2"] {
            assert_eq!(rubbish.parse::<SchoolDays>(), Err(NotWeekdays), "{rubbish:?}");
        }
        assert_eq!("5-6,1".parse::<SchoolDays>().unwrap().to_string(), "1,5,6");
    }
}

//! Instants, school days and how far a box's clock may be believed.
//!
//! Nothing here reads a clock: a [`Clock`] is handed in. Instants are whole milliseconds, because both databases and
//! both languages of the wire keep exactly that much.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

mod calendar;
mod clock;

pub use self::{
    calendar::{Month, NotAMonth, SchoolDay, UnknownZone, Zone},
    clock::{Anchor, Clock, Grade, LEAP_MS, Reading, STEP_MS, TimeBasis, Trusted},
};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_as_the_contract_writes_it() {
        assert_eq!(Millis(1_755_766_497_000).to_rfc3339_micros(), "2025-08-21T08:54:57.000000Z");
    }
}

//! What a box's clocks show, and how far that may be believed.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Millis;

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

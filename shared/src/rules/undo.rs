//! Taking a scan back at the gate.
//!
//! For the slip of a moment: the wrong card, the wrong student in the list, the wrong direction. What is found out later is a
//! correction, by somebody who answers for it.

use super::status::Direction;
use crate::time::Millis;

/// How long after it was recorded a scan can be taken back, in milliseconds.
pub const WITHIN_MS: i64 = 10 * 60 * 1000;

/// Why a scan stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stays {
    /// Recorded longer ago than [`WITHIN_MS`].
    TooLate,
    /// Somebody's own passage with the rotating QR, not a gate's.
    NotOfTheGate,
    /// The day's check-out stands on it.
    CheckedOut,
}

/// What is known of the scan that is to be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scanned {
    pub direction: Direction,
    /// Its trusted time.
    pub at: Millis,
    pub is_of_a_student: bool,
    /// Whether the same person's check-out of that day stands.
    pub checked_out: bool,
}

/// Whether a scan may be taken back now, by trusted time. A trusted time may have been corrected backwards since: a scan that
/// lies a little ahead is as near as one that lies a little behind.
///
/// # Errors
/// Why not.
pub fn may_undo(scan: &Scanned, now: Millis) -> Result<(), Stays> {
    if !scan.is_of_a_student {
        return Err(Stays::NotOfTheGate);
    }
    if now.since(scan.at).saturating_abs() > WITHIN_MS {
        return Err(Stays::TooLate);
    }
    if scan.direction == Direction::CheckIn && scan.checked_out {
        return Err(Stays::CheckedOut);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_slip_of_a_moment_is_taken_back() {
        use Direction::{CheckIn, CheckOut};
        let now = Millis(1_763_600_460_000);
        let cases = [
            (CheckIn, 0, true, false, Ok(()), "just now"),
            (CheckIn, WITHIN_MS, true, false, Ok(()), "at the last moment"),
            (CheckIn, WITHIN_MS + 1, true, false, Err(Stays::TooLate), "a moment later"),
            (CheckIn, -2_000, true, false, Ok(()), "the clock was corrected backwards since"),
            (CheckIn, -WITHIN_MS - 1, true, false, Err(Stays::TooLate), "of a clock that ran ahead"),
            (CheckIn, 0, false, false, Err(Stays::NotOfTheGate), "a teacher's own"),
            (CheckIn, 0, true, true, Err(Stays::CheckedOut), "the check-out first"),
            (CheckOut, 0, true, true, Ok(()), "the check-out itself"),
        ];
        for (direction, ago, is_of_a_student, checked_out, expected, why) in cases {
            let scan = Scanned { direction, at: now.plus_millis(-ago), is_of_a_student, checked_out };
            assert_eq!(may_undo(&scan, now), expected, "{why}");
        }
    }
}

//! One check-in and one check-out per person and school day.
//!
//! What is recorded first stands. A second record of the same key is either the same fact seen twice (another gate, a tap
//! repeated after a power cut), which is a success, or a contradiction somebody has to look at. Both are kept.

use serde::{Deserialize, Serialize};

use super::status::{Decision, Direction, Status};
use crate::{
    ids::{EventId, UserId},
    time::SchoolDay,
};

/// The natural key, within one institution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NaturalKey {
    pub user: UserId,
    pub day: SchoolDay,
    pub direction: Direction,
}

/// What two records of one key are compared by: what they mean for the day, not the moment of the tap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub event: EventId,
    pub status: Status,
    pub left_early: bool,
}

impl Content {
    /// What a decision means for the day.
    pub fn new(event: EventId, decision: &Decision) -> Self {
        Self { event, status: decision.status, left_early: decision.early_minutes > 0 }
    }

    fn means_the_same(&self, other: &Self) -> bool {
        self.status == other.status && self.left_early == other.left_early
    }
}

/// What a record is to the one already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Second {
    /// Says nothing new: success.
    Duplicate,
    /// Says something else about the same person, day and direction.
    Conflict,
}

/// Compares a record with the one that stands. The same event id with another meaning is a conflict as well: an id that
/// changed its content is a fault or an attack, never a duplicate.
pub fn compare(standing: &Content, second: &Content) -> Second {
    if second.means_the_same(standing) { Second::Duplicate } else { Second::Conflict }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_same_fact_twice_is_a_duplicate_and_a_contradiction_is_a_conflict() {
        let content = |event: u128, status, left_early| Content {
            event: EventId(Uuid::from_u128(event)),
            status,
            left_early,
        };
        let standing = content(1, Status::Hadir, false);
        let cases = [
            (content(1, Status::Hadir, false), Second::Duplicate, "the very same record"),
            (content(2, Status::Hadir, false), Second::Duplicate, "a second gate, both on time"),
            (content(2, Status::Terlambat, false), Second::Conflict, "on time here, late there"),
            (content(1, Status::Terlambat, false), Second::Conflict, "one event, two meanings"),
            (content(2, Status::Hadir, true), Second::Conflict, "left early there, not here"),
        ];
        for (second, expected, why) in cases {
            assert_eq!(compare(&standing, &second), expected, "{why}");
        }
    }
}

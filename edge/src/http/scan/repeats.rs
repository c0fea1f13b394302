//! A card stays before the camera for many frames. The first is scanned; the following get its answer, marked `again`,
//! until the card has been away for a while. So a held card makes one record, one line in the log of unknown codes, one sound.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use hadir_shared::rules::status::Direction;

use super::Outcome;

/// A card counts as shown anew after it was not seen for this long.
const AWAY_MS: i64 = 2_500;
/// Past this many sights the old ones are forgotten.
const MOST: usize = 1_000;

/// One card before one camera.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sight {
    peer: String,
    gate: String,
    direction: Option<Direction>,
    code: String,
}

impl Sight {
    pub fn new(peer: String, gate: &str, direction: Option<Direction>, code: &str) -> Self {
        Self { peer, gate: gate.into(), direction, code: code.into() }
    }
}

#[derive(Debug, Default)]
pub struct Repeats(Mutex<HashMap<Sight, Seen>>);

#[derive(Debug)]
struct Seen {
    last_ms: i64,
    outcome: Outcome,
}

impl Repeats {
    /// The answer this card was given when it came, if it has been before the camera since. `now_ms` is the machine's
    /// uptime.
    pub fn again(&self, sight: &Sight, now_ms: i64) -> Option<Outcome> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.get_mut(sight).filter(|s| now_ms.saturating_sub(s.last_ms) < AWAY_MS)?;
        seen.last_ms = now_ms;
        Some(Outcome { again: true, ..seen.outcome.clone() })
    }

    /// What was not saved is not remembered: the next frame tries again.
    pub fn remember(&self, sight: Sight, now_ms: i64, outcome: &Outcome) {
        if !outcome.is_answered() {
            return;
        }
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST {
            seen.retain(|_, s| now_ms.saturating_sub(s.last_ms) < AWAY_MS);
        }
        if seen.len() < MOST {
            seen.insert(sight, Seen { last_ms: now_ms, outcome: outcome.clone() });
        }
    }
}

//! How often somebody may try the six digits under the rotating QR.
//!
//! What always holds: an attempt is counted before the digits are looked at, right or wrong, so that parallel guesses do not
//! get past the count; each person has a budget of his own, so that nobody shuts out another.

use std::{num::NonZeroU32, time::Duration};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _};
use hadir_shared::ids::UserId;

use crate::http::fail::Fail;

/// Who mistypes has this many tries at once …
const BURST: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// … and then so many. Who guesses at that rate all school day long hits one of the two good codes in a million with a
/// chance of less than one in a hundred.
const A_MINUTE: NonZeroU32 = NonZeroU32::new(6).unwrap();

/// One count per process. A school has no more people than memory.
#[derive(Debug)]
pub struct Guesses(DefaultKeyedRateLimiter<UserId>);

impl Guesses {
    #[expect(clippy::new_without_default, reason = "there is one per process")]
    pub fn new() -> Self {
        Self(RateLimiter::keyed(Quota::per_minute(A_MINUTE).allow_burst(BURST)))
    }

    /// Counts one attempt of whoever is signed in.
    pub fn attempt(&self, person: UserId) -> Result<(), Fail> {
        self.0.check_key(&person).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.0.clock().now());
            Fail::TooMany(wait.max(Duration::from_secs(1)))
        })
    }
}

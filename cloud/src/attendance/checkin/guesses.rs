//! How often somebody may try the six digits under the rotating QR.
//!
//! What always holds: an attempt is counted before the digits are looked at, right or wrong, so that parallel guesses do not
//! get past the count; each person has a budget of his own, so that nobody shuts out another.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, Reference as _},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};
use hadir_shared::{ids::UserId, time::Clock};

use crate::fail::Fail;

/// Who mistypes has this many tries at once …
const BURST: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// … and then so many. Who guesses at that rate all school day long hits one of the two good codes in a million with a
/// chance of less than one in a hundred.
const A_MINUTE: NonZeroU32 = NonZeroU32::new(6).unwrap();
/// Past this many people those at rest are forgotten.
const PEOPLE: usize = 20_000;

type Limiter = RateLimiter<UserId, HashMapStateStore<UserId>, Uptime, NoOpMiddleware<Duration>>;

/// One node's count. Cheap to clone.
#[derive(Clone)]
pub struct Guesses(Arc<Limiter>);

impl Guesses {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let quota = Quota::per_minute(A_MINUTE).allow_burst(BURST);
        Self(Arc::new(RateLimiter::new(quota, HashMapStateStore::default(), Uptime(clock))))
    }

    /// Counts one attempt of whoever is signed in. Fails with [`Fail::TooMany`].
    pub fn attempt(&self, person: UserId) -> Result<(), Fail> {
        if self.0.len() >= PEOPLE {
            self.0.retain_recent();
        }
        self.0.check_key(&person).map_err(|not_until| {
            let wait = not_until.earliest_possible().duration_since(self.0.clock().now());
            Fail::TooMany { retry_after: Duration::from_secs(wait.as_u64().div_ceil(1_000_000_000)) }
        })
    }
}

/// The time since the machine started, which nobody sets back.
#[derive(Clone)]
struct Uptime(Arc<dyn Clock>);

impl governor::clock::Clock for Uptime {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.read().boottime_ms.unsigned_abs())
    }
}

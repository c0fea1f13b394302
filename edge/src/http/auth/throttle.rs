//! How often somebody may try to sign in: per account, and per address (a whole staff room may stand behind one).

use std::{num::NonZeroU32, time::Duration};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _};

use crate::http::fail::Fail;

const ACCOUNT_BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);
const ACCOUNT_A_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
const ADDRESS_BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);
const ADDRESS_A_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);
/// Past this many keys those at rest are forgotten.
const KEYS: usize = 5_000;
/// No number of a person is longer.
const LONGEST_ACCOUNT: usize = 64;

#[derive(Debug)]
pub struct Throttle {
    accounts: DefaultKeyedRateLimiter<String>,
    addresses: DefaultKeyedRateLimiter<String>,
}

impl Throttle {
    #[expect(clippy::new_without_default, reason = "there is one per process")]
    pub fn new() -> Self {
        Self {
            accounts: RateLimiter::keyed(Quota::per_minute(ACCOUNT_A_MINUTE).allow_burst(ACCOUNT_BURST)),
            addresses: RateLimiter::keyed(Quota::per_minute(ADDRESS_A_MINUTE).allow_burst(ADDRESS_BURST)),
        }
    }

    /// Counts one attempt, right or wrong.
    pub fn attempt(&self, account: &str, address: &str) -> Result<(), Fail> {
        slow_down(&self.addresses, address)?;
        slow_down(&self.accounts, account)
    }
}

/// Counts one attempt of whatever `key` names.
pub fn slow_down(limiter: &DefaultKeyedRateLimiter<String>, key: &str) -> Result<(), Fail> {
    if limiter.len() > KEYS {
        limiter.retain_recent();
    }
    let key = key.chars().take(LONGEST_ACCOUNT).collect();
    limiter.check_key(&key).map_err(|not_until| {
        let wait = not_until.wait_time_from(limiter.clock().now());
        Fail::TooMany(wait.max(Duration::from_secs(1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_slowed_down_and_its_neighbour_is_not() {
        let throttle = Throttle::new();
        for _ in 0..ACCOUNT_BURST.get() {
            throttle.attempt("2001", "10.0.0.1").unwrap();
        }
        assert!(matches!(throttle.attempt("2001", "10.0.0.2"), Err(Fail::TooMany(_))));
        throttle.attempt("2002", "10.0.0.1").unwrap();
    }

    #[test]
    fn an_address_that_tries_many_accounts_is_slowed_down() {
        let throttle = Throttle::new();
        let refused = (0..200).filter(|n| throttle.attempt(&n.to_string(), "10.0.0.1").is_err()).count();
        assert!((90..=100).contains(&refused), "{refused}");
    }
}

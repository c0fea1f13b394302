//! Slows down guessing, without shutting anybody out.
//!
//! What always holds:
//! - an attempt is counted before the password is looked at, so that parallel guesses do not get past the count;
//! - after five failures an account waits 30 s, then twice as long each time, 15 minutes at most; an attempt during the wait
//!   does not prolong it, and is answered like a wrong password;
//! - on a device on which the user has signed in before ([`super::device`]), or else from an address at which he has, the
//!   account's wait does not apply (each has its own), so that a stranger who keeps guessing cannot keep a teacher out;
//! - a second factor has a count of its own: five wrong codes, and a quarter of an hour nobody is asked for one;
//! - an address has a large budget of failures (a school is one address), and only that budget answers "too many".

use std::{net::IpAddr, time::Duration};

use hadir_shared::{ids::UserId, time::Millis};

use super::store;
use crate::{db::Tx, fail::Fail};

const FREE_FAILURES: i64 = 5;
const FIRST_WAIT_MS: i64 = 30_000;
const LONGEST_WAIT_MS: i64 = 15 * 60_000;
/// Failures of an account are forgotten after this long without one.
const ACCOUNT_WINDOW_MS: i64 = 60 * 60_000;
const ADDRESS_FAILURES: i64 = 100;
const ADDRESS_WINDOW_MS: i64 = 10 * 60_000;

/// One attempt, to be told how it ended.
pub(super) struct Counted {
    account: String,
    address: String,
}

/// `Ok(None)`: the account waits. Fails with [`Fail::TooMany`] when the address has used up its budget.
pub(super) async fn count(
    tx: &mut Tx,
    login: &str,
    user: Option<UserId>,
    device: Option<&str>,
    address: IpAddr,
    now: Millis,
) -> Result<Option<Counted>, Fail> {
    let place = format!("address:{}", network(address));
    if let Some(until) = store::blocked_until(tx, &place, now).await? {
        return Err(too_many(until, now));
    }
    let account = match (user, device) {
        (Some(_), Some(device)) => format!("account:{login}#{device}"),
        (Some(user), None) if store::has_session_from(tx, user, &address.to_string()).await? => {
            format!("account:{login}@{address}")
        }
        _ => format!("account:{login}"),
    };
    // The address first: who keeps trying an account that waits uses up his own budget, and is not hashed for for ever.
    let budget_ends = now.plus_millis(ADDRESS_WINDOW_MS);
    match store::count_failure(tx, &place, now, budget_ends).await? {
        None => return Err(too_many(budget_ends, now)),
        Some(failures) if failures >= ADDRESS_FAILURES => {
            store::block(tx, &place, budget_ends).await?;
        }
        Some(_) => {}
    }
    let Some(failures) = store::count_failure(tx, &account, now, now.plus_millis(ACCOUNT_WINDOW_MS)).await?
    else {
        return Ok(None);
    };
    if failures >= FREE_FAILURES {
        store::block(tx, &account, now.plus_millis(wait(failures))).await?;
    }
    Ok(Some(Counted { account, address: place }))
}

impl Counted {
    /// It was the right password: it was no failure.
    pub(super) async fn succeeded(&self, tx: &mut Tx) -> Result<(), Fail> {
        // In the order in which they are counted, or two logins could wait for each other.
        store::uncount_failure(tx, &self.address).await?;
        store::forget_failures(tx, &self.account).await?;
        Ok(())
    }
}

/// One try at a second factor, or at the password of somebody who is signed in already.
pub(super) struct Guess(String);

impl Guess {
    pub(super) async fn succeeded(&self, tx: &mut Tx) -> Result<(), Fail> {
        store::forget_failures(tx, &self.0).await?;
        Ok(())
    }
}

/// Counts a try at a second factor. Fails with [`Fail::TooMany`] after five wrong ones.
pub(super) async fn second(tx: &mut Tx, user: UserId, now: Millis) -> Result<Guess, Fail> {
    strictly(tx, format!("totp:{user}"), now).await
}

/// Counts a try at the password of somebody who is signed in. Fails with [`Fail::TooMany`] after five wrong ones.
pub(super) async fn prove(tx: &mut Tx, user: UserId, now: Millis) -> Result<Guess, Fail> {
    strictly(tx, format!("prove:{user}"), now).await
}

async fn strictly(tx: &mut Tx, subject: String, now: Millis) -> Result<Guess, Fail> {
    let until = now.plus_millis(LONGEST_WAIT_MS);
    let counted = store::count_failure(tx, &subject, now, now.plus_millis(ACCOUNT_WINDOW_MS)).await?;
    let Some(failures) = counted else {
        let until = store::blocked_until(tx, &subject, now).await?.unwrap_or(until);
        return Err(too_many(until, now));
    };
    if failures >= FREE_FAILURES {
        store::block(tx, &subject, until).await?;
    }
    Ok(Guess(subject))
}

/// Whose budget an address draws on: its own, or that of the /64 that one IPv6 customer has for himself.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => IpAddr::V6((six.to_bits() >> 64 << 64).into()),
    }
}

const fn wait(failures: i64) -> i64 {
    let doublings = failures - FREE_FAILURES;
    if doublings >= 5 { LONGEST_WAIT_MS } else { FIRST_WAIT_MS << doublings }
}

pub(super) fn too_many(until: Millis, now: Millis) -> Fail {
    let ms = u64::try_from(until.since(now)).unwrap_or(0);
    Fail::TooMany { retry_after: Duration::from_secs(ms.div_ceil(1000)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_customer_is_one_address() {
        let budget = |address: &str| network(address.parse().unwrap()).to_string();
        assert_eq!(budget("203.0.113.7"), "203.0.113.7");
        assert_eq!(budget("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_ne!(budget("2001:db8:1:2::1"), budget("2001:db8:1:3::1"));
    }

    #[test]
    fn waits_double_to_a_quarter_of_an_hour() {
        let seconds: Vec<i64> = (5..=12).map(|failures| wait(failures) / 1000).collect();
        assert_eq!(seconds, [30, 60, 120, 240, 480, 900, 900, 900]);
    }
}

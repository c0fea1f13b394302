//! Tickets for people who arrive with a good token and have to sign in first.
//!
//! The check-in page is handed one when it is opened. It remembers which token it was opened with and what the clocks
//! showed then; a passage with the same token is judged by that moment. A ticket is good for some minutes, so a picture of
//! the QR gains nothing: opened late, it carries the late moment.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use data_encoding::HEXLOWER;
use hadir_shared::time::Reading;

use crate::ids::Ids;

/// Long enough to type a password on a telephone.
const LIFE_MS: i64 = 3 * 60 * 1000;
/// A whole school at once, many times over.
const MOST: usize = 10_000;

#[derive(Debug, Default)]
pub struct Arrivals(Mutex<HashMap<String, Ticket>>);

#[derive(Debug)]
struct Ticket {
    token: String,
    opened: Reading,
}

impl Ticket {
    fn is_good(&self, now: Reading) -> bool {
        let age = now.boottime_ms.saturating_sub(self.opened.boottime_ms);
        self.opened.boot == now.boot && (0..=LIFE_MS).contains(&age)
    }
}

impl Arrivals {
    /// A ticket for somebody who opened the page of `token` at `opened`; empty when there are too many.
    pub fn issue(&self, ids: &Ids, token: &str, opened: Reading) -> String {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tickets.len() >= MOST {
            tickets.retain(|_, ticket| ticket.is_good(opened));
        }
        if tickets.len() >= MOST {
            return String::new();
        }
        let name = HEXLOWER.encode(&ids.bytes::<16>());
        tickets.insert(name.clone(), Ticket { token: token.into(), opened });
        name
    }

    /// When the page was opened, if the ticket is good and was given for this token.
    pub fn find(&self, name: &str, token: &str, now: Reading) -> Option<Reading> {
        let tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.get(name).filter(|t| t.token == token && t.is_good(now)).map(|t| t.opened)
    }
}

#[cfg(test)]
mod tests {
    use hadir_shared::time::Millis;
    use uuid::Uuid;

    use super::*;

    fn at(ms: i64) -> Reading {
        Reading { wall: Millis(ms), boottime_ms: ms, boot: Uuid::from_u128(1) }
    }

    #[test]
    fn a_ticket_tells_when_its_page_was_opened_for_its_token_and_for_a_while() {
        let (arrivals, ids) = (Arrivals::default(), Ids::seeded(1));
        let ticket = arrivals.issue(&ids, "abc", at(1_000));
        assert_eq!(arrivals.find(&ticket, "abc", at(60_000)), Some(at(1_000)));
        assert_eq!(arrivals.find(&ticket, "abd", at(60_000)), None, "another token");
        assert_eq!(arrivals.find("other", "abc", at(60_000)), None);
        assert_eq!(arrivals.find(&ticket, "abc", at(1_000 + LIFE_MS + 1)), None, "too late");
        let rebooted = Reading { boot: Uuid::from_u128(2), ..at(60_000) };
        assert_eq!(arrivals.find(&ticket, "abc", rebooted), None);
    }

    #[test]
    fn tickets_do_not_fill_the_memory() {
        let (arrivals, ids) = (Arrivals::default(), Ids::seeded(1));
        for _ in 0..MOST {
            assert!(!arrivals.issue(&ids, "abc", at(0)).is_empty());
        }
        assert!(arrivals.issue(&ids, "abc", at(1)).is_empty());
        assert!(!arrivals.issue(&ids, "abc", at(LIFE_MS + 1)).is_empty(), "old ones made room");
    }
}

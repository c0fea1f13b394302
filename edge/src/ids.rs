//! Ids and random values. Everything else is handed this source.

use std::sync::{Arc, Mutex, PoisonError};

use hadir_shared::time::Millis;
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};
use uuid::Uuid;

/// The machine's own randomness, or a seeded sequence for tests.
#[derive(Clone, Debug)]
pub struct Ids(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Seeded(Arc<Mutex<StdRng>>),
}

impl Ids {
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// The same values on every run.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// Fit for keys and tokens (except from a seeded source).
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System => rand::rng().fill_bytes(&mut bytes),
            Source::Seeded(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes),
        }
        bytes
    }

    /// Version 7: sorts by time of birth.
    pub fn uuid(&self, now: Millis) -> Uuid {
        uuid::Builder::from_unix_timestamp_millis(u64::try_from(now.0).unwrap_or(0), &self.bytes())
            .into_uuid()
    }

    /// Version 4: tells nothing.
    pub fn random_uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// A whole number in `0..=most`.
    pub fn up_to(&self, most: u64) -> u64 {
        match &self.0 {
            Source::System => rand::rng().random_range(0..=most),
            Source::Seeded(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).random_range(0..=most),
        }
    }
}

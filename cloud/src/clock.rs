//! Where time, ids and randomness come from. Everything else is handed them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use hadir_shared::time::{Clock, Millis, Reading};
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};
use uuid::Uuid;

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    boot: Uuid,
}

impl SystemClock {
    /// `boot` names this start of the process.
    #[expect(clippy::new_without_default, reason = "a clock is made once, on purpose")]
    pub fn new() -> Self {
        Self { started: Instant::now(), boot: Ids::system().random_uuid() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn read(&self) -> Reading {
        let boottime_ms = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        Reading { wall: chrono::Utc::now().into(), boottime_ms, boot: self.boot }
    }
}

/// Ids and random values: the machine's own, or a seeded sequence for tests.
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

    /// 256 random bits in 43 characters that are safe in a URL.
    pub fn token(&self) -> String {
        data_encoding::BASE64URL_NOPAD.encode(&self.bytes::<32>())
    }

    /// Six decimal digits, each code as likely as another.
    pub fn six_digits(&self) -> String {
        format!("{:06}", self.below(1_000_000))
    }

    /// A whole number in `0..limit`; 0 when `limit` is 0.
    pub fn below(&self, limit: u64) -> u64 {
        if limit == 0 {
            return 0;
        }
        match &self.0 {
            Source::System => rand::rng().random_range(0..limit),
            Source::Seeded(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).random_range(0..limit),
        }
    }
}

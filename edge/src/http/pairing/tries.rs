//! How often somebody may try a code or a PIN. A try is counted before it is looked at, right or wrong.

use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::http::{auth::slow_down, fail::Fail};

/// Per address: who mistypes has so many tries at once, then so many a minute.
const CODE_BURST: NonZeroU32 = NonZeroU32::new(10).unwrap();
const CODES_A_MINUTE: NonZeroU32 = NonZeroU32::new(6).unwrap();
/// Per kiosk, wherever its token is used: four digits last a week of trying day and night.
const PIN_BURST: NonZeroU32 = NonZeroU32::new(5).unwrap();
const PINS_A_MINUTE: NonZeroU32 = NonZeroU32::new(1).unwrap();

/// One count per process.
#[derive(Debug)]
pub struct Tries {
    codes: DefaultKeyedRateLimiter<String>,
    pins: DefaultKeyedRateLimiter<String>,
}

impl Tries {
    #[expect(clippy::new_without_default, reason = "there is one per process")]
    pub fn new() -> Self {
        Self {
            codes: RateLimiter::keyed(Quota::per_minute(CODES_A_MINUTE).allow_burst(CODE_BURST)),
            pins: RateLimiter::keyed(Quota::per_minute(PINS_A_MINUTE).allow_burst(PIN_BURST)),
        }
    }

    pub fn code(&self, address: &str) -> Result<(), Fail> {
        slow_down(&self.codes, address)
    }

    pub fn pin(&self, device: i64) -> Result<(), Fail> {
        slow_down(&self.pins, &device.to_string())
    }
}

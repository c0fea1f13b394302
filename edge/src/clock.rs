//! The box's clocks, and how far they are believed.
//!
//! Invariant: trusted time never moves because somebody set the wall clock. It is counted by the clock of the machine's
//! start from the newest contact with the cloud, or from the reading at which this process started.

use std::sync::{Arc, PoisonError, RwLock};

use hadir_shared::{
    time::{Anchor, Clock, Grade, Millis, Reading, STEP_MS, TimeBasis, Trusted},
    wire::record::Stamp,
};
use uuid::Uuid;

/// The time this program was built: no clock of a box that runs it can be right and earlier.
pub const BUILT: Millis = Millis(hadir_built_ms());

const fn hadir_built_ms() -> i64 {
    let digits = env!("HADIR_BUILT_MS").as_bytes();
    let (mut value, mut i) = (0_i64, 0);
    while i < digits.len() {
        value = value * 10 + (digits[i] - b'0') as i64;
        i += 1;
    }
    value
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    boot: Uuid,
}

impl SystemClock {
    /// `otherwise` names the boot on a system that has no name for it.
    pub fn new(otherwise: Uuid) -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        Self { boot: boot.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(otherwise) }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn read(&self) -> Reading {
        let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let boottime_ms = since_boot.tv_sec.saturating_mul(1000) + since_boot.tv_nsec / 1_000_000;
        Reading { wall: chrono::Utc::now().into(), boottime_ms, boot: self.boot }
    }
}

/// Tells the time and how good it is. Cheap to clone.
#[derive(Clone)]
pub struct Timekeeper {
    clock: Arc<dyn Clock>,
    state: Arc<RwLock<State>>,
}

struct State {
    basis: TimeBasis,
    /// The step of the wall clock that is on record already, in milliseconds since the start.
    step_known: i64,
}

impl Timekeeper {
    /// `floor` is the latest trusted time on record, or the time this program was built when that is later.
    pub fn new(clock: Arc<dyn Clock>, floor: Millis, anchor: Option<Anchor>) -> Self {
        let basis = TimeBasis { anchor, start: clock.read(), floor };
        Self { clock, state: Arc::new(RwLock::new(State { basis, step_known: 0 })) }
    }

    pub fn reading(&self) -> Reading {
        self.clock.read()
    }

    pub fn trust(&self, reading: Reading) -> Trusted {
        self.state.read().unwrap_or_else(PoisonError::into_inner).basis.trust(reading)
    }

    pub fn now(&self) -> Trusted {
        self.trust(self.reading())
    }

    /// Both times of something that happens at `reading`.
    pub fn stamp(&self, reading: Reading) -> Stamp {
        let Trusted { time, grade } = self.trust(reading);
        Stamp {
            claimed: reading.wall,
            trusted: time,
            grade,
            boottime_ms: reading.boottime_ms,
            boot: reading.boot,
        }
    }

    pub fn anchor(&self) -> Option<Anchor> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).basis.anchor
    }

    /// Takes a newer contact with the cloud's clock.
    pub fn set_anchor(&self, anchor: Anchor) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).basis.anchor = Some(anchor);
    }

    /// By how many milliseconds the wall clock was set since the last call that told of it.
    pub fn new_step(&self, reading: Reading) -> Option<i64> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let step = state.basis.stepped(reading).unwrap_or(0);
        let by = step - state.step_known;
        (by.abs() > STEP_MS).then(|| {
            state.step_known = step;
            by
        })
    }

    /// The wall clock's error, when it is known: trusted minus wall, in milliseconds.
    pub fn offset_ms(&self) -> Option<i64> {
        let reading = self.reading();
        let trusted = self.trust(reading);
        (trusted.grade == Grade::Anchored).then(|| trusted.time.since(reading.wall))
    }
}

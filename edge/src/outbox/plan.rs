//! What to do next, decided purely: from what the box has and what the cloud said.

/// What the box has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Have {
    /// The last record of the open log; 0 is none.
    pub last: u64,
    /// The record to send next.
    pub next: u64,
    /// Records in one batch, at most; smaller after a batch was too large, or while a bad record is looked for.
    pub most: u64,
    /// A box with nothing to send says where it stands now and then.
    pub heartbeat_due: bool,
}

/// What the box's own log says at the number the cloud named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ours {
    Same,
    Different,
    /// There is no such record here: the cloud knows more of this log than the box does.
    Beyond,
}

/// What the cloud said, after it was proven to be the cloud where that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Nothing yet.
    Nothing,
    /// A proven receipt: it holds everything up to here.
    Holds { through: u64, ours: Ours },
    /// 409: records before the first one sent are missing there.
    Gap { expected: u64 },
    /// 409: it holds another history of this log, which is so at this number.
    Fork { ours: Ours },
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Both ends included.
    Send {
        first: u64,
        last: u64,
    },
    Heartbeat,
    /// Send again from here, and believe the cloud to hold nothing past it.
    Rewind {
        to: u64,
    },
    /// Leave this log; carry over what the cloud does not have of it.
    Fork,
    Wait,
}

/// The next step.
pub fn plan(have: &Have, said: &Said) -> Step {
    match *said {
        Said::Holds { ours: Ours::Different | Ours::Beyond, .. }
        | Said::Fork { ours: Ours::Different | Ours::Beyond } => Step::Fork,
        // The history is the same after all, or numbers start at 0: whoever answered is confused, and waiting costs nothing.
        Said::Fork { ours: Ours::Same } | Said::Gap { expected: 0 } => Step::Wait,
        // Only a longer history than ours can miss what we do not have.
        Said::Gap { expected } if expected > have.last + 1 => Step::Fork,
        Said::Gap { expected } if expected < have.next => Step::Rewind { to: expected },
        Said::Gap { .. } => Step::Wait,
        Said::Holds { through, ours: Ours::Same } => {
            send(&Have { next: through + 1, heartbeat_due: false, ..*have })
        }
        Said::Nothing => send(have),
    }
}

fn send(have: &Have) -> Step {
    if have.next <= have.last {
        Step::Send { first: have.next, last: have.last.min(have.next + have.most.max(1) - 1) }
    } else if have.heartbeat_due {
        Step::Heartbeat
    } else {
        Step::Wait
    }
}

/// The longest wait before try number `failures` (1, 2, …), in milliseconds: the bound of full jitter.
pub fn backoff_bound(base_ms: u64, cap_ms: u64, failures: u32) -> u64 {
    let doubled = base_ms.checked_shl(failures.saturating_sub(1).min(63)).unwrap_or(u64::MAX);
    // A shift can lose the top bits; more than 40 doublings are past every cap.
    if failures > 40 { cap_ms } else { doubled.min(cap_ms) }
}

/// The longest wait before the first contact after an outage, in milliseconds: the schools of a region come
/// back in the same second.
pub fn herd_bound(outage_ms: i64, cap_ms: u64) -> u64 {
    const LONG: i64 = 5 * 60 * 1000;
    const MOST: u64 = 10 * 60 * 1000;
    if outage_ms <= LONG { 0 } else { (outage_ms.unsigned_abs() / 20).min(MOST).min(cap_ms) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HAVE: Have = Have { last: 1_000, next: 401, most: 500, heartbeat_due: false };

    #[test]
    fn every_situation_has_its_step() {
        use Ours::{Beyond, Different, Same};
        let idle = Have { next: 1_001, ..HAVE };
        let cases = [
            (HAVE, Said::Nothing, Step::Send { first: 401, last: 900 }, "a full batch"),
            (Have { next: 900, ..HAVE }, Said::Nothing, Step::Send { first: 900, last: 1_000 }, "the rest"),
            (Have { most: 1, ..HAVE }, Said::Nothing, Step::Send { first: 401, last: 401 }, "one at a time"),
            (Have { most: 0, ..HAVE }, Said::Nothing, Step::Send { first: 401, last: 401 }, "never none"),
            (idle, Said::Nothing, Step::Wait, "nothing to say"),
            (Have { heartbeat_due: true, ..idle }, Said::Nothing, Step::Heartbeat, "nothing new, but alive"),
            (
                Have { heartbeat_due: true, ..HAVE },
                Said::Nothing,
                Step::Send { first: 401, last: 900 },
                "a batch is a heartbeat",
            ),
            (HAVE, Said::Holds { through: 900, ours: Same }, Step::Send { first: 901, last: 1_000 }, "go on"),
            (HAVE, Said::Holds { through: 1_000, ours: Same }, Step::Wait, "all is there"),
            (
                idle,
                Said::Holds { through: 200, ours: Same },
                Step::Send { first: 201, last: 700 },
                "a cloud that went back in time gets it again",
            ),
            (idle, Said::Holds { through: 1_500, ours: Beyond }, Step::Fork, "the box went back in time"),
            (HAVE, Said::Holds { through: 900, ours: Different }, Step::Fork, "another history"),
            (HAVE, Said::Gap { expected: 101 }, Step::Rewind { to: 101 }, "records are missing there"),
            (HAVE, Said::Gap { expected: 401 }, Step::Wait, "no gap at all: nonsense"),
            (HAVE, Said::Gap { expected: 0 }, Step::Wait, "numbers start at 1: nonsense"),
            (HAVE, Said::Gap { expected: 1_002 }, Step::Fork, "it misses what was never here"),
            (HAVE, Said::Fork { ours: Different }, Step::Fork, "a fork that is one"),
            (HAVE, Said::Fork { ours: Beyond }, Step::Fork, "a restored disk image"),
            (HAVE, Said::Fork { ours: Same }, Step::Wait, "a fork that is none"),
        ];
        for (have, said, expected, why) in cases {
            assert_eq!(plan(&have, &said), expected, "{why}");
        }
    }

    #[test]
    fn waits_double_up_to_the_cap_and_never_overflow() {
        let bounds: Vec<u64> =
            [1, 2, 3, 9, 10, 41, u32::MAX].map(|n| backoff_bound(2_000, 900_000, n)).into();
        assert_eq!(bounds, [2_000, 4_000, 8_000, 512_000, 900_000, 900_000, 900_000]);
    }

    #[test]
    fn a_region_does_not_come_back_in_one_second() {
        let cases = [(0, 0), (300_000, 0), (600_000, 30_000), (7_200_000, 360_000), (864_000_000, 600_000)];
        for (outage, bound) in cases {
            assert_eq!(herd_bound(outage, 900_000), bound, "{outage} ms");
        }
        assert_eq!(herd_bound(864_000_000, 100), 100, "never longer than a box may wait at all");
    }
}

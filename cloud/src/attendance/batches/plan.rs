//! What is to be done with a batch, decided without a database.

use std::borrow::Cow;

use hadir_shared::{
    chain::{Hash, Head},
    ids::DeviceId,
    time::Millis,
    wire::{
        batch::{Batch, Reason, Refusal, Verdict},
        record::{KeyRotation, Record, What},
    },
};

use crate::attendance::books::{Candidate, Outcome, Undo};

/// Where a batch meets what is held.
#[derive(Debug, PartialEq, Eq)]
pub struct Meeting {
    /// Events that are held already.
    pub skip: usize,
    /// To be compared with the hash held at this place, where that is not the head.
    pub probe: Option<Head>,
}

/// Holds a batch against the head. One hash decides: it stands for everything before it.
pub fn meet(batch: &Batch, hashes: &[Hash], head: Head) -> Result<Meeting, Refusal> {
    let before = batch.first_seq - 1;
    if before > head.seq {
        return Err(Refusal::Gap { expected: head.seq + 1 });
    }
    let overlap = usize::try_from(head.seq - before).unwrap_or(usize::MAX);
    let skip = overlap.min(hashes.len());
    let hash = if skip == 0 { batch.prev_hash } else { hashes[skip - 1] };
    let met = Head { seq: before + skip as u64, hash };
    if met.seq < head.seq {
        return Ok(Meeting { skip, probe: Some(met) });
    }
    if hash == head.hash { Ok(Meeting { skip, probe: None }) } else { Err(fork(head)) }
}

/// Another history is held.
pub const fn fork(head: Head) -> Refusal {
    Refusal::Fork { high: head.seq, hash: head.hash }
}

/// What an event turned out to be.
#[derive(Debug)]
pub enum Reading {
    /// To be entered into the books.
    Passage(Box<Candidate>, Stamps),
    /// One that is in them is taken back.
    Undo(Box<Undo>, Stamps),
    Rotation(Box<KeyRotation>, Stamps),
    /// Decided by what it is.
    Plain(&'static str, Stamps, Verdict, Option<Reason>),
    /// Bytes.
    Unreadable,
}

/// The two times of a record.
#[derive(Debug, Clone, Copy)]
pub struct Stamps {
    pub claimed: Millis,
    pub trusted: Millis,
}

/// Reads one event. What cannot be read, or could not be written down again, stops nothing.
pub fn read(event: &str, device: DeviceId) -> Reading {
    let Ok(record) = serde_json::from_str::<Record>(event) else { return Reading::Unreadable };
    let Record { event, at, what, .. } = record;
    let stamps = Stamps { claimed: at.claimed, trusted: at.trusted };
    let action = what.action_type();
    match what {
        What::Scan(scan) => {
            let passage = Candidate::scanned(event, at, *scan, device);
            if passage.is_writable() {
                Reading::Passage(Box::new(passage), stamps)
            } else {
                Reading::Unreadable
            }
        }
        What::UnknownCard(_) => Reading::Plain(action, stamps, Verdict::Refused, Some(Reason::UnknownCard)),
        What::Void(void) => {
            let undo = Undo { event, device, at, void };
            if undo.is_writable() { Reading::Undo(Box::new(undo), stamps) } else { Reading::Unreadable }
        }
        What::KeyRotation(rotation) => Reading::Rotation(Box::new(rotation), stamps),
        What::Boot(_) | What::ClockSample(_) | What::ClockStep(_) => {
            Reading::Plain(action, stamps, Verdict::Stored, None)
        }
    }
}

/// What was decided about one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    pub verdict: Verdict,
    pub reason: Option<Reason>,
    pub attendance: Option<i64>,
}

impl Decided {
    pub const fn new(verdict: Verdict, reason: Option<Reason>) -> Self {
        Self { verdict, reason, attendance: None }
    }

    pub const REVOKED: Self = Self::new(Verdict::Quarantined, Some(Reason::RevokedDevice));
    pub const UNREADABLE: Self = Self::new(Verdict::Quarantined, Some(Reason::BadSchema));
}

impl From<Outcome> for Decided {
    fn from(outcome: Outcome) -> Self {
        let (verdict, reason, attendance) = outcome.verdict();
        Self { verdict, reason, attendance }
    }
}

/// A row of the log.
#[derive(Debug)]
pub struct Line<'b> {
    pub seq: u64,
    pub body: Cow<'b, str>,
    /// The exact bytes in hexadecimal, where `body` is not them.
    pub raw: Option<String>,
    pub hash: Hash,
    pub action: &'static str,
    pub user: Option<i64>,
    pub stamps: Option<Stamps>,
    pub decided: Decided,
}

impl<'b> Line<'b> {
    pub fn new(seq: u64, event: &'b str, hash: Hash, decided: Decided) -> Self {
        let has_nul = event.contains('\0');
        Self {
            seq,
            body: if has_nul { Cow::Owned(event.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(event) },
            raw: has_nul.then(|| data_encoding::HEXLOWER.encode(event.as_bytes())),
            hash,
            action: "unknown",
            user: None,
            stamps: None,
            decided,
        }
    }

    pub const fn describe(&mut self, action: &'static str, user: Option<i64>, stamps: Stamps) {
        self.action = action;
        self.user = user;
        self.stamps = Some(stamps);
    }
}

#[cfg(test)]
mod tests {
    use hadir_shared::{
        ids::{BatchId, InstitutionId, LogId},
        sign::Signature,
        time::Reading as Clocks,
        wire::batch::Health,
    };
    use uuid::Uuid;

    use super::*;

    const LOG: LogId = LogId(Uuid::from_u128(3));

    /// The heads after 0, 1, 2, … records of one history.
    fn history(name: &str) -> Vec<Head> {
        let mut heads = vec![Head::genesis(LOG)];
        for n in 0..9 {
            heads.push(heads[n].append(LOG, format!("{name}{n}").as_bytes()));
        }
        heads
    }

    fn batch(heads: &[Head], first: usize, last: usize) -> (Batch, Vec<Hash>) {
        let hashes: Vec<Hash> = heads[first..=last].iter().map(|head| head.hash).collect();
        let batch = Batch {
            proto: 1,
            institution: InstitutionId(1),
            device: DeviceId(Uuid::from_u128(1)),
            log: LOG,
            batch: BatchId(Uuid::nil()),
            first_seq: first as u64,
            prev_hash: heads[first - 1].hash,
            events: vec![String::new(); hashes.len()],
            last_hash: heads[last].hash,
            sig: Signature([0; 64]),
            acked_view: 0,
            t1: Clocks { wall: Millis(0), boottime_ms: 0, boot: Uuid::nil() },
            health: Health::default(),
        };
        (batch, hashes)
    }

    #[test]
    fn a_batch_meets_the_head() {
        let (own, other) = (history("a"), history("b"));
        let met = |skip| Ok(Meeting { skip, probe: None });
        let forked = |high: usize| Err(fork(own[high]));
        let cases = [
            (&own, 1, 3, 0, met(0), "the beginning"),
            (&own, 4, 6, 3, met(0), "the next"),
            (&own, 2, 6, 3, met(2), "an overlap"),
            (&own, 1, 3, 3, met(3), "all of it again"),
            (&own, 5, 6, 3, Err(Refusal::Gap { expected: 4 }), "one is missing"),
            (&own, 2, 1, 0, Err(Refusal::Gap { expected: 1 }), "a heartbeat after the cloud lost everything"),
            (&own, 4, 3, 3, met(0), "a heartbeat at the head"),
            (&own, 1, 2, 5, Ok(Meeting { skip: 2, probe: Some(own[2]) }), "long held"),
            (
                &own,
                3,
                2,
                5,
                Ok(Meeting { skip: 0, probe: Some(own[2]) }),
                "a heartbeat of a box that lost its end",
            ),
            (&other, 4, 6, 3, forked(3), "another history before it"),
            (&other, 2, 6, 3, forked(3), "another history within it"),
            (&other, 4, 3, 3, forked(3), "a heartbeat of another history"),
        ];
        for (heads, first, last, high, expected, why) in cases {
            let (batch, hashes) = batch(heads, first, last);
            assert_eq!(meet(&batch, &hashes, own[high]), expected, "{why}");
        }
    }

    #[test]
    fn what_cannot_be_kept_as_text_is_kept_as_bytes() {
        let line = Line::new(1, "a\0b", Hash::of(b"a\0b"), Decided::UNREADABLE);
        assert_eq!((&*line.body, line.raw.as_deref()), ("a\u{fffd}b", Some("610062")));
        let line = Line::new(1, "{}", Hash::of(b"{}"), Decided::UNREADABLE);
        assert_eq!((&*line.body, line.raw), ("{}", None));
    }

    #[test]
    fn an_undo_is_read_if_it_can_be_written_down() {
        let event = r#"{"v":1,"event":"00000000-0000-0000-0000-000000000002","at":{"claimed":2,"trusted":3,"grade":"anchored","boottime_ms":1,"boot":"00000000-0000-0000-0000-000000000003"},"what":{"void":{"scan":"00000000-0000-0000-0000-000000000001","user":7,"day":"2025-11-21","direction":"checkin","gate":"Gerbang 1"}}}"#;
        let device = DeviceId(Uuid::from_u128(9));
        let Reading::Undo(undo, stamps) = read(event, device) else { panic!("understood") };
        assert_eq!((undo.device, undo.event.0.as_u128(), undo.void.scan.0.as_u128()), (device, 2, 1));
        assert_eq!((stamps.claimed, stamps.trusted), (Millis(2), Millis(3)));
        let unwritable = event.replace("Gerbang 1", "Gerbang \\u0000");
        assert!(matches!(read(&unwritable, device), Reading::Unreadable));
    }

    #[test]
    fn poison_is_bytes() {
        let device = DeviceId(Uuid::nil());
        for poison in ["", "{", "[]", "null", "{\"v\":1}", "\0", &"[".repeat(100_000)] {
            assert!(matches!(read(poison, device), Reading::Unreadable), "{poison:.20}");
        }
    }
}

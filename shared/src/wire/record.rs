//! One record of a box's log.
//!
//! The bytes of its JSON are what is hashed, stored and sent; they are never written anew. A field may be added (readers
//! ignore what they do not know); a kind that a reader does not know is kept as it is and decided later.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ids::{ClassId, DeviceId, EventId, LogId, UserId},
    rules::{
        fence::{Position, Verdict},
        status::{Direction, Schedule},
    },
    sign::{BadSignature, PublicKey, Purpose, SecretKey, Signature},
    time::{Grade, Millis, SchoolDay},
};

/// The version of a record's form.
pub const RECORD_VERSION: u16 = 1;

/// A record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub v: u16,
    pub event: EventId,
    pub at: Stamp,
    pub what: What,
    /// Where the record stood before its box had to start a new log, see [`Origin`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// The two times of a record, and how they are related.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// What the wall clock showed.
    pub claimed: Millis,
    /// The best estimate of the true time; lateness is decided from it.
    pub trusted: Millis,
    pub grade: Grade,
    /// With these, any record of a boot can be corrected later from a sample of the same boot.
    pub boottime_ms: i64,
    pub boot: Uuid,
}

/// A record's place in a log its box had to leave, because the cloud knew another history of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub log: LogId,
    pub seq: u64,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The process started. The first record of every start, so that two branches of one history differ at once.
    Boot(Boot),
    /// Somebody passed.
    Scan(Box<Scan>),
    /// Somebody took a scan back.
    Void(Void),
    /// A card or code nobody knew. Kept, because a late roster may explain it.
    UnknownCard(UnknownCard),
    /// The box compared its clock with the cloud's.
    ClockSample(ClockSample),
    /// Somebody set the wall clock.
    ClockStep(ClockStep),
    /// The box takes a new key. Signed by the new one; the batch that carries it is signed by the old one.
    KeyRotation(KeyRotation),
}

impl What {
    /// The word for it in the log API (`action_type`).
    pub const fn action_type(&self) -> &'static str {
        match self {
            Self::Boot(_) => "boot",
            Self::Scan(_) => "attendance",
            Self::Void(_) => "void",
            Self::UnknownCard(_) => "unknown_card",
            Self::ClockSample(_) | Self::ClockStep(_) => "clock",
            Self::KeyRotation(_) => "key",
        }
    }
}

/// The process started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// Of the program.
    pub version: String,
    /// Whether the process before this one ended in order.
    pub previous_clean: bool,
}

/// How somebody was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A signed card.
    Card,
    /// A plain code on a card.
    PlainCode,
    /// A number typed in by whoever stands at the gate.
    Manual,
    /// The rotating QR, with the person's own login.
    Rotating,
    /// A whole class at once.
    Bulk,
    /// `process-attendance`: a client that collected by itself.
    Offline,
}

/// Somebody passed: everything needed to decide the day, as it was then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scan {
    pub user: UserId,
    pub direction: Direction,
    /// The school day, in the school's zone, from trusted time.
    pub day: SchoolDay,
    pub method: Method,
    /// The contract's `qr_token_used`: a card's serial, a rotating token, `MANUAL:1001`, `BULK:7`.
    pub token: String,
    /// The name of the gate or kiosk.
    pub gate: String,
    /// Who stood at the gate, when not the person alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<UserId>,
    /// The student's class that day; a later move never rewrites it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ClassId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<Verdict>,
    /// The rules that hold for this record, whatever the settings become.
    pub schedule: Schedule,
}

/// A scan is taken back at the gate, because it was of the wrong person or in the wrong direction. The scan stays in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Void {
    /// Of the scan, in a log of the same box.
    pub scan: EventId,
    /// The scan's, so that nobody has to look for it.
    pub user: UserId,
    pub day: SchoolDay,
    pub direction: Direction,
    /// In the words of whoever did it, 100 characters at most; empty when nobody said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    pub gate: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<UserId>,
}

/// A code that the roster could not explain when it was scanned; with everything needed to decide it later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownCard {
    /// What was scanned, cut to 128 characters.
    pub code: String,
    pub direction: Direction,
    pub day: SchoolDay,
    pub gate: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<UserId>,
    pub schedule: Schedule,
}

/// How far the box's wall clock was from the cloud's at one contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockSample {
    /// The cloud's time minus the box's wall clock, in milliseconds.
    pub offset_ms: i64,
    /// The error of the offset is half of this at most.
    pub round_trip_ms: i64,
}

/// The wall clock was set while the process ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockStep {
    /// Milliseconds the wall clock was moved; negative is back.
    pub by_ms: i64,
}

/// The box announces its next key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRotation {
    /// The key that signs from now on.
    pub new: PublicKey,
    /// By the new key, over the device's id: whoever announces a key has it.
    pub proof: Signature,
}

impl KeyRotation {
    /// The announcement of a new key.
    pub fn new(device: DeviceId, key: &SecretKey) -> Self {
        Self { new: key.public(), proof: key.sign(Purpose::Rotation, &[device.0.as_bytes()]) }
    }

    /// Whether it is this box's announcement, by somebody who has the key.
    pub fn verify(&self, device: DeviceId) -> Result<(), BadSignature> {
        self.new.verify(Purpose::Rotation, &[device.0.as_bytes()], &self.proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_announced_by_whoever_has_it_for_one_box() {
        let (device, other) = (DeviceId(Uuid::from_u128(1)), DeviceId(Uuid::from_u128(2)));
        let announced = KeyRotation::new(device, &SecretKey::from_seed(&[1; 32]));
        assert!(announced.verify(device).is_ok());
        assert!(announced.verify(other).is_err());
        let stolen = KeyRotation { new: SecretKey::from_seed(&[2; 32]).public(), ..announced };
        assert!(stolen.verify(device).is_err());
    }

    fn scan() -> Record {
        Record {
            v: RECORD_VERSION,
            event: EventId(Uuid::from_u128(1)),
            at: Stamp {
                claimed: Millis(1_763_600_460_000),
                trusted: Millis(1_763_600_461_000),
                grade: Grade::Anchored,
                boottime_ms: 5_000,
                boot: Uuid::from_u128(2),
            },
            what: What::Scan(Box::new(Scan {
                user: UserId(1001),
                direction: Direction::CheckIn,
                day: "2025-11-20".parse().unwrap(),
                method: Method::Card,
                token: "1".into(),
                gate: "Gerbang 1".into(),
                operator: None,
                class: Some(ClassId(1)),
                position: None,
                fence: None,
                schedule: Schedule {
                    version: 3,
                    zone: crate::time::Zone::JAKARTA,
                    checkin_end: "07:30:00".parse().unwrap(),
                    late_grace_minutes: 0,
                    checkout_start: "14:00:00".parse().unwrap(),
                },
            })),
            origin: None,
        }
    }

    #[test]
    fn the_form_of_a_record_is_fixed() {
        let text = r#"{"v":1,"event":"00000000-0000-0000-0000-000000000001","at":{"claimed":1763600460000,"trusted":1763600461000,"grade":"anchored","boottime_ms":5000,"boot":"00000000-0000-0000-0000-000000000002"},"what":{"scan":{"user":1001,"direction":"checkin","day":"2025-11-20","method":"card","token":"1","gate":"Gerbang 1","class":1,"schedule":{"version":3,"zone":"Asia/Jakarta","checkin_end":"07:30:00","late_grace_minutes":0,"checkout_start":"14:00:00"}}}}"#;
        assert_eq!(serde_json::to_string(&scan()).unwrap(), text);
        assert_eq!(serde_json::from_str::<Record>(text).unwrap(), scan());
    }

    #[test]
    fn the_form_of_a_void_is_fixed() {
        let void = Void {
            scan: EventId(Uuid::from_u128(1)),
            user: UserId(1001),
            day: "2025-11-20".parse().unwrap(),
            direction: Direction::CheckIn,
            reason: String::new(),
            gate: "Gerbang 1".into(),
            operator: Some(UserId(5)),
        };
        let what = What::Void(void);
        let text = r#"{"void":{"scan":"00000000-0000-0000-0000-000000000001","user":1001,"day":"2025-11-20","direction":"checkin","gate":"Gerbang 1","operator":5}}"#;
        assert_eq!(serde_json::to_string(&what).unwrap(), text);
        assert_eq!(serde_json::from_str::<What>(text).unwrap(), what);
        assert_eq!(what.action_type(), "void");
    }

    #[test]
    fn a_newer_field_is_ignored_and_a_newer_kind_is_an_error_to_be_kept_aside() {
        let mut value = serde_json::to_value(scan()).unwrap();
        value["mood"] = "good".into();
        assert_eq!(serde_json::from_value::<Record>(value.clone()).unwrap(), scan());
        value["what"] = serde_json::json!({"teleport": {}});
        assert!(serde_json::from_value::<Record>(value).is_err());
    }
}

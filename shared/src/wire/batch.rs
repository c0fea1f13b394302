//! Up: a batch of records, and the receipt that proves what the cloud holds.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    chain::{Hash, Head},
    ids::{BatchId, DeviceId, InstitutionId, LogId},
    sign::{BadSignature, PublicKey, Purpose, SecretKey, Signature},
    time::{Millis, Reading},
};

/// Records in one batch: throughput is flat from here on.
pub const MAX_RECORDS: usize = 500;
/// A batch on the wire, in bytes, compressed: what survives a 2G link.
pub const MAX_WIRE_BYTES: usize = 256 * 1024;
/// A batch unpacked, in bytes.
pub const MAX_BATCH_BYTES: usize = 2 * 1024 * 1024;
/// One record, in bytes. The box writes none longer; a longer one is taken out of the queue by itself.
pub const MAX_RECORD_BYTES: usize = 32 * 1024;
/// The content type of a receipt. A captive portal's 200 does not have it.
pub const RECEIPT_CONTENT_TYPE: &str = "application/vnd.hadir.receipt+json";

/// `POST /api/offline-sync/batches`. Without events it is a heartbeat, which carries the head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub proto: u16,
    pub institution: InstitutionId,
    pub device: DeviceId,
    pub log: LogId,
    pub batch: BatchId,
    /// The number of the first event; of a heartbeat, the number the next one will have.
    pub first_seq: u64,
    /// The hash of the record before the first event.
    pub prev_hash: Hash,
    /// The records' exact bytes, in order, without a gap.
    pub events: Vec<String>,
    /// The hash of the last event; of a heartbeat, `prev_hash` again.
    pub last_hash: Hash,
    /// By the box's key, over everything above that is not derived from it.
    pub sig: Signature,
    /// What the box believes is acknowledged: the cloud sees who lost an answer.
    pub acked_view: u64,
    /// The box's clocks as it sends.
    pub t1: Reading,
    pub health: Health,
}

/// How the box is, for the fleet page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    pub version: String,
    /// Records not yet acknowledged, this batch included.
    pub pending: u64,
    /// When the oldest of them was recorded.
    pub oldest_pending: Option<Millis>,
    pub disk_free_bytes: Option<u64>,
    pub roster_cursor: u64,
}

/// The parts of a batch its signature covers. The hash covers the events.
struct Signed<'a>(&'a Batch);

impl Signed<'_> {
    fn with<T>(&self, then: impl FnOnce(&[&[u8]]) -> T) -> T {
        let b = self.0;
        then(&[
            &b.institution.0.to_be_bytes(),
            b.device.0.as_bytes(),
            b.log.0.as_bytes(),
            b.batch.0.as_bytes(),
            &b.first_seq.to_be_bytes(),
            &(b.events.len() as u64).to_be_bytes(),
            &b.prev_hash.0,
            &b.last_hash.0,
        ])
    }
}

/// Why a batch is not even looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    #[error("a batch holds at most {MAX_RECORDS} records of {MAX_RECORD_BYTES} bytes each")]
    TooLarge,
    #[error("sequence numbers start at 1")]
    Numbering,
    #[error("the events do not lead from prev_hash to last_hash")]
    Chain,
    #[error("the batch is not signed by this device")]
    Signature,
}

impl From<BadSignature> for Unsound {
    fn from(_: BadSignature) -> Self {
        Self::Signature
    }
}

impl Batch {
    /// Signs in place.
    pub fn sign(&mut self, key: &SecretKey) {
        self.sig = Signed(self).with(|parts| key.sign(Purpose::Batch, parts));
    }

    /// Checks size, numbering, signature and chain, and answers the hash of every event, in order.
    pub fn check(&self, key: &PublicKey) -> Result<Vec<Hash>, Unsound> {
        if self.events.len() > MAX_RECORDS || self.events.iter().any(|e| e.len() > MAX_RECORD_BYTES) {
            return Err(Unsound::TooLarge);
        }
        self.proven(key)
    }

    /// As [`Batch::check`], for the one record that is taken out of the queue by itself: it may be longer than any other.
    pub fn check_alone(&self, key: &PublicKey) -> Result<Vec<Hash>, Unsound> {
        if self.events.len() == 1 { self.proven(key) } else { Err(Unsound::TooLarge) }
    }

    fn proven(&self, key: &PublicKey) -> Result<Vec<Hash>, Unsound> {
        let last = self.first_seq.checked_add(self.events.len() as u64);
        if self.first_seq == 0 || last.is_none_or(|last| last > i64::MAX.cast_unsigned()) {
            return Err(Unsound::Numbering);
        }
        Signed(self).with(|parts| key.verify(Purpose::Batch, parts, &self.sig))?;
        let mut head = Head { seq: self.first_seq - 1, hash: self.prev_hash };
        let mut hashes = Vec::with_capacity(self.events.len());
        for event in &self.events {
            head = head.append(self.log, event.as_bytes());
            hashes.push(head.hash);
        }
        if head.hash == self.last_hash { Ok(hashes) } else { Err(Unsound::Chain) }
    }
}

/// What was decided about one record. None of them stops the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// In the books.
    Stored,
    /// The books say so already: success.
    Duplicate,
    /// The books say otherwise: both are kept, somebody decides.
    Conflict,
    /// Understood, and not accepted as it is.
    Refused,
    /// Kept, not understood.
    Quarantined,
}

impl Verdict {
    /// The word on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Quarantined => "quarantined",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Stored, Self::Duplicate, Self::Conflict, Self::Refused, Self::Quarantined]
            .into_iter()
            .find(|v| v.as_str() == text)
    }

    /// Whether nobody has to look at it: the log API's `success`.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Stored | Self::Duplicate)
    }
}

/// Why a record was not simply stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    AlreadyRecorded,
    Contradicts,
    UnknownPerson,
    InactivePerson,
    RoleNotAllowed,
    UnknownCard,
    UnknownClass,
    ImpossibleTime,
    BadSchema,
    RevokedDevice,
    NotAllowed,
    /// Surely outside the school's ground, where the school refuses such.
    OutsideArea,
    /// The gate took this scan back: it counts for nothing.
    TakenBack,
    /// The gate took a scan back whose day somebody corrected since, or that a check-out stands on.
    DecidedSince,
}

impl Reason {
    const ALL: [Self; 14] = [
        Self::AlreadyRecorded,
        Self::Contradicts,
        Self::UnknownPerson,
        Self::InactivePerson,
        Self::RoleNotAllowed,
        Self::UnknownCard,
        Self::UnknownClass,
        Self::ImpossibleTime,
        Self::BadSchema,
        Self::RevokedDevice,
        Self::NotAllowed,
        Self::OutsideArea,
        Self::TakenBack,
        Self::DecidedSince,
    ];

    /// In Indonesian, for the log.
    pub const fn message(self) -> &'static str {
        match self {
            Self::AlreadyRecorded => "Absensi dengan timestamp yang sama sudah ada",
            Self::Contradicts => "Absensi lain dengan isi berbeda sudah tercatat untuk hari ini",
            Self::UnknownPerson => "User tidak ditemukan",
            Self::InactivePerson => "User tidak aktif",
            Self::RoleNotAllowed => "User tidak memiliki peran yang valid untuk absensi",
            Self::UnknownCard => "QR code tidak dikenal",
            Self::UnknownClass => "Kelas tidak ditemukan",
            Self::ImpossibleTime => "Waktu absensi tidak masuk akal",
            Self::BadSchema => "Data tidak dapat dibaca",
            Self::RevokedDevice => "Perangkat sudah dicabut",
            Self::NotAllowed => "Anda tidak memiliki izin untuk mencatat absensi pengguna lain",
            Self::OutsideArea => "Anda berada di luar area sekolah",
            Self::TakenBack => "Absensi ini sudah dibatalkan di gerbang",
            Self::DecidedSince => {
                "Pembatalan di gerbang tidak diterapkan: absensi sudah dikoreksi atau sudah ada absen keluar"
            }
        }
    }

    /// The reason a word names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// The word on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyRecorded => "already_recorded",
            Self::Contradicts => "contradicts",
            Self::UnknownPerson => "unknown_person",
            Self::InactivePerson => "inactive_person",
            Self::RoleNotAllowed => "role_not_allowed",
            Self::UnknownCard => "unknown_card",
            Self::UnknownClass => "unknown_class",
            Self::ImpossibleTime => "impossible_time",
            Self::BadSchema => "bad_schema",
            Self::RevokedDevice => "revoked_device",
            Self::NotAllowed => "not_allowed",
            Self::OutsideArea => "outside_area",
            Self::TakenBack => "taken_back",
            Self::DecidedSince => "decided_since",
        }
    }
}

/// The verdict on one record of the batch. Records that were simply stored are not listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordVerdict {
    pub seq: u64,
    pub verdict: Verdict,
    /// A [`Reason`]'s word; a text, so that an older box can read a newer cloud's.
    pub reason: String,
}

/// Where the down feed stands, with every receipt, so that a box knows when to pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Down {
    pub generation: Uuid,
    pub latest: u64,
    /// The feed's position of the newest revocation.
    pub revocations: u64,
}

/// The cloud's answer to a batch: a proof of what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub proto: u16,
    /// The batch this answers.
    pub batch: BatchId,
    /// Every record up to here is committed at the cloud.
    pub durable_through: u64,
    /// The hash of that record. The box believes the receipt only if its own is equal.
    pub head_hash: Hash,
    /// Every record up to here is in a verified backup of the cloud; only such records may ever be pruned.
    pub prunable_through: u64,
    /// Names the cloud's store; another one means a restored or replaced cloud.
    pub store: Uuid,
    pub verdicts: Vec<RecordVerdict>,
    /// The cloud's clock when the batch arrived and when this was written.
    pub t2: Millis,
    pub t3: Millis,
    pub down: Down,
    /// How long the cloud asks the box to wait before the next batch.
    pub retry_after_ms: u64,
    pub receipt_sig: Signature,
}

impl Receipt {
    /// Signs in place, for one log of one box.
    pub fn sign(&mut self, key: &SecretKey, device: DeviceId, log: LogId) {
        self.receipt_sig = self.with_parts(device, log, |parts| key.sign(Purpose::Receipt, parts));
    }

    /// Whether the cloud of `key` wrote this for this log of this box.
    pub fn verify(&self, key: &PublicKey, device: DeviceId, log: LogId) -> Result<(), BadSignature> {
        self.with_parts(device, log, |parts| key.verify(Purpose::Receipt, parts, &self.receipt_sig))
    }

    fn with_parts<T>(&self, device: DeviceId, log: LogId, then: impl FnOnce(&[&[u8]]) -> T) -> T {
        then(&[
            device.0.as_bytes(),
            log.0.as_bytes(),
            self.batch.0.as_bytes(),
            &self.durable_through.to_be_bytes(),
            &self.head_hash.0,
            &self.prunable_through.to_be_bytes(),
            self.store.as_bytes(),
            &self.t2.0.to_be_bytes(),
            &self.t3.0.to_be_bytes(),
        ])
    }
}

/// Why the cloud did not take a batch. Under `refusal` in the body of the answer (409, 410, 426).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "error", rename_all = "snake_case")]
pub enum Refusal {
    /// 409: records before `first_seq` are missing here. Go back to `expected`.
    Gap { expected: u64 },
    /// 409: another history of this log is held here. Start a new log and carry over what this one does not have.
    Fork { high: u64, hash: Hash },
    /// 426: this version of the protocol is not spoken here. Keep everything and update.
    Upgrade { oldest: u16, newest: u16 },
    /// 410: the roster's cursor is of another generation, or too old. Take a snapshot.
    Refetch { generation: Uuid },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(key: &SecretKey, events: &[&str]) -> Batch {
        let log = LogId(Uuid::from_u128(3));
        let prev = Head::genesis(log);
        let last = events.iter().fold(prev, |head, e| head.append(log, e.as_bytes()));
        let mut batch = Batch {
            proto: super::super::PROTO,
            institution: InstitutionId(1),
            device: DeviceId(Uuid::from_u128(1)),
            log,
            batch: BatchId(Uuid::from_u128(2)),
            first_seq: 1,
            prev_hash: prev.hash,
            events: events.iter().map(|e| (*e).to_owned()).collect(),
            last_hash: last.hash,
            sig: Signature([0; 64]),
            acked_view: 0,
            t1: Reading { wall: Millis(0), boottime_ms: 0, boot: Uuid::nil() },
            health: Health::default(),
        };
        batch.sign(key);
        batch
    }

    #[test]
    fn a_sound_batch_gives_its_hashes_and_a_heartbeat_has_none() {
        let key = SecretKey::from_seed(&[1; 32]);
        let sound = batch(&key, &["{}", "{\"a\":1}"]);
        assert_eq!(sound.check(&key.public()).unwrap().last(), Some(&sound.last_hash));
        assert_eq!(batch(&key, &[]).check(&key.public()).unwrap(), []);
    }

    #[test]
    fn whatever_is_changed_on_the_way_is_noticed() {
        let key = SecretKey::from_seed(&[1; 32]);
        let sound = batch(&key, &["{}", "{\"a\":1}"]);
        let changed = |change: fn(&mut Batch)| {
            let mut batch = sound.clone();
            change(&mut batch);
            batch.check(&key.public()).unwrap_err()
        };
        assert_eq!(changed(|b| b.events[0].push(' ')), Unsound::Chain);
        assert_eq!(changed(|b| b.events.swap(0, 1)), Unsound::Chain);
        assert_eq!(changed(|b| b.institution = InstitutionId(2)), Unsound::Signature);
        assert_eq!(changed(|b| b.last_hash = b.prev_hash), Unsound::Signature);
        assert_eq!(changed(|b| b.first_seq = 2), Unsound::Signature);
        assert_eq!(changed(|b| b.first_seq = 0), Unsound::Numbering);
        assert_eq!(changed(|b| b.first_seq = u64::MAX), Unsound::Numbering);
        assert_eq!(changed(|b| drop(b.events.pop())), Unsound::Signature);
        assert_eq!(changed(|b| b.events[0] = "x".repeat(MAX_RECORD_BYTES + 1)), Unsound::TooLarge);
        assert_eq!(changed(|b| b.events = vec![String::new(); MAX_RECORDS + 1]), Unsound::TooLarge);
        let stranger = SecretKey::from_seed(&[2; 32]).public();
        assert_eq!(sound.check(&stranger), Err(Unsound::Signature));
    }

    #[test]
    fn one_record_alone_may_be_longer_than_any_other() {
        let key = SecretKey::from_seed(&[1; 32]);
        let long = "x".repeat(MAX_RECORD_BYTES + 1);
        let alone = batch(&key, &[&long]);
        assert_eq!(alone.check(&key.public()), Err(Unsound::TooLarge));
        assert_eq!(alone.check_alone(&key.public()).unwrap(), [alone.last_hash]);
        assert_eq!(batch(&key, &["{}", "{}"]).check_alone(&key.public()), Err(Unsound::TooLarge));
        assert_eq!(batch(&key, &[]).check_alone(&key.public()), Err(Unsound::TooLarge));
    }

    #[test]
    fn a_reason_is_known_by_the_word_it_has_in_json() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
        assert_eq!(Reason::parse("of_the_future"), None);
    }

    #[test]
    fn a_receipt_proves_one_state_of_one_log() {
        let key = SecretKey::from_seed(&[9; 32]);
        let (device, log) = (DeviceId(Uuid::from_u128(1)), LogId(Uuid::from_u128(3)));
        let mut receipt = Receipt {
            proto: 1,
            batch: BatchId(Uuid::from_u128(2)),
            durable_through: 5,
            head_hash: Hash::of(b"x"),
            prunable_through: 0,
            store: Uuid::nil(),
            verdicts: vec![],
            t2: Millis(1),
            t3: Millis(2),
            down: Down { generation: Uuid::nil(), latest: 0, revocations: 0 },
            retry_after_ms: 0,
            receipt_sig: Signature([0; 64]),
        };
        receipt.sign(&key, device, log);
        assert!(receipt.verify(&key.public(), device, log).is_ok());
        assert!(receipt.verify(&key.public(), device, LogId(Uuid::from_u128(4))).is_err());
        receipt.durable_through = 6;
        assert!(receipt.verify(&key.public(), device, log).is_err());
    }
}

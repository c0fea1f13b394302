//! Back: what the cloud holds of a box's own logs, for a box that is rebuilt from a backup.
//!
//! Only the list is signed. The records need no signature: their chain leads to a head that the list names.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    chain::{Hash, Head},
    ids::{DeviceId, LogId},
    sign::{BadSignature, PublicKey, Purpose, SecretKey, Signature},
};

/// `GET /api/offline-sync/logs`: every log of the box that asks, in the order the cloud first heard of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLogs {
    pub proto: u16,
    pub device: DeviceId,
    /// Of the request: an old answer is no answer.
    pub nonce: Uuid,
    pub logs: Vec<HeldLog>,
    pub sig: Signature,
}

/// How far one log is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLog {
    pub log: LogId,
    #[serde(flatten)]
    pub head: Head,
    /// A verified backup of the cloud holds every record up to here.
    pub prunable_through: u64,
}

impl HeldLogs {
    /// Signs in place, with the cloud's key.
    pub fn sign(&mut self, key: &SecretKey) {
        self.sig = self.with_parts(|parts| key.sign(Purpose::Heads, parts));
    }

    /// Whether the cloud of `key` answered this to the request with that nonce.
    ///
    /// # Errors
    /// When it did not, or answered this to somebody else, or at another time.
    pub fn verify(&self, key: &PublicKey, device: DeviceId, nonce: Uuid) -> Result<(), BadSignature> {
        if (self.device, self.nonce) != (device, nonce) {
            return Err(BadSignature);
        }
        self.with_parts(|parts| key.verify(Purpose::Heads, parts, &self.sig))
    }

    fn with_parts<T>(&self, then: impl FnOnce(&[&[u8]]) -> T) -> T {
        let mut logs = Vec::with_capacity(self.logs.len() * 64);
        for held in &self.logs {
            logs.extend_from_slice(held.log.0.as_bytes());
            logs.extend_from_slice(&held.head.seq.to_be_bytes());
            logs.extend_from_slice(&held.head.hash.0);
            logs.extend_from_slice(&held.prunable_through.to_be_bytes());
        }
        then(&[self.device.0.as_bytes(), self.nonce.as_bytes(), &Hash::of(&logs).0])
    }
}

/// `GET /api/offline-sync/logs/{log}/records?after=…`: the records after a number, as many as fit into a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldRecords {
    pub proto: u16,
    pub log: LogId,
    /// The number of the first event.
    pub first_seq: u64,
    /// The records' exact bytes, in order, without a gap; none where there is nothing more.
    pub events: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_of_one_state_for_one_box_and_one_question() {
        let key = SecretKey::from_seed(&[9; 32]);
        let (device, nonce, log) =
            (DeviceId(Uuid::from_u128(1)), Uuid::from_u128(2), LogId(Uuid::from_u128(3)));
        let head = Head { seq: 5, hash: Hash::of(b"x") };
        let logs = vec![HeldLog { log, head, prunable_through: 2 }];
        let mut list = HeldLogs { proto: 1, device, nonce, logs, sig: Signature([0; 64]) };
        list.sign(&key);
        let text = serde_json::to_string(&list).unwrap();
        assert!(text.contains(r#""seq":5,"hash":""#), "{text}");
        assert_eq!(serde_json::from_str::<HeldLogs>(&text).unwrap(), list);
        assert!(list.verify(&key.public(), device, nonce).is_ok());
        assert!(list.verify(&key.public(), device, Uuid::from_u128(9)).is_err());
        assert!(list.verify(&key.public(), DeviceId(Uuid::from_u128(9)), nonce).is_err());
        assert!(list.verify(&SecretKey::from_seed(&[8; 32]).public(), device, nonce).is_err());
        for change in [
            (|list: &mut HeldLogs| list.logs[0].head.seq = 4) as fn(&mut HeldLogs),
            |list| list.logs[0].head.hash = Hash::of(b"y"),
            |list| list.logs[0].prunable_through = 5,
            |list| list.logs.clear(),
        ] {
            let mut changed = list.clone();
            change(&mut changed);
            assert!(changed.verify(&key.public(), device, nonce).is_err(), "{changed:?}");
        }
    }
}

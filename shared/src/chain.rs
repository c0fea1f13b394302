//! The hash chain over a box's log.
//!
//! `hash(n) = SHA-256(domain ‖ log id ‖ n ‖ hash(n-1) ‖ body(n))`, and the chain of an empty log is its genesis, which
//! already depends on the log's id. An edit, a deletion or a swap anywhere changes every hash after it.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ids::LogId;

/// A SHA-256 hash; written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline)]
pub struct Hash(#[schemars(with = "String", regex(pattern = "^[0-9a-f]{64}$"))] pub [u8; 32]);

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 lower-case hexadecimal digits")]
pub struct NotAHash;

impl Hash {
    /// SHA-256 of some bytes, outside any chain.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The head of a log that holds nothing yet.
    pub fn genesis(log: LogId) -> Self {
        let mut sha = Sha256::new();
        sha.update(b"hadir-log-genesis-v1");
        sha.update(log.0.as_bytes());
        Self(sha.finalize().into())
    }

    /// The hash of record `seq` of `log`, whose predecessor's hash is `self`.
    #[must_use]
    pub fn next(self, log: LogId, seq: u64, body: &[u8]) -> Self {
        let mut sha = Sha256::new();
        sha.update(b"hadir-log-record-v1");
        sha.update(log.0.as_bytes());
        sha.update(seq.to_be_bytes());
        sha.update(self.0);
        sha.update(body);
        Self(sha.finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| NotAHash)?;
        bytes.try_into().map(Self).map_err(|_| NotAHash)
    }
}

impl TryFrom<String> for Hash {
    type Error = NotAHash;

    fn try_from(text: String) -> Result<Self, NotAHash> {
        text.parse()
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

/// Where a log stands: its last record's number and hash. Number 0 is the genesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub seq: u64,
    pub hash: Hash,
}

impl Head {
    pub fn genesis(log: LogId) -> Self {
        Self { seq: 0, hash: Hash::genesis(log) }
    }

    /// The head after one more record.
    #[must_use]
    pub fn append(self, log: LogId, body: &[u8]) -> Self {
        let seq = self.seq + 1;
        Self { seq, hash: self.hash.next(log, seq, body) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const LOG: LogId = LogId(Uuid::from_u128(7));

    fn chain(bodies: &[Vec<u8>]) -> Head {
        bodies.iter().fold(Head::genesis(LOG), |head, body| head.append(LOG, body))
    }

    #[test]
    fn a_known_chain_keeps_its_hashes_for_ever() {
        // Fixed so that a change of the format, which would orphan every log in the field, cannot pass unseen.
        let head = chain(&[b"one".to_vec(), b"two".to_vec()]);
        assert_eq!(head.seq, 2);
        assert_eq!(
            Hash::genesis(LOG).to_string(),
            "564b55b8c7d1403d40f11e0c9c5bf91499048f456c3b5781753b2524c48ba3b8"
        );
        assert_eq!(head.hash.to_string(), "a15211d0eebc8cc5fa4438f147a7495c0df69ce24c6386096b7b0136e55e20c8");
    }

    proptest! {
        #[test]
        fn any_edit_deletion_or_swap_changes_the_head(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 2..20),
            at in any::<prop::sample::Index>(),
        ) {
            let whole = chain(&bodies);
            let at = at.index(bodies.len());
            let mut edited = bodies.clone();
            edited[at].push(0);
            prop_assert_ne!(chain(&edited).hash, whole.hash);
            let mut shorter = bodies.clone();
            shorter.remove(at);
            prop_assert_ne!(chain(&shorter).hash, whole.hash);
            let other = (at + 1) % bodies.len();
            if bodies[at] != bodies[other] {
                let mut swapped = bodies.clone();
                swapped.swap(at, other);
                prop_assert_ne!(chain(&swapped).hash, whole.hash);
            }
        }

        #[test]
        fn a_hash_survives_its_text(bytes in any::<[u8; 32]>()) {
            let hash = Hash(bytes);
            prop_assert_eq!(hash.to_string().parse::<Hash>(), Ok(hash));
        }

        #[test]
        fn the_same_records_in_another_log_have_another_chain(body in prop::collection::vec(any::<u8>(), 0..40)) {
            let other = LogId(Uuid::from_u128(8));
            prop_assert_ne!(Head::genesis(LOG).append(LOG, &body), Head::genesis(other).append(other, &body));
        }
    }
}

//! Ed25519 signatures, each bound to its purpose.
//!
//! A signature says what it is for: the signed message starts with the [`Purpose`], and every part is preceded by its
//! length, so that no signature can be read as one of another kind or of other parts.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// What a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A printed card, by the school's card key.
    Card,
    /// A batch of records, by the box.
    Batch,
    /// Any other request of a box, by the box.
    Request,
    /// What the cloud holds after a batch, by the cloud.
    Receipt,
    /// A page of the roster feed, by the cloud.
    Roster,
    /// A new key of a box, by that key.
    Rotation,
    /// How far a box's logs are held, by the cloud.
    Heads,
}

impl Purpose {
    const fn domain(self) -> &'static [u8] {
        match self {
            Self::Card => b"hadir-card-v1",
            Self::Batch => b"hadir-batch-v1",
            Self::Request => b"hadir-request-v1",
            Self::Receipt => b"hadir-receipt-v1",
            Self::Roster => b"hadir-roster-v1",
            Self::Rotation => b"hadir-rotation-v1",
            Self::Heads => b"hadir-heads-v1",
        }
    }
}

/// A secret key. Never printed; wiped from memory when dropped.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// From 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The 32 bytes it was made from, to be sealed before they are stored.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Over the purpose, and every part with its length.
    pub fn sign(&self, purpose: Purpose, parts: &[&[u8]]) -> Signature {
        Signature(self.0.sign(&message(purpose, parts)).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

/// A public key; written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Strict verification: a signature has one encoding, and a weak key has none.
    pub fn verify(
        &self,
        purpose: Purpose,
        parts: &[&[u8]],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(&message(purpose, parts), &signature).map_err(|_| BadSignature)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        VerifyingKey::from_bytes(&bytes(text)?).map(Self).map_err(|_| Malformed)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

/// A signature; written as 128 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signature(pub [u8; 64]);

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Signature {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        bytes(text).map(Self)
    }
}

impl TryFrom<String> for Signature {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<Signature> for String {
    fn from(signature: Signature) -> Self {
        signature.to_string()
    }
}

/// The signature is not this key's, for this purpose, over these parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not fit")]
pub struct BadSignature;

/// The text is no key or signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a key nor a signature in lower-case hexadecimal digits")]
pub struct Malformed;

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], Malformed> {
    HEXLOWER.decode(text.as_bytes()).ok().and_then(|b| b.try_into().ok()).ok_or(Malformed)
}

fn message(purpose: Purpose, parts: &[&[u8]]) -> Vec<u8> {
    let mut message = purpose.domain().to_vec();
    for part in parts {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    message
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_signature_fits_one_key_one_purpose_and_one_cut_of_the_parts() {
        let key = SecretKey::from_seed(&[1; 32]);
        let signature = key.sign(Purpose::Batch, &[b"ab", b"c"]);
        let public = key.public();
        assert!(public.verify(Purpose::Batch, &[b"ab", b"c"], &signature).is_ok());
        assert!(public.verify(Purpose::Receipt, &[b"ab", b"c"], &signature).is_err());
        assert!(public.verify(Purpose::Batch, &[b"a", b"bc"], &signature).is_err());
        assert!(public.verify(Purpose::Batch, &[b"ab", b"c", b""], &signature).is_err());
        let other = SecretKey::from_seed(&[2; 32]).public();
        assert!(other.verify(Purpose::Batch, &[b"ab", b"c"], &signature).is_err());
    }

    #[test]
    fn a_secret_key_does_not_show_itself() {
        let shown = format!("{:?}", SecretKey::from_seed(&[7; 32]));
        assert!(!shown.contains(&HEXLOWER.encode(&[7; 32])), "{shown}");
    }

    proptest! {
        #[test]
        fn keys_and_signatures_survive_their_text(seed in any::<[u8; 32]>(), text in any::<Vec<u8>>()) {
            let key = SecretKey::from_seed(&seed);
            let signature = key.sign(Purpose::Card, &[&text]);
            prop_assert_eq!(key.public().to_string().parse(), Ok(key.public()));
            prop_assert_eq!(signature.to_string().parse(), Ok(signature));
            prop_assert_eq!(SecretKey::from_seed(&key.seed()).public(), key.public());
        }
    }
}

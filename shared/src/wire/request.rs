//! How a box signs a request.
//!
//! Three headers: the device, a nonce, and a signature over method, target (path and query), nonce and the SHA-256 of the
//! body as it travels (compressed). It carries no time, because a box may have woken up in 1970 and must still be able to
//! ask what time it is; a replay by somebody who broke TLS repeats a request that changes nothing when repeated.

use uuid::Uuid;

use crate::{
    chain::Hash,
    ids::DeviceId,
    sign::{BadSignature, PublicKey, Purpose, SecretKey, Signature},
};

/// Names the box: its [`DeviceId`].
pub const DEVICE_HEADER: &str = "x-hadir-device";
/// A UUID made for this request.
pub const NONCE_HEADER: &str = "x-hadir-nonce";
/// The signature, in hexadecimal.
pub const SIGNATURE_HEADER: &str = "x-hadir-signature";

/// What a box signs.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    pub device: DeviceId,
    pub nonce: Uuid,
    /// In upper case.
    pub method: &'a str,
    /// Path and query as sent.
    pub target: &'a str,
    pub body: &'a [u8],
}

impl SignedRequest<'_> {
    /// The value of [`SIGNATURE_HEADER`].
    pub fn sign(&self, key: &SecretKey) -> Signature {
        self.with_parts(|parts| key.sign(Purpose::Request, parts))
    }

    /// Whether the box of `key` signed exactly this request.
    pub fn verify(&self, key: &PublicKey, signature: &Signature) -> Result<(), BadSignature> {
        self.with_parts(|parts| key.verify(Purpose::Request, parts, signature))
    }

    fn with_parts<T>(&self, then: impl FnOnce(&[&[u8]]) -> T) -> T {
        let body = Hash::of(self.body);
        then(&[
            self.device.0.as_bytes(),
            self.nonce.as_bytes(),
            self.method.as_bytes(),
            self.target.as_bytes(),
            &body.0,
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_fits_one_request_only() {
        let key = SecretKey::from_seed(&[4; 32]);
        let request = SignedRequest {
            device: DeviceId(Uuid::from_u128(1)),
            nonce: Uuid::from_u128(2),
            method: "GET",
            target: "/api/offline-sync/roster?since=1",
            body: b"",
        };
        let signature = request.sign(&key);
        assert!(request.verify(&key.public(), &signature).is_ok());
        for other in [
            SignedRequest { target: "/api/offline-sync/roster?since=2", ..request },
            SignedRequest { method: "POST", ..request },
            SignedRequest { body: b"x", ..request },
            SignedRequest { nonce: Uuid::from_u128(3), ..request },
            SignedRequest { device: DeviceId(Uuid::from_u128(9)), ..request },
        ] {
            assert!(other.verify(&key.public(), &signature).is_err(), "{other:?}");
        }
    }
}

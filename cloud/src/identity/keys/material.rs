//! What a key is made of: making one, sealing it, and the forms in which it signs, is believed and is published.

use anyhow::{Context as _, anyhow};
use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use ed25519_dalek::SigningKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, jwk::Jwk};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::Alg;
use crate::{clock::Ids, seal::Seal};

/// What Ed25519 seeds are sealed for, and RSA keys.
const PURPOSES: [&str; 2] = ["signing-key", "signing-key:RS256"];
/// PKCS #8, version 1, Ed25519 (RFC 8410, section 7): what stands before the 32 bytes of the seed.
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// 65537, as AWS-LC makes every RSA key.
const EXPONENT: &str = "AQAB";

/// A key that nobody has yet.
pub struct Made {
    pub alg: Alg,
    pub kid: String,
    /// Sealed.
    pub secret: String,
    /// Ed25519: the point; RSA: the modulus. Base64url.
    pub public: String,
}

/// Makes a key. RSA takes a tenth of a second of one core, so it is made aside.
pub async fn make(alg: Alg, ids: &Ids, seal: &Seal) -> anyhow::Result<Made> {
    let (secret, public) = match alg {
        Alg::EdDsa => ed25519(ids),
        Alg::Rs256 => spawn_blocking(rsa).await??,
    };
    let kid = BASE64URL_NOPAD.encode(&Sha256::digest(format!("{}\0{public}", alg.name()))[..12]);
    Ok(Made { alg, kid, secret: seal.seal(ids, purpose(alg), &secret)?, public })
}

fn ed25519(ids: &Ids) -> (Zeroizing<Vec<u8>>, String) {
    let seed = Zeroizing::new(ids.bytes::<32>());
    let public = BASE64URL_NOPAD.encode(SigningKey::from_bytes(&seed).verifying_key().as_bytes());
    (Zeroizing::new(seed.to_vec()), public)
}

/// AWS-LC draws its own randomness.
fn rsa() -> anyhow::Result<(Zeroizing<Vec<u8>>, String)> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("cannot make an RSA key"))?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| anyhow!("an RSA key cannot be written"))?;
    let der = Zeroizing::new(der.as_ref().to_vec());
    let jwk = serde_json::to_value(Jwk::from_encoding_key(&signing(Alg::Rs256, &der)?, Algorithm::RS256)?)?;
    anyhow::ensure!(jwk["e"] == EXPONENT, "an RSA key with an odd exponent");
    let modulus = jwk["n"].as_str().context("an RSA key without a modulus")?.to_owned();
    Ok((der, modulus))
}

/// What signs, from what was sealed.
pub fn open(seal: &Seal, alg: Alg, sealed: &str) -> anyhow::Result<EncodingKey> {
    let secret = seal.open(purpose(alg), sealed).context("the signing key in the database")?;
    signing(alg, &secret)
}

fn signing(alg: Alg, secret: &[u8]) -> anyhow::Result<EncodingKey> {
    match alg {
        Alg::EdDsa => Ok(EncodingKey::from_ed_der(&Zeroizing::new([&PKCS8_PREFIX[..], secret].concat()))),
        Alg::Rs256 => {
            let text = Zeroizing::new(BASE64.encode(secret));
            let pem = Zeroizing::new(format!(
                "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
                *text
            ));
            Ok(EncodingKey::from_rsa_pem(pem.as_bytes())?)
        }
    }
}

/// What is believed.
pub fn public(alg: Alg, public: &str) -> anyhow::Result<DecodingKey> {
    Ok(match alg {
        Alg::EdDsa => DecodingKey::from_ed_components(public)?,
        Alg::Rs256 => DecodingKey::from_rsa_components(public, EXPONENT)?,
    })
}

/// What is published.
pub fn jwk(alg: Alg, kid: &str, public: &str) -> Value {
    match alg {
        Alg::EdDsa => {
            json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": public})
        }
        Alg::Rs256 => {
            json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": public, "e": EXPONENT})
        }
    }
}

const fn purpose(alg: Alg) -> &'static str {
    match alg {
        Alg::EdDsa => PURPOSES[0],
        Alg::Rs256 => PURPOSES[1],
    }
}

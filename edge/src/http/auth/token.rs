//! Access tokens of the cloud, accepted without it.
//!
//! What always holds: a token is read with Ed25519 and a key of the roster, whatever its header says; `typ`, `exp`, `iat`,
//! `iss`, `aud` and `sub` are required; the time is the box's trusted time. A logout or a new password in the cloud is not
//! known here, so a token is good for a day after it was issued, however long the cloud would take it; then its person
//! signs in at the box, which needs no internet either. It ends at once when the roster has its person inactive.

use hadir_shared::time::Millis;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde::Deserialize;
use uuid::Uuid;

use crate::{http::fail::NoSession, roster::Keys};

const TYPE: &str = "at+jwt";
/// Nothing of the cloud's is longer.
const LONGEST: usize = 4096;
/// How far the clocks of box and cloud may differ.
const LEEWAY_S: i64 = 60;
/// How old a token may be, in seconds: whoever stole one that was revoked since has it for a day.
const GOOD_FOR_S: i64 = 24 * 3600;

#[derive(Deserialize)]
struct Claims {
    sub: Uuid,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nbf: Option<i64>,
}

/// Whether a bearer token is meant for this module at all: our own have no dots.
pub fn is_jwt(token: &str) -> bool {
    token.split('.').count() == 3
}

/// The UUID of the person a valid token speaks for.
pub fn verify(token: &str, keys: &Keys, now: Millis) -> Result<Uuid, NoSession> {
    if token.len() > LONGEST {
        return Err(NoSession::Invalid);
    }
    let header = decode_header(token).map_err(|_| NoSession::Invalid)?;
    if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some(TYPE) {
        return Err(NoSession::Invalid);
    }
    let set: JwkSet = serde_json::from_value(keys.jwks.clone()).map_err(|_| NoSession::Invalid)?;
    let jwk = header.kid.as_deref().and_then(|kid| set.find(kid)).ok_or(NoSession::Invalid)?;
    let key = DecodingKey::from_jwk(jwk).map_err(|_| NoSession::Invalid)?;
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    rules.set_issuer(&[&keys.issuer]);
    rules.set_audience(&[&keys.audience]);
    rules.validate_exp = false; // compared below, with the box's trusted time
    let claims = decode::<Claims>(token, &key, &rules).map_err(|_| NoSession::Invalid)?.claims;
    let seconds = now.0.div_euclid(1000);
    let begins = claims.nbf.unwrap_or(claims.iat).max(claims.iat);
    if begins > seconds.saturating_add(LEEWAY_S) {
        return Err(NoSession::Invalid);
    }
    let ends = claims.exp.min(claims.iat.saturating_add(GOOD_FOR_S));
    if ends <= seconds { Err(NoSession::Expired) } else { Ok(claims.sub) }
}

#[cfg(test)]
pub(super) mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    use super::*;

    /// An Ed25519 secret key in PKCS #8: the seed of RFC 8032's first test.
    const SECRET: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----";
    const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    pub const NOW: Millis = Millis(1_763_600_000_000);

    pub fn keys() -> Keys {
        Keys {
            jwks: json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "alg": "EdDSA", "x": PUBLIC}]}),
            issuer: "https://cloud.example".into(),
            audience: "hadir".into(),
            ..Keys::default()
        }
    }

    pub fn claims() -> Value {
        json!({
            "iss": "https://cloud.example", "aud": "hadir", "sub": Uuid::from_u128(7),
            "exp": NOW.0 / 1000 + 900, "iat": NOW.0 / 1000,
        })
    }

    pub fn signed(header: &Header, claims: &Value) -> String {
        encode(header, claims, &EncodingKey::from_ed_pem(SECRET.as_bytes()).unwrap()).unwrap()
    }

    pub fn header() -> Header {
        Header { typ: Some("at+jwt".into()), kid: Some("k1".into()), ..Header::new(Algorithm::EdDSA) }
    }

    #[test]
    fn a_token_that_lives_long_in_the_cloud_is_good_here_for_a_day() {
        let mut month = claims();
        month["exp"] = json!(NOW.0 / 1000 + 30 * GOOD_FOR_S);
        let token = signed(&header(), &month);
        assert_eq!(verify(&token, &keys(), NOW.plus_seconds(GOOD_FOR_S - 1)), Ok(Uuid::from_u128(7)));
        assert_eq!(verify(&token, &keys(), NOW.plus_seconds(GOOD_FOR_S)), Err(NoSession::Expired));
        assert_eq!(
            verify(&token, &keys(), NOW.plus_seconds(-61)),
            Err(NoSession::Invalid),
            "from the future"
        );
    }

    #[test]
    fn a_token_of_the_cloud_is_accepted_and_nothing_like_it() {
        let good = signed(&header(), &claims());
        assert_eq!(verify(&good, &keys(), NOW), Ok(Uuid::from_u128(7)));
        assert_eq!(verify(&good, &keys(), NOW.plus_seconds(901)), Err(NoSession::Expired));

        for claim in ["iss", "aud", "sub", "exp", "iat"] {
            let mut without = claims();
            without.as_object_mut().unwrap().remove(claim);
            assert_eq!(
                verify(&signed(&header(), &without), &keys(), NOW),
                Err(NoSession::Invalid),
                "no {claim}"
            );
        }
        for (claim, value) in
            [("iss", json!("https://evil.example")), ("aud", json!("other")), ("sub", json!("7"))]
        {
            let mut other = claims();
            other[claim] = value;
            assert_eq!(verify(&signed(&header(), &other), &keys(), NOW), Err(NoSession::Invalid), "{claim}");
        }
        let wrong = [
            Header { typ: Some("JWT".into()), ..header() },
            Header { kid: Some("k2".into()), ..header() },
            Header { kid: None, ..header() },
        ];
        for header in &wrong {
            assert_eq!(verify(&signed(header, &claims()), &keys(), NOW), Err(NoSession::Invalid));
        }
        let mac = Header { alg: Algorithm::HS256, ..header() };
        let mac = encode(&mac, &claims(), &EncodingKey::from_secret(PUBLIC.as_bytes())).unwrap();
        assert_eq!(verify(&mac, &keys(), NOW), Err(NoSession::Invalid), "a MAC with the public key");
        let mut altered = good.into_bytes();
        let last = altered.len() - 5;
        altered[last] ^= 1;
        assert!(verify(std::str::from_utf8(&altered).unwrap(), &keys(), NOW).is_err());
    }
}

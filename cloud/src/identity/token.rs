//! Access tokens: JWTs signed with Ed25519 (RFC 8037), of the type `at+jwt` (RFC 9068).
//!
//! What always holds: a token is read with the one algorithm its key is for; `exp`, `iss`, `aud`, `sub` and `typ` are
//! required; the time comes from the clock that was handed in; a header that brings its own key is not even looked at.

use hadir_shared::{ids::InstitutionId, time::Millis};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fail::{Fail, NoSession};

/// Whom tokens are for: every module of this cloud.
pub const AUDIENCE: &str = "hadir";
const TYPE: &str = "at+jwt";
/// Nothing of ours is longer.
const LONGEST: usize = 4096;
/// Between nodes whose clocks differ.
const LEEWAY_S: i64 = 5;

/// What an access token says. `exp` and `iat` are seconds since 1970, as RFC 7519 wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    /// The user's UUID.
    pub sub: Uuid,
    pub aud: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inst: Option<InstitutionId>,
    /// The session.
    pub sid: Uuid,
    pub jti: Uuid,
    pub iat: i64,
    pub exp: i64,
    /// The user's `token_version` when it was made.
    pub ver: i64,
}

pub(super) fn sign(claims: &Claims, kid: &str, key: &EncodingKey) -> anyhow::Result<String> {
    let header = Header { typ: Some(TYPE.into()), kid: Some(kid.into()), ..Header::new(Algorithm::EdDSA) };
    Ok(encode(&header, claims, key)?)
}

/// The key a token names, when it looks like one of ours at all.
pub(super) fn kid(token: &str) -> Result<String, Fail> {
    let invalid = Fail::Unauthenticated(NoSession::Invalid);
    if token.len() > LONGEST {
        return Err(invalid);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| invalid.clone())?;
    if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some(TYPE) {
        return Err(invalid);
    }
    header.kid.ok_or(invalid)
}

pub(super) fn verify(token: &str, key: &DecodingKey, issuer: &str, now: Millis) -> Result<Claims, Fail> {
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    rules.set_issuer(&[issuer]);
    rules.set_audience(&[AUDIENCE]);
    rules.validate_exp = false; // compared below, with the clock of this process
    let claims: Claims =
        decode(token, key, &rules).map_err(|_| Fail::Unauthenticated(NoSession::Invalid))?.claims;
    let seconds = now.0.div_euclid(1000);
    if claims.iat > seconds + LEEWAY_S {
        return Err(Fail::Unauthenticated(NoSession::Invalid));
    }
    if claims.exp <= seconds {
        return Err(Fail::Unauthenticated(NoSession::Expired));
    }
    Ok(claims)
}

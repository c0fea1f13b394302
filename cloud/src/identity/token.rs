//! Tokens: JWTs. Our own access tokens are signed with Ed25519 (RFC 8037), of the type `at+jwt` (RFC 9068).
//!
//! What always holds: a token is read with the one algorithm its key is for; `exp`, `iss`, `aud`, `sub` and `typ` are
//! required; the time comes from the clock that was handed in; a header that brings its own key is not even looked at.

use hadir_shared::{ids::InstitutionId, time::Millis};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::keys::Alg;
use crate::fail::{Fail, NoSession};

/// Whom our own access tokens are for: every module of this cloud.
pub const AUDIENCE: &str = "hadir";
/// The type of an access token (RFC 9068).
pub const ACCESS: &str = "at+jwt";
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

/// What a token must be, beside signed by us.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    pub typ: &'a str,
    pub issuer: &'a str,
    /// Whom it must be for; `None` where the claims are looked at by who asked.
    pub audience: Option<&'a str>,
    /// Takes one whose time is over, too: to know who it was about.
    pub stale: bool,
}

/// What a token says of how it was signed.
#[derive(Debug)]
pub(super) struct Named {
    pub kid: String,
    pub alg: Algorithm,
}

#[derive(Deserialize)]
struct Times {
    iat: i64,
    exp: i64,
    nbf: Option<i64>,
}

pub(super) fn sign<T: Serialize>(
    claims: &T,
    typ: &str,
    kid: &str,
    alg: Alg,
    key: &EncodingKey,
) -> anyhow::Result<String> {
    let header = Header { typ: Some(typ.into()), kid: Some(kid.into()), ..Header::new(alg.of_jwt()) };
    Ok(encode(&header, claims, key)?)
}

/// The key a token names, when it looks like one of ours at all.
pub(super) fn header(token: &str, typ: &str) -> Result<Named, Fail> {
    let invalid = || Fail::Unauthenticated(NoSession::Invalid);
    if token.len() > LONGEST {
        return Err(invalid());
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| invalid())?;
    if header.typ.as_deref() != Some(typ) {
        return Err(invalid());
    }
    Ok(Named { kid: header.kid.ok_or_else(invalid)?, alg: header.alg })
}

pub(super) fn verify<T: DeserializeOwned>(
    token: &str,
    alg: Alg,
    key: &DecodingKey,
    rules: &Rules<'_>,
    now: Millis,
) -> Result<T, Fail> {
    let invalid = || Fail::Unauthenticated(NoSession::Invalid);
    let mut wanted = Validation::new(alg.of_jwt());
    wanted.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    wanted.set_issuer(&[rules.issuer]);
    match rules.audience {
        Some(audience) => wanted.set_audience(&[audience]),
        None => wanted.validate_aud = false,
    }
    wanted.validate_exp = false; // compared below, with the clock of this process
    let claims: Box<RawValue> = decode(token, key, &wanted).map_err(|_| invalid())?.claims;
    let times: Times = serde_json::from_str(claims.get()).map_err(|_| invalid())?;
    let seconds = now.0.div_euclid(1000);
    if times.iat > seconds + LEEWAY_S || times.nbf.is_some_and(|nbf| nbf > seconds + LEEWAY_S) {
        return Err(invalid());
    }
    if times.exp <= seconds && !rules.stale {
        return Err(Fail::Unauthenticated(NoSession::Expired));
    }
    serde_json::from_str(claims.get()).map_err(|_| invalid())
}

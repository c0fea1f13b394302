//! The session of a paired device, as a request carries it.
//!
//! What always holds: a cookie counts only for a page of this box; one that changes something must say that it is one. A
//! bearer token is not sent by a browser on its own, so it needs no such proof.

use axum::http::{
    HeaderMap, HeaderValue, Method,
    header::{COOKIE, ORIGIN},
    request::Parts,
};
use hadir_shared::time::Millis;
use serde::Serialize;

use super::store;
use crate::http::{
    Web,
    auth::{bearer, digest},
    extract::Peer,
    fail::Fail,
};

/// `__Host-`: browsers take it over HTTPS only, and from this very host.
const COOKIE_NAME: &str = "__Host-hadir-device";
/// The longest that browsers keep one (RFC 6265bis); it is sent anew whenever the page is opened.
const COOKIE_SECONDS: u32 = 400 * 24 * 3600;
/// What tokens of devices begin with; those of people do not.
pub const PREFIX: &str = "device_";
/// How exact "last seen" is: no write for every scan.
const SEEN_EVERY_MS: i64 = 60_000;

/// What a device is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Scans, finds by name, undoes.
    Gate,
    /// Shows the rotating QR and who passed last.
    Kiosk,
}

impl Purpose {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Kiosk => "kiosk",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Gate, Self::Kiosk].into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// A device that was paired and not revoked.
#[derive(Debug, Clone)]
pub struct Paired {
    pub id: i64,
    pub name: String,
    pub purpose: Purpose,
    pub(super) exit_pin: Option<String>,
    pub(super) last_seen: Millis,
    pub(super) unlocked_until: Millis,
}

impl Paired {
    /// The device that asks; `None` when it is none, whatever else it may be.
    pub async fn of(parts: &Parts, peer: &Peer, web: &Web) -> Result<Option<Self>, Fail> {
        let Some(token) = token(parts, peer) else { return Ok(None) };
        let Some(paired) = store::find(web.node.store(), digest(token)).await? else { return Ok(None) };
        let now = web.node.trusted_now().time;
        if now.since(paired.last_seen) >= SEEN_EVERY_MS {
            let (store, id) = (web.node.store().clone(), paired.id);
            // Nobody at the gate waits for this, and a time that is not noted now is noted with the next request.
            tokio::spawn(async move { store::seen(&store, id, now).await });
        }
        Ok(Some(paired))
    }

    /// A kiosk whose PIN was not given a moment ago.
    pub fn is_locked(&self, now: Millis) -> bool {
        self.purpose == Purpose::Kiosk && self.unlocked_until <= now
    }
}

/// The token of the header, else of a cookie that may be believed.
pub(super) fn token<'r>(parts: &'r Parts, peer: &Peer) -> Option<&'r str> {
    let own = bearer(parts).filter(|token| token.starts_with(PREFIX));
    own.or_else(|| cookie(&parts.headers).filter(|_| comes_from_here(parts, peer)))
}

fn comes_from_here(parts: &Parts, peer: &Peer) -> bool {
    let is_reading = matches!(parts.method, Method::GET | Method::HEAD);
    let says_so = parts.headers.contains_key(ORIGIN)
        || parts.headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin");
    !peer.for_another_site && (is_reading || says_so)
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value)
}

/// The header that gives a browser the token, or takes it away when it is empty.
pub(super) fn set_cookie(token: &str) -> Result<HeaderValue, Fail> {
    let seconds = if token.is_empty() { 0 } else { COOKIE_SECONDS };
    let text = format!("{COOKIE_NAME}={token}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict");
    Ok(HeaderValue::from_str(&text).map_err(anyhow::Error::from)?)
}

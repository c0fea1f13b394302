//! The rotating token of the kiosk.
//!
//! `token = first 16 bytes of HMAC-SHA256(school key, "hadir-qr-v1" ‖ institution ‖ step)`, in hexadecimal, where the step
//! counts [`Interval`]s since 1970. The token of this step and of the previous one are accepted. There is no table of
//! tokens: any box of the school, and the cloud, can check any other's.

use std::fmt;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroize;

use crate::{ids::InstitutionId, time::Millis};

/// The school's secret behind its tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct QrKey([u8; 32]);

impl QrKey {
    /// From 32 random bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }

    /// To be sealed before it is stored.
    pub fn to_hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    fn mac(&self, domain: &[u8], institution: InstitutionId, step: Step) -> [u8; 32] {
        // A key of any length is accepted by HMAC; this arm cannot be reached.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return [0; 32] };
        mac.update(domain);
        mac.update(&institution.0.to_be_bytes());
        mac.update(&step.0.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for QrKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QrKey(secret)")
    }
}

impl Drop for QrKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// How long one token is shown: 1 second to 10 minutes (`qr_refresh_interval`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval(i64);

impl Interval {
    /// `None` outside 1..=600 seconds.
    pub fn seconds(seconds: i64) -> Option<Self> {
        (1..=600).contains(&seconds).then_some(Self(seconds * 1000))
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }
}

/// The number of an interval since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step(i64);

impl Step {
    /// The step an instant lies in.
    pub fn at(time: Millis, interval: Interval) -> Self {
        Self(time.0.div_euclid(interval.0))
    }

    /// When the next token is shown.
    pub fn ends(self, interval: Interval) -> Millis {
        Millis((self.0 + 1) * interval.0)
    }

    /// When the token of this step is no longer accepted: it is, for one more interval.
    pub fn expires(self, interval: Interval) -> Millis {
        Millis((self.0 + 2) * interval.0)
    }

    const fn previous(self) -> Self {
        Self(self.0 - 1)
    }
}

/// A token as the QR shows it, and the six digits under it for those without a camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// 32 lower-case hexadecimal digits.
    pub token: String,
    /// Six decimal digits.
    pub code: String,
}

/// The token of a step.
pub fn token(key: &QrKey, institution: InstitutionId, step: Step) -> Token {
    let hex = HEXLOWER.encode(&key.mac(b"hadir-qr-v1", institution, step)[..16]);
    let mac = key.mac(b"hadir-qr-code-v1", institution, step);
    let number =
        u64::from_be_bytes([mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], mac[6], mac[7]]) % 1_000_000;
    Token { token: hex, code: format!("{number:06}") }
}

/// A presented token that is neither this step's nor the previous one's, or no token at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid, or no longer")]
pub struct Stale;

/// Accepts what a person presents at `now`: the token, the URL that ends with it, or the six digits.
///
/// Answers the canonical 32-digit token of the step it belongs to, so that code and token of one step count as one.
pub fn accept(
    key: &QrKey,
    institution: InstitutionId,
    interval: Interval,
    now: Millis,
    presented: &str,
) -> Result<String, Stale> {
    let presented = last_segment(presented.trim()).to_ascii_lowercase();
    let step = Step::at(now, interval);
    [step, step.previous()]
        .into_iter()
        .map(|step| token(key, institution, step))
        .find(|t| same(&t.token, &presented) || same(&t.code, &presented))
        .map(|t| t.token)
        .ok_or(Stale)
}

/// Whether what a person presents is read as six digits. There are a million of them and two are good at any moment, so
/// whoever takes them counts the attempts; a token cannot be guessed.
pub fn is_code(presented: &str) -> bool {
    let presented = last_segment(presented.trim());
    presented.len() == 6 && presented.bytes().all(|b| b.is_ascii_digit())
}

fn last_segment(text: &str) -> &str {
    let path = text.split(['?', '#']).next().unwrap_or(text);
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

/// Compares without telling by its duration where the two differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differ, (x, y)| differ | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCHOOL: InstitutionId = InstitutionId(1);

    fn key() -> QrKey {
        QrKey::new([3; 32])
    }

    fn ten() -> Interval {
        Interval::seconds(10).unwrap()
    }

    #[test]
    fn a_known_token_stays_the_same_for_ever() {
        let known = token(&key(), SCHOOL, Step::at(Millis(1_755_766_497_000), ten()));
        assert_eq!(known.token, "0cde67c18d2e5bd0cc9e2355e465f449");
        assert_eq!(known.code, "102353");
    }

    #[test]
    fn it_is_accepted_in_its_own_window_and_the_next_and_then_no_more() {
        let shown_at = Millis(1_000_000);
        let shown = token(&key(), SCHOOL, Step::at(shown_at, ten()));
        let accepted = |ms: i64| accept(&key(), SCHOOL, ten(), Millis(ms), &shown.token);
        assert_eq!(accepted(1_000_000), Ok(shown.token.clone()));
        assert_eq!(accepted(1_019_999), Ok(shown.token.clone()), "the end of the next window");
        assert_eq!(accepted(1_020_000), Err(Stale), "two windows old");
        assert_eq!(accepted(999_999), Err(Stale), "not yet shown");
        assert_eq!(Step::at(shown_at, ten()).expires(ten()), Millis(1_020_000));
    }

    #[test]
    fn a_url_the_code_and_the_token_are_the_same_thing() {
        let now = Millis(5_000_000);
        let shown = token(&key(), SCHOOL, Step::at(now, ten()));
        for presented in [
            shown.token.clone(),
            shown.token.to_uppercase(),
            format!(" {} ", shown.code),
            format!("https://hadir.sekolah.example/c/{}", shown.token),
            format!("https://box/c/{}/?from=camera#top", shown.token),
        ] {
            assert_eq!(
                accept(&key(), SCHOOL, ten(), now, &presented),
                Ok(shown.token.clone()),
                "{presented}"
            );
        }
        for wrong in ["", "/", "000", "https://box/c/", "🙂", &"f".repeat(32)] {
            assert_eq!(accept(&key(), SCHOOL, ten(), now, wrong), Err(Stale), "{wrong}");
        }
    }

    #[test]
    fn whatever_may_be_accepted_as_a_code_is_known_as_one() {
        let now = Millis(5_000_000);
        let shown = token(&key(), SCHOOL, Step::at(now, ten()));
        for dressed in
            ["{}", " {}\n", "https://box/c/{}", "https://box/c/{}/?x=1#y", "/{}//", "{}?{}", "a\u{a0}/{}"]
        {
            let presented = dressed.replace("{}", &shown.code);
            assert!(accept(&key(), SCHOOL, ten(), now, &presented).is_ok(), "{presented:?}");
            assert!(is_code(&presented), "{presented:?}");
        }
        for other in [shown.token.as_str(), "", "12345", "1234567", "12345a", "١٢٣٤٥٦", "https://box/c/"]
        {
            assert!(!is_code(other), "{other}");
        }
    }

    #[test]
    fn an_interval_has_limits() {
        assert_eq!(Interval::seconds(0), None);
        assert_eq!(Interval::seconds(601), None);
        assert_eq!(Interval::seconds(10).map(Interval::as_millis), Some(10_000));
    }

    proptest! {
        #[test]
        fn another_school_another_key_another_time_has_another_token(
            seed in any::<[u8; 32]>(), school in 1..1_000_000_i64, now in 0..4_000_000_000_000_i64,
        ) {
            let key = QrKey::new(seed);
            let shown = token(&key, InstitutionId(school), Step::at(Millis(now), ten())).token;
            prop_assert_eq!(shown.len(), 32);
            prop_assert!(accept(&key, InstitutionId(school), ten(), Millis(now), &shown).is_ok());
            prop_assert!(accept(&key, InstitutionId(school + 1), ten(), Millis(now), &shown).is_err());
            prop_assert!(accept(&key, InstitutionId(school), ten(), Millis(now + 20_000), &shown).is_err());
            prop_assert!(accept(&key, InstitutionId(school), ten(), Millis(now - 10_000), &shown).is_err());
            let mut other = seed;
            other[0] ^= 1;
            prop_assert!(accept(&QrKey::new(other), InstitutionId(school), ten(), Millis(now), &shown).is_err());
        }

        #[test]
        fn no_text_makes_it_stumble(text in ".*") {
            let _ = accept(&key(), SCHOOL, ten(), Millis(0), &text);
            let _ = is_code(&text);
        }
    }
}

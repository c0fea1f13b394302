//! Student cards.
//!
//! The printed QR holds `HC1.` + base32 of seven bytes that name the card and 64 bytes of signature by the school's card
//! key: 118 characters, all of them in QR's alphanumeric mode. A box checks a card it has never heard of, so a card
//! printed today is accepted by a box that has not synced for a month. Older cards carry a plain code (`ABC123XYZ`),
//! which is only a look-up in the roster.

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{InstitutionId, UserId},
    sign::{PublicKey, Purpose, SecretKey, Signature},
};

const PREFIX: &str = "HC1.";
/// The longest plain code a roster may hold, in characters.
pub const PLAIN_MAX: usize = 32;

/// What a signed card says. The field widths let a card stay below 120 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Below 2^18 (262,144 schools).
    pub institution: InstitutionId,
    /// Below 2^26 (67 million people).
    pub student: UserId,
    /// The student's first, second, … card; below 2^8.
    pub serial: u8,
    /// Which of the school's card keys signed it; below 2^4.
    pub epoch: u8,
}

/// A card that the seven bytes cannot name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a card names a school below 2^18, a student below 2^26 and a key epoch below 2^4")]
pub struct TooLarge;

/// What a scanned text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// Looks like a signed card. Nothing is proven until [`SignedCard::verify`].
    Signed(SignedCard),
    /// A plain code, in upper case.
    Plain(String),
}

/// The text is neither a signed card nor a plain code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a signed card nor a plain code")]
pub struct NotACard;

/// Why a signed card is not accepted. The order of checks is the order here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the card belongs to another school")]
    OtherSchool,
    #[error("the card was signed by a key this school does not have")]
    UnknownKey,
    #[error("the card's signature does not fit")]
    Forged,
}

/// The card and the signature that came with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedCard {
    card: Card,
    signature: Signature,
}

impl Card {
    /// The text to print.
    pub fn sign(self, key: &SecretKey) -> Result<String, TooLarge> {
        let payload = self.pack()?;
        let signature = key.sign(Purpose::Card, &[&payload]);
        let bytes = [&payload[..], &signature.0[..]].concat();
        Ok(format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes)))
    }

    fn pack(self) -> Result<[u8; 7], TooLarge> {
        let field =
            |value: i64, bits: u32| u64::try_from(value).ok().filter(|v| *v < 1 << bits).ok_or(TooLarge);
        let packed = field(self.institution.0, 18)? << 38
            | field(self.student.0, 26)? << 12
            | u64::from(self.serial) << 4
            | field(self.epoch.into(), 4)?;
        let [_, bytes @ ..] = packed.to_be_bytes();
        Ok(bytes)
    }

    fn unpack(bytes: [u8; 7]) -> Self {
        let packed = bytes.into_iter().fold(0_u64, |packed, byte| packed << 8 | u64::from(byte));
        let field = |shift: u32, bits: u32| packed >> shift & ((1 << bits) - 1);
        Self {
            institution: InstitutionId(field(38, 18).cast_signed()),
            student: UserId(field(12, 26).cast_signed()),
            serial: u8::try_from(field(4, 8)).unwrap_or(u8::MAX),
            epoch: u8::try_from(field(0, 4)).unwrap_or(u8::MAX),
        }
    }
}

impl SignedCard {
    /// The card, once it is known to be this school's and signed by the key of its epoch.
    pub fn verify(
        &self,
        institution: InstitutionId,
        key_of: impl FnOnce(u8) -> Option<PublicKey>,
    ) -> Result<Card, Refused> {
        if self.card.institution != institution {
            return Err(Refused::OtherSchool);
        }
        let key = key_of(self.card.epoch).ok_or(Refused::UnknownKey)?;
        let payload = self.card.pack().map_err(|_| Refused::Forged)?;
        key.verify(Purpose::Card, &[&payload], &self.signature).map_err(|_| Refused::Forged)?;
        Ok(self.card)
    }
}

/// Reads what a camera or a scanner gave. Upper and lower case are the same: a scanner may hold Caps Lock.
pub fn parse(scanned: &str) -> Result<Code, NotACard> {
    let text = scanned.trim().to_ascii_uppercase();
    if let Some(encoded) = text.strip_prefix(PREFIX) {
        let bytes = BASE32_NOPAD.decode(encoded.as_bytes()).map_err(|_| NotACard)?;
        let (payload, signature) = bytes.split_first_chunk::<7>().ok_or(NotACard)?;
        let signature = Signature(signature.try_into().map_err(|_| NotACard)?);
        return Ok(Code::Signed(SignedCard { card: Card::unpack(*payload), signature }));
    }
    let plain = (1..=PLAIN_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
    if plain { Ok(Code::Plain(text)) } else { Err(NotACard) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> SecretKey {
        SecretKey::from_seed(&[5; 32])
    }

    fn signed(text: &str) -> SignedCard {
        match parse(text) {
            Ok(Code::Signed(card)) => card,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_card_of_another_school_is_named_as_such_even_when_it_is_well_signed() {
        let card = Card { institution: InstitutionId(2), student: UserId(9), serial: 1, epoch: 0 };
        let text = card.sign(&key()).unwrap();
        let public = key().public();
        assert_eq!(signed(&text).verify(InstitutionId(2), |_| Some(public)), Ok(card));
        assert_eq!(signed(&text).verify(InstitutionId(1), |_| Some(public)), Err(Refused::OtherSchool));
        assert_eq!(signed(&text).verify(InstitutionId(2), |_| None), Err(Refused::UnknownKey));
        let stranger = SecretKey::from_seed(&[6; 32]).public();
        assert_eq!(signed(&text).verify(InstitutionId(2), |_| Some(stranger)), Err(Refused::Forged));
    }

    #[test]
    fn plain_codes_and_rubbish_are_told_apart() {
        assert_eq!(parse(" abc123xyz\n"), Ok(Code::Plain("ABC123XYZ".into())));
        for rubbish in
            ["", "  ", "https://example.org/", "HC1.", "HC1.AAAA", "HC1.!!", "a b", "é", &"A".repeat(33)]
        {
            assert_eq!(parse(rubbish), Err(NotACard), "{rubbish:?}");
        }
    }

    #[test]
    fn a_card_too_large_for_its_fields_is_refused_not_cut() {
        let card = Card { institution: InstitutionId(1), student: UserId(1), serial: 0, epoch: 0 };
        for bad in [
            Card { institution: InstitutionId(1 << 18), ..card },
            Card { institution: InstitutionId(-1), ..card },
            Card { student: UserId(1 << 26), ..card },
            Card { epoch: 16, ..card },
        ] {
            assert_eq!(bad.sign(&key()), Err(TooLarge), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_card_survives_print_and_scan_and_fits_alphanumeric_mode(
            institution in 0..1_i64 << 18, student in 0..1_i64 << 26, serial in any::<u8>(), epoch in 0..16_u8,
        ) {
            let card = Card {
                institution: InstitutionId(institution), student: UserId(student), serial, epoch,
            };
            let text = card.sign(&key()).unwrap();
            prop_assert!(text.len() < 120, "{} characters", text.len());
            prop_assert!(text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'.'));
            let read = signed(&text.to_lowercase());
            prop_assert_eq!(read.verify(card.institution, |_| Some(key().public())), Ok(card));
        }

        #[test]
        fn a_changed_character_is_never_accepted(at in 4..118_usize, to in prop::sample::select(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".to_vec())) {
            let card = Card { institution: InstitutionId(1), student: UserId(42), serial: 3, epoch: 1 };
            let mut text = card.sign(&key()).unwrap().into_bytes();
            prop_assume!(text[at] != to);
            text[at] = to;
            let text = String::from_utf8(text).unwrap();
            if let Ok(Code::Signed(read)) = parse(&text) {
                prop_assert!(read.verify(InstitutionId(1), |_| Some(key().public())).is_err());
            }
        }

        #[test]
        fn no_text_makes_it_stumble(text in ".*") {
            let _ = parse(&text);
        }
    }
}

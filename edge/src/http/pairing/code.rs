//! The short code that lets a device in: 40 random bits in Crockford's Base32, which has no letters that look like others.
//!
//! At the rate the throttle leaves, somebody who tries all day long from a thousand addresses hits one of the twenty codes
//! that may wait with a chance of less than one in a hundred thousand.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::ids::Ids;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 8;

/// A code, as it is shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    pub fn random(ids: &Ids) -> Self {
        let bits = ids.bytes::<5>().iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        let letter = |at: usize| {
            let five = usize::try_from((bits >> (5 * at)) & 31).unwrap_or(0);
            ALPHABET.get(five).map_or('0', |letter| char::from(*letter))
        };
        Self((0..LENGTH).rev().map(letter).collect())
    }

    /// As people type it: in any case, with or without the dash, O for 0, I and L for 1.
    pub fn parse(text: &str) -> Option<Self> {
        let letters =
            text.chars().filter(|c| !matches!(c, '-' | ' ')).map(|c| match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                c => c,
            });
        let code: String = letters.take(LENGTH + 1).collect();
        let is_code = code.len() == LENGTH && code.bytes().all(|b| ALPHABET.contains(&b));
        is_code.then_some(Self(code))
    }

    /// What is stored and compared: whoever could measure a comparison would learn nothing of the code.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }
}

/// `K7QX-2M9D`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(LENGTH / 2);
        write!(f, "{first}-{second}")
    }
}

/// Not into a log.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = Code::random(&Ids::seeded(1));
        let shown = code.to_string();
        assert_eq!((shown.len(), shown.as_bytes()[4]), (9, b'-'));
        for typed in [shown.clone(), shown.to_lowercase(), shown.replace('-', ""), format!(" {shown} ")] {
            assert_eq!(Code::parse(&typed), Some(code.clone()), "{typed}");
        }
        assert_eq!(Code::parse("oi1L-OOOO"), Code::parse("0111-0000"));
        for wrong in ["", "ABCD-EFG", "ABCD-EFGHJ", "ABCD-EFGU", "ABCD-EFG!", "ABCDEFGÉ"] {
            assert_eq!(Code::parse(wrong), None, "{wrong}");
        }
        assert_ne!(Code::random(&Ids::seeded(2)), code);
        assert!(!format!("{code:?}").contains(&shown[..4]));
    }
}

//! Collects every flaw of a body before it fails, so that a form shows all of them at once.

use std::ops::RangeInclusive;

use crate::fail::{Fail, Flaw, Problem, Text};

/// The shortest and longest text of an ordinary field, in characters.
pub const NAME: RangeInclusive<usize> = 1..=255;

/// Usage: read each field through it, then [`Check::finish`].
#[derive(Debug, Default)]
#[must_use = "finish() tells whether the body is valid"]
pub struct Check(Vec<Problem>);

impl Check {
    pub fn new() -> Self {
        Self::default()
    }

    /// The value, or its default and a [`Flaw::Missing`].
    pub fn required<T: Default>(&mut self, field: impl Into<Text>, value: Option<T>) -> T {
        if value.is_none() {
            self.flaw(field, Flaw::Missing);
        }
        value.unwrap_or_default()
    }

    /// A text that must be there, trimmed, with a length in characters; blank counts as missing.
    pub fn text(
        &mut self,
        field: &'static str,
        value: Option<String>,
        length: RangeInclusive<usize>,
    ) -> String {
        let value = value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let value = self.required(field, value);
        if !value.is_empty() {
            self.length(field, &value, length);
        }
        value
    }

    /// A text that may be left out, trimmed; blank counts as left out.
    pub fn optional_text(
        &mut self,
        field: &'static str,
        value: Option<String>,
        length: RangeInclusive<usize>,
    ) -> Option<String> {
        let value = value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())?;
        self.length(field, &value, length);
        Some(value)
    }

    /// As [`Check::text`], in one line and without control characters: a name, which may come to stand in a mail's header.
    pub fn line(
        &mut self,
        field: &'static str,
        value: Option<String>,
        length: RangeInclusive<usize>,
    ) -> String {
        let value = self.text(field, value, length);
        self.one_line(field, &value);
        value
    }

    /// As [`Check::optional_text`], in one line.
    pub fn optional_line(
        &mut self,
        field: &'static str,
        value: Option<String>,
        length: RangeInclusive<usize>,
    ) -> Option<String> {
        let value = self.optional_text(field, value, length)?;
        self.one_line(field, &value);
        Some(value)
    }

    fn one_line(&mut self, field: &'static str, text: &str) {
        // Other control characters were found already.
        if text.contains(['\n', '\r', '\t', '\u{2028}', '\u{2029}']) {
            self.flaw(field, Flaw::WrongType("text in one line".into()));
        }
    }

    /// An e-mail address that may be left out, in lower case.
    pub fn email(&mut self, field: &'static str, value: Option<String>) -> Option<String> {
        let value = self.optional_text(field, value, NAME)?.to_lowercase();
        self.that(is_email(&value), field, Flaw::NotEmail);
        Some(value)
    }

    fn length(&mut self, field: &'static str, text: &str, length: RangeInclusive<usize>) {
        let found = text.chars().count();
        if found < *length.start() {
            self.flaw(field, Flaw::TooShort(*length.start()));
        } else if found > *length.end() {
            self.flaw(field, Flaw::TooLong(*length.end()));
        } else if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.flaw(field, Flaw::WrongType("text without control characters".into()));
        }
    }

    /// A whole number between two others, both allowed.
    pub fn range(&mut self, field: &'static str, value: i64, range: RangeInclusive<i64>) -> i64 {
        self.that(range.contains(&value), field, Flaw::OutOfRange(*range.start(), *range.end()));
        value
    }

    /// One of a list of words.
    pub fn one_of(&mut self, field: &'static str, value: &str, words: &'static [&'static str]) {
        self.that(words.contains(&value), field, Flaw::NotOneOf(words));
    }

    /// What must hold, and the flaw if it does not.
    pub fn that(&mut self, holds: bool, field: impl Into<Text>, flaw: Flaw) {
        if !holds {
            self.flaw(field, flaw);
        }
    }

    pub fn flaw(&mut self, field: impl Into<Text>, flaw: Flaw) {
        self.0.push(Problem::new(field, flaw));
    }

    /// What was found, for who tells it in another way than [`Check::finish`].
    pub fn into_problems(self) -> Vec<Problem> {
        self.0
    }

    /// `Ok` when nothing was found.
    pub fn finish(self) -> Result<(), Fail> {
        if self.0.is_empty() { Ok(()) } else { Err(Fail::Invalid(self.0)) }
    }
}

/// Something before one `@`, a dotted domain after it, nothing a mail header could be broken with. Whether mail arrives is
/// known only by sending some.
fn is_email(text: &str) -> bool {
    let Some((user, domain)) = text.split_once('@') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    !user.is_empty()
        && user.len() <= 64
        && user.chars().all(|c| c.is_ascii_graphic() && !"@<>()[]\\,;:\"".contains(c))
        && domain.contains('.')
        && domain.chars().all(plain)
        && !domain.split('.').any(str::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["a@b.id", "budi.s+x@sma1.sch.id"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "a@",
            "@b.id",
            "a@b",
            "a b@c.id",
            "a@b..id",
            "a@b.id\r\nBcc: x@y.id",
            "<a@b.id>",
            "a@b@c.id",
        ] {
            assert!(!is_email(bad), "{bad:?}");
        }
    }

    #[test]
    fn every_flaw_is_found_at_once() {
        let mut check = Check::new();
        check.text("name", Some("   ".into()), NAME);
        check.text("code", Some("ab".into()), 3..=5);
        check.email("email", Some("nobody".into()));
        check.range("per_page", 0, 1..=100);
        let Err(Fail::Invalid(problems)) = check.finish() else { panic!("found nothing") };
        let found: Vec<_> = problems.iter().map(|p| (p.field.as_ref(), &p.flaw)).collect();
        assert_eq!(
            found,
            [
                ("name", &Flaw::Missing),
                ("code", &Flaw::TooShort(3)),
                ("email", &Flaw::NotEmail),
                ("per_page", &Flaw::OutOfRange(1, 100))
            ]
        );
    }
}

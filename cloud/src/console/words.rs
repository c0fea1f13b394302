//! Two languages. Both texts of a word stand together where it is used; which is shown is the visitor's choice, kept in a
//! cookie, so that a page is in his language before any script runs.

use axum::http::{HeaderMap, HeaderValue, header};
use chrono::{Datelike as _, NaiveDate};
use hadir_shared::time::SchoolDay;

/// The cookie that keeps the choice. No secret, and no other use.
pub const COOKIE: &str = "hadir-language";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    #[default]
    Id,
    En,
}

impl Lang {
    pub fn of(headers: &HeaderMap) -> Self {
        match cookie(headers, COOKIE) {
            Some("en") => Self::En,
            _ => Self::Id,
        }
    }

    pub fn parse(code: &str) -> Self {
        if code == "en" { Self::En } else { Self::Id }
    }

    pub const fn code(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::En => "en",
        }
    }

    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Id => Self::En,
            Self::En => Self::Id,
        }
    }

    /// The text of this language.
    pub const fn t(self, id: &'static str, en: &'static str) -> &'static str {
        match self {
            Self::Id => id,
            Self::En => en,
        }
    }

    /// `14.203`, `14,203`.
    pub fn number(self, n: i64) -> String {
        let digits = n.unsigned_abs().to_string();
        let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
        if n < 0 {
            text.push('-');
        }
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                text.push(if self == Self::Id { '.' } else { ',' });
            }
            text.push(digit);
        }
        text
    }

    /// One decimal: `97,4`, `97.4`.
    pub fn decimal(self, n: f64) -> String {
        let text = format!("{n:.1}");
        if self == Self::Id { text.replace('.', ",") } else { text }
    }

    /// `Senin, 14 Juli 2025`.
    pub fn long_day(self, day: SchoolDay) -> String {
        let weekday = self.weekday(day.weekday());
        format!("{weekday}, {} {} {}", day.0.day(), self.month_name(day.0.month()), day.0.year())
    }

    /// `14 Jul`.
    pub fn short_day(self, day: SchoolDay) -> String {
        let month: String = self.month_name(day.0.month()).chars().take(3).collect();
        format!("{} {month}", day.0.day())
    }

    /// `Juli 2025`.
    pub fn month(self, first: NaiveDate) -> String {
        format!("{} {}", self.month_name(first.month()), first.year())
    }

    /// 1 is Monday, as [`SchoolDay::weekday`] counts.
    pub const fn weekday(self, n: u8) -> &'static str {
        match n {
            1 => self.t("Senin", "Monday"),
            2 => self.t("Selasa", "Tuesday"),
            3 => self.t("Rabu", "Wednesday"),
            4 => self.t("Kamis", "Thursday"),
            5 => self.t("Jumat", "Friday"),
            6 => self.t("Sabtu", "Saturday"),
            _ => self.t("Minggu", "Sunday"),
        }
    }

    pub const fn month_name(self, n: u32) -> &'static str {
        match n {
            1 => self.t("Januari", "January"),
            2 => self.t("Februari", "February"),
            3 => self.t("Maret", "March"),
            4 => "April",
            5 => self.t("Mei", "May"),
            6 => self.t("Juni", "June"),
            7 => self.t("Juli", "July"),
            8 => self.t("Agustus", "August"),
            9 => "September",
            10 => self.t("Oktober", "October"),
            11 => "November",
            _ => self.t("Desember", "December"),
        }
    }

    /// How long something lasts, in the largest unit that fits: `3 menit`.
    pub fn span(self, ms: i64) -> String {
        let (n, id, en) = match ms.max(0) / 1000 {
            s @ 0..60 => (s, "detik", "s"),
            s @ 60..3_600 => (s / 60, "menit", "min"),
            s @ 3_600..86_400 => (s / 3_600, "jam", "h"),
            s => (s / 86_400, "hari", "d"),
        };
        format!("{} {}", self.number(n), self.t(id, en))
    }

    /// A size on a disk: `1,2 GB`.
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    pub fn bytes(self, bytes: i64) -> String {
        match bytes {
            b if b >= 1_000_000_000 => format!("{} GB", self.decimal(b as f64 / 1e9)),
            b if b >= 1_000_000 => format!("{} MB", self.number(b / 1_000_000)),
            b => format!("{} kB", self.number(b / 1_000)),
        }
    }
}

/// Keeps the choice for a year.
pub fn remember(lang: Lang) -> HeaderValue {
    HeaderValue::from_static(match lang {
        Lang::Id => "hadir-language=id; Path=/; Secure; SameSite=Lax; Max-Age=31536000",
        Lang::En => "hadir-language=en; Path=/; Secure; SameSite=Lax; Max-Age=31536000",
    })
}

/// The value of a cookie.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_as_the_language_does() {
        for (n, id, en) in [
            (0, "0", "0"),
            (999, "999", "999"),
            (14_203, "14.203", "14,203"),
            (1_000_000, "1.000.000", "1,000,000"),
            (-1_234, "-1.234", "-1,234"),
        ] {
            assert_eq!((Lang::Id.number(n), Lang::En.number(n)), (id.into(), en.into()));
        }
    }

    #[test]
    fn a_day_is_written_out() {
        let day = SchoolDay(NaiveDate::from_ymd_opt(2025, 7, 14).unwrap());
        assert_eq!(Lang::Id.long_day(day), "Senin, 14 Juli 2025");
        assert_eq!(Lang::En.long_day(day), "Monday, 14 July 2025");
        assert_eq!(Lang::Id.short_day(day), "14 Jul");
    }

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "xhadir=1; hadir=2; hadir-language=en".parse().unwrap());
        assert_eq!(cookie(&headers, "hadir"), Some("2"));
        assert_eq!(cookie(&headers, "language"), None);
        assert_eq!(Lang::of(&headers), Lang::En);
    }
}

//! What mails and text messages say, in Indonesian and English.
//!
//! What always holds: whatever comes from a person stands in a page escaped, and nowhere as a piece of a template.

use askama::Template;
use axum::http::{HeaderMap, header::ACCEPT_LANGUAGE};
use serde::{Deserialize, Serialize};

/// The language somebody is written to in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    #[default]
    #[serde(rename = "id")]
    Indonesian,
    #[serde(rename = "en")]
    English,
}

impl Language {
    /// The first of the two a browser asks for.
    pub fn of(headers: &HeaderMap) -> Self {
        let wanted = headers.get(ACCEPT_LANGUAGE).and_then(|wanted| wanted.to_str().ok()).unwrap_or_default();
        wanted
            .split(',')
            .find_map(|one| match one.trim().get(..2)?.to_ascii_lowercase().as_str() {
                "id" | "in" => Some(Self::Indonesian),
                "en" => Some(Self::English),
                _ => None,
            })
            .unwrap_or_default()
    }

    const fn tag(self) -> &'static str {
        match self {
            Self::Indonesian => "id",
            Self::English => "en",
        }
    }
}

/// What is said. A code is said nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said<'a> {
    /// The code a new password is set with.
    Reset(&'a str),
    VerifyEmail(&'a str),
    VerifyPhone(&'a str),
    PasswordChanged,
}

impl<'a> Said<'a> {
    /// As rows name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reset(_) => "reset",
            Self::VerifyEmail(_) => "verify_email",
            Self::VerifyPhone(_) => "verify_phone",
            Self::PasswordChanged => "password_changed",
        }
    }

    const fn code(self) -> Option<&'a str> {
        match self {
            Self::Reset(code) | Self::VerifyEmail(code) | Self::VerifyPhone(code) => Some(code),
            Self::PasswordChanged => None,
        }
    }

    const fn words(self, language: Language) -> Words {
        let (subject, intro, outro) = match (self, language) {
            (Self::Reset(_), Language::Indonesian) => (
                "Kode untuk kata sandi baru",
                "Gunakan kode ini untuk membuat kata sandi baru. Kode berlaku 10 menit dan hanya sekali pakai.",
                "Jika Anda tidak memintanya, abaikan pesan ini. Jangan berikan kode ini kepada siapa pun.",
            ),
            (Self::Reset(_), Language::English) => (
                "Code for a new password",
                "Use this code to set a new password. It is valid for 10 minutes and works once.",
                "If you did not ask for it, ignore this message. Give this code to nobody.",
            ),
            (Self::VerifyEmail(_), Language::Indonesian) => (
                "Kode verifikasi email",
                "Gunakan kode ini untuk memastikan bahwa alamat email ini milik Anda. Kode berlaku 10 menit.",
                "Jika Anda tidak mendaftar, abaikan pesan ini.",
            ),
            (Self::VerifyEmail(_), Language::English) => (
                "Code to verify your e-mail address",
                "Use this code to show that this address is yours. It is valid for 10 minutes.",
                "If you did not register, ignore this message.",
            ),
            (Self::VerifyPhone(_), Language::Indonesian) => (
                "Kode verifikasi telepon",
                "Kode verifikasi Anda, berlaku 10 menit:",
                "Jangan berikan kode ini kepada siapa pun.",
            ),
            (Self::VerifyPhone(_), Language::English) => (
                "Code to verify your phone",
                "Your verification code, valid for 10 minutes:",
                "Give this code to nobody.",
            ),
            (Self::PasswordChanged, Language::Indonesian) => (
                "Kata sandi Anda telah diubah",
                "Kata sandi akun Anda baru saja diubah, dan semua sesi lama telah diakhiri.",
                "Jika bukan Anda yang mengubahnya, segera hubungi administrator Anda.",
            ),
            (Self::PasswordChanged, Language::English) => (
                "Your password was changed",
                "The password of your account was changed just now, and all older sessions have ended.",
                "If it was not you, tell your administrator at once.",
            ),
        };
        Words { subject, intro, outro }
    }
}

struct Words {
    subject: &'static str,
    intro: &'static str,
    outro: &'static str,
}

#[derive(Template)]
#[template(path = "mail/code.txt")]
struct Plain<'a> {
    words: &'a Words,
    greeting: &'a str,
    code: Option<&'a str>,
    sender: &'a str,
}

#[derive(Template)]
#[template(path = "mail/code.html")]
struct Page<'a> {
    words: &'a Words,
    greeting: &'a str,
    code: Option<&'a str>,
    sender: &'a str,
    language: &'static str,
}

/// A mail, worded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worded {
    pub subject: &'static str,
    pub text: String,
    pub html: String,
}

/// `name` is whom it is to.
pub fn mail(said: Said<'_>, language: Language, name: &str, sender: &str) -> anyhow::Result<Worded> {
    let words = said.words(language);
    let greeting = match language {
        Language::Indonesian => format!("Yth. {name},"),
        Language::English => format!("Dear {name},"),
    };
    let (code, greeting, language) = (said.code(), greeting.as_str(), language.tag());
    let text = Plain { words: &words, greeting, code, sender }.render()?;
    let html = Page { words: &words, greeting, code, sender, language }.render()?;
    Ok(Worded { subject: words.subject, text, html })
}

/// A text message: short, and with nobody's name in it.
pub fn sms(said: Said<'_>, language: Language, sender: &str) -> Worded {
    let words = said.words(language);
    let code = said.code().unwrap_or_default();
    Worded {
        subject: words.subject,
        text: format!("{sender}: {} {code}. {}", words.intro, words.outro),
        html: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t38_what_a_person_calls_himself_is_text() {
        let name = "<a href=\"https://evil.example\">Budi</a> {{7*7}} {% include \"x\" %}";
        for language in [Language::Indonesian, Language::English] {
            let worded = mail(Said::Reset("012345"), language, name, "Hadir").unwrap();
            assert!(!worded.html.contains("<a href"), "{}", worded.html);
            assert!(
                worded.html.contains("&#60;a href") || worded.html.contains("&lt;a href"),
                "{}",
                worded.html
            );
            assert!(worded.html.contains("{{7*7}}") && worded.text.contains("{{7*7}}"));
            assert!(worded.html.contains("012345") && worded.text.contains("012345"));
            assert!(!worded.subject.contains("012345"), "a subject is kept in clear");
        }
    }

    #[test]
    fn who_asks_for_neither_language_reads_indonesian() {
        for (asked, read) in [
            ("en-GB,en;q=0.9,id;q=0.8", Language::English),
            ("id-ID", Language::Indonesian),
            ("fr,en", Language::English),
            ("fr", Language::Indonesian),
            ("", Language::Indonesian),
            ("é,€", Language::Indonesian),
        ] {
            let mut headers = HeaderMap::new();
            if let Ok(asked) = asked.parse() {
                headers.insert(ACCEPT_LANGUAGE, asked);
            }
            assert_eq!(Language::of(&headers), read, "{asked}");
        }
    }
}

//! What went wrong, as a page. It does not know who asks, so it says it in both languages.

use askama::Template;
use axum::{http::StatusCode, response::Response};

use super::{
    page::{POLICY, html_with},
    words::Lang,
};
use crate::fail::{Fail, Flaw, NoSession};

#[derive(Template)]
#[template(path = "console/error.html")]
struct ErrorPage {
    status: u16,
    id: String,
    en: &'static str,
}

/// The failure of a page.
pub fn page(fail: &Fail) -> Response {
    let (id, en) = words(fail);
    let status = fail.status();
    html_with(status, POLICY, &ErrorPage { status: status.as_u16(), id, en })
        .unwrap_or_else(|_| axum::response::IntoResponse::into_response(StatusCode::INTERNAL_SERVER_ERROR))
}

/// In one language, for a page that knows it.
pub fn said(fail: &Fail, lang: Lang) -> String {
    let (id, en) = words(fail);
    match lang {
        Lang::Id => id,
        Lang::En => en.into(),
    }
}

/// Indonesian first; a text of the resource's own stands as it is.
fn words(fail: &Fail) -> (String, &'static str) {
    match fail {
        Fail::Unauthenticated(NoSession::Expired) => {
            ("Sesi Anda sudah berakhir.".into(), "Your session is over.")
        }
        Fail::Unauthenticated(_) => ("Anda belum masuk.".into(), "You are not signed in."),
        Fail::BadCredentials => {
            ("Nomor, nama pengguna, atau kata sandi salah.".into(), "Wrong number, user name or password.")
        }
        Fail::Denied(text) => (text.to_string(), "You are not allowed to do this."),
        Fail::NotFound(text) => (text.to_string(), "There is no such thing here."),
        Fail::NoRoute | Fail::WrongMethod => ("Halaman ini tidak ada.".into(), "There is no such page."),
        Fail::Invalid(problems) => (
            problems
                .iter()
                .map(|problem| format!("{}: {}", problem.field, flaw(&problem.flaw)))
                .collect::<Vec<_>>()
                .join("; "),
            "What was asked for is not valid.",
        ),
        Fail::BadRequest(text) => (text.to_string(), "What was asked for is not right."),
        Fail::Conflict(text) | Fail::Gone(text) | Fail::Taken { message: text, .. } => {
            (text.to_string(), "This cannot be done now.")
        }
        Fail::Malformed(_) | Fail::WrongContentType | Fail::TooLarge => {
            ("Permintaan tidak dapat dibaca.".into(), "The request could not be read.")
        }
        Fail::TooMany { retry_after } => (
            format!("Terlalu banyak percobaan. Coba lagi dalam {} detik.", retry_after.as_secs().max(1)),
            "Too many attempts. Try again later.",
        ),
        Fail::Unavailable { .. } | Fail::TimedOut => (
            "Server sedang sibuk. Coba lagi sebentar lagi.".into(),
            "The server is busy. Try again in a moment.",
        ),
        Fail::Internal(_) => (
            "Terjadi kesalahan di server. Tidak ada yang berubah.".into(),
            "Something went wrong here. Nothing was changed.",
        ),
    }
}

fn flaw(flaw: &Flaw) -> String {
    match flaw {
        Flaw::Said(text) => text.to_string(),
        Flaw::Missing => "wajib diisi".into(),
        _ => "tidak valid".into(),
    }
}

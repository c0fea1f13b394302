//! How the registry fails under its pages: in both languages, because what words a failure does not know who asks, and under
//! the fields of the form.
//!
//! `{"said": {"id": {message, errors}, "en": {message, errors}}}`; the page's script takes its own half.

use std::collections::BTreeMap;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use crate::{
    console::{error, words::Lang},
    fail::{Fail, Flaw, Problem},
};

#[derive(Serialize)]
struct Body {
    said: Said,
}

#[derive(Serialize)]
struct Said {
    id: Half,
    en: Half,
}

#[derive(Serialize)]
struct Half {
    message: String,
    errors: BTreeMap<String, Vec<String>>,
}

pub fn failure(fail: &Fail) -> Response {
    let body = Body { said: Said { id: half(fail, Lang::Id), en: half(fail, Lang::En) } };
    let text = serde_json::to_string(&body).unwrap_or_default();
    (fail.status(), [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

fn half(fail: &Fail, lang: Lang) -> Half {
    let message = match fail {
        Fail::Invalid(_) => lang.t("Ada isian yang belum benar.", "Something is not right yet.").into(),
        Fail::NotFound(_) => {
            lang.t("Klien ini sudah tidak ada.", "This client is not there any more.").into()
        }
        Fail::Conflict(_) => {
            lang.t("Klien publik tidak punya kunci rahasia.", "A public client has no secret.").into()
        }
        other => error::said(other, lang),
    };
    let mut errors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if let Fail::Invalid(problems) = fail {
        for problem in problems {
            let (field, text) = under_its_field(problem, lang);
            errors.entry(field).or_default().push(text);
        }
    }
    Half { message, errors }
}

/// `redirect_uris.1` stands under `redirect_uris`, as what the second address is.
fn under_its_field(problem: &Problem, lang: Lang) -> (String, String) {
    let text = flaw(problem, lang);
    match problem.field.split_once('.').map(|(field, n)| (field, n.parse::<usize>())) {
        Some((field, Ok(n))) => {
            let n = n + 1;
            let text = match lang {
                Lang::Id => format!("Alamat ke-{n} {text}"),
                Lang::En => format!("Address {n} {text}"),
            };
            (field.to_owned(), text)
        }
        _ if problem.field == "scopes" => ("scope".into(), text),
        _ => (problem.field.to_string(), text),
    }
}

fn flaw(problem: &Problem, lang: Lang) -> String {
    match (&problem.flaw, lang) {
        (Flaw::Missing, _) => lang.t("Wajib diisi.", "Has to be filled in.").into(),
        (Flaw::TooLong(most), Lang::Id) if problem.field.ends_with("_uris") => {
            format!("Paling banyak {most} alamat.")
        }
        (Flaw::TooLong(most), Lang::En) if problem.field.ends_with("_uris") => {
            format!("At most {most} addresses.")
        }
        (Flaw::TooLong(most), Lang::Id) => format!("Paling panjang {most} karakter."),
        (Flaw::TooLong(most), Lang::En) => format!("At most {most} characters."),
        (Flaw::OutOfRange(least, most), Lang::Id) => format!("Harus antara {least} dan {most}."),
        (Flaw::OutOfRange(least, most), Lang::En) => format!("Has to be between {least} and {most}."),
        (Flaw::NoSuch, _) => lang.t("Sekolah ini tidak ada.", "There is no such school.").into(),
        (Flaw::Said(text), Lang::Id) => indonesian(text),
        (Flaw::Said(text), Lang::En) => format!("{text}."),
        _ => lang.t("Tidak valid.", "Not valid.").into(),
    }
}

/// What the registry says itself, it says in English.
fn indonesian(text: &str) -> String {
    match text {
        "must be a plain address without a fragment, of at most 512 characters" => {
            "harus alamat biasa tanpa #, paling panjang 512 karakter."
        }
        "must be absolute" => "harus alamat lengkap, dengan https://.",
        "must start with https://" => "harus diawali https://.",
        "must name a host, and nobody before it" => {
            "harus menyebut nama server, tanpa nama pengguna di depannya."
        }
        "must not climb its own path" => "tidak boleh memuat . atau .. sebagai bagian jalurnya.",
        "must be https, or http on the machine itself" => {
            "harus https; http hanya untuk mesin itu sendiri (localhost)."
        }
        "has control characters" => "Memuat karakter kendali.",
        "must have openid" => "Harus memuat openid.",
        "has a word that is no scope here" => "Memuat cakupan yang tidak dikenal.",
        "cannot be changed: register it anew" => "Tidak dapat diubah: daftarkan klien baru.",
        other => other,
    }
    .into()
}

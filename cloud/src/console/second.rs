//! One's own second factor: setting it up, new recovery codes, taking it away. Whoever must have one comes here before he
//! can do anything else.
//!
//! What always holds: the secret and the recovery codes are shown in the answer to a form, once, and are in no address.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use qrcode::{QrCode, render::svg};
use serde::Deserialize;

use super::{
    csrf, error,
    form::Form,
    login::safe,
    page::{POLICY, html_with},
    shell::Shell,
    visit::Guest,
    words::Lang,
};
use crate::{
    app::App,
    db::Cloud,
    fail::{Fail, Flaw},
    http::Params,
    identity::second::{self, Enrolment, State as Standing},
};

#[derive(Template)]
#[template(path = "console/second_factor.html")]
struct SecondPage {
    shell: Shell,
    standing: Standing,
    next: String,
    /// Base64, of an SVG.
    qr: Option<String>,
    secret: String,
    codes: Vec<String>,
    said: Option<String>,
}

#[derive(Deserialize)]
pub struct Asked {
    next: Option<String>,
}

#[derive(Deserialize)]
pub struct Filled {
    what: Option<String>,
    code: Option<String>,
    password: Option<String>,
    next: Option<String>,
    csrf: Option<String>,
}

/// Where to set one up, to come back to `next` afterwards.
pub fn url(next: &str) -> String {
    let next = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    format!("/console/second-factor?{next}")
}

pub async fn show(
    State(app): State<App>,
    Guest { shell }: Guest,
    Params(asked): Params<Asked>,
) -> Result<Response, Fail> {
    let next = safe(asked.next.as_deref());
    page(&app, shell, next, None, Vec::new(), None).await
}

pub async fn change(
    State(app): State<App>,
    Guest { shell }: Guest,
    Form { filled, headers }: Form<Filled>,
) -> Result<Response, Fail> {
    csrf::check(&app, &shell.who.session.to_string(), filled.csrf.as_deref(), &headers)?;
    let next = safe(filled.next.as_deref());
    let (code, password) = (filled.code.unwrap_or_default(), filled.password.unwrap_or_default());
    let who = shell.who.clone();
    let done = match filled.what.as_deref() {
        Some("begin") => {
            let enrolment = second::begin(&app, &who).await?;
            return page(&app, shell, next, Some(enrolment), Vec::new(), None).await;
        }
        Some("confirm") => second::confirm(&app, &who, &code).await,
        Some("renew") => second::renew_recovery_codes(&app, &who, &code).await,
        Some("off") => match second::turn_off(&app, &who, &password, &code).await {
            Ok(()) => return Ok(Redirect::to("/console/login").into_response()),
            Err(fail) => Err(fail),
        },
        _ => return Err(Fail::bad_request("Tidak dikenal")),
    };
    match done {
        Ok(codes) => page(&app, shell, next, None, codes, None).await,
        Err(fail @ (Fail::Invalid(_) | Fail::TooMany { .. } | Fail::BadCredentials)) => {
            let shown = second::pending(&app, &who).await?;
            page(&app, shell, next, shown, Vec::new(), Some(&fail)).await
        }
        Err(fail) => Err(fail),
    }
}

async fn page(
    app: &App,
    shell: Shell,
    next: String,
    enrolment: Option<Enrolment>,
    codes: Vec<String>,
    failed: Option<&Fail>,
) -> Result<Response, Fail> {
    let standing = second::state(&mut app.db.read(Cloud).await?, shell.who.user).await?;
    let qr = enrolment.as_ref().map(|enrolment| picture(&enrolment.uri)).transpose()?;
    let said = failed.map(|fail| said(fail, shell.lang));
    let status = failed.map_or(StatusCode::OK, Fail::status);
    let secret = enrolment.map(|enrolment| spaced(&enrolment.secret)).unwrap_or_default();
    html_with(status, POLICY, &SecondPage { shell, standing, next, qr, secret, codes, said })
}

fn picture(uri: &str) -> Result<String, Fail> {
    let code = QrCode::new(uri).map_err(anyhow::Error::from)?;
    let svg = code.render::<svg::Color<'_>>().min_dimensions(220, 220).build();
    Ok(data_encoding::BASE64.encode(svg.as_bytes()))
}

/// In groups of four, to be typed.
fn spaced(secret: &str) -> String {
    let mut text = String::new();
    for (i, c) in secret.chars().enumerate() {
        if i > 0 && i % 4 == 0 {
            text.push(' ');
        }
        text.push(c);
    }
    text
}

/// What went wrong with a code.
pub fn said(fail: &Fail, lang: Lang) -> String {
    match fail {
        Fail::Invalid(problems) => match problems.first().map(|problem| &problem.flaw) {
            Some(Flaw::Said(text)) if lang == Lang::Id => text.to_string(),
            _ => lang.t("Kode verifikasi salah.", "This code is wrong, was used, or is too old.").to_owned(),
        },
        fail => error::said(fail, lang),
    }
}

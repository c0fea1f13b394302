//! A forgotten password, and addresses that are verified. Sections 1.6 and 1.7 of the contract, and what goes with them.
//!
//! What always holds: whether an account exists is told by no answer and by no time (`identity::recovery`).

use aide::axum::{ApiRouter, routing::post_with};
use axum::{
    extract::{DefaultBodyLimit, State},
    http::HeaderMap,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{account::unknown, dialect::Done};
use crate::{
    app::App,
    db::Cloud,
    fail::Fail,
    http::{
        AUTH_BODY_LIMIT, Body, Check, ClientAddress,
        describe::{public, says},
    },
    identity::{
        Caller,
        budget::Budget,
        password, recovery, user,
        verify::{self, Proven},
    },
    mail::Language,
};

#[cfg(test)]
mod tests;

/// What an address may ask for, and try: a school is one address.
const ASKING: Budget = Budget { of: "recovery-asked", most: 60, window_ms: 10 * 60_000 };
const TRYING: Budget = Budget { of: "recovery-tried", most: 60, window_ms: 10 * 60_000 };
/// What one account may try of the codes for its own addresses.
const VERIFYING: Budget = Budget { of: "verify-tried", most: 30, window_ms: 60 * 60_000 };

const SENT: &str = "Jika email terdaftar, kode OTP telah dikirim ke email tersebut";
const WRONG: &str = "Kode OTP tidak valid atau sudah kedaluwarsa";

pub fn routes() -> ApiRouter<App> {
    let start_or_finish =
        "Ask for a code with `email` alone; set the new password with `email`, `otp` and `newPassword`";
    ApiRouter::new()
        .api_route(
            "/auth/forgot-password",
            post_with(forgot, public(start_or_finish))
                .get_with(
                    reset,
                    public("Set the new password, as the original collection does: the body is read"),
                )
                .layer(DefaultBodyLimit::max(AUTH_BODY_LIMIT)),
        )
        .api_route(
            "/auth/verify-email",
            post_with(
                verify_email,
                says("Ask for a code for one's e-mail address, or send it back as `otp`"),
            ),
        )
        .api_route(
            "/auth/verify-phone",
            post_with(verify_phone, says("Ask for a code for one's telephone, or send it back as `otp`")),
        )
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ForgottenPassword")]
#[serde(rename_all = "camelCase")]
struct Forgotten {
    email: Option<String>,
    otp: Option<String>,
    new_password: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "AddressCode")]
struct Code {
    otp: Option<String>,
}

async fn forgot(
    State(app): State<App>,
    address: ClientAddress,
    headers: HeaderMap,
    Body(asked): Body<Forgotten>,
) -> Result<Done, Fail> {
    if asked.otp.is_some() || asked.new_password.is_some() {
        return reset(State(app), address, headers, Body(asked)).await;
    }
    let mut check = Check::new();
    let email = check.email("email", asked.email);
    let email = check.required("email", email);
    check.finish()?;
    ASKING.spend(&app, address.0).await?;
    let mut tx = app.db.write(Cloud).await?;
    recovery::ask(&mut tx, &email, Language::of(&headers), app.now()).await?;
    tx.commit().await?;
    app.jobs.ring();
    Ok(Done(SENT))
}

async fn reset(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Body(asked): Body<Forgotten>,
) -> Result<Done, Fail> {
    let mut check = Check::new();
    let email = check.email("email", asked.email);
    let email = check.required("email", email);
    let otp = check.text("otp", asked.otp, 1..=16);
    let wanted = check.required("newPassword", asked.new_password);
    if let Some(flaw) = password::flaw(&wanted).filter(|_| !wanted.is_empty()) {
        check.flaw("newPassword", flaw);
    }
    check.finish()?;
    TRYING.spend(&app, address).await?;
    recovery::finish(&app, &email, &otp, &wanted, Language::of(&headers)).await?;
    Ok(Done("Kata sandi berhasil diubah. Silakan login kembali"))
}

async fn verify_email(
    app: State<App>,
    who: Caller,
    headers: HeaderMap,
    Body(code): Body<Code>,
) -> Result<Done, Fail> {
    verify(&app, &who, Proven::Email, Language::of(&headers), code).await
}

async fn verify_phone(
    app: State<App>,
    who: Caller,
    headers: HeaderMap,
    Body(code): Body<Code>,
) -> Result<Done, Fail> {
    verify(&app, &who, Proven::Phone, Language::of(&headers), code).await
}

/// Sends a code, or takes it back.
async fn verify(app: &App, who: &Caller, what: Proven, language: Language, code: Code) -> Result<Done, Fail> {
    let (none, sent, done) = match what {
        Proven::Email => (
            "Akun ini belum memiliki email",
            "Kode verifikasi telah dikirim ke email Anda",
            "Email berhasil diverifikasi",
        ),
        Proven::Phone => (
            "Akun ini belum memiliki nomor telepon",
            "Kode verifikasi telah dikirim ke telepon Anda",
            "Telepon berhasil diverifikasi",
        ),
    };
    let otp = code.otp.filter(|otp| !otp.trim().is_empty());
    if otp.is_some() {
        VERIFYING.spend_on(app, &who.user.to_string()).await?;
    }
    let mut tx = app.db.write(who.institution).await?;
    let user = user::by_id(&mut tx, who.user).await?.ok_or_else(unknown)?;
    if what.of(&user).is_none() {
        return Err(Fail::bad_request(none));
    }
    let right = match &otp {
        Some(otp) => verify::finish(&mut tx, app, &user, what, otp).await?,
        // Sent a moment ago, it is on its way as well.
        None => verify::start(&mut tx, app, &user, what, language).await.map(|_| true)?,
    };
    tx.commit().await?;
    app.jobs.ring();
    match (right, otp) {
        (false, _) => Err(Fail::bad_request(WRONG)),
        (true, Some(_)) => Ok(Done(done)),
        (true, None) => Ok(Done(sent)),
    }
}

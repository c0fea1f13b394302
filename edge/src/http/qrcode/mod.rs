//! The rotating QR: as the contract's token, and as a picture for the kiosk; and the contract's way to pass with it.
//!
//! What always holds: nobody sees the token without being at the box or signed in with a role that may show it; picture,
//! digits and token of one answer belong to the same step.

mod address;
mod image;
#[cfg(test)]
mod tests;

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hadir_shared::{ids::UserId, rules::status::Direction, time::Millis, wire::roster::Role};
use serde::Serialize;

pub use self::{address::CheckInBase, image::svg};
use super::{
    Web,
    attendance::{ALONE, OTHERS, Passage, pass},
    auth::{Allowed, AtScreen, Caller, ShowQr},
    dialect::{Attendance, Data, Said, instant},
    extract::{Arrival, Body},
    fail::{Fail, Flaw},
    photos,
};
use crate::node::ShownToken;

pub fn routes() -> Router<Web> {
    Router::new()
        .route("/qrcode/verify", post(verify))
        .layer(DefaultBodyLimit::max(photos::BODY_BYTES))
        .route("/qrcode/dynamic", get(dynamic))
        .route("/qrcode/current", get(current))
        .route("/qrcode/current.svg", get(current_svg))
        .route("/qrcode/current.png", get(current_png))
}

#[derive(Serialize)]
struct Dynamic {
    token: String,
    /// The six digits for those without a camera.
    code: String,
    /// When the next token is shown.
    #[serde(serialize_with = "instant")]
    expires_at: Millis,
}

async fn dynamic(State(web): State<Web>, _: Allowed<ShowQr>) -> Result<Said<Dynamic>, Fail> {
    let ShownToken { token, code, shown_until, .. } = shown(&web)?;
    Ok(Said("Token QR dinamis berhasil diambil", Dynamic { token, code, expires_at: shown_until }))
}

/// Passing for somebody else is the admin's.
async fn verify(
    State(web): State<Web>,
    at: Arrival,
    caller: Caller,
    Body(passage): Body<Passage>,
) -> Result<Said<Attendance>, Fail> {
    let own = &caller.person;
    let user = passage.user_id.map_or(own.id, UserId);
    if user != own.id && own.role != Role::Admin {
        return Err(Fail::Denied(OTHERS));
    }
    if user == own.id && !own.role.checks_in_alone() {
        return Err(Fail::Denied(ALONE));
    }
    if web.node.roster().person(user).is_none() {
        return Err(Fail::NotFound("User tidak ditemukan"));
    }
    let direction = direction(passage.direction.as_deref())?;
    pass(&web, at, own, user, direction, passage).await
}

fn direction(text: Option<&str>) -> Result<Direction, Fail> {
    let text = text.ok_or_else(|| Fail::invalid("type", Flaw::Missing))?;
    Direction::parse(text).ok_or_else(|| Fail::invalid("type", Flaw::NotOneOf(&["checkin", "checkout"])))
}

/// What a kiosk needs to show the token; instants in milliseconds, beside the box's own time to count from.
#[derive(Debug, Serialize)]
pub struct Shown {
    #[serde(flatten)]
    pub shown: ShownToken,
    /// What the QR holds: any telephone's camera opens the check-in page with it.
    pub url: String,
    pub now: Millis,
}

/// The token now, with its address.
pub fn now(web: &Web, base: &CheckInBase) -> Result<Shown, Fail> {
    let shown = shown(web)?;
    Ok(Shown { url: base.url(&shown.token), shown, now: web.node.trusted_now().time })
}

async fn current(State(web): State<Web>, _: AtScreen, base: CheckInBase) -> Result<Data<Shown>, Fail> {
    Ok(Data(now(&web, &base)?))
}

async fn current_svg(State(web): State<Web>, _: AtScreen, base: CheckInBase) -> Result<Response, Fail> {
    let svg = svg(&now(&web, &base)?.url)?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"))], svg).into_response())
}

async fn current_png(State(web): State<Web>, _: AtScreen, base: CheckInBase) -> Result<Response, Fail> {
    let png = image::png(&now(&web, &base)?.url)?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("image/png"))], png).into_response())
}

fn shown(web: &Web) -> Result<ShownToken, Fail> {
    web.node.qr().ok_or(Fail::NotFound("Kotak ini belum menerima kunci QR dari cloud"))
}

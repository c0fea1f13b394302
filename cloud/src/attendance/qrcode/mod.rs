//! The rotating QR: showing its token, and recording somebody with it. Section 3 of the contract.

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with},
};
use axum::extract::{DefaultBodyLimit, State};
use hadir_shared::{
    ids::UserId,
    qr::{self, Step},
    rules::status::Direction,
    time::Millis,
    wire::roster::Role,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    checkin::{self, Answer, Punch, Whose},
    classes,
    dialect::{self, Said},
    files, people,
    permits::{CheckOneself, RecordOthers, ShowQr, Use},
    roster, settings,
};
use crate::{
    app::App,
    fail::{Fail, Flaw},
    http::{Allowed, Arrived, Body, Permission as _, describe::says},
};

#[cfg(test)]
mod tests;

const TYPES: &[&str] = &["checkin", "checkout"];

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/qrcode/dynamic", get_with(dynamic, says("The rotating QR of this moment")))
        .api_route(
            "/qrcode/verify",
            post_with(verify, says("Check in or out with the rotating QR"))
                .layer(DefaultBodyLimit::max(files::BODY_LIMIT)),
        )
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RotatingQr")]
struct Shown {
    token: String,
    /// The six digits for those without a camera.
    code: String,
    /// When the next token is shown.
    #[serde(with = "dialect::Instant")]
    expires_at: Millis,
}

#[derive(Deserialize, JsonSchema)]
struct Verify {
    user_id: Option<UserId>,
    r#type: Option<String>,
    qr_token: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    accuracy: Option<f64>,
    photo: Option<String>,
}

impl Verify {
    fn punch(self) -> Punch {
        let Self { qr_token, latitude, longitude, accuracy, photo, .. } = self;
        Punch { qr_token, latitude, longitude, accuracy, photo }
    }
}

async fn dynamic(State(app): State<App>, who: Allowed<ShowQr>) -> Result<Said<Shown>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let interval = settings::load(&mut tx, who.institution).await?.qr_interval;
    let key = roster::qr_key(&mut tx, &app, who.institution).await?;
    let step = Step::at(app.now(), interval);
    let shown = qr::token(&key, who.institution, step);
    let shown = Shown { token: shown.token, code: shown.code, expires_at: step.ends(interval) };
    Ok(Said("Token QR dinamis berhasil diambil", shown))
}

async fn verify(
    State(app): State<App>,
    Arrived(at): Arrived,
    who: Allowed<Use>,
    Body(asked): Body<Verify>,
) -> Result<Answer, Fail> {
    let word = asked.r#type.as_deref().ok_or_else(|| Fail::invalid("type", Flaw::Missing))?;
    let direction = Direction::parse(word).ok_or_else(|| Fail::invalid("type", Flaw::NotOneOf(TYPES)))?;
    let whose = whose(&app, &who, asked.user_id, at).await?;
    checkin::record(&app, whose, direction, at, asked.punch()).await
}

/// Oneself, or somebody of the school for a caller who may act for others.
async fn whose(app: &App, who: &Allowed<Use>, asked: Option<UserId>, at: Millis) -> Result<Whose, Fail> {
    let institution = who.institution;
    let Some(user) = asked.filter(|user| *user != who.user) else {
        return if who.may(CheckOneself::CODE) {
            Ok(Whose { institution, user: who.user, class: None, operator: None })
        } else {
            Err(Fail::denied(CheckOneself::REFUSAL))
        };
    };
    if !who.may(RecordOthers::CODE) {
        return Err(Fail::denied(RecordOthers::REFUSAL));
    }
    let mut tx = app.db.read(who.institution).await?;
    let person = people::by_id(&mut tx, institution, user).await?;
    let person = person.ok_or_else(|| Fail::not_found("User tidak ditemukan"))?;
    let class = if person.role() == Some(Role::Siswa) {
        let day = settings::load(&mut tx, institution).await?.schedule.zone.day(at);
        classes::of_student(&mut tx, institution, user, day).await?
    } else {
        None
    };
    Ok(Whose { institution, user, class, operator: Some(who.user) })
}

//! Staff check in and out by the rotating QR, and read what is recorded of them.
//!
//! What always holds: who passes is the one who is signed in; another's `user_id` in a body is refused, except from an
//! admin through `qrcode/verify`; the token is judged by the moment it arrived; the six digits cannot be guessed, because
//! attempts with them are counted per person.

mod arrival;
mod guesses;
#[cfg(test)]
mod tests;

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    routing::{get, post},
};
use hadir_shared::{
    ids::UserId,
    qr,
    rules::{
        fence::{self, Position},
        status::Direction,
    },
    time::SchoolDay,
    wire::roster::{Person, Role},
};
use serde::{Deserialize, Serialize};

pub use self::{arrival::Arrivals, guesses::Guesses};
use super::{
    Web,
    auth::{Allowed, Caller, Permission},
    dialect::{self, Attendance, Data, Paginated, Said},
    extract::{Arrival, Body, Page, Params},
    fail::{Fail, Flaw},
    photos::{self, Photo},
};
use crate::attendance::PassRequest;

pub fn routes() -> Router<Web> {
    Router::new()
        .route("/attendance/checkin", post(check_in))
        .route("/attendance/checkout", post(check_out))
        .layer(DefaultBodyLimit::max(photos::BODY_BYTES))
        .route("/attendance/history", get(history))
        .route("/attendance/place", post(place))
}

/// May record the own arrival.
#[derive(Debug)]
struct CheckIn;

impl Permission for CheckIn {
    const REFUSAL: &'static str = ALONE;

    fn allows(role: Role) -> bool {
        role.checks_in_alone()
    }
}

#[derive(Debug, Deserialize)]
pub struct Passage {
    pub user_id: Option<i64>,
    #[serde(rename = "type")]
    pub direction: Option<String>,
    qr_token: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    accuracy: Option<f64>,
    photo: Option<String>,
    /// The ticket of the check-in page, see [`arrival`].
    arrival: Option<String>,
}

type Answer = Result<Said<Attendance>, Fail>;

async fn check_in(
    State(web): State<Web>,
    at: Arrival,
    own: Allowed<CheckIn>,
    Body(passage): Body<Passage>,
) -> Answer {
    let user = passage.user(&own)?;
    pass(&web, at, &own, user, Direction::CheckIn, passage).await
}

async fn check_out(
    State(web): State<Web>,
    at: Arrival,
    own: Allowed<CheckIn>,
    Body(passage): Body<Passage>,
) -> Answer {
    let user = passage.user(&own)?;
    pass(&web, at, &own, user, Direction::CheckOut, passage).await
}

/// Records a passage of `user`, whom `caller` may act for.
pub async fn pass(
    web: &Web,
    at: Arrival,
    caller: &Person,
    user: UserId,
    direction: Direction,
    passage: Passage,
) -> Answer {
    let token = passage.qr_token.filter(|t| !t.is_empty());
    let token = token.ok_or_else(|| Fail::invalid("qr_token", Flaw::Missing))?;
    let position = position(passage.latitude, passage.longitude, passage.accuracy)?;
    if qr::is_code(&token) {
        web.guesses.attempt(caller.id)?;
    }
    let received = passage.arrival.and_then(|t| web.arrivals.find(&t, &token, at.0)).unwrap_or(at.0);
    let photo = Photo::read(web, passage.photo).await?;
    let gate = web.node.config().gate_name.clone();
    let scanned = web.node.pass(PassRequest { user, direction, token, received, position, gate }).await?;
    let path = match photo {
        Some(photo) => photo.keep(web, &scanned.row).await,
        None => None,
    };
    Ok(Said(dialect::passed(direction), Attendance::new(&scanned.row, path)))
}

impl Passage {
    /// The person who is signed in; a body that names another is refused.
    fn user(&self, own: &Person) -> Result<UserId, Fail> {
        match self.user_id {
            Some(other) if other != own.id.0 => Err(Fail::Denied(OTHERS)),
            _ => Ok(own.id),
        }
    }
}

/// What somebody reads who may not record the own arrival.
pub const ALONE: &str = "Anda tidak memiliki izin untuk melakukan absensi mandiri";
/// What somebody reads who records another person and may not.
pub const OTHERS: &str = "Anda tidak memiliki izin untuk mencatat absensi pengguna lain";

/// Where the device says it is. On the box itself it may be left out; half a position is a mistake.
pub fn position(
    latitude: Option<f64>,
    longitude: Option<f64>,
    accuracy: Option<f64>,
) -> Result<Option<Position>, Fail> {
    let (latitude, longitude) = match (latitude, longitude) {
        (None, None) => return Ok(None),
        (Some(latitude), Some(longitude)) => (latitude, longitude),
        (None, _) => return Err(Fail::invalid("latitude", Flaw::Missing)),
        (_, None) => return Err(Fail::invalid("longitude", Flaw::Missing)),
    };
    if !(-90.0..=90.0).contains(&latitude) {
        return Err(Fail::invalid("latitude", Flaw::OutOfRange(-90, 90)));
    }
    if accuracy.is_some_and(|a| !(0.0..=1e7).contains(&a)) {
        return Err(Fail::invalid("accuracy", Flaw::OutOfRange(0, 10_000_000)));
    }
    let position = Position::new(latitude, longitude, accuracy);
    position.map(Some).ok_or_else(|| Fail::invalid("longitude", Flaw::OutOfRange(-180, 180)))
}

#[derive(Deserialize)]
struct Place {
    latitude: Option<f64>,
    longitude: Option<f64>,
    accuracy: Option<f64>,
}

#[derive(Serialize)]
struct Judged {
    /// `null` where the school has no bounds.
    fence: Option<&'static str>,
    /// Whether a passage from there is refused.
    refused: bool,
}

/// What a passage from there would be taken for, before anybody passes. Nothing is kept.
async fn place(
    State(web): State<Web>,
    _: Allowed<CheckIn>,
    Body(place): Body<Place>,
) -> Result<Data<Judged>, Fail> {
    let position = position(place.latitude, place.longitude, place.accuracy)?;
    let position = position.ok_or_else(|| Fail::invalid("latitude", Flaw::Missing))?;
    let roster = web.node.roster();
    let settings = &roster.settings;
    let verdict = settings.fence.as_ref().map(|bounds| fence::judge(bounds, position));
    Ok(Data(Judged {
        fence: verdict.map(fence::Verdict::as_str),
        refused: verdict.is_some_and(|verdict| settings.policy.refuses(verdict)),
    }))
}

#[derive(Deserialize)]
struct Between {
    start_date: Option<SchoolDay>,
    end_date: Option<SchoolDay>,
}

async fn history(
    State(web): State<Web>,
    caller: Caller,
    page: Page,
    Params(between): Params<Between>,
) -> Result<Data<Paginated<Attendance>>, Fail> {
    let Between { start_date, end_date } = between;
    let asked = web.node.history(caller.person.id, start_date, end_date, page.page, page.per_page);
    let (rows, total) = asked.await?;
    let mut paths = photos::paths(web.node.store(), &rows).await?;
    let rows = rows.iter().map(|row| Attendance::new(row, paths.remove(&row.event))).collect();
    Ok(Data(Paginated::new(&page, rows, total)))
}

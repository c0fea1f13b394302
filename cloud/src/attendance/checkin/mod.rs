//! One's own arrival and departure, by the rotating QR. Section 4 of the contract.
//!
//! What always holds:
//! - whose record it is comes from the session; the body says nothing about it;
//! - the token is judged by the moment the request came, before its photo was read;
//! - one check-in and one check-out per person and school day: of two requests at once, one is recorded and the other is
//!   told so;
//! - a refusal leaves nothing behind, no row and no photo;
//! - the six digits cannot be guessed: attempts with them are counted per person.

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with},
};
use axum::extract::{DefaultBodyLimit, State};
use hadir_shared::{
    ids::{ClassId, EventId, InstitutionId, UserId},
    qr,
    rules::{
        fence::{Position, Verdict},
        status::Direction,
    },
    settings::Settings,
    time::{Grade, Millis, SchoolDay, Zone},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    books::Candidate,
    dialect::{Data, Paginated, Said, Stands},
    export::file,
    files::{self, Kept},
    people,
    permits::{CheckOneself, Use},
    place,
    records::{self, Corrected, Earlier, Entered, Online},
    roster, settings,
};
use crate::{
    app::App,
    db::Tx,
    fail::{Fail, Flaw},
    http::{Allowed, Arrived, Body, Check, Page, Params, describe::says},
    sheet::OrFile,
};

mod guesses;
#[cfg(test)]
mod tests;

pub use guesses::Guesses;

/// A token, or the URL that ends with one.
const TOKEN_MAX: usize = 512;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/attendance/checkin",
            post_with(check_in, says("Check in with the rotating QR"))
                .layer(DefaultBodyLimit::max(files::BODY_LIMIT)),
        )
        .api_route(
            "/attendance/checkout",
            post_with(check_out, says("Check out with the rotating QR"))
                .layer(DefaultBodyLimit::max(files::BODY_LIMIT)),
        )
        .api_route("/attendance/history", get_with(history, says("One's own records, the newest first")))
}

/// What a phone sends from the kiosk.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Punch {
    pub qr_token: Option<String>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub accuracy: Option<f64>,
    pub photo: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Between {
    start_date: Option<SchoolDay>,
    end_date: Option<SchoolDay>,
}

/// The new record, or the one of the day that stands already.
pub type Answer = Result<Said<Online>, Stands<Earlier>>;

/// Whose passage is recorded, and by whom when not by himself.
#[derive(Debug, Clone, Copy)]
pub struct Whose {
    pub institution: InstitutionId,
    pub user: UserId,
    pub class: Option<ClassId>,
    pub operator: Option<UserId>,
}

async fn check_in(
    State(app): State<App>,
    Arrived(at): Arrived,
    who: Allowed<CheckOneself>,
    Body(punch): Body<Punch>,
) -> Result<Answer, Fail> {
    record(&app, own(&who), Direction::CheckIn, at, punch).await
}

async fn check_out(
    State(app): State<App>,
    Arrived(at): Arrived,
    who: Allowed<CheckOneself>,
    Body(punch): Body<Punch>,
) -> Result<Answer, Fail> {
    record(&app, own(&who), Direction::CheckOut, at, punch).await
}

fn own(who: &Allowed<CheckOneself>) -> Whose {
    Whose { institution: who.institution, user: who.user, class: None, operator: None }
}

async fn history(
    State(app): State<App>,
    who: Allowed<Use>,
    Params(between): Params<Between>,
    page: Page,
) -> Result<OrFile<Data<Paginated<Corrected>>>, Fail> {
    let days = (between.start_date.map(|day| day.0), between.end_date.map(|day| day.0));
    if let (Some(first), Some(last)) = days
        && last < first
    {
        return Err(Fail::invalid("end_date", Flaw::Said("end_date tidak boleh sebelum start_date".into())));
    }
    let mut tx = app.db.read(who.institution).await?;
    let (rows, total) = records::history(&mut tx, who.institution, who.user, days, &page).await?;
    if let Some(format) = page.format {
        return file(&mut tx, &app, who.institution, format, "riwayat-absensi", rows).await;
    }
    let rows = rows.into_iter().map(Corrected::from).collect();
    Ok(OrFile::Usual(Data(Paginated::new(&page, rows, total))))
}

/// Checks everything that can be refused cheaply, keeps the photo, and enters the record.
pub async fn record(
    app: &App,
    whose: Whose,
    direction: Direction,
    at: Millis,
    punch: Punch,
) -> Result<Answer, Fail> {
    let mut check = Check::new();
    let token = check.text("qr_token", punch.qr_token, 1..=TOKEN_MAX);
    let position = place::required(&mut check, punch.latitude, punch.longitude, punch.accuracy);
    check.finish()?;
    if qr::is_code(&token) {
        app.guesses.attempt(whose.operator.unwrap_or(whose.user))?;
    }

    let mut tx = app.db.read(whose.institution).await?;
    let settings = settings::load(&mut tx, whose.institution).await?;
    let key = roster::qr_key(&mut tx, app, whose.institution).await?;
    drop(tx);
    let token = qr::accept(&key, whose.institution, settings.qr_interval, at, &token).map_err(|_| stale())?;
    let fence = place::verdict(&settings, position)?;

    let photo = keep_photo(app, punch.photo).await?;
    let seen = Seen { token, position, fence, photo: photo.as_ref() };
    let entered = enter(app, whose, direction, at, &settings, seen).await;
    if let (Some(photo), false) = (&photo, matches!(entered, Ok(Ok(_)))) {
        files::forget(app, photo).await;
    }
    let said = match direction {
        Direction::CheckIn => "Absen masuk berhasil",
        Direction::CheckOut => "Absen keluar berhasil",
    };
    Ok(entered?.map(|record| Said(said, record)).map_err(|earlier| Stands(already(direction), earlier)))
}

/// What was found true of a passage before the books were opened.
struct Seen<'p> {
    token: String,
    position: Option<Position>,
    fence: Option<Verdict>,
    photo: Option<&'p Kept>,
}

async fn enter(
    app: &App,
    whose: Whose,
    direction: Direction,
    at: Millis,
    settings: &Settings,
    seen: Seen<'_>,
) -> Result<Result<Online, Earlier>, Fail> {
    let mut tx = app.db.write(whose.institution).await?;
    if direction == Direction::CheckOut {
        must_have_come(&mut tx, whose.institution, whose.user, settings.schedule.zone, at).await?;
    }
    if let Some(photo) = seen.photo {
        files::record(&mut tx, app, whose.institution, whose.user, photo).await?;
    }
    let candidate = Candidate {
        event: EventId(app.ids.uuid(at)),
        user: whose.user,
        direction,
        claimed: at,
        trusted: at,
        grade: Grade::Anchored,
        position: seen.position,
        fence: seen.fence,
        photo_path: seen.photo.map(Kept::path),
        token: seen.token,
        class: whose.class,
        schedule: settings.schedule.at(at),
        device: None,
        gate: None,
        operator: whose.operator,
    };
    match records::enter(&mut tx, whose.institution, candidate, app.now()).await? {
        Entered::New(row) => {
            tx.commit().await?;
            Ok(Ok(row.into()))
        }
        Entered::Already(row) => {
            let person = people::by_id(&mut tx, whose.institution, whose.user).await?;
            Ok(Err(Earlier { student: person.map(|person| person.named()), record: row.into() }))
        }
        Entered::Refused(reason) => Err(Fail::bad_request(reason.message())),
    }
}

/// A record is never deleted, so what is found here still stands when the check-out is entered.
pub async fn must_have_come(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    zone: Zone,
    at: Millis,
) -> Result<(), Fail> {
    match records::of_day(tx, institution, user, zone.day(at), Direction::CheckIn).await? {
        Some(_) => Ok(()),
        None => Err(Fail::bad_request("Anda belum melakukan absen masuk hari ini")),
    }
}

/// Keeps a photo, where one came. An empty text is none.
pub async fn keep_photo(app: &App, photo: Option<String>) -> Result<Option<Kept>, Fail> {
    match photo.filter(|photo| !photo.trim().is_empty()) {
        Some(photo) => files::keep(app, photo).await.map(Some),
        None => Ok(None),
    }
}

const fn already(direction: Direction) -> &'static str {
    match direction {
        Direction::CheckIn => "Anda sudah melakukan absen masuk hari ini",
        Direction::CheckOut => "Anda sudah melakukan absen keluar hari ini",
    }
}

fn stale() -> Fail {
    Fail::bad_request("QR token tidak valid atau sudah kadaluarsa")
}

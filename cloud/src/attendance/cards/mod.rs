//! Students' cards, in the books and on paper. Section 9 of the contract, and beyond it.
//!
//! What always holds: a student has at most one active card (a partial unique index says so); a card that was replaced stays
//! in the books, revoked, and is not drawn any more; every change travels to the boxes in its own transaction; printing
//! changes nothing: who has no card gets none by it.

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with, put_with},
};
use axum::{extract::State, http::HeaderMap, response::Response};
use data_encoding::BASE32_NOPAD;
use hadir_shared::{
    card::{self, Card, Code, Refused},
    ids::{InstitutionId, UserId},
    time::Millis,
    wire::roster::Role,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::FromRow;

use super::{
    dialect::{self, Created, Data, Said},
    export::file,
    people::{self, Person},
    permits::{ReadCards, WriteCards},
    roster,
};
use crate::{
    app::App,
    db::{ResultExt as _, Tx},
    fail::{Fail, Flaw},
    http::{Allowed, Body, Segment, describe::says, immutable},
    identity::{Entry, audit},
    sheet::{AsFile, Column, Columns, OrFile},
};

mod missing;
pub mod page;
mod paper;
pub mod qr;
mod sheets;
mod store;
#[cfg(test)]
mod tests;

use qr::Qr;

/// Characters of a plain code: 50 random bits.
const PLAIN_LEN: usize = 10;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/student-qr-cards", get_with(list, says("The students' cards")))
        .api_route(
            "/student-qr-cards/generate",
            post_with(generate, says("Make a new card for a student; the old one ends")),
        )
        .api_route("/student-qr-cards/{id}", get_with(show, says("A card")))
        .api_route("/student-qr-cards/{id}/image.png", get_with(png, says("The QR of an active card")))
        .api_route("/student-qr-cards/{id}/image.svg", get_with(svg, says("The QR of an active card")))
        .api_route("/student-qr-cards/{id}/status", put_with(set_status, says("Switch a card on or off")))
        .merge(missing::routes())
        .merge(sheets::routes())
}

/// A row of `student_cards`.
#[derive(Debug, Clone, Serialize, FromRow, JsonSchema)]
pub struct Row {
    pub id: i64,
    #[sqlx(try_from = "i64")]
    pub student_id: UserId,
    /// The student's first, second, … card.
    pub serial: i64,
    /// The plain code of the documents.
    pub qr_code: String,
    /// What the printed QR holds.
    pub signed_code: String,
    pub is_active: bool,
    #[sqlx(try_from = "i64")]
    #[serde(with = "dialect::Instant")]
    pub generated_at: Millis,
    #[sqlx(try_from = "i64")]
    #[serde(with = "dialect::Instant")]
    pub created_at: Millis,
    #[sqlx(try_from = "i64")]
    #[serde(with = "dialect::Instant")]
    pub updated_at: Millis,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Card")]
struct Shown {
    #[serde(flatten)]
    card: Row,
    student: Option<Person>,
}

#[derive(Deserialize, JsonSchema)]
struct Generate {
    student_id: Option<UserId>,
}

#[derive(Deserialize, JsonSchema)]
struct Status {
    is_active: Option<bool>,
}

impl Columns for Shown {
    const COLUMNS: &'static [Column<Self>] = &[
        ("NISN/NIP/NIK", |shown| shown.student.as_ref().and_then(|one| one.nisn_nip_nik.as_deref()).into()),
        ("Nama", |shown| shown.student.as_ref().map(|one| one.name.as_str()).into()),
        ("Kartu ke-", |shown| shown.card.serial.into()),
        ("Kode", |shown| shown.card.qr_code.as_str().into()),
        ("Isi QR", |shown| shown.card.signed_code.as_str().into()),
        ("Aktif", |shown| shown.card.is_active.into()),
        ("Dibuat", |shown| shown.card.generated_at.into()),
    ];
}

/// Why a card does not let anybody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// Unknown, forged, or no card at all.
    NotValid,
    OtherSchool,
    Revoked,
}

/// Whose card was scanned, and its serial. A signed card is believed by its signature: it needs not be known here, only not
/// revoked.
pub async fn resolve(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    scanned: &str,
) -> Result<Result<(UserId, i64), Unusable>, Fail> {
    let (student, serial, active) = match card::parse(scanned) {
        Err(_) => return Ok(Err(Unusable::NotValid)),
        Ok(Code::Plain(code)) => match store::by_code(tx, institution, &code).await? {
            Some(known) => (known.student_id, known.serial, known.is_active),
            None => return Ok(Err(Unusable::NotValid)),
        },
        Ok(Code::Signed(signed)) => {
            let keys = roster::card_keys(tx, app, institution).await?;
            let card = match signed.verify(institution, |epoch| keys.get(&epoch).copied()) {
                Ok(card) => card,
                Err(Refused::OtherSchool) => return Ok(Err(Unusable::OtherSchool)),
                Err(Refused::UnknownKey | Refused::Forged) => return Ok(Err(Unusable::NotValid)),
            };
            let known = store::by_serial(tx, institution, card.student, card.serial.into()).await?;
            (card.student, card.serial.into(), known.is_none_or(|known| known.is_active))
        }
    };
    Ok(if active { Ok((student, serial)) } else { Err(Unusable::Revoked) })
}

/// The cards a student had, the newest first.
pub async fn of_student(tx: &mut Tx, institution: InstitutionId, student: UserId) -> Result<Vec<Row>, Fail> {
    Ok(store::of_student(tx, institution, student).await?)
}

async fn list(
    State(app): State<App>,
    who: Allowed<ReadCards>,
    AsFile(format): AsFile,
) -> Result<OrFile<Data<Vec<Shown>>>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let cards = store::all(&mut tx, who.institution).await?;
    let students = people::by_ids(&mut tx, who.institution, cards.iter().map(|card| card.student_id)).await?;
    let shown = |card: Row| Shown { student: students.get(&card.student_id).cloned(), card };
    let cards = cards.into_iter().map(shown).collect();
    match format {
        Some(format) => file(&mut tx, &app, who.institution, format, "kartu-siswa", cards).await,
        None => Ok(OrFile::Usual(Data(cards))),
    }
}

async fn show(
    State(app): State<App>,
    who: Allowed<ReadCards>,
    Segment(id): Segment<i64>,
) -> Result<Data<Shown>, Fail> {
    Ok(Data(shown(&mut app.db.read(who.institution).await?, who.institution, id).await?))
}

async fn generate(
    State(app): State<App>,
    who: Allowed<WriteCards>,
    Body(new): Body<Generate>,
) -> Result<Created<Shown>, Fail> {
    let student = new.student_id.ok_or_else(|| Fail::invalid("student_id", Flaw::Missing))?;
    let mut tx = app.db.write(who.institution).await?;
    let person = people::by_id(&mut tx, who.institution, student).await?;
    if person.and_then(|person| person.role()) != Some(Role::Siswa) {
        return Err(Fail::not_found("Siswa tidak ditemukan"));
    }
    let card = issue(&mut tx, &app, who.institution, student).await?;
    let after = json!({"student_id": student, "serial": card.serial});
    let entry = Entry::new(who.actor(), "card.generate", format!("card:{}", card.id)).of(who.institution);
    audit(&mut tx, &app, &entry.after(after)).await?;
    let shown = shown(&mut tx, who.institution, card.id).await?;
    tx.commit().await?;
    Ok(Created("QR card baru berhasil di-generate", shown))
}

/// Revokes the student's card, if any, and gives him his next.
async fn issue(tx: &mut Tx, app: &App, institution: InstitutionId, student: UserId) -> Result<Row, Fail> {
    let now = app.now();
    store::lock(tx, institution, student).await?;
    for revoked in store::deactivate(tx, institution, student, None, now).await? {
        roster::touch_card(tx, app, institution, revoked).await?;
    }
    let serial = store::last_serial(tx, institution, student).await? + 1;
    let serial =
        u8::try_from(serial).map_err(|_| Fail::conflict("Siswa ini sudah memiliki terlalu banyak kartu"))?;
    let (epoch, key) = roster::card_key(tx, app, institution).await?;
    let card = Card { institution, student, serial, epoch };
    let signed = card.sign(&key).map_err(anyhow::Error::from)?;
    let plain = plain_code(app);
    let card = store::insert(tx, institution, student, serial.into(), &plain, &signed, now)
        .await
        .on_taken(Fail::conflict("Kode kartu sudah digunakan. Silakan coba lagi"))?;
    roster::touch_card(tx, app, institution, card.id).await?;
    Ok(card)
}

fn plain_code(app: &App) -> String {
    let mut code = BASE32_NOPAD.encode(&app.ids.bytes::<7>());
    code.truncate(PLAIN_LEN);
    code
}

async fn set_status(
    State(app): State<App>,
    who: Allowed<WriteCards>,
    Segment(id): Segment<i64>,
    Body(new): Body<Status>,
) -> Result<Said<Shown>, Fail> {
    let active = new.is_active.ok_or_else(|| Fail::invalid("is_active", Flaw::Missing))?;
    let now = app.now();
    let mut tx = app.db.write(who.institution).await?;
    let card = store::by_id(&mut tx, who.institution, id).await?.ok_or_else(unknown)?;
    store::lock(&mut tx, who.institution, card.student_id).await?;
    // As it is now that nobody else changes it.
    let card = store::by_id(&mut tx, who.institution, id).await?.ok_or_else(unknown)?;
    if active {
        for revoked in store::deactivate(&mut tx, who.institution, card.student_id, Some(id), now).await? {
            roster::touch_card(&mut tx, &app, who.institution, revoked).await?;
        }
    }
    store::set_active(&mut tx, who.institution, id, active, now).await?;
    roster::touch_card(&mut tx, &app, who.institution, id).await?;
    let entry = Entry::new(who.actor(), "card.status", format!("card:{id}")).of(who.institution);
    let entry = entry.before(json!({"is_active": card.is_active})).after(json!({"is_active": active}));
    audit(&mut tx, &app, &entry).await?;
    let shown = shown(&mut tx, who.institution, id).await?;
    tx.commit().await?;
    Ok(Said("Status QR card berhasil diperbarui", shown))
}

async fn png(
    State(app): State<App>,
    who: Allowed<ReadCards>,
    Segment(id): Segment<i64>,
    headers: HeaderMap,
) -> Result<Response, Fail> {
    let code = drawable(&app, who.institution, id).await?;
    Ok(immutable(&headers, &format!("{code}.png"), "image/png", Qr::new(&code)?.png()?))
}

async fn svg(
    State(app): State<App>,
    who: Allowed<ReadCards>,
    Segment(id): Segment<i64>,
    headers: HeaderMap,
) -> Result<Response, Fail> {
    let code = drawable(&app, who.institution, id).await?;
    Ok(immutable(&headers, &format!("{code}.svg"), "image/svg+xml", Qr::new(&code)?.svg()))
}

/// What the QR of an active card holds.
async fn drawable(app: &App, institution: InstitutionId, id: i64) -> Result<String, Fail> {
    let card = store::by_id(&mut app.db.read(institution).await?, institution, id).await?;
    let card = card.ok_or_else(unknown)?;
    if card.is_active {
        Ok(card.signed_code)
    } else {
        Err(Fail::conflict("Kartu ini sudah tidak aktif. Cetak kartu siswa yang aktif"))
    }
}

async fn shown(tx: &mut Tx, institution: InstitutionId, id: i64) -> Result<Shown, Fail> {
    let card = store::by_id(tx, institution, id).await?.ok_or_else(unknown)?;
    let student = people::by_id(tx, institution, card.student_id).await?;
    Ok(Shown { card, student })
}

fn unknown() -> Fail {
    Fail::not_found("QR card tidak ditemukan")
}

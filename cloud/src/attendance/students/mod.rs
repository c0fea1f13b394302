//! Students' attendance, taken by somebody of the school: a card scanned, a number typed, a whole class. Section 5 of the
//! contract.
//!
//! What always holds: a student, card or class of another school is not found here; of two scans of one student at once one
//! is recorded; who was there first stands, with the time he came.

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with},
};
use axum::{
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
};
use hadir_shared::{
    ids::{ClassId, EventId, InstitutionId, UserId},
    rules::status::Direction,
    settings::Settings,
    time::{Grade, Millis, SchoolDay},
    wire::roster::Role,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    books::{self, Candidate, Outcome},
    cards::{self, Unusable},
    checkin, classes,
    dialect::{Beside, Data, Said, Stands},
    export::file,
    files::{self, Kept},
    people::{self, Named, Person},
    permits::ScanStudents,
    place,
    records::{self, Earlier, Entered, Online},
    settings,
};
use crate::{
    app::App,
    db::Tx,
    fail::{Fail, Flaw},
    http::{Allowed, Arrived, Body, Check, Params, Segment, describe::says},
    sheet::{AsFile, Column, Columns, OrFile},
};

#[cfg(test)]
mod tests;

/// What a camera can find in a QR of a card, and more.
const CODE_MAX: usize = 512;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/student-attendance/scan-qr",
            post_with(scan, says("Record a student by card or number"))
                .layer(DefaultBodyLimit::max(files::BODY_LIMIT)),
        )
        .api_route(
            "/student-attendance/bulk",
            post_with(bulk, says("Record everybody of a class who is not yet")),
        )
        .api_route(
            "/student-attendance/class-status/{class}",
            get_with(class_status, says("Who of a class is there")),
        )
}

#[derive(Deserialize, JsonSchema)]
struct Scan {
    qr_code: Option<String>,
    nisn_nip_nik: Option<String>,
    class_id: Option<ClassId>,
    /// Beyond the documents: `checkout` when students leave; an arrival when it is left out.
    r#type: Option<Direction>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    accuracy: Option<f64>,
    photo: Option<String>,
}

/// What the gate's page shows after a scan.
#[derive(Serialize, JsonSchema)]
struct Scanned {
    student: Named,
    data: Online,
}

/// The new record, or the one of the day that stands already.
type Answer = Result<Beside<Scanned>, Stands<Earlier>>;

/// What was presented: the student, and how `qr_token_used` tells it.
struct Presented {
    student: Person,
    token: String,
}

#[derive(Deserialize, JsonSchema)]
struct Bulk {
    class_id: Option<ClassId>,
    date: Option<SchoolDay>,
}

#[derive(Deserialize, JsonSchema)]
struct OnDay {
    date: Option<SchoolDay>,
}

#[derive(Serialize, JsonSchema)]
struct BulkDone {
    class_id: ClassId,
    date: SchoolDay,
    total_students: usize,
    already_attended: usize,
    newly_attended: usize,
    processed_students: Vec<Attended>,
}

#[derive(Serialize, JsonSchema)]
struct Attended {
    #[serde(flatten)]
    student: Named,
    attended: bool,
}

impl Columns for Attended {
    const COLUMNS: &'static [Column<Self>] = &[
        ("NISN", |one| one.student.nisn_nip_nik.as_deref().into()),
        ("Nama", |one| one.student.name.as_str().into()),
        ("Hadir", |one| one.attended.into()),
    ];
}

async fn scan(
    State(app): State<App>,
    Arrived(at): Arrived,
    who: Allowed<ScanStudents>,
    Body(scan): Body<Scan>,
) -> Result<Answer, Fail> {
    let mut check = Check::new();
    let number = check.optional_text("nisn_nip_nik", scan.nisn_nip_nik, 1..=64);
    let code = check.optional_text("qr_code", scan.qr_code, 1..=CODE_MAX);
    check.that(number.is_some() || code.is_some(), "qr_code", Flaw::Missing);
    let position = place::required(&mut check, scan.latitude, scan.longitude, scan.accuracy);
    check.finish()?;

    let mut tx = app.db.read(who.institution).await?;
    let settings = settings::load(&mut tx, who.institution).await?;
    let fence = place::verdict(&settings, position)?;
    let presented = match (number, code) {
        (Some(number), _) => by_number(&mut tx, who.institution, number).await?,
        (None, code) => by_code(&mut tx, &app, who.institution, &code.unwrap_or_default()).await?,
    };
    let day = settings.schedule.zone.day(at);
    let class = class_of(&mut tx, who.institution, &presented.student, scan.class_id, day).await?;
    drop(tx);

    let photo = checkin::keep_photo(&app, scan.photo).await?;
    let candidate = Candidate {
        event: EventId(app.ids.uuid(at)),
        user: presented.student.id,
        direction: scan.r#type.unwrap_or(Direction::CheckIn),
        claimed: at,
        trusted: at,
        grade: Grade::Anchored,
        position,
        fence,
        photo_path: photo.as_ref().map(Kept::path),
        token: presented.token,
        class,
        schedule: settings.schedule.on(day),
        device: None,
        gate: None,
        operator: Some(who.user),
    };
    let entered = enter(&app, who.institution, candidate, photo.as_ref()).await;
    if let (Some(photo), false) = (&photo, matches!(entered, Ok(Entered::New(_)))) {
        files::forget(&app, photo).await;
    }
    answer(presented.student.named(), entered?)
}

async fn enter(
    app: &App,
    institution: InstitutionId,
    candidate: Candidate,
    photo: Option<&Kept>,
) -> Result<Entered, Fail> {
    let mut tx = app.db.write(institution).await?;
    let student = candidate.user;
    if candidate.direction == Direction::CheckOut {
        let (zone, at) = (candidate.schedule.zone, candidate.trusted);
        checkin::must_have_come(&mut tx, institution, student, zone, at).await?;
    }
    let entered = records::enter(&mut tx, institution, candidate, app.now()).await?;
    if let Entered::New(_) = entered {
        if let Some(photo) = photo {
            files::record(&mut tx, app, institution, student, photo).await?;
        }
        tx.commit().await?;
    }
    Ok(entered)
}

fn answer(student: Named, entered: Entered) -> Result<Answer, Fail> {
    match entered {
        Entered::New(row) => {
            Ok(Ok(Beside(StatusCode::OK, "Absensi berhasil", Scanned { student, data: row.into() })))
        }
        Entered::Already(row) => {
            let earlier = Earlier { student: Some(student), record: row.into() };
            Ok(Err(Stands("Sudah absen hari ini", earlier)))
        }
        Entered::Refused(reason) => Err(Fail::bad_request(reason.message())),
    }
}

async fn by_number(tx: &mut Tx, institution: InstitutionId, number: String) -> Result<Presented, Fail> {
    let person = people::by_number(tx, institution, &number).await?.filter(is_student);
    let student =
        person.ok_or_else(|| Fail::not_found("Siswa dengan NISN/NIP/NIK tersebut tidak ditemukan."))?;
    Ok(Presented { student, token: format!("MANUAL:{number}") })
}

async fn by_code(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    scanned: &str,
) -> Result<Presented, Fail> {
    let not_valid = || Fail::bad_request("QR code tidak valid");
    let (student, serial) =
        cards::resolve(tx, app, institution, scanned).await?.map_err(|why| match why {
            Unusable::NotValid => not_valid(),
            Unusable::OtherSchool => Fail::bad_request("Kartu sekolah lain"),
            Unusable::Revoked => Fail::bad_request("Kartu sudah dicabut"),
        })?;
    let student = people::by_id(tx, institution, student).await?.filter(is_student).ok_or_else(not_valid)?;
    Ok(Presented { student, token: serial.to_string() })
}

fn is_student(person: &Person) -> bool {
    person.role() == Some(Role::Siswa)
}

/// The class the record is of: the one that was asked for, if the student is in it; else his own, if he has one.
async fn class_of(
    tx: &mut Tx,
    institution: InstitutionId,
    student: &Person,
    asked: Option<ClassId>,
    day: SchoolDay,
) -> Result<Option<ClassId>, Fail> {
    let Some(asked) = asked else { return classes::of_student(tx, institution, student.id, day).await };
    let class = classes::find(tx, institution, asked).await?;
    if classes::has_student(tx, institution, class.id, student.id, day).await? {
        Ok(Some(class.id))
    } else {
        Err(Fail::bad_request("Siswa tidak terdaftar di kelas ini"))
    }
}

async fn bulk(
    State(app): State<App>,
    Arrived(at): Arrived,
    who: Allowed<ScanStudents>,
    Body(asked): Body<Bulk>,
) -> Result<Said<BulkDone>, Fail> {
    let class = asked.class_id.ok_or_else(|| Fail::invalid("class_id", Flaw::Missing))?;
    let mut tx = app.db.write(who.institution).await?;
    let settings = settings::load(&mut tx, who.institution).await?;
    let class = classes::find(&mut tx, who.institution, class).await?.id;
    let day = day_asked(&settings, asked.date, at)?;
    let students = people::of_class(&mut tx, who.institution, class, day).await?;
    if students.is_empty() {
        return Err(Fail::bad_request("Tidak ada siswa terdaftar di kelas ini"));
    }
    let candidate = |student: &Person| marked(&app, who.user, student.id, class, day, &settings);
    let candidates: Vec<Candidate> = students.iter().map(candidate).collect();
    let outcomes = books::project(&mut tx, who.institution, &candidates, app.now()).await?;
    tx.commit().await?;
    let is_new = |outcome: &Outcome| matches!(outcome, Outcome::Stored { .. });
    let newly_attended = outcomes.iter().filter(|outcome| is_new(outcome)).count();
    let attended = |(student, outcome): (&Person, &Outcome)| Attended {
        student: student.named(),
        attended: !is_new(outcome) && !matches!(outcome, Outcome::Refused(_)),
    };
    let processed_students: Vec<Attended> = students.iter().zip(&outcomes).map(attended).collect();
    let already_attended = processed_students.iter().filter(|one| one.attended).count();
    let date = day;
    let total_students = students.len();
    let done = BulkDone {
        class_id: class,
        date,
        total_students,
        already_attended,
        newly_attended,
        processed_students,
    };
    Ok(Said("Absensi massal berhasil diproses", done))
}

/// A student marked with his whole class: as if he had come at the last moment that is on time.
fn marked(
    app: &App,
    by: UserId,
    student: UserId,
    class: ClassId,
    day: SchoolDay,
    settings: &Settings,
) -> Candidate {
    let at = settings.schedule.zone.instant(day, settings.schedule.on(day).checkin_end);
    Candidate {
        event: EventId(app.ids.uuid(app.now())),
        user: student,
        direction: Direction::CheckIn,
        claimed: at,
        trusted: at,
        grade: Grade::Estimated,
        position: None,
        fence: None,
        photo_path: None,
        token: format!("BULK:{by}"),
        class: Some(class),
        schedule: settings.schedule.on(day),
        device: None,
        gate: None,
        operator: Some(by),
    }
}

async fn class_status(
    State(app): State<App>,
    who: Allowed<ScanStudents>,
    Segment(class): Segment<ClassId>,
    Params(on): Params<OnDay>,
    AsFile(format): AsFile,
) -> Result<OrFile<Data<Vec<Attended>>>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let class = classes::find(&mut tx, who.institution, class).await?.id;
    let settings = settings::load(&mut tx, who.institution).await?;
    let day = on.date.unwrap_or_else(|| settings.schedule.zone.day(app.now()));
    let students = people::of_class(&mut tx, who.institution, class, day).await?;
    let present = records::present(&mut tx, who.institution, class, day).await?;
    let attended =
        |student: &Person| Attended { student: student.named(), attended: present.contains(&student.id) };
    let attended = students.iter().map(attended).collect();
    match format {
        Some(format) => file(&mut tx, &app, who.institution, format, "kehadiran-kelas", attended).await,
        None => Ok(OrFile::Usual(Data(attended))),
    }
}

/// Today, or a day that has begun.
fn day_asked(settings: &Settings, asked: Option<SchoolDay>, now: Millis) -> Result<SchoolDay, Fail> {
    let today = settings.schedule.zone.day(now);
    let day = asked.unwrap_or(today);
    if day > today {
        return Err(Fail::invalid("date", Flaw::Said("date tidak boleh setelah hari ini".into())));
    }
    Ok(day)
}

//! Cards to be printed: those of a class, or of some students.

use std::collections::HashMap;

use aide::axum::{ApiRouter, routing::get_with};
use axum::{
    extract::State,
    http::{HeaderName, header},
    response::{IntoResponse as _, Response},
};
use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    wire::roster::Role,
};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::{
    paper::{self, Face},
    store,
};
use crate::{
    app::App,
    attendance::{
        classes, files,
        people::{self, Person},
        permits::ReadCards,
        settings,
    },
    db::Tx,
    fail::{Fail, Flaw},
    http::{Allowed, Params, Segment, describe::says},
};

/// How many of the students a sheet has no card of.
const WITHOUT: HeaderName = HeaderName::from_static("x-without-card");
/// Students of one choice: forty pages.
const MOST_CHOSEN: usize = 400;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/classes/{id}/cards.pdf", get_with(of_class, says("A class's cards, to be printed")))
        .api_route(
            "/student-qr-cards/cards.pdf",
            get_with(of_choice, says("Some students' cards, to be printed")),
        )
}

#[derive(Deserialize, JsonSchema)]
struct Chosen {
    /// Ids, with commas between.
    students: Option<String>,
}

/// What is to be drawn.
struct Sheets {
    head: paper::Class,
    students: Vec<(Person, Option<String>)>,
    /// What the active card of each holds.
    codes: HashMap<UserId, String>,
}

async fn of_class(
    State(app): State<App>,
    who: Allowed<ReadCards>,
    Segment(id): Segment<ClassId>,
) -> Result<Response, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let class = classes::find(&mut tx, who.institution, id).await?;
    let today = settings::load(&mut tx, who.institution).await?.schedule.zone.day(app.now());
    let students = people::of_class(&mut tx, who.institution, id, today).await?;
    if students.is_empty() {
        return Err(Fail::conflict("Tidak ada siswa terdaftar di kelas ini"));
    }
    let students = students.into_iter().map(|one| (one, Some(class.name.clone()))).collect();
    let sheets = collect(&mut tx, &app, who.institution, class.name, students).await?;
    drop(tx);
    draw(&app, sheets).await
}

async fn of_choice(
    State(app): State<App>,
    who: Allowed<ReadCards>,
    Params(chosen): Params<Chosen>,
) -> Result<Response, Fail> {
    let ids = read(chosen)?;
    let mut tx = app.db.read(who.institution).await?;
    let today = settings::load(&mut tx, who.institution).await?.schedule.zone.day(app.now());
    let mut found = people::by_ids(&mut tx, who.institution, ids.iter().copied()).await?;
    found.retain(|_, person| person.role() == Some(Role::Siswa));
    if found.len() < ids.len() {
        return Err(Fail::not_found("Siswa tidak ditemukan"));
    }
    let classes = classes::names_on(&mut tx, who.institution, today).await?;
    let mut students: Vec<_> =
        found.into_values().map(|person| (classes.get(&person.id).cloned(), person)).collect();
    students.sort_by_cached_key(|(class, person)| (class.clone(), person.name.to_lowercase(), person.id));
    let students = students.into_iter().map(|(class, person)| (person, class)).collect();
    let sheets = collect(&mut tx, &app, who.institution, "pilihan".into(), students).await?;
    drop(tx);
    draw(&app, sheets).await
}

/// Each id once.
fn read(chosen: Chosen) -> Result<Vec<UserId>, Fail> {
    let text = chosen.students.ok_or_else(|| Fail::invalid("students", Flaw::Missing))?;
    let ids: Result<Vec<i64>, _> = text.split(',').map(|id| id.trim().parse()).collect();
    let mut ids =
        ids.map_err(|_| Fail::invalid("students", Flaw::WrongType("ids with commas between".into())))?;
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > MOST_CHOSEN {
        let said = format!("students paling banyak {MOST_CHOSEN}");
        return Err(Fail::invalid("students", Flaw::Said(said.into())));
    }
    Ok(ids.into_iter().map(UserId).collect())
}

/// `name` is of whom they are.
async fn collect(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    name: String,
    students: Vec<(Person, Option<String>)>,
) -> Result<Sheets, Fail> {
    let settings = settings::load(tx, institution).await?;
    let cards = store::active_of(tx, institution, students.iter().map(|(one, _)| one.id)).await?;
    let school = match settings.school_name {
        name if name.is_empty() => store::school(tx, institution).await?,
        name => name,
    };
    let head = paper::Class { school, name, today: settings.schedule.zone.day(app.now()) };
    let codes = cards.into_iter().map(|card| (card.student_id, card.signed_code)).collect();
    Ok(Sheets { head, students, codes })
}

async fn draw(app: &App, sheets: Sheets) -> Result<Response, Fail> {
    let Sheets { head, students, codes } = sheets;
    let (mut faces, mut without) = (Vec::new(), Vec::new());
    for (student, class) in students {
        match codes.get(&student.id) {
            Some(code) => faces.push(face(app, student, class, code.clone()).await),
            None => without.push(listed(student)),
        }
    }
    let count = without.len();
    let now = app.now();
    let file = format!("inline; filename=\"kartu-{}.pdf\"", file_name(&head.name));
    let drawn = spawn_blocking(move || paper::draw(&head, faces, &without, now));
    let pdf = drawn.await.map_err(anyhow::Error::from)??;
    let headers = [
        (header::CONTENT_TYPE, "application/pdf".to_owned()),
        (header::CONTENT_DISPOSITION, file),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (WITHOUT, count.to_string()),
    ];
    Ok((headers, pdf).into_response())
}

async fn face(app: &App, student: Person, class: Option<String>, code: String) -> Face {
    let photo = match &student.photo_path {
        Some(path) => files::thumb_behind(app, path).await,
        None => None,
    };
    Face { name: student.name, number: student.nisn_nip_nik, class, code, photo }
}

fn listed(student: Person) -> String {
    match student.nisn_nip_nik {
        Some(number) => format!("{} (NISN {number})", student.name),
        None => student.name,
    }
}

/// A class's name as part of a file's: letters and digits of ASCII.
fn file_name(class: &str) -> String {
    let words = class.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

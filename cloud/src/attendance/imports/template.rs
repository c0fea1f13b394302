//! An empty list to be filled in, with the headings an import knows and two lines that show what is meant.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};

use crate::{
    app::App,
    attendance::{permits::WriteUsers, settings},
    fail::Fail,
    http::Allowed,
    sheet::{self, AsFile, Cell, Column, Columns, Format},
};

/// A line of it. The numbers are nobody's: they have a letter in them.
struct Line {
    number: &'static str,
    name: &'static str,
    role: &'static str,
    class: Option<&'static str>,
}

const LINES: [Line; 2] = [
    Line { number: "CONTOH1", name: "Contoh Siswa", role: "siswa", class: Some("X IPA 1") },
    Line { number: "CONTOH2", name: "Contoh Guru", role: "guru", class: None },
];

impl Columns for Line {
    const COLUMNS: &'static [Column<Self>] = &[
        ("NISN/NIP/NIK", |line| line.number.into()),
        ("Nama", |line| line.name.into()),
        ("Email", |_| Cell::Nothing),
        ("HP", |_| Cell::Nothing),
        ("Peran", |line| line.role.into()),
        ("Kelas", |line| line.class.into()),
        ("Kata sandi", |_| Cell::Nothing),
    ];
}

/// XLSX, unless CSV is asked for.
pub async fn show(
    State(app): State<App>,
    who: Allowed<WriteUsers>,
    AsFile(format): AsFile,
) -> Result<Response, Fail> {
    let zone = settings::load(&mut app.db.read(who.institution).await?, who.institution).await?.schedule.zone;
    let format = format.unwrap_or(Format::Xlsx);
    Ok(sheet::file(format, "contoh-impor", zone, app.now(), Vec::from(LINES)).await?.into_response())
}

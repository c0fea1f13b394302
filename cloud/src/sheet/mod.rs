//! Tables as files: CSV and XLSX, read from strangers and written for spreadsheets.
//!
//! What always holds:
//! - what is read is bounded before it is unpacked: bytes, rows, cells, the length of a cell and of all of them;
//! - what is written runs nothing in a spreadsheet: a text stays a text, however it begins;
//! - what is written can be read again, and says the same;
//! - a table is written whole or not at all: one that is too long is refused, never cut.

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use chrono::NaiveDate;
use hadir_shared::time::{Millis, SchoolDay, Zone};
use serde::Deserialize;
use tokio::task::spawn_blocking;

use crate::{
    app::App,
    fail::{Fail, Flaw},
    http::Params,
};

mod csv;
mod read;
#[cfg(test)]
mod tests;
mod xlsx;

pub use read::{Line, MOST_BYTES, Table, Unreadable, read};

/// The longest table that is written: what a spreadsheet still opens with ease, and this process still holds.
pub const MOST_WRITTEN: u32 = 100_000;

/// How a table is written into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Csv,
    Xlsx,
}

impl Format {
    /// What `?format=` may be.
    pub const NAMES: &'static [&'static str] = &["csv", "xlsx"];

    /// The value of `?format=`. Fails with [`Fail::Invalid`].
    pub fn parse(name: &str) -> Result<Self, Fail> {
        match name {
            "csv" => Ok(Self::Csv),
            "xlsx" => Ok(Self::Xlsx),
            _ => Err(Fail::invalid("format", Flaw::NotOneOf(Self::NAMES))),
        }
    }

    /// The content type of the file.
    pub const fn media(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
        }
    }
}

/// `?format=csv|xlsx` of a list that has no pages; `None` asks for the usual answer.
#[derive(Debug, Clone, Copy)]
pub struct AsFile(pub Option<Format>);

#[derive(Deserialize)]
struct Asked {
    format: Option<String>,
}

impl FromRequestParts<App> for AsFile {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fail> {
        let Params(asked) = Params::<Asked>::from_request_parts(parts, app).await?;
        asked.format.as_deref().map(Format::parse).transpose().map(Self)
    }
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    Nothing,
    Text(std::borrow::Cow<'a, str>),
    Number(f64),
    YesNo(bool),
    Day(NaiveDate),
    /// Shown by the school's clocks.
    Instant(Millis),
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<f64> for Cell<'_> {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<i64> for Cell<'_> {
    #[expect(clippy::cast_precision_loss, reason = "a spreadsheet knows no other numbers")]
    fn from(number: i64) -> Self {
        Self::Number(number as f64)
    }
}

impl From<bool> for Cell<'_> {
    fn from(yes: bool) -> Self {
        Self::YesNo(yes)
    }
}

impl From<SchoolDay> for Cell<'_> {
    fn from(day: SchoolDay) -> Self {
        Self::Day(day.0)
    }
}

impl From<NaiveDate> for Cell<'_> {
    fn from(day: NaiveDate) -> Self {
        Self::Day(day)
    }
}

impl From<Millis> for Cell<'_> {
    fn from(at: Millis) -> Self {
        Self::Instant(at)
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

/// A heading, and what stands under it of one row.
pub type Column<T> = (&'static str, for<'a> fn(&'a T) -> Cell<'a>);

/// A row of a table that is written.
pub trait Columns: Sized + Send + 'static {
    const COLUMNS: &'static [Column<Self>];
}

/// A list as it was asked for: the usual answer, or the whole of it as a file.
#[derive(Debug)]
pub enum OrFile<T> {
    Usual(T),
    File(File),
}

impl<T: IntoResponse> IntoResponse for OrFile<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Usual(answer) => answer.into_response(),
            Self::File(file) => file.into_response(),
        }
    }
}

/// A file to be saved.
#[derive(Debug)]
pub struct File {
    name: String,
    format: Format,
    bytes: Vec<u8>,
}

impl IntoResponse for File {
    fn into_response(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, self.format.media().to_owned()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", self.name)),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
            (header::CACHE_CONTROL, "no-store".to_owned()),
        ];
        (headers, self.bytes).into_response()
    }
}

/// Writes `rows` off the threads that answer, as `name-2025-11-21.csv`. Fails with [`Fail::Invalid`] when there are more than
/// [`MOST_WRITTEN`].
pub async fn file<T: Columns>(
    format: Format,
    name: &'static str,
    zone: Zone,
    now: Millis,
    rows: Vec<T>,
) -> Result<File, Fail> {
    if rows.len() > MOST_WRITTEN as usize {
        let said = format!("daftar lebih dari {MOST_WRITTEN} baris; persempit dengan filter");
        return Err(Fail::invalid("format", Flaw::Said(said.into())));
    }
    let write = move || match format {
        Format::Csv => csv::write(zone, &rows),
        Format::Xlsx => xlsx::write(zone, &rows),
    };
    let bytes = spawn_blocking(write).await.map_err(anyhow::Error::from)??;
    Ok(File { name: format!("{name}-{}.{}", zone.day(now), format.extension()), format, bytes })
}

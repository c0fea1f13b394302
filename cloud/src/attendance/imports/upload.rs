//! The form an import comes in.

use axum::{
    extract::{
        Multipart,
        multipart::{Field, MultipartError, MultipartRejection},
    },
    http::StatusCode,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    fail::{Fail, Flaw},
    http::Check,
    sheet::MOST_BYTES,
};

/// How to import. Each may stand in the query or be a field of the form.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Asked {
    /// Says what would be done, and does nothing.
    dry_run: Option<String>,
    /// Makes the classes that are not there.
    create_classes: Option<String>,
}

/// The file, and what to do with it.
#[derive(Debug)]
pub struct Upload {
    pub file: Vec<u8>,
    pub dry_run: bool,
    pub creates_classes: bool,
}

/// Reads the form to its end. Fails with [`Fail::Invalid`], or [`Fail::TooLarge`].
pub async fn read(form: Result<Multipart, MultipartRejection>, mut asked: Asked) -> Result<Upload, Fail> {
    let not_a_form = Flaw::Said("file dikirim sebagai multipart/form-data".into());
    let mut form = form.map_err(|_| Fail::invalid("file", not_a_form))?;
    let mut file = None;
    while let Some(part) = form.next_field().await.map_err(|e| unread(&e))? {
        match part.name() {
            Some("file") => file = Some(Vec::from(part.bytes().await.map_err(|e| unread(&e))?)),
            Some("dry_run") => asked.dry_run = Some(text(part).await?),
            Some("create_classes") => asked.create_classes = Some(text(part).await?),
            _ => {}
        }
    }
    let mut check = Check::new();
    let file = check.required("file", file.filter(|file| !file.is_empty()));
    let dry_run = yes(&mut check, "dry_run", asked.dry_run.as_deref());
    let creates_classes = yes(&mut check, "create_classes", asked.create_classes.as_deref());
    check.finish()?;
    if file.len() > MOST_BYTES { Err(Fail::TooLarge) } else { Ok(Upload { file, dry_run, creates_classes }) }
}

async fn text(part: Field<'_>) -> Result<String, Fail> {
    part.text().await.map_err(|e| unread(&e))
}

fn yes(check: &mut Check, field: &'static str, text: Option<&str>) -> bool {
    match text.map(str::trim) {
        Some("1" | "true") => true,
        None | Some("" | "0" | "false") => false,
        Some(_) => {
            check.flaw(field, Flaw::NotOneOf(&["1", "0", "true", "false"]));
            false
        }
    }
}

fn unread(e: &MultipartError) -> Fail {
    match e.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Fail::TooLarge,
        _ => Fail::bad_request("Isi multipart tidak dapat dibaca"),
    }
}

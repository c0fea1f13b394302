//! Uploaded photos and attachments.
//!
//! What always holds: a picture was decoded within limits and written anew as JPEG, so no picture a client sent is ever
//! served; a PDF is kept as it came, and is only ever handed out as a download; a key is random and is all that a path
//! holds; a file is seen by its owner, by those who lead the school, and by the homeroom teacher of a student. To everybody
//! else it does not exist.

use std::{io::Cursor, sync::Arc};

use anyhow::Context as _;
use axum::{
    Router,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hadir_shared::{
    ids::{InstitutionId, UserId},
    wire::roster::Role,
};
use image::{DynamicImage, ImageDecoder as _, ImageReader, Limits, codecs::jpeg::JpegEncoder};
use object_store::{ObjectStoreExt as _, local::LocalFileSystem, path::Path};
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{SERVICE, classes, dialect, permits::Use, settings};
use crate::{
    app::App,
    db::Tx,
    fail::{Fail, Flaw},
    http::{Allowed, Segment, speak},
};

mod store;
#[cfg(test)]
mod tests;

/// A photo, decoded from base64, in bytes.
const MOST_BYTES: usize = 2 * 1024 * 1024;
/// The longest body that carries one: base64 is a third longer, and the other fields want room.
pub const BODY_LIMIT: usize = MOST_BYTES / 3 * 4 + 64 * 1024;
const MOST_PIXELS_ACROSS: u32 = 6_000;
const MOST_DECODER_BYTES: u64 = 64 * 1024 * 1024;
/// Pictures worked on at once, by all requests together: their memory is bounded. A permit lives inside the blocking task.
static DECODING: Semaphore = Semaphore::const_new(4);
/// Phones make larger ones; a face is recognised in this.
const KEPT_ACROSS: u32 = 1_280;
/// A doctor's letter that was photographed can be read in this.
const LETTER_ACROSS: u32 = 2_400;
/// An attachment, in bytes.
pub const MOST_ATTACHMENT_BYTES: usize = 5 * 1024 * 1024;
const JPEG_QUALITY: u8 = 80;

/// Hexadecimal digits of a key.
const KEY_LEN: usize = 32;
const PREFIX: &str = "/files/";
const JPEG: &str = "image/jpeg";
const PDF: &str = "application/pdf";

/// A file that is on the disk and not yet in the books.
#[derive(Debug)]
pub struct Kept {
    key: String,
    kind: &'static str,
    media: &'static str,
    bytes: i64,
}

impl Kept {
    /// As `photo_path` says it.
    pub fn path(&self) -> String {
        format!("{PREFIX}{}", self.key)
    }
}

/// Mounted beside `/api`, at `/files`.
pub fn routes() -> Router<App> {
    speak(Router::new().route("/{key}", get(show)), dialect::failure)
}

async fn show(
    State(app): State<App>,
    who: Allowed<Use>,
    Segment(key): Segment<String>,
) -> Result<Response, Fail> {
    if !is_key(&key) {
        return Err(unknown());
    }
    let mut tx = app.db.read(who.institution).await?;
    let (owner, media) = store::find(&mut tx, who.institution, &key).await?.ok_or_else(unknown)?;
    let role = who.role(SERVICE).and_then(|role| Role::try_from(role.id).ok());
    let may = who.user == owner
        || matches!(role, Some(Role::Admin | Role::KepalaSekolah))
        || (role == Some(Role::Guru) && leads(&mut tx, &app, who.institution, who.user, owner).await?);
    drop(tx);
    if !may {
        return Err(unknown());
    }
    let object =
        objects(&app)?.get(&Path::from(key.as_str())).await.context("a file that is in the books")?;
    let bytes = object.bytes().await.context("reading a file")?;
    let disposition = match media.as_str() {
        JPEG => format!("inline; filename=\"{key}.jpg\""),
        _ => format!("attachment; filename=\"{key}.pdf\""),
    };
    let headers = [
        (header::CONTENT_TYPE, media),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, bytes).into_response())
}

/// Whether `teacher` is the homeroom teacher of the class `student` is in today.
async fn leads(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    teacher: UserId,
    student: UserId,
) -> Result<bool, Fail> {
    let today = settings::load(tx, institution).await?.schedule.zone.day(app.now());
    let Some(class) = classes::of_student(tx, institution, student, today).await? else { return Ok(false) };
    Ok(classes::find(tx, institution, class).await?.homeroom_teacher_id == Some(teacher.0))
}

/// Whether a path that a client sent names a file of this person: the only thing such a path is good for.
pub async fn belongs(
    tx: &mut Tx,
    institution: InstitutionId,
    owner: UserId,
    path: &str,
) -> Result<bool, Fail> {
    let Some(key) = path.strip_prefix(PREFIX).filter(|key| is_key(key)) else { return Ok(false) };
    Ok(store::find(tx, institution, key).await?.is_some_and(|(found, _)| found == owner))
}

/// Decodes a base64 photo (bare, or a data URL) and keeps it under a new key. Follow it by [`record`] in the transaction of
/// what it belongs to, or by [`forget`] when that came to nothing.
pub async fn keep(app: &App, photo: String) -> Result<Kept, Fail> {
    let jpeg = decoding(move || clean(&photo)).await?.ok_or_else(|| {
        Fail::invalid(
            "photo",
            Flaw::Said("photo harus berupa gambar JPEG atau PNG (base64), paling besar 2 MB".into()),
        )
    })?;
    put(app, "attendance", JPEG, jpeg).await
}

/// As [`keep`], for a letter: a PDF as it is, or a picture.
pub async fn keep_attachment(app: &App, bytes: Vec<u8>) -> Result<Kept, Fail> {
    if bytes.len() > MOST_ATTACHMENT_BYTES {
        return Err(Fail::TooLarge);
    }
    if is_pdf(&bytes) {
        return put(app, "leave", PDF, bytes).await;
    }
    let jpeg = decoding(move || jpeg(bytes, LETTER_ACROSS)).await?.ok_or_else(|| {
        Fail::invalid("attachment", Flaw::Said("attachment harus berupa PDF, JPEG atau PNG".into()))
    })?;
    put(app, "leave", JPEG, jpeg).await
}

/// By what stands at its ends, not by what its name says.
fn is_pdf(bytes: &[u8]) -> bool {
    let ends = |tail: &[u8]| tail.windows(5).any(|five| five == b"%%EOF");
    bytes.starts_with(b"%PDF-") && bytes.rchunks(1024).next().is_some_and(ends)
}

async fn decoding<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fail> {
    let permit = DECODING.acquire().await.map_err(anyhow::Error::from)?;
    let done = spawn_blocking(move || {
        let made = work();
        drop(permit);
        made
    });
    Ok(done.await.map_err(anyhow::Error::from)?)
}

async fn put(app: &App, kind: &'static str, media: &'static str, bytes: Vec<u8>) -> Result<Kept, Fail> {
    let key = app.ids.random_uuid().simple().to_string();
    let kept = Kept { key, kind, media, bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX) };
    objects(app)?.put(&Path::from(kept.key.as_str()), bytes.into()).await.context("keeping a file")?;
    Ok(kept)
}

/// Enters a kept file into the books of its owner's school.
pub async fn record(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    owner: UserId,
    kept: &Kept,
) -> Result<(), Fail> {
    Ok(store::insert(tx, institution, owner, kept, app.now()).await?)
}

/// Removes a file that nothing came to hold.
pub async fn forget(app: &App, kept: &Kept) {
    erase(app, &kept.key).await;
}

/// Takes a letter that nothing refers to any more out of the books. After the commit, [`erase`] what this answers.
pub async fn release(
    tx: &mut Tx,
    institution: InstitutionId,
    owner: UserId,
    path: &str,
) -> Result<Option<String>, Fail> {
    let Some(key) = path.strip_prefix(PREFIX) else { return Ok(None) };
    let gone = store::delete_letter(tx, institution, owner, key).await?;
    Ok(gone.then(|| key.to_owned()))
}

/// Removes the bytes of a file that is in no book. What cannot be removed is logged: it is never served.
pub async fn erase(app: &App, key: &str) {
    let removed = async { anyhow::Ok(objects(app)?.delete(&Path::from(key)).await?) };
    if let Err(e) = removed.await {
        tracing::warn!(key, "a file that nobody holds stays behind: {e:#}");
    }
}

/// The picture as a JPEG of ours, or `None` when it is none within the limits.
fn clean(photo: &str) -> Option<Vec<u8>> {
    let base64 = match photo.strip_prefix("data:") {
        Some(url) => url.split_once(";base64,")?.1,
        None => photo,
    };
    if base64.len() > MOST_BYTES / 3 * 4 + 4 {
        return None;
    }
    let bytes = STANDARD.decode(base64.trim()).ok().filter(|bytes| bytes.len() <= MOST_BYTES)?;
    jpeg(bytes, KEPT_ACROSS)
}

/// Written anew, at most so many pixels across.
fn jpeg(bytes: Vec<u8>, across: u32) -> Option<Vec<u8>> {
    let mut picture = decode(bytes)?;
    if picture.width().max(picture.height()) > across {
        picture = picture.thumbnail(across, across);
    }
    let mut jpeg = Vec::new();
    picture.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)).ok()?;
    Some(jpeg)
}

/// Upright: a phone notes how it was held beside the picture, and what we write has no such note.
fn decode(bytes: Vec<u8>) -> Option<DynamicImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_PIXELS_ACROSS);
    limits.max_image_height = Some(MOST_PIXELS_ACROSS);
    limits.max_alloc = Some(MOST_DECODER_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    if decoder.total_bytes() > MOST_DECODER_BYTES {
        return None;
    }
    let orientation = decoder.orientation().ok()?;
    let mut picture = DynamicImage::from_decoder(decoder).ok()?;
    picture.apply_orientation(orientation);
    Some(picture)
}

fn objects(app: &App) -> anyhow::Result<Arc<LocalFileSystem>> {
    let folder = app.config.data_dir.join("files");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true)))
}

fn is_key(text: &str) -> bool {
    text.len() == KEY_LEN && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn unknown() -> Fail {
    Fail::not_found("File tidak ditemukan")
}

//! Uploaded photos and attachments.
//!
//! What always holds: a picture was decoded within limits and written anew as JPEG, so no picture a client sent is ever
//! served; a PDF is kept as it came, and is only ever handed out as a download; a key is random and is all that a path
//! holds; a profile photo has a thumbnail beside it, and nothing else has; a person has one profile photo at most.
//!
//! | what | who sees it |
//! |---|---|
//! | a profile photo | its owner, and who scans students or reads classes: the staff |
//! | a photo of a check-in, a letter | its owner, those who lead the school, and a student's homeroom teacher |
//!
//! To everybody else it does not exist.

use aide::axum::{ApiRouter, routing::get_with};
use anyhow::Context as _;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use hadir_shared::{
    ids::{InstitutionId, UserId},
    wire::roster::Role,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use sqlx::FromRow;

use super::{
    SERVICE, classes, dialect,
    permits::{ReadClasses, ScanStudents, Use},
    settings,
};
use crate::{
    app::App,
    blobs::Folder,
    db::Tx,
    fail::{Fail, Flaw},
    http::{Allowed, Check, Member, Params, Permission as _, Segment, describe::says, immutable, speak},
    jobs::{self, NewJob, Work},
    picture::{self, MOST_BYTES, Portrait, drawing},
};

mod store;
#[cfg(test)]
mod tests;
mod upload;

pub use upload::{Photo, first_file};

/// The longest body that carries a photo: base64 is a third longer, and the other fields want room.
pub const BODY_LIMIT: usize = MOST_BYTES / 3 * 4 + 64 * 1024;
/// An attachment, in bytes.
pub const MOST_ATTACHMENT_BYTES: usize = 5 * 1024 * 1024;
/// A job: removes the bytes of a file that is in no book any more.
pub const ERASE: &str = "files.erase";

const FOLDER: Folder = Folder("files");
/// Hexadecimal digits of a key.
const KEY_LEN: usize = 32;
const PREFIX: &str = "/files/";
/// What a file was uploaded as: `files.kind`.
const PROFILE: &str = "profile";
const LEAVE: &str = "leave";
const ATTENDANCE: &str = "attendance";
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

/// The key in a path of [`Kept::path`]; nothing of any other text.
pub fn key_of(path: &str) -> Option<&str> {
    path.strip_prefix(PREFIX)
}

/// Mounted beside `/api`, at `/files`.
pub fn routes() -> Router<App> {
    speak(api().into(), dialect::failure)
}

pub(super) fn api() -> ApiRouter<App> {
    ApiRouter::new().api_route("/{key}", get_with(show, says("A photo or letter, for those who may see it")))
}

#[derive(Deserialize, JsonSchema)]
struct Asked {
    size: Option<String>,
}

async fn show(
    State(app): State<App>,
    who: Allowed<Use>,
    Segment(key): Segment<String>,
    Params(asked): Params<Asked>,
    headers: HeaderMap,
) -> Result<Response, Fail> {
    let mut check = Check::new();
    if let Some(size) = &asked.size {
        check.one_of("size", size, &["thumb"]);
    }
    check.finish()?;
    let mut tx = app.db.read(who.institution).await?;
    let file = find(&mut tx, who.institution, &key).await?.ok_or_else(unknown)?;
    if !sees(&mut tx, &app, &who, &file).await? {
        return Err(unknown());
    }
    drop(tx);
    if asked.size.is_some() {
        return if file.is_portrait() { thumb(&app, &headers, &key).await } else { Err(unknown()) };
    }
    let bytes = read(&app, &key).await?;
    let disposition = match file.media_type.as_str() {
        JPEG => format!("inline; filename=\"{key}.jpg\""),
        _ => format!("attachment; filename=\"{key}.pdf\""),
    };
    let mut answer = immutable(&headers, &key, &file.media_type, bytes);
    let disposition = HeaderValue::try_from(disposition).map_err(anyhow::Error::from)?;
    answer.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    Ok(answer)
}

/// The thumbnail of a profile photo of the school, to who may see all of them: a box.
pub async fn show_thumb(
    app: &App,
    institution: InstitutionId,
    key: &str,
    headers: &HeaderMap,
) -> Result<Response, Fail> {
    let file = find(&mut app.db.read(institution).await?, institution, key).await?;
    file.filter(File::is_portrait).ok_or_else(unknown)?;
    thumb(app, headers, key).await
}

async fn thumb(app: &App, headers: &HeaderMap, key: &str) -> Result<Response, Fail> {
    let bytes = read(app, &thumb_of(key)).await?;
    Ok(immutable(headers, &thumb_of(key), JPEG, bytes))
}

async fn sees(tx: &mut Tx, app: &App, who: &Member, file: &File) -> Result<bool, Fail> {
    if who.user == file.owner_id {
        return Ok(true);
    }
    if file.is_portrait() {
        return Ok(who.may(ScanStudents::CODE) || who.may(ReadClasses::CODE));
    }
    let role = who.role(SERVICE).and_then(|role| Role::try_from(role.id).ok());
    Ok(match role {
        Some(Role::Admin | Role::KepalaSekolah) => true,
        Some(Role::Guru) => leads(tx, app, who.institution, who.user, file.owner_id).await?,
        _ => false,
    })
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

/// A row of `files`.
#[derive(Debug, FromRow)]
struct File {
    #[sqlx(try_from = "i64")]
    owner_id: UserId,
    kind: String,
    media_type: String,
}

impl File {
    fn is_portrait(&self) -> bool {
        self.kind == PROFILE
    }
}

async fn find(tx: &mut Tx, institution: InstitutionId, key: &str) -> Result<Option<File>, Fail> {
    if is_key(key) { Ok(store::find(tx, institution, key).await?) } else { Ok(None) }
}

/// Whether a path that a client sent names a file of this person: the only thing such a path is good for.
pub async fn belongs(
    tx: &mut Tx,
    institution: InstitutionId,
    owner: UserId,
    path: &str,
) -> Result<bool, Fail> {
    let Some(key) = path.strip_prefix(PREFIX) else { return Ok(false) };
    Ok(find(tx, institution, key).await?.is_some_and(|file| file.owner_id == owner))
}

/// Whether a path that a client sent claims to name an uploaded file at all. The paths of the documents' own server
/// (`profiles/andi.jpg`) do not, and are passed over.
pub fn claims(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Whether a path names this person's profile photo.
pub async fn is_portrait_of(
    tx: &mut Tx,
    institution: InstitutionId,
    owner: UserId,
    path: &str,
) -> Result<bool, Fail> {
    let Some(key) = path.strip_prefix(PREFIX) else { return Ok(false) };
    let file = find(tx, institution, key).await?;
    Ok(file.is_some_and(|file| file.is_portrait() && file.owner_id == owner))
}

/// The thumbnail behind a `photo_path`, or `None` when the path or what lies behind it is of another age.
pub async fn thumb_behind(app: &App, path: &str) -> Option<Vec<u8>> {
    let key = path.strip_prefix(PREFIX).filter(|key| is_key(key))?;
    match read(app, &thumb_of(key)).await {
        Ok(bytes) => Some(bytes.into()),
        Err(e) => {
            tracing::warn!(key, "a profile photo has no thumbnail: {e:#}");
            None
        }
    }
}

/// Decodes a base64 photo (bare, or a data URL) and keeps it under a new key. Follow it by [`record`] in the transaction of
/// what it belongs to, or by [`forget`] when that came to nothing.
pub async fn keep(app: &App, photo: String) -> Result<Kept, Fail> {
    let jpeg = drawing(move || picture::decoded(&photo).and_then(picture::photo)).await?;
    put(app, ATTENDANCE, JPEG, jpeg.ok_or_else(no_photo)?).await
}

/// As [`keep`], for a profile photo, with its thumbnail. Follow it by [`replace_portrait`] instead.
pub async fn keep_portrait(app: &App, photo: Photo) -> Result<Kept, Fail> {
    let portrait = drawing(move || photo.bytes().and_then(picture::portrait)).await?;
    let Portrait { whole, thumb } = portrait.ok_or_else(no_photo)?;
    let kept = put(app, PROFILE, JPEG, whole).await?;
    if let Err(e) = FOLDER.put(app, &thumb_of(&kept.key), thumb).await {
        forget(app, &kept).await;
        return Err(e.into());
    }
    Ok(kept)
}

fn no_photo() -> Fail {
    let said = "photo harus berupa gambar JPEG, PNG atau WebP, paling besar 2 MB";
    Fail::invalid("photo", Flaw::Said(said.into()))
}

/// As [`keep`], for a letter: a PDF as it is, or a picture.
pub async fn keep_attachment(app: &App, bytes: Vec<u8>) -> Result<Kept, Fail> {
    if bytes.len() > MOST_ATTACHMENT_BYTES {
        return Err(Fail::TooLarge);
    }
    if is_pdf(&bytes) {
        return put(app, LEAVE, PDF, bytes).await;
    }
    let jpeg = drawing(move || picture::letter(bytes)).await?.ok_or_else(|| {
        Fail::invalid("attachment", Flaw::Said("attachment harus berupa PDF, JPEG, PNG atau WebP".into()))
    })?;
    put(app, LEAVE, JPEG, jpeg).await
}

/// By what stands at its ends, not by what its name says.
fn is_pdf(bytes: &[u8]) -> bool {
    let ends = |tail: &[u8]| tail.windows(5).any(|five| five == b"%%EOF");
    bytes.starts_with(b"%PDF-") && bytes.rchunks(1024).next().is_some_and(ends)
}

async fn put(app: &App, kind: &'static str, media: &'static str, bytes: Vec<u8>) -> Result<Kept, Fail> {
    let key = app.ids.random_uuid().simple().to_string();
    let kept = Kept { key, kind, media, bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX) };
    FOLDER.put(app, &kept.key, bytes).await?;
    Ok(kept)
}

async fn read(app: &App, name: &str) -> anyhow::Result<Bytes> {
    FOLDER.get(app, name).await
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

/// Makes a kept portrait the one its owner has, or leaves him none. What he had goes out of the books now and is erased by a
/// job: ring [`App::jobs`] after the commit. Whoever calls this has written to the owner's row of `users` in the same
/// transaction, so of two at once the second sees what the first left.
pub async fn replace_portrait(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    owner: UserId,
    kept: Option<&Kept>,
) -> Result<(), Fail> {
    let now = app.now();
    for key in store::delete_portraits(tx, institution, owner).await? {
        let payload = json!({ "key": key });
        let job = NewJob { kind: ERASE, institution: Some(institution), payload, run_at: now };
        jobs::enqueue(tx, &job, now).await?;
    }
    match kept {
        Some(kept) => record(tx, app, institution, owner, kept).await,
        None => Ok(()),
    }
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
    if let Err(e) = remove(app, key).await {
        tracing::warn!(key, "a file that nobody holds stays behind: {e:#}");
    }
}

/// Does [`ERASE`]: as [`erase`], tried again until it is done.
pub fn erase_job<'a>(app: &'a App, job: &'a jobs::Row) -> Work<'a> {
    Box::pin(async move {
        let key = job.payload["key"].as_str().filter(|key| is_key(key)).context("no key of a file")?;
        Ok(remove(app, key).await?)
    })
}

async fn remove(app: &App, key: &str) -> anyhow::Result<()> {
    FOLDER.remove(app, key).await?;
    FOLDER.remove(app, &thumb_of(key)).await
}

/// Under which name the thumbnail of a profile photo lies.
fn thumb_of(key: &str) -> String {
    format!("{key}.thumb")
}

fn is_key(text: &str) -> bool {
    text.len() == KEY_LEN && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn unknown() -> Fail {
    Fail::not_found("File tidak ditemukan")
}

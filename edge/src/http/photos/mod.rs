//! The pictures people take of themselves at a check-in. They stay on the box.
//!
//! What always holds: a picture is decoded within limits and written anew as JPEG, so nothing but pixels is kept; its name
//! is random and never comes from a client; it is shown to the person, the head and the admin only; it is deleted after
//! `photo_days`, and its record stays.

mod store;

use std::{
    io::{Cursor, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use axum::{
    Router,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use data_encoding::{BASE64, HEXLOWER};
use hadir_shared::{
    ids::UserId,
    time::{Grade, Millis},
    wire::roster::Role,
};
use image::{codecs::jpeg::JpegEncoder, imageops::FilterType};

pub use self::store::paths;
use super::{
    Web,
    auth::Caller,
    extract::Segment,
    fail::{Fail, Flaw},
    scan::decode,
};
use crate::{attendance::AttendanceRow, node::Node};

/// The largest body of a request that may carry a picture, in base64.
pub const BODY_BYTES: usize = 8 * 1024 * 1024;
/// The longest side kept: a face is known on it.
const KEPT_SIDE: u32 = 1024;
const QUALITY: u8 = 80;
const DAY_SECONDS: i64 = 24 * 3600;
const UNKNOWN: &str = "Berkas tidak ditemukan";

pub fn routes() -> Router<Web> {
    Router::new().route("/files/{key}", get(show))
}

/// A picture that was read and written anew, not yet on disk.
#[derive(Debug)]
pub struct Photo(Vec<u8>);

impl Photo {
    /// From the field `photo`: base64, with or without `data:image/…;base64,` before it. An empty text is no picture.
    pub async fn read(web: &Web, text: Option<String>) -> Result<Option<Self>, Fail> {
        let Some(text) = text.filter(|t| !t.is_empty()) else { return Ok(None) };
        let again = web.decoding(move || {
            let encoded = text.split_once(";base64,").map_or(text.as_str(), |(_, encoded)| encoded);
            let bytes = BASE64.decode(encoded.trim().as_bytes()).ok()?;
            jpeg(&bytes)
        });
        let photo = again.await?.ok_or_else(|| Fail::invalid("photo", Flaw::NotAPicture))?;
        Ok(Some(Self(photo)))
    }

    /// Puts it on disk beside a record that is there already, and answers where it is shown. A picture that cannot be
    /// kept does not undo the record: it is logged, and missing.
    pub async fn keep(self, web: &Web, row: &AttendanceRow) -> Option<String> {
        let key = HEXLOWER.encode(&web.node.ids().bytes::<16>());
        let file = file(&web.node, &key);
        let written = tokio::task::spawn_blocking(move || write(&file, &self.0));
        let kept = match written.await.map_err(anyhow::Error::from) {
            Ok(Ok(())) => store::insert(web.node.store(), key.clone(), row).await,
            Ok(Err(e)) | Err(e) => Err(e),
        };
        kept.inspect_err(|e| tracing::error!("a photo was not kept: {e:#}")).ok().map(|()| path(&key))
    }
}

fn jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let picture = decode::picture(bytes).ok()?;
    let large = picture.width().max(picture.height()) > KEPT_SIDE;
    let picture = if large { picture.resize(KEPT_SIDE, KEPT_SIDE, FilterType::Triangle) } else { picture };
    let mut jpeg = Cursor::new(Vec::new());
    picture.into_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY)).ok()?;
    Some(jpeg.into_inner())
}

fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = file.parent().context("a photo has a folder")?;
    std::fs::create_dir_all(folder)?;
    let mut out = std::fs::File::create_new(file)?;
    out.write_all(bytes)?;
    Ok(out.sync_all()?)
}

/// Deletes the pictures that are older than they are kept. Not by a clock that is suspect: one that was set forward by years
/// would take them all.
pub async fn forget_old(node: &Node) {
    let now = node.trusted_now();
    if now.grade == Grade::Suspect {
        return tracing::warn!("no photo is deleted while the clock is in doubt");
    }
    let before = now.time.plus_seconds(-DAY_SECONDS * i64::from(node.config().photo_days));
    match forget_until(node, before).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "photos that were kept long enough are deleted"),
        Err(e) => tracing::error!("old photos are not deleted: {e:#}"),
    }
}

/// First the files: one that cannot be deleted is still known, and tried again the next night.
async fn forget_until(node: &Node, before: Millis) -> anyhow::Result<usize> {
    let keys = store::older_than(node.store(), before).await?;
    let files: Vec<PathBuf> = keys.iter().map(|key| file(node, key)).collect();
    tokio::task::spawn_blocking(move || files.iter().try_for_each(|file| remove(file))).await??;
    let count = keys.len();
    store::forget(node.store(), keys).await?;
    Ok(count)
}

fn remove(file: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn file(node: &Node, key: &str) -> PathBuf {
    node.config().data_dir.join("photos").join(format!("{key}.jpg"))
}

/// Where a client asks for it.
fn path(key: &str) -> String {
    format!("/files/{key}")
}

async fn show(
    State(web): State<Web>,
    caller: Caller,
    Segment(key): Segment<String>,
) -> Result<Response, Fail> {
    let owner = store::owner(web.node.store(), key.clone()).await?.ok_or(Fail::NotFound(UNKNOWN))?;
    if !may_see(&caller, owner) {
        return Err(Fail::Denied("Anda tidak memiliki izin untuk melihat berkas ini"));
    }
    // The key is one the table holds, so it is one this box made.
    let bytes = tokio::fs::read(file(&web.node, &key)).await.map_err(|_| Fail::NotFound(UNKNOWN))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("inline; filename=\"foto.jpg\"")),
    ];
    Ok((headers, bytes).into_response())
}

fn may_see(caller: &Caller, owner: UserId) -> bool {
    caller.person.id == owner || matches!(caller.person.role, Role::KepalaSekolah | Role::Admin)
}

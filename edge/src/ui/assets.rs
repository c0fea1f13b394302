//! Scripts and styles, embedded in the program.

use std::borrow::Cow;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use data_encoding::HEXLOWER;
use hadir_shared::design;
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

use super::pages::POLICY;
use crate::http::{extract::Segment, fail::Fail};

#[derive(RustEmbed)]
#[folder = "src/ui/assets"]
struct Assets;

/// What the cloud's pages have, too.
const COMMON: &[(&str, &str)] = &[("icon.svg", design::ICON), ("tokens.css", design::TOKENS)];

/// A file's bytes and what they hash to.
struct File {
    data: Cow<'static, [u8]>,
    hash: [u8; 32],
}

fn file(name: &str) -> Option<File> {
    if let Some((_, text)) = COMMON.iter().find(|(common, _)| *common == name) {
        return Some(File { data: text.as_bytes().into(), hash: Sha256::digest(text).into() });
    }
    Assets::get(name).map(|file| File { hash: file.metadata.sha256_hash(), data: file.data })
}

/// Browsers ask again each time and are told in few bytes that nothing changed, so that an update is seen at once.
pub async fn serve(headers: HeaderMap, Segment(name): Segment<String>) -> Result<Response, Fail> {
    let file = file(&name).ok_or(Fail::NoRoute)?;
    let tag = format!("\"{}\"", HEXLOWER.encode(&file.hash[..16]));
    let fresh = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let tag = HeaderValue::from_str(&tag).map_err(anyhow::Error::from)?;
    let cache = (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if fresh {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag), cache]).into_response());
    }
    let kind = HeaderValue::from_static(kind(&name));
    // One of them is a page, which the browser keeps with its policy.
    let policy = (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    let headers = [(header::CONTENT_TYPE, kind), (header::ETAG, tag), cache, policy];
    Ok((headers, file.data.into_owned()).into_response())
}

/// Fetched through their own tag and never kept by the browser's worker: it, and what it does not need.
const NOT_KEPT: &[&str] = &["sw.js", "icon-512.png", "icon-mask.png"];

/// The worker that keeps the shell, with its version, which is that of the files together, and their names written into it.
pub async fn worker() -> Result<Response, Fail> {
    let file = file("sw.js").ok_or(Fail::NoRoute)?;
    let text = String::from_utf8_lossy(&file.data);
    let (version, files) = shell();
    let text = text.replacen("VERSION", &version, 1).replacen("FILES\"", &format!("{files}\""), 1);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind("sw.js"))),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        // What it may fetch is its own policy's to say, not its page's.
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; connect-src 'self'")),
    ];
    Ok((headers, text).into_response())
}

/// What the shell is made of: one name for all of it together, and every address.
fn shell() -> (String, String) {
    let common = COMMON.iter().map(|(name, _)| (*name).into());
    let mut names: Vec<Cow<'static, str>> = Assets::iter().chain(common).collect();
    names.sort_unstable();
    let mut all = Sha256::new();
    for file in names.iter().filter_map(|name| file(name)) {
        all.update(file.hash);
    }
    let kept = names.iter().filter(|name| !NOT_KEPT.contains(&name.as_ref()));
    let files: Vec<String> = kept.map(|name| format!("/assets/{name}")).collect();
    (HEXLOWER.encode(&all.finalize()[..8]), files.join(" "))
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("html") => "text/html; charset=utf-8",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

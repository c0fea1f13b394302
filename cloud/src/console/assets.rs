//! Scripts and styles, embedded in the program.

use std::borrow::Cow;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use data_encoding::HEXLOWER;
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

use crate::{fail::Fail, http::Segment};

#[derive(RustEmbed)]
#[folder = "src/console/assets"]
struct Assets;

/// Browsers ask again each time and are told in few bytes that nothing changed, so that an update is seen at once.
pub async fn serve(headers: HeaderMap, Segment(name): Segment<String>) -> Result<Response, Fail> {
    let bytes = bytes(&name).ok_or(Fail::NoRoute)?;
    let tag = format!("\"{}\"", HEXLOWER.encode(&Sha256::digest(&bytes)[..16]));
    let is_known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let tag = HeaderValue::from_str(&tag).map_err(anyhow::Error::from)?;
    let cache = (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag), cache]).into_response());
    }
    let kind = HeaderValue::from_static(kind(&name));
    Ok(([(header::CONTENT_TYPE, kind), (header::ETAG, tag), cache], bytes).into_response())
}

/// The colours and measures are the same on the box's pages.
fn bytes(name: &str) -> Option<Cow<'static, [u8]>> {
    match name {
        "tokens.css" => Some(hadir_shared::design::TOKENS.as_bytes().into()),
        "icon.svg" => Some(hadir_shared::design::ICON.as_bytes().into()),
        _ => Assets::get(name).map(|file| file.data),
    }
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

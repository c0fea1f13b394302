//! Scripts and styles, embedded in the program.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use data_encoding::HEXLOWER;
use rust_embed::RustEmbed;

use crate::http::{extract::Segment, fail::Fail};

#[derive(RustEmbed)]
#[folder = "src/ui/assets"]
struct Assets;

/// Browsers ask again each time and are told in few bytes that nothing changed, so that an update is seen at once.
pub async fn serve(headers: HeaderMap, Segment(name): Segment<String>) -> Result<Response, Fail> {
    let file = Assets::get(&name).ok_or(Fail::NoRoute)?;
    let tag = format!("\"{}\"", HEXLOWER.encode(&file.metadata.sha256_hash()[..16]));
    let fresh = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let tag = HeaderValue::from_str(&tag).map_err(anyhow::Error::from)?;
    let cache = (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if fresh {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag), cache]).into_response());
    }
    let kind = HeaderValue::from_static(kind(&name));
    Ok(([(header::CONTENT_TYPE, kind), (header::ETAG, tag), cache], file.data.into_owned()).into_response())
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

//! Portraits of the school's people, for whoever stands at a gate.
//!
//! What always holds: only what the roster names is shown; the same key is the same picture for ever, so a browser asks once.

use axum::{
    Router,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
    routing::get,
};

use super::{Web, auth::AtGate, extract::Segment, fail::Fail};

#[cfg(test)]
mod tests;

pub fn routes() -> Router<Web> {
    Router::new().route("/portraits/{key}", get(show))
}

async fn show(State(web): State<Web>, _: AtGate, Segment(key): Segment<String>) -> Result<Response, Fail> {
    let read = tokio::task::spawn_blocking(move || web.node.portraits().read(&key));
    let bytes = read.await.map_err(anyhow::Error::from)?.ok_or(Fail::NotFound("Foto tidak ditemukan"))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable")),
        (header::VARY, HeaderValue::from_static("Authorization")),
    ];
    Ok((headers, bytes).into_response())
}

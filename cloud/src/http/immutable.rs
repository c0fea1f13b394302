//! What never changes under its address.

use axum::{
    body::Body,
    http::{
        HeaderMap, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
};

/// 200 with the bytes, or 304 when the client has them. `tag` names them: no quotes in it. Whoever asked may keep them for
/// a day; who is signed in after him at the same computer asks anew. Call it after every question of who may see it.
pub fn immutable(asked: &HeaderMap, tag: &str, media_type: &str, bytes: impl Into<Body>) -> Response {
    let tag = format!("\"{tag}\"");
    let known = asked.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).unwrap_or_default();
    let is_known =
        known.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag);
    let kept =
        [(ETAG, tag.as_str()), (CACHE_CONTROL, "private, max-age=86400, immutable"), (VARY, "authorization")];
    if is_known {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    let kind = [(CONTENT_TYPE, media_type), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (kept, kind, bytes.into()).into_response()
}

//! A JSON body.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::{StatusCode, header::CONTENT_TYPE},
};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::{
    app::App,
    fail::{Fail, Flaw, Problem},
};

/// Fails with [`Fail::WrongContentType`], [`Fail::TooLarge`], [`Fail::Malformed`] (not JSON), or [`Fail::Invalid`] with the
/// field that has another type than `T` wants. An empty body is `{}`.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Fail;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fail> {
        let is_json = is_json(&request);
        let bytes = Bytes::from_request(request, app).await.map_err(|e| unread(&e))?;
        if bytes.is_empty() {
            return parse(b"{}").map(Self);
        }
        if !is_json {
            return Err(Fail::WrongContentType);
        }
        parse(&bytes).map(Self)
    }
}

fn is_json(request: &Request) -> bool {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// A body that could not be read: too large, broken off, or wrongly compressed.
fn unread(rejection: &BytesRejection) -> Fail {
    let text = rejection.body_text();
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Fail::TooLarge,
        _ => Fail::Malformed(text),
    }
}

/// Text first: what is in a field that nobody reads would not be looked at.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fail> {
    let text = std::str::from_utf8(bytes).map_err(|e| Fail::Malformed(e.to_string()))?;
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let path = e.path().to_string();
        let inner = e.into_inner();
        match inner.classify() {
            Category::Data => problem(&path, &inner.to_string()),
            _ => Fail::Malformed(inner.to_string()),
        }
    })?;
    json.end().map_err(|e| Fail::Malformed(e.to_string()))?;
    Ok(value)
}

/// serde names a missing or unknown field in its text only.
fn problem(path: &str, text: &str) -> Fail {
    let path = if path == "." { "" } else { path };
    let named = |prefix| text.strip_prefix(prefix)?.split('`').next();
    let below = |field: &str| if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
    let (field, flaw) = if let Some(field) = named("missing field `") {
        (below(field), Flaw::Missing)
    } else if named("unknown field `").is_some() {
        (path.to_owned(), Flaw::Unknown)
    } else {
        (path.to_owned(), Flaw::WrongType(text.split(" at line ").next().unwrap_or(text).to_owned()))
    };
    Fail::Invalid(vec![Problem::new(field, flaw)])
}

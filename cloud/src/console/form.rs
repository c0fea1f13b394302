//! A form of a page, as a browser sends it when no script does.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, header::CONTENT_TYPE},
};
use serde::de::DeserializeOwned;

use crate::{app::App, fail::Fail};

/// What was filled in, and the headers it came with. A field left empty counts as left out. Fails with
/// [`Fail::WrongContentType`], [`Fail::TooLarge`] or [`Fail::Malformed`].
#[derive(Debug)]
pub struct Form<T> {
    pub filled: T,
    pub headers: HeaderMap,
}

impl<T: DeserializeOwned> FromRequest<App> for Form<T> {
    type Rejection = Fail;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fail> {
        let headers = request.headers().clone();
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(Fail::WrongContentType);
        }
        let bytes = Bytes::from_request(request, app).await.map_err(|_| Fail::TooLarge)?;
        let given = form_urlencoded::parse(&bytes).filter(|(_, value)| !value.is_empty());
        let kept = form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
        let filled = serde_urlencoded::from_str(&kept).map_err(|e| Fail::Malformed(e.to_string()))?;
        Ok(Self { filled, headers })
    }
}

//! What stands in the URL.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::de::DeserializeOwned;

use crate::{
    app::App,
    fail::{Fail, Flaw},
};

/// The path's parameters: one id (`Segment(id): Segment<ClassId>`) or a tuple. One that cannot be read leads nowhere.
#[derive(Debug)]
pub struct Segment<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Segment<T> {
    type Rejection = Fail;

    #[expect(clippy::disallowed_types, reason = "the one place that turns its refusal into a Fail")]
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fail> {
        let path = axum::extract::Path::from_request_parts(parts, app).await.map_err(|_| Fail::NoRoute)?;
        Ok(Self(path.0))
    }
}

/// The query string. A parameter left empty (`?status=`) counts as left out, as the documented clients send it.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Fail> {
        read(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

pub(super) fn read<T: DeserializeOwned>(query: &str) -> Result<T, Fail> {
    let given = form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty());
    let kept = form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(kept.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|e| {
        let field = e.path().to_string();
        Fail::invalid(
            if field == "." { String::new() } else { field },
            Flaw::WrongType(e.into_inner().to_string()),
        )
    })
}

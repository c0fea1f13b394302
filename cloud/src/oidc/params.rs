//! Parameters as OAuth reads them: of a query or a form, each at most once, and empty counts as left out (RFC 6749,
//! section 3.1).

use std::collections::BTreeMap;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, header::CONTENT_TYPE},
};

use super::dialect::Refusal;
use crate::{app::App, fail::Fail};

/// A parameter is not longer, in bytes.
const LONGEST: usize = 4096;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params {
    values: BTreeMap<String, String>,
    /// A parameter that came more than once, is too long, or holds what no text does, if one is so. It is not among the
    /// others.
    pub repeated: Option<String>,
}

impl Params {
    pub fn parse(text: &[u8]) -> Self {
        let mut params = Self::default();
        for (name, value) in form_urlencoded::parse(text).filter(|(_, value)| !value.is_empty()) {
            let sound = value.len() <= LONGEST && !value.contains('\0') && !name.contains('\0');
            if !sound || params.values.contains_key(&*name) {
                params.repeated = Some(name.into_owned());
            } else {
                params.values.insert(name.into_owned(), value.into_owned());
            }
        }
        params
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// As a query again, in a fixed order, without one of them.
    pub fn query_without(&self, name: &str) -> String {
        let others = self.values.iter().filter(|(key, _)| *key != name);
        form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish()
    }
}

/// A form of a program, and the headers it came with.
#[derive(Debug)]
pub struct Posted {
    pub params: Params,
    pub headers: HeaderMap,
}

impl FromRequest<App> for Posted {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let headers = request.headers().clone();
        let bytes = Bytes::from_request(request, app).await.map_err(|_| Fail::TooLarge)?;
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !bytes.is_empty() && !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(Refusal::Error("invalid_request", "The body must be a form."));
        }
        let params = Params::parse(&bytes);
        if params.repeated.is_some() {
            return Err(Refusal::Error(
                "invalid_request",
                "A parameter came twice, or is no text, or too long.",
            ));
        }
        Ok(Self { params, headers })
    }
}

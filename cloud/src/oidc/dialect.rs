//! How the endpoints for programs answer: RFC 6749's JSON, `{error, error_description}`.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;

use crate::fail::{Fail, Flaw, NoSession};

/// 200 with JSON.
#[derive(Debug)]
pub struct Answer<T>(pub T);

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        body(StatusCode::OK, &self.0)
    }
}

/// 201 with JSON.
#[derive(Debug)]
pub struct Created<T>(pub T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        body(StatusCode::CREATED, &self.0)
    }
}

fn body<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => (status, [(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(e) => Fail::from(anyhow::Error::from(e)).into_response(),
    }
}

/// Why a program was refused, in the words of the RFCs.
#[derive(Debug)]
pub enum Refusal {
    /// 400, and a code of RFC 6749.
    Error(&'static str, &'static str),
    /// 401: not the client it says it is.
    Client,
    /// 401: no access token that is good here (RFC 6750).
    Token,
    /// 403: the token does not allow this.
    Scope,
    Failed(Fail),
}

impl From<Fail> for Refusal {
    fn from(fail: Fail) -> Self {
        Self::Failed(fail)
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(e: sqlx::Error) -> Self {
        Self::Failed(e.into())
    }
}

/// The grant is not, or no longer, good for this client.
pub const INVALID_GRANT: Refusal =
    Refusal::Error("invalid_grant", "The code or token is unknown, expired, used, or another client's.");

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = |status, error: &str, description: &str| {
            body(status, &json!({"error": error, "error_description": description}))
        };
        let (mut response, challenge) = match self {
            Self::Failed(fail) => return fail.into_response(),
            Self::Error(code, said) => return error(StatusCode::BAD_REQUEST, code, said),
            Self::Client => (
                error(StatusCode::UNAUTHORIZED, "invalid_client", "The client could not be authenticated."),
                "Basic realm=\"Hadir\"",
            ),
            Self::Token => (
                error(StatusCode::UNAUTHORIZED, "invalid_token", "The access token is not good here."),
                "Bearer realm=\"Hadir\", error=\"invalid_token\"",
            ),
            Self::Scope => (
                error(StatusCode::FORBIDDEN, "insufficient_scope", "The token was not given for this."),
                "Bearer realm=\"Hadir\", error=\"insufficient_scope\", scope=\"openid\"",
            ),
        };
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        response
    }
}

/// A failure of the registry, or of ours.
pub fn failure(fail: &Fail) -> Response {
    let (error, said) = match fail {
        Fail::Unauthenticated(NoSession::Missing) => ("unauthenticated", "No access token came.".into()),
        Fail::Unauthenticated(_) | Fail::BadCredentials => {
            ("unauthenticated", "The access token is not good.".into())
        }
        Fail::Denied(text) => ("access_denied", text.to_string()),
        Fail::NotFound(text) => ("not_found", text.to_string()),
        Fail::NoRoute => ("not_found", "There is nothing here.".into()),
        Fail::WrongMethod => ("method_not_allowed", "Not by this method.".into()),
        Fail::Invalid(problems) => {
            let all: Vec<_> = problems.iter().map(|p| format!("{}: {}", p.field, flaw(&p.flaw))).collect();
            ("invalid", all.join("; "))
        }
        Fail::Conflict(text)
        | Fail::BadRequest(text)
        | Fail::Gone(text)
        | Fail::Taken { message: text, .. } => ("invalid_request", text.to_string()),
        Fail::Malformed(_) => ("invalid_request", "The body cannot be read.".into()),
        Fail::WrongContentType => ("invalid_request", "The body has the wrong content type.".into()),
        Fail::TooLarge => ("invalid_request", "The body is too large.".into()),
        Fail::TooMany { .. } => ("slow_down", "Too many attempts.".into()),
        Fail::Unavailable { .. } | Fail::TimedOut => {
            ("temporarily_unavailable", "Come back in a moment.".into())
        }
        Fail::Internal(_) => ("server_error", "Something went wrong here.".into()),
    };
    body(fail.status(), &json!({"error": error, "error_description": said}))
}

fn flaw(flaw: &Flaw) -> String {
    match flaw {
        Flaw::Missing => "is missing".into(),
        Flaw::Unknown => "has a field that is not known".into(),
        Flaw::Said(text) => text.to_string(),
        Flaw::NotOneOf(words) => format!("is none of {}", words.join(", ")),
        Flaw::TooShort(least) => format!("is shorter than {least}"),
        Flaw::TooLong(most) => format!("is longer than {most}"),
        Flaw::WrongType(wanted) => wanted.clone(),
        _ => "is not valid".into(),
    }
}

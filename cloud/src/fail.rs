//! How a use of the cloud can fail, said without HTTP.
//!
//! A closed set of meanings. The rim words each once, in the dialect of the module that was spoken to
//! ([`crate::http::speak`]); texts that belong to one resource travel inside.

use std::{borrow::Cow, sync::Arc, time::Duration};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

/// A wording that belongs to the resource that failed.
pub type Text = Cow<'static, str>;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Fail {
    #[error("not signed in: {0:?}")]
    Unauthenticated(NoSession),
    /// Unknown login, wrong password, inactive or waiting account: one answer, so that none can be told from another.
    #[error("wrong login or password")]
    BadCredentials,
    #[error("denied: {0}")]
    Denied(Text),
    #[error("not found: {0}")]
    NotFound(Text),
    /// The path leads nowhere.
    #[error("no such route")]
    NoRoute,
    #[error("wrong method")]
    WrongMethod,
    /// A value that must be unique is somebody else's.
    #[error("{field} is taken: {message}")]
    Taken { field: &'static str, message: Text },
    #[error("invalid: {0:?}")]
    Invalid(Vec<Problem>),
    /// The request is well-formed and makes no sense now.
    #[error("{0}")]
    BadRequest(Text),
    /// The body is not what its content type says.
    #[error("malformed body: {0}")]
    Malformed(String),
    #[error("the body's content type is not understood")]
    WrongContentType,
    #[error("the body is too large")]
    TooLarge,
    #[error("conflict: {0}")]
    Conflict(Text),
    #[error("gone: {0}")]
    Gone(Text),
    #[error("too many; again in {retry_after:?}")]
    TooMany { retry_after: Duration },
    #[error("unavailable; again in {retry_after:?}")]
    Unavailable { retry_after: Duration },
    #[error("took too long")]
    TimedOut,
    #[error("something went wrong here")]
    Internal(Arc<anyhow::Error>),
}

/// Why a request has no caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSession {
    /// No token came.
    Missing,
    /// Not ours, altered, revoked, of a user who may not sign in any more.
    Invalid,
    Expired,
}

/// What is wrong with one field. The dialect words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `email`, `items.0.user_id`; empty when it is the whole body.
    pub field: Text,
    pub flaw: Flaw,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    Missing,
    /// Another JSON type or an unreadable value; says what was expected, for developers.
    WrongType(String),
    /// The field does not exist here.
    Unknown,
    TooShort(usize),
    TooLong(usize),
    /// Below the least or above the most.
    OutOfRange(i64, i64),
    NotEmail,
    NotOneOf(&'static [&'static str]),
    /// Does not repeat the other field.
    NotConfirmed,
    Taken,
    /// The thing it names does not exist.
    NoSuch,
    /// A wording of the resource's own.
    Said(Text),
}

impl Problem {
    pub fn new(field: impl Into<Text>, flaw: Flaw) -> Self {
        Self { field: field.into(), flaw }
    }
}

impl Fail {
    /// One field, one flaw.
    pub fn invalid(field: impl Into<Text>, flaw: Flaw) -> Self {
        Self::Invalid(vec![Problem::new(field, flaw)])
    }

    pub fn not_found(message: impl Into<Text>) -> Self {
        Self::NotFound(message.into())
    }

    pub fn denied(message: impl Into<Text>) -> Self {
        Self::Denied(message.into())
    }

    pub fn bad_request(message: impl Into<Text>) -> Self {
        Self::BadRequest(message.into())
    }

    pub fn conflict(message: impl Into<Text>) -> Self {
        Self::Conflict(message.into())
    }

    /// The status that most dialects give; one that differs says so in its `dialect.rs`.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated(_) | Self::BadCredentials => StatusCode::UNAUTHORIZED,
            Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) | Self::NoRoute => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Taken { .. } | Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::BadRequest(_) | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::WrongContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Gone(_) => StatusCode::GONE,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } | Self::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// When to try again, where that is known.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany { retry_after } | Self::Unavailable { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}

impl From<anyhow::Error> for Fail {
    fn from(e: anyhow::Error) -> Self {
        Self::Internal(Arc::new(e))
    }
}

/// A database that is full of work or going away is the client's cue to come back, not our fault to hide.
impl From<sqlx::Error> for Fail {
    fn from(e: sqlx::Error) -> Self {
        match e {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                Self::Unavailable { retry_after: Duration::from_secs(2) }
            }
            e => Self::Internal(Arc::new(e.into())),
        }
    }
}

/// Carries the failure to the dialect's layer, which words it.
impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

//! How a use of the box can fail, said without HTTP; [`super::dialect`] words it, once, at the rim.

use std::{sync::Arc, time::Duration};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{attendance::Refused, store::NotSaved};

#[derive(Debug, Clone, thiserror::Error)]
pub enum Fail {
    #[error("not signed in: {0:?}")]
    Unauthenticated(NoSession),
    /// Unknown login, wrong password, inactive account: one answer, so that none can be told from another.
    #[error("wrong login or password")]
    BadCredentials,
    #[error("denied: {0}")]
    Denied(&'static str),
    /// Asked in clear, from elsewhere.
    #[error("not encrypted")]
    InClear,
    #[error("not found: {0}")]
    NotFound(&'static str),
    #[error("no such route")]
    NoRoute,
    #[error("wrong method")]
    WrongMethod,
    #[error("invalid: {0:?}")]
    Invalid(Vec<Problem>),
    #[error("malformed body: {0}")]
    Malformed(String),
    #[error("the body's content type is not understood")]
    WrongContentType,
    #[error("the body is too large")]
    TooLarge,
    #[error("too many; again in {0:?}")]
    TooMany(Duration),
    #[error("busy; again in {0:?}")]
    Busy(Duration),
    #[error("took too long")]
    TimedOut,
    /// The attendance rules said no.
    #[error("refused: {0:?}")]
    Refused(Arc<Refused>),
    #[error("something went wrong here")]
    Internal(Arc<anyhow::Error>),
}

/// Why a request has no caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSession {
    Missing,
    /// Not ours, altered, revoked, of a person who may not sign in any more.
    Invalid,
    Expired,
}

/// One field, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `latitude`; empty when it is the whole body.
    pub field: String,
    pub flaw: Flaw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    Missing,
    /// Another type, or a value that cannot be read.
    Unreadable,
    TooLong(usize),
    /// Below the least or above the most, both allowed.
    OutOfRange(i64, i64),
    NotOneOf(&'static [&'static str]),
    /// No picture, or one beyond the limits.
    NotAPicture,
    /// Not four to eight digits.
    NotAPin,
}

impl Fail {
    /// One field, one flaw.
    pub fn invalid(field: impl Into<String>, flaw: Flaw) -> Self {
        Self::Invalid(vec![Problem { field: field.into(), flaw }])
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated(_) | Self::BadCredentials => StatusCode::UNAUTHORIZED,
            Self::Denied(_) | Self::InClear => StatusCode::FORBIDDEN,
            Self::NotFound(_) | Self::NoRoute => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::WrongContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy(_) | Self::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused(refused) => refused_status(refused),
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// When to try again, where that is known.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany(wait) | Self::Busy(wait) => Some(*wait),
            _ => None,
        }
    }
}

fn refused_status(refused: &Refused) -> StatusCode {
    match refused {
        Refused::UnknownNumber | Refused::UnknownClass | Refused::NoSuchScan => StatusCode::NOT_FOUND,
        Refused::RoleNotAllowed | Refused::Inactive => StatusCode::FORBIDDEN,
        Refused::FutureDay => StatusCode::UNPROCESSABLE_ENTITY,
        Refused::NotSaved(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

impl From<anyhow::Error> for Fail {
    fn from(e: anyhow::Error) -> Self {
        Self::Internal(Arc::new(e))
    }
}

impl From<Refused> for Fail {
    fn from(refused: Refused) -> Self {
        Self::Refused(Arc::new(refused))
    }
}

impl From<NotSaved> for Fail {
    fn from(why: NotSaved) -> Self {
        Refused::from(why).into()
    }
}

/// Carries the failure to the layer that words it.
impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

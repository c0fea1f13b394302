use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use hadir_shared::wire::batch::Refusal;
use serde::Serialize;

use crate::{attendance::dialect::Beside, fail::Fail};

/// How a box is refused: with a failure as anybody is, or with a [`Refusal`] that tells it what to do instead.
#[derive(Debug)]
pub enum Refused {
    Failed(Fail),
    Told(Refusal),
}

impl<F: Into<Fail>> From<F> for Refused {
    fn from(fail: F) -> Self {
        Self::Failed(fail.into())
    }
}

/// `refusal` beside the usual fields, for programs.
#[derive(Serialize)]
struct Field {
    refusal: Refusal,
}

/// Described with every failure.
impl aide::OperationOutput for Refused {
    type Inner = Self;
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let refusal = match self {
            Self::Failed(fail) => return fail.into_response(),
            Self::Told(refusal) => refusal,
        };
        let (status, message) = match refusal {
            Refusal::Gap { .. } => (StatusCode::CONFLICT, "Data sebelum kiriman ini belum diterima server"),
            Refusal::Fork { .. } => {
                (StatusCode::CONFLICT, "Riwayat perangkat berbeda dengan yang ada di server")
            }
            Refusal::Upgrade { .. } => (StatusCode::UPGRADE_REQUIRED, "Perangkat harus diperbarui"),
            Refusal::Refetch { .. } => (StatusCode::GONE, "Roster harus diambil ulang"),
        };
        Beside(status, message, Field { refusal }).into_response()
    }
}

//! Where one arrives.

use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};

use super::{EVERY_SCHOOL, USE, second, visit::Guest};
use crate::{app::App, fail::Fail};

/// On to one's own school; who looks after all of them goes to the list.
pub async fn show(State(_): State<App>, Guest { shell }: Guest) -> Result<Response, Fail> {
    if shell.who.is_half {
        return Ok(Redirect::to(&second::url("/console")).into_response());
    }
    if shell.may(EVERY_SCHOOL) {
        return Ok(Redirect::to("/console/schools").into_response());
    }
    match shell.who.institution {
        Some(institution) if shell.may(USE) => {
            Ok(Redirect::to(&format!("/console/{}", institution.0)).into_response())
        }
        _ => Err(Fail::denied("Akun ini tidak memakai konsol")),
    }
}

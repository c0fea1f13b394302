//! Whether a request that changes something comes from a page of ours.
//!
//! A page carries a token that only this cloud can make for the visitor's session; a script sends it in a header, a form in
//! a field. Another site can make a browser send the cookie, and cannot read the token. The cookie's `SameSite` and the
//! browser's own word of where a request comes from stand beside it.

use axum::http::{HeaderMap, header};
use data_encoding::HEXLOWER;

use crate::{app::App, fail::Fail};

/// The header a script sends it in.
pub const HEADER: &str = "x-csrf-token";
/// What a refused visitor reads: an old tab is the usual cause.
const REFUSAL: &str = "Halaman ini sudah kedaluwarsa. Muat ulang, lalu coba lagi.";

/// The token for `subject`: a session's id, or what a form was given before anybody signed in.
pub fn token(app: &App, subject: &str) -> String {
    HEXLOWER.encode(&app.seal.mac("console-csrf", subject.as_bytes())[..16])
}

/// Fails with [`Fail::Denied`].
pub fn check(app: &App, subject: &str, given: Option<&str>, headers: &HeaderMap) -> Result<(), Fail> {
    let wanted = token(app, subject);
    let is_equal = given.is_some_and(|given| equal(given.as_bytes(), wanted.as_bytes()));
    if is_equal && !is_foreign(headers) { Ok(()) } else { Err(Fail::denied(REFUSAL)) }
}

/// Whether the browser says that another site asks. One that says nothing is not believed to be foreign.
fn is_foreign(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
        || headers.get(header::ORIGIN).is_some_and(|origin| origin == "null")
}

/// In a time that does not tell how much of it is right.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

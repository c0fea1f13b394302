//! The console: the pages of the cloud, for those who lead schools and for those who keep the cloud running.
//!
//! This folder is what stands around every page; a resource's own pages stand in its folder
//! (`attendance/leaves/page.rs`) and are listed where its module lists them (`attendance/pages.rs`).
//!
//! What always holds:
//! - a page is made here, whole, and works without scripts where it only shows; it loads nothing from elsewhere, and its
//!   content security policy lets nothing inline run;
//! - what changes anything goes to the module's own API, which answers a second time under `/console/{school}/api`
//!   (`api.rs`): a page can do nothing that the API would refuse;
//! - the cookie counts under `/console` and in the sign-in of other software, nowhere else; a request that changes something
//!   proves that it comes from a page of ours (`csrf.rs`);
//! - the school stands in the address: two tabs with two schools are not confused. Of a school that is not the visitor's
//!   nothing exists;
//! - what a page shows of numbers follows the database without a reload (`live.rs`).
//!
//! | route | what |
//! |---|---|
//! | `GET /console` | on to the visitor's school, or the schools there are |
//! | `GET, POST /console/login` | signing in, with a code where one is needed; the same for other software's sign-in |
//! | `GET, POST /console/second-factor` | one's own second factor |
//! | `GET /console/schools` | all schools and how they are, for whoever looks after them |
//! | `GET /console/clients…`, `ANY /console/clients/api/…` | the software that lets people sign in here, and its registry |
//! | `POST /console/logout`, `POST /console/language` | |
//! | `GET /console/{school}/…` | the pages |
//! | `GET /console/{school}/events` | tells open pages that there is something new |
//! | `ANY /console/{school}/api/…`, `GET /console/{school}/files/{key}` | the module's API, for the page |

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::from_fn_with_state,
    response::{IntoResponse as _, Redirect, Response},
    routing::{any, get, post},
};

use crate::{
    app::App,
    fail::Fail,
    http::{AUTH_BODY_LIMIT, speak},
};

mod api;
mod assets;
pub mod chart;
mod clients;
pub mod csrf;
mod error;
mod form;
mod home;
mod live;
mod login;
mod page;
mod schools;
pub mod second;
pub mod session;
mod shell;
mod store;
#[cfg(test)]
pub(crate) mod tests;
mod visit;
pub mod words;

pub use form::Form;
pub use live::Live;
pub use page::{POLICY, Pages, html, html_with};
pub use shell::{School, Shell};
pub use visit::{Above, Guest, Visit};
pub use words::Lang;

/// Enters the console at all: every page asks for this and for what it shows.
pub const USE: &str = "attendance.console.use";
/// Sees every school, and works in each as its administrator would.
pub const EVERY_SCHOOL: &str = "sso.institutions.write";

/// All pages, of every module: `pages` are those of one school.
pub fn routes(app: &App, pages: Pages) -> Router<App> {
    let signing_in = Router::new()
        .route("/login", get(login::show).post(login::enter))
        .route("/login/code", post(login::with_code))
        .route("/second-factor", get(second::show).post(second::change))
        .route("/logout", post(login::leave))
        .route("/language", post(login::language))
        .layer(DefaultBodyLimit::max(AUTH_BODY_LIMIT));
    let shown = Router::new()
        .route("/", get(home::show))
        .route("/schools", get(schools::show))
        .route("/clients", get(clients::list))
        .route("/clients/new", get(clients::new))
        .route("/clients/{client_id}", get(clients::show))
        .merge(signing_in)
        .nest("/{school}", pages.into_router())
        .layer(from_fn_with_state(app.clone(), session::keep));
    let beside = Router::new()
        .route("/assets/{file}", get(assets::serve))
        .route("/{school}/events", get(live::events));
    // What the API says is in the API's words.
    speak(shown.merge(beside).merge(api::routes(app)), error::page)
}

/// `/console/` is not `/console`.
pub fn slash() -> axum::routing::MethodRouter<App> {
    any(async || Redirect::permanent("/console"))
}

/// What is no page, in a page's words.
pub fn failure(fail: &Fail) -> Response {
    error::page(fail).into_response()
}

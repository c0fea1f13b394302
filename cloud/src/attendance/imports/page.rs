//! The page on which a list of people is brought in: the file, what it would do, and the doing.
//!
//! What is shown of the file comes from the API, as for every other client: a preview first, and the same file again to be
//! written.

use askama::Template;
use axum::response::Response;

use crate::{
    attendance::permits::WriteUsers,
    console::{Pages, Shell, Visit, html},
    fail::Fail,
};

pub fn pages() -> Pages {
    Pages::default().page("/import", show)
}

#[derive(Template)]
#[template(path = "console/import.html")]
struct ImportPage {
    shell: Shell,
}

async fn show(visit: Visit<WriteUsers>) -> Result<Response, Fail> {
    html(&ImportPage { shell: visit.shell })
}

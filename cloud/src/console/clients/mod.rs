//! The software that lets people sign in here, for whoever keeps its registry: which there is, one of them, a new one.
//!
//! What always holds: nothing of a secret stands in a page; the one place where one is shown is the answer of the API that made
//! it. What changes anything is a request to that API, under [`API`].

use askama::Template;
use axum::{
    extract::{FromRequestParts, State},
    http::request::Parts,
    response::Response,
};

mod said;
#[cfg(test)]
mod tests;

pub use said::failure;

use super::{
    page::html,
    shell::Shell,
    store::{self, Named},
    visit::{Guest, Refused},
};
use crate::{
    app::App,
    db::Cloud,
    fail::Fail,
    http::Segment,
    identity::Alg,
    oidc::{
        KEEP_CLIENTS, LONGEST_OVERLAP_HOURS, USUAL_OVERLAP_HOURS,
        client::{self, About, Client},
        scope::{self, Scopes},
    },
};

/// Where the registry answers for these pages.
pub const API: &str = "/console/clients/api";

/// Somebody who keeps the registry. For anybody else there is none.
#[derive(Debug)]
pub struct Keeper {
    shell: Shell,
}

impl FromRequestParts<App> for Keeper {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let Guest { shell } = Guest::from_request_parts(parts, app).await?;
        if shell.may(KEEP_CLIENTS) { Ok(Self { shell }) } else { Err(Fail::NoRoute.into()) }
    }
}

#[derive(Template)]
#[template(path = "console/clients.html")]
struct ListPage {
    shell: Shell,
    /// What the software is told; without it there is no provider.
    issuer: Option<String>,
    clients: Vec<Client>,
    schools: Vec<Named>,
}

#[derive(Template)]
#[template(path = "console/client.html")]
struct ClientPage {
    shell: Shell,
    issuer: Option<String>,
    /// `None`: it is to be registered.
    client: Option<Client>,
    /// What the form begins with.
    about: About,
    schools: Vec<Named>,
}

pub async fn list(State(app): State<App>, Keeper { shell }: Keeper) -> Result<Response, Fail> {
    let mut tx = app.db.read(Cloud).await?;
    let (clients, schools) = (client::list(&mut tx).await?, store::every_school(&mut tx).await?);
    html(&ListPage { shell, issuer: app.config.public_url.clone(), clients, schools })
}

pub async fn new(State(app): State<App>, Keeper { shell }: Keeper) -> Result<Response, Fail> {
    page(&app, shell, None, usual()).await
}

pub async fn show(
    State(app): State<App>,
    Keeper { shell }: Keeper,
    Segment(client_id): Segment<String>,
) -> Result<Response, Fail> {
    let client = client::by_id(&mut app.db.read(Cloud).await?, &client_id).await?.ok_or(Fail::NoRoute)?;
    let about = client.about.clone();
    page(&app, shell, Some(client), about).await
}

async fn page(app: &App, shell: Shell, client: Option<Client>, about: About) -> Result<Response, Fail> {
    let schools = store::every_school(&mut app.db.read(Cloud).await?).await?;
    html(&ClientPage { shell, issuer: app.config.public_url.clone(), client, about, schools })
}

/// As the API has it, where nothing is said.
fn usual() -> About {
    About {
        name: String::new(),
        institution: None,
        is_public: false,
        redirect_uris: Vec::new(),
        logout_uris: Vec::new(),
        scopes: Scopes::parse("openid profile email"),
        alg: Alg::Rs256,
        is_trusted: false,
        is_active: true,
    }
}

impl ListPage {
    /// Whose people sign in to it; nothing for everybody's.
    fn school(&self, client: &Client) -> Option<&str> {
        let id = client.about.institution?.0;
        self.schools.iter().find(|school| school.id == id).map(|school| school.name.as_str())
    }
}

impl ClientPage {
    fn is_of(&self, school: &Named) -> bool {
        self.about.institution.is_some_and(|own| own.0 == school.id)
    }

    /// What is asked for beside `openid`, which every client has: scope, Indonesian, English.
    fn scopes() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        scope::ALL.into_iter().filter(|name| *name != scope::OPENID).map(|name| {
            let (id, en) = match name {
                "profile" => ("nama dan nama pengguna", "name and user name"),
                "email" => ("alamat email", "e-mail address"),
                "phone" => ("nomor telepon", "phone number"),
                "school" => ("sekolah, nomor induk, peran", "school, number, roles"),
                scope::OFFLINE => {
                    ("tetap masuk sesudah peramban ditutup", "stays signed in without the browser")
                }
                other => (other, other),
            };
            (name, id, en)
        })
    }

    /// One a line, as they are typed.
    fn lines(uris: &[String]) -> String {
        uris.join("\n")
    }
}

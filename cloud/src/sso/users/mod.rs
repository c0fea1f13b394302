//! The accounts somebody manages. Section 8 of the contract; changing one is `POST /auth/{uuid}`.
//!
//! What always holds: an account is made in the institution of who makes it, whatever the form says, and with the role of a
//! plain user; who operates the cloud names the institution.

use aide::axum::{ApiRouter, routing::get_with};
use axum::{
    extract::{DefaultBodyLimit, State},
    http::HeaderMap,
};
use hadir_shared::ids::InstitutionId;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Reach,
    account::{
        change::within,
        enter::{self, NAME, Person},
        shown::{Account, shown},
        unknown,
    },
    companies,
    dialect::{Created, Listed, Said},
    form::{FORM_LIMIT, Form},
    listing::Listing,
    permits::{ReadUsers, WriteUsers},
    pictures,
};
use crate::{
    app::App,
    fail::Fail,
    http::{Check, Holder, Segment, describe::says},
    identity::{seed, user},
    mail::Language,
};

mod store;
#[cfg(test)]
mod tests;

pub fn routes() -> ApiRouter<App> {
    // The documents have a slash at its end; whoever leaves it out means the same.
    let both = || {
        get_with(list, says("The accounts within reach"))
            .post_with(create, says("Make an account"))
            .layer(DefaultBodyLimit::max(FORM_LIMIT))
    };
    ApiRouter::new()
        .api_route("/users", both())
        .api_route("/users/", both())
        .api_route("/users/{uuid}", get_with(show, says("An account")))
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewAccount")]
struct New {
    username: Option<String>,
    email: Option<String>,
    password: Option<String>,
    name: Option<String>,
    /// Where the account belongs: for who belongs to no institution himself.
    institution_id: Option<String>,
}

async fn list(
    State(app): State<App>,
    who: Holder<ReadUsers>,
    listing: Listing,
) -> Result<Listed<Account>, Fail> {
    let reach = Reach::of(&who)?;
    let mut tx = app.db.read(reach).await?;
    let total = store::count(&mut tx, reach, &listing).await?;
    let mut rows = Vec::new();
    for user in store::page(&mut tx, reach, &listing).await? {
        rows.push(shown(&mut tx, user).await?);
    }
    let meta = listing.meta(total, rows.len());
    Ok(Listed("Data pengguna berhasil diambil", rows, meta))
}

async fn show(
    State(app): State<App>,
    who: Holder<ReadUsers>,
    Segment(uuid): Segment<Uuid>,
) -> Result<Said<Account>, Fail> {
    let reach = Reach::of(&who)?;
    let mut tx = app.db.read(reach).await?;
    let user = within(&mut tx, reach, uuid).await?;
    Ok(Said("Data pengguna berhasil diambil", shown(&mut tx, user).await?))
}

async fn create(
    State(app): State<App>,
    who: Holder<WriteUsers>,
    headers: HeaderMap,
    form: Form<New>,
) -> Result<Created<Account>, Fail> {
    let reach = Reach::of(&who)?;
    let new = form.fields;
    let mut check = Check::new();
    let (username, email, password) = enter::credentials(&mut check, new.username, new.email, new.password);
    let name = check.line("name", new.name, NAME);
    enter::strong(&mut check, &password, &[&name, &username, &email]);
    check.finish()?;
    let institution = match (reach, new.institution_id.filter(|id| !id.trim().is_empty())) {
        (Reach::Own(own), _) => Some(own),
        (Reach::Everywhere, Some(id)) => {
            let mut tx = app.db.read(reach).await?;
            Some(InstitutionId(companies::find(&mut tx, reach, id.trim()).await?.id))
        }
        (Reach::Everywhere, None) => None,
    };
    let mut check = Check::new();
    let around = user::institution_names(&mut app.db.read(reach).await?, institution).await?;
    enter::strong(&mut check, &password, &[&name, &username, &email, &around.code, &around.name]);
    check.finish()?;
    let role = Some(seed::USER);
    let person = Person { username, email, password, name, institution, role, ..Person::default() };
    let kept = pictures::keep(&app, form.avatar, form.cover).await?;
    let language = Language::of(&headers);
    let id = match enter::enter(&app, who.actor(), &person, &kept, language, async |_, _| Ok(())).await {
        Ok(id) => id,
        Err(fail) => {
            pictures::drop_all(&app, &kept).await;
            return Err(fail);
        }
    };
    let mut tx = app.db.read(reach).await?;
    let user = user::by_id(&mut tx, id).await?.ok_or_else(unknown)?;
    Ok(Created("Pengguna berhasil ditambahkan", shown(&mut tx, user).await?))
}

//! Roles, and who has one. Section 6 of the contract.
//!
//! What always holds:
//! - roles are the whole cloud's: who makes them operates it; those of the seed can be neither changed nor deleted;
//! - nobody gives a role that may do what he may not, nor touches somebody who may do more than he, nor changes his own;
//! - a role somebody has is not deleted.

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with},
};
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Reach,
    account::{
        change::{not_above, within},
        shown::{Account, shown},
        unknown as nobody,
    },
    companies::named,
    dialect::{Created, Done, Listed, Said},
    listing::Listing,
    permits::{GRANT_ANY, GrantRoles, ReadRoles, WriteRoles},
    services,
};
use crate::{
    app::App,
    db::{Cloud, ResultExt as _, Tx},
    fail::{Fail, Flaw},
    http::{Body, Check, Holder, Segment, describe::says},
    identity::{Caller, Entry, audit, seed, user},
};

mod store;
#[cfg(test)]
mod tests;

const CODE: std::ops::RangeInclusive<usize> = 2..=64;
const DESCRIPTION: std::ops::RangeInclusive<usize> = 1..=500;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/roles",
            get_with(list, says("The roles there are")).post_with(create, says("Make a role")),
        )
        .api_route(
            "/roles/{id}",
            get_with(show, says("A role"))
                .put_with(update, says("Change a role that was made"))
                .delete_with(delete, says("Delete a role that nobody has")),
        )
        .api_route("/auth/set-user-role/{uuid}", post_with(grant, says("Give somebody a role")))
}

/// A role. The documents call its code `uuid` where it stands with a user.
#[derive(Debug, Clone, Serialize, JsonSchema, FromRow)]
#[schemars(rename = "Role")]
pub struct Role {
    pub id: i64,
    pub name: String,
    #[sqlx(rename = "code")]
    pub uuid: String,
    pub reference_code: String,
    pub description: Option<String>,
    pub service: String,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewRole")]
struct New {
    reference_code: Option<String>,
    name: Option<String>,
    description: Option<String>,
    /// Of which service: its id, uuid or code; of SSO where it is left out.
    #[serde(default, deserialize_with = "named")]
    #[schemars(with = "Option<String>")]
    service_provider_id: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "RoleChange")]
struct Change {
    name: Option<String>,
    description: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "RoleOfUser")]
struct Grant {
    #[serde(default, deserialize_with = "named")]
    #[schemars(with = "Option<i64>")]
    role_id: Option<String>,
}

async fn list(State(app): State<App>, _: Holder<ReadRoles>, listing: Listing) -> Result<Listed<Role>, Fail> {
    let mut tx = app.db.read(Cloud).await?;
    let total = store::count(&mut tx, &listing).await?;
    let rows = store::page(&mut tx, &listing).await?;
    let meta = listing.meta(total, rows.len());
    Ok(Listed("Data peran berhasil diambil", rows, meta))
}

async fn show(
    State(app): State<App>,
    _: Holder<ReadRoles>,
    Segment(id): Segment<i64>,
) -> Result<Said<Role>, Fail> {
    let role = by_id(&mut app.db.read(Cloud).await?, id).await?;
    Ok(Said("Data peran berhasil diambil", role.ok_or_else(unknown)?))
}

async fn create(
    State(app): State<App>,
    who: Holder<WriteRoles>,
    Body(new): Body<New>,
) -> Result<Created<Role>, Fail> {
    let mut check = Check::new();
    let code = check.line("reference_code", new.reference_code, CODE);
    let plain = code.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    check.that(
        plain,
        "reference_code",
        Flaw::Said("reference_code hanya boleh memuat huruf, angka, dan . _ -".into()),
    );
    let name = check.line("name", new.name, CODE);
    let description = check.optional_text("description", new.description, DESCRIPTION);
    check.finish()?;
    let mut tx = app.db.write(Cloud).await?;
    let service =
        services::find(&mut tx, new.service_provider_id.as_deref().unwrap_or(super::SERVICE)).await?;
    let taken = Fail::Taken { field: "reference_code", message: "Peran dengan kode ini sudah ada".into() };
    let id = store::insert(&mut tx, service.id, &code, &name, description.as_deref(), app.now()).await;
    let made = by_id(&mut tx, id.on_taken(taken)?).await?.ok_or_else(unknown)?;
    let entry = Entry::new(who.actor(), "role.create", format!("role:{}", made.id));
    audit(&mut tx, &app, &entry.after(json!(made))).await?;
    tx.commit().await?;
    Ok(Created("Peran berhasil ditambahkan", made))
}

async fn update(
    State(app): State<App>,
    who: Holder<WriteRoles>,
    Segment(id): Segment<i64>,
    Body(new): Body<Change>,
) -> Result<Said<Role>, Fail> {
    let mut check = Check::new();
    let name = check.optional_line("name", new.name, CODE);
    let description = check.optional_text("description", new.description, DESCRIPTION);
    check.finish()?;
    let mut tx = app.db.write(Cloud).await?;
    let before = made(&mut tx, id).await?;
    store::update(&mut tx, id, name.as_deref(), description.as_deref()).await?;
    let after = by_id(&mut tx, id).await?.ok_or_else(unknown)?;
    let entry = Entry::new(who.actor(), "role.update", format!("role:{id}"));
    audit(&mut tx, &app, &entry.before(json!(before)).after(json!(after))).await?;
    tx.commit().await?;
    Ok(Said("Peran berhasil diperbarui", after))
}

async fn delete(
    State(app): State<App>,
    who: Holder<WriteRoles>,
    Segment(id): Segment<i64>,
) -> Result<Done, Fail> {
    let mut tx = app.db.write(Cloud).await?;
    let before = made(&mut tx, id).await?;
    let in_use = Fail::conflict("Peran ini masih dimiliki pengguna");
    store::delete(&mut tx, id).await.on_missing(in_use)?;
    let entry = Entry::new(who.actor(), "role.delete", format!("role:{id}"));
    audit(&mut tx, &app, &entry.before(json!(before))).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(Done("Peran berhasil dihapus"))
}

async fn grant(
    State(app): State<App>,
    who: Holder<GrantRoles>,
    Segment(uuid): Segment<Uuid>,
    Body(new): Body<Grant>,
) -> Result<Said<Account>, Fail> {
    let mut check = Check::new();
    let role = check.required("role_id", new.role_id);
    check.finish()?;
    let role =
        role.parse().map_err(|_| Fail::invalid("role_id", Flaw::WrongType("a whole number".into())))?;
    let reach = Reach::of(&who)?;
    let mut tx = app.db.write(reach).await?;
    let user = within(&mut tx, reach, uuid).await?;
    if user.id == who.user {
        return Err(Fail::bad_request("Anda tidak dapat mengubah peran akun sendiri"));
    }
    not_above(&mut tx, &who, &user).await?;
    let role = by_id(&mut tx, role).await?.ok_or_else(unknown)?;
    may_give(&mut tx, &who, &role).await?;
    if let Some(before) = store::role_in_same_service(&mut tx, user.id, role.id).await? {
        let before = by_id(&mut tx, before).await?.ok_or_else(unknown)?;
        may_give(&mut tx, &who, &before).await?;
    }
    user::set_role(&mut tx, &app, who.actor(), user.id, role.id).await?;
    let after = user::by_id(&mut tx, user.id).await?.ok_or_else(nobody)?;
    user::announce(&mut tx, &app, &after).await?;
    let account = shown(&mut tx, after).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(Said("Peran pengguna berhasil diatur", account))
}

/// Nobody gives, or takes, what he does not have; but who manages the people of a module gives its roles, as he does there.
async fn may_give(tx: &mut Tx, who: &Caller, role: &Role) -> Result<(), Fail> {
    let manages = format!("{}.users.write", role.service.to_lowercase());
    if who.may(GRANT_ANY) || (role.service != super::SERVICE && who.may(&manages)) {
        return Ok(());
    }
    let lacking = store::permissions(tx, role.id).await?.into_iter().any(|(code,)| !who.may(&code));
    if lacking {
        Err(Fail::denied("Anda tidak dapat memberikan peran yang melebihi izin Anda"))
    } else {
        Ok(())
    }
}

pub async fn by_id(tx: &mut Tx, id: i64) -> Result<Option<Role>, Fail> {
    Ok(store::find(tx, id).await?)
}

/// A role that people made.
async fn made(tx: &mut Tx, id: i64) -> Result<Role, Fail> {
    let role = by_id(tx, id).await?.ok_or_else(unknown)?;
    if role.id < seed::FIRST_MADE_ROLE {
        return Err(Fail::conflict("Peran bawaan tidak dapat diubah atau dihapus"));
    }
    Ok(role)
}

pub fn unknown() -> Fail {
    Fail::not_found("Peran tidak ditemukan")
}

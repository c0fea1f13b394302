//! Permissions of services, and which roles have them. Section 7 of the contract.
//!
//! What always holds: a permission's code is one of the whole cloud, because a caller is asked for the code alone; a role has
//! permissions of its own service only; the people a listing names are within the caller's reach.

use aide::axum::{
    ApiRouter,
    routing::{delete_with, get_with, post_with},
};
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Reach,
    companies::named,
    dialect::{Created, Done, Listed, Said},
    listing::Listing,
    permits::{ReadPermissions, WritePermissions, WriteRolePermissions},
    roles::{self, Role},
    services,
};
use crate::{
    app::App,
    db::{Cloud, Tx},
    fail::{Fail, Flaw},
    http::{Body, Check, Holder, Segment, describe::says},
    identity::{Entry, audit},
};

mod store;
#[cfg(test)]
mod tests;

const CODE: std::ops::RangeInclusive<usize> = 2..=100;
const DESCRIPTION: std::ops::RangeInclusive<usize> = 1..=500;
/// People a listing names at most.
const MOST_HOLDERS: i64 = 1_000;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/permissions", get_with(list, says("The permissions there are")))
        .api_route(
            "/permissions/{service}/service",
            get_with(of_service, says("The permissions of a service, by its id, uuid or code"))
                .post_with(create, says("Register a permission of a service")),
        )
        .api_route("/role-permissions", post_with(give, says("Give a role a permission")))
        .api_route(
            "/role-permissions/{permission}/role/{role}",
            delete_with(take, says("Take a permission from a role")),
        )
        .api_route(
            "/role-permissions/{permission}/role/{role}/user",
            get_with(holders, says("Who has a permission by a role")),
        )
}

/// A permission.
#[derive(Debug, Clone, Serialize, JsonSchema, FromRow)]
#[schemars(rename = "Permission")]
pub struct Master {
    pub id: i64,
    #[sqlx(rename = "code")]
    pub permission_name: String,
    pub name: String,
    pub description: Option<String>,
    pub resource_type: Option<String>,
    pub action: Option<String>,
    pub service_provider_id: i64,
    pub service: String,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewPermission")]
struct New {
    permission_name: Option<String>,
    /// As `permission_name`.
    name: Option<String>,
    description: Option<String>,
    resource_type: Option<String>,
    action: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewRolePermission")]
struct Given {
    #[serde(default, deserialize_with = "named")]
    #[schemars(with = "Option<String>")]
    role_id: Option<String>,
    #[serde(default, deserialize_with = "named")]
    #[schemars(with = "Option<String>")]
    permission_id: Option<String>,
}

/// A role's permission, and who has it that way.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RolePermission")]
struct RolePermission {
    role_id: i64,
    permission_id: i64,
    role: Role,
    permission: Master,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RolePermissionUsers")]
struct Holders {
    #[serde(flatten)]
    given: RolePermission,
    users: Vec<Person>,
}

/// Somebody who has a permission.
#[derive(Debug, Serialize, JsonSchema, FromRow)]
#[schemars(rename = "PermissionHolder")]
pub struct Person {
    id: i64,
    uuid: Uuid,
    name: String,
    username: Option<String>,
    email: Option<String>,
    institution_id: Option<i64>,
}

async fn list(
    State(app): State<App>,
    _: Holder<ReadPermissions>,
    listing: Listing,
) -> Result<Listed<Master>, Fail> {
    page(&mut app.db.read(Cloud).await?, None, &listing).await
}

async fn of_service(
    State(app): State<App>,
    _: Holder<ReadPermissions>,
    Segment(service): Segment<String>,
    listing: Listing,
) -> Result<Listed<Master>, Fail> {
    let mut tx = app.db.read(Cloud).await?;
    let service = services::find(&mut tx, &service).await?;
    page(&mut tx, Some(service.id), &listing).await
}

async fn page(tx: &mut Tx, service: Option<i64>, listing: &Listing) -> Result<Listed<Master>, Fail> {
    let total = store::count(tx, service, listing).await?;
    let rows = store::page(tx, service, listing).await?;
    let meta = listing.meta(total, rows.len());
    Ok(Listed("Data izin berhasil diambil", rows, meta))
}

async fn create(
    State(app): State<App>,
    who: Holder<WritePermissions>,
    Segment(service): Segment<String>,
    Body(new): Body<New>,
) -> Result<Created<Master>, Fail> {
    let mut check = Check::new();
    let name = check.line("permission_name", new.permission_name.or(new.name), CODE);
    let description = check.optional_text("description", new.description, DESCRIPTION);
    let resource_type = check.optional_line("resource_type", new.resource_type, CODE);
    let action = check.optional_line("action", new.action, CODE);
    check.finish()?;
    let mut tx = app.db.write(Cloud).await?;
    let service = services::find(&mut tx, &service).await?;
    let more = [description.as_deref(), resource_type.as_deref(), action.as_deref()];
    let id = store::insert(&mut tx, service.id, &name, more).await?;
    let taken = || Fail::Taken { field: "permission_name", message: "Izin dengan nama ini sudah ada".into() };
    let made = store::find(&mut tx, id.ok_or_else(taken)?).await?.ok_or_else(unknown)?;
    let entry = Entry::new(who.actor(), "permission.create", format!("permission:{}", made.id));
    audit(&mut tx, &app, &entry.after(json!(made))).await?;
    tx.commit().await?;
    Ok(Created("Izin berhasil ditambahkan", made))
}

async fn give(
    State(app): State<App>,
    who: Holder<WriteRolePermissions>,
    Body(new): Body<Given>,
) -> Result<Created<RolePermission>, Fail> {
    let mut check = Check::new();
    let role = number(&mut check, "role_id", new.role_id);
    let permission = number(&mut check, "permission_id", new.permission_id);
    check.finish()?;
    let mut tx = app.db.write(Cloud).await?;
    let (role, permission) = both(&mut tx, role, permission).await?;
    if role.service != permission.service {
        return Err(Fail::conflict("Izin ini milik layanan lain daripada peran tersebut"));
    }
    if store::give(&mut tx, role.id, permission.id).await? == 0 {
        return Err(Fail::conflict("Peran ini sudah memiliki izin tersebut"));
    }
    let entry = Entry::new(who.actor(), "role.permission_given", format!("role:{}", role.id));
    audit(&mut tx, &app, &entry.after(json!({"permission": permission.permission_name}))).await?;
    tx.commit().await?;
    app.identity.forget();
    let given = RolePermission { role_id: role.id, permission_id: permission.id, role, permission };
    Ok(Created("Izin berhasil diberikan kepada peran", given))
}

async fn take(
    State(app): State<App>,
    who: Holder<WriteRolePermissions>,
    Segment((permission, role)): Segment<(i64, i64)>,
) -> Result<Done, Fail> {
    let mut tx = app.db.write(Cloud).await?;
    let (role, permission) = both(&mut tx, role, permission).await?;
    // What makes the cloud governable stays with who governs it.
    if role.id == crate::identity::seed::SUPER_ADMIN {
        return Err(Fail::conflict("Izin peran SUPER-ADMIN tidak dapat dicabut"));
    }
    if store::take(&mut tx, role.id, permission.id).await? == 0 {
        return Err(not_given());
    }
    let entry = Entry::new(who.actor(), "role.permission_taken", format!("role:{}", role.id));
    audit(&mut tx, &app, &entry.before(json!({"permission": permission.permission_name}))).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(Done("Izin berhasil dicabut dari peran"))
}

async fn holders(
    State(app): State<App>,
    who: Holder<ReadPermissions>,
    Segment((permission, role)): Segment<(i64, i64)>,
) -> Result<Said<Holders>, Fail> {
    let reach = Reach::of(&who)?;
    let mut tx = app.db.read(reach).await?;
    let (role, permission) = both(&mut tx, role, permission).await?;
    if !store::has(&mut tx, role.id, permission.id).await? {
        return Err(not_given());
    }
    let users = store::holders(&mut tx, reach, role.id, MOST_HOLDERS).await?;
    let given = RolePermission { role_id: role.id, permission_id: permission.id, role, permission };
    Ok(Said("Data izin peran berhasil diambil", Holders { given, users }))
}

async fn both(tx: &mut Tx, role: i64, permission: i64) -> Result<(Role, Master), Fail> {
    let role = roles::by_id(tx, role).await?.ok_or_else(roles::unknown)?;
    let permission = store::find(tx, permission).await?.ok_or_else(unknown)?;
    Ok((role, permission))
}

fn number(check: &mut Check, field: &'static str, text: Option<String>) -> i64 {
    let text = check.required(field, text.filter(|text| !text.is_empty()));
    let number = text.parse().ok();
    check.that(text.is_empty() || number.is_some(), field, Flaw::WrongType("a whole number".into()));
    number.unwrap_or_default()
}

fn unknown() -> Fail {
    Fail::not_found("Izin tidak ditemukan")
}

fn not_given() -> Fail {
    Fail::not_found("Peran ini tidak memiliki izin tersebut")
}

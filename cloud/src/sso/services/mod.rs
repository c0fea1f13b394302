//! Service providers: the modules of this cloud, and whatever else is registered. Section 4 of the contract.

use aide::axum::{ApiRouter, routing::get_with};
use axum::extract::State;
use hadir_shared::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    dialect::{self, Created, Listed, Said},
    listing::Listing,
    permits::{ReadServices, WriteServices},
};
use crate::{
    app::App,
    db::{Cloud, ResultExt as _, Tx},
    fail::Fail,
    http::{Body, Check, Holder, Segment, describe::says},
    identity::{Entry, audit},
};

mod store;
#[cfg(test)]
mod tests;

const NAME: std::ops::RangeInclusive<usize> = 2..=64;
const DESCRIPTION: std::ops::RangeInclusive<usize> = 1..=500;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/service-providers",
            get_with(list, says("The services there are")).post_with(create, says("Register a service")),
        )
        .api_route("/service-providers/{service}", get_with(show, says("A service, by its id, uuid or code")))
}

/// A service.
#[derive(Debug, Clone, Serialize, JsonSchema, FromRow)]
#[schemars(rename = "ServiceProvider")]
pub struct Service {
    pub id: i64,
    pub uuid: Uuid,
    #[serde(rename = "reference_code")]
    pub code: String,
    pub name: String,
    pub description: Option<String>,
    #[sqlx(try_from = "i64")]
    #[serde(with = "dialect::Instant")]
    pub created_at: Millis,
    #[sqlx(try_from = "i64")]
    #[serde(with = "dialect::Instant")]
    pub updated_at: Millis,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewServiceProvider")]
struct New {
    name: Option<String>,
    description: Option<String>,
}

async fn list(
    State(app): State<App>,
    _: Holder<ReadServices>,
    listing: Listing,
) -> Result<Listed<Service>, Fail> {
    let mut tx = app.db.read(Cloud).await?;
    let total = store::count(&mut tx, &listing).await?;
    let rows = store::page(&mut tx, &listing).await?;
    let meta = listing.meta(total, rows.len());
    Ok(Listed("Data penyedia layanan berhasil diambil", rows, meta))
}

async fn show(
    State(app): State<App>,
    _: Holder<ReadServices>,
    Segment(name): Segment<String>,
) -> Result<Said<Service>, Fail> {
    let mut tx = app.db.read(Cloud).await?;
    Ok(Said("Data penyedia layanan berhasil diambil", find(&mut tx, &name).await?))
}

async fn create(
    State(app): State<App>,
    who: Holder<WriteServices>,
    Body(new): Body<New>,
) -> Result<Created<Service>, Fail> {
    let mut check = Check::new();
    let name = check.line("name", new.name, NAME);
    let description = check.optional_text("description", new.description, DESCRIPTION);
    check.finish()?;
    let (code, now) = (name.to_uppercase(), app.now());
    let taken = Fail::Taken { field: "name", message: "Penyedia layanan dengan nama ini sudah ada".into() };
    let mut tx = app.db.write(Cloud).await?;
    let uuid = app.ids.uuid(now);
    let made =
        store::insert(&mut tx, uuid, &code, &name, description.as_deref(), now).await.on_taken(taken)?;
    let entry = Entry::new(who.actor(), "service.create", format!("service:{}", made.id));
    audit(&mut tx, &app, &entry.after(json!(made))).await?;
    tx.commit().await?;
    Ok(Created("Penyedia layanan berhasil ditambahkan", made))
}

/// By id, uuid or code.
pub async fn find(tx: &mut Tx, name: &str) -> Result<Service, Fail> {
    let found = match (name.parse::<i64>(), name.parse::<Uuid>()) {
        (Ok(id), _) => store::find(tx, id).await?,
        (_, Ok(uuid)) => store::find_by_uuid(tx, uuid).await?,
        // PostgreSQL has no text with a NUL in it.
        _ if name.contains(char::is_control) => None,
        _ => store::find_by_code(tx, &name.to_uppercase()).await?,
    };
    found.ok_or_else(|| Fail::not_found("Penyedia layanan tidak ditemukan"))
}

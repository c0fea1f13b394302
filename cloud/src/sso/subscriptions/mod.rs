//! Which institution has which service ("company-service-providers"). Section 5 of the contract.
//!
//! What always holds: a module that is switched off here is out of reach for everybody of the institution, on this node at
//! once and on the others within a second (`identity::CACHE_MS`).

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with},
};
use axum::extract::State;
use hadir_shared::{ids::InstitutionId, time::Millis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Reach, companies,
    dialect::{self, Created, Done, Said},
    permits::{ReadCompanies, WriteCompanies},
    services,
};
use crate::{
    app::App,
    db::Cloud,
    fail::Fail,
    http::{Body, Check, Holder, Segment, describe::says},
    identity::{Entry, audit, user},
};

mod store;
#[cfg(test)]
mod tests;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/company-service-providers", post_with(create, says("Give an institution a service")))
        .api_route(
            "/company-service-providers/{id}",
            get_with(list, says("The services of an institution, by the institution's id"))
                .delete_with(delete, says("Take a service from an institution, by the link's id")),
        )
}

/// An institution's service.
#[derive(Debug, Clone, Serialize, JsonSchema, FromRow)]
#[schemars(rename = "CompanyServiceProvider")]
pub struct Link {
    pub id: i64,
    pub company_id: i64,
    pub service_provider_id: i64,
    pub service_uuid: Uuid,
    pub service_code: String,
    pub service_name: String,
    #[sqlx(try_from = "i64")]
    #[serde(with = "dialect::Instant")]
    pub created_at: Millis,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewCompanyServiceProvider")]
struct New {
    #[serde(default, deserialize_with = "companies::named")]
    #[schemars(with = "Option<i64>")]
    company_id: Option<String>,
    #[serde(default, deserialize_with = "companies::named")]
    #[schemars(with = "Option<i64>")]
    service_provider_id: Option<String>,
}

async fn list(
    State(app): State<App>,
    who: Holder<ReadCompanies>,
    Segment(company): Segment<String>,
) -> Result<Said<Vec<Link>>, Fail> {
    let reach = Reach::of(&who)?;
    let mut tx = app.db.read(reach).await?;
    let company = companies::find(&mut tx, reach, &company).await?;
    let links = store::of_company(&mut tx, InstitutionId(company.id)).await?;
    Ok(Said("Data layanan institusi berhasil diambil", links))
}

async fn create(
    State(app): State<App>,
    who: Holder<WriteCompanies>,
    Body(new): Body<New>,
) -> Result<Created<Link>, Fail> {
    let mut check = Check::new();
    let company = check.required("company_id", new.company_id);
    let service = check.required("service_provider_id", new.service_provider_id);
    check.finish()?;
    let mut tx = app.db.write(Cloud).await?;
    let company = InstitutionId(companies::find(&mut tx, Reach::Everywhere, &company).await?.id);
    let service = services::find(&mut tx, &service).await?;
    let id = store::insert(&mut tx, company, service.id, app.now()).await?;
    let id = id.ok_or_else(|| Fail::conflict("Institusi ini sudah memiliki layanan tersebut"))?;
    let made = store::find(&mut tx, id).await?.ok_or_else(unknown)?;
    let entry =
        Entry::new(who.actor(), "institution.service_on", format!("institution:{company}")).of(company);
    audit(&mut tx, &app, &entry.after(json!({"service": service.code}))).await?;
    user::announce_institution(&mut tx, &app, company).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(Created("Layanan berhasil ditambahkan ke institusi", made))
}

async fn delete(
    State(app): State<App>,
    who: Holder<WriteCompanies>,
    Segment(id): Segment<i64>,
) -> Result<Done, Fail> {
    let mut tx = app.db.write(Cloud).await?;
    let link = store::find(&mut tx, id).await?.ok_or_else(unknown)?;
    if store::delete(&mut tx, id).await? == 0 {
        return Err(unknown());
    }
    let company = InstitutionId(link.company_id);
    let entry =
        Entry::new(who.actor(), "institution.service_off", format!("institution:{company}")).of(company);
    audit(&mut tx, &app, &entry.before(json!({"service": link.service_code}))).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(Done("Layanan berhasil dihapus dari institusi"))
}

fn unknown() -> Fail {
    Fail::not_found("Layanan institusi tidak ditemukan")
}

//! Institutions ("companies" in the documents). Section 3 of the contract.
//!
//! What always holds: an institution is made with its first administrator, or not at all; who belongs to one changes that one
//! only, whatever the body names; a website is a web address, because people will follow it.

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with},
};
use axum::{
    extract::{DefaultBodyLimit, State},
    http::HeaderMap,
};
use hadir_shared::{ids::InstitutionId, time::Millis};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Reach,
    account::{
        enter::{self, Person},
        shown::{Account, shown},
    },
    dialect::{self, Created, Listed, Said},
    form::{FORM_LIMIT, Form},
    listing::Listing,
    permits::{ReadCompanies, UpdateCompany, WriteCompanies},
    pictures::{self, Kept, Owner},
};
use crate::{
    app::App,
    db::{Cloud, Tx},
    fail::{Fail, Flaw},
    http::{Body, Check, Holder, Permission as _, Segment, describe::says},
    identity::{Actor, Entry, audit, seed, user},
    mail::Language,
};

mod store;
#[cfg(test)]
mod tests;

/// Characters of a field of an institution that is not its name.
const SHORT: std::ops::RangeInclusive<usize> = 1..=255;
const CODE: std::ops::RangeInclusive<usize> = 2..=32;

pub fn routes() -> ApiRouter<App> {
    let list_and_update = || {
        get_with(list, says("The institutions within reach"))
            .post_with(update, says("Change what an institution says of itself"))
    };
    ApiRouter::new()
        .api_route("/company", list_and_update())
        .api_route("/companies", get_with(list, says("The institutions within reach")))
        .api_route("/companies/{id}", get_with(show, says("An institution, by its id or uuid")))
        .api_route(
            "/auth/add-new-institution",
            post_with(create, says("Make an institution, and its first administrator"))
                .layer(DefaultBodyLimit::max(FORM_LIMIT)),
        )
}

/// An institution.
#[derive(Debug, Clone, Serialize, JsonSchema, FromRow)]
#[schemars(rename = "Company")]
pub struct Company {
    pub id: i64,
    pub uuid: Uuid,
    #[serde(rename = "institution_code")]
    pub code: String,
    #[serde(rename = "institution_name")]
    pub name: String,
    pub address1: Option<String>,
    pub address2: Option<String>,
    pub address3: Option<String>,
    pub zipcode: Option<String>,
    pub telephone1: Option<String>,
    pub telephone2: Option<String>,
    pub fax: Option<String>,
    pub website: Option<String>,
    pub avatar: Option<String>,
    pub cover: Option<String>,
    #[serde(rename = "isactive")]
    pub is_active: bool,
    #[sqlx(try_from = "i64")]
    #[serde(with = "dialect::Instant")]
    pub created_at: Millis,
    #[sqlx(try_from = "i64")]
    #[serde(with = "dialect::Instant")]
    pub updated_at: Millis,
}

/// What an institution says of itself; `None` leaves a field as it is, an empty text clears it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "CompanyChange")]
pub struct Fields {
    institution_name: Option<String>,
    address1: Option<String>,
    address2: Option<String>,
    address3: Option<String>,
    zipcode: Option<String>,
    telephone1: Option<String>,
    telephone2: Option<String>,
    fax: Option<String>,
    website: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "CompanyUpdate")]
struct Update {
    /// Whose; needed by who belongs to none.
    #[serde(default, deserialize_with = "named")]
    #[schemars(with = "Option<String>")]
    institution_id: Option<String>,
    /// Switched off, nobody of it can sign in; for who makes institutions.
    isactive: Option<bool>,
    #[serde(flatten)]
    fields: Fields,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewCompany")]
struct New {
    username: Option<String>,
    email: Option<String>,
    password: Option<String>,
    institution_code: Option<String>,
    #[serde(flatten)]
    fields: Fields,
}

/// An institution that was made, and who administers it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FoundedCompany")]
struct Founded {
    institution: Company,
    user: Account,
}

/// An id as a number or as a text.
pub fn named<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Named {
        Number(i64),
        Text(String),
    }
    let named = Option::<Named>::deserialize(from)?;
    Ok(named.map(|named| match named {
        Named::Number(number) => number.to_string(),
        Named::Text(text) => text.trim().to_owned(),
    }))
}

async fn list(
    State(app): State<App>,
    who: Holder<ReadCompanies>,
    listing: Listing,
) -> Result<Listed<Company>, Fail> {
    let reach = Reach::of(&who)?;
    let mut tx = app.db.read(reach).await?;
    let total = store::count(&mut tx, reach, &listing).await?;
    let rows: Vec<_> = store::page(&mut tx, reach, &listing).await?.into_iter().map(with_addresses).collect();
    let meta = listing.meta(total, rows.len());
    Ok(Listed("Data institusi berhasil diambil", rows, meta))
}

async fn show(
    State(app): State<App>,
    who: Holder<ReadCompanies>,
    Segment(id): Segment<String>,
) -> Result<Said<Company>, Fail> {
    let reach = Reach::of(&who)?;
    let mut tx = app.db.read(reach).await?;
    Ok(Said("Data institusi berhasil diambil", find(&mut tx, reach, &id).await?))
}

async fn update(
    State(app): State<App>,
    who: Holder<UpdateCompany>,
    Body(new): Body<Update>,
) -> Result<Said<Company>, Fail> {
    let reach = Reach::of(&who)?;
    let fields = read(new.fields)?;
    let name =
        new.institution_id.filter(|name| !name.is_empty()).or(who.institution.map(|id| id.to_string()));
    let name = name.ok_or_else(|| Fail::invalid("institution_id", Flaw::Missing))?;
    let mut tx = app.db.write(reach).await?;
    let before = find(&mut tx, reach, &name).await?;
    let active = new.isactive.filter(|active| before.is_active != *active);
    if active.is_some() && !who.may(WriteCompanies::CODE) {
        return Err(Fail::denied(WriteCompanies::REFUSAL));
    }
    let id = InstitutionId(before.id);
    store::update(&mut tx, id, &fields, active, app.now()).await?;
    let after = by_id(&mut tx, id).await?.ok_or_else(unknown)?;
    let entry = Entry::new(who.actor(), "institution.update", format!("institution:{id}")).of(id);
    audit(&mut tx, &app, &entry.before(json!(before)).after(json!(after))).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(Said("Data institusi berhasil diperbarui", after))
}

async fn create(
    State(app): State<App>,
    who: Holder<WriteCompanies>,
    headers: HeaderMap,
    form: Form<New>,
) -> Result<Created<Founded>, Fail> {
    let new = form.fields;
    let mut check = Check::new();
    let (username, email, password) = enter::credentials(&mut check, new.username, new.email, new.password);
    let code = check.line("institution_code", new.institution_code, CODE);
    let fields = checked(&mut check, new.fields);
    let name = check.required("institution_name", fields.institution_name.clone());
    enter::strong(&mut check, &password, &[&name, &code, &username, &email]);
    check.finish()?;
    let kept = pictures::keep(&app, form.avatar, form.cover).await?;
    let person = Person {
        username,
        email,
        password,
        name: name.clone(),
        role: Some(seed::COMPANY_ADMIN),
        ..Person::default()
    };
    let founded =
        found(&app, who.actor(), (&code, &name), &fields, person, &kept, Language::of(&headers)).await;
    if founded.is_err() {
        pictures::drop_all(&app, &kept).await;
    }
    Ok(Created("Institusi berhasil ditambahkan", founded?))
}

/// The institution and its administrator, or neither. The pictures are the institution's.
async fn found(
    app: &App,
    by: Actor,
    (code, name): (&str, &str),
    fields: &Fields,
    person: Person,
    kept: &Kept,
    language: Language,
) -> Result<Founded, Fail> {
    let more = async |tx: &mut Tx, admin| {
        let id = match user::create_institution(tx, app, by, code, name, &["SSO"]).await {
            Err(Fail::Taken { message, .. }) => {
                return Err(Fail::Taken { field: "institution_code", message });
            }
            made => made?,
        };
        store::update(tx, id, fields, None, app.now()).await?;
        store::settle(tx, id, admin).await?;
        pictures::hang(tx, app, Owner::Institution(id), kept).await?;
        user::announce_institution(tx, app, id).await
    };
    let admin = enter::enter(app, by, &person, &Kept::default(), language, more).await?;
    let mut tx = app.db.read(Cloud).await?;
    let admin = user::by_id(&mut tx, admin).await?.ok_or_else(unknown)?;
    let institution = match admin.institution_id.map(InstitutionId) {
        Some(id) => by_id(&mut tx, id).await?,
        None => None,
    };
    Ok(Founded { institution: institution.ok_or_else(unknown)?, user: shown(&mut tx, admin).await? })
}

fn read(fields: Fields) -> Result<Fields, Fail> {
    let mut check = Check::new();
    let fields = checked(&mut check, fields);
    check.finish()?;
    Ok(fields)
}

fn checked(check: &mut Check, new: Fields) -> Fields {
    let mut short = |field: &'static str, value: Option<String>| match value {
        Some(text) if text.trim().is_empty() => Some(String::new()),
        text => check.optional_line(field, text, SHORT),
    };
    let fields = Fields {
        address1: short("address1", new.address1),
        address2: short("address2", new.address2),
        address3: short("address3", new.address3),
        zipcode: short("zipcode", new.zipcode),
        telephone1: short("telephone1", new.telephone1),
        telephone2: short("telephone2", new.telephone2),
        fax: short("fax", new.fax),
        website: short("website", new.website),
        institution_name: None,
    };
    if let Some(website) = fields.website.as_deref().filter(|website| !website.is_empty()) {
        check.that(
            is_web_address(website),
            "website",
            Flaw::Said("website harus diawali http:// atau https://".into()),
        );
    }
    Fields {
        institution_name: check.optional_line("institution_name", new.institution_name, SHORT),
        ..fields
    }
}

/// A link that people may follow: nothing that runs, and nobody's password in it.
fn is_web_address(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    rest.and_then(|rest| rest.split(['/', '?', '#']).next()).is_some_and(|host| {
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'))
    }) && !text.contains(|c: char| c.is_whitespace() || c == '"' || c == '<' || c == '>')
}

/// Within reach, by id or uuid.
pub async fn find(tx: &mut Tx, reach: Reach, name: &str) -> Result<Company, Fail> {
    let found = match (name.parse::<i64>(), name.parse::<Uuid>()) {
        (Ok(id), _) => store::find(tx, reach, id).await?,
        (_, Ok(uuid)) => store::find_by_uuid(tx, reach, uuid).await?,
        _ => None,
    };
    found.map(with_addresses).ok_or_else(unknown)
}

pub async fn by_id(tx: &mut Tx, id: InstitutionId) -> Result<Option<Company>, Fail> {
    Ok(store::find(tx, Reach::Own(id), id.0).await?.map(with_addresses))
}

/// The keys of pictures become addresses.
fn with_addresses(company: Company) -> Company {
    Company {
        avatar: pictures::address(company.avatar.as_deref()),
        cover: pictures::address(company.cover.as_deref()),
        ..company
    }
}

pub fn unknown() -> Fail {
    Fail::not_found("Institusi tidak ditemukan")
}

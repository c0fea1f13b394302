//! The school's boxes: how one joins, how they are, and how one is shut out.
//!
//! What always holds:
//! - a code lets one box in, once, within a day; the same box may ask again, because its answer may have been lost;
//! - the private key of a box never leaves it; its school is bound to it here, at enrolment, and never changes;
//! - a revoked box is told nothing about its school; what it still sends is kept, and counts for nothing.
//!
//! | route | who | what |
//! |---|---|---|
//! | `POST /offline-sync/enrolments` | anybody with a code | joins a school |
//! | `GET /edge-devices` | principal, admin | the boxes and how they are |
//! | `POST /edge-devices/codes` | admin | a code for a new box |
//! | `POST /edge-devices/{id}/revoke` | admin | shuts a box out |

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with},
};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use hadir_shared::{
    ids::{DeviceId, InstitutionId},
    sign::PublicKey,
    time::Millis,
    wire::{
        OLDEST_PROTO, PROTO,
        batch::Refusal,
        enrolment::{Enrol, Enrolled},
        speaks,
    },
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    dialect::{Created, Data, Paginated, Said},
    export::file,
    permits::{ReadDevices, WriteDevices},
    roster,
};
use crate::{
    app::App,
    db::{Cloud, Tx},
    fail::Fail,
    http::{
        Allowed, Body, Check, ClientAddress, Page, Segment,
        describe::{public, says},
    },
    identity::{Actor, Entry, audit},
    sheet::OrFile,
};

pub mod alerts;
pub mod cloud_key;
pub mod device;
pub mod enrolment_code;
#[cfg(test)]
pub(super) mod hand;
pub mod link;
mod refused;
mod store;
#[cfg(test)]
mod tests;

pub use link::{Link, Load};
pub use refused::Refused;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/offline-sync/enrolments",
            post_with(enrol, public("A box joins a school with a one-time code")),
        )
        .api_route("/edge-devices", get_with(list, says("The boxes and how they are")))
        .api_route("/edge-devices/codes", post_with(make_code, says("A code that lets one box in")))
        .api_route("/edge-devices/{id}/revoke", post_with(revoke, says("Shut a box out")))
}

/// A box, as the fleet page shows it. Instants are written as everywhere in this dialect.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Box")]
struct Shown {
    id: Uuid,
    name: String,
    version: String,
    /// The first characters of its key, to be compared with what its own page shows.
    key: String,
    enrolled_at: String,
    revoked_at: Option<String>,
    last_seen_at: Option<String>,
    /// The box's wall clock minus ours, at the last contact.
    clock_offset_ms: Option<i64>,
    /// Records it has not delivered, as it told.
    pending: Option<i64>,
    oldest_pending_at: Option<String>,
    disk_free_bytes: Option<i64>,
    /// Changes of the roster it has not fetched.
    roster_behind: Option<i64>,
}

impl Shown {
    fn new(row: store::ListedRow, latest: i64) -> Self {
        let at = |at: Option<i64>| at.map(|at| Millis(at).to_rfc3339_micros());
        Self {
            id: row.id,
            name: row.name,
            version: row.version,
            key: row.public_key.chars().take(16).collect(),
            enrolled_at: Millis(row.enrolled_at).to_rfc3339_micros(),
            revoked_at: at(row.revoked_at),
            last_seen_at: at(row.last_seen_at),
            clock_offset_ms: row.clock_offset_ms,
            pending: row.pending,
            oldest_pending_at: at(row.oldest_pending_at),
            disk_free_bytes: row.disk_free_bytes,
            roster_behind: row.roster_cursor.map(|cursor| (latest - cursor).max(0)),
        }
    }
}

async fn list(
    State(app): State<App>,
    who: Allowed<ReadDevices>,
    page: Page,
) -> Result<OrFile<Data<Paginated<Shown>>>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let latest = roster::latest(&mut tx, who.institution).await?;
    let total = store::count(&mut tx, who.institution).await?;
    let rows = store::list(&mut tx, who.institution, page.offset(), page.per_page).await?;
    if let Some(format) = page.format {
        return file(&mut tx, &app, who.institution, format, "perangkat", rows).await;
    }
    let shown = rows.into_iter().map(|row| Shown::new(row, latest)).collect();
    Ok(OrFile::Usual(Data(Paginated::new(&page, shown, total))))
}

#[derive(Debug, Serialize, JsonSchema)]
struct Code {
    /// Shown this once.
    code: String,
    expires_at: String,
}

async fn make_code(State(app): State<App>, who: Allowed<WriteDevices>) -> Result<Created<Code>, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    let code = enrolment_code::make(&mut tx, &app, who.actor(), who.institution).await?;
    tx.commit().await?;
    let expires_at = app.now().plus_millis(enrolment_code::LIFE_MS).to_rfc3339_micros();
    Ok(Created("Kode pendaftaran berhasil dibuat", Code { code, expires_at }))
}

async fn revoke(
    State(app): State<App>,
    who: Allowed<WriteDevices>,
    Segment(id): Segment<DeviceId>,
) -> Result<Said<Shown>, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    if store::revoke(&mut tx, who.institution, id, app.now()).await? == 1 {
        let entry = Entry::new(who.actor(), "device.revoke", format!("device:{id}")).of(who.institution);
        audit(&mut tx, &app, &entry).await?;
    }
    let row = store::one(&mut tx, who.institution, id).await?;
    let row = row.ok_or_else(|| Fail::not_found("Perangkat tidak ditemukan"))?;
    let latest = roster::latest(&mut tx, who.institution).await?;
    tx.commit().await?;
    app.sync.forget(id);
    Ok(Said("Perangkat berhasil dicabut", Shown::new(row, latest)))
}

/// Answers without the dialect's envelope, as everything between box and cloud.
async fn enrol(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    Body(asked): Body<Enrol>,
) -> Result<Response, Refused> {
    app.sync.may_enrol(address)?;
    if !speaks(asked.proto) {
        return Err(Refused::Told(Refusal::Upgrade { oldest: OLDEST_PROTO, newest: PROTO }));
    }
    let mut check = Check::new();
    let new = New {
        key: asked.public_key,
        name: check.text("name", Some(asked.name), 1..=100),
        version: check.text("version", Some(asked.version), 1..=50),
    };
    check.finish()?;
    let mut tx = app.db.write(Cloud).await?;
    let (institution, device) = join(&mut tx, &app, &enrolment_code::hash(&asked.code), new).await?;
    roster::ensure_keys(&mut tx, &app, institution).await?;
    let (institution_code, institution_name) = store::institution(&mut tx, institution).await?;
    tx.commit().await?;
    app.sync.forget(device);
    let enrolled = Enrolled {
        proto: PROTO,
        device,
        institution,
        institution_code,
        institution_name,
        cloud_key: app.sync.key().public(),
        time: app.now(),
    };
    let body = serde_json::to_vec(&enrolled).map_err(anyhow::Error::from)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

struct New {
    key: PublicKey,
    name: String,
    version: String,
}

/// The same code and key again answer the same membership; so does another code of the same school for a box that lost
/// all its answers.
async fn join(tx: &mut Tx, app: &App, hash: &str, new: New) -> Result<(InstitutionId, DeviceId), Fail> {
    let now = app.now();
    let code = store::lock_code(tx, hash).await?;
    let code = code.ok_or_else(|| Fail::not_found("Kode pendaftaran tidak dikenal"))?;
    let institution = InstitutionId(code.institution_id);
    let key = new.key.to_string();
    let known = store::device_by_key(tx, &key).await?;
    if let (Some(used_by), Some((device, ..))) = (code.device_id, &known)
        && used_by == *device
    {
        return Ok((institution, DeviceId(used_by)));
    }
    if code.device_id.is_some() {
        return Err(Fail::Gone("Kode pendaftaran sudah digunakan".into()));
    }
    if code.expires_at <= now.0 {
        return Err(Fail::Gone("Kode pendaftaran sudah kedaluwarsa".into()));
    }
    let device = match known {
        Some((device, school, None)) if school == institution.0 => DeviceId(device),
        Some(_) => return Err(Fail::conflict("Kunci perangkat ini sudah terdaftar")),
        None => {
            let device = DeviceId(app.ids.uuid(now));
            let inserted =
                store::insert_device(tx, institution, device, &new.name, &key, &new.version, now).await?;
            if inserted == 0 {
                return Err(Fail::conflict("Kunci perangkat ini sudah terdaftar"));
            }
            device
        }
    };
    store::use_code(tx, hash, device, now).await?;
    let entry = Entry::new(Actor::Device(device), "device.enrol", format!("device:{device}")).of(institution);
    audit(tx, app, &entry.after(json!({"name": new.name, "key": key}))).await?;
    Ok((institution, device))
}

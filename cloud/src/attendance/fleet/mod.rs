//! The school's boxes: how one joins, how they are, and how one is shut out.
//!
//! What always holds:
//! - a code lets one box in, once, within a day; the same box may ask again, because its answer may have been lost;
//! - the private key of a box never leaves it; its school is bound to it here, at enrolment, and never changes;
//! - a revoked box is told nothing about its school; what it still sends is kept, and counts for nothing;
//! - where a box has several logs, because it had to begin anew or because there are two of it, somebody may choose: what
//!   comes on the others from then on is kept, in quarantine. A choice can be made again, the other way.
//!
//! | route | who | what |
//! |---|---|---|
//! | `POST /offline-sync/enrolments` | anybody with a code | joins a school |
//! | `GET /edge-devices` | principal, admin | the boxes and how they are |
//! | `POST /edge-devices/codes` | admin | a code for a new box |
//! | `PUT /edge-devices/{id}` | admin | another name for a box |
//! | `POST /edge-devices/{id}/revoke` | admin | shuts a box out |
//! | `POST /edge-devices/{id}/logs/{log}/choose` | admin | of several logs of a box, the one that counts |

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with, put_with},
};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hadir_shared::{
    ids::{DeviceId, InstitutionId, LogId},
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
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    cards::qr::Qr,
    dialect::{Created, Data, Done, Paginated, Said},
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
pub(crate) mod hand;
pub mod link;
pub mod page;
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
        .api_route("/edge-devices/{id}", put_with(rename, says("Give a box another name")))
        .api_route("/edge-devices/{id}/revoke", post_with(revoke, says("Shut a box out")))
        .api_route(
            "/edge-devices/{id}/logs/{log}/choose",
            post_with(choose, says("Choose the log of a box that counts")),
        )
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
    /// The number of the last record in its log, as it told.
    recorded: Option<i64>,
    /// The number of the last record of that log that is here.
    acknowledged: Option<i64>,
    /// Whether both are one record; `null` while it has records under way.
    heads_equal: Option<bool>,
    logs: i64,
}

impl Shown {
    fn new(row: store::ListedRow, latest: i64) -> Self {
        let at = |at: Option<i64>| at.map(|at| Millis(at).to_rfc3339_micros());
        let heads_equal = row.heads_equal();
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
            recorded: row.told_seq,
            acknowledged: row.high_seq,
            heads_equal,
            logs: row.logs,
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
#[schemars(rename = "Code")]
struct NewCode {
    /// Shown this once.
    code: String,
    /// The same as a picture, in a `data:` URI.
    qr: String,
    expires_at: String,
}

async fn make_code(State(app): State<App>, who: Allowed<WriteDevices>) -> Result<Created<NewCode>, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    let code = enrolment_code::make(&mut tx, &app, who.actor(), who.institution).await?;
    tx.commit().await?;
    let expires_at = app.now().plus_millis(enrolment_code::LIFE_MS).to_rfc3339_micros();
    let qr = format!("data:image/svg+xml;base64,{}", BASE64.encode(Qr::new(&code)?.svg().as_bytes()));
    Ok(Created("Kode pendaftaran berhasil dibuat", NewCode { code, qr, expires_at }))
}

#[derive(Deserialize, JsonSchema)]
struct Naming {
    name: Option<String>,
}

async fn rename(
    State(app): State<App>,
    who: Allowed<WriteDevices>,
    Segment(id): Segment<DeviceId>,
    Body(naming): Body<Naming>,
) -> Result<Said<Shown>, Fail> {
    let mut check = Check::new();
    let name = check.text("name", naming.name, 1..=100);
    check.finish()?;
    let mut tx = app.db.write(who.institution).await?;
    let before = store::one(&mut tx, who.institution, id).await?.ok_or_else(unknown)?;
    if before.name != name {
        store::rename(&mut tx, who.institution, id, &name).await?;
        let entry = Entry::new(who.actor(), "device.rename", format!("device:{id}")).of(who.institution);
        let entry = entry.before(json!({"name": before.name})).after(json!({"name": name}));
        audit(&mut tx, &app, &entry).await?;
    }
    let latest = roster::latest(&mut tx, who.institution).await?;
    tx.commit().await?;
    Ok(Said("Nama perangkat berhasil diubah", Shown::new(store::ListedRow { name, ..before }, latest)))
}

#[derive(Deserialize, JsonSchema)]
struct Because {
    reason: Option<String>,
}

async fn choose(
    State(app): State<App>,
    who: Allowed<WriteDevices>,
    Segment((id, log)): Segment<(DeviceId, LogId)>,
    Body(because): Body<Because>,
) -> Result<Done, Fail> {
    let mut check = Check::new();
    let reason = check.text("reason", because.reason, 3..=500);
    check.finish()?;
    let mut tx = app.db.write(who.institution).await?;
    if store::choose_log(&mut tx, who.institution, id, log, app.now()).await? == 0 {
        return Err(unknown());
    }
    let entry = Entry::new(who.actor(), "device.choose_log", format!("device:{id}")).of(who.institution);
    audit(&mut tx, &app, &entry.after(json!({"log_id": log, "reason": reason}))).await?;
    tx.commit().await?;
    Ok(Done("Riwayat perangkat berhasil dipilih"))
}

fn unknown() -> Fail {
    Fail::not_found("Perangkat tidak ditemukan")
}

/// The boxes by name, those that were revoked too.
pub async fn names(tx: &mut Tx, institution: InstitutionId) -> Result<Vec<(Uuid, String)>, Fail> {
    Ok(store::names(tx, institution).await?)
}

/// Records the boxes have not delivered, as they told last.
pub async fn undelivered(tx: &mut Tx, institution: InstitutionId) -> Result<i64, Fail> {
    Ok(store::undelivered(tx, institution).await?)
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
    let row = row.ok_or_else(unknown)?;
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

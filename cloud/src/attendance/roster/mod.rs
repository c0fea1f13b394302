//! The roster: everything a box needs to know of its school, as a feed.
//!
//! What always holds:
//! - a change is published in the transaction that makes it, or not at all ([`publish`], the `touch_…` functions);
//! - numbers rise in commit order, so a box that asks for what came after its cursor misses nothing;
//! - a page, a manifest and the digest are of one state of the feed, and signed by the cloud;
//! - a box reads its own school's roster and nobody else's: the school is the device's, never the request's.
//!
//! | route | what |
//! |---|---|
//! | `GET /offline-sync/roster?generation=&since=` | what changed after a cursor; 410 where that cannot be told any more |
//! | `GET /offline-sync/roster/snapshot` | what the whole roster is made of |
//! | `GET /offline-sync/roster/chunks/{hash}` | a part of it |

use aide::axum::{ApiRouter, routing::get_with};
use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use hadir_shared::{
    chain::Hash,
    ids::{InstitutionId, UserId},
    sign::Signature,
    time::Millis,
    wire::{
        PROTO,
        batch::{Down, Refusal},
        roster::{Entry, Manifest, PAGE_ENTRIES, Page, digest},
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    app::App,
    attendance::fleet::{
        Load, Refused,
        device::{Device, Signed},
    },
    db::{Cloud, Tx},
    fail::Fail,
    http::{Params, Segment, describe::says},
    jobs::Work,
};

mod feed;
mod keys;
mod store;
#[cfg(test)]
mod tests;
mod touch;

pub use feed::{Change, publish};
pub use keys::{card_key, card_keys, ensure as ensure_keys, qr_key};
pub use store::schools;
pub use touch::{
    touch_card, touch_cards, touch_class, touch_classes, touch_everything, touch_holidays, touch_institution,
    touch_keys, touch_leave, touch_people, touch_person, touch_settings,
};

/// A snapshot nobody renewed is kept this long: a box on a bad line may take days over it.
const KEEP_SNAPSHOT_MS: i64 = 7 * 24 * 3600 * 1000;
/// A tombstone is kept this long; a box that was away longer takes a snapshot.
const KEEP_TOMBSTONE_MS: i64 = 180 * 24 * 3600 * 1000;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/offline-sync/roster", get_with(page, says("What changed in the roster after a cursor")))
        .api_route(
            "/offline-sync/roster/snapshot",
            get_with(snapshot, says("What the whole roster is made of")),
        )
        .api_route("/offline-sync/roster/chunks/{hash}", get_with(chunk, says("A part of the roster")))
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Cursor {
    generation: Option<Uuid>,
    since: Option<i64>,
}

async fn page(
    State(app): State<App>,
    Params(cursor): Params<Cursor>,
    signed: Signed,
) -> Result<Response, Refused> {
    let device = signed.active()?;
    let _place = app.sync.enter(&app, Load::Light).await?;
    let mut tx = app.db.read(device.institution).await?;
    store::hold_still(&mut tx).await?;
    let head = store::head(&mut tx, device.institution).await?.ok_or_else(no_roster)?;
    let since = cursor.since.unwrap_or(0);
    if cursor.generation != Some(head.generation) || since < head.floor || since > head.latest {
        return Err(Refused::Told(Refusal::Refetch { generation: head.generation }));
    }
    let mut page = page_after(&mut tx, device, &head, since).await?;
    drop(tx);
    page.sign(app.sync.key());
    Ok(json(&page)?)
}

async fn page_after(tx: &mut Tx, device: &Device, head: &store::HeadRow, since: i64) -> Result<Page, Fail> {
    let most = i64::try_from(PAGE_ENTRIES).map_err(anyhow::Error::from)?;
    let rows = store::entries_after(tx, device.institution, since, most).await?;
    let is_last = rows.len() < PAGE_ENTRIES;
    let entries: Vec<Entry> = rows.into_iter().map(Entry::from).collect();
    let latest = head.latest.cast_unsigned();
    let to = if is_last { latest } else { entries.last().map_or(latest, |entry| entry.cseq) };
    let is_last = to == latest;
    Ok(Page {
        proto: PROTO,
        institution: device.institution,
        generation: head.generation,
        from: since.cast_unsigned(),
        to,
        latest,
        revocations: head.revocations.cast_unsigned(),
        entries,
        digest: if is_last { Some(digest_now(tx, device.institution).await?) } else { None },
        sig: Signature([0; 64]),
    })
}

/// Over everything that lives, in the state this transaction sees.
async fn digest_now(tx: &mut Tx, institution: InstitutionId) -> Result<Hash, Fail> {
    let rows = store::living_hashes(tx, institution).await?;
    let mut hashed = Vec::with_capacity(rows.len());
    for (entity, key, hash) in &rows {
        hashed.push((entity.as_str(), key.as_str(), hash.parse::<Hash>().map_err(anyhow::Error::from)?));
    }
    Ok(digest(hashed))
}

async fn snapshot(State(app): State<App>, signed: Signed) -> Result<Response, Fail> {
    let institution = signed.active()?.institution;
    let _place = app.sync.enter(&app, Load::Light).await?;
    let mut tx = app.db.read(institution).await?;
    store::hold_still(&mut tx).await?;
    let head = store::head(&mut tx, institution).await?.ok_or_else(no_roster)?;
    let made = store::snapshot(&mut tx, institution).await?;
    drop(tx);
    let made = match made {
        Some(made) if made.generation == head.generation && made.cursor_at == head.latest => made,
        _ => materialise(&app, institution).await?,
    };
    let mut manifest = manifest(institution, &made)?;
    manifest.sign(app.sync.key());
    Ok(json(&manifest)?)
}

fn manifest(institution: InstitutionId, made: &store::SnapshotRow) -> anyhow::Result<Manifest> {
    Ok(Manifest {
        proto: PROTO,
        institution,
        generation: made.generation,
        cursor: made.cursor_at.cast_unsigned(),
        chunks: made.chunks.split_whitespace().map(str::parse).collect::<Result<_, _>>()?,
        digest: made.digest.parse()?,
        sig: Signature([0; 64]),
    })
}

/// Cuts the roster into chunks, while nobody changes it.
async fn materialise(app: &App, institution: InstitutionId) -> Result<store::SnapshotRow, Fail> {
    let now = app.now();
    let mut tx = app.db.write(institution).await?;
    let head = store::lock_head(&mut tx, institution).await?.ok_or_else(no_roster)?;
    let entries: Vec<Entry> =
        store::living(&mut tx, institution).await?.into_iter().map(Entry::from).collect();
    let mut names = Vec::new();
    for entries in entries.chunks(PAGE_ENTRIES) {
        let body = serde_json::to_string(entries).map_err(anyhow::Error::from)?;
        let hash = Hash::of(body.as_bytes());
        store::put_chunk(&mut tx, institution, hash, &body, now).await?;
        names.push(hash.to_string());
    }
    let digest = digest(entries.iter().map(|entry| (&*entry.entity, &*entry.key, entry.hash())));
    let made = store::SnapshotRow {
        generation: head.generation,
        cursor_at: head.latest,
        chunks: names.join(" "),
        digest: digest.to_string(),
    };
    store::put_snapshot(&mut tx, institution, &made, now).await?;
    tx.commit().await?;
    Ok(made)
}

async fn chunk(
    State(app): State<App>,
    Segment(hash): Segment<Hash>,
    signed: Signed,
) -> Result<Response, Fail> {
    let institution = signed.active()?.institution;
    let _place = app.sync.enter(&app, Load::Light).await?;
    let body = store::chunk(&mut app.db.read(institution).await?, institution, hash).await?;
    let body = body.ok_or_else(|| Fail::not_found("Bagian roster tidak ditemukan"))?;
    // Named by its hash: it never changes.
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "private, max-age=86400, immutable"),
    ];
    Ok((headers, Body::from(body)).into_response())
}

fn no_roster() -> Fail {
    Fail::not_found("Roster sekolah belum tersedia")
}

/// Bare: no dialect's envelope, because what is signed is the whole body.
fn json(body: &impl Serialize) -> anyhow::Result<Response> {
    let body = serde_json::to_vec(body)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// Where a school's feed stands, for every receipt. A school without a feed stands nowhere.
pub async fn down(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Down> {
    Ok(match store::head(tx, institution).await? {
        Some(head) => Down {
            generation: head.generation,
            latest: head.latest.cast_unsigned(),
            revocations: head.revocations.cast_unsigned(),
        },
        None => Down { generation: Uuid::nil(), latest: 0, revocations: 0 },
    })
}

/// The number of the newest change.
pub async fn latest(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<i64> {
    Ok(store::head(tx, institution).await?.map_or(0, |head| head.latest))
}

/// Deletes snapshots nobody renewed and tombstones everybody has had time to see. A scheduled job.
pub fn purge<'a>(tx: &'a mut Tx, app: &'a App) -> Work<'a> {
    Box::pin(async move {
        let before = |ms: i64| Millis(app.now().0 - ms);
        let chunks = store::purge_snapshots(tx, before(KEEP_SNAPSHOT_MS)).await?;
        let tombstones = store::purge_tombstones(tx, before(KEEP_TOMBSTONE_MS)).await?;
        tracing::info!(chunks, tombstones, "old parts of the roster deleted");
        Ok(())
    })
}

/// Brings every school's feed up to date with its rows: finds what was changed without being published, and moves students
/// whose day has come to enter a class or leave one, as when an academic year begins. A scheduled job.
pub fn refresh(app: &App) -> Work<'_> {
    Box::pin(each_school(app, "roster.refresh", refresh_school))
}

/// Told of somebody who was changed elsewhere: a box lets people in by what it knows of them.
pub fn witness<'a>(tx: &'a mut Tx, app: &'a App, institution: InstitutionId, person: UserId) -> Work<'a> {
    Box::pin(touch_person(tx, app, institution, person))
}

/// Told of a school that is new, or has attendance from now on.
pub fn founder<'a>(tx: &'a mut Tx, app: &'a App, institution: InstitutionId) -> Work<'a> {
    Box::pin(ensure_keys(tx, app, institution))
}

fn refresh_school<'a>(tx: &'a mut Tx, app: &'a App, institution: InstitutionId) -> Work<'a> {
    Box::pin(async move {
        ensure_keys(tx, app, institution).await?;
        touch_everything(tx, app, institution).await
    })
}

/// What is done to one school, in a transaction of that school.
pub type OfSchool = for<'a> fn(&'a mut Tx, &'a App, InstitutionId) -> Work<'a>;

/// Does something to every school that has attendance, each in a transaction of its own. One that fails is logged and stops no
/// other; when all are done, the whole has failed.
pub async fn each_school(app: &App, job: &'static str, work: OfSchool) -> Result<(), Fail> {
    let schools = schools(&mut app.db.read(Cloud).await?).await?;
    let (all, mut failed) = (schools.len(), 0);
    for institution in schools {
        if let Err(fail) = in_school(app, institution, work).await {
            failed += 1;
            tracing::error!(job, institution = institution.0, "failed for a school: {fail}: {fail:?}");
        }
    }
    if failed > 0 {
        return Err(anyhow::anyhow!("failed for {failed} of {all} schools").into());
    }
    Ok(())
}

async fn in_school(app: &App, institution: InstitutionId, work: OfSchool) -> Result<(), Fail> {
    let mut tx = app.db.write(institution).await?;
    work(&mut tx, app, institution).await?;
    Ok(tx.commit().await?)
}

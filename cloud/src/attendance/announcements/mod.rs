//! Announcements: written by those who lead the school, read by everybody in it. Section 7 of the contract.
//!
//! What always holds: who may not write sees the published ones only, and a draft does not exist for him; an announcement
//! has a `published_at` exactly while it is published, and it tells since when.

use aide::axum::{ApiRouter, routing::get_with};
use axum::extract::State;
use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    dialect::{self, Created, Done, Paginated, Said},
    export::file,
    permits::{ChangeAnnouncement, CreateAnnouncement, DeleteAnnouncement, Use},
};
use crate::{
    app::App,
    db::Tx,
    fail::Fail,
    http::{Allowed, Body, Check, Member, Page, Permission as _, Segment, describe::says},
    identity::{Entry, audit},
    sheet::OrFile,
};

pub mod page;
mod store;
#[cfg(test)]
mod tests;

const TITLE_MAX: usize = 255;
const CONTENT_MAX: usize = 10_000;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/announcements",
            get_with(list, says("Announcements, the newest first; who writes them also sees drafts"))
                .post_with(create, says("Write an announcement")),
        )
        .api_route(
            "/announcements/{id}",
            get_with(show, says("An announcement"))
                .put_with(update, says("Change an announcement"))
                .delete_with(delete, says("Delete an announcement")),
        )
}

/// An announcement, as the contract has it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Announcement {
    id: i64,
    title: String,
    content: String,
    author_id: UserId,
    is_published: bool,
    published_at: Option<String>,
    #[serde(with = "dialect::Instant")]
    created_at: Millis,
    #[serde(with = "dialect::Instant")]
    updated_at: Millis,
}

#[derive(Deserialize, JsonSchema)]
struct New {
    title: Option<String>,
    content: Option<String>,
    is_published: Option<bool>,
}

/// What is left out stays as it is.
#[derive(Debug)]
struct Change {
    title: Option<String>,
    content: Option<String>,
    is_published: Option<bool>,
}

/// Which announcements somebody sees.
#[derive(Debug, Clone, Copy)]
struct Seen {
    drafts: bool,
    now: Millis,
}

async fn list(
    State(app): State<App>,
    who: Allowed<Use>,
    page: Page,
) -> Result<OrFile<Said<Paginated<Announcement>>>, Fail> {
    let seen = seen_by(&app, &who);
    let mut tx = app.db.read(who.institution).await?;
    let total = store::count(&mut tx, who.institution, seen).await?;
    let rows = store::slice(&mut tx, who.institution, seen, page.per_page, page.offset()).await?;
    if let Some(format) = page.format {
        return file(&mut tx, &app, who.institution, format, "pengumuman", rows).await;
    }
    let announcements = rows.into_iter().map(Announcement::from).collect();
    let announcements = Paginated::new(&page, announcements, total);
    Ok(OrFile::Usual(Said("Data pengumuman berhasil diambil", announcements)))
}

async fn create(
    State(app): State<App>,
    who: Allowed<CreateAnnouncement>,
    Body(new): Body<New>,
) -> Result<Created<Announcement>, Fail> {
    let mut check = Check::new();
    let title = check.text("title", new.title, 1..=TITLE_MAX);
    let content = check.text("content", new.content, 1..=CONTENT_MAX);
    check.finish()?;
    let published = new.is_published.unwrap_or(true);
    let mut tx = app.db.write(who.institution).await?;
    let id =
        store::insert(&mut tx, who.institution, who.user, &title, &content, published, app.now()).await?;
    let made = find(&mut tx, who.institution, seen_by(&app, &who), id).await?;
    let entry = Entry::new(who.actor(), "announcement.create", subject(id)).of(who.institution);
    audit(&mut tx, &app, &entry.after(json!(made))).await?;
    tx.commit().await?;
    Ok(Created("Pengumuman berhasil dibuat", made))
}

async fn show(
    State(app): State<App>,
    who: Allowed<Use>,
    Segment(id): Segment<i64>,
) -> Result<Said<Announcement>, Fail> {
    let found =
        find(&mut app.db.read(who.institution).await?, who.institution, seen_by(&app, &who), id).await?;
    Ok(Said("Data pengumuman berhasil diambil", found))
}

async fn update(
    State(app): State<App>,
    who: Allowed<ChangeAnnouncement>,
    Segment(id): Segment<i64>,
    Body(new): Body<New>,
) -> Result<Said<Announcement>, Fail> {
    let mut check = Check::new();
    let title = check.optional_text("title", new.title, 1..=TITLE_MAX);
    let content = check.optional_text("content", new.content, 1..=CONTENT_MAX);
    check.finish()?;
    let change = Change { title, content, is_published: new.is_published };
    let seen = seen_by(&app, &who);
    let mut tx = app.db.write(who.institution).await?;
    let before = find(&mut tx, who.institution, seen, id).await?;
    store::update(&mut tx, who.institution, id, &change, app.now()).await?;
    let after = find(&mut tx, who.institution, seen, id).await?;
    let entry = Entry::new(who.actor(), "announcement.update", subject(id)).of(who.institution);
    audit(&mut tx, &app, &entry.before(json!(before)).after(json!(after))).await?;
    tx.commit().await?;
    Ok(Said("Pengumuman berhasil diperbarui", after))
}

async fn delete(
    State(app): State<App>,
    who: Allowed<DeleteAnnouncement>,
    Segment(id): Segment<i64>,
) -> Result<Done, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    let before = find(&mut tx, who.institution, seen_by(&app, &who), id).await?;
    if !store::delete(&mut tx, who.institution, id).await? {
        return Err(unknown());
    }
    let entry = Entry::new(who.actor(), "announcement.delete", subject(id)).of(who.institution);
    audit(&mut tx, &app, &entry.before(json!(before))).await?;
    tx.commit().await?;
    Ok(Done("Pengumuman berhasil dihapus"))
}

/// The newest that everybody reads.
pub async fn newest(
    tx: &mut Tx,
    institution: InstitutionId,
    now: Millis,
    most: i64,
) -> Result<Vec<Announcement>, Fail> {
    let rows = store::slice(tx, institution, Seen { drafts: false, now }, most, 0).await?;
    Ok(rows.into_iter().map(Announcement::from).collect())
}

async fn find(tx: &mut Tx, institution: InstitutionId, seen: Seen, id: i64) -> Result<Announcement, Fail> {
    Ok(store::by_id(tx, institution, seen, id).await?.ok_or_else(unknown)?.into())
}

fn seen_by(app: &App, who: &Member) -> Seen {
    Seen { drafts: who.may(CreateAnnouncement::CODE), now: app.now() }
}

fn subject(id: i64) -> String {
    format!("announcement:{id}")
}

fn unknown() -> Fail {
    Fail::not_found("Pengumuman tidak ditemukan")
}

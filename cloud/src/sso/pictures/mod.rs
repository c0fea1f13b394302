//! Avatars and covers, of people and of institutions.
//!
//! What always holds: a picture was decoded within limits and written anew as JPEG; its key is random, and all its address
//! holds; whoever has a new one has lost the old one, and who goes leaves none behind; it is seen by its owner, by those of
//! his institution and by who operates the cloud, and does not exist for anybody else.

use aide::axum::{ApiRouter, routing::get_with};
use anyhow::Context as _;
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};
use serde_json::json;

use super::{PREFIX, permits::EVERYWHERE};
use crate::{
    app::App,
    blobs::Folder,
    db::{Cloud, Tx},
    fail::{Fail, Flaw},
    http::{Segment, describe::says, immutable},
    identity::Caller,
    jobs::{self, NewJob, Work},
    picture::{self, drawing},
};

mod store;
#[cfg(test)]
mod tests;

const FOLDER: Folder = Folder("pictures");
/// A job: removes the bytes of a picture that nobody has any more.
pub const ERASE: &str = "sso.pictures.erase";
const KEY_LEN: usize = 32;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new().api_route("/pictures/{key}", get_with(show, says("An avatar or a cover")))
}

/// Whose picture it is.
#[derive(Debug, Clone, Copy)]
pub enum Owner {
    User(UserId, Option<InstitutionId>),
    Institution(InstitutionId),
}

/// Which of his two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Avatar,
    Cover,
}

/// Pictures that are on the disk and not yet anybody's.
#[derive(Debug, Default)]
pub struct Kept(Vec<(Kind, String)>);

/// The address of a picture, as answers say it.
pub fn address(key: Option<&str>) -> Option<String> {
    key.map(|key| format!("{PREFIX}/pictures/{key}"))
}

/// Reads and keeps what was sent. Follow it by [`hang`] in the transaction of what it belongs to, or by [`drop_all`] when that
/// came to nothing.
pub async fn keep(app: &App, avatar: Option<Vec<u8>>, cover: Option<Vec<u8>>) -> Result<Kept, Fail> {
    let mut kept = Kept::default();
    for (kind, field, bytes) in [(Kind::Avatar, "avatar", avatar), (Kind::Cover, "cover", cover)] {
        let Some(bytes) = bytes else { continue };
        match keep_one(app, field, bytes).await {
            Ok(key) => kept.0.push((kind, key)),
            Err(fail) => {
                drop_all(app, &kept).await;
                return Err(fail);
            }
        }
    }
    Ok(kept)
}

async fn keep_one(app: &App, field: &'static str, bytes: Vec<u8>) -> Result<String, Fail> {
    let jpeg = drawing(move || picture::photo(bytes)).await?;
    let said = format!("{field} harus berupa gambar JPEG, PNG atau WebP, paling besar 2 MB");
    let jpeg = jpeg.ok_or_else(|| Fail::invalid(field, Flaw::Said(said.into())))?;
    let key = app.ids.random_uuid().simple().to_string();
    FOLDER.put(app, &key, jpeg).await?;
    Ok(key)
}

/// Makes kept pictures those of their owner. What he had is erased by a job: ring [`App::jobs`] after the commit.
pub async fn hang(tx: &mut Tx, app: &App, owner: Owner, kept: &Kept) -> Result<(), Fail> {
    let now = app.now();
    for (kind, key) in &kept.0 {
        store::insert(tx, owner, key, now).await?;
        let before = match owner {
            Owner::User(user, _) => store::hang_on_user(tx, user, *kind, key, now).await?,
            Owner::Institution(institution) => {
                store::hang_on_institution(tx, institution, *kind, key, now).await?
            }
        };
        if let Some(before) = before {
            store::delete(tx, &before).await?;
            let institution = match owner {
                Owner::User(_, institution) => institution,
                Owner::Institution(institution) => Some(institution),
            };
            erase_later(tx, institution, &before, now).await?;
        }
    }
    Ok(())
}

/// Takes what somebody has out of the books, because his account goes; jobs erase it.
pub fn clear<'a>(tx: &'a mut Tx, app: &'a App, user: UserId) -> Work<'a> {
    Box::pin(async move {
        for (key, institution) in store::delete_of_user(tx, user).await? {
            erase_later(tx, institution.map(InstitutionId), &key, app.now()).await?;
        }
        Ok(())
    })
}

async fn erase_later(
    tx: &mut Tx,
    institution: Option<InstitutionId>,
    key: &str,
    now: Millis,
) -> Result<(), Fail> {
    let job = NewJob { kind: ERASE, institution, payload: json!({ "key": key }), run_at: now };
    jobs::enqueue(tx, &job, now).await.map(drop)
}

/// Removes what came to be nobody's. What cannot be removed is logged: it is never served.
pub async fn drop_all(app: &App, kept: &Kept) {
    for (_, key) in &kept.0 {
        if let Err(e) = FOLDER.remove(app, key).await {
            tracing::warn!(key, "a picture that is nobody's stays behind: {e:#}");
        }
    }
}

/// Does [`ERASE`].
pub fn erase_job<'a>(app: &'a App, job: &'a jobs::Row) -> Work<'a> {
    Box::pin(async move {
        let key = job.payload["key"].as_str().filter(|key| is_key(key)).context("no key of a picture")?;
        Ok(FOLDER.remove(app, key).await?)
    })
}

async fn show(
    State(app): State<App>,
    who: Caller,
    Segment(key): Segment<String>,
    headers: HeaderMap,
) -> Result<Response, Fail> {
    let found = if is_key(&key) { store::find(&mut app.db.read(Cloud).await?, &key).await? } else { None };
    let (institution, user) = found.ok_or_else(unknown)?;
    let own = user == Some(who.user.0);
    let near = institution.is_some() && institution == who.institution.map(|id| id.0);
    if !(own || near || who.may(EVERYWHERE)) {
        return Err(unknown());
    }
    let bytes = FOLDER.get(&app, &key).await?;
    let mut answer = immutable(&headers, &key, "image/jpeg", bytes);
    let name =
        HeaderValue::try_from(format!("inline; filename=\"{key}.jpg\"")).map_err(anyhow::Error::from)?;
    answer.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    Ok(answer)
}

fn is_key(text: &str) -> bool {
    text.len() == KEY_LEN && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn unknown() -> Fail {
    Fail::not_found("Gambar tidak ditemukan")
}

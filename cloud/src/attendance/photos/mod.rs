//! Profile photos: one's own, those of the school's people, and their thumbnails at a box. Section 2 of the contract, and
//! beyond it.
//!
//! What always holds: `users.photo_path` names the one profile photo its owner has in `files`, or nothing; a photo that was
//! replaced leaves the books in the transaction that replaces it, and the disk by a job; a box fetches thumbnails of its own
//! school's people and no other file.
//!
//! | route | who | what |
//! |---|---|---|
//! | `POST`, `DELETE /profile/photo` | everybody | one's own |
//! | `POST`, `DELETE /users/{id}/photo` | admin | somebody's of the school |
//! | `GET /offline-sync/photos/{key}` | a box | a thumbnail, by the key in `photo_path` |

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with},
};
use anyhow::anyhow;
use axum::{
    extract::{DefaultBodyLimit, State},
    http::HeaderMap,
    response::Response,
};
use hadir_shared::ids::UserId;
use serde_json::json;

use super::{
    dialect::{Done, Said},
    files::{self, Kept, Photo},
    fleet::{Load, device::Signed},
    people::Person,
    permits::{Use, WriteUsers},
    roster, users,
};
use crate::{
    app::App,
    fail::Fail,
    http::{Allowed, Member, Patch, Segment, describe::says},
    identity::{
        Entry, audit,
        user::{self, Profile},
    },
};

#[cfg(test)]
mod tests;

pub fn routes() -> ApiRouter<App> {
    let limit = DefaultBodyLimit::max(files::BODY_LIMIT);
    let own = post_with(set_own, says("Upload one's profile photo"))
        .delete_with(delete_own, says("Remove one's profile photo"));
    let any = post_with(set, says("Upload somebody's profile photo"))
        .delete_with(delete, says("Remove somebody's profile photo"));
    ApiRouter::new()
        .api_route("/profile/photo", own.layer(limit))
        .api_route("/users/{id}/photo", any.layer(limit))
        .api_route("/offline-sync/photos/{key}", get_with(for_box, says("The thumbnail of a profile photo")))
}

async fn set_own(State(app): State<App>, who: Allowed<Use>, photo: Photo) -> Result<Said<Person>, Fail> {
    Ok(Said("Foto profil berhasil diperbarui", replace(&app, &who, who.user, photo).await?))
}

async fn set(
    State(app): State<App>,
    who: Allowed<WriteUsers>,
    Segment(id): Segment<UserId>,
    photo: Photo,
) -> Result<Said<Person>, Fail> {
    Ok(Said("Foto profil berhasil diperbarui", replace(&app, &who, id, photo).await?))
}

async fn delete_own(State(app): State<App>, who: Allowed<Use>) -> Result<Done, Fail> {
    enter(&app, &who, who.user, None).await?;
    Ok(Done("Foto profil berhasil dihapus"))
}

async fn delete(
    State(app): State<App>,
    who: Allowed<WriteUsers>,
    Segment(id): Segment<UserId>,
) -> Result<Done, Fail> {
    enter(&app, &who, id, None).await?;
    Ok(Done("Foto profil berhasil dihapus"))
}

async fn for_box(
    State(app): State<App>,
    Segment(key): Segment<String>,
    headers: HeaderMap,
    signed: Signed,
) -> Result<Response, Fail> {
    let institution = signed.active()?.institution;
    let _place = app.sync.enter(&app, Load::Light).await?;
    files::show_thumb(&app, institution, &key, &headers).await
}

async fn replace(app: &App, who: &Member, owner: UserId, photo: Photo) -> Result<Person, Fail> {
    // Nothing is decoded for somebody who may not be changed.
    users::changeable(&mut app.db.read(who.institution).await?, who, owner).await?;
    let kept = files::keep_portrait(app, photo).await?;
    let entered = enter(app, who, owner, Some(&kept)).await;
    if entered.is_err() {
        files::forget(app, &kept).await;
    }
    entered
}

async fn enter(app: &App, who: &Member, owner: UserId, kept: Option<&Kept>) -> Result<Person, Fail> {
    let path = kept.map(Kept::path);
    let photo_path = path.clone().map_or(Patch::Clear, Patch::Set);
    let mut tx = app.db.write(who.institution).await?;
    let before = users::changeable(&mut tx, who, owner).await?;
    let never = anyhow!("a photo is in nobody's way").into();
    user::set_profile(&mut tx, app, owner, &Profile { photo_path, ..Profile::default() }, never).await?;
    files::replace_portrait(&mut tx, app, who.institution, owner, kept).await?;
    roster::touch_person(&mut tx, app, who.institution, owner).await?;
    let entry = Entry::new(who.actor(), "user.photo", format!("user:{owner}")).of(who.institution);
    let entry = entry.before(json!({"photo_path": before.photo_path})).after(json!({"photo_path": path}));
    audit(&mut tx, app, &entry).await?;
    let after = users::changeable(&mut tx, who, owner).await?;
    tx.commit().await?;
    app.jobs.ring();
    Ok(after)
}

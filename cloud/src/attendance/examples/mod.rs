//! Every example of the attendance documents, as `testing/examples` sends and compares them.

use hadir_shared::ids::UserId;
use serde_json::json;

use super::tests::School;
use crate::testing::{TestApp, examples::Section};

mod announcements;
mod attendance;
mod auth;
mod cards;
mod classes;
mod dashboard;
mod leaves;
mod offline_sync;
mod profile;
mod qrcode;
mod settings;
mod students;
mod users;

/// The picture of the documents.
const PHOTO: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";

/// Gives somebody everything the documents show of a person: a name, an address, a telephone, a photo.
async fn complete(t: &TestApp, token: &str, name: &str) {
    let word = name.split(' ').next().unwrap().to_lowercase();
    let body = json!({"name": name, "email": format!("{word}@sekolah.sch.id"), "phone": "081234567890"});
    assert_eq!(t.put("/api/profile", Some(token), body).await.status, 200);
    assert_eq!(t.post("/api/profile/photo", Some(token), json!({ "photo": PHOTO })).await.status, 200);
}

/// Somebody who is [`complete`], and his token.
async fn person(t: &TestApp, school: &School, (number, name): (&str, &str), role: i64) -> (UserId, String) {
    let (id, token) = t.signed_in(school.id, number, role).await;
    complete(t, &token, name).await;
    (id, token)
}

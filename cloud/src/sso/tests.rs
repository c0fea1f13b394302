//! Who there is in the tests of this module, and how they send forms.

use axum::body::Body;
use hadir_shared::ids::InstitutionId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    db::Cloud,
    fail::Fail,
    identity::{Actor, NewUser, seed, user},
    jobs::Worker,
    testing::{Answer, PASSWORD, TestApp, password_hash, request},
};

pub use crate::attendance::tests::both;

/// Somebody who is signed in.
pub struct Person {
    pub uuid: Uuid,
    pub token: String,
}

/// Who operates the cloud.
pub struct Operators {
    pub admin: Person,
    pub host: Person,
}

/// An institution, its administrator and one of its people.
pub struct Company {
    pub id: InstitutionId,
    pub admin: Person,
    pub user: Person,
}

pub async fn operators(t: &TestApp) -> Operators {
    let admin = person(t, None, "super_admin", Some(seed::SUPER_ADMIN)).await;
    Operators { admin, host: person(t, None, "host", Some(seed::HOST)).await }
}

pub async fn company(t: &TestApp, code: &str) -> Company {
    let id = t.institution(code).await;
    let name = code.to_lowercase();
    let admin = person(t, Some(id), &format!("{name}.admin"), Some(seed::COMPANY_ADMIN)).await;
    Company { id, admin, user: person(t, Some(id), &format!("{name}.user"), Some(seed::USER)).await }
}

/// With the address `username@sekolah.sch.id` and [`PASSWORD`].
pub async fn person(
    t: &TestApp,
    institution: Option<InstitutionId>,
    username: &str,
    role: Option<i64>,
) -> Person {
    let (hash, email) = (password_hash().await, format!("{username}@sekolah.sch.id"));
    let new = NewUser {
        institution,
        username: Some(username),
        name: "Siti Aminah",
        email: Some(&email),
        password_hash: &hash,
        ..NewUser::default()
    };
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let id = user::create(&mut tx, &t.app, Actor::System, &new, Fail::conflict("taken")).await.unwrap();
    if let Some(role) = role {
        user::set_role(&mut tx, &t.app, Actor::System, id, role).await.unwrap();
    }
    let uuid = user::by_id(&mut tx, id).await.unwrap().unwrap().uuid;
    tx.commit().await.unwrap();
    Person { uuid, token: sign_in(t, username, PASSWORD).await }
}

pub async fn login(t: &TestApp, username: &str, password: &str) -> Answer {
    t.post("/sso/auth", None, json!({"username": username, "password": password})).await
}

pub async fn sign_in(t: &TestApp, username: &str, password: &str) -> String {
    let answer = login(t, username, password).await;
    assert_eq!(answer.status, 200, "{} {username}: {}", t.on, answer.body);
    answer.body["data"]["token"].as_str().unwrap().to_owned()
}

/// A part of a form: a text, or a file.
pub enum Part<'a> {
    Text(&'a str, &'a str),
    File(&'a str, &'a [u8]),
}

/// The bytes of a form whose boundary is `x`.
pub fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        let (head, body) = match part {
            Part::Text(name, text) => (format!("name=\"{name}\""), text.as_bytes()),
            Part::File(name, file) => {
                (format!("name=\"{name}\"; filename=\"../../a.png\"\r\ncontent-type: image/png"), *file)
            }
        };
        bytes.extend_from_slice(format!("--x\r\ncontent-disposition: form-data; {head}\r\n\r\n").as_bytes());
        bytes.extend_from_slice(body);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"--x--\r\n");
    bytes
}

pub async fn send(t: &TestApp, path: &str, token: Option<&str>, parts: &[Part<'_>]) -> Answer {
    let asked = request("POST", path, token).header("content-type", "multipart/form-data; boundary=x");
    t.send(asked.body(Body::from(form(parts))).unwrap()).await
}

/// Of texts alone.
pub async fn send_texts(t: &TestApp, path: &str, token: Option<&str>, texts: &[(&str, &str)]) -> Answer {
    let parts: Vec<_> = texts.iter().map(|(name, text)| Part::Text(name, text)).collect();
    send(t, path, token, &parts).await
}

/// Does every job that is due.
pub async fn work(t: &TestApp) {
    Worker::new(t.app.clone(), crate::kinds()).drain().await.unwrap();
}

/// A small picture.
pub fn png(across: u32) -> Vec<u8> {
    crate::picture::decoded(&crate::attendance::tests::picture(across)).unwrap()
}

pub fn refusal(status: u16, code: &str, message: &str) -> Value {
    json!({"statusCode": status, "message": message, "errorCode": code})
}

/// How often something stands in the audit log.
pub async fn audited(t: &TestApp, action: &str) -> i64 {
    let mut tx = t.app.db.read(Cloud).await.unwrap();
    let (count,) =
        tx.query("SELECT COUNT(*) FROM audit_log WHERE action = $1").bind(action).one().await.unwrap();
    count
}

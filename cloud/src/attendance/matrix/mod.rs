//! Who may do what, over every route there is: two schools, every role, and ids of one's own, of others and of the other
//! school, in the path and in every field of a body that names something.
//!
//! The routes are those of the document, which is made from the router: a new one is in here at once, and fails until
//! `cases.rs` knows a body for it and `roles.rs` who may call it. What always holds:
//! - who is refused changes nothing, in any table;
//! - what belongs to another school is answered as what does not exist;
//! - whatever somebody does, the other school's rows stay as they were.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{
    docs,
    http::describe::{DEVICE, PERMISSION, PUBLIC, SESSION},
    testing::{Answer, TestApp, request},
};

#[expect(clippy::match_same_arms, clippy::too_many_lines, reason = "a table: an arm for each route")]
mod cases;
mod hostile;
#[expect(clippy::match_same_arms, reason = "a table: an arm for each permission")]
mod roles;
mod rows;
mod world;

use cases::{Case, Content, case};
use world::{School, World};

/// An operation of the document.
pub struct Operation {
    pub method: String,
    /// `/api/leaves/{id}`.
    pub path: String,
    pub permission: String,
    pub document: Value,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Every operation; what takes something away comes last.
fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(docs::json("attendance").unwrap()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                permission: operation[PERMISSION]
                    .as_str()
                    .unwrap_or_else(|| panic!("{method} {path}"))
                    .into(),
                document: operation.clone(),
            });
        }
    }
    let last = |operation: &Operation| match (operation.method.as_str(), operation.path.as_str()) {
        (_, "/api/auth/logout") => 3,
        (_, "/api/profile/password") => 2,
        ("DELETE", _) | (_, "/api/edge-devices/{id}/revoke" | "/api/classes/{id}/remove-students") => 1,
        _ => 0,
    };
    all.sort_by_key(|operation| (last(operation), operation.path.clone(), operation.method.clone()));
    assert!(all.len() > 50, "the document lost its routes");
    all
}

/// One router for the whole run: what it holds in memory is part of what is tested.
struct Client {
    router: axum::Router,
}

impl Client {
    fn new(t: &TestApp) -> Self {
        Self { router: t.router() }
    }

    async fn send(&self, case: &Case, method: &str, token: Option<&str>) -> Answer {
        let asked = request(method, &case.path, token);
        let asked = match &case.content {
            Content::None | Content::Query(_) => asked.body(Body::empty()),
            Content::Json(body) => {
                asked.header("content-type", "application/json").body(Body::from(body.to_string()))
            }
            Content::Form(bytes) => asked
                .header("content-type", "multipart/form-data; boundary=x")
                .body(Body::from(bytes.clone())),
        };
        let response = self.router.clone().oneshot(asked.unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 64 << 20).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into());
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

/// A refusal is in the dialect's envelope and words.
fn assert_refused(answer: &Answer, status: u16, text: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.body);
    assert_eq!(answer.body["success"], json!(false), "{what}: {}", answer.body);
    let message = answer.body["message"].as_str().unwrap_or_default();
    assert!(message.starts_with(text), "{what}: {message:?} instead of {text:?}");
    assert!(answer.body.get("data").is_none_or(Value::is_null), "{what} tells something: {}", answer.body);
}

const NOBODY: &str = "Token tidak valid";
const NO_SCHOOL: &str = "Akun ini tidak terhubung dengan sekolah mana pun";

#[tokio::test]
async fn nobody_gets_what_is_not_his() {
    super::tests::both(async |t| {
        let world = World::new(&t).await;
        let client = Client::new(&t);
        let all = operations();
        for operation in &all {
            assert_eq!(operation.permission, roles::asks(operation), "{operation}");
        }
        let everything = rows::all(&t).await;
        for operation in &all {
            refuse_strangers(&client, &world, operation).await;
            hide_the_other_school(&client, &world, operation).await;
        }
        assert_same(&everything, &rows::all(&t).await, "a refused request changed something");

        let theirs = rows::of(&t, world.b.id).await;
        for operation in &all {
            refuse_their_ids_in_bodies(&client, &world, operation).await;
        }
        keep_to_oneself(&client, &world).await;
        for operation in &all {
            let_in_who_may(&client, &world, operation).await;
        }
        assert_same(&theirs, &rows::of(&t, world.b.id).await, "the other school's rows changed");
    })
    .await;
}

fn assert_same(before: &rows::Rows, after: &rows::Rows, what: &str) {
    for (table, rows) in before {
        let (was, is): (BTreeSet<_>, BTreeSet<_>) = (rows.iter().collect(), after[table].iter().collect());
        let changed: Vec<_> = was.symmetric_difference(&is).take(4).collect();
        assert!(changed.is_empty(), "{what}: {table} {changed:#?}");
    }
}

/// Who is nobody, who lacks the permission, who belongs to no school.
async fn refuse_strangers(client: &Client, world: &World, operation: &Operation) {
    let own = case(operation, &world.a);
    let anonymous = client.send(&own, &operation.method, None).await;
    match operation.permission.as_str() {
        // Wrong credentials are a 401 too: what matters is that nobody is asked for a token.
        PUBLIC => assert_ne!(anonymous.body["message"], NOBODY, "{operation} {}", anonymous.body),
        DEVICE => {
            assert_refused(&anonymous, 401, NOBODY, &format!("{operation} by nobody"));
            for role in roles::ALL {
                let answer = client.send(&own, &operation.method, Some(world.a.token(role))).await;
                assert_refused(&answer, 401, NOBODY, &format!("{operation} by a {role}, who is no box"));
            }
        }
        permission => {
            assert_refused(&anonymous, 401, NOBODY, &format!("{operation} by nobody"));
            for token in ["x", "1|abc", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."] {
                let answer = client.send(&own, &operation.method, Some(token)).await;
                assert_refused(&answer, 401, NOBODY, &format!("{operation} with {token}"));
            }
            if permission == SESSION {
                return;
            }
            let (allowed, text) = roles::expected(permission);
            for role in roles::ALL.iter().filter(|role| !allowed.contains(role)) {
                let answer = client.send(&own, &operation.method, Some(world.a.token(role))).await;
                assert_refused(&answer, 403, text, &format!("{operation} by a {role}"));
            }
            let answer = client.send(&own, &operation.method, Some(&world.super_admin)).await;
            assert_refused(&answer, 403, NO_SCHOOL, &format!("{operation} by a super admin"));
        }
    }
}

/// Ids of the other school in the path: for whoever may call the route, and from both sides.
async fn hide_the_other_school(client: &Client, world: &World, operation: &Operation) {
    let names_something = operation.path.contains('{') && !operation.path.ends_with("/settings/{key}");
    if !names_something || [PUBLIC, DEVICE, SESSION].contains(&operation.permission.as_str()) {
        return;
    }
    for (mine, theirs) in [(&world.a, &world.b), (&world.b, &world.a)] {
        let (allowed, _) = roles::expected(&operation.permission);
        for role in allowed {
            let token = Some(mine.token(role));
            let aimed = |at: &School| Case { path: case(operation, at).path, ..case(operation, mine) };
            let foreign = client.send(&aimed(theirs), &operation.method, token).await;
            let unknown = client.send(&aimed(&world.unknown), &operation.method, token).await;
            let what = format!("{operation} by a {role} of the other school");
            assert_refused(&foreign, 404, "", &what);
            assert_eq!(foreign.body, unknown.body, "{what} can be told from what does not exist");
        }
    }
}

/// Ids of the other school in a body: each field of each body that names something, one after the other.
async fn refuse_their_ids_in_bodies(client: &Client, world: &World, operation: &Operation) {
    let own = case(operation, &world.a);
    let Content::Json(body) = &own.content else { return };
    if [PUBLIC, DEVICE, SESSION].contains(&operation.permission.as_str()) {
        return;
    }
    let fields = naming_fields(&operation.document["requestBody"]["content"]["application/json"]["schema"]);
    for field in &fields {
        assert!(!body[field].is_null(), "{operation}: `{field}` names something and is not in cases.rs");
    }
    for pointer in naming_values(body) {
        for role in roles::expected(&operation.permission).0 {
            let aimed = |at: &School| {
                let Content::Json(there) = case(operation, at).content else { unreachable!() };
                let Content::Json(mut body) = case(operation, &world.a).content else { unreachable!() };
                *body.pointer_mut(&pointer).unwrap() = there.pointer(&pointer).unwrap().clone();
                let id = there.pointer(&pointer).unwrap().to_string();
                (
                    Case { path: own.path.clone(), content: Content::Json(body) },
                    id.trim_matches('"').to_owned(),
                )
            };
            let ((foreign, their_id), (unknown, no_id)) = (aimed(&world.b), aimed(&world.unknown));
            let token = Some(world.a.token(role));
            let foreign = client.send(&foreign, &operation.method, token).await;
            let unknown = client.send(&unknown, &operation.method, token).await;
            let what = format!("{operation} by a {role} with another school's {pointer}");
            assert!(foreign.status.as_u16() < 500, "{what}: {}", foreign.body);
            assert_eq!(foreign.status, unknown.status, "{what}: {} / {}", foreign.body, unknown.body);
            let blurred = |answer: &Answer, id: &str| without_own_numbers(&answer.body).replace(id, "ID");
            assert_eq!(
                blurred(&foreign, &their_id),
                blurred(&unknown, &no_id),
                "{what} can be told from what does not exist"
            );
        }
    }
}

/// An answer's text without what differs between two requests anyway.
fn without_own_numbers(body: &Value) -> String {
    match body {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| {
                !matches!(
                    name.as_str(),
                    "id" | "nisn_nip_nik" | "created_at" | "updated_at" | "qr_code" | "serial" | "uuid"
                )
            })
            .map(|(name, value)| format!("{name}:{};", without_own_numbers(value)))
            .collect::<Vec<_>>()
            .concat(),
        Value::Array(items) => items.iter().map(without_own_numbers).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn names_something(field: &str) -> bool {
    let id = field == "id" || field == "ids" || field.ends_with("_id") || field.ends_with("_ids");
    (id && field != "role_id") || field.ends_with("_path")
}

fn naming_fields(schema: &Value) -> Vec<String> {
    let fields = schema["properties"].as_object().into_iter().flatten();
    fields.map(|(name, _)| name.clone()).filter(|name| names_something(name)).collect()
}

/// Where in a body something is named: `/user_id`, `/student_ids/0`, `/attendances/0/user_id`.
fn naming_values(body: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, named: bool, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| {
                    walk(value, &format!("{at}/{name}"), names_something(name), found);
                });
            }
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(n, value)| walk(value, &format!("{at}/{n}"), named, found));
            }
            _ if named => found.push(at.to_owned()),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(body, "", false, &mut found);
    found
}

/// What is another person's of the same school.
async fn keep_to_oneself(client: &Client, world: &World) {
    let (a, student) = (&world.a, Some(world.a.token("siswa")));
    for (method, path) in [
        ("GET", format!("/api/leaves/{}", a.sibling_leave)),
        ("PUT", format!("/api/leaves/{}", a.sibling_leave)),
        ("DELETE", format!("/api/leaves/{}", a.sibling_leave)),
        ("GET", format!("/files/{}", a.sibling_file)),
    ] {
        let answer = client.send(&Case { path, content: Content::None }, method, student).await;
        assert_refused(&answer, 404, "", &format!("{method} of a classmate's"));
    }
    let claim = |user: i64| json!({"user_id": user, "type": "checkin", "qr_token": "0", "latitude": -6.2, "longitude": 106.8});
    for role in ["guru", "pegawai", "kepala_sekolah"] {
        let case = Case { path: "/api/qrcode/verify".into(), content: Content::Json(claim(a.siswa)) };
        let answer = client.send(&case, "POST", Some(a.token(role))).await;
        assert_refused(
            &answer,
            403,
            "Anda tidak memiliki izin untuk",
            &format!("verify for a student by a {role}"),
        );
        let item = json!({"user_id": a.siswa, "type": "checkin", "timestamp": "2025-11-20 06:40:00"});
        let case = Case {
            path: "/api/offline-sync/process-attendance".into(),
            content: Content::Json(json!({"attendances": [item]})),
        };
        let answer = client.send(&case, "POST", Some(a.token(role))).await;
        let error = &answer.body["data"]["failed"][0]["error"];
        assert_eq!(
            error, "Anda tidak memiliki izin untuk mencatat absensi pengguna lain",
            "{role}: {}",
            answer.body
        );
    }
}

/// Everybody who may call a route is let in; and for whom it is made, it does what it says, so that the refusals before are
/// not those of a body that nobody could have sent.
async fn let_in_who_may(client: &Client, world: &World, operation: &Operation) {
    if [PUBLIC, DEVICE].contains(&operation.permission.as_str()) {
        return;
    }
    let own = case(operation, &world.a);
    let allowed =
        if operation.permission == SESSION { roles::ALL } else { roles::expected(&operation.permission).0 };
    let mut told = BTreeMap::new();
    // Signing out and a new password end sessions: once is enough.
    let ends = ["/api/auth/logout", "/api/profile/password"].contains(&operation.path.as_str());
    for role in allowed.iter().filter(|role| !ends || **role == "siswa") {
        let answer = client.send(&own, &operation.method, Some(world.a.token(role))).await;
        let status = answer.status.as_u16();
        assert!(status != 401 && status < 500, "{operation} by a {role}: {status} {}", answer.body);
        told.insert(*role, (status, answer.body));
    }
    // What was in the record's way still is; `offline_sync` tests what comes of one that is free.
    if operation.path == "/api/offline-sync/{id}/retry" {
        return assert_eq!(told["admin"].0, 400, "{operation}: {told:#?}");
    }
    let done = told.values().any(|(status, _)| (200..300).contains(status));
    assert!(done, "{operation} succeeded for nobody: {told:#?}");
}

//! Who may do what, over every route of a module: schools, roles, and ids of one's own, of others and of the other school, in
//! the path and in every field of a body that names something.
//!
//! The routes are those of the document, which is made from the router: a new one is in here at once, and fails until its
//! module's `cases.rs` knows a body for it and `roles.rs` who may call it. What always holds:
//! - who is refused changes nothing, in any table;
//! - what belongs to another school is answered as what does not exist;
//! - whatever somebody does to one school, the other school's rows stay as they were.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use hadir_shared::ids::InstitutionId;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::{
    docs,
    http::describe::{DEVICE, PERMISSION, PUBLIC, SESSION},
    testing::{Answer, TestApp, request},
};

pub mod hostile;
pub mod rows;

/// A module's world: two schools with one of everything, and who may do what in them.
pub trait World: Sized {
    /// As its document is asked for.
    const MODULE: &'static str;
    /// Every role of the module.
    const ROLES: &'static [&'static str];
    /// What nobody reads, at the beginning of it.
    const NOBODY: &'static str;
    /// A school, and the ids of what is in it.
    type School;

    /// The two schools, and one whose ids nothing has.
    fn schools(&self) -> [&Self::School; 3];
    fn id(school: &Self::School) -> InstitutionId;
    fn token<'s>(&'s self, school: &'s Self::School, role: &str) -> &'s str;
    /// Whether a role is of one school, so that another's things are not there for it.
    fn is_of_a_school(role: &str) -> bool;
    /// Somebody whom every route with a permission refuses, and what he reads.
    fn outsider(&self) -> Option<(&str, &'static str)>;
    /// The smallest request that means something, with the ids of one school in it.
    fn case(operation: &Operation, school: &Self::School) -> Case;
    /// The roles that have a permission, and what the others read.
    fn expected(permission: &str) -> (&'static [&'static str], &'static str);
    /// What a route has to ask for.
    fn asks(operation: &Operation) -> &'static str;
    /// Whether a body is a refusal in the module's envelope.
    fn is_refusal(body: &Value) -> bool;
    /// What takes something away comes last: the later, the larger.
    fn last(operation: &Operation) -> u8;
    /// Who sends it what is hostile.
    fn sender(operation: &Operation) -> &'static str;

    /// Whether a path's parameter names something of a school.
    fn names_a_thing(operation: &Operation) -> bool {
        operation.path.contains('{')
    }

    /// Who alone may call it, because whoever does has no session any more.
    fn only(_: &Operation) -> Option<&'static str> {
        None
    }

    /// The status it answers whoever may call it, where that is no success.
    fn refuses_everybody(_: &Operation) -> Option<u16> {
        None
    }
}

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

/// What is sent.
pub struct Case {
    pub path: String,
    pub content: Content,
}

pub enum Content {
    None,
    /// What stands behind the path.
    Query(String),
    Json(Value),
    /// A form whose boundary is `x`.
    Form(Vec<u8>),
}

impl Case {
    /// With what stands in the path (several with a slash between).
    pub fn of(operation: &Operation, ids: &str, content: Content) -> Self {
        let mut path = operation.path.clone();
        for id in ids.split('/') {
            if let Some((before, rest)) = path.split_once('{') {
                path = format!("{before}{id}{}", rest.split_once('}').unwrap().1);
            }
        }
        if let Content::Query(query) = &content {
            path = format!("{path}?{query}");
        }
        Self { path, content }
    }
}

/// Every operation; what takes something away comes last.
fn operations<W: World>() -> Vec<Operation> {
    let document: Value = serde_json::from_str(docs::json(W::MODULE).unwrap()).unwrap();
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
    all.sort_by_key(|operation| (W::last(operation), operation.path.clone(), operation.method.clone()));
    assert!(all.len() > 25, "the document lost its routes");
    all
}

/// One router for the whole run: what it holds in memory is part of what is tested.
pub struct Client {
    router: axum::Router,
}

impl Client {
    fn new(t: &TestApp) -> Self {
        Self { router: t.router() }
    }

    pub async fn send(&self, case: &Case, method: &str, token: Option<&str>) -> Answer {
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
pub fn assert_refused<W: World>(answer: &Answer, status: u16, text: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.body);
    assert!(W::is_refusal(&answer.body), "{what}: {}", answer.body);
    let message = answer.body["message"].as_str().unwrap_or_default();
    assert!(message.starts_with(text), "{what}: {message:?} instead of {text:?}");
    assert!(answer.body.get("data").is_none_or(Value::is_null), "{what} tells something: {}", answer.body);
}

/// The whole of it. `more` is what a module has to say besides, before anything is let in.
pub async fn nobody_gets_what_is_not_his<W: World>(
    t: &TestApp,
    world: &W,
    more: impl AsyncFnOnce(&Client, &W),
) {
    let client = Client::new(t);
    let all = operations::<W>();
    for operation in &all {
        assert_eq!(operation.permission, W::asks(operation), "{operation}");
    }
    let everything = rows::all(t).await;
    for operation in &all {
        refuse_strangers(&client, world, operation).await;
        hide_the_other_school(&client, world, operation).await;
    }
    assert_same(&everything, &rows::all(t).await, "a refused request changed something");

    let other = W::id(world.schools()[1]);
    let theirs = rows::of(t, other).await;
    for operation in &all {
        refuse_their_ids_in_bodies(&client, world, operation).await;
    }
    more(&client, world).await;
    for operation in &all {
        let_in_who_may(&client, world, operation).await;
    }
    assert_same(&theirs, &rows::of(t, other).await, "the other school's rows changed");
}

fn assert_same(before: &rows::Rows, after: &rows::Rows, what: &str) {
    for (table, rows) in before {
        let (was, is): (BTreeSet<_>, BTreeSet<_>) = (rows.iter().collect(), after[table].iter().collect());
        let changed: Vec<_> = was.symmetric_difference(&is).take(4).collect();
        assert!(changed.is_empty(), "{what}: {table} {changed:#?}");
    }
}

/// Who is nobody, who lacks the permission, who belongs to no school.
async fn refuse_strangers<W: World>(client: &Client, world: &W, operation: &Operation) {
    let here = world.schools()[0];
    let own = W::case(operation, here);
    let anonymous = client.send(&own, &operation.method, None).await;
    match operation.permission.as_str() {
        // Wrong credentials are a 401 too: what matters is that nobody is asked for a token.
        PUBLIC => {
            let said = anonymous.body["message"].as_str().unwrap_or_default();
            assert!(!said.starts_with(W::NOBODY), "{operation} {}", anonymous.body);
        }
        DEVICE => {
            assert_refused::<W>(&anonymous, 401, W::NOBODY, &format!("{operation} by nobody"));
            for role in W::ROLES {
                let answer = client.send(&own, &operation.method, Some(world.token(here, role))).await;
                let what = format!("{operation} by a {role}, who is no box");
                assert_refused::<W>(&answer, 401, W::NOBODY, &what);
            }
        }
        permission => {
            assert_refused::<W>(&anonymous, 401, W::NOBODY, &format!("{operation} by nobody"));
            for token in ["x", "1|abc", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."] {
                let answer = client.send(&own, &operation.method, Some(token)).await;
                assert_refused::<W>(&answer, 401, W::NOBODY, &format!("{operation} with {token}"));
            }
            if permission == SESSION {
                return;
            }
            let (allowed, text) = W::expected(permission);
            for role in W::ROLES.iter().filter(|role| !allowed.contains(role)) {
                let answer = client.send(&own, &operation.method, Some(world.token(here, role))).await;
                assert_refused::<W>(&answer, 403, text, &format!("{operation} by a {role}"));
            }
            if let Some((token, text)) = world.outsider() {
                let answer = client.send(&own, &operation.method, Some(token)).await;
                assert_refused::<W>(&answer, 403, text, &format!("{operation} by an outsider"));
            }
        }
    }
}

/// Ids of the other school in the path: for whoever may call the route, and from both sides.
async fn hide_the_other_school<W: World>(client: &Client, world: &W, operation: &Operation) {
    let asks_for_none = [PUBLIC, DEVICE, SESSION].contains(&operation.permission.as_str());
    if !W::names_a_thing(operation) || asks_for_none {
        return;
    }
    let [a, b, none] = world.schools();
    for (mine, theirs) in [(a, b), (b, a)] {
        let (allowed, _) = W::expected(&operation.permission);
        for role in allowed.iter().filter(|role| W::is_of_a_school(role)) {
            let token = Some(world.token(mine, role));
            let aimed =
                |at: &W::School| Case { path: W::case(operation, at).path, ..W::case(operation, mine) };
            let foreign = client.send(&aimed(theirs), &operation.method, token).await;
            let unknown = client.send(&aimed(none), &operation.method, token).await;
            let what = format!("{operation} by a {role} of the other school");
            assert_refused::<W>(&foreign, 404, "", &what);
            assert_eq!(foreign.body, unknown.body, "{what} can be told from what does not exist");
        }
    }
}

/// Ids of the other school in a body: each field of each body that names something, one after the other.
async fn refuse_their_ids_in_bodies<W: World>(client: &Client, world: &W, operation: &Operation) {
    let [a, b, none] = world.schools();
    let own = W::case(operation, a);
    let Content::Json(body) = &own.content else { return };
    if [PUBLIC, DEVICE, SESSION].contains(&operation.permission.as_str()) {
        return;
    }
    let fields = naming_fields(&operation.document["requestBody"]["content"]["application/json"]["schema"]);
    for field in &fields {
        assert!(!body[field].is_null(), "{operation}: `{field}` names something and is not in cases.rs");
    }
    for pointer in naming_values(body) {
        for role in W::expected(&operation.permission).0.iter().filter(|role| W::is_of_a_school(role)) {
            let aimed = |at: &W::School| {
                let Content::Json(there) = W::case(operation, at).content else { unreachable!() };
                let Content::Json(mut body) = W::case(operation, a).content else { unreachable!() };
                *body.pointer_mut(&pointer).unwrap() = there.pointer(&pointer).unwrap().clone();
                let id = there.pointer(&pointer).unwrap().to_string();
                (
                    Case { path: own.path.clone(), content: Content::Json(body) },
                    id.trim_matches('"').to_owned(),
                )
            };
            let ((foreign, their_id), (unknown, no_id)) = (aimed(b), aimed(none));
            let token = Some(world.token(a, role));
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

/// Everybody who may call a route is let in; and for whom it is made, it does what it says, so that the refusals before are
/// not those of a body that nobody could have sent.
async fn let_in_who_may<W: World>(client: &Client, world: &W, operation: &Operation) {
    if [PUBLIC, DEVICE].contains(&operation.permission.as_str()) {
        return;
    }
    let here = world.schools()[0];
    let allowed =
        if operation.permission == SESSION { W::ROLES } else { W::expected(&operation.permission).0 };
    let mut told = BTreeMap::new();
    let only = W::only(operation);
    for role in allowed.iter().filter(|role| only.is_none_or(|only| only == **role)) {
        let own = W::case(operation, here);
        let answer = client.send(&own, &operation.method, Some(world.token(here, role))).await;
        let status = answer.status.as_u16();
        assert!(status != 401 && status < 500, "{operation} by a {role}: {status} {}", answer.body);
        told.insert(*role, (status, answer.body));
    }
    if let Some(status) = W::refuses_everybody(operation) {
        return assert!(told.values().all(|(told, _)| *told == status), "{operation}: {told:#?}");
    }
    let done = told.values().any(|(status, _)| (200..300).contains(status));
    assert!(done, "{operation} succeeded for nobody: {told:#?}");
}

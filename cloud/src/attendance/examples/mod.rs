//! Every example of the attendance documents, sent and compared.
//!
//! `documented/` is the document, a file per section: for each endpoint the request it shows and the answers it shows, with the
//! status and the further refusals that were decided for it. (`note` tells where something else was decided than is shown.)
//!
//! What always holds, on both databases:
//! - a request has the documented fields and headers, each of its documented type, and no other;
//! - an answer has every documented field, of the documented type and form, and the documented words;
//! - the whole answer is frozen in `snapshots/`, one for both databases, with `[…]` in the place of what is random;
//! - an example that is not sent fails its section.
//!
//! Where an answer changed on purpose, `INSTA_UPDATE=always cargo test -p hadir-cloud attendance::examples` freezes it anew.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use axum::body::Body;
use hadir_shared::ids::UserId;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::tests::School;
use crate::testing::{TestApp, request};

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
mod shape;
mod students;
mod users;

/// The picture of the documents.
const PHOTO: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";

/// What the documents say of one endpoint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Endpoint {
    #[serde(default)]
    query: Vec<String>,
    request: Option<Value>,
    answers: BTreeMap<String, Documented>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Documented {
    status: u16,
    body: Value,
    /// See [`shape::lacks`].
    #[serde(default)]
    nullable: Vec<String>,
    #[serde(rename = "note")]
    _note: Option<String>,
}

/// A section of the documents, on its way through one cloud.
struct Section<'t> {
    t: &'t TestApp,
    name: &'static str,
    endpoints: BTreeMap<String, Endpoint>,
    answered: RefCell<Map<String, Value>>,
}

/// An example to be sent.
struct Ask<'s> {
    section: &'s Section<'s>,
    endpoint: &'static str,
    answer: &'static str,
    id: String,
    query: String,
    token: Option<&'s str>,
    body: Option<Value>,
}

impl<'t> Section<'t> {
    fn open(t: &'t TestApp, name: &'static str) -> Self {
        let path = format!("{}/src/attendance/examples/documented/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let endpoints = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Self { t, name, endpoints, answered: RefCell::default() }
    }

    /// The example of an endpoint with this answer: `ask("PUT /api/leaves/{id}", "decided")`.
    fn ask(&self, endpoint: &'static str, answer: &'static str) -> Ask<'_> {
        let (id, query) = (String::new(), String::new());
        Ask { section: self, endpoint, answer, id, query, token: None, body: None }
    }

    /// Everything was sent, and is as it was.
    fn close(self) {
        let all = self.endpoints.iter().flat_map(|(endpoint, documented)| {
            documented.answers.keys().map(move |answer| format!("{endpoint} – {answer}"))
        });
        let answered = self.answered.into_inner();
        let (all, sent): (BTreeSet<String>, _) = (all.collect(), answered.keys().cloned().collect());
        assert_eq!(all, sent, "{}: documented, and sent", self.name);
        insta::with_settings!({
            snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true, sort_maps => true,
        }, {
            insta::assert_json_snapshot!(self.name, answered);
        });
    }
}

impl<'s> Ask<'s> {
    /// What stands in the place of `{id}`.
    fn of(self, id: impl Display) -> Self {
        Self { id: id.to_string(), ..self }
    }

    fn query(self, query: impl Display) -> Self {
        Self { query: format!("?{query}"), ..self }
    }

    fn by(self, token: &'s str) -> Self {
        Self { token: Some(token), ..self }
    }

    fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Sends it and holds the answer against the documents; the answer's body.
    async fn send(self) -> Value {
        let (section, example) = (self.section, format!("{} – {}", self.endpoint, self.answer));
        let endpoint = &section.endpoints[self.endpoint];
        let documented = &endpoint.answers[self.answer];
        let told = format!("{} {example}", section.t.on);
        let succeeds = documented.status < 300;
        let strays = match (&endpoint.request, &self.body) {
            (Some(documented), Some(body)) => shape::strays(documented, body, succeeds),
            (documented, body) if documented.is_some() == body.is_some() => Vec::new(),
            _ => vec!["a body, or none".to_owned()],
        };
        assert!(strays.is_empty(), "{told}: not the documented request: {strays:?}");
        for (key, _) in form_urlencoded::parse(self.query.trim_start_matches('?').as_bytes()) {
            assert!(endpoint.query.iter().any(|query| *query == key), "{told}: no documented filter {key}");
        }

        let (method, path) = self.endpoint.split_once(' ').unwrap();
        let place = path.find('{').unwrap_or(path.len());
        let rest = path[place..].split_once('}').map_or("", |(_, rest)| rest);
        let path = format!("{}{}{rest}{}", &path[..place], self.id, self.query);
        let asked = request(method, &path, self.token).header("content-type", "application/json");
        let body = self.body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let answer = section.t.send(asked.body(body).unwrap()).await;
        assert_eq!(answer.status.as_u16(), documented.status, "{told}: {}", answer.body);
        assert_eq!(answer.headers["content-type"], "application/json", "{told}");
        let lacks = shape::lacks(&documented.body, &answer.body, &documented.nullable);
        assert!(lacks.is_empty(), "{told}: {lacks:#?}\n{:#}", answer.body);

        let frozen = json!({"status": documented.status, "body": repeatable(&answer.body)});
        // A list that is asked for with filters as well is frozen as it was first.
        section.answered.borrow_mut().entry(example).or_insert(frozen);
        answer.body
    }
}

/// An answer without what is random in it.
fn repeatable(answer: &Value) -> Value {
    match answer {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), field(key, value))).collect(),
        Value::Array(items) => items.iter().map(repeatable).collect(),
        Value::String(text) if uuid::Uuid::try_parse(text).is_ok() && text.len() == 36 => "[uuid]".into(),
        Value::String(text) if text.starts_with("/files/") => "/files/[key]".into(),
        other => other.clone(),
    }
}

fn field(key: &str, value: &Value) -> Value {
    let random = match (key, value.as_str()) {
        ("token" | "code" | "signed_code" | "qr_code", Some(_)) => true,
        ("qr_token_used", Some(token)) => token.len() == 32,
        _ => false,
    };
    if random { format!("[{key}]").into() } else { repeatable(value) }
}

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

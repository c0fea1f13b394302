//! Examples of a module's documents, sent and compared.
//!
//! A module's `examples/documented/` is the document, a file per section: for each endpoint the request it shows and the answers
//! it shows, with the status and the further refusals that were decided for it. (`note` tells where something else was decided
//! than is shown.)
//!
//! What always holds, on both databases:
//! - a request has the documented fields and headers, each of its documented type, and no other;
//! - an answer has every documented field, of the documented type and form, and the documented words;
//! - the whole answer is frozen in `snapshots/`, one for both databases, with `[…]` in the place of what is random;
//! - an example that is not sent fails its section.
//!
//! Where an answer changed on purpose, `INSTA_UPDATE=always cargo test -p hadir-cloud ::examples` freezes it anew.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use axum::body::Body;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::testing::{TestApp, request};

mod shape;

/// What the documents say of one endpoint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Endpoint {
    #[serde(default)]
    query: Vec<String>,
    /// The request is a form: its texts are fields, and [`FILE`] stands for a picture.
    #[serde(default)]
    form: bool,
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
pub struct Section<'t> {
    t: &'t TestApp,
    module: &'static str,
    name: &'static str,
    endpoints: BTreeMap<String, Endpoint>,
    answered: RefCell<Map<String, Value>>,
}

/// An example to be sent.
pub struct Ask<'s> {
    section: &'s Section<'s>,
    endpoint: &'static str,
    answer: &'static str,
    id: String,
    query: String,
    token: Option<&'s str>,
    body: Option<Value>,
}

impl<'t> Section<'t> {
    pub fn open(t: &'t TestApp, module: &'static str, name: &'static str) -> Self {
        let path = format!("{}/src/{module}/examples/documented/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let endpoints = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Self { t, module, name, endpoints, answered: RefCell::default() }
    }

    /// The example of an endpoint with this answer: `ask("PUT /api/leaves/{id}", "decided")`.
    pub fn ask(&self, endpoint: &'static str, answer: &'static str) -> Ask<'_> {
        let (id, query) = (String::new(), String::new());
        Ask { section: self, endpoint, answer, id, query, token: None, body: None }
    }

    /// Everything was sent, and is as it was.
    pub fn close(self) {
        let all = self.endpoints.iter().flat_map(|(endpoint, documented)| {
            documented.answers.keys().map(move |answer| format!("{endpoint} – {answer}"))
        });
        let answered = self.answered.into_inner();
        let (all, sent): (BTreeSet<String>, _) = (all.collect(), answered.keys().cloned().collect());
        assert_eq!(all, sent, "{}: documented, and sent", self.name);
        insta::with_settings!({
            snapshot_path => format!("../../{}/examples/snapshots", self.module), prepend_module_to_snapshot => false, omit_expression => true, sort_maps => true,
        }, {
            insta::assert_json_snapshot!(self.name, answered);
        });
    }
}

impl<'s> Ask<'s> {
    /// What stands in the place of `{id}`; several with a slash between.
    pub fn of(self, id: impl Display) -> Self {
        Self { id: id.to_string(), ..self }
    }

    pub fn query(self, query: impl Display) -> Self {
        Self { query: format!("?{query}"), ..self }
    }

    pub fn by(self, token: &'s str) -> Self {
        Self { token: Some(token), ..self }
    }

    pub fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Sends it and holds the answer against the documents; the answer's body.
    pub async fn send(self) -> Value {
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
        let mut path = path.to_owned();
        for id in self.id.split('/') {
            if let Some((before, rest)) = path.split_once('{') {
                path = format!("{before}{id}{}", rest.split_once('}').map_or("", |(_, rest)| rest));
            }
        }
        let path = format!("{path}{}", self.query);
        let (kind, body) = match self.body {
            Some(fields) if endpoint.form => ("multipart/form-data; boundary=x", Body::from(form(&fields))),
            Some(body) => ("application/json", Body::from(body.to_string())),
            None => ("application/json", Body::empty()),
        };
        let asked = request(method, &path, self.token).header("content-type", kind).body(body);
        let answer = section.t.send(asked.unwrap()).await;
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

/// Stands for a picture in a form.
pub const FILE: &str = "(file)";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\xdac\xfc\xff\x9f\xa1\x1e\0\x07\x82\x02\x7f=\xc8H\xef\0\0\0\0IEND\xaeB`\x82";

/// A form whose boundary is `x`.
fn form(fields: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields.as_object().unwrap() {
        let text = value.as_str().unwrap();
        let (file, content) =
            if text == FILE { ("; filename=\"a.png\"", PNG) } else { ("", text.as_bytes()) };
        let head = format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        bytes.extend([head.as_bytes(), content, b"\r\n"].concat());
    }
    bytes.extend_from_slice(b"--x--\r\n");
    bytes
}

/// An answer without what is random in it.
fn repeatable(answer: &Value) -> Value {
    match answer {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), field(key, value))).collect(),
        Value::Array(items) => items.iter().map(repeatable).collect(),
        Value::String(text) if uuid::Uuid::try_parse(text).is_ok() && text.len() == 36 => "[uuid]".into(),
        Value::String(text) if text.starts_with("/files/") => "/files/[key]".into(),
        Value::String(text) if text.starts_with("/sso/pictures/") => "/sso/pictures/[key]".into(),
        other => other.clone(),
    }
}

fn field(key: &str, value: &Value) -> Value {
    let random = match (key, value.as_str()) {
        // The last three are of a published key.
        ("token" | "code" | "signed_code" | "qr_code" | "kid" | "n" | "x", Some(_)) => true,
        ("qr_token_used", Some(token)) => token.len() == 32,
        _ => false,
    };
    if random { format!("[{key}]").into() } else { repeatable(value) }
}

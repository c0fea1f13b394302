//! How attendance answers: `{success: true, message?, data?}`, and `{success: false, message, errors?}`.

#![expect(clippy::disallowed_types, reason = "the one place of this module that builds an envelope")]

use std::collections::BTreeMap;

use aide::{
    OperationOutput,
    generate::GenContext,
    openapi::{MediaType, Operation, Response as Answer, SchemaObject},
};
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use hadir_shared::time::Millis;
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Serialize, Serializer};
use serde_json::{Map, json};

use crate::{
    fail::{Fail, Flaw, NoSession, Problem},
    http::Page,
};

pub use crate::http::Instant;

/// Every answer, in the order the contract shows.
#[derive(Serialize)]
struct Envelope<'a, T> {
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<BTreeMap<&'a str, Vec<String>>>,
}

fn success<T: Serialize>(message: Option<&str>, data: Option<T>) -> Response {
    Json(Envelope { success: true, message, data, errors: None }).into_response()
}

/// 200 with a message and data: `Said("Data user berhasil diambil", data)`.
#[derive(Debug)]
pub struct Said<T>(pub &'static str, pub T);

impl<T: Serialize> IntoResponse for Said<T> {
    fn into_response(self) -> Response {
        success(Some(self.0), Some(self.1))
    }
}

/// [`Said`] with a message that is made for the occasion: `2 siswa berhasil ditetapkan ke kelas`.
#[derive(Debug)]
pub struct Told<T>(pub String, pub T);

impl<T: Serialize> IntoResponse for Told<T> {
    fn into_response(self) -> Response {
        success(Some(&self.0), Some(self.1))
    }
}

/// 201 with a message and data.
#[derive(Debug)]
pub struct Created<T>(pub &'static str, pub T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Said(self.0, self.1)).into_response()
    }
}

/// 202 with a message and data: it goes on after the answer.
#[derive(Debug)]
pub struct Accepted<T>(pub &'static str, pub T);

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Said(self.0, self.1)).into_response()
    }
}

/// 200 with data and no message.
#[derive(Debug)]
pub struct Data<T>(pub T);

impl<T: Serialize> IntoResponse for Data<T> {
    fn into_response(self) -> Response {
        success(None, Some(self.0))
    }
}

/// 200 with a message and no data.
#[derive(Debug)]
pub struct Done(pub &'static str);

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        success(Some(self.0), None::<()>)
    }
}

/// A message with fields of its own beside it, where the documents have no `data` around them.
#[derive(Debug)]
pub struct Beside<T>(pub StatusCode, pub &'static str, pub T);

impl<T: Serialize> IntoResponse for Beside<T> {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Envelope<T> {
            success: bool,
            message: &'static str,
            #[serde(flatten)]
            fields: T,
        }
        let envelope = Envelope { success: self.0.is_success(), message: self.1, fields: self.2 };
        (self.0, Json(envelope)).into_response()
    }
}

/// 400 with a message, and the record that stands already.
#[derive(Debug)]
pub struct Stands<T>(pub &'static str, pub T);

impl<T: Serialize> IntoResponse for Stands<T> {
    fn into_response(self) -> Response {
        let body = Envelope { success: false, message: Some(self.0), data: Some(self.1), errors: None };
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    }
}

/// 422 with what is wrong, and a report of the whole beside it.
#[derive(Debug)]
pub struct Unfit<T>(pub BTreeMap<String, Vec<String>>, pub T);

impl<T: Serialize> IntoResponse for Unfit<T> {
    fn into_response(self) -> Response {
        let errors = self.0.iter().map(|(field, texts)| (field.as_str(), texts.clone())).collect();
        let body =
            Envelope { success: false, message: Some(INVALID), data: Some(self.1), errors: Some(errors) };
        (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
    }
}

/// The `data` of a list: Laravel's paginator, in full.
#[derive(Debug, Serialize)]
pub struct Paginated<T> {
    current_page: i64,
    data: Vec<T>,
    first_page_url: String,
    from: Option<i64>,
    last_page: i64,
    last_page_url: String,
    next_page_url: Option<String>,
    path: String,
    per_page: i64,
    prev_page_url: Option<String>,
    to: Option<i64>,
    total: i64,
}

impl<T> Paginated<T> {
    /// `rows` are those of the page, `total` is the length of the whole list.
    pub fn new(page: &Page, rows: Vec<T>, total: i64) -> Self {
        let last = page.last(total);
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let from = (count > 0).then(|| page.offset() + 1);
        Self {
            current_page: page.page,
            first_page_url: page.url(1),
            from,
            last_page: last,
            last_page_url: page.url(last),
            next_page_url: (page.page < last).then(|| page.url(page.page + 1)),
            path: page.path.clone(),
            per_page: page.per_page,
            prev_page_url: (page.page > 1).then(|| page.url(page.page - 1)),
            to: from.map(|from| from + count - 1),
            total,
            data: rows,
        }
    }
}

/// See [`Instant`].
pub fn instant<S: Serializer>(at: &Millis, to: S) -> Result<S::Ok, S::Error> {
    Instant::serialize(at, to)
}

/// The words of every failure.
pub fn failure(fail: &Fail) -> Response {
    let (status, message) = match fail {
        Fail::Unauthenticated(NoSession::Missing | NoSession::Invalid) => {
            (fail.status(), "Token tidak valid")
        }
        Fail::Unauthenticated(NoSession::Expired) => {
            (fail.status(), "Token sudah kadaluarsa. Silakan login kembali")
        }
        Fail::BadCredentials => (fail.status(), "Kredensial tidak valid"),
        Fail::Denied(text)
        | Fail::NotFound(text)
        | Fail::Conflict(text)
        | Fail::Gone(text)
        | Fail::BadRequest(text) => (fail.status(), text.as_ref()),
        Fail::NoRoute => (fail.status(), "Alamat tidak ditemukan"),
        Fail::WrongMethod => (fail.status(), "Metode tidak didukung untuk alamat ini"),
        Fail::Invalid(problems) => return invalid(problems),
        Fail::Taken { field, message } => {
            return invalid(&[Problem::new(*field, Flaw::Said(message.clone()))]);
        }
        Fail::Malformed(_) => (fail.status(), "Isi permintaan bukan JSON yang valid"),
        Fail::WrongContentType => (fail.status(), "Content-Type harus application/json"),
        Fail::TooLarge => (fail.status(), "Isi permintaan terlalu besar"),
        Fail::TooMany { .. } => (fail.status(), "Terlalu banyak percobaan. Silakan coba lagi nanti"),
        Fail::Unavailable { .. } | Fail::TimedOut => {
            (fail.status(), "Server sedang sibuk. Silakan coba lagi")
        }
        Fail::Internal(_) => (fail.status(), "Terjadi kesalahan pada server"),
    };
    refusal(status, message, None)
}

const INVALID: &str = "Validasi gagal";

fn invalid(problems: &[Problem]) -> Response {
    refusal(StatusCode::UNPROCESSABLE_ENTITY, INVALID, Some(errors(problems)))
}

/// What is wrong, in words, under the field it is wrong with.
pub fn errors(problems: &[Problem]) -> BTreeMap<&str, Vec<String>> {
    let mut errors: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for problem in problems {
        let field = if problem.field.is_empty() { "body" } else { &problem.field };
        errors.entry(field).or_default().push(flaw(field, &problem.flaw));
    }
    errors
}

fn refusal(status: StatusCode, message: &str, errors: Option<BTreeMap<&str, Vec<String>>>) -> Response {
    (status, Json(Envelope { success: false, message: Some(message), data: None::<()>, errors }))
        .into_response()
}

fn flaw(field: &str, flaw: &Flaw) -> String {
    match flaw {
        Flaw::Missing => format!("{field} wajib diisi"),
        Flaw::WrongType(_) => format!("{field} tidak valid"),
        Flaw::Unknown => format!("{field} tidak dikenal"),
        Flaw::TooShort(least) => format!("{field} minimal {least} karakter"),
        Flaw::TooLong(most) => format!("{field} maksimal {most} karakter"),
        Flaw::OutOfRange(least, most) => format!("{field} harus antara {least} dan {most}"),
        Flaw::NotEmail => format!("{field} harus berupa alamat email yang valid"),
        Flaw::NotOneOf(words) => format!("{field} harus salah satu dari: {}", words.join(", ")),
        Flaw::NotConfirmed => format!("Konfirmasi {field} tidak cocok"),
        Flaw::Taken => format!("{field} sudah digunakan"),
        Flaw::NoSuch => format!("{field} tidak ditemukan"),
        Flaw::Said(text) => text.to_string(),
    }
}

/// An envelope with these fields beside `success`, all of them there.
fn envelope(success: bool, fields: &[(&str, Schema)]) -> Schema {
    let mut properties =
        Map::from_iter([("success".to_owned(), json!({"type": "boolean", "const": success}))]);
    properties.extend(fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone().to_value())));
    let required: Vec<String> = properties.keys().cloned().collect();
    json_schema!({"type": "object", "properties": properties, "required": required})
}

fn message() -> (&'static str, Schema) {
    ("message", json_schema!({"type": "string"}))
}

fn data<T: JsonSchema>(ctx: &mut GenContext) -> (&'static str, Schema) {
    ("data", ctx.schema.subschema_for::<T>())
}

fn answers(status: u16, description: &str, schema: Schema) -> Vec<(Option<u16>, Answer)> {
    vec![(Some(status), answer(description, schema))]
}

/// An answer in JSON, as the document describes it.
pub fn answer(description: &str, schema: Schema) -> Answer {
    let schema = SchemaObject { json_schema: schema, external_docs: None, example: None };
    let media = MediaType { schema: Some(schema), ..MediaType::default() };
    Answer {
        description: description.to_owned(),
        content: [("application/json".to_owned(), media)].into_iter().collect(),
        ..Answer::default()
    }
}

/// A refusal: `errors` tells what is wrong with which field.
pub fn refusal_schema() -> Schema {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let errors = json_schema!({"type": "object", "additionalProperties": texts});
    let mut schema = envelope(false, &[message(), ("errors", errors)]);
    schema.insert("required".into(), json!(["success", "message"]));
    schema
}

const OK: &str = "Done.";

impl<T: JsonSchema> OperationOutput for Said<T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Answer)> {
        answers(200, OK, envelope(true, &[message(), data::<T>(ctx)]))
    }
}

impl<T: JsonSchema> OperationOutput for Told<T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<u16>, Answer)> {
        Said::<T>::inferred_responses(ctx, operation)
    }
}

impl<T: JsonSchema> OperationOutput for Created<T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Answer)> {
        answers(201, "Made.", envelope(true, &[message(), data::<T>(ctx)]))
    }
}

impl<T: JsonSchema> OperationOutput for Accepted<T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Answer)> {
        answers(202, "Begun.", envelope(true, &[message(), data::<T>(ctx)]))
    }
}

impl<T: JsonSchema> OperationOutput for Data<T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Answer)> {
        answers(200, OK, envelope(true, &[data::<T>(ctx)]))
    }
}

impl OperationOutput for Done {
    type Inner = ();

    fn inferred_responses(_: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Answer)> {
        answers(200, OK, envelope(true, &[message()]))
    }
}

impl<T: JsonSchema> OperationOutput for Beside<T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Answer)> {
        let fields = ctx.schema.subschema_for::<T>();
        answers(200, OK, json_schema!({"allOf": [envelope(true, &[message()]), fields]}))
    }
}

impl<T: JsonSchema> OperationOutput for Stands<T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Answer)> {
        let mut schema = envelope(false, &[message(), data::<T>(ctx)]);
        schema.insert("required".into(), json!(["success", "message"]));
        answers(400, "Refused; `data` is the record that stands already.", schema)
    }
}

impl<T: JsonSchema> OperationOutput for Unfit<T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Answer)> {
        let report = envelope(false, &[data::<T>(ctx)]);
        answers(
            422,
            "Refused; `data` is a report of the whole.",
            json_schema!({"allOf": [refusal_schema(), report]}),
        )
    }
}

impl<T: JsonSchema> JsonSchema for Paginated<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Paginated{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> Schema {
        let (number, some_number) =
            (json_schema!({"type": "integer"}), json_schema!({"type": ["integer", "null"]}));
        let (url, some_url) = (json_schema!({"type": "string"}), json_schema!({"type": ["string", "null"]}));
        json_schema!({
            "type": "object",
            "properties": {
                "current_page": number, "data": {"type": "array", "items": generator.subschema_for::<T>()},
                "first_page_url": url, "from": some_number, "last_page": number, "last_page_url": url,
                "next_page_url": some_url, "path": url, "per_page": number, "prev_page_url": some_url,
                "to": some_number, "total": number,
            },
            "required": [
                "current_page", "data", "first_page_url", "from", "last_page", "last_page_url", "next_page_url",
                "path", "per_page", "prev_page_url", "to", "total",
            ],
        })
    }
}

//! How SSO answers: `{statusCode, message, data, meta?}`, and `{statusCode, message, errorCode, data?: [{field, message}]}`.

#![expect(clippy::disallowed_types, reason = "the one place of this module that builds an envelope")]

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
use schemars::{JsonSchema, Schema, json_schema};
use serde::Serialize;
use serde_json::{Map, json};

use super::listing::Meta;
use crate::fail::{Fail, Flaw, NoSession, Problem};

pub use crate::http::Instant;

/// Every answer that is not a refusal. `data` is null where there is nothing to tell.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a, T> {
    status_code: u16,
    message: &'a str,
    data: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Meta>,
}

fn answer<T: Serialize>(status: StatusCode, message: &str, data: T, meta: Option<Meta>) -> Response {
    (status, Json(Envelope { status_code: status.as_u16(), message, data, meta })).into_response()
}

/// 200 with a message and data.
#[derive(Debug)]
pub struct Said<T>(pub &'static str, pub T);

impl<T: Serialize> IntoResponse for Said<T> {
    fn into_response(self) -> Response {
        answer(StatusCode::OK, self.0, self.1, None)
    }
}

/// 201 with a message and data.
#[derive(Debug)]
pub struct Created<T>(pub &'static str, pub T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        answer(StatusCode::CREATED, self.0, self.1, None)
    }
}

/// 200 with a message.
#[derive(Debug)]
pub struct Done(pub &'static str);

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        answer(StatusCode::OK, self.0, (), None)
    }
}

/// 200 with a page of a list.
#[derive(Debug)]
pub struct Listed<T>(pub &'static str, pub Vec<T>, pub Meta);

impl<T: Serialize> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        answer(StatusCode::OK, self.0, self.1, Some(self.2))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Refusal<'a> {
    status_code: u16,
    message: &'a str,
    error_code: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    data: Vec<Wrong<'a>>,
}

#[derive(Serialize)]
struct Wrong<'a> {
    field: &'a str,
    message: String,
}

/// The words of every failure.
pub fn failure(fail: &Fail) -> Response {
    let status = fail.status();
    let (code, message) = match fail {
        Fail::Unauthenticated(NoSession::Missing) => ("TOKEN_MISSING", "Token tidak ditemukan"),
        Fail::Unauthenticated(NoSession::Invalid) => ("TOKEN_INVALID", "Token tidak valid"),
        Fail::Unauthenticated(NoSession::Expired) => {
            ("TOKEN_EXPIRED", "Token sudah kedaluwarsa. Silakan login kembali")
        }
        Fail::BadCredentials => ("INVALID_CREDENTIALS", "Username atau password salah"),
        Fail::Denied(text) => ("FORBIDDEN", text.as_ref()),
        Fail::NotFound(text) => ("NOT_FOUND", text.as_ref()),
        Fail::Conflict(text) => ("CONFLICT", text.as_ref()),
        Fail::Gone(text) => ("GONE", text.as_ref()),
        Fail::BadRequest(text) => ("BAD_REQUEST", text.as_ref()),
        Fail::NoRoute => ("NOT_FOUND", "Alamat tidak ditemukan"),
        Fail::WrongMethod => ("METHOD_NOT_ALLOWED", "Metode tidak didukung untuk alamat ini"),
        Fail::Invalid(problems) => return refusal(status, "VALIDATION", INVALID, problems),
        Fail::Taken { field, message } => {
            let problem = Problem::new(*field, Flaw::Said(message.clone()));
            return refusal(status, "CONFLICT", message, &[problem]);
        }
        Fail::Malformed(_) => ("MALFORMED", "Isi permintaan tidak dapat dibaca"),
        Fail::WrongContentType => ("UNSUPPORTED_MEDIA_TYPE", "Content-Type tidak didukung untuk alamat ini"),
        Fail::TooLarge => ("TOO_LARGE", "Isi permintaan terlalu besar"),
        Fail::TooMany { .. } => ("TOO_MANY_REQUESTS", "Terlalu banyak percobaan. Silakan coba lagi nanti"),
        Fail::Unavailable { .. } | Fail::TimedOut => {
            ("UNAVAILABLE", "Server sedang sibuk. Silakan coba lagi")
        }
        Fail::Internal(_) => ("INTERNAL", "Terjadi kesalahan pada server"),
    };
    refusal(status, code, message, &[])
}

const INVALID: &str = "Validasi gagal";

fn refusal(status: StatusCode, error_code: &'static str, message: &str, problems: &[Problem]) -> Response {
    let wrong = |problem: &'_ Problem| {
        let field = if problem.field.is_empty() { "body" } else { problem.field.as_ref() };
        (field.to_owned(), flaw(field, &problem.flaw))
    };
    let wrong: Vec<_> = problems.iter().map(wrong).collect();
    let data = wrong.iter().map(|(field, message)| Wrong { field, message: message.clone() }).collect();
    (status, Json(Refusal { status_code: status.as_u16(), message, error_code, data })).into_response()
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

/// An envelope with this data, as the document describes it.
fn envelope(status: u16, data: Schema, meta: Option<Schema>) -> Schema {
    let mut properties = Map::from_iter([
        ("statusCode".to_owned(), json!({"type": "integer", "const": status})),
        ("message".to_owned(), json!({"type": "string"})),
        ("data".to_owned(), data.to_value()),
    ]);
    properties.extend(meta.map(|meta| ("meta".to_owned(), meta.to_value())));
    let required: Vec<String> = properties.keys().cloned().collect();
    json_schema!({"type": "object", "properties": properties, "required": required})
}

/// An answer in JSON, as the document describes it.
pub fn described(description: &str, schema: Schema) -> Answer {
    let schema = SchemaObject { json_schema: schema, external_docs: None, example: None };
    let media = MediaType { schema: Some(schema), ..MediaType::default() };
    Answer {
        description: description.to_owned(),
        content: [("application/json".to_owned(), media)].into_iter().collect(),
        ..Answer::default()
    }
}

/// A refusal: `data` tells what is wrong with which field.
pub fn refusal_schema() -> Schema {
    json_schema!({
        "type": "object",
        "properties": {
            "statusCode": {"type": "integer"}, "message": {"type": "string"}, "errorCode": {"type": "string"},
            "data": {"type": "array", "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                "required": ["field", "message"],
            }},
        },
        "required": ["statusCode", "message", "errorCode"],
    })
}

fn one(status: u16, description: &str, schema: Schema) -> Vec<(Option<u16>, Answer)> {
    vec![(Some(status), described(description, schema))]
}

impl<T: JsonSchema> OperationOutput for Said<T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Answer)> {
        one(200, "Done.", envelope(200, ctx.schema.subschema_for::<T>(), None))
    }
}

impl<T: JsonSchema> OperationOutput for Created<T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Answer)> {
        one(201, "Made.", envelope(201, ctx.schema.subschema_for::<T>(), None))
    }
}

impl OperationOutput for Done {
    type Inner = ();

    fn inferred_responses(_: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Answer)> {
        one(200, "Done.", envelope(200, json_schema!({"type": "null"}), None))
    }
}

impl<T: JsonSchema> OperationOutput for Listed<T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Answer)> {
        let rows = ctx.schema.subschema_for::<Vec<T>>();
        let meta = ctx.schema.subschema_for::<Meta>();
        one(200, "A page of the list.", envelope(200, rows, Some(meta)))
    }
}

//! A form with pictures: `multipart/form-data`, whose texts are fields and whose files are `avatar` and `cover`.
//!
//! What always holds: a field comes once; a file is read no further than it may be long; its name and the type it claims are
//! never looked at; nobody makes us read a form of a thousand parts.

use std::collections::BTreeMap;

use aide::{
    OperationInput,
    generate::GenContext,
    openapi::{MediaType, Operation, ReferenceOr, RequestBody, SchemaObject},
};
use axum::{
    extract::{
        FromRequest, Multipart, Request,
        multipart::{Field, MultipartError},
    },
    http::StatusCode,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::{
    app::App,
    fail::{Fail, Flaw},
    http::describe::may_answer,
    picture,
};

/// The longest form: two pictures, and room for the fields.
pub const FORM_LIMIT: usize = 2 * picture::MOST_BYTES + 128 * 1024;
const MOST_PARTS: usize = 40;
const LONGEST_TEXT: usize = 8 * 1024;
/// The files a form may carry.
pub const PICTURES: [&str; 2] = ["avatar", "cover"];

/// A form of the fields of `T`, all of which are optional texts.
#[derive(Debug)]
pub struct Form<T> {
    pub fields: T,
    /// Not yet known to be pictures.
    pub avatar: Option<Vec<u8>>,
    pub cover: Option<Vec<u8>>,
}

impl<T: DeserializeOwned> FromRequest<App> for Form<T> {
    type Rejection = Fail;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fail> {
        let mut form = Multipart::from_request(request, app).await.map_err(|_| Fail::WrongContentType)?;
        let (mut texts, mut files) = (Map::new(), BTreeMap::new());
        let mut parts = 0;
        while let Some(mut part) = form.next_field().await.map_err(|e| unread(&e))? {
            parts += 1;
            if parts > MOST_PARTS {
                return Err(Fail::TooLarge);
            }
            let name = part.name().unwrap_or_default().to_owned();
            let file = PICTURES.iter().find(|file| **file == name);
            let most = if file.is_some() { picture::MOST_BYTES } else { LONGEST_TEXT };
            let bytes = read(&mut part, most).await?;
            let bytes = bytes.ok_or_else(|| Fail::invalid(name.clone(), too_long(file.is_some())))?;
            let is_twice = if let Some(file) = file {
                files.insert(*file, bytes).is_some()
            } else {
                let text = String::from_utf8(bytes).map_err(|e| Fail::Malformed(e.to_string()))?;
                texts.insert(name.clone(), Value::String(text)).is_some()
            };
            if is_twice {
                return Err(Fail::invalid(name, Flaw::Said("dikirim lebih dari sekali".into())));
            }
        }
        let fields = serde_json::from_value(Value::Object(texts));
        let fields = fields.map_err(|e| Fail::Malformed(e.to_string()))?;
        // A browser sends an empty file where none was chosen.
        let mut file = |name| files.remove(name).filter(|bytes: &Vec<u8>| !bytes.is_empty());
        Ok(Self { fields, avatar: file("avatar"), cover: file("cover") })
    }
}

/// `None`: longer than it may be; the rest is not read.
async fn read(part: &mut Field<'_>, most: usize) -> Result<Option<Vec<u8>>, Fail> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.chunk().await.map_err(|e| unread(&e))? {
        if bytes.len() + chunk.len() > most {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

fn too_long(is_picture: bool) -> Flaw {
    if is_picture {
        Flaw::Said("ukuran berkas paling besar 2 MB".into())
    } else {
        Flaw::TooLong(LONGEST_TEXT)
    }
}

fn unread(e: &MultipartError) -> Fail {
    match e.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Fail::TooLarge,
        _ => Fail::Malformed(e.body_text()),
    }
}

impl<T: JsonSchema> OperationInput for Form<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let mut schema = T::json_schema(&mut ctx.schema);
        let fields = schema.get("properties").cloned().unwrap_or_default();
        let mut fields = fields.as_object().cloned().unwrap_or_default();
        fields.extend(PICTURES.map(|file| (file.to_owned(), json!({"type": "string", "format": "binary"}))));
        schema.insert("properties".into(), Value::Object(fields));
        let schema = SchemaObject { json_schema: schema, external_docs: None, example: None };
        let media = MediaType { schema: Some(schema), ..MediaType::default() };
        operation.request_body = Some(ReferenceOr::Item(RequestBody {
            content: [("multipart/form-data".to_owned(), media)].into_iter().collect(),
            required: true,
            ..RequestBody::default()
        }));
        may_answer(operation, 400, "Refused");
        may_answer(operation, 413, "TooLarge");
        may_answer(operation, 415, "WrongContentType");
        may_answer(operation, 422, "Invalid");
    }
}

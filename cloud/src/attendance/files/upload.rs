//! A file as a client sends it: a form, or base64 in JSON. Its name and the type it claims are never looked at.

use aide::{
    OperationInput,
    generate::GenContext,
    openapi::{MediaType, Operation, ReferenceOr, SchemaObject},
};
use axum::{
    extract::{
        FromRequest, Multipart, Request,
        multipart::{MultipartError, MultipartRejection},
    },
    http::{StatusCode, header::CONTENT_TYPE},
};
use schemars::{JsonSchema, json_schema};
use serde::Deserialize;

use crate::{
    app::App,
    fail::{Fail, Flaw},
    http::Body,
    picture,
};

/// `multipart/form-data` with a file, or `{"photo": base64}`. Not yet known to be a picture.
#[derive(Debug)]
pub enum Photo {
    File(Vec<u8>),
    Base64(String),
}

#[derive(Deserialize, JsonSchema)]
struct New {
    photo: Option<String>,
}

impl Photo {
    /// `None`: longer than a photo may be, or not base64.
    pub(super) fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::File(bytes) => Some(bytes).filter(|bytes| bytes.len() <= picture::MOST_BYTES),
            Self::Base64(text) => picture::decoded(&text),
        }
    }
}

impl FromRequest<App> for Photo {
    type Rejection = Fail;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fail> {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.trim_start().to_ascii_lowercase().starts_with("multipart/") {
            let upload = Multipart::from_request(request, app).await;
            return first_file("photo", upload).await.map(Self::File);
        }
        let Body(new) = Body::<New>::from_request(request, app).await?;
        let photo = new.photo.filter(|photo| !photo.trim().is_empty());
        photo.map(Self::Base64).ok_or_else(|| Fail::invalid("photo", Flaw::Missing))
    }
}

impl OperationInput for Photo {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        Body::<New>::operation_input(ctx, operation);
        let file = json_schema!({
            "type": "object", "properties": {"photo": {"type": "string", "format": "binary"}}, "required": ["photo"],
        });
        let schema = SchemaObject { json_schema: file, external_docs: None, example: None };
        let media = MediaType { schema: Some(schema), ..MediaType::default() };
        if let Some(ReferenceOr::Item(body)) = &mut operation.request_body {
            body.content.insert("multipart/form-data".to_owned(), media);
        }
    }
}

/// The first part of a form that is a file. `field` is what a refusal is about.
pub async fn first_file(
    field: &'static str,
    upload: Result<Multipart, MultipartRejection>,
) -> Result<Vec<u8>, Fail> {
    let not_a_form = Flaw::Said(format!("{field} dikirim sebagai multipart/form-data").into());
    let mut form = upload.map_err(|_| Fail::invalid(field, not_a_form))?;
    while let Some(part) = form.next_field().await.map_err(|e| unread(&e))? {
        if part.file_name().is_some() {
            return Ok(part.bytes().await.map_err(|e| unread(&e))?.into());
        }
    }
    Err(Fail::invalid(field, Flaw::Missing))
}

fn unread(e: &MultipartError) -> Fail {
    match e.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Fail::TooLarge,
        _ => Fail::bad_request("Isi multipart tidak dapat dibaca"),
    }
}

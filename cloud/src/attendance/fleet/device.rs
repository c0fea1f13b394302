//! Who sends: a box, by its signature over the request (`hadir_shared::wire::request`).
//!
//! What always holds: nothing of a body is read before the box is known; a signature covers the body as it travelled; what a
//! box may do is bound to the school it was enrolled in, whatever the request says.

use aide::{OperationInput, generate::GenContext, openapi::Operation};
use axum::{
    body::Bytes,
    extract::{FromRequest, OriginalUri, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
};
use hadir_shared::{
    ids::{DeviceId, InstitutionId},
    sign::{PublicKey, Signature},
    wire::request::{DEVICE_HEADER, NONCE_HEADER, SIGNATURE_HEADER, SignedRequest},
};
use uuid::Uuid;

use super::store;
use crate::{
    app::App,
    db::Cloud,
    fail::{Fail, NoSession},
    http::describe,
};

/// An enrolled box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub id: DeviceId,
    pub institution: InstitutionId,
    pub is_revoked: bool,
    pub key: PublicKey,
    /// The key before the last rotation, until something signed with the new one has come.
    pub previous_key: Option<PublicKey>,
}

impl Device {
    /// The keys it may sign with, the newest first.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        std::iter::once(&self.key).chain(&self.previous_key)
    }
}

/// A request a box has signed, with its body as it travelled. The box may be revoked.
#[derive(Debug)]
pub struct Signed {
    pub device: Device,
    /// Made for this request alone.
    pub nonce: Uuid,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Signed {
    /// The box, unless it is revoked: it is told nothing about its school any more.
    pub fn active(&self) -> Result<&Device, Fail> {
        if self.device.is_revoked { Err(Fail::denied("Perangkat sudah dicabut")) } else { Ok(&self.device) }
    }
}

impl OperationInput for Signed {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        describe::ask_for_signature(operation);
    }
}

impl FromRequest<App> for Signed {
    type Rejection = Fail;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fail> {
        let (parts, body) = request.into_parts();
        let id = DeviceId(header(&parts.headers, DEVICE_HEADER)?);
        let nonce: Uuid = header(&parts.headers, NONCE_HEADER)?;
        let signature: Signature = header(&parts.headers, SIGNATURE_HEADER)?;
        let mut device = known(app, id).await?;
        let whole = Request::from_parts(parts.clone(), body);
        let body = Bytes::from_request(whole, app).await.map_err(|e| unread(&e))?;
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        let target = uri.path_and_query().map_or_else(|| uri.path(), |target| target.as_str());
        let signed = SignedRequest { device: id, nonce, method: parts.method.as_str(), target, body: &body };
        let fits = |device: &Device| device.keys().any(|key| signed.verify(key, &signature).is_ok());
        if !fits(&device) {
            // It may have taken a new key a moment ago, at another node.
            device = read(app, id).await?;
            if !fits(&device) {
                return Err(stranger());
            }
        }
        Ok(Self { device, nonce, headers: parts.headers, body })
    }
}

fn header<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Result<T, Fail> {
    let value = headers.get(name).ok_or(Fail::Unauthenticated(NoSession::Missing))?;
    value.to_str().ok().and_then(|value| value.parse().ok()).ok_or_else(stranger)
}

async fn known(app: &App, id: DeviceId) -> Result<Device, Fail> {
    match app.sync.recall(id, app.now()) {
        Some(device) => Ok(device),
        None => read(app, id).await,
    }
}

async fn read(app: &App, id: DeviceId) -> Result<Device, Fail> {
    let row = store::device(&mut app.db.read(Cloud).await?, id).await?.ok_or_else(stranger)?;
    let device = Device {
        id,
        institution: InstitutionId(row.institution_id),
        is_revoked: row.revoked_at.is_some(),
        key: row.public_key.parse().map_err(anyhow::Error::from)?,
        previous_key: row.previous_key.map(|key| key.parse()).transpose().map_err(anyhow::Error::from)?,
    };
    app.sync.remember(&device, app.now());
    Ok(device)
}

fn stranger() -> Fail {
    Fail::Unauthenticated(NoSession::Invalid)
}

/// Too long, or broken off.
fn unread(rejection: &BytesRejection) -> Fail {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Fail::TooLarge,
        _ => Fail::Malformed(rejection.body_text()),
    }
}

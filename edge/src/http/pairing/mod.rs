//! Gate tablets and kiosks, let in with a short code. Each has a session of its own, which an admin can end.
//!
//! What always holds: a code is good once and for ten minutes, for the purpose it was made for; of codes and tokens only
//! digests are on disk; a gate may do what a gate does and a kiosk what a kiosk does, and neither anything else; a device
//! that was revoked is a stranger from the next request on; all of them are, once the box joins another school.

mod code;
mod session;
mod store;
#[cfg(test)]
mod tests;
mod tries;

use axum::{
    Router,
    extract::{FromRequestParts, Request, State},
    http::{header::SET_COOKIE, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use data_encoding::BASE64URL_NOPAD;
use hadir_shared::{time::Millis, wire::roster::Role};
use serde::{Deserialize, Serialize};

use self::store::{Newcomer, NotPaired};
pub use self::{
    code::Code,
    session::{PREFIX, Paired, Purpose},
    store::{Listed, forget, list, revoke},
    tries::Tries,
};
use super::{
    Web,
    auth::{AtBoxOr, Permission, bearer, digest},
    dialect::{Created, Data, Done},
    extract::{Body, Peer, Segment},
    fail::{Fail, Flaw, NoSession},
};
use crate::{node::Node, store::NotSaved};

/// How long a code is good.
const CODE_MS: i64 = 10 * 60 * 1000;
/// How long a kiosk stays open after its PIN.
const OPEN_MS: i64 = 5 * 60 * 1000;
/// In characters.
const LONGEST_NAME: usize = 60;
const UNKNOWN_CODE: &str = "Kode pasangan tidak dikenal atau sudah kedaluwarsa";
const UNKNOWN_DEVICE: &str = "Perangkat tidak ditemukan";

pub fn routes() -> Router<Web> {
    Router::new()
        .route("/pairing", get(own).post(pair).delete(leave))
        .route("/pairing/codes", post(make_code))
        .route("/devices", get(devices))
        .route("/devices/{id}/revoke", post(shut_out))
        .route("/devices/{id}/pin", post(set_pin))
        .route("/kiosk/exit", post(exit))
        .route("/kiosk/lock", post(lock))
}

/// May let devices in.
#[derive(Debug)]
struct LetIn;

impl Permission for LetIn {
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk memasangkan perangkat";

    fn allows(role: Role) -> bool {
        matches!(role, Role::Admin | Role::KepalaSekolah | Role::Guru)
    }
}

/// May see which devices there are, and shut them out.
#[derive(Debug)]
struct Manage;

impl Permission for Manage {
    const REFUSAL: &'static str = "Hanya admin yang dapat mengatur perangkat";

    fn allows(role: Role) -> bool {
        role == Role::Admin
    }
}

#[derive(Deserialize)]
struct Wanted {
    purpose: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    /// `K7QX-2M9D`; it is told this once.
    code: String,
    purpose: Purpose,
    expires_at: Millis,
}

async fn make_code(
    State(web): State<Web>,
    _: AtBoxOr<LetIn>,
    Body(wanted): Body<Wanted>,
) -> Result<Created<Shown>, Fail> {
    let text = wanted.purpose.ok_or_else(|| Fail::invalid("purpose", Flaw::Missing))?;
    let purpose = Purpose::parse(&text);
    let purpose = purpose.ok_or_else(|| Fail::invalid("purpose", Flaw::NotOneOf(&["gate", "kiosk"])))?;
    let (code, expires_at) = new_code(&web.node, purpose).await?;
    Ok(Created("Kode pasangan berhasil dibuat", Shown { code: code.to_string(), purpose, expires_at }))
}

/// A code that lets one device in, and until when.
pub async fn new_code(node: &Node, purpose: Purpose) -> Result<(Code, Millis), NotSaved> {
    let (code, now) = (Code::random(node.ids()), node.trusted_now().time);
    let expires = now.plus_millis(CODE_MS);
    store::add_code(node.store(), code.digest(), purpose, now, expires).await?;
    Ok((code, expires))
}

#[derive(Deserialize)]
struct Asking {
    code: Option<String>,
    name: Option<String>,
    pin: Option<String>,
    /// For a program: the token in the answer, rather than in a cookie.
    #[serde(default)]
    bearer: bool,
}

#[derive(Serialize)]
struct Own {
    id: i64,
    name: String,
    purpose: Purpose,
    locked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

async fn pair(State(web): State<Web>, peer: Peer, Body(asking): Body<Asking>) -> Result<Response, Fail> {
    let typed = asking.code.ok_or_else(|| Fail::invalid("code", Flaw::Missing))?;
    let name = name(asking.name)?;
    let pin = asking.pin.filter(|pin| !pin.is_empty()).map(checked).transpose()?;
    web.tries.code(&peer.key())?;
    let code = Code::parse(&typed).ok_or(Fail::NotFound(UNKNOWN_CODE))?;
    let exit_pin = match pin {
        Some(pin) => Some(web.verifier.hash(pin, web.node.ids()).await?),
        None => None,
    };
    let token = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&web.node.ids().bytes::<32>()));
    let new = Newcomer { token: digest(&token), name, exit_pin };
    let now = web.node.trusted_now().time;
    let paired = store::pair(web.node.store(), code.digest(), new, now).await?;
    tracing::info!(id = paired.id, purpose = paired.purpose.as_str(), "a device was paired");
    let own = |token| Created("Perangkat berhasil dipasangkan", Own::of(&paired, now, token));
    if asking.bearer {
        return Ok(own(Some(token)).into_response());
    }
    Ok(([(SET_COOKIE, session::set_cookie(&token)?)], own(None)).into_response())
}

fn name(text: Option<String>) -> Result<String, Fail> {
    let name = text.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Fail::invalid("name", Flaw::Missing))?;
    if name.chars().count() > LONGEST_NAME {
        return Err(Fail::invalid("name", Flaw::TooLong(LONGEST_NAME)));
    }
    if name.chars().any(char::is_control) { Err(Fail::invalid("name", Flaw::Unreadable)) } else { Ok(name) }
}

fn checked(pin: String) -> Result<String, Fail> {
    let is_pin = (4..=8).contains(&pin.len()) && pin.bytes().all(|b| b.is_ascii_digit());
    if is_pin { Ok(pin) } else { Err(Fail::invalid("pin", Flaw::NotAPin)) }
}

/// What the device that asks is, or `null`; its cookie is good for another while.
async fn own(State(web): State<Web>, device: Result<Device, Fail>) -> Result<Response, Fail> {
    let device = match device {
        Ok(device) => device,
        Err(Fail::Unauthenticated(_)) => return Ok(Data(None::<Own>).into_response()),
        Err(fail) => return Err(fail),
    };
    let own = Data(Own::of(&device.paired, web.node.trusted_now().time, None));
    Ok(match device.cookie {
        Some(token) => ([(SET_COOKIE, session::set_cookie(&token)?)], own).into_response(),
        None => own.into_response(),
    })
}

/// The device forgets that it was paired; a kiosk needs its PIN first.
async fn leave(State(web): State<Web>, Device { paired, .. }: Device) -> Result<Response, Fail> {
    let now = web.node.trusted_now().time;
    if paired.is_locked(now) {
        return Err(Fail::Denied("Kiosk ini terkunci. Masukkan PIN lebih dulu"));
    }
    revoke(web.node.store(), paired.id, now).await?;
    Ok(([(SET_COOKIE, session::set_cookie("")?)], Done("Perangkat tidak lagi dipasangkan")).into_response())
}

impl Own {
    fn of(paired: &Paired, now: Millis, token: Option<String>) -> Self {
        let Paired { id, name, purpose, .. } = paired.clone();
        Self { id, name, purpose, locked: paired.is_locked(now), token }
    }
}

async fn devices(State(web): State<Web>, _: AtBoxOr<Manage>) -> Result<Data<Vec<Listed>>, Fail> {
    Ok(Data(list(web.node.store()).await?))
}

async fn shut_out(
    State(web): State<Web>,
    _: AtBoxOr<Manage>,
    Segment(id): Segment<i64>,
) -> Result<Done, Fail> {
    let now = web.node.trusted_now().time;
    if !revoke(web.node.store(), id, now).await? {
        return Err(Fail::NotFound(UNKNOWN_DEVICE));
    }
    tracing::info!(id, "a device was revoked");
    Ok(Done("Perangkat berhasil dicabut"))
}

#[derive(Deserialize)]
struct Pin {
    pin: Option<String>,
}

impl Pin {
    fn given(self) -> Result<String, Fail> {
        checked(self.pin.ok_or_else(|| Fail::invalid("pin", Flaw::Missing))?)
    }
}

async fn set_pin(
    State(web): State<Web>,
    _: AtBoxOr<Manage>,
    Segment(id): Segment<i64>,
    Body(pin): Body<Pin>,
) -> Result<Done, Fail> {
    let hash = web.verifier.hash(pin.given()?, web.node.ids()).await?;
    if store::set_pin(web.node.store(), id, hash).await? {
        Ok(Done("PIN kiosk berhasil diperbarui"))
    } else {
        Err(Fail::NotFound(UNKNOWN_DEVICE))
    }
}

/// Opens the kiosk for a while: with its PIN, or for an admin who is signed in.
async fn exit(
    State(web): State<Web>,
    Device { paired, is_manager, .. }: Device,
    Body(pin): Body<Pin>,
) -> Result<Done, Fail> {
    if !is_manager {
        let pin = pin.given()?;
        web.tries.pin(paired.id)?;
        if !web.verifier.verify(pin, paired.exit_pin.clone()).await? {
            return Err(Fail::Denied("PIN salah"));
        }
    }
    let until = web.node.trusted_now().time.plus_millis(OPEN_MS);
    store::unlock(web.node.store(), paired.id, until).await?;
    Ok(Done("Kiosk dibuka"))
}

async fn lock(State(web): State<Web>, Device { paired, .. }: Device) -> Result<Done, Fail> {
    store::unlock(web.node.store(), paired.id, Millis(0)).await?;
    Ok(Done("Kiosk dikunci"))
}

/// A paired device, whatever it is for.
struct Device {
    paired: Paired,
    /// Its token, when that came in a cookie.
    cookie: Option<String>,
    /// An admin is signed in on it.
    is_manager: bool,
}

impl FromRequestParts<Web> for Device {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fail> {
        let peer = Peer::from_request_parts(parts, web).await?;
        let paired = Paired::of(parts, &peer, web).await?;
        let paired = paired.ok_or(Fail::Unauthenticated(NoSession::Invalid))?;
        let bearer = bearer(parts);
        let cookie = session::token(parts, &peer).filter(|token| Some(*token) != bearer).map(str::to_owned);
        let is_manager = AtBoxOr::<Manage>::from_request_parts(parts, web).await.is_ok();
        Ok(Self { paired, cookie, is_manager })
    }
}

/// Sends a locked kiosk back to what it shows: nobody walks from there to the box's other pages.
pub async fn keep_kiosks(State(web): State<Web>, peer: Peer, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let paired = Paired::of(&parts, &peer, &web).await;
    match paired {
        Ok(Some(paired)) if paired.is_locked(web.node.trusted_now().time) => {
            Redirect::to("/kiosk").into_response()
        }
        Ok(_) => next.run(Request::from_parts(parts, body)).await,
        Err(fail) => fail.into_response(),
    }
}

impl From<NotPaired> for Fail {
    fn from(why: NotPaired) -> Self {
        match why {
            NotPaired::UnknownCode => Self::NotFound(UNKNOWN_CODE),
            NotPaired::NeedsPin => Self::invalid("pin", Flaw::Missing),
            NotPaired::NotSaved(why) => why.into(),
        }
    }
}

//! Who asks. Asking for one of these in a handler's signature is what protects it.

use std::{marker::PhantomData, ops::Deref};

use axum::{
    extract::FromRequestParts,
    http::{header::AUTHORIZATION, request::Parts},
};
use hadir_shared::{
    ids::UserId,
    time::Millis,
    wire::roster::{Person, Role},
};

use super::{digest, store, token};
use crate::http::{
    Web,
    extract::Peer,
    fail::{Fail, NoSession},
    pairing::{self, Paired, Purpose},
};

/// Somebody who is signed in and active in the roster as it is now.
#[derive(Debug, Clone)]
pub struct Caller {
    pub person: Person,
    /// The digest of the token.
    pub(super) session: String,
}

impl FromRequestParts<Web> for Caller {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fail> {
        let bearer = bearer(parts).ok_or(Fail::Unauthenticated(NoSession::Missing))?.to_owned();
        if bearer.starts_with(pairing::PREFIX) {
            let peer = Peer::from_request_parts(parts, web).await?;
            let device = Paired::of(parts, &peer, web).await?;
            let unknown = Fail::Unauthenticated(NoSession::Invalid);
            return Err(device.map_or(unknown, |_| Fail::Denied(NO_PERSON)));
        }
        let session = digest(&bearer);
        let known = store::find(web.node.store(), session.clone()).await?;
        if known.is_some_and(|s| s.ended) {
            return Err(Fail::Unauthenticated(NoSession::Invalid));
        }
        let now = web.node.trusted_now().time;
        let person = if token::is_jwt(&bearer) {
            of_cloud(web, &bearer, now)
        } else {
            known.ok_or(NoSession::Invalid).and_then(|s| of_box(web, s, now))
        };
        Ok(Self { person: person.map_err(Fail::Unauthenticated)?, session })
    }
}

fn of_cloud(web: &Web, bearer: &str, now: Millis) -> Result<Person, NoSession> {
    let roster = web.node.roster();
    let uuid = token::verify(bearer, &roster.keys, now)?;
    roster.people().find(|p| p.uuid == uuid && p.active).cloned().ok_or(NoSession::Invalid)
}

fn of_box(web: &Web, session: store::Session, now: Millis) -> Result<Person, NoSession> {
    if session.expires <= now {
        return Err(NoSession::Expired);
    }
    web.node.roster().person(session.user).filter(|p| p.active).cloned().ok_or(NoSession::Invalid)
}

/// The token of `Authorization: Bearer …`.
pub fn bearer(parts: &Parts) -> Option<&str> {
    let (scheme, token) = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// What a handler asks for before it does anything.
pub trait Permission: Send + Sync + 'static {
    /// What somebody reads who lacks it.
    const REFUSAL: &'static str;

    /// The row of the contract's table.
    fn allows(role: Role) -> bool;
}

/// Somebody signed in who has the permission `P`.
#[derive(Debug)]
pub struct Allowed<P> {
    caller: Caller,
    permission: PhantomData<P>,
}

impl<P> Deref for Allowed<P> {
    type Target = Person;

    fn deref(&self) -> &Person {
        &self.caller.person
    }
}

impl<P: Permission> FromRequestParts<Web> for Allowed<P> {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fail> {
        let caller = Caller::from_request_parts(parts, web).await?;
        if P::allows(caller.person.role) {
            Ok(Self { caller, permission: PhantomData })
        } else {
            Err(Fail::Denied(P::REFUSAL))
        }
    }
}

/// May scan students' cards.
#[derive(Debug)]
pub struct ScanStudents;

impl Permission for ScanStudents {
    const REFUSAL: &'static str = "Hanya guru yang dapat melakukan absensi siswa";

    fn allows(role: Role) -> bool {
        role.scans_students()
    }
}

/// May show the rotating QR.
#[derive(Debug)]
pub struct ShowQr;

impl Permission for ShowQr {
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk menampilkan QR code";

    fn allows(role: Role) -> bool {
        role.shows_qr()
    }
}

/// Keeps the box.
#[derive(Debug)]
pub struct Keep;

impl Permission for Keep {
    const REFUSAL: &'static str = "Hanya admin yang dapat mencoba ulang sinkronisasi";

    fn allows(role: Role) -> bool {
        role == Role::Admin
    }
}

/// Where somebody stands who asks for what a gate, a screen or a keeper may.
struct Standing {
    /// Who is signed in there.
    person: Option<UserId>,
    /// As what the device was paired.
    device: Option<Paired>,
}

/// Somebody signed in with `P`, a device that was paired for `purpose`, or anybody at the box itself: who stands at its
/// keyboard has the box. A gate at the box or a paired one scans again after a reload without a login in the morning rush. A
/// device is never more than what it was paired for, at the box neither: people walk up to a kiosk.
async fn standing<P: Permission>(
    parts: &mut Parts,
    web: &Web,
    purpose: Option<Purpose>,
) -> Result<Standing, Fail> {
    let peer = Peer::from_request_parts(parts, web).await?;
    let device = Paired::of(parts, &peer, web).await?;
    let is_meant = device.as_ref().is_some_and(|device| Some(device.purpose) == purpose);
    match Allowed::<P>::from_request_parts(parts, web).await {
        Ok(allowed) => Ok(Standing { person: Some(allowed.id), device: device.filter(|_| is_meant) }),
        Err(Fail::Unauthenticated(_) | Fail::Denied(_)) if is_meant => Ok(Standing { person: None, device }),
        Err(Fail::Unauthenticated(_)) if device.is_some() => Err(Fail::Denied(NO_PERSON)),
        Err(Fail::Unauthenticated(_)) if peer.is_here() => Ok(Standing { person: None, device: None }),
        Err(fail) => Err(fail),
    }
}

/// What a paired device reads that asks for more than it was paired for.
const NO_PERSON: &str = "Perangkat ini tidak dipasangkan untuk itu";

/// Somebody signed in with `P`, or anybody at the box itself.
#[derive(Debug)]
pub struct AtBoxOr<P>(PhantomData<P>);

impl<P: Permission> FromRequestParts<Web> for AtBoxOr<P> {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fail> {
        standing::<P>(parts, web, None).await.map(|_| Self(PhantomData))
    }
}

/// A gate: at the box itself, a paired one, or with a login that may scan students.
#[derive(Debug)]
pub struct AtGate {
    /// Who stands there, when he said so.
    pub operator: Option<UserId>,
    /// What the gate is called, when it was paired.
    pub name: Option<String>,
}

impl FromRequestParts<Web> for AtGate {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fail> {
        let Standing { person, device } = standing::<ScanStudents>(parts, web, Some(Purpose::Gate)).await?;
        Ok(Self { operator: person, name: device.map(|device| device.name) })
    }
}

/// A screen that shows the rotating QR: at the box itself, a paired kiosk, or with a login that may.
#[derive(Debug)]
pub struct AtScreen;

impl FromRequestParts<Web> for AtScreen {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fail> {
        standing::<ShowQr>(parts, web, Some(Purpose::Kiosk)).await.map(|_| Self)
    }
}

/// Whoever keeps the box: at the box itself, or an admin.
pub type Keeper = AtBoxOr<Keep>;

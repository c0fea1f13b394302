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
fn bearer(parts: &Parts) -> Option<&str> {
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

/// Somebody signed in with `P`, or anybody at the box itself: who stands at its keyboard has the box. A gate at the box
/// scans again after a reload without a login in the morning rush; every other gate signs in once.
async fn here_or<P: Permission>(parts: &mut Parts, web: &Web) -> Result<Option<UserId>, Fail> {
    let is_here = Peer::from_request_parts(parts, web).await?.is_here();
    match Allowed::<P>::from_request_parts(parts, web).await {
        Ok(allowed) => Ok(Some(allowed.id)),
        Err(Fail::Unauthenticated(_)) if is_here => Ok(None),
        Err(fail) => Err(fail),
    }
}

/// A gate: at the box itself, or with a login that may scan students.
#[derive(Debug)]
pub struct AtGate {
    /// Who stands there, when he said so.
    pub operator: Option<UserId>,
}

impl FromRequestParts<Web> for AtGate {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fail> {
        Ok(Self { operator: here_or::<ScanStudents>(parts, web).await? })
    }
}

/// A screen that shows the rotating QR: at the box itself, or with a login that may.
#[derive(Debug)]
pub struct AtScreen;

impl FromRequestParts<Web> for AtScreen {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fail> {
        here_or::<ShowQr>(parts, web).await.map(|_| Self)
    }
}

/// Whoever keeps the box: at the box itself, or an admin.
#[derive(Debug)]
pub struct Keeper;

impl FromRequestParts<Web> for Keeper {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fail> {
        here_or::<Keep>(parts, web).await.map(|_| Self)
    }
}

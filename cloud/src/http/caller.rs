//! Who asks. Asking for one of these in a handler's signature is what protects it.

use std::{marker::PhantomData, ops::Deref};

use axum::{
    extract::FromRequestParts,
    http::{header::AUTHORIZATION, request::Parts},
};
use hadir_shared::ids::InstitutionId;

use crate::{
    app::App,
    fail::{Fail, NoSession},
    identity::Caller,
};

/// What somebody reads who still has to set up a second factor.
const HALF: &str = "Akun Anda wajib memakai verifikasi dua langkah: aktifkan dahulu di konsol";

/// Anybody who is signed in, to whatever school or to none; with a second factor, if his role asks for one.
impl FromRequestParts<App> for Caller {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fail> {
        // Put there by the console, which has asked the browser's session.
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        let token = bearer(parts).ok_or(Fail::Unauthenticated(NoSession::Missing))?;
        let who = app.identity.caller(app, token).await?;
        if who.is_half { Err(Fail::denied(HALF)) } else { Ok(who) }
    }
}

/// The token of `Authorization: Bearer …`.
pub fn bearer(parts: &Parts) -> Option<&str> {
    let (scheme, token) = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// Somebody who is signed in and belongs to a school: `.institution` is the tenant of all he does.
#[derive(Debug, Clone)]
pub struct Member {
    pub institution: InstitutionId,
    pub caller: Caller,
}

impl Deref for Member {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl FromRequestParts<App> for Member {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fail> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let institution = caller
            .institution
            .ok_or_else(|| Fail::denied("Akun ini tidak terhubung dengan sekolah mana pun"))?;
        Ok(Self { institution, caller })
    }
}

/// What a handler asks for before it does anything.
pub trait Permission: Send + Sync + 'static {
    /// As it stands in the table `permissions`: `attendance.students.scan`.
    const CODE: &'static str;
    /// What somebody reads who lacks it.
    const REFUSAL: &'static str;
}

/// A member of a school who has the permission `P` there. `Allowed<ScanStudents>` in a signature is the check.
#[derive(Debug)]
pub struct Allowed<P> {
    member: Member,
    permission: PhantomData<P>,
}

impl<P> Deref for Allowed<P> {
    type Target = Member;

    fn deref(&self) -> &Member {
        &self.member
    }
}

/// Somebody who has the permission `P`, of a school or of none: for what the whole cloud has in common.
#[derive(Debug)]
pub struct Holder<P> {
    caller: Caller,
    permission: PhantomData<P>,
}

impl<P> Deref for Holder<P> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl<P: Permission> FromRequestParts<App> for Holder<P> {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fail> {
        let caller = Caller::from_request_parts(parts, app).await?;
        if caller.may(P::CODE) {
            Ok(Self { caller, permission: PhantomData })
        } else {
            Err(Fail::denied(P::REFUSAL))
        }
    }
}

impl<P: Permission> FromRequestParts<App> for Allowed<P> {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fail> {
        let member = Member::from_request_parts(parts, app).await?;
        if member.may(P::CODE) {
            Ok(Self { member, permission: PhantomData })
        } else {
            Err(Fail::denied(P::REFUSAL))
        }
    }
}

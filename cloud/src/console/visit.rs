//! Who opens a page. Asking for one of these in a handler's signature is what protects it.

use std::{marker::PhantomData, ops::Deref};

use axum::{
    extract::{FromRequestParts, OriginalUri, RawPathParams},
    http::request::Parts,
    response::{IntoResponse, Redirect, Response},
};
use hadir_shared::ids::InstitutionId;

use super::{EVERY_SCHOOL, USE, second, session, shell::Shell, store, words::Lang};
use crate::{
    app::App,
    db::Cloud,
    fail::Fail,
    http::{Member, Permission},
    identity::{Caller, session::acting},
};

/// Somebody who may see a page of a school: `P` is what the page asks for. The school is the one in the address; whoever
/// does not belong to it, and does not look after all of them, finds nothing there.
#[derive(Debug)]
pub struct Visit<P> {
    pub shell: Shell,
    member: Member,
    permission: PhantomData<P>,
}

impl<P> Visit<P> {
    pub const fn member(&self) -> &Member {
        &self.member
    }
}

impl<P> Deref for Visit<P> {
    type Target = Member;

    fn deref(&self) -> &Member {
        &self.member
    }
}

/// Whoever is not let in: he is sent to sign in, or reads why not.
#[derive(Debug)]
pub enum Refused {
    SignIn(String),
    /// He has to set up a second factor first.
    SetUp(String),
    Failed(Fail),
}

impl From<Fail> for Refused {
    fn from(fail: Fail) -> Self {
        Self::Failed(fail)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn(here) => Redirect::to(&login_url(&here)).into_response(),
            Self::SetUp(here) => Redirect::to(&second::url(&here)).into_response(),
            Self::Failed(fail) => fail.into_response(),
        }
    }
}

/// Where to sign in, to come back to `next` afterwards.
pub fn login_url(next: &str) -> String {
    let next = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    format!("/console/login?{next}")
}

impl<P: Permission> FromRequestParts<App> for Visit<P> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let caller = signed_in(parts, app).await?;
        if caller.is_half {
            return Err(Refused::SetUp(here(parts)));
        }
        let institution = school_of(parts, app).await?;
        let member = member(app, caller, institution).await?;
        let school =
            store::school(&mut app.db.read(institution).await.map_err(Fail::from)?, institution).await;
        let school = school.map_err(Fail::from)?.ok_or(Fail::NoRoute)?;
        for (code, refusal) in [(USE, "Akun ini tidak memakai konsol"), (P::CODE, P::REFUSAL)] {
            if !member.may(code) {
                return Err(Fail::denied(refusal).into());
            }
        }
        let shell =
            Shell::new(app, Lang::of(&parts.headers), Some(school), member.caller.clone(), here(parts));
        Ok(Self { shell, member, permission: PhantomData })
    }
}

/// Somebody who looks after all schools.
#[derive(Debug)]
pub struct Above {
    pub shell: Shell,
}

impl FromRequestParts<App> for Above {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let guest = Guest::from_request_parts(parts, app).await?;
        if !guest.shell.may(EVERY_SCHOOL) {
            return Err(Fail::NoRoute.into());
        }
        Ok(Self { shell: guest.shell })
    }
}

/// Anybody who is signed in, whatever he may do.
#[derive(Debug)]
pub struct Guest {
    pub shell: Shell,
}

impl FromRequestParts<App> for Guest {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refused> {
        let caller = signed_in(parts, app).await?;
        Ok(Self { shell: Shell::new(app, Lang::of(&parts.headers), None, caller, here(parts)) })
    }
}

async fn signed_in(parts: &Parts, app: &App) -> Result<Caller, Refused> {
    match session::caller(app, &parts.headers).await {
        Err(Fail::Unauthenticated(_)) => Err(Refused::SignIn(here(parts))),
        other => Ok(other?),
    }
}

/// The school in the address.
pub async fn school_of(parts: &mut Parts, app: &App) -> Result<InstitutionId, Fail> {
    let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| Fail::NoRoute)?;
    let school = params.iter().find(|(name, _)| *name == "school").ok_or(Fail::NoRoute)?.1;
    school.parse().map(InstitutionId).map_err(|_| Fail::NoRoute)
}

/// The caller as a member of that school: his own, or any for whoever looks after all. Fails with [`Fail::NoRoute`].
pub async fn member(app: &App, caller: Caller, institution: InstitutionId) -> Result<Member, Fail> {
    if caller.institution == Some(institution) {
        return Ok(Member { institution, caller });
    }
    if !caller.may(EVERY_SCHOOL) {
        return Err(Fail::NoRoute);
    }
    let caller = acting(&mut app.db.read(Cloud).await?, &caller, institution).await?.ok_or(Fail::NoRoute)?;
    Ok(Member { institution, caller })
}

/// The path and query as the browser knows them.
fn here(parts: &Parts) -> String {
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    uri.path_and_query().map_or_else(|| "/console".to_owned(), ToString::to_string)
}

//! Sessions: what a login makes, every request checks, and a logout ends.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};
use serde_json::json;
use uuid::Uuid;

use super::{
    CACHE_MS,
    audit::{Actor, Entry, audit},
    keys::Alg,
    seed, store,
    token::{self, Claims},
};
use crate::{
    app::App,
    db::{Cloud, Tx},
    fail::{Fail, NoSession},
};

/// `last_seen_at` is written when it is older than this: who looks at it wants days, and writes are not free.
const SEEN_MS: i64 = 5 * 60 * 1000;
/// Sessions kept in memory at most.
const CACHE_LEN: usize = 20_000;

/// The user of one request. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Caller(Arc<Who>);

/// What is known of a signed-in user.
#[derive(Debug)]
pub struct Who {
    pub user: UserId,
    pub uuid: Uuid,
    /// `None`: belongs to no school (a super admin).
    pub institution: Option<InstitutionId>,
    pub name: String,
    pub session: Uuid,
    pub token_version: i64,
    pub expires_at: Millis,
    /// When he signed in.
    pub since: Millis,
    pub assurance: Assurance,
    /// A role of his asks for a second factor, which he has not given: he may do nothing but set one up.
    pub is_half: bool,
    last_seen_at: Millis,
    /// Service code → role, in the services that the user's institution has.
    pub roles: BTreeMap<String, Role>,
    permissions: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub id: i64,
    pub code: String,
}

impl std::ops::Deref for Caller {
    type Target = Who;

    fn deref(&self) -> &Who {
        &self.0
    }
}

impl Who {
    /// Whether the user has a permission, by its code.
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.contains(permission)
    }

    /// The role in one service: `caller.role("ATTENDANCE")`.
    pub fn role(&self, service: &str) -> Option<&Role> {
        self.roles.get(service)
    }

    /// As an audit row names him.
    pub fn actor(&self) -> Actor {
        Actor::User(self.user)
    }
}

/// What is to be remembered of a login.
#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    /// Which dialect's login made it: `attendance`, `sso`, `console`.
    pub client: &'static str,
    pub address: IpAddr,
    pub user_agent: Option<&'a str>,
    /// How long it lives.
    pub life_ms: i64,
}

/// How sure it is that it is he.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assurance {
    Password,
    SecondFactor,
}

impl Assurance {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::SecondFactor => "second_factor",
        }
    }
}

/// What a session follows from.
#[derive(Debug, Clone, Copy)]
pub struct From {
    pub assurance: Assurance,
    /// The session it ends with.
    pub parent: Option<Uuid>,
}

/// A session as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Listed {
    pub id: Uuid,
    pub client: String,
    pub user_agent: Option<String>,
    pub address: Option<String>,
    #[sqlx(try_from = "i64")]
    pub created_at: Millis,
    #[sqlx(try_from = "i64")]
    pub last_seen_at: Millis,
    #[sqlx(try_from = "i64")]
    pub expires_at: Millis,
}

/// Makes a session of a user who has proved who he is, and its caller.
pub async fn open(
    tx: &mut Tx,
    app: &App,
    user: UserId,
    new: &NewSession<'_>,
    from: From,
) -> Result<Caller, Fail> {
    let now = app.now();
    let id = app.ids.random_uuid();
    store::insert_session(tx, id, user, new, &from, now).await?;
    audit(
        tx,
        app,
        &Entry::new(Actor::User(user), "session.open", format!("session:{id}"))
            .about(user)
            .after(json!({"client": new.client})),
    )
    .await?;
    living(tx, id, now).await
}

/// The caller as he works in a school he does not belong to: with the permissions of its administrator beside his own, and
/// under his own name. Whether he may is the business of whoever asks. `None`: there is no such active school.
pub async fn acting(tx: &mut Tx, who: &Caller, institution: InstitutionId) -> Result<Option<Caller>, Fail> {
    let services = store::services_of(tx, institution).await?;
    if services.is_empty() {
        return Ok(None);
    }
    let mut roles = who.roles.clone();
    let mut permissions = who.permissions.clone();
    let known = store::role(tx, seed::ADMIN).await?;
    if let Some((service, id, code)) = known.filter(|known| services.iter().any(|(code,)| *code == known.0)) {
        permissions.extend(store::permissions_of_role(tx, id).await?.into_iter().map(|(code,)| code));
        roles.insert(service, Role { id, code });
    }
    let acting = Who { institution: Some(institution), roles, permissions, name: who.name.clone(), ..*who.0 };
    Ok(Some(Caller(Arc::new(acting))))
}

/// The signed access token of a caller's session, which dies with it at the latest.
pub fn access_token(app: &App, who: &Caller, expires_at: Millis) -> Result<String, Fail> {
    let ring = app.identity.keys();
    let expires_at = expires_at.min(who.expires_at);
    Ok(ring.sign(Alg::EdDsa, token::ACCESS, &Claims::new(ring, who, &app.ids, app.now(), expires_at))?)
}

/// A user's living sessions, the newest first.
pub async fn list(tx: &mut Tx, user: UserId, now: Millis) -> Result<Vec<Listed>, Fail> {
    Ok(store::sessions(tx, user, now).await?)
}

/// Ends one session of a user, and what came from it. `false`: there is no such living session of his. Afterwards: commit, then
/// [`super::Identity::forget`].
pub async fn revoke(tx: &mut Tx, app: &App, user: UserId, session: Uuid) -> Result<bool, Fail> {
    revoke_by(tx, app, Actor::User(user), user, session).await
}

/// [`revoke`], by somebody else.
pub async fn revoke_by(tx: &mut Tx, app: &App, by: Actor, user: UserId, session: Uuid) -> Result<bool, Fail> {
    let ended = store::revoke_session(tx, user, session, app.now()).await? == 1;
    if ended {
        store::revoke_children(tx, user, session, app.now()).await?;
        audit(tx, app, &Entry::new(by, "session.revoke", format!("session:{session}")).about(user)).await?;
    }
    Ok(ended)
}

/// Ends every session of a user, save one where that is wanted. Answers how many. Afterwards as for [`revoke`].
pub async fn revoke_all(
    tx: &mut Tx,
    app: &App,
    by: Actor,
    user: UserId,
    except: Option<Uuid>,
) -> Result<u64, Fail> {
    let ended = store::revoke_sessions(tx, user, except, app.now()).await?;
    audit(
        tx,
        app,
        &Entry::new(by, "session.revoke_all", format!("user:{user}"))
            .about(user)
            .after(json!({"ended": ended})),
    )
    .await?;
    Ok(ended)
}

/// Who a token's session belongs to, from memory if seen a moment ago.
pub(super) async fn caller(
    app: &App,
    cache: &Cache,
    session: Uuid,
    user: Uuid,
    version: i64,
) -> Result<Caller, Fail> {
    let now = app.now();
    let who = match cache.get(session, now) {
        Some(who) => who,
        None => fetch(app, cache, session, now).await?,
    };
    if who.uuid != user || who.token_version != version {
        return Err(Fail::Unauthenticated(NoSession::Invalid));
    }
    if who.expires_at <= now {
        return Err(Fail::Unauthenticated(NoSession::Expired));
    }
    Ok(who)
}

/// The caller of a session that is neither revoked nor over, whose user may sign in.
pub async fn living(tx: &mut Tx, session: Uuid, now: Millis) -> Result<Caller, Fail> {
    let row = store::session(tx, session).await?.ok_or(Fail::Unauthenticated(NoSession::Invalid))?;
    if row.revoked_at.is_some() || !row.is_active {
        return Err(Fail::Unauthenticated(NoSession::Invalid));
    }
    if row.expires_at <= now.0 {
        return Err(Fail::Unauthenticated(NoSession::Expired));
    }
    load(tx, session, row).await
}

async fn fetch(app: &App, cache: &Cache, session: Uuid, now: Millis) -> Result<Caller, Fail> {
    let era = cache.era();
    let mut tx = app.db.read(Cloud).await?;
    let who = living(&mut tx, session, now).await?;
    drop(tx);
    let last_seen = who.last_seen_at;
    if now.since(last_seen) > SEEN_MS {
        let mut tx = app.db.write(Cloud).await?;
        store::touch_session(&mut tx, session, now).await?;
        tx.commit().await?;
    }
    cache.put(era, session, &who, now);
    Ok(who)
}

async fn load(tx: &mut Tx, session: Uuid, row: store::SessionRow) -> Result<Caller, Fail> {
    let assurance =
        if row.assurance == "second_factor" { Assurance::SecondFactor } else { Assurance::Password };
    let is_half = row.needs_second && assurance == Assurance::Password;
    let (roles, permissions) = if is_half {
        (Vec::new(), Vec::new())
    } else {
        let user = UserId(row.user_id);
        (store::roles_of(tx, user).await?, store::permissions_of(tx, user).await?)
    };
    Ok(Caller(Arc::new(Who {
        user: UserId(row.user_id),
        uuid: row.uuid,
        institution: row.institution_id.map(InstitutionId),
        name: row.name,
        session,
        token_version: row.token_version,
        expires_at: Millis(row.expires_at),
        since: Millis(row.created_at),
        assurance,
        is_half,
        last_seen_at: Millis(row.last_seen_at),
        roles: roles.into_iter().map(|(service, id, code)| (service, Role { id, code })).collect(),
        permissions: permissions.into_iter().map(|(code,)| code).collect(),
    })))
}

/// Sessions seen within [`CACHE_MS`]. What was read before a [`Cache::clear`] is not put in after it.
#[derive(Default)]
pub(super) struct Cache(Mutex<Cached>);

#[derive(Default)]
struct Cached {
    era: u64,
    seen: HashMap<Uuid, (Millis, Caller)>,
}

impl Cache {
    fn get(&self, session: Uuid, now: Millis) -> Option<Caller> {
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, who) = cached.seen.get(&session)?;
        (0..CACHE_MS).contains(&now.since(*at)).then(|| who.clone())
    }

    fn era(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).era
    }

    fn put(&self, era: u64, session: Uuid, who: &Caller, now: Millis) {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.seen.len() >= CACHE_LEN {
            cached.seen.clear();
        }
        if cached.era == era {
            cached.seen.insert(session, (now, who.clone()));
        }
    }

    pub(super) fn clear(&self) {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached.era += 1;
        cached.seen.clear();
    }
}

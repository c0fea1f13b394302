//! Identity: the one core under every module. No module has its own login, password or session.
//!
//! What always holds:
//! - a password is stored as argon2id and nowhere else; it is hashed by at most one task per core;
//! - an unknown login, a wrong password, an inactive or waiting account get the same answer in the same time;
//! - a token is good only while its session is: revoking the session ends it everywhere within [`CACHE_MS`];
//! - a user's `token_version` is in every token: raising it ends them all;
//! - who may not sign in any more (user or institution inactive) has no caller, whatever token he holds;
//! - who has a second factor signs in with it, through every module; whose role asks for one does nothing without it;
//! - a role works only in a service that the user's institution has;
//! - every change of state here leaves an audit row in its own transaction.
//!
//! Absent on purpose: anything that names a module. A module's login is its own handler over [`login()`].

use std::sync::Arc;

use hadir_shared::time::Millis;
use uuid::Uuid;

use crate::{
    app::App,
    clock::Ids,
    config::Config,
    db::{Db, Tx},
    fail::Fail,
    jobs::Work,
    seal::Seal,
};

pub mod audit;
pub mod budget;
pub mod code;
pub mod device;
pub mod keys;
mod login;
pub mod password;
pub mod recovery;
pub mod refresh;
pub mod second;
pub mod seed;
pub mod session;
mod store;
#[cfg(test)]
mod tests;
mod throttle;
mod token;
pub mod user;
pub mod verify;

pub use audit::{Actor, Entry, audit};
pub use keys::{Alg, KeyRing};
pub use login::{Attempt, Entered, Key, Proof, SignedIn, enter, finish, login, login_with, prove};
pub use session::{Assurance, Caller, NewSession};
pub use token::{AUDIENCE, Claims, Rules};
pub use user::{InstitutionWitness, NewUser, RemovalWitness, User, Witness};

/// How long a node believes what it knows of a session without asking the database: the longest a revoked one lives on
/// another node. On the node that revoked it, it ends at once.
///
/// A school that loses a module loses it on every node within a second: a node's knowledge is as old as the moment it asked,
/// so this bounds it by itself, whatever is lost between the nodes. It costs a busy session three look-ups by key a time.
pub const CACHE_MS: i64 = 750;

/// The part of identity that lives in memory: keys, the hashing queue, sessions seen a moment ago. Cheap to clone.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    keys: KeyRing,
    hasher: password::Hasher,
    cache: session::Cache,
}

impl Identity {
    pub async fn open(db: &Db, now: Millis, ids: &Ids, seal: &Seal, config: &Config) -> anyhow::Result<Self> {
        let issuer = config.public_url.clone().unwrap_or_else(|| "hadir-cloud".into());
        let keys = KeyRing::open(db, now, ids, seal, issuer).await?;
        Ok(Self(Arc::new(Inner { keys, hasher: password::Hasher::new(), cache: session::Cache::default() })))
    }

    /// The signing keys, for tokens of other kinds and for `/.well-known/jwks.json`.
    pub fn keys(&self) -> &KeyRing {
        &self.0.keys
    }

    pub fn hasher(&self) -> &password::Hasher {
        &self.0.hasher
    }

    /// Who holds this access token. Fails with [`Fail::Unauthenticated`].
    pub async fn caller(&self, app: &App, token: &str) -> Result<Caller, Fail> {
        let claims = self.0.keys.verify(app, token).await?;
        self.holder(app, claims.sid, claims.sub, claims.ver).await
    }

    /// Who holds a token of another kind, by the session, user and version it names. Fails likewise.
    pub async fn holder(&self, app: &App, session: Uuid, user: Uuid, version: i64) -> Result<Caller, Fail> {
        session::caller(app, &self.0.cache, session, user, version).await
    }

    /// Call after a commit that changed a session, a user, a role or an institution: this node forgets what it knew.
    pub fn forget(&self) {
        self.0.cache.clear();
    }
}

/// Compares in a time that does not tell how much of it is right.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// Sessions are kept this long after their end, for their owner's list of past logins.
const KEEP_ENDED_MS: i64 = 30 * 24 * 3600 * 1000;

/// Deletes what is over: sessions and refresh tokens, codes, throttles. A scheduled job.
pub fn purge<'a>(tx: &'a mut Tx, app: &'a App) -> Work<'a> {
    Box::pin(async move {
        let now = app.now();
        let gone = store::purge(tx, now.plus_millis(-KEEP_ENDED_MS), now).await?;
        tracing::info!(gone, "ended sessions, codes and throttles deleted");
        Ok(())
    })
}

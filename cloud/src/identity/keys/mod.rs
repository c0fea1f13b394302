//! The signing keys, as this node knows them: what signs now, what is believed, what is published.
//!
//! A key is `next` (published, signs nothing yet), `active`, `passive` (believed until the last token it signed is dead;
//! its secret is erased) and `removed`: see `turn.rs`. What always holds: one key of an algorithm signs at a time, whatever
//! number of nodes started at once (a unique index decides); secrets are sealed with the deployment's key; what is
//! published holds no secret; a key is used with its own algorithm and no other.
//!
//! Ed25519 signs our own tokens, RS256 stands beside it for other software's id tokens: OpenID Connect demands it of every
//! provider.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
};

use anyhow::Context as _;
use hadir_shared::time::Millis;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    store,
    token::{self, AUDIENCE, Claims, Rules},
};
use crate::{
    app::App,
    clock::Ids,
    db::{Cloud, Db},
    fail::{Fail, NoSession},
    seal::Seal,
};

mod material;
pub mod turn;

pub(super) use material::Made;

/// A token with an unknown key makes a node look for new keys, but not more often than this.
const LOOK_AGAIN_MS: i64 = 5_000;
/// A node that runs looks for new keys this often.
const WATCH: std::time::Duration = std::time::Duration::from_secs(5);

/// What a key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alg {
    EdDsa,
    Rs256,
}

impl Alg {
    pub const ALL: [Self; 2] = [Self::EdDsa, Self::Rs256];

    /// As JOSE and the table write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.name() == text)
    }

    pub(super) const fn of_jwt(self) -> Algorithm {
        match self {
            Self::EdDsa => Algorithm::EdDSA,
            Self::Rs256 => Algorithm::RS256,
        }
    }
}

/// The keys of this cloud, as last read from the database.
pub struct KeyRing {
    issuer: String,
    keys: RwLock<Arc<Keys>>,
    read_at: AtomicI64,
}

struct Keys {
    active: HashMap<Alg, (String, EncodingKey)>,
    known: HashMap<String, (Alg, DecodingKey)>,
    jwks: Value,
    own_jwks: Value,
}

impl KeyRing {
    /// Reads the keys; makes the first ones where there are none.
    pub(super) async fn open(
        db: &Db,
        now: Millis,
        ids: &Ids,
        seal: &Seal,
        issuer: String,
    ) -> anyhow::Result<Self> {
        let mut rows = store::signing_keys(&mut db.read(Cloud).await?).await?;
        if !turn::is_complete(&rows) {
            turn::establish(db, now, ids, seal).await?;
            rows = store::signing_keys(&mut db.read(Cloud).await?).await?;
        }
        let keys = Keys::read(&rows, seal)?;
        Ok(Self { issuer, keys: RwLock::new(Arc::new(keys)), read_at: AtomicI64::new(now.0) })
    }

    /// RFC 7517: what others need to check our tokens of every kind, and nothing secret.
    pub fn jwks(&self) -> Value {
        self.current().jwks.clone()
    }

    /// The part of [`KeyRing::jwks`] that signs our own access tokens.
    pub fn own_jwks(&self) -> Value {
        self.current().own_jwks.clone()
    }

    /// What access tokens name as their `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A token of the given type: `at+jwt`, `JWT`.
    pub fn sign<T: Serialize>(&self, alg: Alg, typ: &str, claims: &T) -> anyhow::Result<String> {
        let keys = self.current();
        let (kid, key) = keys.active.get(&alg).context("no key signs")?;
        token::sign(claims, typ, kid, alg, key)
    }

    /// The claims of one of our access tokens, and nobody's opinion on its session yet.
    pub async fn verify(&self, app: &App, text: &str) -> Result<Claims, Fail> {
        let header = token::header(text, token::ACCESS)?;
        let rules =
            Rules { typ: token::ACCESS, issuer: &self.issuer, audience: Some(AUDIENCE), stale: false };
        self.verify_with(app, text, &header, &rules, &[Alg::EdDsa]).await
    }

    /// As [`KeyRing::verify`], for a token of another kind.
    pub async fn verify_as<T: DeserializeOwned>(
        &self,
        app: &App,
        text: &str,
        rules: &Rules<'_>,
    ) -> Result<T, Fail> {
        let header = token::header(text, rules.typ)?;
        self.verify_with(app, text, &header, rules, &Alg::ALL).await
    }

    async fn verify_with<T: DeserializeOwned>(
        &self,
        app: &App,
        text: &str,
        header: &token::Named,
        rules: &Rules<'_>,
        algs: &[Alg],
    ) -> Result<T, Fail> {
        if !self.current().known.contains_key(&header.kid) && self.may_look_again(app.now()) {
            self.reload(app).await?;
        }
        let keys = self.current();
        let invalid = || Fail::Unauthenticated(NoSession::Invalid);
        let (alg, key) = keys.known.get(&header.kid).ok_or_else(invalid)?;
        if header.alg != alg.of_jwt() || !algs.contains(alg) {
            return Err(invalid());
        }
        token::verify(text, *alg, key, rules, app.now())
    }

    /// Reads the keys anew.
    pub async fn reload(&self, app: &App) -> anyhow::Result<()> {
        let rows = store::signing_keys(&mut app.db.read(Cloud).await?).await?;
        let keys = Keys::read(&rows, &app.seal)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(())
    }

    fn may_look_again(&self, now: Millis) -> bool {
        let last = self.read_at.load(Ordering::Relaxed);
        (now.0 - last).abs() >= LOOK_AGAIN_MS
            && self.read_at.compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn current(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Keeps a running node's keys as the database has them: what another node or the command line turned or removed counts
/// here within seconds.
pub async fn watch(app: App, stop: CancellationToken) {
    let mut tick = tokio::time::interval(WATCH);
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            _ = tick.tick() => {
                if let Err(e) = app.identity.keys().reload(&app).await {
                    tracing::warn!("the signing keys could not be read again: {e:#}");
                }
            }
        }
    }
}

impl Keys {
    fn read(rows: &[store::SigningKeyRow], seal: &Seal) -> anyhow::Result<Self> {
        let mut keys =
            Self { active: HashMap::new(), known: HashMap::new(), jwks: Value::Null, own_jwks: Value::Null };
        let mut jwks: Vec<(Alg, Value)> = Vec::new();
        for row in rows {
            let Some(alg) = Alg::parse(&row.algorithm) else { continue };
            if row.state == "active" {
                let secret = material::open(seal, alg, &row.secret)?;
                keys.active.insert(alg, (row.kid.clone(), secret));
            }
            keys.known.insert(row.kid.clone(), (alg, material::public(alg, &row.public)?));
            jwks.push((alg, material::jwk(alg, &row.kid, &row.public)));
        }
        anyhow::ensure!(keys.active.contains_key(&Alg::EdDsa), "no key signs");
        let own: Vec<&Value> =
            jwks.iter().filter(|(alg, _)| *alg == Alg::EdDsa).map(|(_, jwk)| jwk).collect();
        keys.own_jwks = json!({ "keys": own });
        keys.jwks = json!({ "keys": jwks.iter().map(|(_, jwk)| jwk).collect::<Vec<_>>() });
        Ok(keys)
    }
}

impl Claims {
    /// The claims of a session's token.
    pub(super) fn new(
        ring: &KeyRing,
        who: &super::Caller,
        ids: &Ids,
        now: Millis,
        expires_at: Millis,
    ) -> Self {
        Self {
            iss: ring.issuer().into(),
            sub: who.uuid,
            aud: AUDIENCE.into(),
            inst: who.institution,
            sid: who.session,
            jti: ids.random_uuid(),
            iat: now.0.div_euclid(1000),
            exp: expires_at.0.div_euclid(1000),
            ver: who.token_version,
        }
    }
}

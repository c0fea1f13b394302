//! The signing keys: one active, older ones passive until the last token they signed is dead.
//!
//! What always holds: one key signs at a time, whatever number of nodes started at once (a unique index decides); secrets
//! are sealed with the deployment's key; what is published holds no secret.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
};

use anyhow::Context as _;
use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::SigningKey;
use hadir_shared::time::Millis;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    store,
    token::{self, AUDIENCE, Claims},
};
use crate::{
    app::App,
    clock::Ids,
    db::{Cloud, Db},
    fail::{Fail, NoSession},
    seal::Seal,
};

pub(super) const PURPOSE: &str = "signing-key";
/// PKCS #8, version 1, Ed25519 (RFC 8410, section 7): what stands before the 32 bytes of the seed.
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// A token with an unknown key makes a node look for new keys, but not more often than this.
const LOOK_AGAIN_MS: i64 = 5_000;

/// The keys of this cloud, as last read from the database.
pub struct KeyRing {
    issuer: String,
    keys: RwLock<Arc<Keys>>,
    read_at: AtomicI64,
}

struct Keys {
    active: (String, EncodingKey),
    known: HashMap<String, DecodingKey>,
    jwks: Value,
}

impl KeyRing {
    /// Reads the keys; makes the first one where there is none.
    pub(super) async fn open(
        db: &Db,
        now: Millis,
        ids: &Ids,
        seal: &Seal,
        issuer: String,
    ) -> anyhow::Result<Self> {
        let mut tx = db.write(Cloud).await?;
        let mut rows = store::signing_keys(&mut tx).await?;
        if rows.iter().all(|row| row.state != "active") {
            make(&mut tx, now, ids, seal).await?;
            rows = store::signing_keys(&mut tx).await?;
        }
        tx.commit().await?;
        let keys = Keys::read(&rows, seal)?;
        Ok(Self { issuer, keys: RwLock::new(Arc::new(keys)), read_at: AtomicI64::new(now.0) })
    }

    /// Makes a new key sign from now on. The old one goes on being believed until it is removed.
    pub async fn rotate(&self, app: &App) -> anyhow::Result<()> {
        let mut tx = app.db.write(Cloud).await?;
        store::retire_signing_keys(&mut tx).await?;
        make(&mut tx, app.now(), &app.ids, &app.seal).await?;
        tx.commit().await?;
        self.reload(app).await
    }

    /// RFC 7517: what others need to check our tokens, and nothing secret.
    pub fn jwks(&self) -> Value {
        self.current().jwks.clone()
    }

    /// What tokens name as their `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn sign(&self, claims: &Claims) -> anyhow::Result<String> {
        let keys = self.current();
        token::sign(claims, &keys.active.0, &keys.active.1)
    }

    pub(super) async fn verify(&self, app: &App, text: &str) -> Result<Claims, Fail> {
        let kid = token::kid(text)?;
        if !self.current().known.contains_key(&kid) && self.may_look_again(app.now()) {
            self.reload(app).await?;
        }
        let keys = self.current();
        let key = keys.known.get(&kid).ok_or(Fail::Unauthenticated(NoSession::Invalid))?;
        token::verify(text, key, &self.issuer, app.now())
    }

    async fn reload(&self, app: &App) -> anyhow::Result<()> {
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

impl Keys {
    fn read(rows: &[store::SigningKeyRow], seal: &Seal) -> anyhow::Result<Self> {
        let active = rows.iter().find(|row| row.state == "active").context("no key signs")?;
        let seed = seal.open(PURPOSE, &active.secret).context("the signing key in the database")?;
        let pkcs8 = Zeroizing::new([&PKCS8_PREFIX[..], &seed].concat());
        let jwk = |row: &store::SigningKeyRow| json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": row.kid, "x": row.public});
        let mut known = HashMap::new();
        for row in rows {
            known.insert(row.kid.clone(), DecodingKey::from_ed_components(&row.public)?);
        }
        let jwks = json!({ "keys": rows.iter().map(jwk).collect::<Vec<_>>() });
        Ok(Self { active: (active.kid.clone(), EncodingKey::from_ed_der(&pkcs8)), known, jwks })
    }
}

/// Loses to another node that was faster: then that one's key is the active one.
async fn make(tx: &mut crate::db::Tx, now: Millis, ids: &Ids, seal: &Seal) -> anyhow::Result<()> {
    let seed = Zeroizing::new(ids.bytes::<32>());
    let public = BASE64URL_NOPAD.encode(SigningKey::from_bytes(&seed).verifying_key().as_bytes());
    let kid = ids.uuid(now).to_string();
    let secret = seal.seal(ids, PURPOSE, &*seed)?;
    store::insert_signing_key(tx, &kid, &secret, &public, now).await?;
    Ok(())
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

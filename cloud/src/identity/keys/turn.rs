//! The life of a key: next → active → passive → removed.
//!
//! What always holds: a key is published before it signs anything, so that whoever keeps our key set for a while knows it
//! by then; a passive key has no secret any more; a key is removed only when no token it signed can still be alive.

use hadir_shared::time::Millis;
use serde_json::json;
use sqlx::FromRow;

use super::{
    Alg,
    material::{self, Made},
};
use crate::{
    app::App,
    clock::Ids,
    db::{Cloud, Db, Tx},
    fail::Fail,
    identity::{
        audit::{Actor, Entry, audit},
        store::{self, SigningKeyRow},
    },
    jobs::Work,
    seal::Seal,
};

const DAY_MS: i64 = 24 * 3600 * 1000;
/// How long a key signs before the scheduled job turns it over.
const SIGNS_MS: i64 = 30 * DAY_MS;

/// A key, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Listed {
    pub kid: String,
    pub algorithm: String,
    pub state: String,
    #[sqlx(try_from = "i64")]
    pub created_at: Millis,
    /// When it became what it is.
    #[sqlx(try_from = "i64")]
    pub state_at: Millis,
}

/// Why keys are turned over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// What they signed goes on being believed.
    Usual,
    /// Somebody else may have them: nothing they signed is believed from now on, and everybody signs in anew.
    Compromised,
}

/// Whether there is a key that signs and one that comes after it, for each algorithm.
pub(super) fn is_complete(rows: &[SigningKeyRow]) -> bool {
    let has = |alg: Alg, state| rows.iter().any(|row| row.algorithm == alg.name() && row.state == state);
    Alg::ALL.into_iter().all(|alg| has(alg, "active") && has(alg, "next"))
}

/// Makes what is missing. Of nodes that do so at once, the first one's keys are everybody's.
pub async fn establish(db: &Db, now: Millis, ids: &Ids, seal: &Seal) -> anyhow::Result<()> {
    let mut made = Vec::new();
    for alg in Alg::ALL {
        for state in ["active", "next"] {
            made.push((state, material::make(alg, ids, seal).await?));
        }
    }
    let mut tx = db.write(Cloud).await?;
    for (state, key) in &made {
        store::insert_signing_key(&mut tx, key, state, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Every key there ever was, the newest last.
pub async fn list(tx: &mut Tx) -> Result<Vec<Listed>, Fail> {
    Ok(store::all_signing_keys(tx).await?)
}

/// Lets the next key of every algorithm sign from now on, and makes the one after it.
pub async fn rotate(app: &App, by: Actor, reason: Reason) -> Result<(), Fail> {
    turn(app, by, reason, None).await?;
    Ok(app.identity.keys().reload(app).await?)
}

/// The scheduled job: turns over what has signed for a month, removes what no living token was signed with.
pub fn keep(app: &App) -> Work<'_> {
    Box::pin(async move {
        turn(app, Actor::System, Reason::Usual, Some(app.now().plus_millis(-SIGNS_MS))).await?;
        let mut tx = app.db.write(Cloud).await?;
        let gone =
            store::remove_passive_keys(&mut tx, app.now().plus_millis(-kept_ms(app)), app.now()).await?;
        tx.commit().await?;
        tracing::info!(gone, "signing keys looked after");
        Ok(app.identity.keys().reload(app).await?)
    })
}

/// As long as the longest session, and a day for those who keep our key set.
fn kept_ms(app: &App) -> i64 {
    (app.config.session_days + 1) * DAY_MS
}

async fn turn(app: &App, by: Actor, reason: Reason, older_than: Option<Millis>) -> Result<(), Fail> {
    for alg in Alg::ALL {
        let (next, after) = (
            material::make(alg, &app.ids, &app.seal).await?,
            match reason {
                Reason::Usual => None,
                Reason::Compromised => Some(material::make(alg, &app.ids, &app.seal).await?),
            },
        );
        let mut tx = app.db.write(Cloud).await?;
        store::lock_signing_keys(&mut tx, alg).await?;
        let is_due = match older_than {
            Some(then) => store::signs_since(&mut tx, alg).await?.is_none_or(|since| since <= then),
            None => true,
        };
        if is_due {
            replace(&mut tx, app, alg, &next, after.as_ref()).await?;
            let entry = Entry::new(by, "key.rotate", format!("key:{}", next.kid));
            let reason = if after.is_some() { "compromised" } else { "usual" };
            audit(&mut tx, app, &entry.after(json!({"algorithm": alg.name(), "reason": reason}))).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

/// With `after`, the whole set of the algorithm is new: `next` signs, `after` comes after it.
async fn replace(tx: &mut Tx, app: &App, alg: Alg, next: &Made, after: Option<&Made>) -> Result<(), Fail> {
    let now = app.now();
    match after {
        None => {
            store::move_signing_keys(tx, alg, "active", "passive", now).await?;
            store::move_signing_keys(tx, alg, "next", "active", now).await?;
            store::insert_signing_key(tx, next, "next", now).await?;
        }
        Some(after) => {
            for state in ["active", "next", "passive"] {
                store::move_signing_keys(tx, alg, state, "removed", now).await?;
            }
            store::insert_signing_key(tx, next, "active", now).await?;
            store::insert_signing_key(tx, after, "next", now).await?;
        }
    }
    Ok(())
}

//! The key the cloud signs receipts and the roster with.
//!
//! What always holds: it is made once, at the first start, whatever number of nodes start at once, and stays the same across
//! restarts, because boxes out there believe nothing else; its secret half is sealed in the database.

use anyhow::Context as _;
use hadir_shared::{
    sign::{PublicKey, SecretKey},
    time::Millis,
};
use zeroize::Zeroizing;

use super::store;
use crate::{clock::Ids, db::Tx, fail::Fail, seal::Seal};

const PURPOSE: &str = "sync-key";

/// Reads the key; makes it where there is none.
pub async fn open(tx: &mut Tx, now: Millis, ids: &Ids, seal: &Seal) -> anyhow::Result<SecretKey> {
    let mut row = store::active_cloud_key(tx).await?;
    if row.is_none() {
        make(tx, now, ids, seal).await?;
        row = store::active_cloud_key(tx).await?;
    }
    let (sealed,) = row.context("no key signs receipts")?;
    let secret = seal.open(PURPOSE, &sealed).context("the sync key in the database")?;
    let seed: Zeroizing<[u8; 32]> =
        Zeroizing::new(secret.as_slice().try_into().context("a key has 32 bytes")?);
    Ok(SecretKey::from_seed(&seed))
}

/// Loses to another node that was faster: then that one's key is the one.
async fn make(tx: &mut Tx, now: Millis, ids: &Ids, seal: &Seal) -> anyhow::Result<()> {
    let seed = Zeroizing::new(ids.bytes::<32>());
    let public = SecretKey::from_seed(&seed).public().to_string();
    let sealed = seal.seal(ids, PURPOSE, &*seed)?;
    store::insert_cloud_key(tx, &ids.uuid(now).to_string(), &sealed, &public, now).await?;
    Ok(())
}

/// What boxes check receipts and roster with; the newest last.
pub async fn published(tx: &mut Tx) -> Result<Vec<PublicKey>, Fail> {
    let rows = store::cloud_keys(tx).await?;
    Ok(rows.into_iter().map(|(key,)| key.parse()).collect::<Result<_, _>>().map_err(anyhow::Error::from)?)
}

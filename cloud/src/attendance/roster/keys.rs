//! The school's own secrets: the key behind its rotating QR, and the keys its cards are signed with.
//!
//! What always holds: they are sealed in the database, each for its school, purpose and epoch; the QR key travels only to
//! the school's own boxes; of a card key only the public half leaves the cloud.

use std::collections::BTreeMap;

use anyhow::Context as _;
use hadir_shared::{
    ids::InstitutionId,
    qr::QrKey,
    sign::{PublicKey, SecretKey},
};
use zeroize::Zeroizing;

use super::{
    store,
    touch::{touch_institution, touch_keys},
};
use crate::{app::App, db::Tx, fail::Fail};

const QR: &str = "qr";
const CARD: &str = "card";

/// Makes what a school lacks of its keys and opens its feed with them. Call it where a school is made; a second call
/// changes nothing.
pub async fn ensure(tx: &mut Tx, app: &App, institution: InstitutionId) -> Result<(), Fail> {
    let qr = make(tx, app, institution, QR, |_| None).await?;
    let card = make(tx, app, institution, CARD, |seed| Some(SecretKey::from_seed(seed).public())).await?;
    if qr || card {
        touch_institution(tx, app, institution).await?;
        touch_keys(tx, app, institution).await?;
    }
    Ok(())
}

/// The key of the school's rotating QR.
pub async fn qr_key(tx: &mut Tx, app: &App, institution: InstitutionId) -> Result<QrKey, Fail> {
    let (_, seed) = newest(tx, app, institution, QR).await?;
    Ok(QrKey::new(*seed))
}

/// The key that signs the school's new cards, and its epoch.
pub async fn card_key(tx: &mut Tx, app: &App, institution: InstitutionId) -> Result<(u8, SecretKey), Fail> {
    let (epoch, seed) = newest(tx, app, institution, CARD).await?;
    Ok((epoch, SecretKey::from_seed(&seed)))
}

/// What the school's cards are checked with, by epoch.
pub async fn card_keys(
    tx: &mut Tx,
    _: &App,
    institution: InstitutionId,
) -> Result<BTreeMap<u8, PublicKey>, Fail> {
    let rows = store::keys(tx, institution, CARD).await?;
    let key = |row: store::KeyRow| -> anyhow::Result<(u8, PublicKey)> {
        let public = row.public.context("a card key without its public half")?;
        Ok((u8::try_from(row.epoch)?, public.parse()?))
    };
    Ok(rows.into_iter().map(key).collect::<anyhow::Result<_>>()?)
}

/// `false` when the school had one.
async fn make(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    purpose: &str,
    public: impl FnOnce(&[u8; 32]) -> Option<PublicKey>,
) -> Result<bool, Fail> {
    let seed = Zeroizing::new(app.ids.bytes::<32>());
    let sealed = app.seal.seal(&app.ids, &aad(institution, purpose, 0), &*seed)?;
    let public = public(&seed).map(String::from);
    Ok(store::insert_key(tx, institution, purpose, 0, &sealed, public.as_deref(), app.now()).await? == 1)
}

async fn newest(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    purpose: &str,
) -> Result<(u8, Zeroizing<[u8; 32]>), Fail> {
    let rows = store::keys(tx, institution, purpose).await?;
    let row = rows.last().with_context(|| format!("school {institution} has no {purpose} key"))?;
    let secret = app.seal.open(&aad(institution, purpose, row.epoch), &row.secret)?;
    let seed: [u8; 32] = secret.as_slice().try_into().context("a sealed key that is not 32 bytes long")?;
    Ok((u8::try_from(row.epoch).map_err(anyhow::Error::from)?, Zeroizing::new(seed)))
}

fn aad(institution: InstitutionId, purpose: &str, epoch: i64) -> String {
    format!("institution-key:{institution}:{purpose}:{epoch}")
}

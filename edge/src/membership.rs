//! Which school the box belongs to, and the key it speaks with. Sealed on disk.

use hadir_shared::{
    ids::{DeviceId, InstitutionId, LogId},
    sign::{PublicKey, SecretKey},
    time::Millis,
};
use serde::{Deserialize, Serialize};

use crate::{
    attendance,
    http::{auth, pairing},
    ids::Ids,
    roster,
    store::{self, NotSaved, Store, Tx, seal::Seal},
};

const KEY: &str = "membership";
/// The institution of a box that belongs to none: the demo school.
pub const NOBODY: InstitutionId = InstitutionId(1);

/// A box's place in a school.
#[derive(Clone, Serialize, Deserialize)]
pub struct Membership {
    /// The cloud's address, without a slash at its end.
    pub cloud: String,
    pub device: DeviceId,
    pub institution: InstitutionId,
    pub institution_code: String,
    pub institution_name: String,
    /// What the first receipts and roster pages are checked with; later keys come with the roster.
    pub cloud_key: PublicKey,
    /// What people call the box.
    pub name: String,
    /// In hexadecimal.
    seed: String,
}

impl Membership {
    pub fn new(
        cloud: String,
        name: String,
        key: &SecretKey,
        enrolled: hadir_shared::wire::enrolment::Enrolled,
    ) -> Self {
        Self {
            cloud,
            device: enrolled.device,
            institution: enrolled.institution,
            institution_code: enrolled.institution_code,
            institution_name: enrolled.institution_name,
            cloud_key: enrolled.cloud_key,
            name,
            seed: data_encoding::HEXLOWER.encode(&key.seed()),
        }
    }

    /// The box's own key.
    pub fn key(&self) -> Option<SecretKey> {
        let bytes = data_encoding::HEXLOWER.decode(self.seed.as_bytes()).ok()?;
        Some(SecretKey::from_seed(&bytes.try_into().ok()?))
    }
}

/// The box's membership; `None` on one that stands alone.
pub async fn load(store: &Store, seal: &Seal) -> anyhow::Result<Option<Membership>> {
    let sealed = store.read(|conn| store::meta(conn, KEY)).await?;
    opened(sealed, seal)
}

/// As [`load`], from a connection that only reads.
pub fn read(conn: &rusqlite::Connection, seal: &Seal) -> anyhow::Result<Option<Membership>> {
    opened(store::meta(conn, KEY)?, seal)
}

fn opened(sealed: Option<Vec<u8>>, seal: &Seal) -> anyhow::Result<Option<Membership>> {
    let Some(sealed) = sealed else { return Ok(None) };
    Ok(Some(serde_json::from_slice(&seal.open(KEY, &sealed)?)?))
}

/// Joins: the membership and an empty log of its own, in one transaction. What was recorded before stays on disk in its
/// own log, and is never sent to this school. The roster held is another school's, and goes; so do everybody's sessions and
/// the devices that were paired there.
pub async fn join(
    store: &Store,
    seal: &Seal,
    ids: &Ids,
    membership: &Membership,
    now: Millis,
) -> Result<(), NotSaved> {
    let sealed = seal.seal(ids, KEY, &serde_json::to_vec(membership).map_err(|_| NotSaved::Rejected)?);
    let log = LogId(ids.random_uuid());
    let (institution, device) = (membership.institution, membership.device);
    store
        .write(move |tx: &mut Tx<'_>| {
            store::set_meta(tx, KEY, &sealed)?;
            tx.open_log(log, institution, Some(device), now, "the box joined a school")?;
            roster::forget(tx)?;
            auth::forget(tx)?;
            pairing::forget(tx)?;
            attendance::store::rebuild(tx)
        })
        .await
}

//! A box out of a backup and the cloud's copy, put where none is.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use hadir_shared::{
    ids::LogId,
    time::{Clock, Millis},
};
use rustix::process::{Gid, Uid};

use super::{
    Compared, Manifest, NoBackup,
    catch_up::{CannotAsk, Copy},
    unpack::unpack,
};
use crate::{
    ids::Ids,
    link::Link,
    membership::{self, NOBODY},
    roster::pull,
    store::{
        Options, Store,
        open::{make_folder, sync},
        seal::Seal,
    },
};

/// What is asked of the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// What the backup lacks. A cloud that cannot be reached is asked by the box itself, later.
    WhatIsMissing,
    /// Every record; without the cloud there is no box.
    Everything,
}

/// A box was put in place.
#[derive(Debug)]
pub struct Rebuilt {
    pub manifest: Manifest,
    /// Every log, the oldest first; what the cloud holds, where it could be asked.
    pub logs: Vec<Compared>,
    /// Why the cloud was not asked; nothing to say of a box that stands alone.
    pub unasked: Option<CannotAsk>,
}

/// Makes a box out of `file` in `place`, which is empty or not there yet. All of it is verified before any of it is in place.
pub async fn rebuild(
    file: &Path,
    place: &Path,
    ask: Ask,
    clock: Arc<dyn Clock>,
    ids: &Ids,
) -> Result<Rebuilt, NoBackup> {
    let place = emptied(place)?;
    let folder = place.parent().unwrap_or(Path::new("/")).to_path_buf();
    let mut builder = tempfile::Builder::new();
    builder.prefix(".hadir-restore-").permissions(Permissions::from_mode(0o700));
    let staged = builder.tempdir_in(&folder).map_err(NoBackup::disk(&folder))?;
    let manifest = unpack(file, staged.path())?;
    let (logs, unasked) = catch_up(staged.path(), ask, clock.now(), ids).await?;

    let owner = fs::metadata(&place).ok().map(|at| (at.uid(), at.gid()));
    settle(staged.path(), owner)?;
    // Whole, or not at all: over an empty folder a rename is one step.
    fs::rename(staged.path(), &place).map_err(NoBackup::disk(&place))?;
    let _ = staged.keep();
    sync(&folder)?;
    Ok(Rebuilt { manifest, logs, unasked })
}

/// The folder's real path, where it is empty or can be made.
fn emptied(place: &Path) -> Result<PathBuf, NoBackup> {
    match fs::read_dir(place) {
        Ok(mut entries) => match entries.next() {
            Some(_) => Err(NoBackup::NotEmpty(place.into())),
            // A link of systemd's (`/var/lib/hadir-edge`) stays one.
            None => fs::canonicalize(place).map_err(NoBackup::disk(place)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let absolute = std::path::absolute(place).map_err(NoBackup::disk(place))?;
            make_folder(absolute.parent().unwrap_or(Path::new("/")))?;
            Ok(absolute)
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(NoBackup::NotEmpty(place.into())),
        Err(error) => Err(NoBackup::disk(place)(error)),
    }
}

async fn catch_up(
    folder: &Path,
    ask: Ask,
    now: Millis,
    ids: &Ids,
) -> Result<(Vec<Compared>, Option<CannotAsk>), NoBackup> {
    let options = Options {
        data_dir: folder.into(),
        ballast_mib: 0,
        max_pages: 0,
        first_log: LogId(ids.random_uuid()),
        institution: NOBODY,
        now,
    };
    let store = Store::open(&options)?;
    let came = from_cloud(&store, folder, ask, now, ids).await;
    let asked = match came {
        Ok(logs) => Ok((logs, None)),
        Err(NoBackup::CannotAsk(why @ (CannotAsk::Unreachable(_) | CannotAsk::Refused(_))))
            if ask == Ask::WhatIsMissing =>
        {
            alone(&store).await.map(|logs| (logs, Some(why)))
        }
        Err(why) => Err(why),
    };
    store.close().await;
    asked
}

async fn from_cloud(
    store: &Store,
    folder: &Path,
    ask: Ask,
    now: Millis,
    ids: &Ids,
) -> Result<Vec<Compared>, NoBackup> {
    let sealed = |why: String| NoBackup::Damaged(format!("its secrets do not open: {why}"));
    let seal = Seal::in_folder(folder, ids).map_err(NoBackup::disk(folder))?;
    let member = membership::load(store, &seal).await.map_err(|error| sealed(format!("{error:#}")))?;
    let Some(member) = member else { return alone(store).await };
    let key = member.key().ok_or_else(|| sealed("the box's key is not there".into()))?;
    let view = pull::load(store, &seal, &member).await.map_err(CannotAsk::from)?;
    let link = Link::new(&member.cloud, ids.clone(), Some((member.device, key)));
    let link = link.map_err(|error| CannotAsk::Unreachable(error.to_string()))?;
    let keys = view.cloud_keys(&member).copied().collect();
    let copy = Copy { link: &link, ids, member: &member, keys, thorough: ask == Ask::Everything };
    Ok(copy.bring_back(store, now).await?)
}

/// The logs as the backup has them.
async fn alone(store: &Store) -> Result<Vec<Compared>, NoBackup> {
    let logs = store.read(crate::store::log::all).await.map_err(CannotAsk::from)?;
    let as_it_is = |log: &crate::store::Position| Compared {
        log: log.log,
        backup: Some(log.head.seq),
        cloud: None,
        rebuilt: log.head,
        is_private: log.device.is_none(),
        differs: false,
    };
    Ok(logs.iter().map(as_it_is).collect())
}

/// Everything is on disk, and belongs to whom the place belonged to.
fn settle(folder: &Path, owner: Option<(u32, u32)>) -> Result<(), NoBackup> {
    for entry in fs::read_dir(folder).map_err(NoBackup::disk(folder))? {
        let entry = entry.map_err(NoBackup::disk(folder))?;
        if entry.file_type().map_err(NoBackup::disk(folder))?.is_dir() {
            settle(&entry.path(), owner)?;
        } else {
            give(&entry.path(), owner)?;
            sync(&entry.path())?;
        }
    }
    give(folder, owner)?;
    Ok(sync(folder)?)
}

fn give(path: &Path, owner: Option<(u32, u32)>) -> Result<(), NoBackup> {
    let Some((uid, gid)) = owner else { return Ok(()) };
    let now = fs::metadata(path).map_err(NoBackup::disk(path))?;
    if (now.uid(), now.gid()) == (uid, gid) {
        return Ok(());
    }
    rustix::fs::chown(path, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
        .map_err(|error| NoBackup::disk(path)(error.into()))
}

//! `backup`: a copy counts once it was read back, record by record.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};

use super::{Exit, open};
use crate::{
    attendance::batches::{self, Held, backed_up, prove_copy},
    config::Config,
    db::{Cloud, Db},
};

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Args {
    /// The file to write: a whole SQLite database. Another backup of this cloud there is replaced, anything else is not. The
    /// key that seals its secrets (`secret_key_file`) and the folder of files are not in it: keep them elsewhere.
    file: Option<PathBuf>,
    /// Where a backup was restored to, to be looked at: `postgres://localhost/hadir_restored`. With a password in it, hand it
    /// over in the environment.
    #[arg(long, value_name = "URL", env = "HADIR_RESTORED_URL", hide_env_values = true)]
    restored: Option<String>,
}

pub(super) async fn run(config: Config, args: Args) -> Result<(), Exit> {
    let db = open::database(&config).await?;
    let heads = match (args.file, args.restored) {
        (Some(file), _) if config.is_sqlite() => copy(&db, &file).await?,
        (Some(_), _) => {
            let how = "PostgreSQL is copied with pg_dump: restore the copy beside it, and then name that with --restored";
            return Err(Exit::Config(anyhow!(how)));
        }
        (None, restored) => look_through(&db, &restored.unwrap_or_default()).await?,
    };
    let mut tx = db.write(Cloud).await?;
    let moved = backed_up(&mut tx, &heads).await?;
    tx.commit().await?;
    db.close().await;
    let records: i64 = heads.iter().map(|held| held.high_seq).sum();
    println!(
        "{} logs, {records} records: read back and found whole; {moved} logs are backed up further",
        heads.len()
    );
    Ok(())
}

/// In place only once it is whole.
async fn copy(db: &Db, file: &Path) -> Result<Vec<Held>, Exit> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if fs::symlink_metadata(file).is_ok() && !is_copy_of(db, file).await {
        let why =
            anyhow!("{} is there already and is no backup of this cloud: it is left alone", file.display());
        return Err(Exit::CannotCreate(why));
    }
    let here = || format!("cannot write in {}", folder.display());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".hadir-backup-").permissions(Permissions::from_mode(0o700));
    let work = builder.tempdir_in(folder).with_context(here).map_err(Exit::CannotCreate)?;
    let made = work.path().join("cloud.db");
    db.copy_to(&made).await?;
    let sync = |path: &Path| File::open(path)?.sync_all();
    fs::set_permissions(&made, Permissions::from_mode(0o600))
        .and_then(|()| sync(&made))
        .with_context(here)?;
    let heads = look_through(db, &address(&made)).await?;
    fs::rename(&made, file).and_then(|()| sync(folder)).with_context(here).map_err(Exit::CannotCreate)?;
    Ok(heads)
}

/// Reads all of it, and changes nothing in it.
async fn look_through(db: &Db, url: &str) -> Result<Vec<Held>, Exit> {
    let copy = Db::open_copy(url).await.context("the copy cannot be opened").map_err(Exit::Unavailable)?;
    if db.is_same_as(&copy).await? {
        return Err(Exit::Data(anyhow!("this is the cloud's own database, and no copy of it")));
    }
    if let Some(damage) = copy.damage().await? {
        return Err(Exit::Data(anyhow!("the copy is damaged: {damage}")));
    }
    if name(db).await? != name(&copy).await? {
        return Err(Exit::Data(anyhow!("this is a copy of another cloud")));
    }
    let heads = prove_copy(&copy).await.context("the copy is not whole").map_err(Exit::Data)?;
    copy.close().await;
    Ok(heads)
}

async fn name(db: &Db) -> Result<Option<uuid::Uuid>, Exit> {
    Ok(batches::store_name(&mut db.read(Cloud).await?).await?)
}

async fn is_copy_of(db: &Db, file: &Path) -> bool {
    let Ok(copy) = Db::open_copy(&address(file)).await else { return false };
    let (own, other) = (name(db).await, name(&copy).await);
    let is_same = db.is_same_as(&copy).await.unwrap_or(true);
    matches!((own, other), (Ok(own), Ok(other)) if own.is_some() && own == other) && !is_same
}

fn address(file: &Path) -> String {
    let plain = file.display().to_string();
    format!("sqlite://{}", plain.replace('%', "%25").replace('?', "%3f"))
}

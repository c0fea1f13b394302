//! What most commands begin with: the database, migrated or refused, and the app over it.

use std::{os::unix::fs::DirBuilderExt as _, sync::Arc};

use anyhow::{Context as _, anyhow};
use hadir_shared::time::Clock as _;

use super::Exit;
use crate::{
    app::App,
    clock::{Ids, SystemClock},
    config::{Config, mask},
    db::Db,
    identity::seed,
    seal::Seal,
};

/// The database as configured. Makes the folder of an SQLite file.
pub(super) async fn database(config: &Config) -> Result<Db, Exit> {
    let url = config.database_url();
    if let Some(path) = url.strip_prefix("sqlite://") {
        let file = std::path::Path::new(path.split('?').next().unwrap_or(path));
        if let Some(folder) = file.parent() {
            // Names and password hashes lie in it: a folder that is made here is its owner's alone.
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))
                .map_err(Exit::Unavailable)?;
        }
    }
    Db::open(&url).await.with_context(|| format!("cannot open {}", mask(&url))).map_err(Exit::Unavailable)
}

/// Runs what is pending and seeds what every cloud has.
pub(super) async fn migrate(config: &Config) -> Result<(), Exit> {
    let db = database(config).await?;
    let pending = db.pending().await.map_err(Exit::Data)?.0;
    bring_up_to_date(&db, config).await?;
    for name in &pending {
        println!("{name}");
    }
    eprintln!("{} migrations ran on {}", pending.len(), mask(&config.database_url()));
    db.close().await;
    Ok(())
}

/// Migrates as the owner of the tables, where that is somebody else than who works with the rows.
async fn bring_up_to_date(db: &Db, config: &Config) -> Result<(), Exit> {
    match &config.database_owner_url {
        Some(url) => {
            let opened = Db::open(url).await.with_context(|| format!("cannot open {}", mask(url)));
            let owner = opened.map_err(Exit::Unavailable)?;
            owner.migrate().await.context("cannot migrate").map_err(Exit::Data)?;
            let role = db.account().ok_or_else(|| anyhow!("database_url names no account"))?;
            owner
                .grant(&role)
                .await
                .with_context(|| format!("cannot let {role} work"))
                .map_err(Exit::Data)?;
            owner.close().await;
        }
        None => db.migrate().await.context("cannot migrate").map_err(Exit::Data)?,
    }
    Ok(seed::seed(db, SystemClock::new().now(), &Ids::system()).await?)
}

/// The app over a database that is up to date: SQLite is brought up to date by itself, PostgreSQL only with `migrate`.
pub(super) async fn app(config: Config, migrate: bool) -> Result<App, Exit> {
    let db = database(&config).await?;
    let pending = db.pending().await.map_err(Exit::Data)?.0;
    if migrate || config.is_sqlite() {
        bring_up_to_date(&db, &config).await?;
    } else if !pending.is_empty() {
        let fix = "run `hadir-cloud migrate` first, or start with --migrate";
        return Err(Exit::Data(anyhow!("the database lacks {}: {fix}", pending.join(", "))));
    }
    let ids = Ids::system();
    let seal = Seal::open_or_create(&config.secret_key_file(), &ids).map_err(Exit::Config)?;
    Ok(App::new(db, Arc::new(SystemClock::new()), ids, config, seal).await?)
}

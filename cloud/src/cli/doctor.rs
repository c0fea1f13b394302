//! `doctor`: looks at everything the cloud stands on, and says how to put right what is wrong.

use std::{fs, path::Path};

use hadir_shared::time::{Clock as _, Millis};

use super::{Exit, open};
use crate::{
    clock::SystemClock,
    config::{Config, mask},
    db::Db,
    ops, seal,
};

/// When this program was written, more or less: no clock is before it.
const EARLIEST: Millis = Millis(1_760_000_000_000);
/// A row may be this far ahead of us: nodes' clocks differ a little.
const AHEAD_MS: i64 = 60_000;

type Check = Result<String, (String, String)>;

/// Fails with [`Exit::Findings`] when anything is wrong.
pub(super) async fn run(config: &Config) -> Result<(), Exit> {
    let mut checks = vec![data_dir(&config.data_dir), secret_key(&config.secret_key_file())];
    match open::database(config).await {
        Ok(db) => {
            checks.extend([engine(&db).await, migrations(&db).await, clock(&db).await]);
            db.close().await;
        }
        Err(Exit::Unavailable(e)) => {
            let fix = "start the server, or correct database_url (see `hadir-cloud config show`)";
            checks.push(Err((format!("database: {e:#}"), fix.into())));
        }
        Err(other) => return Err(other),
    }
    println!("database is {}", mask(&config.database_url()));
    for check in &checks {
        match check {
            Ok(fine) => println!("ok    {fine}"),
            Err((wrong, fix)) => println!("WRONG {wrong}\n      fix: {fix}"),
        }
    }
    if checks.iter().all(Result::is_ok) { Ok(()) } else { Err(Exit::Findings) }
}

fn data_dir(folder: &Path) -> Check {
    let probe = folder.join(".doctor");
    let tried = fs::create_dir_all(folder)
        .and_then(|()| fs::write(&probe, b"x"))
        .and_then(|()| fs::remove_file(&probe));
    match tried {
        Ok(()) => Ok(format!("data folder {} can be written", folder.display())),
        Err(e) => Err((
            format!("data folder {}: {e}", folder.display()),
            "give the folder to the user hadir-cloud runs as (chown), or set data_dir".into(),
        )),
    }
}

fn secret_key(path: &Path) -> Check {
    if !path.exists() {
        return Ok(format!("secret key {} will be made at the first start", path.display()));
    }
    match seal::check_mode(path) {
        Ok(()) => Ok(format!("secret key {} is its owner's alone", path.display())),
        Err(e) => Err((format!("secret key: {e:#}"), format!("chmod 600 {}", path.display()))),
    }
}

async fn engine(db: &Db) -> Check {
    // An SQLite that is too old does not get this far: Db::open refuses it.
    match ops::store::version(db).await {
        Ok(version) => Ok(format!("database answers: {} {version}", db.engine())),
        Err(e) => Err((format!("database does not answer: {e}"), "look at the database's own log".into())),
    }
}

async fn migrations(db: &Db) -> Check {
    match db.pending().await {
        Ok(pending) if pending.0.is_empty() => Ok("migrations are current".into()),
        Ok(pending) => {
            Err((format!("migrations pending: {}", pending.0.join(", ")), "run `hadir-cloud migrate`".into()))
        }
        Err(e) => Err((
            format!("migrations: {e:#}"),
            "install the version of hadir-cloud that belongs to this database".into(),
        )),
    }
}

async fn clock(db: &Db) -> Check {
    let now = SystemClock::new().now();
    let fix = || "set the clock (timedatectl set-ntp true) before anything is recorded".to_owned();
    if now < EARLIEST {
        return Err((format!("the clock says {}", now.to_rfc3339_micros()), fix()));
    }
    match ops::store::newest(db).await {
        Ok(Some(newest)) if newest.since(now) > AHEAD_MS => Err((
            format!(
                "the clock says {}, but there is a record of {}",
                now.to_rfc3339_micros(),
                newest.to_rfc3339_micros()
            ),
            fix(),
        )),
        Ok(_) => Ok(format!("the clock says {}", now.to_rfc3339_micros())),
        Err(_) => Ok("the clock could not be compared: there are no tables yet".into()),
    }
}

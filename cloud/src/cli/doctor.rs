//! `doctor`: looks at everything the cloud stands on, and says how to put right what is wrong.

use std::{fs, path::Path};

use hadir_shared::time::{Clock as _, Millis};

use super::{Exit, open};
use crate::{
    attendance::{books, roster},
    clock::SystemClock,
    config::{Config, mask},
    db::{Cloud, Db},
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
            checks.extend([engine(&db).await, migrations(&db).await, apart(&db).await]);
            checks.extend([clock(&db).await, books(&db).await]);
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

/// PostgreSQL hides other schools' rows by itself, unless the account is above that.
async fn apart(db: &Db) -> Check {
    match db.is_guarded().await {
        Ok(true) => Ok("row-level security holds for this account".into()),
        Ok(false) if db.account().is_none() => Ok("SQLite has no row-level security; every statement names its school".into()),
        Ok(false) => Err((
            "this database account is above row-level security".into(),
            "make one that is neither superuser nor BYPASSRLS, name it in database_url, and the owner of the tables in \
             database_owner_url; then run `hadir-cloud migrate`"
                .into(),
        )),
        Err(e) => Err((format!("row-level security: {e}"), "look at the database's own log".into())),
    }
}

/// The attendance of every school, worked out a second time from the records of its boxes.
async fn books(db: &Db) -> Check {
    match differences(db).await {
        Ok(0) => Ok("the attendance books equal their recomputation from the log".into()),
        Ok(count) => Err((
            format!("the attendance books differ from the log in {count} places (see the lines above)"),
            "restore the latest backup: the boxes send again what it lacks".into(),
        )),
        Err(e) => {
            Err((format!("the attendance books cannot be read: {e}"), "run `hadir-cloud migrate`".into()))
        }
    }
}

async fn differences(db: &Db) -> sqlx::Result<usize> {
    let mut tx = db.read(Cloud).await?;
    let mut count = 0;
    for school in roster::schools(&mut tx).await? {
        for difference in books::recompute(&mut tx, school).await? {
            println!("      school {school}: {difference:?}");
            count += 1;
        }
    }
    Ok(count)
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

//! `hadir-edge backup`: works beside a running box.

use std::path::{Path, PathBuf};

use clap::{Args, value_parser};
use hadir_shared::time::Clock;

use super::{Exit, Failed};
use crate::{
    backup::{self, Manifest, NoBackup, file_name, rotate},
    clock::{BUILT, SystemClock},
    config::Config,
    ids::Ids,
    store::{OpenError, log, open},
};

#[derive(Debug, Args)]
pub struct Backup {
    /// The file to write, such as `/media/usb/gate.tar.zst`; with `--keep`, a folder of such files. It holds the box's key:
    /// guard it as you guard the box.
    #[arg(value_name = "FILE")]
    to: PathBuf,
    /// Adds a file to the folder, and deletes the oldest ones of this box beyond this many.
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..))]
    keep: Option<u16>,
}

pub fn backup(config: &Config, asked: &Backup) -> Result<(), Failed> {
    let clock = SystemClock::new(Ids::system().random_uuid());
    let file = match asked.keep {
        Some(_) => asked.to.join(name_of_next(&config.data_dir, &clock)?),
        None => asked.to.clone(),
    };
    let (manifest, last) = backup::make(&config.data_dir, &file, &clock)?;
    println!("{}: {} bytes, read back and found whole", file.display(), last.bytes);
    tell(&manifest);
    if let Some(keep) = asked.keep {
        let gone = rotate(&asked.to, manifest.device, keep.into(), &file, manifest.made_at)
            .map_err(|error| Failed::new(Exit::Disk, error))?;
        for file in gone {
            println!("deleted {}", file.display());
        }
    }
    Ok(())
}

fn name_of_next(data_dir: &Path, clock: &dyn Clock) -> Result<String, Failed> {
    let nothing = |_| NoBackup::NoBox(data_dir.into());
    let conn = open::reader(data_dir).map_err(nothing)?;
    let position = log::position(&conn).map_err(|error| NoBackup::Open(OpenError::from(error)))?;
    Ok(file_name(position.and_then(|open| open.device), clock.now().max(BUILT)))
}

/// Where every log in a backup stands.
pub(super) fn tell(manifest: &Manifest) {
    for log in &manifest.logs {
        println!("log {}: {} records, head {}", log.log, log.head.seq, log.head.hash);
    }
}

impl From<NoBackup> for Failed {
    fn from(why: NoBackup) -> Self {
        let exit = match &why {
            NoBackup::NoBox(_) | NoBackup::Alone | NoBackup::CannotAsk(_) => Exit::Unavailable,
            NoBackup::NoFile { .. } => Exit::NoInput,
            NoBackup::Occupied(_) | NoBackup::NotEmpty(_) => Exit::CannotCreate,
            NoBackup::Disk { error, .. } if error.kind() == std::io::ErrorKind::PermissionDenied => {
                Exit::Denied
            }
            NoBackup::Disk { .. } | NoBackup::Open(OpenError::Io { .. } | OpenError::Sqlite(_)) => Exit::Disk,
            NoBackup::Damaged(_) | NoBackup::Newer { .. } | NoBackup::Open(_) => Exit::Data,
        };
        Self::new(exit, why)
    }
}

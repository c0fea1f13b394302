//! `hadir-edge uninstall`: stops the box and takes away what `install` brought. The data stays until somebody means it.

use std::{
    fs, io,
    io::{BufRead as _, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;

use super::{
    Exit, Failed,
    install::{DATA, Site, Systemd, USER, run_program},
};
use crate::{
    config::{Config, INSTALLED},
    store::{log, open},
};

/// Where the nightly backups go, unless an administrator says otherwise. They are copies on purpose, and hold the box's key.
const BACKUPS: &str = "/var/lib/hadir-edge-backup";

#[derive(Debug, Args)]
pub struct Uninstall {
    /// Deletes what the box recorded and its keys as well, and its configuration.
    #[arg(long)]
    purge_data: bool,
    /// Does not ask for the box's name before it deletes.
    #[arg(long)]
    yes: bool,
    /// The folder that `install --root` was given.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

pub fn uninstall(asked: &Uninstall) -> Result<(), Failed> {
    let site = Site::new(asked.root.clone())?;
    site.may_write()?;
    if asked.purge_data && !asked.yes {
        ask(&site)?;
    }
    let systemd = Systemd::of(&site);
    for unit in systemd.iter().flat_map(Systemd::stop) {
        println!("stopped  {unit}");
    }
    for file in site.brought() {
        remove(&file, |path| fs::remove_file(path))?;
    }
    if let Some(systemd) = systemd {
        systemd.reload()?;
    }
    let kept = [site.path(DATA), site.path(INSTALLED)];
    if asked.purge_data {
        purge(&site, &kept)?;
    }
    let left = kept.into_iter().chain([site.path(BACKUPS)]);
    for path in left.filter(|path| path.exists()) {
        println!("left     {}", path.display());
    }
    if site.is_packaged() {
        println!("left     program and units, which belong to the package: apt remove hadir-edge");
    }
    Ok(())
}

fn purge(site: &Site, kept: &[PathBuf; 2]) -> Result<(), Failed> {
    let [data, config] = kept;
    remove(data, |path| fs::remove_dir_all(path))?;
    remove(config, |path| fs::remove_file(path))?;
    // Somebody else's files may lie beside it.
    let _ = fs::remove_dir(config.parent().unwrap_or(config));
    if site.is_live() && run_program("userdel", &[USER]).is_ok() {
        println!("removed  user {USER}");
    }
    Ok(())
}

fn remove(path: &Path, how: impl Fn(&Path) -> io::Result<()>) -> Result<(), Failed> {
    match how(path) {
        Ok(()) => println!("removed  {}", path.display()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(Failed::new(Exit::Disk, anyhow::anyhow!("{}: {error}", path.display())));
        }
    }
    Ok(())
}

/// Says what will be lost, and goes on when the gate's name is typed.
fn ask(site: &Site) -> Result<(), Failed> {
    let file = Some(site.path(INSTALLED)).filter(|file| file.exists());
    let config = Config::load(file.as_deref()).map_err(|error| Failed::new(Exit::Config, error))?;
    let data = site.path(DATA);
    println!("This deletes {} and with it the box's key. {}", data.display(), undelivered(&data));
    print!("Type the gate's name ({}) to go on: ", config.gate_name);
    io::stdout().flush().map_err(|error| Failed::new(Exit::Software, error))?;
    let mut typed = String::new();
    io::stdin().lock().read_line(&mut typed).map_err(|error| Failed::new(Exit::NoInput, error))?;
    if typed.trim() == config.gate_name {
        return Ok(());
    }
    Err(Failed::new(Exit::Denied, anyhow::anyhow!("that is not its name; nothing was changed")))
}

fn undelivered(data: &Path) -> String {
    let position = open::reader(data).and_then(|conn| log::position(&conn)).ok().flatten();
    match position.map_or(0, |open| open.pending()) {
        0 => "No record waits for the cloud.".into(),
        count => format!("{count} RECORDS HAVE NOT REACHED THE CLOUD and would be lost."),
    }
}

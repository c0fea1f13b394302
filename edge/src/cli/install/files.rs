//! Where things go, and putting them there so that a power cut leaves the old or the new.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, lchown},
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{DATA, USER, steps::Steps, system};
use crate::{
    cli::{Exit, Failed},
    config::INSTALLED,
};

/// Where a package puts the program, and its units in place by itself.
const PACKAGED: &str = "/usr/bin/hadir-edge";
const COPIED: &str = "/usr/local/bin/hadir-edge";
const OWN_UNITS: &str = "/etc/systemd/system";
const CONFIG: &str = include_str!("../../../../packaging/edge/edge.toml");

/// The units, and which of them the machine starts by itself.
pub const UNITS: &[Unit] = &[
    Unit {
        name: "hadir-edge.service",
        text: include_str!("../../../../systemd/hadir-edge.service"),
        starts: true,
    },
    Unit {
        name: "hadir-edge-backup.service",
        text: include_str!("../../../../systemd/hadir-edge-backup.service"),
        starts: false,
    },
    Unit {
        name: "hadir-edge-backup.timer",
        text: include_str!("../../../../systemd/hadir-edge-backup.timer"),
        starts: true,
    },
];

pub struct Unit {
    pub name: &'static str,
    text: &'static str,
    pub starts: bool,
}

/// Who owns what the box keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub uid: u32,
    pub gid: u32,
}

/// The machine, or a folder that will be one.
#[derive(Debug)]
pub struct Site {
    root: Option<PathBuf>,
    own: PathBuf,
}

impl Site {
    pub fn new(root: Option<PathBuf>) -> Result<Self, Failed> {
        let own = std::env::current_exe().map_err(|error| Failed::new(Exit::Software, error))?;
        Ok(Self { root, own })
    }

    /// A path of the machine.
    pub fn path(&self, absolute: &str) -> PathBuf {
        match &self.root {
            Some(root) => root.join(absolute.trim_start_matches('/')),
            None => absolute.into(),
        }
    }

    /// Whether it is the machine itself, where users are made and services started.
    pub const fn is_live(&self) -> bool {
        self.root.is_none()
    }

    /// Whether a package brought program and units, and will take them away.
    pub fn is_packaged(&self) -> bool {
        self.is_live() && self.own == Path::new(PACKAGED)
    }

    /// What the machine will start.
    pub fn program(&self) -> &'static str {
        if self.is_packaged() { PACKAGED } else { COPIED }
    }

    /// What an installation from outside of a package brought: the program, its units.
    pub fn brought(&self) -> Vec<PathBuf> {
        if self.is_packaged() {
            return Vec::new();
        }
        let units = UNITS.iter().map(|unit| self.path(OWN_UNITS).join(unit.name));
        units.chain([self.path(COPIED)]).collect()
    }

    /// Only root may change the machine.
    pub fn may_write(&self) -> Result<(), Failed> {
        if !self.is_live() || rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let again: Vec<_> = std::env::args().skip(1).collect();
        Err(Failed::new(
            Exit::Denied,
            anyhow::anyhow!("only root may do this: sudo {} {}", self.own.display(), again.join(" ")),
        ))
    }
}

/// Everything but starting it. Answers who owns the data.
pub fn put_all(site: &Site, steps: &mut Steps) -> Result<Owner, Failed> {
    let owner = owner(site, steps)?;
    put_files(site, owner, steps).map_err(|error| Failed::new(Exit::Disk, error))?;
    Ok(owner)
}

/// In another root: whoever prepares it. The first start there gives the data to the box's user.
fn owner(site: &Site, steps: &mut Steps) -> Result<Owner, Failed> {
    if !site.is_live() {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        return Ok(Owner { uid: uid.as_raw(), gid: gid.as_raw() });
    }
    let (made, owner) = system::user()?;
    steps.note(made, format!("system user {USER}"));
    Ok(owner)
}

fn put_files(site: &Site, owner: Owner, steps: &mut Steps) -> anyhow::Result<()> {
    let data = site.path(DATA);
    let made = make_folder(&data, 0o700).with_context(|| data.display().to_string())?;
    let given = give(&data, owner).with_context(|| data.display().to_string())?;
    steps.note(made || given, format!("data folder {}", data.display()));
    let config = site.path(INSTALLED);
    make_folder(config.parent().unwrap_or(&config), 0o755)?;
    let is_new = !config.exists();
    if is_new {
        put(&config, CONFIG.as_bytes(), 0o644)?;
    }
    steps.note(is_new, format!("configuration {}", config.display()));
    if site.is_packaged() {
        return Ok(());
    }
    let program = site.path(COPIED);
    let own = fs::read(&site.own).context("this program cannot read itself")?;
    steps.note(put(&program, &own, 0o755)?, format!("program {}", program.display()));
    for unit in UNITS {
        let path = site.path(OWN_UNITS).join(unit.name);
        let text = unit.text.replace(PACKAGED, COPIED);
        steps.note(put(&path, text.as_bytes(), 0o644)?, format!("unit {}", path.display()));
    }
    Ok(())
}

/// Makes a folder and what is missing above it, each on the disk before the next. `false` when it is there with this mode.
fn make_folder(folder: &Path, mode: u32) -> io::Result<bool> {
    if folder.is_dir() {
        return set_mode(folder, mode);
    }
    let parent = folder.parent().unwrap_or(Path::new("/"));
    if !parent.is_dir() {
        make_folder(parent, 0o755)?;
    }
    fs::DirBuilder::new().mode(mode).create(folder)?;
    set_mode(folder, mode)?;
    sync(folder)?;
    sync(parent)?;
    Ok(true)
}

fn set_mode(path: &Path, mode: u32) -> io::Result<bool> {
    if fs::metadata(path)?.mode() & 0o7777 == mode {
        return Ok(false);
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(true)
}

/// Gives everything in a folder to somebody. `false` when it is his already.
fn give(path: &Path, owner: Owner) -> io::Result<bool> {
    let found = path.symlink_metadata()?;
    let is_his = (found.uid(), found.gid()) == (owner.uid, owner.gid);
    if !is_his {
        lchown(path, Some(owner.uid), Some(owner.gid))?;
    }
    let mut changed = !is_his;
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            match give(&entry?.path(), owner) {
                Ok(inside) => changed |= inside,
                // A running box removes what it no longer needs.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(changed)
}

/// Writes a file in the place of the one before, which may be running. `false` when it is there just so.
fn put(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<bool> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return set_mode(path, mode).with_context(|| path.display().to_string());
    }
    let write = || {
        let folder = path.parent().unwrap_or(path);
        if !folder.is_dir() {
            make_folder(folder, 0o755)?;
        }
        let aside = path.with_extension("new");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&aside)?;
        file.write_all(bytes)?;
        set_mode(&aside, mode)?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        sync(folder)
    };
    write().with_context(|| path.display().to_string())?;
    Ok(true)
}

fn sync(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

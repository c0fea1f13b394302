//! Making the file.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use hadir_shared::{
    chain::Hash,
    time::{Clock, Millis},
};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::{BESIDE, DATABASE, FORMAT, LastBackup, MANIFEST, Manifest, NoBackup, Part, heads, note, unpack};
use crate::store::{
    log,
    open::{self, file_in, known_schema, sync},
};

/// Records are text that repeats itself: the fastest level takes nine tenths of it.
const LEVEL: i32 = 3;
/// How the folder begins in which a file is made, beside the file.
pub(super) const WORK: &str = ".hadir-backup-";

/// Makes a backup of the box in `data_dir`, which may run, and answers what is in it. `to` is replaced only when it is a
/// backup itself, and only by one that was read back and found whole.
pub fn make(data_dir: &Path, to: &Path, clock: &dyn Clock) -> Result<(Manifest, LastBackup), NoBackup> {
    let (manifest, last) = make_aside(data_dir, to, clock)?;
    if let Err(error) = note(data_dir, &last) {
        tracing::warn!(%error, "the backup is made, but the box cannot be told of it");
    }
    Ok((manifest, last))
}

/// As [`make`], and leaves the box as it is: nothing says afterwards that there is a backup.
pub fn make_aside(data_dir: &Path, to: &Path, clock: &dyn Clock) -> Result<(Manifest, LastBackup), NoBackup> {
    if !file_in(data_dir).is_file() {
        return Err(NoBackup::NoBox(data_dir.into()));
    }
    if fs::symlink_metadata(to).is_ok() && unpack::read_manifest(to).is_err() {
        return Err(NoBackup::Occupied(to.into()));
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let work = work_in(folder)?;
    let manifest = gather(data_dir, work.path(), clock.now())?;
    let packed = work.path().join("packed");
    write(work.path(), &manifest, &packed).map_err(NoBackup::disk(&packed))?;

    let again = work.path().join("again");
    fs::create_dir(&again).map_err(NoBackup::disk(&again))?;
    if unpack::unpack(&packed, &again)? != manifest {
        return Err(NoBackup::Damaged("it reads back as another one".into()));
    }
    let bytes = fs::metadata(&packed).map_err(NoBackup::disk(&packed))?.len();
    fs::rename(&packed, to).map_err(NoBackup::disk(to))?;
    sync(folder)?;
    let recorded = manifest.logs.last().map_or(0, |open| open.head.seq);
    let last = LastBackup { at: manifest.made_at, bytes, recorded };
    Ok((manifest, last))
}

/// A folder that goes away with what is left in it; nobody else looks into it.
fn work_in(folder: &Path) -> Result<TempDir, NoBackup> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(WORK).permissions(Permissions::from_mode(0o700));
    builder.tempdir_in(folder).map_err(NoBackup::disk(folder))
}

/// Copies everything into `work`, as it is at one moment.
fn gather(data_dir: &Path, work: &Path, now: Millis) -> Result<Manifest, NoBackup> {
    let mut parts = Vec::new();
    open::copy(data_dir, &work.join(DATABASE))?;
    parts.push(part(work, DATABASE)?);
    let conn = open::reader(work)?;
    let (schema, logs) = (known_schema(&conn)?, heads(&conn)?);
    let device = log::position(&conn)?.and_then(|open| open.device);
    drop(conn);
    // After the database: a secret is made before anything is sealed with it.
    for name in BESIDE {
        let (from, to) = (data_dir.join(name), work.join(name));
        let Some(folder) = to.parent().filter(|_| from.is_file()) else { continue };
        fs::create_dir_all(folder).and_then(|()| fs::copy(&from, &to)).map_err(NoBackup::disk(&from))?;
        parts.push(part(work, name)?);
    }
    let version = env!("CARGO_PKG_VERSION").into();
    Ok(Manifest { format: FORMAT, made_at: now, version, schema, device, logs, parts })
}

fn part(folder: &Path, name: &str) -> Result<Part, NoBackup> {
    let path: PathBuf = folder.join(name);
    let read = || {
        let mut hashed = Hashed::new(io::sink());
        let bytes = io::copy(&mut File::open(&path)?, &mut hashed)?;
        Ok(Part { name: name.into(), bytes, sha256: hashed.finish() })
    };
    read().map_err(NoBackup::disk(&path))
}

/// On disk when it returns.
fn write(from: &Path, manifest: &Manifest, to: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let mut packer = zstd::Encoder::new(file, LEVEL)?;
    packer.include_checksum(true)?;
    let mut tar = tar::Builder::new(packer);
    let text = serde_json::to_vec_pretty(manifest)?;
    add(&mut tar, manifest, MANIFEST, text.len() as u64, text.as_slice())?;
    for part in &manifest.parts {
        add(&mut tar, manifest, &part.name, part.bytes, File::open(from.join(&part.name))?)?;
    }
    tar.into_inner()?.finish()?.sync_all()
}

fn add(
    tar: &mut tar::Builder<impl Write>,
    manifest: &Manifest,
    name: &str,
    bytes: u64,
    data: impl Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(u64::try_from(manifest.made_at.0 / 1000).unwrap_or(0));
    tar.append_data(&mut header, name, data)
}

/// Passes bytes on, and knows their hash.
pub(super) struct Hashed<W>(W, Sha256);

impl<W: Write> Hashed<W> {
    pub fn new(inner: W) -> Self {
        Self(inner, Sha256::new())
    }

    pub fn finish(self) -> Hash {
        Hash(self.1.finalize().into())
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.1.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

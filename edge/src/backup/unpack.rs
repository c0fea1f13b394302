//! Reading the file, and believing none of it before it is proven.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use super::{BESIDE, DATABASE, FORMAT, MANIFEST, Manifest, NoBackup, Part, heads, pack::Hashed};
use crate::store::{
    OpenError, log,
    open::{self, integrity_check, known_schema},
};

/// A manifest is a few lines; a longer one is none.
const MAX_MANIFEST: u64 = 1024 * 1024;

type Tar = tar::Archive<zstd::Decoder<'static, BufReader<File>>>;

/// What a backup says it holds: enough to know it for one, and not that it is whole.
pub fn read_manifest(file: &Path) -> Result<Manifest, NoBackup> {
    let mut tar = open_tar(file)?;
    let mut entries = tar.entries().map_err(damaged)?;
    first(&mut entries)
}

/// Unpacks into a folder that is empty and nobody else's, and checks everything: the hash of each part, the database, the chain
/// of every log, and that they end at the manifest's heads.
pub fn unpack(file: &Path, into: &Path) -> Result<Manifest, NoBackup> {
    let mut tar = open_tar(file)?;
    let mut entries = tar.entries().map_err(damaged)?;
    let manifest = first(&mut entries)?;
    for part in &manifest.parts {
        let mut entry = entries
            .next()
            .ok_or_else(|| wrong(part, "is missing"))?
            .map_err(|_| wrong(part, "is cut off"))?;
        if entry.path().map_err(damaged)?.as_ref() != Path::new(&part.name) {
            return Err(wrong(part, "is missing"));
        }
        let to = into.join(&part.name);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(NoBackup::disk(folder))?;
        }
        let out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&to);
        let mut out = Hashed::new(out.map_err(NoBackup::disk(&to))?);
        let bytes = io::copy(&mut entry, &mut out).map_err(|error| wrong(part, &error.to_string()))?;
        if (bytes, out.finish()) != (part.bytes, part.sha256) {
            return Err(wrong(part, "is not what was written"));
        }
    }
    if entries.next().is_some() {
        return Err(NoBackup::Damaged("it holds what its manifest does not name".into()));
    }
    // To the end: the checksum of the whole stands there.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(damaged)?;
    inspect(into, &manifest)?;
    Ok(manifest)
}

fn open_tar(file: &Path) -> Result<Tar, NoBackup> {
    let no_file = |error| NoBackup::NoFile { path: file.into(), error };
    let opened = File::open(file).map_err(no_file)?;
    if !opened.metadata().map_err(no_file)?.is_file() {
        return Err(no_file(io::ErrorKind::IsADirectory.into()));
    }
    Ok(tar::Archive::new(zstd::Decoder::new(opened).map_err(damaged)?))
}

fn first<R: io::Read>(entries: &mut tar::Entries<'_, R>) -> Result<Manifest, NoBackup> {
    let nothing = || NoBackup::Damaged("there is nothing in it".into());
    let entry = entries.next().ok_or_else(nothing)?.map_err(damaged)?;
    if entry.path().map_err(damaged)?.as_ref() != Path::new(MANIFEST) {
        return Err(NoBackup::Damaged("it does not begin with a manifest".into()));
    }
    let mut text = Vec::new();
    entry.take(MAX_MANIFEST).read_to_end(&mut text).map_err(damaged)?;
    // A newer form may have other fields: its number alone is read first.
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(damaged)?;
    if value["format"].as_u64() > Some(FORMAT.into()) {
        let version = value["version"].as_str().unwrap_or("unknown").chars().take(50).collect();
        return Err(NoBackup::Newer { version, schema: value["schema"].as_i64().unwrap_or(0) });
    }
    let manifest: Manifest = serde_json::from_value(value).map_err(damaged)?;
    // Names are ours, and never lead out of the folder.
    let known = |part: &Part| part.name == DATABASE || BESIDE.contains(&part.name.as_str());
    if let Some(stranger) = manifest.parts.iter().find(|part| !known(part)) {
        return Err(wrong(stranger, "does not belong there"));
    }
    if !manifest.parts.iter().any(|part| part.name == DATABASE) {
        return Err(NoBackup::Damaged("there is no database in it".into()));
    }
    Ok(manifest)
}

/// The database of an unpacked backup is sound, and its logs are those of the manifest.
fn inspect(folder: &Path, manifest: &Manifest) -> Result<(), NoBackup> {
    let conn = open::reader(folder)?;
    match known_schema(&conn) {
        Err(OpenError::Newer(schema)) => {
            return Err(NoBackup::Newer { version: manifest.version.clone(), schema });
        }
        schema => drop(schema?),
    }
    integrity_check(&conn)?;
    for log in log::all(&conn)? {
        log::verify_whole(&conn, &log).map_err(OpenError::from)?;
    }
    if heads(&conn)? == manifest.logs {
        Ok(())
    } else {
        Err(NoBackup::Damaged("the logs do not end where its manifest says".into()))
    }
}

fn wrong(part: &Part, why: &str) -> NoBackup {
    NoBackup::Damaged(format!("{} {why}", part.name))
}

fn damaged(error: impl std::fmt::Display) -> NoBackup {
    NoBackup::Damaged(error.to_string())
}

//! A folder of backups, of which the oldest go.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use hadir_shared::{ids::DeviceId, time::Millis};

use super::pack::WORK;

/// What a backup that was broken off left behind goes after this long.
const LEFTOVER: Duration = Duration::from_hours(24);
const ENDING: &str = ".tar.zst";

/// `hadir-edge-0190c0de-20261121T190000Z.tar.zst`: by their names the files of one box sort by age.
pub fn file_name(device: Option<DeviceId>, at: Millis) -> String {
    let text = at.to_rfc3339_micros();
    let digits: String = text.chars().take(19).filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{}{digits}Z{ENDING}", prefix(device))
}

/// Several boxes may share a folder.
fn prefix(device: Option<DeviceId>) -> String {
    // The end of a UUIDv7 is random, its beginning a time.
    let id = device.map_or_else(|| "alone".into(), |device| device.to_string());
    format!("hadir-edge-{}-", &id[id.len().saturating_sub(8)..])
}

/// Deletes the oldest of the box's files in a folder until `keep` are left. The one just made stays, whatever its name: a
/// clock may have been set back.
pub fn rotate(
    folder: &Path,
    device: Option<DeviceId>,
    keep: usize,
    made: &Path,
    now: Millis,
) -> io::Result<Vec<PathBuf>> {
    let mut old = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&prefix(device)) && name.ends_with(ENDING) && entry.path() != made {
            old.push(entry.path());
        } else if name.starts_with(WORK) && is_left_over(&entry, now) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    old.sort();
    let excess = (old.len() + 1).saturating_sub(keep);
    old.truncate(excess);
    for file in &old {
        fs::remove_file(file)?;
    }
    Ok(old)
}

fn is_left_over(entry: &fs::DirEntry, now: Millis) -> bool {
    let changed = entry.metadata().and_then(|metadata| metadata.modified()).ok();
    let age = changed.and_then(|at| {
        let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(now.0).ok()?);
        now.duration_since(at).ok()
    });
    age.is_some_and(|age| age > LEFTOVER)
}

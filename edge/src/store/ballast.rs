//! Disk space kept back for the day the disk is full: a school gets a day's notice instead of a surprise.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rustix::fs::FallocateFlags;

/// A file of nothing.
#[derive(Debug, Clone)]
pub struct Ballast {
    path: PathBuf,
    bytes: u64,
}

impl Ballast {
    pub fn new(data_dir: &Path, mib: u64) -> Self {
        Self { path: data_dir.join("ballast"), bytes: mib * 1024 * 1024 }
    }

    /// Whether the space is kept back now; true as well where none is wanted.
    pub fn is_there(&self) -> bool {
        self.bytes == 0 || self.path.exists()
    }

    /// Keeps the space back, where the disk has at least twice as much left.
    pub fn restore(&self) -> io::Result<bool> {
        if self.is_there() {
            return Ok(true);
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        if disk_free(folder).is_some_and(|free| free < self.bytes * 2) {
            return Ok(false);
        }
        let file = File::create(&self.path)?;
        // Real blocks, not a hole. A file system that cannot reserve any has to be written to.
        if rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, self.bytes).is_err() {
            io::copy(&mut io::Read::take(io::repeat(0), self.bytes), &mut &file)?;
        }
        file.sync_all()?;
        Ok(true)
    }

    /// Gives the space back. `false` when there was none to give.
    pub fn release(&self) -> bool {
        self.bytes > 0 && fs::remove_file(&self.path).is_ok()
    }
}

/// Bytes an ordinary user may still write where `folder` lies.
pub fn disk_free(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

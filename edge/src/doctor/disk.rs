//! Whether the disk has room, and how long a record takes to be on it.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use super::Seen;
use crate::store::disk_free;

/// A school of 1000 writes about 3 MiB a day (1.5 KiB a record with its indexes, two records a person): months, and the
/// photos and the database's own journal beside it.
const ROOM: u64 = 512 * 1024 * 1024;
/// Files written, each synced: enough for a worst one, and over in a second on the slowest card that will do.
const WRITES: usize = 20;
/// A small record's page, as SQLite writes it.
const PAGE: [u8; 4096] = [0; 4096];
/// From frame to answer a scan may take 200 ms, of which reading the picture takes half.
const USUAL: Duration = Duration::from_millis(100);
/// At a student a second a queue forms behind a longer one.
const WORST: Duration = Duration::from_secs(1);
/// File systems in memory (linux/magic.h: tmpfs, ramfs).
const MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

pub fn space(data_dir: &Path) -> Seen {
    room(disk_free(data_dir))
}

fn room(free: Option<u64>) -> Seen {
    let Some(free) = free else {
        return Seen::wrong("the data folder's disk does not tell its space", "see `files` above");
    };
    let mib = free / 1024 / 1024;
    if free >= ROOM {
        return Seen::fine(format!("{mib} MiB are free"));
    }
    Seen::wrong(
        format!("only {mib} MiB are free"),
        "free some (journalctl --vacuum-size=50M; apt clean), or move data_dir to a larger disk: a box whose disk is full \
         refuses scans",
    )
}

pub fn speed(data_dir: &Path) -> Seen {
    let is_memory = rustix::fs::statfs(data_dir)
        .is_ok_and(|fs| u64::try_from(fs.f_type).is_ok_and(|kind| MEMORY.contains(&kind)));
    if is_memory {
        return Seen::wrong(
            "the data folder lies in memory: a power cut takes everything",
            "set data_dir to a folder on a disk",
        );
    }
    match measure(data_dir) {
        Ok(took) => verdict(took),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Seen::skipped("the data folder is not ours to write: run it as root")
        }
        Err(error) => Seen::wrong(
            format!("the disk cannot be written: {error}"),
            "look at `dmesg`; a card or disk that has become read-only is failing: replace it and restore the backup",
        ),
    }
}

/// Writes and syncs small pieces, as commits do.
fn measure(data_dir: &Path) -> io::Result<Vec<Duration>> {
    let path = data_dir.join(format!(".doctor-{}", std::process::id()));
    let write = || -> io::Result<_> {
        let mut file = File::create_new(&path)?;
        let mut took = Vec::with_capacity(WRITES);
        for _ in 0..WRITES {
            let start = Instant::now();
            file.write_all(&PAGE)?;
            file.sync_all()?;
            took.push(start.elapsed());
        }
        Ok(took)
    };
    let took = write();
    let removed = fs::remove_file(&path);
    let took = took?;
    removed.map(|()| took)
}

fn verdict(mut took: Vec<Duration>) -> Seen {
    took.sort_unstable();
    let (Some(&median), Some(&worst)) = (took.get(took.len() / 2), took.last()) else {
        return Seen::skipped("nothing was measured");
    };
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let said = format!(
        "a write is on disk after {:.1} ms, the slowest of {} after {:.1} ms",
        ms(median),
        took.len(),
        ms(worst)
    );
    if median <= USUAL && worst <= WORST {
        return Seen::fine(said);
    }
    Seen::wrong(
        format!(
            "{said}; {} ms and {} ms are the most that a gate can wait",
            USUAL.as_millis(),
            WORST.as_millis()
        ),
        "put data_dir on an SSD or an industrial SD card (class A2); a card that has become slow is wearing out",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_judged_by_what_is_free() {
        assert!(matches!(room(Some(ROOM)), Seen::Fine(_)));
        assert!(matches!(room(Some(ROOM - 1)), Seen::Wrong { .. }));
        assert!(matches!(room(None), Seen::Wrong { .. }));
        assert!(matches!(space(Path::new("/nowhere/at/all")), Seen::Wrong { .. }));
    }

    #[test]
    fn a_disk_is_too_slow_by_its_usual_or_its_worst_write() {
        let ms = |times: [u64; 3]| times.map(Duration::from_millis).to_vec();
        assert!(matches!(verdict(ms([900, 3, 2])), Seen::Fine(_)), "one slow write is usual");
        assert!(matches!(verdict(ms([1, 1001, 2])), Seen::Wrong { .. }));
        assert!(matches!(verdict(ms([101, 102, 1])), Seen::Wrong { .. }));
    }

    #[test]
    fn a_measurement_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(measure(folder.path()).unwrap().len(), WRITES);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(matches!(speed(&folder.path().join("missing")), Seen::Wrong { .. }));
    }

    #[test]
    fn a_folder_in_memory_is_found() {
        let shm = Path::new("/dev/shm");
        if rustix::fs::statfs(shm).is_ok_and(|fs| fs.f_type == 0x0102_1994) {
            assert!(matches!(speed(shm), Seen::Wrong { what, .. } if what.contains("memory")));
        }
    }
}

//! Whether what was recorded is sound, copied, and on its way.

use hadir_shared::time::Millis;

use super::{Kept, Patient, Seen, ago};
use crate::{
    backup, outbox, roster,
    store::{log, open},
};

const HOUR_MS: i64 = 3_600_000;
/// The timer makes one each night; after two that did not come, somebody should look.
const BACKUP_MS: i64 = 50 * HOUR_MS;
/// A school may be offline for a weekend; after that cards that were revoked still open the gate.
const ROSTER_MS: i64 = 72 * HOUR_MS;
/// As long, for records.
const PENDING_MS: i64 = 72 * HOUR_MS;

pub fn sqlite() -> Seen {
    match open::sound_version(rusqlite::version_number()) {
        Ok(()) => Seen::fine(rusqlite::version()),
        Err(error) => {
            Seen::wrong(error.to_string(), "install a release of hadir-edge: it brings its own SQLite")
        }
    }
}

/// `unreadable` says why it cannot be read, where there is one.
pub fn database(patient: &Patient<'_>, unreadable: Option<String>) -> Seen {
    if let Some(why) = unreadable {
        return Seen::wrong(
            why,
            "run it as root (sudo hadir-edge doctor); if it is damaged: hadir-edge restore FILE",
        );
    }
    let Some(kept) = &patient.kept else {
        return Seen::wrong(
            format!("no box has run in {} yet", patient.config.data_dir.display()),
            "systemctl start hadir-edge, or set data_dir where the box's folder is another",
        );
    };
    match open::quick_check(&kept.conn) {
        Ok(()) => Seen::fine("sound (hadir-edge verify checks every record as well)"),
        Err(error) => Seen::wrong(
            error.to_string(),
            "stop the box, keep a copy of its folder, and put its latest backup into an empty one: hadir-edge restore FILE",
        ),
    }
}

pub fn backup(patient: &Patient<'_>) -> Seen {
    let Some(kept) = enrolled(patient) else { return Seen::skipped("the box belongs to no school") };
    let recorded = log::position(&kept.conn).ok().flatten().map_or(0, |open| open.head.seq);
    let last = backup::last(&patient.config.data_dir).map(|last| last.at);
    copied(last, recorded, patient.now.time)
}

fn copied(last: Option<Millis>, recorded: u64, now: Millis) -> Seen {
    let fix = "systemctl start hadir-edge-backup, and journalctl -u hadir-edge-backup if that fails; or by hand, onto another \
               medium: hadir-edge backup FILE";
    match last {
        Some(at) if now.since(at) <= BACKUP_MS => Seen::fine(format!("made {}", ago(at, now))),
        Some(at) => Seen::wrong(format!("the latest was made {}", ago(at, now)), fix),
        None if recorded == 0 => Seen::skipped("nothing is recorded yet"),
        None => Seen::wrong("none was ever made", fix),
    }
}

pub fn roster(patient: &Patient<'_>) -> Seen {
    let Some(kept) = enrolled(patient) else { return Seen::skipped("the box belongs to no school") };
    match roster::cursor(&kept.conn) {
        Ok(cursor) => pulled(cursor.pulled_at, patient.now.time),
        Err(error) => Seen::wrong(error.to_string(), "see `database` above"),
    }
}

fn pulled(at: Option<Millis>, now: Millis) -> Seen {
    let fix = "see `cloud` above; hadir-edge status says what the last pull met";
    match at {
        Some(at) if now.since(at) <= ROSTER_MS => Seen::fine(format!("asked for {}", ago(at, now))),
        Some(at) => Seen::wrong(format!("people and cards are as they were {}", ago(at, now)), fix),
        None => Seen::wrong("it has never come: the box knows nobody", fix),
    }
}

pub fn pending(patient: &Patient<'_>) -> Seen {
    let Some(kept) = enrolled(patient) else { return Seen::skipped("the box belongs to no school") };
    let position = log::position(&kept.conn).ok().flatten();
    let count = position.map_or(0, |open| open.pending());
    match outbox::store::oldest_pending(&kept.conn) {
        Ok(oldest) => waiting(count, oldest.filter(|_| count > 0), patient.now.time),
        Err(error) => Seen::wrong(error.to_string(), "see `database` above"),
    }
}

fn waiting(count: u64, oldest: Option<Millis>, now: Millis) -> Seen {
    match oldest {
        None => Seen::fine("every record has reached the cloud"),
        Some(at) if now.since(at) <= PENDING_MS => {
            Seen::fine(format!("{count}, the oldest from {}", ago(at, now)))
        }
        Some(at) => Seen::wrong(
            format!("{count} have not reached the cloud, the oldest from {}", ago(at, now)),
            "see `cloud` above; nothing is lost, and nothing has to be typed again. Make a backup until it works",
        ),
    }
}

fn enrolled<'a>(patient: &'a Patient<'_>) -> Option<&'a Kept> {
    patient.kept.as_ref().filter(|kept| kept.member.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_763_700_000_000);

    #[test]
    fn what_is_too_old_is_found_and_what_is_young_is_not() {
        let before = |hours: i64| Some(NOW.plus_millis(-hours * HOUR_MS));
        for (seen, is_fine) in [
            (copied(before(50), 9, NOW), true),
            (copied(before(51), 9, NOW), false),
            (copied(None, 9, NOW), false),
            (pulled(before(72), NOW), true),
            (pulled(before(73), NOW), false),
            (pulled(None, NOW), false),
            (waiting(0, None, NOW), true),
            (waiting(3, before(72), NOW), true),
            (waiting(3, before(73), NOW), false),
        ] {
            assert_eq!(matches!(seen, Seen::Fine(_)), is_fine, "{seen:?}");
        }
        assert!(matches!(copied(None, 0, NOW), Seen::Skipped(_)));
        assert_eq!(ago(NOW.plus_millis(-HOUR_MS), NOW), "60 min ago");
        assert_eq!(ago(NOW.plus_millis(-47 * HOUR_MS), NOW), "47 h ago");
        assert_eq!(ago(NOW.plus_millis(-49 * HOUR_MS), NOW), "2 days ago");
        assert!(matches!(sqlite(), Seen::Fine(_)));
    }
}

//! Whether the box can know the time: lateness is decided by it.

use std::{fs, path::Path};

use hadir_shared::time::Grade;

use super::{Patient, Seen, service::ask};
use crate::clock::Timekeeper;

/// Where the time can come from on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sources {
    /// What the kernel says of the network's time; `None` where nobody can tell.
    synchronised: Option<bool>,
    /// A clock that goes on without power.
    hardware: bool,
}

pub async fn look(patient: &Patient<'_>, time: &Timekeeper) -> Seen {
    let said = ask("timedatectl", &["show", "--property=NTPSynchronized", "--value"]).await;
    let synchronised = said.and_then(|said| match said.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    });
    let hardware = fs::read_dir(Path::new("/sys/class/rtc")).is_ok_and(|mut found| found.next().is_some());
    judge(Sources { synchronised, hardware }, patient.now.grade, time.offset_ms())
}

fn judge(sources: Sources, grade: Grade, offset_ms: Option<i64>) -> Seen {
    let network = match sources.synchronised {
        Some(true) => "set by the network",
        Some(false) => "not set by the network",
        None => "network time unknown",
    };
    let hardware = if sources.hardware { "a hardware clock" } else { "no hardware clock" };
    let offset = offset_ms.map(|ms| format!(", {ms} ms from the cloud's time")).unwrap_or_default();
    let said = format!("{} ({network}, {hardware}{offset})", grade.as_str());
    let is_known = grade == Grade::Anchored || sources.synchronised == Some(true) || sources.hardware;
    match grade {
        Grade::Suspect => Seen::wrong(
            format!("the clock contradicts what the box knows: {said}"),
            "set it (timedatectl set-time 'YYYY-MM-DD HH:MM:SS', or timedatectl set-ntp true), or connect the box: one contact \
             with the cloud is enough",
        ),
        _ if is_known => Seen::fine(said),
        _ => Seen::wrong(
            format!("nothing tells this box the time after a power cut: {said}"),
            "timedatectl set-ntp true and a way to a time server; for a place without internet, a battery-backed clock (DS3231)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_is_enough_and_a_contradiction_never() {
        let sources = |synchronised, hardware| Sources { synchronised, hardware };
        for (sources, grade, is_fine) in [
            (sources(None, false), Grade::Anchored, true),
            (sources(Some(true), false), Grade::Estimated, true),
            (sources(None, true), Grade::Estimated, true),
            (sources(None, false), Grade::Estimated, false),
            (sources(Some(false), false), Grade::Estimated, false),
            (sources(Some(true), true), Grade::Suspect, false),
        ] {
            assert_eq!(
                matches!(judge(sources, grade, None), Seen::Fine(_)),
                is_fine,
                "{sources:?} {grade:?}"
            );
        }
    }
}

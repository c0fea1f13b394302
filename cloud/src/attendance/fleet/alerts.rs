//! What somebody should look at: a box that is silent, a clock that is off, a disk that fills, records that were refused.
//!
//! What always holds: [`alerts`] decides from what it is given and nothing else, so that every page that warns says the same;
//! a revoked box is nobody's concern any more; outside school hours a box may be switched off.
//!
//! No routes of its own: the overview, the fleet and the list of schools show them.

use std::collections::BTreeSet;

use hadir_shared::{
    ids::InstitutionId,
    settings::Settings,
    time::{Millis, SchoolDay},
};
use sqlx::FromRow;
use uuid::Uuid;

use super::store;
use crate::{
    attendance::{holidays, offline_sync, settings},
    console::Lang,
    db::Tx,
    fail::Fail,
};

/// Three heartbeats of a box that has nothing to send.
pub const SILENT_MS: i64 = 30 * 60_000;
/// A minute more or less is another answer to who was late.
pub const CLOCK_OFF_MS: i64 = 60_000;
/// What a box's own doctor finds too little.
pub const DISK_LOW_BYTES: i64 = 512 * 1024 * 1024;
/// Past this many, how many more makes no difference to who has to look.
const MOST_REFUSED: i64 = 10_000;

/// A box that is not revoked, as it was heard of last.
#[derive(Debug, Clone, FromRow)]
pub struct Heard {
    #[sqlx(try_from = "i64")]
    pub institution_id: InstitutionId,
    pub id: Uuid,
    pub name: String,
    #[sqlx(try_from = "i64")]
    pub enrolled_at: Millis,
    pub last_seen_at: Option<i64>,
    pub clock_offset_ms: Option<i64>,
    pub disk_free_bytes: Option<i64>,
}

impl Heard {
    /// When it was last heard of; its enrolment was a word of it, too.
    pub fn at(&self) -> Millis {
        Millis(self.last_seen_at.unwrap_or(self.enrolled_at.0))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alert {
    /// Not heard of although the school is open.
    Silent {
        device: Uuid,
        name: String,
        since: Millis,
    },
    /// Its wall clock minus ours.
    ClockOff {
        device: Uuid,
        name: String,
        ms: i64,
    },
    DiskLow {
        device: Uuid,
        name: String,
        bytes: i64,
    },
    /// Records that wait for somebody's decision; `or_more` when that many were not counted.
    Refused {
        records: i64,
        or_more: bool,
    },
}

/// Since when the school has been open: the gate's opening on a school day, until school is out. `None`: it is closed.
pub fn open_since(settings: &Settings, holidays: &BTreeSet<SchoolDay>, now: Millis) -> Option<Millis> {
    let schedule = &settings.schedule;
    let day = schedule.zone.day(now);
    let opens = schedule.zone.instant(day, settings.checkin_start);
    let closes = schedule.zone.instant(day, schedule.on(day).checkout_start);
    (settings.school_days.include(day, holidays) && opens <= now && now < closes).then_some(opens)
}

/// What is wrong with one box. `open_since` is when its school opened today, if it is open.
pub fn of_box(heard: &Heard, open_since: Option<Millis>, now: Millis) -> Vec<Alert> {
    let (device, name, since) = (heard.id, heard.name.clone(), heard.at());
    let mut found = Vec::new();
    // A box that was switched off for the night has its half hour from the opening on.
    if open_since.is_some_and(|opened| now.since(since.max(opened)) > SILENT_MS) {
        found.push(Alert::Silent { device, name: name.clone(), since });
    }
    if let Some(ms) = heard.clock_offset_ms.filter(|ms| ms.abs() > CLOCK_OFF_MS) {
        found.push(Alert::ClockOff { device, name: name.clone(), ms });
    }
    if let Some(bytes) = heard.disk_free_bytes.filter(|bytes| *bytes < DISK_LOW_BYTES) {
        found.push(Alert::DiskLow { device, name, bytes });
    }
    found
}

/// All that is to be looked at in a school, the most urgent first: what loses records, then what makes them wrong.
pub fn alerts(boxes: &[Heard], refused: i64, open_since: Option<Millis>, now: Millis) -> Vec<Alert> {
    let mut found: Vec<Alert> = boxes.iter().flat_map(|heard| of_box(heard, open_since, now)).collect();
    if refused > 0 {
        let or_more = refused > MOST_REFUSED;
        found.push(Alert::Refused { records: refused.min(MOST_REFUSED), or_more });
    }
    found.sort_by_key(Alert::urgency);
    found
}

/// The alerts of a school, as its overview and its fleet show them.
pub async fn of_school(tx: &mut Tx, institution: InstitutionId, now: Millis) -> Result<Vec<Alert>, Fail> {
    let boxes = store::heard(tx, institution).await?;
    let refused = offline_sync::waiting(tx, institution, MOST_REFUSED + 1).await?;
    Ok(alerts(&boxes, refused, opened(tx, institution, now).await?, now))
}

/// Since when a school has been open today.
pub async fn opened(tx: &mut Tx, institution: InstitutionId, now: Millis) -> Result<Option<Millis>, Fail> {
    let settings = settings::load(tx, institution).await?;
    let today = settings.schedule.zone.day(now);
    let holidays = holidays::between(tx, institution, today, today).await?;
    Ok(open_since(&settings, &holidays, now))
}

impl Alert {
    const fn urgency(&self) -> u8 {
        match self {
            Self::DiskLow { .. } => 0,
            Self::Silent { .. } => 1,
            Self::ClockOff { .. } => 2,
            Self::Refused { .. } => 3,
        }
    }

    /// The box it is about, if it is about one.
    pub const fn device(&self) -> Option<Uuid> {
        match self {
            Self::Silent { device, .. } | Self::ClockOff { device, .. } | Self::DiskLow { device, .. } => {
                Some(*device)
            }
            Self::Refused { .. } => None,
        }
    }

    /// The class that colours it.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::DiskLow { .. } | Self::Silent { .. } => "bad",
            Self::ClockOff { .. } | Self::Refused { .. } => "warn",
        }
    }

    /// The page that mends it, behind the school's address: `shell.at(alert.page())`.
    pub fn page(&self) -> String {
        self.device().map_or_else(|| "/log?status=failed".into(), |device| format!("/fleet/{device}"))
    }

    /// One sentence. `now` is when it is read.
    pub fn words(&self, lang: Lang, now: Millis) -> String {
        match self {
            Self::Silent { name, since, .. } => {
                let span = lang.span(now.since(*since));
                match lang {
                    Lang::Id => format!("{name} tidak terdengar sejak {span} lalu"),
                    Lang::En => format!("{name} was last heard of {span} ago"),
                }
            }
            Self::ClockOff { name, ms, .. } => {
                let span = lang.span(ms.abs());
                match (lang, *ms > 0) {
                    (Lang::Id, true) => format!("Jam {name} {span} terlalu cepat"),
                    (Lang::Id, false) => format!("Jam {name} {span} terlambat"),
                    (Lang::En, true) => format!("The clock of {name} is {span} fast"),
                    (Lang::En, false) => format!("The clock of {name} is {span} slow"),
                }
            }
            Self::DiskLow { name, bytes, .. } => {
                let left = lang.bytes(*bytes);
                match lang {
                    Lang::Id => format!("Disk {name} hampir penuh: sisa {left}"),
                    Lang::En => format!("The disk of {name} is nearly full: {left} left"),
                }
            }
            Self::Refused { records, or_more } => {
                let n = format!("{}{}", lang.number(*records), if *or_more { "+" } else { "" });
                match lang {
                    Lang::Id => format!("{n} catatan menunggu keputusan"),
                    Lang::En if n == "1" => "1 record waits for a decision".into(),
                    Lang::En => format!("{n} records wait for a decision"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Friday 21 November 2025, so many minutes after midnight in Jakarta.
    fn at(minutes: i64) -> Millis {
        Millis(1_763_658_000_000 + minutes * 60_000)
    }

    fn heard(last_seen: Option<Millis>) -> Heard {
        Heard {
            institution_id: InstitutionId(1),
            id: Uuid::nil(),
            name: "Gerbang 1".into(),
            enrolled_at: at(-10_000),
            last_seen_at: last_seen.map(|at| at.0),
            clock_offset_ms: Some(-60_000),
            disk_free_bytes: Some(DISK_LOW_BYTES),
        }
    }

    #[test]
    fn a_school_is_open_from_its_gate_to_its_end_on_its_own_days() {
        let settings = Settings::read(1, &BTreeMap::new()).unwrap();
        let none = BTreeSet::new();
        let friday = settings.schedule.zone.day(at(0));
        let cases = [
            (6 * 60 + 29, None),
            (6 * 60 + 30, Some(at(6 * 60 + 30))),
            (13 * 60 + 59, Some(at(6 * 60 + 30))),
            (14 * 60, None),
            (2 * 24 * 60 + 8 * 60, None),
        ];
        for (minutes, open) in cases {
            assert_eq!(open_since(&settings, &none, at(minutes)), open, "{minutes}");
        }
        assert_eq!(open_since(&settings, &BTreeSet::from([friday]), at(8 * 60)), None, "a holiday");
    }

    #[test]
    fn a_box_is_silent_after_half_an_hour_of_school() {
        let opened = at(6 * 60 + 30);
        let silent = |last: Option<Millis>, now: Millis, open: Option<Millis>| {
            of_box(&heard(last), open, now).iter().any(|alert| matches!(alert, Alert::Silent { .. }))
        };
        let cases = [
            (Some(at(0)), at(7 * 60), Some(opened), false, "half an hour since the opening, and no more"),
            (Some(at(0)), at(7 * 60 + 1), Some(opened), true, "since the night"),
            (Some(at(480)), at(510), Some(opened), false, "exactly half an hour"),
            (Some(at(480)), at(511), Some(opened), true, "more than half an hour"),
            (Some(at(480)), at(511), None, false, "closed"),
            (None, at(511), Some(opened), true, "never heard of since it was enrolled"),
        ];
        for (last, now, open, expected, why) in cases {
            assert_eq!(silent(last, now, open), expected, "{why}");
        }
    }

    #[test]
    fn clock_disk_and_refusals_count_past_their_limits_and_the_worst_comes_first() {
        let now = at(480);
        assert_eq!(alerts(&[heard(Some(now))], 0, Some(at(390)), now), [], "at the limits");
        let mut ill = heard(Some(now));
        (ill.clock_offset_ms, ill.disk_free_bytes) = (Some(60_001), Some(DISK_LOW_BYTES - 1));
        let (device, name) = (ill.id, ill.name.clone());
        let silent = Heard { disk_free_bytes: None, clock_offset_ms: None, ..heard(Some(at(300))) };
        assert_eq!(
            alerts(&[ill, silent], MOST_REFUSED + 1, Some(at(390)), now),
            [
                Alert::DiskLow { device, name: name.clone(), bytes: DISK_LOW_BYTES - 1 },
                Alert::Silent { device, name: name.clone(), since: at(300) },
                Alert::ClockOff { device, name, ms: 60_001 },
                Alert::Refused { records: MOST_REFUSED, or_more: true },
            ]
        );
        assert_eq!(
            alerts(&[], MOST_REFUSED, None, now),
            [Alert::Refused { records: MOST_REFUSED, or_more: false }]
        );
    }

    #[test]
    fn every_alert_is_a_sentence_in_both_languages_and_leads_somewhere() {
        let (device, name) = (Uuid::nil(), "Gerbang 1".to_owned());
        let cases = [
            (
                Alert::Silent { device, name: name.clone(), since: at(0) },
                "Gerbang 1 tidak terdengar sejak 1 jam lalu",
                "Gerbang 1 was last heard of 1 h ago",
            ),
            (
                Alert::ClockOff { device, name: name.clone(), ms: -120_000 },
                "Jam Gerbang 1 2 menit terlambat",
                "The clock of Gerbang 1 is 2 min slow",
            ),
            (
                Alert::DiskLow { device, name, bytes: 12_000_000 },
                "Disk Gerbang 1 hampir penuh: sisa 12 MB",
                "The disk of Gerbang 1 is nearly full: 12 MB left",
            ),
            (
                Alert::Refused { records: 1, or_more: false },
                "1 catatan menunggu keputusan",
                "1 record waits for a decision",
            ),
            (
                Alert::Refused { records: 10_000, or_more: true },
                "10.000+ catatan menunggu keputusan",
                "10,000+ records wait for a decision",
            ),
        ];
        for (alert, id, en) in cases {
            assert_eq!((&*alert.words(Lang::Id, at(60)), &*alert.words(Lang::En, at(60))), (id, en));
            assert!(alert.page().starts_with(if matches!(alert, Alert::Refused { .. }) {
                "/log?"
            } else {
                "/fleet/"
            }));
        }
    }
}

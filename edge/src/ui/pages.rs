//! What each page starts with; the scripts keep it up to date.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use hadir_shared::{
    rules::status::{Direction, direction_by_hours},
    time::{Grade, Millis, Zone},
};

use crate::{
    http::{
        Web,
        extract::{Arrival, Segment},
        fail::Fail,
    },
    outbox::{Line, StoreState, SyncStatus},
};

pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");

pub fn page(template: &impl Template) -> Result<Response, Fail> {
    let html = template.render().map_err(anyhow::Error::from)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (PERMISSIONS, HeaderValue::from_static("camera=(self), geolocation=(self), microphone=()")),
    ];
    Ok((headers, html).into_response())
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    school: String,
    version: String,
    stand_alone: bool,
}

pub async fn home(State(web): State<Web>) -> Result<Response, Fail> {
    let status = web.node.sync_status().await;
    page(&Home {
        school: school(&web),
        version: status.version,
        stand_alone: status.line == Line::StandAlone,
    })
}

#[derive(Template)]
#[template(path = "gate.html")]
struct Gate {
    school: String,
    gate: String,
}

pub async fn gate(State(web): State<Web>) -> Result<Response, Fail> {
    page(&Gate { school: school(&web), gate: web.node.config().gate_name.clone() })
}

#[derive(Template)]
#[template(path = "kiosk.html")]
struct Kiosk {
    school: String,
}

pub async fn kiosk(State(web): State<Web>) -> Result<Response, Fail> {
    page(&Kiosk { school: school(&web) })
}

#[derive(Template)]
#[template(path = "checkin.html")]
struct CheckIn {
    school: String,
    token: String,
    /// Remembers that the token arrived now, should a login come first.
    arrival: String,
    direction: Direction,
    zone: Zone,
}

/// The longest thing a token's address may end with.
const LONGEST_TOKEN: usize = 64;

pub async fn check_in(
    State(web): State<Web>,
    Arrival(at): Arrival,
    Segment(token): Segment<String>,
) -> Result<Response, Fail> {
    if token.len() > LONGEST_TOKEN || !token.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(Fail::NoRoute);
    }
    // Only for a token that is shown now: a stranger who makes addresses up must not use up the tickets of those who come.
    let is_good = web.node.is_token(&token, at);
    let arrival = if is_good { web.arrivals.issue(web.node.ids(), &token, at) } else { String::new() };
    let now = web.node.trusted_now().time;
    let schedule = web.node.roster().schedule().at(now);
    let direction = direction_by_hours(&schedule, now);
    page(&CheckIn { school: school(&web), token, arrival, direction, zone: schedule.zone })
}

#[derive(Template)]
#[template(path = "status.html")]
struct Status {
    school: String,
    s: SyncStatus,
    zone: Zone,
    waiting: u64,
    sent: u64,
    refused: u64,
    conflicts: u64,
}

pub async fn status(State(web): State<Web>) -> Result<Response, Fail> {
    let s = web.node.sync_status().await;
    let of = |words: &[&str]| words.iter().filter_map(|w| s.verdicts.get(*w)).sum();
    let (refused, conflicts) = (of(&["refused", "quarantined"]), of(&["conflict"]));
    page(&Status {
        school: school(&web),
        zone: web.node.roster().schedule().zone,
        waiting: s.pending,
        sent: s.acked_through.saturating_sub(refused).saturating_sub(conflicts),
        refused,
        conflicts,
        s,
    })
}

impl Status {
    /// `21-11-2026 09:03:12 WIB`.
    fn moment(&self, at: Option<&Millis>) -> String {
        at.map_or_else(
            || "–".into(),
            |at| {
                let (day, time) = (self.zone.day(*at).0.format("%d-%m-%Y"), self.zone.time_of_day(*at));
                format!("{day} {} {}", time.format("%H:%M:%S"), self.zone.abbreviation(*at))
            },
        )
    }

    /// How long ago, in the largest unit that fits and in both languages: `3 menit`, `3 min`.
    fn age(&self, at: Option<&Millis>) -> (String, String) {
        let said = |count: i64, id: &str, en: &str| (format!("{count} {id}"), format!("{count} {en}"));
        at.map_or_else(Default::default, |at| match self.s.now.since(*at).max(0) / 1000 {
            s @ 0..60 => said(s, "detik", "s"),
            s @ 60..3_600 => said(s / 60, "menit", "min"),
            s @ 3_600..86_400 => said(s / 3_600, "jam", "h"),
            s => said(s / 86_400, "hari", "d"),
        })
    }

    fn disk(&self) -> String {
        self.s.disk_free_bytes.map_or_else(|| "–".into(), |bytes| format!("{} MB", bytes / 1_000_000))
    }

    const fn line(&self) -> (&'static str, &'static str, &'static str) {
        match self.s.line {
            Line::StandAlone => ("Berdiri sendiri", "Stands alone", "calm"),
            Line::Online => ("Terhubung", "Online", "good"),
            Line::Offline => ("Tanpa internet", "Offline", "warn"),
        }
    }

    const fn store(&self) -> (&'static str, &'static str, &'static str) {
        match self.s.store {
            StoreState::Working => ("Mencatat", "Recording", "good"),
            StoreState::Degraded => ("Mencatat, disk hampir penuh", "Recording, disk nearly full", "warn"),
            StoreState::ReadOnlyFull => ("TIDAK MENCATAT: disk penuh", "NOT RECORDING: disk full", "bad"),
            StoreState::Stopped => ("TIDAK MENCATAT: disk rusak", "NOT RECORDING: disk failed", "bad"),
        }
    }

    const fn grade(&self) -> (&'static str, &'static str, &'static str) {
        match self.s.clock_grade {
            Grade::Anchored => ("Tepat (dari cloud)", "Exact (from the cloud)", "good"),
            Grade::Estimated => ("Perkiraan (jam kotak)", "Estimated (the box's clock)", "calm"),
            Grade::Suspect => {
                ("Diragukan: jam kotak diubah atau salah", "Suspect: clock set or wrong", "warn")
            }
        }
    }

    #[expect(clippy::unused_self, reason = "the template calls it as the others")]
    fn verdict(&self, verdict: &str) -> (&'static str, &'static str, &'static str) {
        match verdict {
            "conflict" => ("Bentrok", "Conflict", "warn"),
            _ => ("Ditolak", "Refused", "bad"),
        }
    }
}

pub fn school(web: &Web) -> String {
    web.node.roster().institution.name.clone()
}

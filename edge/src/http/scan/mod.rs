//! The gate: camera frames and what a hand scanner reads, answered with what the page shows.
//!
//! What always holds: `hadir`, `terlambat` and `pulang` mean that the record is on disk; what is not on disk is
//! `belum_tersimpan`, and then the status is 503 as well; a card held before the camera is recorded once, and looked up once.

pub mod decode;
mod outcome;
mod repeats;
#[cfg(test)]
mod tests;

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hadir_shared::{
    ids::EventId,
    rules::status::{Direction, direction_by_hours},
    time::Millis,
    wire::roster::{Person, Role},
};
use serde::{Deserialize, Serialize};

use self::decode::{FRAME_BYTES, Frame};
pub use self::{outcome::Outcome, repeats::Repeats};
use super::{
    Web,
    auth::AtGate,
    dialect::{Data, Unsaved},
    events,
    extract::{Body, Params, Peer, RawBody, essence},
    fail::{Fail, Flaw},
};
use crate::{
    attendance::{Code, DayCounts, ScanRequest, UndoRequest},
    outbox::{Line, StoreState},
};

/// The longest text a scanner may give, and the longest name of a gate, in characters.
const LONGEST_CODE: usize = 512;
const LONGEST_GATE: usize = 100;
/// The longest reason for taking a scan back, in characters.
const LONGEST_REASON: usize = 100;
/// People in the gate's list.
const LATEST: u32 = 10;
/// People that a search offers.
const FOUND: usize = 8;

pub fn routes() -> Router<Web> {
    Router::new()
        .route("/scan/frame", post(frame))
        .layer(DefaultBodyLimit::max(FRAME_BYTES))
        .route("/scan", post(one))
        .route("/gate", get(state))
        .route("/gate/events", get(told))
        .route("/gate/undo", post(undo))
        .route("/gate/find", get(find))
}

#[derive(Serialize)]
struct Results {
    results: Vec<Outcome>,
}

/// 200, or 503 when something that was shown is not on disk.
fn answer(results: Vec<Outcome>) -> Response {
    if results.iter().all(Outcome::is_answered) {
        Data(Results { results }).into_response()
    } else {
        Unsaved(Results { results }).into_response()
    }
}

#[derive(Deserialize)]
struct At {
    gate: Option<String>,
    direction: Option<Direction>,
}

async fn frame(
    State(web): State<Web>,
    gate: AtGate,
    peer: Peer,
    Params(at): Params<At>,
    headers: HeaderMap,
    RawBody(bytes): RawBody,
) -> Result<Response, Fail> {
    let name = gate_name(&web, &gate, at.gate)?;
    let frame = match essence(&headers).as_deref() {
        Some("image/png" | "image/jpeg") => Frame::Encoded(bytes),
        Some("application/octet-stream") => Frame::Grey {
            width: side(&headers, "x-width")?,
            height: side(&headers, "x-height")?,
            pixels: bytes,
        },
        _ => return Err(Fail::WrongContentType),
    };
    let codes = web.decoding(|| decode::codes(frame)).await?;
    let codes = codes.map_err(|_| Fail::invalid("frame", Flaw::NotAPicture))?;
    let mut results = Vec::with_capacity(codes.len());
    for code in codes {
        let sight = repeats::Sight::new(peer.key(), &name, at.direction, &code);
        let now = web.node.reading().boottime_ms;
        if let Some(same) = web.repeats.again(&sight, now) {
            results.push(same);
            continue;
        }
        let outcome = scan(&web, &gate, name.clone(), at.direction, Code::Scanned(code)).await;
        web.repeats.remember(sight, now, &outcome);
        results.push(outcome);
    }
    Ok(answer(results))
}

fn side(headers: &HeaderMap, name: &'static str) -> Result<u32, Fail> {
    let value = headers.get(name).ok_or_else(|| Fail::invalid(name, Flaw::Missing))?;
    value.to_str().ok().and_then(|v| v.parse().ok()).ok_or_else(|| Fail::invalid(name, Flaw::Unreadable))
}

#[derive(Deserialize)]
struct One {
    /// What a scanner read.
    code: Option<String>,
    /// Or a number typed in by hand.
    number: Option<String>,
    direction: Option<Direction>,
    gate: Option<String>,
}

async fn one(State(web): State<Web>, gate: AtGate, Body(one): Body<One>) -> Result<Response, Fail> {
    let name = gate_name(&web, &gate, one.gate)?;
    let given = |text: Option<String>| text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
    let code = given(one.number)
        .map(Code::Number)
        .or_else(|| given(one.code).map(Code::Scanned))
        .ok_or_else(|| Fail::invalid("code", Flaw::Missing))?;
    let (Code::Number(text) | Code::Scanned(text)) = &code;
    if text.chars().count() > LONGEST_CODE {
        return Err(Fail::invalid("code", Flaw::TooLong(LONGEST_CODE)));
    }
    Ok(answer(vec![scan(&web, &gate, name, one.direction, code).await]))
}

async fn scan(web: &Web, gate: &AtGate, name: String, direction: Option<Direction>, code: Code) -> Outcome {
    let (Code::Number(text) | Code::Scanned(text)) = &code;
    let text = text.clone();
    let request =
        ScanRequest { code, direction, class: None, position: None, gate: name, operator: gate.operator };
    let scanned = web.node.scan(request).await;
    let outcome = Outcome::new(&web.node, text, &scanned);
    metrics::counter!("hadir_gate_outcomes_total", "outcome" => outcome.outcome).increment(1);
    outcome
}

/// A paired gate is called as it was then, whatever its page says.
fn gate_name(web: &Web, gate: &AtGate, asked: Option<String>) -> Result<String, Fail> {
    let asked = gate.name.clone().or(asked);
    let asked = asked.map(|g| g.trim().to_owned()).filter(|g| !g.is_empty());
    match asked {
        Some(name) if name.chars().count() > LONGEST_GATE => {
            Err(Fail::invalid("gate", Flaw::TooLong(LONGEST_GATE)))
        }
        Some(name) => Ok(name),
        None => Ok(web.node.config().gate_name.clone()),
    }
}

/// What the gate's page shows around the result.
#[derive(Serialize)]
struct GateState {
    school: String,
    gate: String,
    now: Millis,
    zone: &'static str,
    zone_name: String,
    time_grade: &'static str,
    /// What a scan means now, when nobody chose.
    direction: Direction,
    counts: DayCounts,
    pending: u64,
    oldest_pending: Option<Millis>,
    line: Line,
    store: StoreState,
    latest: Vec<Outcome>,
}

async fn state(State(web): State<Web>, gate: AtGate) -> Result<Data<GateState>, Fail> {
    Ok(Data(now(web, gate.name).await?))
}

/// The same, now and whenever it changes.
async fn told(State(web): State<Web>, gate: AtGate) -> Result<Response, Fail> {
    events::follow(&web, move |web| now(web, gate.name.clone()))
}

/// `name`: of a gate that was paired.
async fn now(web: Web, name: Option<String>) -> Result<GateState, Fail> {
    let roster = web.node.roster();
    let now = web.node.trusted_now();
    let zone = roster.schedule().zone;
    let status = web.node.sync_status().await;
    Ok(GateState {
        school: roster.institution.name.clone(),
        gate: name.unwrap_or_else(|| web.node.config().gate_name.clone()),
        now: now.time,
        zone: zone.name(),
        zone_name: zone.abbreviation(now.time),
        time_grade: now.grade.as_str(),
        direction: direction_by_hours(&roster.schedule().at(now.time), now.time),
        counts: web.node.counts(roster.day(now.time)).await?,
        pending: status.pending,
        oldest_pending: status.oldest_pending,
        line: status.line,
        store: status.store,
        latest: latest(&web).await?,
    })
}

#[derive(Deserialize)]
struct Undo {
    event: Option<EventId>,
    /// In the words of whoever does it; may be left out.
    reason: Option<String>,
    gate: Option<String>,
}

/// One of the last scans is taken back. Safe to press twice.
async fn undo(
    State(web): State<Web>,
    gate: AtGate,
    Body(undo): Body<Undo>,
) -> Result<Data<Option<Outcome>>, Fail> {
    let name = gate_name(&web, &gate, undo.gate)?;
    let event = undo.event.ok_or_else(|| Fail::invalid("event", Flaw::Missing))?;
    let reason = undo.reason.unwrap_or_default();
    if reason.chars().count() > LONGEST_REASON {
        return Err(Fail::invalid("reason", Flaw::TooLong(LONGEST_REASON)));
    }
    let request = UndoRequest { event, reason, gate: name, operator: gate.operator };
    let row = web.node.undo(request).await?;
    Ok(Data(Outcome::of_row(&web.node, &row, true)))
}

#[derive(Deserialize)]
struct Find {
    q: Option<String>,
}

#[derive(Serialize)]
struct Found {
    name: String,
    number: String,
    class: Option<String>,
    photo: Option<String>,
}

/// Students without a card, by the beginning of their number or some letters of their name.
async fn find(State(web): State<Web>, _: AtGate, Params(find): Params<Find>) -> Data<Vec<Found>> {
    let q = find.q.unwrap_or_default().trim().to_lowercase();
    if q.chars().count() < 2 {
        return Data(vec![]);
    }
    let roster = web.node.roster();
    let is_meant = |p: &&Person| {
        p.active && p.role == Role::Siswa && (p.number.starts_with(&q) || p.name.to_lowercase().contains(&q))
    };
    let mut people: Vec<&Person> = roster.people().filter(is_meant).collect();
    people.sort_by_key(|p| (&p.name, &p.number));
    let class = |p: &Person| p.class.and_then(|id| roster.class(id)).map(|c| c.name.clone());
    let found = |p: &Person| Found {
        name: p.name.clone(),
        number: p.number.clone(),
        class: class(p),
        photo: web.node.portraits().of(p),
    };
    Data(people.into_iter().take(FOUND).map(found).collect())
}

/// The last people through, newest first, of people the roster still has; those that were taken back too.
pub async fn latest(web: &Web) -> Result<Vec<Outcome>, Fail> {
    let rows = web.node.latest(LATEST).await?;
    Ok(rows.iter().filter_map(|(row, is_void)| Outcome::of_row(&web.node, row, *is_void)).collect())
}

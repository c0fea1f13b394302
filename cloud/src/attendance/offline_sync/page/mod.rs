//! The page of the log: found by filter, and decided again, one, several or all that a filter finds.
//!
//! What always holds: what it filters by stands in the address, in the API's own names, so that the files and the retry of
//! all take exactly what is seen; a list is counted only as far as people care.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Response};
use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::{Millis, Zone},
    wire::batch::Reason,
};
use uuid::Uuid;

use super::{
    Beyond,
    filter::Asked,
    shown::{self, FAILED},
    store::{
        self,
        bulk::Bulk,
        list::{Part, Row, Search},
    },
};
use crate::{
    app::App,
    attendance::{
        fleet,
        people::{self, Person},
        permits::{ReadSyncLog, RetrySync},
    },
    console::{Lang, Pages, Shell, Visit, html},
    db::Tx,
    fail::Fail,
    http::{Params, Permission as _},
};

mod record;
mod words;

pub fn pages() -> Pages {
    Pages::default().page("/log", list).page("/log/{id}", record::show)
}

/// Lines of one page.
const LINES: u32 = 50;
/// A list is counted no further.
const MOST_COUNTED: i64 = 10_000;
/// A retry of many that is over is shown this much longer.
const SHOWN_AFTER_MS: i64 = 10 * 60_000;

/// A record, as a line of the list and at the head of its own page.
pub struct Line {
    pub id: i64,
    pub event: Option<Uuid>,
    pub sender: String,
    pub device: Uuid,
    pub seq: i64,
    pub person: Option<Person>,
    pub action: String,
    pub direction: Option<String>,
    pub claimed: Option<Millis>,
    pub trusted: Option<Millis>,
    pub received: Millis,
    pub verdict: String,
    pub reason: Option<Reason>,
    pub tries: i64,
}

impl Line {
    fn new(row: &Row, names: &BTreeMap<Uuid, String>, people: &BTreeMap<UserId, Person>, zone: Zone) -> Self {
        let read = shown::read(&row.body, zone);
        let direction = read.data.get("type").and_then(|kind| kind.as_str()).map(str::to_owned);
        Self {
            id: row.id,
            event: read.event,
            sender: names.get(&row.device_id).cloned().unwrap_or_default(),
            device: row.device_id,
            seq: row.seq,
            person: row.user_id.and_then(|id| people.get(&UserId(id)).cloned()),
            action: row.action_type.clone(),
            direction,
            claimed: row.claimed_at.map(Millis),
            trusted: row.trusted_at.map(Millis),
            received: row.received_at,
            verdict: row.verdict.clone(),
            reason: row.reason.as_deref().and_then(Reason::parse),
            tries: row.tries,
        }
    }

    pub fn is_failed(&self) -> bool {
        shown::status(&self.verdict) == FAILED
    }

    pub fn state(&self, lang: Lang) -> words::Word {
        words::state(lang, &self.verdict)
    }

    /// What happened: `Absensi, Masuk`.
    pub fn what(&self, lang: Lang) -> String {
        let parts = [words::action(lang, &self.action), words::direction(lang, self.direction.as_deref())];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }

    pub fn why(&self, lang: Lang) -> &'static str {
        self.reason.map_or("", |reason| words::why(lang, reason))
    }

    /// How long it took to get here.
    pub fn lag(&self, lang: Lang) -> Option<String> {
        self.trusted.map(|at| lang.span(self.received.since(at)))
    }
}

#[derive(Template)]
#[template(path = "console/log.html")]
struct LogPage {
    shell: Shell,
    asked: Asked,
    boxes: Vec<(Uuid, String)>,
    person: Option<Person>,
    lines: Vec<Line>,
    is_first: bool,
    next: Option<i64>,
    total: i64,
    /// Records that the boxes have not delivered, as they told.
    at_boxes: i64,
    retry: Option<Bulk>,
    may_retry: bool,
}

async fn list(
    State(app): State<App>,
    visit: Visit<ReadSyncLog>,
    Params(asked): Params<Asked>,
    Params(beyond): Params<Beyond>,
) -> Result<Response, Fail> {
    let institution = visit.institution;
    let zone = visit.shell.zone();
    let filter = asked.clone().check(zone)?;
    let mut tx = app.db.read(institution).await?;
    let search = Search::new(&mut tx, institution, &filter).await?;
    let part = Part { after: beyond.after, limit: i64::from(LINES) + 1, offset: 0 };
    let mut rows = search.page(&mut tx, institution, part).await?;
    let has_more = rows.len() > LINES as usize;
    rows.truncate(LINES as usize);
    let boxes = fleet::names(&mut tx, institution).await?;
    let lines = lines(&mut tx, institution, zone, &rows, &boxes).await?;
    let person = match filter.user {
        Some(id) => people::by_id(&mut tx, institution, UserId(id)).await?,
        None => None,
    };
    let page = LogPage {
        asked,
        person,
        is_first: beyond.after.is_none(),
        next: rows.last().map(|row| row.id).filter(|_| has_more),
        lines,
        total: search.count(&mut tx, institution, MOST_COUNTED + 1).await?,
        at_boxes: fleet::undelivered(&mut tx, institution).await?,
        retry: latest(&mut tx, institution, app.now()).await?,
        may_retry: visit.may(RetrySync::CODE),
        boxes,
        shell: visit.shell,
    };
    html(&page)
}

async fn lines(
    tx: &mut Tx,
    institution: InstitutionId,
    zone: Zone,
    rows: &[Row],
    boxes: &[(Uuid, String)],
) -> Result<Vec<Line>, Fail> {
    let names = boxes.iter().cloned().collect();
    let ids = rows.iter().filter_map(|row| row.user_id.map(UserId));
    let people = people::by_ids(tx, institution, ids).await?;
    Ok(rows.iter().map(|row| Line::new(row, &names, &people, zone)).collect())
}

/// The retry that runs, or has just run.
async fn latest(tx: &mut Tx, institution: InstitutionId, now: Millis) -> Result<Option<Bulk>, Fail> {
    let Some(id) = store::bulk::latest(tx, institution).await? else { return Ok(None) };
    let bulk = store::bulk::by_id(tx, institution, id).await?;
    Ok(bulk.filter(|bulk| bulk.finished_at.is_none_or(|at| now.since(Millis(at)) < SHOWN_AFTER_MS)))
}

impl LogPage {
    const fn lang(&self) -> Lang {
        self.shell.lang
    }

    /// What is asked for, as the body of a retry has it.
    fn filter(&self) -> String {
        let mut asked = serde_json::to_value(&self.asked).unwrap_or_default();
        if let Some(fields) = asked.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        asked.to_string()
    }

    fn total(&self) -> String {
        if self.total > MOST_COUNTED {
            let n = self.shell.n(&MOST_COUNTED);
            return format!("{} {n}", self.shell.t("lebih dari", "more than"));
        }
        self.shell.n(&self.total)
    }

    /// Whether the filter can find any that failed.
    fn finds_failed(&self) -> bool {
        let word = self.asked.status.as_deref();
        !matches!(word, Some("terkirim" | "success" | "discarded" | "pending"))
    }
}

/// How many of how many are through.
const fn progress(bulk: &Bulk) -> (i64, i64) {
    (bulk.succeeded + bulk.failed + bulk.skipped, bulk.total)
}

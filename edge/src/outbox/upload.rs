//! The loop: plan, send, believe only what is proven, back off, stop between two steps.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use hadir_shared::{
    chain::Hash,
    ids::{BatchId, LogId},
    sign::{SecretKey, Signature},
    time::{Anchor, Millis, Reading},
    wire::{
        PROTO,
        batch::{
            Batch, Health, MAX_BATCH_BYTES, MAX_RECORDS, MAX_WIRE_BYTES, RECEIPT_CONTENT_TYPE, Receipt,
            Refusal,
        },
        record::{ClockSample, What},
        speaks,
    },
};
use serde::Deserialize;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Line,
    plan::{Have, Ours, Said, Step, backoff_bound, herd_bound, plan},
    store,
};
use crate::{
    attendance::Gate,
    clock::Timekeeper,
    config::Config,
    ids::Ids,
    link::{Answer, Link},
    membership::Membership,
    roster::View,
    store::{NotSaved, Position, Store, Tx, log},
};

const BATCHES: &str = "/api/offline-sync/batches";
const QUARANTINE: &str = "/api/offline-sync/quarantine";
/// The same batch failing this often with the cloud well means that something in the batch makes it fail.
const STRIKES: u32 = 3;
/// A clock sample is recorded this often at most, in milliseconds …
const SAMPLE_EVERY_MS: i64 = 10 * 60 * 1000;
/// … unless the offset moved by more than this.
const SAMPLE_MOVED_MS: i64 = 500;
/// An exchange slower than this does not tell the time.
const ANCHOR_ROUND_TRIP_MS: i64 = 10_000;

/// What the outbox tells about itself.
#[derive(Debug, Clone)]
pub struct Told {
    pub line: Line,
    pub last_contact: Option<Millis>,
    pub last_error: Option<String>,
    pub alarm: Option<String>,
}

/// Shared with the rest of the box.
pub struct Shared {
    pub told: Mutex<Told>,
    /// Do it now: somebody pressed the button, or the cloud said there is something.
    pub upload: Notify,
    pub pull: Notify,
    pub heartbeat: Notify,
}

impl Shared {
    pub fn new(line: Line, last_contact: Option<Millis>) -> Self {
        Self {
            told: Mutex::new(Told { line, last_contact, last_error: None, alarm: None }),
            upload: Notify::new(),
            pull: Notify::new(),
            heartbeat: Notify::new(),
        }
    }

    pub fn told(&self) -> Told {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Everything an upload needs.
pub struct Uploader {
    pub config: Config,
    pub store: Store,
    pub time: Timekeeper,
    pub ids: Ids,
    pub gate: Arc<Gate>,
    pub view: Arc<RwLock<Arc<View>>>,
    pub membership: Membership,
    pub key: SecretKey,
    pub link: Link,
    pub shared: Arc<Shared>,
}

/// Where the loop stands; lost with the process, which costs nothing.
struct Course {
    /// Where to send from when it is not the watermark: the cloud asked for earlier records.
    rewound_to: Option<u64>,
    most: u64,
    failures: u32,
    /// Failures of this very batch (its first record and length) with the cloud well.
    strikes: (u64, u64, u32),
    /// A bad record is being looked for: batches are halved at the first failure and do not grow.
    bisecting: bool,
    heartbeat_due: bool,
    last_sample: Option<(Millis, i64)>,
}

/// What came of one exchange.
enum Came {
    Receipt(Box<Receipt>, Option<Anchor>),
    Refusal(Refusal),
    /// 401, 403.
    NotAllowed(u16),
    TooLarge,
    /// 429, 503: the cloud sheds; it is not about this batch.
    Busy(Option<Duration>),
    /// Another 5xx: perhaps about this batch.
    Failed(u16),
    /// Not the cloud, or not to be believed.
    Nonsense(String),
    Unreachable(String),
}

impl Came {
    /// For the measurements.
    const fn name(&self) -> &'static str {
        match self {
            Self::Receipt(..) => "receipt",
            Self::Refusal(_) => "refusal",
            Self::NotAllowed(_) => "not_allowed",
            Self::TooLarge => "too_large",
            Self::Busy(_) => "busy",
            Self::Failed(_) => "failed",
            Self::Nonsense(_) => "nonsense",
            Self::Unreachable(_) => "unreachable",
        }
    }
}

#[derive(Deserialize)]
struct Refused {
    refusal: Refusal,
}

impl Uploader {
    /// Runs until it is stopped. A request under way is dropped then, which costs nothing: what became of it is asked for
    /// again after the next start.
    pub async fn run(self, stop: CancellationToken) {
        let mut course = Course {
            rewound_to: None,
            most: MAX_RECORDS as u64,
            failures: 0,
            strikes: (0, 0, 0),
            bisecting: false,
            // At first contact the heads are compared, whether there is anything to send or not.
            heartbeat_due: true,
            last_sample: None,
        };
        let mut commits = self.store.watch();
        let mut pause = self.before_first_contact();
        loop {
            if !pause.is_zero() {
                let until = Instant::now() + pause;
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.shared.upload.notified() => {}
                    () = tokio::time::sleep_until(until) => {}
                }
            }
            commits.mark_unchanged();
            let next = plan(&self.have(&course), &Said::Nothing);
            if next == Step::Wait {
                pause = Duration::ZERO;
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = commits.changed() => if changed.is_err() { return },
                    () = self.shared.heartbeat.notified() => course.heartbeat_due = true,
                    () = self.shared.upload.notified() => course.heartbeat_due = true,
                }
                continue;
            }
            pause = tokio::select! {
                () = stop.cancelled() => return,
                pause = self.step(&mut course, next) => pause,
            };
        }
    }

    /// Drawn anew for every outage: the schools of a region come back at once.
    fn before_first_contact(&self) -> Duration {
        let Some(last) = self.shared.told().last_contact else { return Duration::ZERO };
        let outage = self.time.now().time.since(last);
        Duration::from_millis(self.ids.up_to(herd_bound(outage, self.config.retry_cap_ms)))
    }

    fn have(&self, course: &Course) -> Have {
        let position = self.store.position();
        Have {
            last: position.head.seq,
            next: course.rewound_to.unwrap_or(position.acked.seq + 1),
            most: course.most,
            heartbeat_due: course.heartbeat_due,
        }
    }

    /// Does one step and answers how long to wait before the next.
    async fn step(&self, course: &mut Course, step: Step) -> Duration {
        match self.exchange(course, step).await {
            Ok(pause) => pause,
            Err(why) => self.failed(course, &format!("the box's own disk: {why}"), None),
        }
    }

    async fn exchange(&self, course: &mut Course, step: Step) -> Result<Duration, NotSaved> {
        let position = self.store.position();
        let (first, count) = match step {
            Step::Send { first, last } => (first, last - first + 1),
            _ => (position.head.seq + 1, 0),
        };
        let Some((batch, body)) = self.batch(&position, first, count).await? else {
            // The log was left while this was prepared; look again.
            return Ok(Duration::ZERO);
        };
        let sent = batch.events.len() as u64;
        let one_is_bad = course.bisecting && sent == 1 && course.strikes == (first, 1, STRIKES);
        let target = if one_is_bad { QUARANTINE } else { BATCHES };
        let came = self.send(target, &position, &batch, body).await;
        metrics::counter!("hadir_edge_batches_total", "came" => came.name()).increment(1);
        metrics::counter!("hadir_edge_records_sent_total").increment(sent);
        match came {
            Came::Receipt(receipt, anchor) => {
                self.believed(course, &position, &receipt, anchor, one_is_bad).await
            }
            Came::Refusal(refusal) => self.refused(course, &position, refusal).await,
            Came::NotAllowed(status) => {
                let why = format!("the cloud refuses this box ({status}); everything is kept");
                self.shared.tell(|told| told.alarm = Some(why.clone()));
                Ok(self.failed(course, &why, Some(Duration::from_millis(self.config.retry_cap_ms))))
            }
            Came::TooLarge if sent > 1 => {
                course.most = (sent / 2).max(1);
                Ok(Duration::ZERO)
            }
            Came::TooLarge => {
                Self::suspect(course, first);
                Ok(self.failed(course, "one record is too large for the cloud", None))
            }
            Came::Busy(wait) => Ok(self.failed(course, "the cloud is busy", wait)),
            Came::Failed(status) => {
                let why = format!("the cloud failed ({status})");
                let pause = self.failed(course, &why, None);
                if sent > 0 && !one_is_bad && self.strike(course, first, sent).await {
                    return Ok(Duration::ZERO);
                }
                Ok(pause)
            }
            Came::Nonsense(why) | Came::Unreachable(why) => Ok(self.failed(course, &why, None)),
        }
    }

    /// A batch of records `first..`, signed, and its bytes on the wire; no more than fit.
    async fn batch(
        &self,
        position: &Position,
        first: u64,
        count: u64,
    ) -> Result<Option<(Batch, Vec<u8>)>, NotSaved> {
        let (number, log) = (position.number, position.log);
        let limit = usize::try_from(count).unwrap_or(MAX_RECORDS).min(MAX_RECORDS);
        let (prev_hash, mut kept, oldest) = self
            .store
            .read(move |conn| {
                Ok((
                    log::hash_at(conn, number, log, first - 1)?,
                    log::records(conn, number, first, limit)?,
                    store::oldest_pending(conn)?,
                ))
            })
            .await?;
        let Some(prev_hash) = prev_hash else { return Ok(None) };
        let mut bytes = 0;
        kept.retain(|record| {
            bytes += record.body.len();
            bytes <= MAX_BATCH_BYTES / 2
        });
        loop {
            let health = Health {
                version: env!("CARGO_PKG_VERSION").into(),
                pending: position.pending(),
                oldest_pending: oldest,
                disk_free_bytes: self.store.disk_free(),
                roster_cursor: self.view().cursor,
            };
            let mut batch = Batch {
                proto: PROTO,
                institution: self.membership.institution,
                device: self.membership.device,
                log,
                batch: BatchId(self.ids.uuid(self.time.now().time)),
                first_seq: first,
                prev_hash,
                events: kept.iter().map(|record| record.body.clone()).collect(),
                last_hash: kept.last().map_or(prev_hash, |record| record.hash),
                sig: Signature([0; 64]),
                acked_view: position.acked.seq,
                t1: self.time.reading(),
                health,
            };
            batch.sign(&self.key);
            let body = compress(&batch)?;
            if body.len() <= MAX_WIRE_BYTES || kept.len() <= 1 {
                return Ok(Some((batch, body)));
            }
            kept.truncate(kept.len() / 2);
        }
    }

    async fn send(&self, target: &str, position: &Position, batch: &Batch, body: Vec<u8>) -> Came {
        let answer = match self.link.post_zstd(target, body).await {
            Ok(answer) => answer,
            Err(error) => return Came::Unreachable(error.to_string()),
        };
        let t4 = self.time.reading();
        match answer.status {
            200 => self.receipt(position, batch, &answer, t4),
            401 | 403 => Came::NotAllowed(answer.status),
            409 | 426 => match answer.json::<Refused>() {
                Some(refused) => Came::Refusal(refused.refusal),
                None => Came::Nonsense(format!("status {} without a reason", answer.status)),
            },
            413 => Came::TooLarge,
            429 | 503 => Came::Busy(answer.retry_after),
            status @ 500..=599 => Came::Failed(status),
            status => Came::Nonsense(format!("not the cloud: status {status}")),
        }
    }

    /// What is not proven is not believed.
    fn receipt(&self, position: &Position, batch: &Batch, answer: &Answer, t4: Reading) -> Came {
        let nonsense = |why: &str| Came::Nonsense(format!("not the cloud: {why}"));
        if answer.content_type.split(';').next().map(str::trim) != Some(RECEIPT_CONTENT_TYPE) {
            return nonsense("status 200, but no receipt (a captive portal?)");
        }
        let Some(receipt) = answer.json::<Receipt>() else { return nonsense("the receipt cannot be read") };
        if !speaks(receipt.proto) || receipt.batch != batch.batch {
            return nonsense("the receipt is of another batch");
        }
        let signed = |key: &hadir_shared::sign::PublicKey| {
            receipt.verify(key, self.membership.device, position.log).is_ok()
        };
        if !self.view().cloud_keys(&self.membership).any(signed) {
            return nonsense("the receipt is not signed by this school's cloud");
        }
        let anchor = anchor_of(batch.t1, t4, &receipt);
        Came::Receipt(Box::new(receipt), anchor)
    }

    async fn believed(
        &self,
        course: &mut Course,
        position: &Position,
        receipt: &Receipt,
        anchor: Option<Anchor>,
        was_quarantine: bool,
    ) -> Result<Duration, NotSaved> {
        let ours = self.ours_at(position, receipt.durable_through, receipt.head_hash).await?;
        let said = Said::Holds { through: receipt.durable_through, ours };
        if plan(&self.have(course), &said) == Step::Fork {
            return self.fork(course).await;
        }
        if receipt.durable_through < position.acked.seq {
            tracing::warn!(
                held = position.acked.seq,
                told = receipt.durable_through,
                "the cloud went back in time: sending again"
            );
        }
        let number = position.number;
        let (kept, now) =
            (receipt.clone(), anchor.map_or_else(|| self.time.now().time, |anchor| anchor.time));
        self.store
            .write(move |tx: &mut Tx<'_>| {
                // A log that was left meanwhile has no watermark to move.
                if tx.position().number != number {
                    return Ok(());
                }
                store::keep(tx, &kept, anchor.as_ref(), now)
            })
            .await?;
        if let Some(anchor) = anchor {
            self.time.set_anchor(anchor);
            self.sample(course, anchor).await?;
        }
        if was_quarantine || !course.bisecting {
            course.bisecting = false;
            course.most = (course.most * 2).clamp(1, MAX_RECORDS as u64);
        }
        course.rewound_to = None;
        course.failures = 0;
        course.heartbeat_due = false;
        self.shared.tell(|told| {
            told.line = Line::Online;
            told.last_contact = Some(now);
            told.last_error = None;
            told.alarm = None;
        });
        let view = self.view();
        if receipt.down.latest != view.cursor {
            self.shared.pull.notify_one();
        }
        Ok(Duration::from_millis(receipt.retry_after_ms.min(self.config.retry_cap_ms)))
    }

    async fn refused(
        &self,
        course: &mut Course,
        position: &Position,
        refusal: Refusal,
    ) -> Result<Duration, NotSaved> {
        let said = match refusal {
            Refusal::Gap { expected } => Said::Gap { expected },
            Refusal::Fork { high, hash } => Said::Fork { ours: self.ours_at(position, high, hash).await? },
            Refusal::Upgrade { oldest, newest } => {
                let why = format!(
                    "this box speaks version {PROTO}, the cloud {oldest} to {newest}: it must be updated; everything is kept"
                );
                self.shared.tell(|told| told.alarm = Some(why.clone()));
                return Ok(self.failed(course, &why, Some(Duration::from_millis(self.config.retry_cap_ms))));
            }
            Refusal::Refetch { .. } => return Ok(self.failed(course, "a refusal of another question", None)),
        };
        match plan(&self.have(course), &said) {
            Step::Rewind { to } => {
                tracing::warn!(to, "the cloud misses records: sending again");
                course.rewound_to = Some(to);
                Ok(Duration::ZERO)
            }
            Step::Fork => self.fork(course).await,
            _ => Ok(self.failed(course, "a refusal that makes no sense", None)),
        }
    }

    async fn ours_at(&self, position: &Position, seq: u64, hash: Hash) -> Result<Ours, NotSaved> {
        let (number, log) = (position.number, position.log);
        let here = self.store.read(move |conn| log::hash_at(conn, number, log, seq)).await?;
        Ok(match here {
            Some(here) if here == hash => Ours::Same,
            Some(_) => Ours::Different,
            None => Ours::Beyond,
        })
    }

    /// A new log, and in it whatever the cloud has not proven to hold of the old one.
    async fn fork(&self, course: &mut Course) -> Result<Duration, NotSaved> {
        let (new, now) = (LogId(self.ids.random_uuid()), self.time.now().time);
        let carried = self.store.write(move |tx: &mut Tx<'_>| store::fork(tx, new, now)).await?;
        tracing::error!(carried, "the cloud knows another history of this log: going on in a new one");
        course.rewound_to = None;
        course.strikes = (0, 0, 0);
        course.bisecting = false;
        Ok(Duration::ZERO)
    }

    /// A sample corrects every record of the same boot, later.
    async fn sample(&self, course: &mut Course, anchor: Anchor) -> Result<(), NotSaved> {
        let reading = self.time.reading();
        let now = self.time.trust(reading).time;
        let offset_ms = now.since(reading.wall);
        let known = course.last_sample.is_some_and(|(at, offset)| {
            now.since(at) < SAMPLE_EVERY_MS && (offset - offset_ms).abs() <= SAMPLE_MOVED_MS
        });
        if !known {
            let sample = ClockSample { offset_ms, round_trip_ms: anchor.round_trip_ms };
            self.gate.note(self.time.stamp(reading), What::ClockSample(sample)).await?;
            course.last_sample = Some((now, offset_ms));
        }
        Ok(())
    }

    /// Counts a failure and answers how long to wait; at least `at_least`, when the cloud said so.
    fn failed(&self, course: &mut Course, why: &str, at_least: Option<Duration>) -> Duration {
        course.failures = course.failures.saturating_add(1);
        metrics::counter!("hadir_edge_retries_total").increment(1);
        let known = self.shared.told();
        if known.last_error.as_deref() != Some(why) {
            tracing::warn!(why, "nothing is acknowledged; trying again later");
        }
        self.shared.tell(|told| {
            told.line = Line::Offline;
            told.last_error = Some(why.to_owned());
        });
        let bound = backoff_bound(self.config.retry_base_ms, self.config.retry_cap_ms, course.failures);
        let jitter = Duration::from_millis(self.ids.up_to(bound));
        // A Retry-After of years is an attack or a mistake.
        let most = Duration::from_millis(self.config.retry_cap_ms.max(60_000));
        at_least.map_or(jitter, |wait| wait.min(most))
    }

    /// Three failures of one batch while the cloud is well, and it is halved; while a bad record is looked for,
    /// one failure is enough. `true` when there is something smaller to try at once.
    async fn strike(&self, course: &mut Course, first: u64, sent: u64) -> bool {
        let (of, length, count) = course.strikes;
        let count = if (of, length) == (first, sent) { count + 1 } else { 1 };
        course.strikes = (first, sent, count);
        if count < STRIKES && !(course.bisecting && sent > 1) {
            return false;
        }
        if !self.link.is_healthy().await {
            course.strikes = (first, sent, 0);
            return false;
        }
        if sent == 1 {
            Self::suspect(course, first);
        } else {
            course.bisecting = true;
            course.most = sent / 2;
        }
        true
    }

    /// The next exchange sends this one record aside, as it is.
    fn suspect(course: &mut Course, seq: u64) {
        tracing::error!(seq, "one record makes the cloud fail: it is sent to quarantine");
        course.bisecting = true;
        course.most = 1;
        course.strikes = (seq, 1, STRIKES);
    }

    fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn compress(batch: &Batch) -> Result<Vec<u8>, NotSaved> {
    let json = serde_json::to_vec(batch).map_err(|_| NotSaved::Rejected)?;
    zstd::encode_all(json.as_slice(), 3).map_err(|_| NotSaved::Rejected)
}

/// The cloud's time at `t4`, from the four moments of an exchange; `None` when it took too long to tell.
fn anchor_of(t1: Reading, t4: Reading, receipt: &Receipt) -> Option<Anchor> {
    if t1.boot != t4.boot {
        return None;
    }
    let at_the_cloud = receipt.t3.since(receipt.t2).max(0);
    let round_trip_ms = (t4.boottime_ms - t1.boottime_ms - at_the_cloud).max(0);
    let anchor = Anchor {
        boot: t4.boot,
        boottime_ms: t4.boottime_ms,
        time: receipt.t3.plus_millis(round_trip_ms / 2),
        round_trip_ms,
    };
    (round_trip_ms <= ANCHOR_ROUND_TRIP_MS).then_some(anchor)
}

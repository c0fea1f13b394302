//! One batch, one transaction: the fence, the log, the books, the head; and only then the receipt.

use hadir_shared::{
    chain::{Hash, Head},
    sign::{PublicKey, Signature},
    time::Millis,
    wire::{
        PROTO,
        batch::{Batch, Reason, Receipt, RecordVerdict, Verdict},
        record::KeyRotation,
    },
};

use super::{
    plan::{Decided, Line, Meeting, Reading, fork, meet, read},
    store::{self, Fence, Whose},
};
use crate::{
    app::App,
    attendance::{
        books::{self, Candidate},
        fleet::Refused,
        roster, undo,
    },
    db::Tx,
    fail::{Fail, NoSession},
};

/// A batch that is proven to be its box's, unbroken.
pub struct Proven {
    pub batch: Batch,
    /// Of every event, in order.
    pub hashes: Vec<Hash>,
    pub signed_by: PublicKey,
    /// Not to be looked into.
    pub is_opaque: bool,
    /// When it came.
    pub t2: Millis,
}

/// What was done with the new records of a batch.
#[derive(Default)]
struct Done {
    verdicts: Vec<RecordVerdict>,
    has_new_key: bool,
}

/// Takes a batch in. Whatever comes out is committed first, a refusal's trace of the box's health too.
pub async fn ingest(app: &App, proven: &Proven) -> Result<Receipt, Refused> {
    let batch = &proven.batch;
    let whose = Whose { institution: batch.institution, device: batch.device, log: batch.log };
    let now = app.now();
    let mut tx = app.db.write(whose.institution).await?;
    let offset = batch.t1.wall.since(proven.t2);
    let seen = store::seen(&mut tx, whose, batch, offset, &proven.signed_by, now).await?;
    let is_revoked = seen.ok_or(Fail::Unauthenticated(NoSession::Invalid))?;
    let fence = store::fence(&mut tx, whose, now).await?;
    let meeting = match stands(&mut tx, whose, proven, fence.head).await {
        Ok(meeting) => meeting,
        Err(refused @ Refused::Told(_)) => {
            tx.commit().await?;
            return Err(refused);
        }
        Err(failed) => return Err(failed),
    };
    let mut done =
        Done { verdicts: told_before(&mut tx, whose, batch, meeting.skip).await?, ..Done::default() };
    let is_shut_out = is_revoked || fence.is_closed;
    let head = append(&mut tx, app, whose, proven, &fence, &meeting, is_shut_out, &mut done).await?;
    let down = roster::down(&mut tx, whose.institution).await?;
    tx.commit().await?;
    if done.has_new_key {
        app.sync.forget(whose.device);
    }
    let mut receipt = Receipt {
        proto: PROTO,
        batch: batch.batch,
        durable_through: head.seq,
        head_hash: head.hash,
        prunable_through: fence.prunable_through,
        store: app.sync.store(),
        verdicts: done.verdicts,
        t2: proven.t2,
        t3: app.now(),
        down,
        retry_after_ms: 0,
        receipt_sig: Signature([0; 64]),
    };
    receipt.sign(app.sync.key(), whose.device, whose.log);
    Ok(receipt)
}

/// Where the batch continues what is held, or the refusal that says why it does not.
async fn stands(tx: &mut Tx, whose: Whose, proven: &Proven, head: Head) -> Result<Meeting, Refused> {
    let meeting = meet(&proven.batch, &proven.hashes, head).map_err(Refused::Told)?;
    if let Some(probe) = meeting.probe {
        let here = match probe.seq {
            0 => Some(Hash::genesis(whose.log).to_string()),
            seq => store::hash_at(tx, whose, seq).await?,
        };
        if here.as_deref() != Some(&probe.hash.to_string()) {
            return Err(Refused::Told(fork(head)));
        }
    }
    Ok(meeting)
}

/// The verdicts of a batch whose receipt was lost are told again.
async fn told_before(
    tx: &mut Tx,
    whose: Whose,
    batch: &Batch,
    held: usize,
) -> Result<Vec<RecordVerdict>, Fail> {
    if held == 0 {
        return Ok(Vec::new());
    }
    let last = batch.first_seq + held as u64 - 1;
    let rows = store::verdicts(tx, whose, batch.first_seq, last).await?;
    let told = rows.into_iter().filter_map(|(seq, verdict, reason)| {
        let verdict = Verdict::parse(&verdict)?;
        Some(RecordVerdict { seq: seq.cast_unsigned(), verdict, reason: reason.unwrap_or_default() })
    });
    Ok(told.collect())
}

/// Decides and writes down every record that is new, and moves the head. Answers where it stands. `is_shut_out`: the box is
/// revoked, or another log of it was chosen.
#[expect(clippy::too_many_arguments, reason = "the state of one transaction, in the order it came about")]
async fn append(
    tx: &mut Tx,
    app: &App,
    whose: Whose,
    proven: &Proven,
    fence: &Fence,
    meeting: &Meeting,
    is_shut_out: bool,
    done: &mut Done,
) -> Result<Head, Fail> {
    let now = app.now();
    let events = &proven.batch.events[meeting.skip..];
    if events.is_empty() {
        return Ok(fence.head);
    }
    let first = proven.batch.first_seq + meeting.skip as u64;
    let envelope = (first..).zip(events).zip(&proven.hashes[meeting.skip..]);
    let mut lines: Vec<Line<'_>> =
        envelope.map(|((seq, event), hash)| Line::new(seq, event, *hash, Decided::UNREADABLE)).collect();
    if !proven.is_opaque {
        done.has_new_key = decide(tx, app, whose, events, &mut lines, is_shut_out).await?;
    }
    if is_shut_out {
        for line in &mut lines {
            line.decided = Decided::REVOKED;
        }
    }
    store::append(tx, whose, &lines, now).await?;
    let to = Head { seq: first + lines.len() as u64 - 1, hash: proven.batch.last_hash };
    if store::move_head(tx, whose, fence.head.seq, to, now).await? != 1 {
        return Err(anyhow::anyhow!("the head of log {} moved under its fence", whose.log).into());
    }
    done.verdicts.extend(lines.iter().filter_map(told));
    count(&lines);
    Ok(to)
}

/// Reads every event and lets the books decide on the passages. Answers whether the box has a new key now.
///
/// An undo takes back what came before it and nothing after: the passages before it are entered first.
async fn decide(
    tx: &mut Tx,
    app: &App,
    whose: Whose,
    events: &[String],
    lines: &mut [Line<'_>],
    is_shut_out: bool,
) -> Result<bool, Fail> {
    let mut waiting = Waiting::default();
    let mut has_new_key = false;
    for (place, event) in events.iter().enumerate() {
        let line = &mut lines[place];
        match read(event, whose.device) {
            Reading::Unreadable => {}
            Reading::Plain(action, stamps, verdict, reason) => {
                line.describe(action, None, stamps);
                line.decided = Decided::new(verdict, reason);
            }
            Reading::Rotation(rotation, stamps) => {
                line.describe("key", None, stamps);
                let is_taken = !is_shut_out && rotate(tx, whose, &rotation).await?;
                has_new_key |= is_taken;
                line.decided = if is_taken {
                    Decided::new(Verdict::Stored, None)
                } else {
                    Decided::new(Verdict::Refused, Some(Reason::NotAllowed))
                };
            }
            Reading::Passage(candidate, stamps) => {
                line.describe("attendance", Some(candidate.user.0), stamps);
                waiting.candidates.push(*candidate);
                waiting.places.push(place);
            }
            Reading::Undo(undo, stamps) => {
                line.describe("void", Some(undo.void.user.0), stamps);
                if !is_shut_out {
                    waiting.enter(tx, app, whose, lines).await?;
                    lines[place].decided = undo::apply(tx, app, whose.institution, &undo).await?.into();
                }
            }
        }
    }
    if !is_shut_out {
        waiting.enter(tx, app, whose, lines).await?;
    }
    Ok(has_new_key)
}

/// Passages that were read and are not yet in the books.
#[derive(Default)]
struct Waiting {
    candidates: Vec<Candidate>,
    places: Vec<usize>,
}

impl Waiting {
    async fn enter(
        &mut self,
        tx: &mut Tx,
        app: &App,
        whose: Whose,
        lines: &mut [Line<'_>],
    ) -> Result<(), Fail> {
        let outcomes = books::project(tx, whose.institution, &self.candidates, app.now()).await?;
        for (place, outcome) in self.places.drain(..).zip(outcomes) {
            lines[place].decided = outcome.into();
        }
        self.candidates.clear();
        Ok(())
    }
}

async fn rotate(tx: &mut Tx, whose: Whose, rotation: &KeyRotation) -> Result<bool, Fail> {
    Ok(rotation.verify(whose.device).is_ok() && store::rotate(tx, whose, &rotation.new).await? == 1)
}

fn told(line: &Line<'_>) -> Option<RecordVerdict> {
    let Decided { verdict, reason, .. } = line.decided;
    let reason = reason.map(Reason::as_str).unwrap_or_default().to_owned();
    (verdict != Verdict::Stored).then_some(RecordVerdict { seq: line.seq, verdict, reason })
}

fn count(lines: &[Line<'_>]) {
    for verdict in
        [Verdict::Stored, Verdict::Duplicate, Verdict::Conflict, Verdict::Refused, Verdict::Quarantined]
    {
        let of_it = lines.iter().filter(|line| line.decided.verdict == verdict).count() as u64;
        if of_it > 0 {
            metrics::counter!("sync_records_total", "verdict" => verdict.as_str()).increment(of_it);
        }
    }
}

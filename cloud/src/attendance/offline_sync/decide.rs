//! One failed record, decided anew by somebody: tried again, given to a person, accepted as it is, or let out of quarantine.
//!
//! What always holds:
//! - it is decided while it is failed, and by one at a time: the row is claimed first;
//! - the record's bytes stay; what is decided is a row of `sync_decisions`, which stays as well;
//! - the books are asked as always. Which refusals may be overruled is [`Way::of`], and nothing else overrules any;
//! - what somebody was not allowed to record, and what a revoked box sent, does not come in by trying again.

use hadir_shared::{
    ids::{DeviceId, InstitutionId, UserId},
    rules::status::{Direction, decide},
    settings::Settings,
    time::{Grade, Millis},
    wire::{
        batch::{Reason, Verdict},
        record::{Method, Record, Scan, Stamp, UnknownCard, What},
    },
};
use serde_json::json;

use super::{
    process,
    shown::{self, CORRECTED, FAILED},
    store::{self, list::Row},
    unknown,
};
use crate::{
    app::App,
    attendance::{
        books::{self, Candidate, Undo},
        cards, classes,
        corrections::{self, Decided},
        people, records, settings, undo,
    },
    db::Tx,
    fail::{Fail, Flaw},
    http::Member,
    identity::{Actor, Entry, audit},
};

/// Who decides, for which school.
#[derive(Debug, Clone, Copy)]
pub struct Hand {
    pub institution: InstitutionId,
    pub user: UserId,
}

impl From<&Member> for Hand {
    fn from(who: &Member) -> Self {
        Self { institution: who.institution, user: who.user }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// With the people, cards and settings of now.
    Retry,
    /// It is this person's.
    Map(UserId),
    /// Although a rule refuses it. The moment is when it was, where the record cannot know.
    Accept(Option<Millis>),
    /// Out of quarantine.
    Reprocess,
}

impl How {
    const fn action(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Map(_) => "map",
            Self::Accept(_) => "accept",
            Self::Reprocess => "reprocess",
        }
    }

    const fn audited(self) -> &'static str {
        match self {
            Self::Retry => "sync.retry",
            Self::Map(_) => "sync.map",
            Self::Accept(_) => "sync.accept",
            Self::Reprocess => "sync.reprocess",
        }
    }

    /// The contract's `qr_token_used` of what comes of it.
    const fn token(self) -> &'static str {
        match self {
            Self::Retry | Self::Reprocess => "OFFLINE_RETRY",
            Self::Map(_) => "OFFLINE_MAP",
            Self::Accept(_) => "OFFLINE_ACCEPT",
        }
    }
}

/// What people said about a record before, and say now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said {
    pub user: Option<UserId>,
    pub at: Option<Millis>,
}

/// What a record is now.
#[derive(Debug, Default)]
pub struct Outcome {
    pub verdict: &'static str,
    pub reason: Option<Reason>,
    pub attendance: Option<i64>,
    /// What is known of the record now, where it may not have been.
    pub user: Option<UserId>,
    pub action: Option<&'static str>,
    pub at: Option<Stamp>,
    /// Status and late minutes, where a correction says so.
    pub counts: Option<(&'static str, i64)>,
}

impl Outcome {
    pub fn is_success(&self) -> bool {
        shown::status(self.verdict) != FAILED
    }

    fn new(verdict: &'static str, reason: Option<Reason>) -> Self {
        Self { verdict, reason, ..Self::default() }
    }

    fn refused(reason: Reason) -> Self {
        let verdict = match reason {
            Reason::BadSchema | Reason::RevokedDevice => Verdict::Quarantined,
            _ => Verdict::Refused,
        };
        Self::new(verdict.as_str(), Some(reason))
    }

    fn of(outcome: Option<books::Outcome>) -> Self {
        let (verdict, reason, attendance) = process::of(outcome);
        Self { attendance, ..Self::new(verdict.as_str(), reason) }
    }
}

/// A row of `sync_decisions` to be.
#[derive(Debug)]
pub struct Decision<'d> {
    pub by: UserId,
    pub action: &'static str,
    pub words: Option<&'d str>,
    pub user: Option<UserId>,
    pub at: Option<Millis>,
    pub before: &'d str,
    pub after: &'d str,
    pub error: Option<&'static str>,
}

/// Writes the decision and its audit row.
pub async fn keep(
    tx: &mut Tx,
    app: &App,
    hand: Hand,
    audited: &'static str,
    id: i64,
    decision: &Decision<'_>,
) -> Result<(), Fail> {
    store::decisions::insert(tx, hand.institution, id, decision, app.now()).await?;
    let mut after = json!({"verdict": decision.after});
    let told = [
        ("reason", decision.words.map(Into::into)),
        ("user_id", decision.user.map(|user| user.0.into())),
        ("trusted_at", decision.at.map(|at| at.0.into())),
    ];
    for (name, value) in told {
        if let Some(value) = value {
            after[name] = value;
        }
    }
    let entry = Entry::new(Actor::User(hand.user), audited, format!("sync_record:{id}")).of(hand.institution);
    audit(tx, app, &entry.before(json!({"verdict": decision.before})).after(after)).await
}

/// Decides one failed record within a transaction. `None`: there is no record of that id that is failed. What the record
/// failed with once more is an outcome like others; a [`Fail`] means that nothing may be committed.
pub async fn again(
    tx: &mut Tx,
    app: &App,
    hand: Hand,
    id: i64,
    how: How,
    words: Option<&str>,
) -> Result<Option<Outcome>, Fail> {
    let now = app.now();
    // Whoever decides the same record meanwhile waits here, and then finds it decided.
    let Some(row) = store::decisions::claim_failed(tx, hand.institution, id, now).await? else {
        return Ok(None);
    };
    let settings = settings::load(tx, hand.institution).await?;
    let mut said = store::decisions::said(tx, hand.institution, id).await?;
    if let How::Map(user) = how {
        may_be_mapped(tx, hand, &row, said, user).await?;
        said.user = Some(user);
    }
    let way = match how {
        How::Accept(at) => Some(Way::of(&row, at, now)?),
        _ => None,
    };
    if let How::Accept(at) = how {
        said.at = at.or(said.at);
    }
    let reading = read(tx, app, hand.institution, &row, said).await?;
    let mut outcome = settle(tx, app, hand, &row, how, way, reading, &settings, words).await?;
    outcome.user = outcome.user.or(said.user);
    store::decisions::decide(tx, hand.institution, id, &outcome, now).await?;
    let decision = Decision {
        by: hand.user,
        action: how.action(),
        words,
        user: if let How::Map(user) = how { Some(user) } else { None },
        at: if let How::Accept(at) = how { at } else { None },
        before: &row.verdict,
        after: outcome.verdict,
        error: outcome.reason.filter(|_| !outcome.is_success()).map(Reason::message),
    };
    keep(tx, app, hand, how.audited(), id, &decision).await?;
    Ok(Some(outcome))
}

/// Only what names nobody known is given to somebody, or what was given to somebody before.
async fn may_be_mapped(tx: &mut Tx, hand: Hand, row: &Row, said: Said, user: UserId) -> Result<(), Fail> {
    let person = people::by_id(tx, hand.institution, user).await?;
    person.ok_or_else(|| Fail::not_found("User tidak ditemukan"))?;
    let reason = row.reason.as_deref().and_then(Reason::parse);
    if said.user.is_some() || matches!(reason, Some(Reason::UnknownPerson | Reason::UnknownCard)) {
        return Ok(());
    }
    Err(Fail::conflict("Hanya log dengan kartu atau orang yang tidak dikenal yang dapat dipetakan"))
}

/// In which way a refusal is overruled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The books have nothing against it; a rule before them had.
    AsItIs,
    /// The person was active then.
    OfInactive,
    /// What stands gets a correction.
    Correct,
}

impl Way {
    /// Which refusals can be overruled, and what is to be done about the others instead.
    fn of(row: &Row, at: Option<Millis>, now: Millis) -> Result<Self, Fail> {
        let reason = row.reason.as_deref().and_then(Reason::parse);
        let way = match reason {
            Some(Reason::OutsideArea | Reason::NotAllowed | Reason::RevokedDevice) => Self::AsItIs,
            Some(Reason::InactivePerson) => Self::OfInactive,
            Some(Reason::Contradicts) => Self::Correct,
            Some(Reason::ImpossibleTime) => {
                let at = at.ok_or_else(|| Fail::invalid("timestamp", Flaw::Missing))?;
                if at > now {
                    let flaw = Flaw::Said("timestamp tidak boleh di masa depan".into());
                    return Err(Fail::invalid("timestamp", flaw));
                }
                return Ok(Self::AsItIs);
            }
            Some(Reason::UnknownPerson | Reason::UnknownCard) => {
                return Err(Fail::conflict("Petakan log ini ke seorang pengguna terlebih dahulu"));
            }
            Some(Reason::RoleNotAllowed) => {
                return Err(Fail::conflict("Perbaiki peran pengguna ini, lalu coba ulang"));
            }
            Some(Reason::UnknownClass | Reason::AlreadyRecorded) => {
                return Err(Fail::conflict("Log ini cukup dicoba ulang"));
            }
            Some(Reason::TakenBack | Reason::DecidedSince) => {
                return Err(Fail::conflict("Koreksi absensi siswa ini, lalu abaikan log ini"));
            }
            Some(Reason::BadSchema) | None => {
                return Err(Fail::conflict("Data yang tidak dapat dibaca hanya dapat diabaikan"));
            }
        };
        if at.is_some() {
            let flaw = Flaw::Said("timestamp hanya untuk log dengan waktu yang tidak masuk akal".into());
            return Err(Fail::invalid("timestamp", flaw));
        }
        Ok(way)
    }
}

/// What a record turns out to be now.
enum Reading {
    Passage(Box<Candidate>, Box<Scan>, Stamp),
    /// A card nobody knows yet.
    NobodyKnown(Stamp),
    /// A box's own affair: starts, clocks.
    Plain(&'static str, Stamp),
    /// Taken in order, or not at all.
    Key(Stamp),
    /// A scan that its gate took back.
    Undo(Box<Undo>),
    Unreadable,
}

async fn read(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    row: &Row,
    said: Said,
) -> Result<Reading, Fail> {
    // Where `raw` has the bytes, `body` is not what was signed.
    let text = row.raw.is_none().then_some(&row.body);
    let Some(record) = text.and_then(|text| serde_json::from_str::<Record>(text).ok()) else {
        return Ok(Reading::Unreadable);
    };
    let action = record.what.action_type();
    let mut at = record.at;
    if let Some(moment) = said.at {
        at = Stamp { trusted: moment, grade: Grade::Estimated, ..at };
    }
    let scan = match record.what {
        What::Scan(scan) if said.user.is_some() || said.at.is_some() => {
            let user = said.user.unwrap_or(scan.user);
            whose(tx, institution, *scan, user, at).await?
        }
        What::Scan(scan) => *scan,
        What::UnknownCard(card) => match known_by_now(tx, app, institution, &card, said, at).await? {
            Some(scan) => scan,
            None => return Ok(Reading::NobodyKnown(at)),
        },
        What::KeyRotation(_) => return Ok(Reading::Key(at)),
        What::Void(void) => {
            let undo = Undo { event: record.event, device: DeviceId(row.device_id), at, void };
            let is_writable = undo.is_writable();
            return Ok(if is_writable { Reading::Undo(Box::new(undo)) } else { Reading::Unreadable });
        }
        What::Boot(_) | What::ClockSample(_) | What::ClockStep(_) => return Ok(Reading::Plain(action, at)),
    };
    let device = DeviceId(row.device_id);
    let candidate = if scan.method == Method::Offline {
        process::candidate(record.event, at, scan.clone(), device)
    } else {
        Candidate::scanned(record.event, at, scan.clone(), device)
    };
    if !candidate.is_writable() {
        return Ok(Reading::Unreadable);
    }
    Ok(Reading::Passage(Box::new(candidate), Box::new(scan), at))
}

/// The scan as that of another person or day, which may have another class.
async fn whose(
    tx: &mut Tx,
    institution: InstitutionId,
    scan: Scan,
    user: UserId,
    at: Stamp,
) -> Result<Scan, Fail> {
    let day = scan.schedule.zone.day(at.trusted);
    Ok(Scan { user, class: classes::of_student(tx, institution, user, day).await?, ..scan })
}

/// The scan it would have been, had the card been known.
async fn known_by_now(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    card: &UnknownCard,
    said: Said,
    at: Stamp,
) -> Result<Option<Scan>, Fail> {
    let resolved = cards::resolve(tx, app, institution, &card.code).await?;
    let (student, serial) = match (said.user, resolved) {
        (Some(user), _) => (user, String::new()),
        (None, Ok((student, serial))) => (student, serial.to_string()),
        (None, Err(_)) => return Ok(None),
    };
    let day = card.schedule.zone.day(at.trusted);
    Ok(Some(Scan {
        user: student,
        direction: card.direction,
        day,
        method: Method::Card,
        token: serial,
        gate: card.gate.clone(),
        operator: card.operator,
        class: classes::of_student(tx, institution, student, day).await?,
        position: None,
        fence: None,
        schedule: card.schedule,
    }))
}

#[expect(clippy::too_many_arguments, reason = "the state of one transaction, in the order it came about")]
async fn settle(
    tx: &mut Tx,
    app: &App,
    hand: Hand,
    row: &Row,
    how: How,
    way: Option<Way>,
    reading: Reading,
    settings: &Settings,
    words: Option<&str>,
) -> Result<Outcome, Fail> {
    let now = app.now();
    let reason = row.reason.as_deref().and_then(Reason::parse);
    let (candidate, scan, at) = match reading {
        Reading::Passage(candidate, scan, at) => (*candidate, *scan, at),
        Reading::NobodyKnown(at) => {
            return Ok(Outcome {
                at: Some(at),
                action: Some("unknown_card"),
                ..Outcome::refused(Reason::UnknownCard)
            });
        }
        Reading::Unreadable => return Ok(Outcome::refused(Reason::BadSchema)),
        Reading::Plain(..) | Reading::Key(_) | Reading::Undo(_) if how != How::Reprocess => {
            return Err(Fail::bad_request("Tipe action tidak didukung untuk diulang"));
        }
        Reading::Plain(action, at) => {
            let stored = Outcome::new(Verdict::Stored.as_str(), None);
            return Ok(Outcome { at: Some(at), action: Some(action), ..stored });
        }
        Reading::Undo(undone) => {
            let outcome = Outcome::of(Some(undo::apply(tx, app, hand.institution, &undone).await?));
            let user = Some(undone.void.user);
            return Ok(Outcome { at: Some(undone.at), user, action: Some("void"), ..outcome });
        }
        Reading::Key(at) => {
            return Ok(Outcome { at: Some(at), action: Some("key"), ..Outcome::refused(Reason::NotAllowed) });
        }
    };
    let user = candidate.user;
    let refusal = match (how, reason) {
        (How::Accept(_), _) | (How::Reprocess, Some(Reason::RevokedDevice)) => None,
        // Somebody has to answer for these.
        (_, Some(stays @ (Reason::NotAllowed | Reason::RevokedDevice))) => Some(stays),
        _ if scan.method == Method::Offline => {
            // What a client claims, or the moment that somebody gave instead.
            process::refusal(&scan, Stamp { claimed: at.trusted, ..at }, settings, now)
        }
        _ => None,
    };
    let known = |outcome: Outcome| Outcome {
        at: Some(at),
        user: Some(user),
        action: (row.action_type == "unknown").then_some("attendance"),
        ..outcome
    };
    if let Some(reason) = refusal {
        return Ok(known(Outcome::refused(reason)));
    }
    let candidate = Candidate { token: how.token().into(), ..candidate };
    let outcome = match way {
        Some(Way::Correct) => correct(tx, hand, &candidate, words, now).await?,
        Some(Way::OfInactive) => {
            Outcome::of(books::project_of_inactive(tx, hand.institution, candidate, now).await?)
        }
        Some(Way::AsItIs) | None => {
            Outcome::of(books::project(tx, hand.institution, &[candidate], now).await?.pop())
        }
    };
    Ok(known(outcome))
}

/// Lets a check-in that contradicts the books count: they keep what they have, with a correction beside it.
async fn correct(
    tx: &mut Tx,
    hand: Hand,
    candidate: &Candidate,
    words: Option<&str>,
    now: Millis,
) -> Result<Outcome, Fail> {
    if candidate.direction == Direction::CheckOut {
        // When somebody left first stands; how he came does not depend on it.
        return Err(Fail::conflict("Absen pulang yang berbeda tidak dapat diterima, hanya diabaikan"));
    }
    let day = candidate.schedule.zone.day(candidate.trusted);
    let stands = corrections::hold_check_in(tx, hand.institution, candidate.user, day).await?;
    let Some(stands) = stands else {
        return Err(Fail::conflict("Log ini cukup dicoba ulang"));
    };
    let is = decide(&candidate.schedule, candidate.direction, candidate.trusted, None);
    if stands.status == is.status.as_str() && stands.late_minutes == is.late_minutes {
        // It was corrected to the same meanwhile.
        let duplicate = Outcome::new(Verdict::Duplicate.as_str(), Some(Reason::AlreadyRecorded));
        return Ok(Outcome { attendance: Some(stands.id), ..duplicate });
    }
    let decided = Decided {
        status: is.status,
        late_minutes: is.late_minutes,
        reason: words.unwrap_or_default(),
        by: hand.user,
    };
    corrections::enter(tx, hand.institution, &stands, &decided, now).await?;
    let counts = Some((is.status.as_str(), is.late_minutes));
    Ok(Outcome { attendance: Some(stands.id), counts, ..Outcome::new(CORRECTED, None) })
}

/// Decides one record for somebody who waits for the answer: the row of the books it led to. `failed` is said before the
/// reason it fails with once more, which stays in the log.
pub async fn one(
    app: &App,
    hand: Hand,
    id: i64,
    how: How,
    words: Option<&str>,
    (not_failed, failed): (&'static str, &'static str),
) -> Result<records::Offline, Fail> {
    let mut tx = app.db.write(hand.institution).await?;
    let Some(outcome) = again(&mut tx, app, hand, id, how, words).await? else {
        let known = store::list::by_id(&mut tx, hand.institution, id).await?;
        return Err(known.map_or_else(unknown, |_| Fail::bad_request(not_failed)));
    };
    let mut stands = match outcome.attendance {
        Some(id) => Some(records::by_id(&mut tx, hand.institution, id).await?),
        None => None,
    };
    if let (Some(row), Some((status, late_minutes))) = (&mut stands, outcome.counts) {
        status.clone_into(&mut row.status);
        row.late_minutes = late_minutes;
    }
    let zone = settings::load(&mut tx, hand.institution).await?.schedule.zone;
    tx.commit().await?;
    stands.map(|row| records::Offline::new(row, zone)).ok_or_else(|| {
        let why = outcome.reason.map_or("", Reason::message);
        Fail::bad_request(format!("{failed}: {why}"))
    })
}

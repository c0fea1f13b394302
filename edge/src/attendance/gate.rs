//! The scan service: from a code to a record on disk.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use hadir_shared::{
    card,
    ids::{ClassId, EventId, UserId},
    qr,
    rules::{
        fence::{self, Position, Verdict},
        status::{Direction, direction_by_hours},
        undo::{self, may_undo},
    },
    time::{Millis, Reading, SchoolDay},
    wire::{
        record::{Boot, ClockStep, Method, RECORD_VERSION, Record, Scan, Stamp, UnknownCard, Void, What},
        roster::{Person, Role},
    },
};
use uuid::Uuid;

use super::{
    AttendanceRow, Bulk, BulkRequest, Code, DayCounts, PassRequest, Refused, ScanRequest, Scanned,
    StudentStatus, UndoRequest,
    store::{self, At},
};
use crate::{
    clock::Timekeeper,
    ids::Ids,
    roster::View,
    store::{NotSaved, Store, Tx, remove_meta, set_meta},
};

/// An unknown code is recorded again after this long, in milliseconds.
const UNKNOWN_AGAIN_MS: i64 = 10 * 60 * 1000;
/// Unknown codes remembered at once.
const UNKNOWN_REMEMBERED: usize = 1_000;
/// Characters kept of a gate's name.
const GATE_MAX: usize = 100;
/// Characters kept of an unknown code.
const CODE_MAX: usize = 128;
/// Characters kept of why a scan was taken back.
const REASON_MAX: usize = 100;

/// In `meta` while the box is off and ended in order.
const CLEAN: &str = "clean";

/// What decides who passes.
pub struct Gate {
    store: Store,
    time: Timekeeper,
    ids: Ids,
    unknown: Mutex<HashMap<String, Millis>>,
}

/// A scan, ready to be written.
#[derive(Clone)]
struct Passage {
    event: EventId,
    stamp: Stamp,
    scan: Scan,
    body: String,
}

impl Gate {
    pub fn new(store: Store, time: Timekeeper, ids: Ids) -> Self {
        Self { store, time, ids, unknown: Mutex::new(HashMap::new()) }
    }

    /// A student at the gate.
    pub async fn scan(&self, view: &View, request: ScanRequest) -> Result<Scanned, Refused> {
        let reading = self.time.reading();
        self.notice_step(reading).await?;
        let stamp = self.time.stamp(reading);
        let direction = request
            .direction
            .unwrap_or_else(|| direction_by_hours(&view.schedule().at(stamp.trusted), stamp.trusted));
        if request.class.is_some_and(|class| view.class(class).is_none()) {
            return Err(Refused::UnknownClass);
        }
        let (person, method, token) = match resolve(view, &request.code) {
            Ok(found) => found,
            Err(Unresolved::Refused(why)) => return Err(why),
            Err(Unresolved::Unknown(code)) => {
                self.record_unknown(view, stamp, &code, direction, &request).await?;
                return Err(Refused::UnknownCode);
            }
        };
        if person.role != Role::Siswa {
            return Err(Refused::NotAStudent);
        }
        if !person.active {
            return Err(Refused::Inactive);
        }
        if request.class.is_some() && request.class != person.class {
            return Err(Refused::NotInClass { person: Box::new(person) });
        }
        let verdict = judge(view, request.position)?;
        let scan = Scan {
            user: person.id,
            direction,
            day: view.day(stamp.trusted),
            method,
            token,
            gate: cut(&request.gate, GATE_MAX),
            operator: request.operator,
            class: person.class,
            position: request.position,
            fence: verdict,
            schedule: view.schedule().at(stamp.trusted),
        };
        self.save(stamp, scan, person, false).await
    }

    /// A scan is taken back. Asked again, the same is answered, and nothing is recorded.
    pub async fn undo(&self, view: &View, request: UndoRequest) -> Result<AttendanceRow, Refused> {
        let reading = self.time.reading();
        self.notice_step(reading).await?;
        let stamp = self.time.stamp(reading);
        let (day, event) = (view.day(stamp.trusted), self.event(stamp));
        let students = |user: UserId| view.person(user).is_none_or(|person| person.role == Role::Siswa);
        let found = self.store.read(move |conn| store::by_event(conn, day, request.event)).await?;
        let is_of_a_student = found.as_ref().is_none_or(|row| students(row.user));
        let work = move |tx: &mut Tx<'_>| {
            let Some(row) = store::by_event(tx, day, request.event)? else {
                return store::voided_by_event(tx, day, request.event)?.ok_or(Refused::NoSuchScan);
            };
            let checked_out = store::find(tx, row.user, day, Direction::CheckOut)?.is_some();
            let scan =
                undo::Scanned { direction: row.direction, at: row.trusted, is_of_a_student, checked_out };
            may_undo(&scan, stamp.trusted)?;
            let void = Void {
                scan: row.event,
                user: row.user,
                day: row.day,
                direction: row.direction,
                reason: cut(&request.reason, REASON_MAX),
                gate: cut(&request.gate, GATE_MAX),
                operator: request.operator,
            };
            if store::void(tx, &void)? {
                let what = What::Void(void);
                tx.append(what.action_type(), &text(event, stamp, what.clone())?)?;
            }
            Ok(row)
        };
        self.store.write(work).await
    }

    /// A member of staff, with the rotating QR.
    pub async fn pass(&self, view: &View, request: PassRequest) -> Result<Scanned, Refused> {
        self.notice_step(request.received).await?;
        let stamp = self.time.stamp(request.received);
        let person = view.person(request.user).filter(|p| p.active).ok_or(Refused::Inactive)?;
        if !person.role.checks_in_alone() {
            return Err(Refused::RoleNotAllowed);
        }
        let key = view.keys.qr.as_ref().ok_or(Refused::StaleToken)?;
        let interval = view.settings.qr_interval;
        let token = qr::accept(key, view.institution_id(), interval, stamp.trusted, &request.token)
            .map_err(|_| Refused::StaleToken)?;
        let verdict = judge(view, request.position)?;
        let scan = Scan {
            user: person.id,
            direction: request.direction,
            day: view.day(stamp.trusted),
            method: Method::Rotating,
            token,
            gate: cut(&request.gate, GATE_MAX),
            operator: None,
            class: None,
            position: request.position,
            fence: verdict,
            schedule: view.schedule().at(stamp.trusted),
        };
        self.save(stamp, scan, person.clone(), true).await
    }

    /// A whole class, as present at the end of the check-in.
    pub async fn bulk(&self, view: &View, request: BulkRequest) -> Result<Bulk, Refused> {
        let reading = self.time.reading();
        let now = self.time.stamp(reading);
        let today = view.day(now.trusted);
        let day = request.day.unwrap_or(today);
        if day > today {
            return Err(Refused::FutureDay);
        }
        view.class(request.class).ok_or(Refused::UnknownClass)?;
        let people: Vec<Person> = view.students_of(request.class).cloned().collect();
        if people.is_empty() {
            return Err(Refused::NoStudents);
        }
        // What is decided is decided as of the end of the check-in, whenever the teacher gets to it.
        let schedule = view.schedule().on(day);
        let stamp = Stamp { trusted: schedule.zone.instant(day, schedule.checkin_end), ..now };
        let scan = |person: &Person| Scan {
            user: person.id,
            direction: Direction::CheckIn,
            day,
            method: Method::Bulk,
            token: format!("BULK:{}", request.operator),
            gate: cut(&request.gate, GATE_MAX),
            operator: Some(request.operator),
            class: Some(request.class),
            position: None,
            fence: None,
            schedule,
        };
        let passages: Vec<Passage> =
            people.iter().map(|p| self.passage(stamp, scan(p))).collect::<Result<_, _>>()?;
        let before = self.class_status(view, request.class, day).await?;
        let work = move |tx: &mut Tx<'_>| {
            let mut new = 0;
            for passage in &passages {
                new += u64::from(write(tx, passage)?);
            }
            Ok::<_, Refused>(new)
        };
        let newly_attended = self.store.write(work).await?;
        let already_attended = people.len() as u64 - newly_attended;
        Ok(Bulk { class: request.class, day, students: before, already_attended, newly_attended })
    }

    pub async fn class_status(
        &self,
        view: &View,
        class: ClassId,
        day: SchoolDay,
    ) -> Result<Vec<StudentStatus>, Refused> {
        view.class(class).ok_or(Refused::UnknownClass)?;
        let rows = self.store.read(move |conn| store::of_day(conn, day)).await?;
        let mut of: HashMap<(UserId, Direction), AttendanceRow> =
            rows.into_iter().map(|row| ((row.user, row.direction), row)).collect();
        let status = |person: &Person| {
            let check_in = of.remove(&(person.id, Direction::CheckIn));
            let check_out = of.remove(&(person.id, Direction::CheckOut));
            StudentStatus { person: person.clone(), attended: check_in.is_some(), check_in, check_out }
        };
        Ok(view.students_of(class).map(status).collect())
    }

    pub async fn counts(&self, view: &View, day: SchoolDay) -> Result<DayCounts, Refused> {
        let rows = self.store.read(move |conn| store::of_day(conn, day)).await?;
        let is_student = |user: UserId| view.person(user).is_none_or(|p| p.role == Role::Siswa);
        let mut counts =
            DayCounts { day, checked_in: 0, checked_out: 0, late: 0, expected: view.expected_on(day) };
        for row in rows.iter().filter(|row| is_student(row.user)) {
            match row.direction {
                Direction::CheckIn => counts.checked_in += 1,
                Direction::CheckOut => counts.checked_out += 1,
            }
            counts.late += u64::from(row.decision.late_minutes > 0);
        }
        Ok(counts)
    }

    /// Appends a record that is nobody's passage.
    pub async fn note(&self, stamp: Stamp, what: What) -> Result<u64, NotSaved> {
        let kind = what.action_type();
        let body = text(self.event(stamp), stamp, what)?;
        self.store.write(move |tx| tx.append(kind, &body)).await
    }

    /// The first record of every start, so that two branches of one history differ at once. It takes the mark
    /// of a clean end away, in the same transaction.
    pub async fn boot(&self) -> Result<(), NotSaved> {
        let stamp = self.time.stamp(self.time.reading());
        let event = self.event(stamp);
        self.store
            .write(move |tx: &mut Tx<'_>| {
                let previous_clean = remove_meta(tx, CLEAN)?;
                let what = What::Boot(Boot { version: env!("CARGO_PKG_VERSION").into(), previous_clean });
                tx.append(what.action_type(), &text(event, stamp, what.clone())?).map(drop)
            })
            .await
    }

    /// The last thing before the store is closed.
    pub async fn end_clean(&self) -> Result<(), NotSaved> {
        self.store.write(|tx: &mut Tx<'_>| Ok(set_meta(tx, CLEAN, b"")?)).await
    }

    /// A set clock is a record of its own, before whatever happens under it.
    pub async fn notice_step(&self, reading: Reading) -> Result<(), NotSaved> {
        let Some(by_ms) = self.time.new_step(reading) else { return Ok(()) };
        tracing::warn!(by_ms, "somebody set the clock of this machine");
        self.note(self.time.stamp(reading), What::ClockStep(ClockStep { by_ms })).await.map(drop)
    }

    async fn save(
        &self,
        stamp: Stamp,
        scan: Scan,
        person: Person,
        needs_check_in: bool,
    ) -> Result<Scanned, Refused> {
        let (user, day, direction) = (scan.user, scan.day, scan.direction);
        let passage = self.passage(stamp, scan)?;
        let who = person.clone();
        let work = move |tx: &mut Tx<'_>| {
            let needs = needs_check_in && direction == Direction::CheckOut;
            if needs && store::find(tx, user, day, Direction::CheckIn)?.is_none() {
                return Err(Refused::NotCheckedIn);
            }
            let written = write(tx, &passage)?;
            let row = store::find(tx, user, day, direction)?.ok_or(NotSaved::Rejected)?;
            // The same event is this very request, run again after the disk failed under its commit.
            if written || row.event == passage.event {
                Ok((row, tx.position().pending()))
            } else {
                Err(Refused::AlreadyRecorded { person: Box::new(who.clone()), earlier: Box::new(row) })
            }
        };
        let (row, pending) = self.store.write(work).await?;
        Ok(Scanned { row, person, pending })
    }

    fn passage(&self, stamp: Stamp, scan: Scan) -> Result<Passage, NotSaved> {
        let event = self.event(stamp);
        let what = What::Scan(Box::new(scan.clone()));
        let body = text(event, stamp, what)?;
        Ok(Passage { event, stamp, scan, body })
    }

    fn event(&self, stamp: Stamp) -> EventId {
        EventId(self.ids.uuid(stamp.trusted))
    }

    async fn record_unknown(
        &self,
        view: &View,
        stamp: Stamp,
        code: &str,
        direction: Direction,
        request: &ScanRequest,
    ) -> Result<(), NotSaved> {
        if !self.is_news(code, stamp.trusted) {
            return Ok(());
        }
        let what = What::UnknownCard(UnknownCard {
            code: cut(code, CODE_MAX),
            direction,
            day: view.day(stamp.trusted),
            gate: cut(&request.gate, GATE_MAX),
            operator: request.operator,
            schedule: view.schedule().at(stamp.trusted),
        });
        self.note(stamp, what).await.map(drop)
    }

    /// Whether an unknown code was not recorded a moment ago: somebody holding a bus ticket to the camera is one record.
    fn is_news(&self, code: &str, now: Millis) -> bool {
        let mut seen = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.get(code).is_some_and(|at| now.since(*at) < UNKNOWN_AGAIN_MS) {
            return false;
        }
        if seen.len() >= UNKNOWN_REMEMBERED {
            seen.retain(|_, at| now.since(*at) < UNKNOWN_AGAIN_MS);
        }
        if seen.len() >= UNKNOWN_REMEMBERED {
            seen.clear();
        }
        seen.insert(code.to_owned(), now);
        true
    }
}

/// The bytes of a record.
fn text(event: EventId, at: Stamp, what: What) -> Result<String, NotSaved> {
    let record = Record { v: RECORD_VERSION, event, at, what, origin: None };
    serde_json::to_string(&record).map_err(|_| NotSaved::Rejected)
}

/// Projection and record, or neither. `false` when the key is taken.
fn write(tx: &mut Tx<'_>, passage: &Passage) -> Result<bool, Refused> {
    let position = tx.position();
    let at = At { log: position.number, seq: position.head.seq + 1 };
    if !store::project(tx, at, passage.event, &passage.stamp, &passage.scan)? {
        return Ok(false);
    }
    tx.append("attendance", &passage.body)?;
    Ok(true)
}

enum Unresolved {
    Refused(Refused),
    /// Nobody knows this code, today.
    Unknown(String),
}

/// Whose code it is, how they were recognised, and what the record keeps of it.
fn resolve(view: &View, code: &Code) -> Result<(Person, Method, String), Unresolved> {
    let refused = Unresolved::Refused;
    let text = match code {
        Code::Number(number) => {
            let person = view.person_by_number(number).ok_or(refused(Refused::UnknownNumber))?;
            return Ok((person.clone(), Method::Manual, format!("MANUAL:{}", person.number)));
        }
        Code::Scanned(text) => text,
    };
    match card::parse(text).map_err(|_| refused(Refused::NotACard))? {
        card::Code::Signed(signed) => {
            let key_of = |epoch| view.keys.cards.get(&epoch).copied();
            let card = signed.verify(view.institution_id(), key_of).map_err(|why| match why {
                card::Refused::OtherSchool => refused(Refused::OtherSchool),
                // A key that has not reached this box yet, perhaps: the record lets the cloud decide.
                card::Refused::UnknownKey => Unresolved::Unknown(text.trim().into()),
                card::Refused::Forged => refused(Refused::NotACard),
            })?;
            let known = view.person(card.student);
            if view.is_revoked(&card) {
                return Err(refused(Refused::RevokedCard { person: known.cloned().map(Box::new) }));
            }
            // A student newer than this box's roster: the school's own signature vouches for them.
            let person = known.cloned().unwrap_or_else(|| stranger(card.student));
            Ok((person, Method::Card, card.serial.to_string()))
        }
        card::Code::Plain(plain) => {
            let Some(card) = view.card_by_code(&plain) else { return Err(Unresolved::Unknown(plain)) };
            let Some(person) = view.person(card.student) else { return Err(Unresolved::Unknown(plain)) };
            if !card.active {
                return Err(refused(Refused::RevokedCard { person: Some(Box::new(person.clone())) }));
            }
            Ok((person.clone(), Method::PlainCode, card.serial.to_string()))
        }
    }
}

fn stranger(id: UserId) -> Person {
    Person {
        id,
        uuid: Uuid::nil(),
        number: String::new(),
        name: format!("Siswa {id}"),
        role: Role::Siswa,
        active: true,
        class: None,
        verifier: None,
        photo: None,
    }
}

fn judge(view: &View, position: Option<Position>) -> Result<Option<Verdict>, Refused> {
    let verdict =
        view.settings.fence.as_ref().zip(position).map(|(fence, position)| fence::judge(fence, position));
    match verdict {
        Some(verdict) if view.settings.policy.refuses(verdict) => Err(Refused::OutsideArea),
        verdict => Ok(verdict),
    }
}

fn cut(text: &str, most: usize) -> String {
    text.trim().chars().take(most).collect()
}

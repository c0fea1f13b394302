//! What is to be entered, decided without a database.

use std::collections::{HashMap, HashSet};

use hadir_shared::{
    ids::{DeviceId, EventId, UserId},
    rules::{
        duplicate::{Content, NaturalKey},
        status::{Decision, Direction, Status, decide},
    },
    time::{Millis, SchoolDay},
    wire::{batch::Reason, roster::Role},
};

use super::Candidate;

/// 2020-01-01T00:00:00Z: older than this project. A box without a clock wakes up in 1970.
const EARLIEST: Millis = Millis(1_577_836_800_000);
/// A trusted time further ahead than this is a broken clock, not a fast one.
const AHEAD_MS: i64 = 2 * 24 * 3600 * 1000;

/// What decides whether there can be an attendance record of somebody.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    pub active: bool,
    /// In the attendance service.
    pub role: Option<Role>,
}

/// What stands of one key.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// 0 until the row is there.
    pub id: i64,
    pub content: Content,
    /// The candidate that enters it; `None` when it stood before.
    pub entered_by: Option<usize>,
}

/// What stands, what this call is about to enter, and what was taken back.
#[derive(Debug, Default)]
pub struct Days {
    standing: HashMap<NaturalKey, Standing>,
    /// How many rows of a key were taken back, where any were.
    turns: HashMap<NaturalKey, i64>,
    /// The scans that were taken back, each by its own box.
    taken_back: HashSet<(DeviceId, EventId)>,
}

impl Days {
    pub fn get(&self, key: NaturalKey) -> Option<&Standing> {
        self.standing.get(&key)
    }

    pub fn put(&mut self, key: NaturalKey, id: i64, content: Content) {
        self.standing.insert(key, Standing { id, content, entered_by: None });
    }

    /// A scan was taken back, and its row with it, where it had one.
    pub fn put_void(&mut self, key: NaturalKey, device: DeviceId, scan: EventId, had_a_row: bool) {
        self.taken_back.insert((device, scan));
        *self.turns.entry(key).or_default() += i64::from(had_a_row);
    }

    /// Rows that this call entered before it had to begin again, and which candidate each is.
    pub fn claim(&mut self, own: &HashMap<i64, usize>) {
        for standing in self.standing.values_mut() {
            standing.entered_by = own.get(&standing.id).copied();
        }
    }

    /// The row is there, and it is ours. Answers whose it is.
    pub fn confirm(&mut self, key: NaturalKey, id: i64) -> Option<usize> {
        let standing = self.standing.get_mut(&key)?;
        standing.id = id;
        standing.entered_by
    }

    fn is_taken_back(&self, candidate: &Candidate) -> bool {
        candidate.device.is_some_and(|device| self.taken_back.contains(&(device, candidate.event)))
    }

    /// How somebody came that day. A check-out that stands has it from then, when less may have been known.
    fn arrived(&self, key: NaturalKey) -> Option<Status> {
        let of =
            |direction| self.get(NaturalKey { direction, ..key }).map(|standing| standing.content.status);
        of(Direction::CheckOut).or_else(|| of(Direction::CheckIn))
    }
}

/// A candidate that may be in the books, with what it means.
#[derive(Debug, Clone, Copy)]
pub struct Judged {
    pub key: NaturalKey,
    pub decision: Decision,
    /// Its own box took it back.
    pub is_taken_back: bool,
    event: EventId,
}

impl Judged {
    pub fn content(&self) -> Content {
        Content::new(self.event, &self.decision)
    }
}

/// A row to be entered.
#[derive(Debug)]
pub struct Entry<'c> {
    pub key: NaturalKey,
    pub decision: Decision,
    pub turn: i64,
    pub candidate: &'c Candidate,
}

/// The day a candidate counts for: its trusted time, in its schedule's zone.
pub fn day_of(candidate: &Candidate) -> (UserId, SchoolDay) {
    (candidate.user, candidate.schedule.zone.day(candidate.trusted))
}

/// Judges every candidate in order. The first of each key that does not stand yet is put into `days`, so that a check-out
/// knows the check-in before it and a second record of a key meets the first, within one call as across calls.
pub fn judge(
    candidates: &[Candidate],
    people: &HashMap<UserId, Person>,
    days: &mut Days,
    now: Millis,
) -> Vec<Result<Judged, Reason>> {
    let one = |(index, candidate): (usize, &Candidate)| {
        admit(candidate, people.get(&candidate.user), now)?;
        let (user, day) = day_of(candidate);
        let key = NaturalKey { user, day, direction: candidate.direction };
        let decision = decide(&candidate.schedule, candidate.direction, candidate.trusted, days.arrived(key));
        let is_taken_back = days.is_taken_back(candidate);
        let judged = Judged { key, decision, is_taken_back, event: candidate.event };
        if !is_taken_back {
            let first = || Standing { id: 0, content: judged.content(), entered_by: Some(index) };
            days.standing.entry(key).or_insert_with(first);
        }
        Ok(judged)
    };
    candidates.iter().enumerate().map(one).collect()
}

/// The judged candidates that are the first of their key.
pub fn entries<'c>(
    candidates: &'c [Candidate],
    judged: &[Result<Judged, Reason>],
    days: &Days,
) -> impl Iterator<Item = Entry<'c>> {
    candidates.iter().zip(judged).enumerate().filter_map(|(index, (candidate, judged))| {
        let judged = judged.as_ref().ok()?;
        let standing = days.get(judged.key)?;
        let is_new = standing.id == 0 && standing.entered_by == Some(index);
        let turn = days.turns.get(&judged.key).copied().unwrap_or_default();
        is_new.then_some(Entry { key: judged.key, decision: judged.decision, turn, candidate })
    })
}

fn admit(candidate: &Candidate, person: Option<&Person>, now: Millis) -> Result<(), Reason> {
    if candidate.trusted < EARLIEST || candidate.trusted.since(now) > AHEAD_MS {
        return Err(Reason::ImpossibleTime);
    }
    let person = person.ok_or(Reason::UnknownPerson)?;
    if !person.active {
        return Err(Reason::InactivePerson);
    }
    if person.role.is_some_and(Role::attends) { Ok(()) } else { Err(Reason::RoleNotAllowed) }
}

#[cfg(test)]
mod tests {
    use hadir_shared::{
        rules::status::Schedule,
        time::{Grade, Zone},
    };
    use uuid::Uuid;

    use super::*;

    /// Friday 21 November 2025 in Jakarta.
    fn at(time: &str) -> Millis {
        Zone::JAKARTA.instant("2025-11-21".parse().unwrap(), time.parse().unwrap())
    }

    fn candidate(user: i64, direction: Direction, trusted: Millis) -> Candidate {
        Candidate {
            event: EventId(Uuid::from_u128(u128::from(trusted.0.unsigned_abs()))),
            user: UserId(user),
            direction,
            claimed: Millis(0),
            trusted,
            grade: Grade::Anchored,
            position: None,
            fence: None,
            photo_path: None,
            token: "1".into(),
            class: None,
            schedule: Schedule {
                version: 1,
                zone: Zone::JAKARTA,
                checkin_end: "07:30:00".parse().unwrap(),
                late_grace_minutes: 0,
                checkout_start: "14:00:00".parse().unwrap(),
            },
            device: None,
            gate: None,
            operator: None,
        }
    }

    fn people() -> HashMap<UserId, Person> {
        let person = |active, role| Person { active, role };
        HashMap::from([
            (UserId(1), person(true, Some(Role::Siswa))),
            (UserId(2), person(false, Some(Role::Siswa))),
            (UserId(3), person(true, Some(Role::Admin))),
            (UserId(4), person(true, None)),
        ])
    }

    #[test]
    fn who_may_be_entered_and_when() {
        let now = at("07:00:00");
        let cases = [
            (1, now, None, "a student"),
            (2, now, Some(Reason::InactivePerson), "who left"),
            (3, now, Some(Reason::RoleNotAllowed), "an administrator"),
            (4, now, Some(Reason::RoleNotAllowed), "somebody of another module"),
            (9, now, Some(Reason::UnknownPerson), "nobody"),
            (1, EARLIEST, None, "the first moment that can be"),
            (1, EARLIEST.plus_millis(-1), Some(Reason::ImpossibleTime), "before it"),
            (1, Millis(i64::MIN), Some(Reason::ImpossibleTime), "the beginning of time"),
            (1, now.plus_millis(AHEAD_MS), None, "two days ahead"),
            (1, now.plus_millis(AHEAD_MS + 1), Some(Reason::ImpossibleTime), "more than two days ahead"),
            (1, Millis(i64::MAX), Some(Reason::ImpossibleTime), "the end of time"),
        ];
        for (user, trusted, refused, why) in cases {
            let candidates = [candidate(user, Direction::CheckIn, trusted)];
            let judged = judge(&candidates, &people(), &mut Days::default(), now);
            assert_eq!(judged[0].as_ref().err().copied(), refused, "{why}");
        }
    }

    #[test]
    fn the_day_is_the_schools_and_comes_from_trusted_time() {
        // 22:30 UTC on the 20th is 05:30 on the 21st in Jakarta.
        let early = candidate(1, Direction::CheckIn, at("05:30:00"));
        assert_eq!(day_of(&early).1.to_string(), "2025-11-21");
    }

    #[test]
    fn one_row_per_key_and_a_check_out_keeps_how_somebody_came() {
        let candidates = [
            candidate(1, Direction::CheckIn, at("07:45:00")),
            candidate(1, Direction::CheckIn, at("07:46:00")),
            candidate(1, Direction::CheckOut, at("14:10:00")),
        ];
        let mut days = Days::default();
        let judged = judge(&candidates, &people(), &mut days, at("15:00:00"));
        let entries: Vec<_> = entries(&candidates, &judged, &days).collect();
        assert_eq!(entries.len(), 2, "the second check-in meets the first");
        assert!(entries.iter().all(|e| e.decision.status == Status::Terlambat));
        assert_eq!(entries[0].decision.late_minutes, 15);
    }

    #[test]
    fn a_second_check_out_is_compared_by_what_was_known_at_the_first() {
        let key = |direction| NaturalKey { user: UserId(1), day: "2025-11-21".parse().unwrap(), direction };
        let stands = |status| Content { event: EventId(Uuid::nil()), status, left_early: false };
        let mut days = Days::default();
        days.put(key(Direction::CheckOut), 7, stands(Status::Hadir));
        days.put(key(Direction::CheckIn), 8, stands(Status::Terlambat));
        let candidates = [candidate(1, Direction::CheckOut, at("14:10:00"))];
        let judged = judge(&candidates, &people(), &mut days, at("15:00:00"));
        assert_eq!(judged[0].as_ref().unwrap().decision.status, Status::Hadir, "so that it is no conflict");
        assert_eq!(entries(&candidates, &judged, &days).count(), 0);
    }

    #[test]
    fn what_this_call_entered_stays_its_own_when_it_begins_again() {
        let candidates = [
            candidate(1, Direction::CheckIn, at("07:00:00")),
            candidate(1, Direction::CheckOut, at("14:10:00")),
        ];
        let mut days = Days::default();
        let judged = judge(&candidates, &people(), &mut days, at("15:00:00"));
        let [came, left] = [0, 1].map(|index| *judged[index].as_ref().unwrap());
        assert_eq!(days.confirm(left.key, 5), Some(1));

        let mut again = Days::default();
        again.put(came.key, 9, came.content());
        again.put(left.key, 5, left.content());
        again.claim(&HashMap::from([(5, 1)]));
        let judged = judge(&candidates, &people(), &mut again, at("15:00:00"));
        assert_eq!(entries(&candidates, &judged, &again).count(), 0, "one is lost, the other is there");
        assert_eq!(again.get(came.key).unwrap().entered_by, None, "lost");
        assert_eq!(again.get(left.key).unwrap().entered_by, Some(1), "kept");
    }

    #[test]
    fn what_its_box_took_back_is_not_entered_and_the_next_has_the_next_turn() {
        let device = DeviceId(Uuid::from_u128(1));
        let scanned =
            |time, device| Candidate { device: Some(device), ..candidate(1, Direction::CheckIn, at(time)) };
        let (taken_back, next) = (scanned("06:40:00", device), scanned("06:41:00", device));
        let of_another = scanned("06:40:00", DeviceId(Uuid::from_u128(2)));
        let key = |c: &Candidate| NaturalKey { user: c.user, day: day_of(c).1, direction: c.direction };
        let cases = [
            (true, [taken_back.clone(), next.clone()], Some((1, 1)), "the next scan"),
            (false, [taken_back.clone(), next], Some((1, 0)), "one that was never in the books"),
            (true, [taken_back.clone(), of_another], Some((1, 1)), "nobody takes back another box's"),
            (true, [taken_back.clone(), taken_back], None, "sent again, and again"),
        ];
        for (had_a_row, candidates, entered, why) in cases {
            let mut days = Days::default();
            days.put_void(key(&candidates[0]), device, candidates[0].event, had_a_row);
            let judged = judge(&candidates, &people(), &mut days, at("15:00:00"));
            assert!(judged[0].as_ref().unwrap().is_taken_back, "{why}");
            let first = entries(&candidates, &judged, &days).next().map(|entry| {
                (usize::from(std::ptr::eq(entry.candidate, &raw const candidates[1])), entry.turn)
            });
            assert_eq!(first, entered, "{why}");
        }
    }
}

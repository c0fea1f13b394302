//! The roster as it is answered from: in memory, indexed, swapped whole.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use hadir_shared::{
    card::Card,
    ids::{ClassId, InstitutionId, UserId},
    qr::QrKey,
    rules::timetable::Timetable,
    settings::Settings,
    sign::PublicKey,
    time::{Millis, SchoolDay},
    wire::roster::{CardEntry, Class, Entry, Institution, Leave, Person, Role, SettingsBody, entity},
};
use serde::de::DeserializeOwned;

use crate::membership::Membership;

/// The school's keys that a box needs.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// The secret behind the rotating QR.
    pub qr: Option<QrKey>,
    /// By epoch: what cards are checked with.
    pub cards: BTreeMap<u8, PublicKey>,
    /// What receipts and roster pages are checked with.
    pub cloud: Vec<PublicKey>,
    pub jwks: serde_json::Value,
    pub issuer: String,
    pub audience: String,
}

/// One state of the roster.
#[derive(Debug, Clone)]
pub struct View {
    pub institution: Institution,
    pub settings: Settings,
    /// The settings as the contract shows them, by key.
    pub setting_texts: BTreeMap<String, String>,
    pub keys: Keys,
    /// The feed's position this is the state of; 0 is "nothing pulled yet".
    pub cursor: u64,
    /// When it was pulled.
    pub pulled_at: Option<Millis>,
    people: HashMap<UserId, Person>,
    by_number: HashMap<String, UserId>,
    cards_by_code: HashMap<String, CardEntry>,
    /// By student: every serial known, and whether it is active.
    serials: HashMap<UserId, BTreeMap<u8, bool>>,
    classes: BTreeMap<ClassId, Class>,
    members: HashMap<ClassId, Vec<UserId>>,
    holidays: BTreeSet<SchoolDay>,
    leaves: HashMap<UserId, Vec<Leave>>,
}

/// An entry that this build knows the kind of and cannot read. It is left out; the rest holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub entity: String,
    pub key: String,
}

impl View {
    /// Builds the view of living entries (tombstones are skipped), and names what could not be read.
    pub fn build(
        institution: Institution,
        cursor: u64,
        pulled_at: Option<Millis>,
        entries: impl IntoIterator<Item: Borrow<Entry>>,
    ) -> (Self, Vec<Unreadable>) {
        let mut view = Self {
            institution,
            settings: default_settings(),
            setting_texts: BTreeMap::new(),
            keys: Keys::default(),
            cursor,
            pulled_at,
            people: HashMap::new(),
            by_number: HashMap::new(),
            cards_by_code: HashMap::new(),
            serials: HashMap::new(),
            classes: BTreeMap::new(),
            members: HashMap::new(),
            holidays: BTreeSet::new(),
            leaves: HashMap::new(),
        };
        let mut unreadable = Vec::new();
        for entry in entries {
            let entry = entry.borrow();
            if !entry.deleted && view.take(entry).is_none() {
                unreadable.push(Unreadable { entity: entry.entity.clone(), key: entry.key.clone() });
            }
        }
        view.index_members();
        (view, unreadable)
    }

    /// `None` when the entry cannot be read.
    fn take(&mut self, entry: &Entry) -> Option<()> {
        match entry.entity.as_str() {
            entity::INSTITUTION => {
                let institution: Institution = read(entry)?;
                // The membership says which school this is; the feed only names it.
                (institution.id == self.institution.id).then(|| self.institution = institution)?;
            }
            entity::SETTINGS => {
                let body: SettingsBody = read(entry)?;
                self.settings = Settings::read(body.version, &body.values).ok()?;
                self.setting_texts = body.values;
            }
            entity::KEYS => {
                let keys: hadir_shared::wire::roster::Keys = read(entry)?;
                self.keys = Keys {
                    qr: QrKey::from_hex(&keys.qr),
                    cards: keys.cards,
                    cloud: keys.cloud,
                    jwks: keys.jwks,
                    issuer: keys.issuer,
                    audience: keys.audience,
                };
            }
            entity::PERSON => {
                let person: Person = read(entry)?;
                self.by_number.insert(person.number.clone(), person.id);
                self.people.insert(person.id, person);
            }
            entity::CLASS => {
                let class: Class = read(entry)?;
                self.classes.insert(class.id, class);
            }
            entity::CARD => {
                let card: CardEntry = read(entry)?;
                self.serials.entry(card.student).or_default().insert(card.serial, card.active);
                self.cards_by_code.insert(card.code.to_ascii_uppercase(), card);
            }
            entity::HOLIDAY => {
                let holiday: hadir_shared::wire::roster::Holiday = read(entry)?;
                self.holidays.insert(holiday.day);
            }
            entity::LEAVE => {
                let leave: Leave = read(entry)?;
                self.leaves.entry(leave.user).or_default().push(leave);
            }
            // A newer cloud's kind: kept on disk, not ours to read.
            _ => {}
        }
        Some(())
    }

    fn index_members(&mut self) {
        let mut students: Vec<&Person> =
            self.people.values().filter(|p| p.active && p.role == Role::Siswa).collect();
        students.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        for student in students {
            if let Some(class) = student.class {
                self.members.entry(class).or_default().push(student.id);
            }
        }
    }

    pub fn institution_id(&self) -> InstitutionId {
        self.institution.id
    }

    /// What the cloud may sign with: the key of the enrolment, and those that came with the roster.
    pub fn cloud_keys<'a>(&'a self, membership: &'a Membership) -> impl Iterator<Item = &'a PublicKey> {
        std::iter::once(&membership.cloud_key).chain(&self.keys.cloud)
    }

    pub fn schedule(&self) -> &Timetable {
        &self.settings.schedule
    }

    /// The school day an instant falls on.
    pub fn day(&self, at: Millis) -> SchoolDay {
        self.settings.schedule.zone.day(at)
    }

    pub fn person(&self, id: UserId) -> Option<&Person> {
        self.people.get(&id)
    }

    /// By NISN, NIP or NIK.
    pub fn person_by_number(&self, number: &str) -> Option<&Person> {
        self.by_number.get(number.trim()).and_then(|id| self.people.get(id))
    }

    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// By the plain code on it; any case.
    pub fn card_by_code(&self, code: &str) -> Option<&CardEntry> {
        self.cards_by_code.get(&code.to_ascii_uppercase())
    }

    /// Whether a well-signed card has been withdrawn: switched off, or followed by a newer one. A card newer than the
    /// roster is good: it was printed today.
    pub fn is_revoked(&self, card: &Card) -> bool {
        self.serials.get(&card.student).is_some_and(|serials| {
            serials.get(&card.serial) == Some(&false)
                || serials.iter().any(|(serial, active)| *active && *serial > card.serial)
        })
    }

    pub fn class(&self, id: ClassId) -> Option<&Class> {
        self.classes.get(&id)
    }

    pub fn classes(&self) -> impl Iterator<Item = &Class> {
        self.classes.values()
    }

    /// The active students of a class, by name.
    pub fn students_of(&self, class: ClassId) -> impl Iterator<Item = &Person> {
        self.members.get(&class).into_iter().flatten().filter_map(|id| self.people.get(id))
    }

    /// The approved leave somebody has on a day.
    pub fn leave_on(&self, user: UserId, day: SchoolDay) -> Option<&Leave> {
        self.leaves.get(&user)?.iter().find(|leave| leave.first <= day && day <= leave.last)
    }

    pub fn is_school_day(&self, day: SchoolDay) -> bool {
        self.settings.school_days.include(day, &self.holidays)
    }

    /// Students who should come on a day: active, and not on leave; nobody on a day off.
    pub fn expected_on(&self, day: SchoolDay) -> u64 {
        if !self.is_school_day(day) {
            return 0;
        }
        let comes = |p: &&Person| p.role == Role::Siswa && p.active && self.leave_on(p.id, day).is_none();
        self.people.values().filter(comes).count() as u64
    }
}

fn read<T: DeserializeOwned>(entry: &Entry) -> Option<T> {
    serde_json::from_str(&entry.body).ok()
}

/// What a school has that chose nothing; it is valid, which a test of the settings themselves shows.
#[expect(clippy::expect_used, reason = "the defaults are constants, and a test reads them")]
fn default_settings() -> Settings {
    Settings::read(0, &BTreeMap::new()).expect("the defaults are valid")
}

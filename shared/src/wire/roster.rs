//! Down: everything a box needs to know of its school.
//!
//! The feed is per institution. `cseq` rises with every change, in commit order; the box keeps `(generation, cursor)` and
//! asks for what came after it. What it is too far behind for is a snapshot, in chunks named by their hash.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    chain::Hash,
    ids::{ClassId, InstitutionId, UserId},
    sign::{BadSignature, PublicKey, Purpose, SecretKey, Signature},
    time::SchoolDay,
};

/// Entries in one page or chunk.
pub const PAGE_ENTRIES: usize = 1_000;

/// The kinds of entries. One this build does not know is kept and ignored.
pub mod entity {
    /// The school itself: an [`Institution`](super::Institution). A singleton.
    pub const INSTITUTION: &str = "institution";
    /// A [`SettingsBody`](super::SettingsBody). A singleton.
    pub const SETTINGS: &str = "settings";
    /// [`Keys`](super::Keys). A singleton.
    pub const KEYS: &str = "keys";
    /// A [`Person`](super::Person), by id.
    pub const PERSON: &str = "person";
    /// A [`Class`](super::Class), by id.
    pub const CLASS: &str = "class";
    /// A [`CardEntry`](super::CardEntry), by id.
    pub const CARD: &str = "card";
    /// A [`Holiday`](super::Holiday), by day.
    pub const HOLIDAY: &str = "holiday";
    /// A [`Leave`](super::Leave), by id.
    pub const LEAVE: &str = "leave";
}

/// One thing, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub cseq: u64,
    /// One of [`entity`].
    pub entity: String,
    /// Names the thing within its kind; a singleton's key is empty.
    pub key: String,
    /// A tombstone: the thing is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// JSON of the kind's type below; empty for a tombstone.
    pub body: String,
}

impl Entry {
    /// What the daily digest and the pages' signatures are made of.
    pub fn hash(&self) -> Hash {
        let mut bytes = Vec::with_capacity(self.body.len() + 64);
        for part in
            [self.entity.as_bytes(), self.key.as_bytes(), &[u8::from(self.deleted)], self.body.as_bytes()]
        {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        Hash::of(&bytes)
    }
}

/// `GET /api/offline-sync/roster?generation=…&since=…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub proto: u16,
    pub institution: InstitutionId,
    pub generation: Uuid,
    /// The cursor this page continues from.
    pub from: u64,
    /// The cursor after it. Equal to `latest` when there is no more.
    pub to: u64,
    pub latest: u64,
    /// The position of the newest revocation.
    pub revocations: u64,
    /// In the order of `cseq`.
    pub entries: Vec<Entry>,
    /// [`digest`] of the whole roster at `to`, on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Hash>,
    pub sig: Signature,
}

impl Page {
    /// Signs in place, with the cloud's key.
    pub fn sign(&mut self, key: &SecretKey) {
        self.sig = self.with_parts(|parts| key.sign(Purpose::Roster, parts));
    }

    /// Whether the cloud of `key` wrote this.
    pub fn verify(&self, key: &PublicKey) -> Result<(), BadSignature> {
        self.with_parts(|parts| key.verify(Purpose::Roster, parts, &self.sig))
    }

    fn with_parts<T>(&self, then: impl FnOnce(&[&[u8]]) -> T) -> T {
        let entries = Hash::of(&self.entries.iter().flat_map(|e| e.hash().0).collect::<Vec<u8>>());
        then(&[
            b"page",
            &self.institution.0.to_be_bytes(),
            self.generation.as_bytes(),
            &self.from.to_be_bytes(),
            &self.to.to_be_bytes(),
            &self.latest.to_be_bytes(),
            &entries.0,
        ])
    }
}

/// `GET /api/offline-sync/roster/snapshot`: what a whole roster is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub proto: u16,
    pub institution: InstitutionId,
    pub generation: Uuid,
    /// The cursor the snapshot is of.
    pub cursor: u64,
    /// The hashes of the chunks, in order; each is fetched from `…/roster/chunks/{hash}`.
    pub chunks: Vec<Hash>,
    pub digest: Hash,
    pub sig: Signature,
}

impl Manifest {
    /// Signs in place, with the cloud's key.
    pub fn sign(&mut self, key: &SecretKey) {
        self.sig = self.with_parts(|parts| key.sign(Purpose::Roster, parts));
    }

    /// Whether the cloud of `key` wrote this.
    pub fn verify(&self, key: &PublicKey) -> Result<(), BadSignature> {
        self.with_parts(|parts| key.verify(Purpose::Roster, parts, &self.sig))
    }

    fn with_parts<T>(&self, then: impl FnOnce(&[&[u8]]) -> T) -> T {
        let chunks = Hash::of(&self.chunks.iter().flat_map(|h| h.0).collect::<Vec<u8>>());
        then(&[
            b"manifest",
            &self.institution.0.to_be_bytes(),
            self.generation.as_bytes(),
            &self.cursor.to_be_bytes(),
            &chunks.0,
            &self.digest.0,
        ])
    }
}

/// The bytes of a chunk: a JSON list of [`Entry`]. Its name is the hash of these bytes.
pub type Chunk = Vec<Entry>;

/// One hash over a whole roster, the same on both sides if and only if the rosters are: compared daily.
///
/// `entries` are the living ones (no tombstones), by kind and key, with the hash of each.
pub fn digest<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str, Hash)>) -> Hash {
    let sorted: BTreeMap<(&str, &str), Hash> = entries.into_iter().map(|(e, k, h)| ((e, k), h)).collect();
    Hash::of(&sorted.values().flat_map(|h| h.0).collect::<Vec<u8>>())
}

/// The attendance roles of the contract (`role_id`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub enum Role {
    Siswa,
    Guru,
    Pegawai,
    KepalaSekolah,
    Admin,
}

/// A number that is no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no attendance role {0}")]
pub struct UnknownRole(pub i64);

impl Role {
    /// The contract's `role_id`.
    pub const fn id(self) -> i64 {
        match self {
            Self::Siswa => 1,
            Self::Guru => 2,
            Self::Pegawai => 3,
            Self::KepalaSekolah => 4,
            Self::Admin => 5,
        }
    }

    /// Whether somebody of this role records their own arrival with the rotating QR.
    pub const fn checks_in_alone(self) -> bool {
        matches!(self, Self::Guru | Self::Pegawai | Self::KepalaSekolah)
    }

    /// Whether somebody of this role may scan students' cards.
    pub const fn scans_students(self) -> bool {
        matches!(self, Self::Guru | Self::Pegawai | Self::Admin)
    }

    /// Whether there can be an attendance record of somebody of this role.
    pub const fn attends(self) -> bool {
        !matches!(self, Self::Admin)
    }

    /// Whether somebody of this role may show the rotating QR.
    pub const fn shows_qr(self) -> bool {
        !matches!(self, Self::Siswa)
    }
}

impl TryFrom<i64> for Role {
    type Error = UnknownRole;

    fn try_from(id: i64) -> Result<Self, UnknownRole> {
        [Self::Siswa, Self::Guru, Self::Pegawai, Self::KepalaSekolah, Self::Admin]
            .into_iter()
            .find(|r| r.id() == id)
            .ok_or(UnknownRole(id))
    }
}

impl From<Role> for i64 {
    fn from(role: Role) -> Self {
        role.id()
    }
}

/// [`entity::INSTITUTION`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Institution {
    pub id: InstitutionId,
    pub code: String,
    pub name: String,
}

/// [`entity::SETTINGS`]. An older version than the one held is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsBody {
    pub version: i64,
    pub values: BTreeMap<String, String>,
}

/// [`entity::KEYS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The school's secret behind the rotating QR, in hexadecimal.
    pub qr: String,
    /// By epoch: what cards are checked with.
    pub cards: BTreeMap<u8, PublicKey>,
    /// What receipts and roster pages are checked with; the newest last.
    pub cloud: Vec<PublicKey>,
    /// The cloud's JSON Web Key Set, so that a token it issued is accepted without it.
    pub jwks: serde_json::Value,
    /// The `iss` and `aud` such a token must carry.
    pub issuer: String,
    pub audience: String,
}

/// [`entity::PERSON`]. Never a phone number, an address or a NIK that is not the login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: UserId,
    pub uuid: Uuid,
    /// NISN, NIP or NIK: the login.
    pub number: String,
    pub name: String,
    pub role: Role,
    pub active: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ClassId>,
    /// Staff only: the argon2id verifier of the password, for logins without internet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier: Option<String>,
    /// The key of the thumbnail of the profile photo, at the cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo: Option<String>,
}

/// [`entity::CLASS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    pub id: ClassId,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homeroom_teacher: Option<UserId>,
}

/// [`entity::CARD`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardEntry {
    pub id: i64,
    pub student: UserId,
    pub serial: u8,
    /// The plain code, in upper case.
    pub code: String,
    pub active: bool,
}

/// [`entity::HOLIDAY`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holiday {
    pub day: SchoolDay,
    pub name: String,
}

/// [`entity::LEAVE`]: an approved one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    pub user: UserId,
    pub kind: String,
    pub first: SchoolDay,
    pub last: SchoolDay,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, body: &str) -> Entry {
        Entry { cseq: 1, entity: entity::CLASS.into(), key: key.into(), deleted: false, body: body.into() }
    }

    #[test]
    fn a_page_is_signed_with_everything_in_it() {
        let key = SecretKey::from_seed(&[1; 32]);
        let mut page = Page {
            proto: 1,
            institution: InstitutionId(1),
            generation: Uuid::nil(),
            from: 0,
            to: 2,
            latest: 2,
            revocations: 0,
            entries: vec![entry("1", "{}"), entry("2", "{}")],
            digest: None,
            sig: Signature([0; 64]),
        };
        page.sign(&key);
        assert!(page.verify(&key.public()).is_ok());
        for change in [
            (|p: &mut Page| p.entries[1].deleted = true) as fn(&mut Page),
            |p| p.entries.swap(0, 1),
            |p| p.entries[0].body = "{ }".into(),
            |p| p.to = 3,
            |p| p.institution = InstitutionId(2),
        ] {
            let mut changed = page.clone();
            change(&mut changed);
            assert!(changed.verify(&key.public()).is_err(), "{changed:?}");
        }
    }

    #[test]
    fn a_digest_does_not_depend_on_order_or_cursor_but_on_everything_else() {
        let (a, b) = (entry("1", "{}"), entry("2", "{}"));
        let of = |entries: &[&Entry]| digest(entries.iter().map(|e| (&*e.entity, &*e.key, e.hash())));
        assert_eq!(of(&[&a, &b]), of(&[&b, &a]));
        assert_eq!(of(&[&a]), of(&[&Entry { cseq: 99, ..a.clone() }]));
        assert_ne!(of(&[&a, &b]), of(&[&a]));
        assert_ne!(of(&[&a]), of(&[&entry("1", "{\"x\":1}")]));
    }

    #[test]
    fn the_matrix_of_roles() {
        use Role::{Admin, Guru, KepalaSekolah, Pegawai, Siswa};
        for (role, alone, scans, attends, qr) in [
            (Siswa, false, false, true, false),
            (Guru, true, true, true, true),
            (Pegawai, true, true, true, true),
            (KepalaSekolah, true, false, true, true),
            (Admin, false, true, false, true),
        ] {
            let got = (role.checks_in_alone(), role.scans_students(), role.attends(), role.shows_qr());
            assert_eq!(got, (alone, scans, attends, qr), "{role:?}");
            assert_eq!(Role::try_from(role.id()), Ok(role));
        }
        assert_eq!(Role::try_from(6), Err(UnknownRole(6)));
    }
}

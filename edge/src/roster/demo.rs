//! The school of a box that belongs to none: the demo school, with keys the box made itself.

use std::collections::BTreeMap;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
use hadir_shared::{
    card::Card,
    demo,
    ids::{ClassId, UserId},
    sign::SecretKey,
    wire::roster::{CardEntry, Class, Entry, Institution, Keys, Person, Role, SettingsBody, entity},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{ids::Ids, membership::NOBODY};

/// What a box that stands alone makes once and keeps, sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Made {
    /// The secret behind the rotating QR, in hexadecimal.
    pub qr: String,
    /// The seed of the card key, in hexadecimal.
    pub cards: String,
    /// The argon2id verifier of [`demo::PASSWORD`].
    pub verifier: String,
}

impl Made {
    /// Takes some tens of milliseconds: the password is hashed as at the cloud.
    pub fn new(ids: &Ids) -> anyhow::Result<Self> {
        let params = Params::new(19_456, 2, 1, None).map_err(|error| anyhow::anyhow!("{error}"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = argon2
            .hash_password_with_salt(demo::PASSWORD.as_bytes(), &ids.bytes::<16>())
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        let hex = |bytes: [u8; 32]| data_encoding::HEXLOWER.encode(&bytes);
        Ok(Self { qr: hex(ids.bytes()), cards: hex(ids.bytes()), verifier: hash.to_string() })
    }

    /// Signs the demo school's cards.
    pub fn card_key(&self) -> Option<SecretKey> {
        let seed = data_encoding::HEXLOWER.decode(self.cards.as_bytes()).ok()?;
        Some(SecretKey::from_seed(&seed.try_into().ok()?))
    }

    /// The text of somebody's card, as it would be printed.
    pub fn card_of(&self, student: UserId) -> Option<String> {
        Card { institution: NOBODY, student, serial: 1, epoch: 0 }.sign(&self.card_key()?).ok()
    }
}

pub fn institution() -> Institution {
    let [school, _] = demo::schools();
    Institution { id: NOBODY, code: school.code.into(), name: school.name.into() }
}

/// The whole roster. People are numbered from 1 in the order of the demo.
pub fn entries(made: &Made) -> Vec<Entry> {
    let [school, _] = demo::schools();
    let id_of: BTreeMap<&str, i64> =
        (1_i64..).zip(&school.people).map(|(id, p)| (p.number.as_str(), id)).collect();
    let mut entries = vec![
        entry(entity::INSTITUTION, "", &institution()),
        entry(entity::SETTINGS, "", &SettingsBody { version: 1, values: school.settings() }),
        entry(
            entity::KEYS,
            "",
            &Keys {
                qr: made.qr.clone(),
                cards: made.card_key().map(|key| (0, key.public())).into_iter().collect(),
                cloud: vec![],
                jwks: serde_json::json!({ "keys": [] }),
                issuer: String::new(),
                audience: String::new(),
            },
        ),
    ];
    for (id, class) in (1_i64..).zip(&school.classes) {
        let homeroom_teacher = id_of.get(class.homeroom.as_str()).copied().map(UserId);
        let class = Class { id: ClassId(id), name: class.name.into(), homeroom_teacher };
        entries.push(entry(entity::CLASS, &id.to_string(), &class));
    }
    for (id, person) in (1_i64..).zip(&school.people) {
        let is_student = person.role == Role::Siswa;
        let class = person.class.and_then(|index| i64::try_from(index).ok()).map(|index| ClassId(index + 1));
        let verifier = (!is_student).then(|| made.verifier.clone());
        let entry_of_person = Person {
            id: UserId(id),
            uuid: Uuid::from_u128(id.unsigned_abs().into()),
            number: person.number.clone(),
            name: person.name.clone(),
            role: person.role,
            active: true,
            class,
            verifier,
            photo: None,
        };
        entries.push(entry(entity::PERSON, &id.to_string(), &entry_of_person));
        if is_student {
            let card =
                CardEntry { id, student: UserId(id), serial: 1, code: person.number.clone(), active: true };
            entries.push(entry(entity::CARD, &id.to_string(), &card));
        }
    }
    entries
}

fn entry(entity: &str, key: &str, body: &impl Serialize) -> Entry {
    // These types have no maps with keys that are not texts, so they always serialise.
    let body = serde_json::to_string(body).unwrap_or_default();
    Entry { cseq: 0, entity: entity.into(), key: key.into(), deleted: false, body }
}

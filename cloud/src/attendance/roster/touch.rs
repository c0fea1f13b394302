//! Publishes what changed: each reads the rows as they are in this transaction and puts them into the feed, or a tombstone
//! where a row is gone. Whoever changes a row that boxes know calls one of these before the commit.

use std::collections::{HashMap, HashSet};

use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    time::{SchoolDay, Zone},
    wire::roster::{self, entity},
};

use super::{
    feed::{Change, publish},
    keys, store,
};
use crate::{
    app::App,
    attendance::{files, fleet::cloud_key},
    db::Tx,
    fail::Fail,
    identity,
};

/// Which rows: those with these ids, or all of the school's.
type Which<'a> = Option<&'a [i64]>;

/// A tombstone for each that was asked for and is not there.
fn missing(which: Which<'_>, entity: &'static str, found: &HashSet<i64>) -> impl Iterator<Item = Change> {
    which.unwrap_or_default().iter().filter(|id| !found.contains(id)).map(move |id| Change::gone(entity, id))
}

pub async fn touch_person(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    person: UserId,
) -> Result<(), Fail> {
    touch_people(tx, app, institution, &[person]).await
}

pub async fn touch_people(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    people: &[UserId],
) -> Result<(), Fail> {
    let ids: Vec<i64> = people.iter().map(|person| person.0).collect();
    let changes = people_now(tx, app, institution, Some(&ids)).await?;
    publish(tx, app, institution, changes).await
}

pub async fn touch_class(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    class: ClassId,
) -> Result<(), Fail> {
    touch_classes(tx, app, institution, &[class]).await
}

pub async fn touch_classes(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    classes: &[ClassId],
) -> Result<(), Fail> {
    let ids: Vec<i64> = classes.iter().map(|class| class.0).collect();
    let changes = classes_now(tx, institution, Some(&ids)).await?;
    publish(tx, app, institution, changes).await
}

/// A row of `student_cards`.
pub async fn touch_card(tx: &mut Tx, app: &App, institution: InstitutionId, card: i64) -> Result<(), Fail> {
    touch_cards(tx, app, institution, &[card]).await
}

pub async fn touch_cards(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    cards: &[i64],
) -> Result<(), Fail> {
    let changes = cards_now(tx, institution, Some(cards)).await?;
    publish(tx, app, institution, changes).await
}

/// A row of `leaves`: boxes know the approved ones.
pub async fn touch_leave(tx: &mut Tx, app: &App, institution: InstitutionId, leave: i64) -> Result<(), Fail> {
    let changes = leaves_now(tx, institution, Some(&[leave])).await?;
    publish(tx, app, institution, changes).await
}

/// The whole calendar, and tombstones for the days that were in it.
pub async fn touch_holidays(tx: &mut Tx, app: &App, institution: InstitutionId) -> Result<(), Fail> {
    let changes = holidays_now(tx, institution).await?;
    publish(tx, app, institution, changes).await
}

pub async fn touch_settings(tx: &mut Tx, app: &App, institution: InstitutionId) -> Result<(), Fail> {
    let change = settings_now(tx, institution).await?;
    publish(tx, app, institution, vec![change]).await
}

/// The school's keys, the cloud's, and what its tokens are checked with.
pub async fn touch_keys(tx: &mut Tx, app: &App, institution: InstitutionId) -> Result<(), Fail> {
    let change = keys_now(tx, app, institution).await?;
    publish(tx, app, institution, vec![change]).await
}

/// The school's code and name.
pub async fn touch_institution(tx: &mut Tx, app: &App, institution: InstitutionId) -> Result<(), Fail> {
    let change = institution_now(tx, institution).await?;
    publish(tx, app, institution, vec![change]).await
}

/// Everything there is: after an import, a seed, a repair, a new academic year. What boxes know already is not published
/// again, and what is gone gets its tombstone.
pub async fn touch_everything(tx: &mut Tx, app: &App, institution: InstitutionId) -> Result<(), Fail> {
    let mut changes = vec![institution_now(tx, institution).await?, settings_now(tx, institution).await?];
    changes.push(keys_now(tx, app, institution).await?);
    changes.extend(classes_now(tx, institution, None).await?);
    changes.extend(people_now(tx, app, institution, None).await?);
    changes.extend(cards_now(tx, institution, None).await?);
    changes.extend(holidays_now(tx, institution).await?);
    changes.extend(leaves_now(tx, institution, None).await?);
    let mut known: HashMap<(String, String), String> = HashMap::new();
    for (entity, key, hash) in store::living_hashes(tx, institution).await? {
        known.insert((entity, key), hash);
    }
    changes.retain(|change| known.remove(&change.name()).as_ref() != Some(&change.hash().to_string()));
    changes.extend(known.into_keys().filter_map(|(entity, key)| Some(Change::gone(kind(&entity)?, &key))));
    publish(tx, app, institution, changes).await
}

/// The kinds that are lists of rows; one that this program does not know is left as it is.
fn kind(entity: &str) -> Option<&'static str> {
    [entity::PERSON, entity::CLASS, entity::CARD, entity::HOLIDAY, entity::LEAVE]
        .into_iter()
        .find(|kind| *kind == entity)
}

/// Staff have their password's verifier with them, so that they can sign in at a box without internet. Students have not:
/// they never sign in there.
async fn people_now(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    which: Which<'_>,
) -> Result<Vec<Change>, Fail> {
    let (_, chosen) = store::settings(tx, institution).await?;
    let zone = chosen.get("timezone").and_then(|zone| zone.parse().ok()).unwrap_or(Zone::JAKARTA);
    let rows = store::people(tx, institution, which, zone.day(app.now())).await?;
    let found: HashSet<i64> = rows.iter().map(|row| row.id).collect();
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows {
        let Ok(role) = roster::Role::try_from(row.role_id) else { continue };
        let person = roster::Person {
            id: UserId(row.id),
            uuid: row.uuid,
            number: row.number,
            name: row.name,
            role,
            active: row.is_active,
            class: row.class_id.map(ClassId),
            photo: row.photo_path.as_deref().and_then(files::key_of).map(str::to_owned),
            verifier: (role != roster::Role::Siswa && row.is_active).then_some(row.password_hash),
        };
        changes.push(Change::put(entity::PERSON, &row.id, &person)?.revoking(!row.is_active));
    }
    changes.extend(missing(which, entity::PERSON, &found));
    Ok(changes)
}

async fn classes_now(tx: &mut Tx, institution: InstitutionId, which: Which<'_>) -> Result<Vec<Change>, Fail> {
    let rows = store::classes(tx, institution, which).await?;
    let found: HashSet<i64> = rows.iter().map(|row| row.0).collect();
    let mut changes = Vec::with_capacity(rows.len());
    for (id, name, homeroom) in rows {
        let class = roster::Class { id: ClassId(id), name, homeroom_teacher: homeroom.map(UserId) };
        changes.push(Change::put(entity::CLASS, &id, &class)?);
    }
    changes.extend(missing(which, entity::CLASS, &found));
    Ok(changes)
}

async fn cards_now(tx: &mut Tx, institution: InstitutionId, which: Which<'_>) -> Result<Vec<Change>, Fail> {
    let rows = store::cards(tx, institution, which).await?;
    let found: HashSet<i64> = rows.iter().map(|row| row.id).collect();
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows {
        let card = roster::CardEntry {
            id: row.id,
            student: UserId(row.student_id),
            serial: u8::try_from(row.serial).map_err(anyhow::Error::from)?,
            code: row.qr_code.to_ascii_uppercase(),
            active: row.is_active,
        };
        changes.push(Change::put(entity::CARD, &row.id, &card)?.revoking(!row.is_active));
    }
    changes.extend(missing(which, entity::CARD, &found));
    Ok(changes)
}

async fn leaves_now(tx: &mut Tx, institution: InstitutionId, which: Which<'_>) -> Result<Vec<Change>, Fail> {
    let rows = store::approved_leaves(tx, institution, which).await?;
    let found: HashSet<i64> = rows.iter().map(|row| row.id).collect();
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows {
        let leave = roster::Leave {
            user: UserId(row.user_id),
            kind: row.leave_type,
            first: SchoolDay(row.start_date),
            last: SchoolDay(row.end_date),
        };
        changes.push(Change::put(entity::LEAVE, &row.id, &leave)?);
    }
    changes.extend(missing(which, entity::LEAVE, &found));
    Ok(changes)
}

async fn holidays_now(tx: &mut Tx, institution: InstitutionId) -> Result<Vec<Change>, Fail> {
    let rows = store::holidays(tx, institution).await?;
    let published = store::living_keys(tx, institution, entity::HOLIDAY).await?;
    let gone = published
        .into_iter()
        .filter(|(key,)| rows.iter().all(|(day, _)| SchoolDay(*day).to_string() != *key));
    let mut changes: Vec<Change> = gone.map(|(key,)| Change::gone(entity::HOLIDAY, &key)).collect();
    for (day, name) in rows {
        let day = SchoolDay(day);
        changes.push(Change::put(entity::HOLIDAY, &day, &roster::Holiday { day, name })?);
    }
    Ok(changes)
}

async fn settings_now(tx: &mut Tx, institution: InstitutionId) -> Result<Change, Fail> {
    let (version, values) = store::settings(tx, institution).await?;
    Change::put(entity::SETTINGS, &"", &roster::SettingsBody { version, values })
}

async fn keys_now(tx: &mut Tx, app: &App, institution: InstitutionId) -> Result<Change, Fail> {
    let ring = app.identity.keys();
    let keys = roster::Keys {
        qr: keys::qr_key(tx, app, institution).await?.to_hex(),
        cards: keys::card_keys(tx, app, institution).await?,
        cloud: cloud_key::published(tx).await?,
        jwks: ring.own_jwks(),
        issuer: ring.issuer().to_owned(),
        audience: identity::AUDIENCE.to_owned(),
    };
    Change::put(entity::KEYS, &"", &keys)
}

async fn institution_now(tx: &mut Tx, institution: InstitutionId) -> Result<Change, Fail> {
    let (code, name) = store::institution(tx, institution).await?;
    Change::put(entity::INSTITUTION, &"", &roster::Institution { id: institution, code, name })
}

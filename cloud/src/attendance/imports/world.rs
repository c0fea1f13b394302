//! What is there before an import.

use std::collections::{HashMap, HashSet};

use hadir_shared::{
    ids::{ClassId, UserId},
    time::SchoolDay,
};

use super::{
    layout::Entry,
    plan::{self, Known, World},
    store,
};
use crate::{
    app::App,
    attendance::classes,
    db::{Cloud, Tx},
    fail::Fail,
    http::Member,
    identity::user,
};

/// What is taken outside of the school, read before anything is locked. Whoever takes it later makes the import fail.
#[derive(Debug)]
pub struct Elsewhere {
    numbers: HashSet<String>,
    emails: HashMap<String, Option<UserId>>,
}

impl Elsewhere {
    pub async fn read(app: &App, who: &Member, entries: &[Entry]) -> Result<Self, Fail> {
        let addresses: Vec<String> =
            entries.iter().filter_map(|entry| Some(entry.email.as_ref()?.to_lowercase())).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let mut tx = app.db.read(Cloud).await?;
        let numbers = store::numbers_elsewhere(&mut tx, who.institution, &numbers(entries)).await?;
        let emails = store::emails(&mut tx, who.institution, &addresses).await?;
        Ok(Self {
            numbers: numbers.into_iter().map(|(number,)| number).collect(),
            emails: emails.into_iter().map(|(email, owner)| (email, owner.map(UserId))).collect(),
        })
    }
}

fn numbers(entries: &[Entry]) -> Vec<&str> {
    entries.iter().filter_map(|entry| entry.number.as_deref()).collect()
}

/// Who of the file is there, and what is his.
pub async fn read(
    tx: &mut Tx,
    who: &Member,
    entries: &[Entry],
    elsewhere: &Elsewhere,
    today: SchoolDay,
) -> Result<World, Fail> {
    let people = store::people(tx, who.institution, &numbers(entries)).await?;
    let ids: Vec<i64> = people.iter().map(|person| person.id).collect();
    let core = store::core_permissions(tx, who.institution, &ids).await?;
    let above: HashSet<i64> = core.into_iter().filter(|(_, code)| !who.may(code)).map(|(id, _)| id).collect();
    let mut memberships: HashMap<i64, Vec<ClassId>> = HashMap::new();
    for (student, class) in store::memberships(tx, who.institution, &ids, today).await? {
        memberships.entry(student).or_default().push(ClassId(class));
    }
    let classes = classes::all(tx, who.institution).await?;
    let mut world = World {
        school: user::institution_names(tx, Some(who.institution)).await?,
        taken_numbers: elsewhere.numbers.clone(),
        emails: elsewhere.emails.clone(),
        classes: classes.into_iter().map(|class| (plan::folded(&class.name), class.id)).collect(),
        ..World::default()
    };
    for person in people {
        if person.role_id.is_none() {
            world.taken_numbers.insert(person.nisn_nip_nik);
            continue;
        }
        let known = Known {
            id: UserId(person.id),
            name: person.name,
            email: person.email,
            phone: person.phone,
            role: person.role_id,
            is_active: person.is_active,
            classes: memberships.remove(&person.id).unwrap_or_default(),
            is_above: above.contains(&person.id),
        };
        world.people.insert(person.nisn_nip_nik, known);
    }
    Ok(world)
}

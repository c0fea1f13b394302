//! Does what was planned, in as many statements as there are kinds of change.

use std::collections::{BTreeMap, HashMap};

use hadir_shared::{
    ids::{ClassId, UserId},
    time::SchoolDay,
};
use tokio::task::JoinSet;

use super::{
    plan::{self, Person, Row, Step, World, new_classes},
    store,
};
use crate::{
    app::App,
    attendance::{classes, roster},
    db::{ResultExt as _, Tx},
    fail::Fail,
    http::Member,
};

/// Hashes of one import at a time, so that people who sign in meanwhile wait for one or two.
const HASHES_AT_ONCE: usize = 2;

/// What the passwords of a file are stored as.
pub struct Hashes {
    given: HashMap<String, String>,
    /// Of a password that nobody knows, this import's own.
    unknown: String,
}

impl Hashes {
    /// Hashed before anything is locked, by number. Only new accounts get one.
    pub async fn of(app: &App, rows: &[Row]) -> Result<Self, Fail> {
        let mut hashing = JoinSet::new();
        let mut given = HashMap::new();
        for row in rows {
            let Step::Create(Person { password: Some(password), .. }) = &row.step else { continue };
            if hashing.len() == HASHES_AT_ONCE {
                keep(&mut given, &mut hashing).await?;
            }
            let (app, number, password) = (app.clone(), row.number.clone(), password.clone());
            hashing.spawn(async move { (number, app.identity.hasher().hash(&app.ids, &password).await) });
        }
        while !hashing.is_empty() {
            keep(&mut given, &mut hashing).await?;
        }
        let secret = data_encoding::HEXLOWER.encode(&app.ids.bytes::<32>());
        Ok(Self { given, unknown: app.identity.hasher().hash(&app.ids, &secret).await? })
    }

    /// `None`: the account was there when passwords were hashed, and is gone now.
    fn get(&self, number: &str, person: &Person) -> Option<&str> {
        match person.password {
            Some(_) => self.given.get(number).map(String::as_str),
            None => Some(&self.unknown),
        }
    }
}

async fn keep(
    given: &mut HashMap<String, String>,
    hashing: &mut JoinSet<(String, Result<String, Fail>)>,
) -> Result<(), Fail> {
    if let Some(hashed) = hashing.join_next().await {
        let (number, hash) = hashed.map_err(anyhow::Error::from)?;
        given.insert(number, hash?);
    }
    Ok(())
}

/// Writes every row, and publishes it to the boxes.
pub async fn apply(
    tx: &mut Tx,
    app: &App,
    who: &Member,
    rows: &[Row],
    world: &World,
    hashes: &Hashes,
    today: SchoolDay,
) -> Result<(), Fail> {
    let made = create(tx, app, who, rows, hashes).await?;
    update(tx, app, who, rows).await?;
    let placed = place(tx, app, who, rows, world, &made, today).await?;
    let changed = rows.iter().filter_map(|row| match row.step {
        Step::Update(id, _) => Some(id),
        _ => made.get(&row.number).copied(),
    });
    roster::touch_classes(tx, app, who.institution, &placed).await?;
    roster::touch_people(tx, app, who.institution, &changed.collect::<Vec<_>>()).await
}

/// The new accounts, by number.
async fn create(
    tx: &mut Tx,
    app: &App,
    who: &Member,
    rows: &[Row],
    hashes: &Hashes,
) -> Result<HashMap<String, UserId>, Fail> {
    let now = app.now();
    let (mut new, mut roles) = (Vec::new(), HashMap::new());
    for row in rows {
        let Step::Create(person) = &row.step else { continue };
        roles.insert(row.number.as_str(), person.role);
        new.push(store::New {
            uuid: app.ids.uuid(now),
            number: &row.number,
            name: &row.name,
            email: person.email.as_deref(),
            phone: person.phone.as_deref(),
            password_hash: hashes.get(&row.number, person).ok_or_else(overtaken)?,
        });
    }
    if new.is_empty() {
        return Ok(HashMap::new());
    }
    let made = store::insert(tx, who.institution, &new, now).await?;
    if made.len() < new.len() {
        return Err(overtaken());
    }
    let roles: Vec<_> =
        made.iter().filter_map(|(id, number)| Some((*id, *roles.get(number.as_str())?))).collect();
    store::give_roles(tx, who.institution, &roles).await?;
    Ok(made.into_iter().map(|(id, number)| (number, UserId(id))).collect())
}

async fn update(tx: &mut Tx, app: &App, who: &Member, rows: &[Row]) -> Result<(), Fail> {
    let changes: Vec<_> = rows
        .iter()
        .filter_map(|row| match &row.step {
            Step::Update(id, person) if person.changes_account => {
                Some(store::Change(*id, &row.name, person.email.as_deref(), person.phone.as_deref()))
            }
            _ => None,
        })
        .collect();
    if !changes.is_empty() {
        store::update(tx, who.institution, &changes, app.now()).await.on_taken(overtaken())?;
    }
    Ok(())
}

/// Puts everybody into the class of his row, from today on, and out of others; answers the classes that were made for it.
async fn place(
    tx: &mut Tx,
    app: &App,
    who: &Member,
    rows: &[Row],
    world: &World,
    made: &HashMap<String, UserId>,
    today: SchoolDay,
) -> Result<Vec<ClassId>, Fail> {
    let mut new = HashMap::new();
    for name in new_classes(rows, world) {
        let id = classes::add(tx, app, who.actor(), who.institution, &name).await?;
        new.insert(plan::folded(&name), id);
    }
    let (mut left, mut joined): (BTreeMap<ClassId, Vec<UserId>>, BTreeMap<ClassId, Vec<UserId>>) =
        Default::default();
    for row in rows {
        let (id, person) = match &row.step {
            Step::Create(person) => (made.get(&row.number).copied(), person),
            Step::Update(id, person) => (Some(*id), person),
            Step::Unchanged | Step::Refused(_) => continue,
        };
        let class = person
            .class
            .as_deref()
            .and_then(|name| world.class(name).or(new.get(&plan::folded(name)).copied()));
        let (Some(id), Some(class)) = (id, class) else { continue };
        joined.entry(class).or_default().push(id);
        for class in &person.leaves {
            left.entry(*class).or_default().push(id);
        }
    }
    for (class, students) in left {
        classes::leave(tx, who.institution, class, &students, today).await?;
    }
    for (class, students) in joined {
        classes::join(tx, app, who.institution, class, &students, today).await?;
    }
    Ok(new.into_values().collect())
}

/// Somebody took a number or an address, or removed an account, between the check and the write. Nothing was written.
fn overtaken() -> Fail {
    Fail::conflict("Data berubah saat impor berjalan. Silakan ulangi")
}

//! Import of people from a spreadsheet: a list of one's own, or Dapodik's list of students.
//!
//! What always holds:
//! - all or nothing: one row that is refused refuses the file, and every refused row is named at once;
//! - a preview (`dry_run`) is the same decision, and writes nothing;
//! - a person is known by his number; who is there already keeps his role, his password and what the file leaves blank;
//! - nobody of another school is changed or told of: his number is taken, as it is for everybody else;
//! - of two imports at once the second sees what the first did; the same file twice changes nothing.
//!
//! A new account whose row has no password gets one that nobody knows: its owner signs in once an administrator gave him
//! another. Students need none to be recorded by their cards.

use std::collections::{BTreeMap, HashMap, HashSet};

use aide::axum::{ApiRouter, routing::post_with};
use axum::extract::{DefaultBodyLimit, Multipart, State, multipart::MultipartRejection};
use hadir_shared::{
    ids::{ClassId, UserId},
    time::SchoolDay,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    classes,
    dialect::{self, Told, Unfit},
    permits::WriteUsers,
    roster, settings,
};
use crate::{
    app::App,
    db::{Cloud, ResultExt as _, Tx},
    fail::{Fail, Flaw, Problem},
    http::{Allowed, Member, Params, describe::says},
    identity::{Entry as Audited, audit},
    sheet::{self, MOST_BYTES},
};

mod layout;
mod plan;
mod store;
#[cfg(test)]
mod tests;
mod upload;

use layout::Entry;
use plan::{Known, Person, Row, Step, World};
use upload::{Asked, Upload};

/// A file, and what multipart puts around it.
const BODY_LIMIT: usize = MOST_BYTES + 64 * 1024;
/// Rows of an answer; the counts are of all.
const MOST_SHOWN: usize = 200;
/// Passwords of one file: hashing them takes seconds, which is as long as a request may take.
const MOST_PASSWORDS: usize = 500;
/// Hashes of one import at a time, so that people who sign in meanwhile wait for one or two.
const HASHES_AT_ONCE: usize = 2;

pub fn routes() -> ApiRouter<App> {
    let import = post_with(import, says("Import people from a CSV or XLSX file, all or nothing"));
    ApiRouter::new().api_route("/users/import", import.layer(DefaultBodyLimit::max(BODY_LIMIT)))
}

/// What an import does, or would do.
#[derive(Debug, Serialize, JsonSchema)]
struct Report {
    dry_run: bool,
    total: usize,
    created: usize,
    updated: usize,
    unchanged: usize,
    refused: usize,
    /// The names of new classes.
    classes_created: Vec<String>,
    /// The refused rows, then those that are created or updated; [`MOST_SHOWN`] at most.
    rows: Vec<Shown>,
    /// Such rows beyond those.
    rows_left_out: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ImportedRow")]
struct Shown {
    /// As a spreadsheet counts it: the first is 1.
    row: u64,
    action: &'static str,
    nisn_nip_nik: String,
    name: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    errors: BTreeMap<String, Vec<String>>,
}

async fn import(
    State(app): State<App>,
    who: Allowed<WriteUsers>,
    Params(asked): Params<Asked>,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Result<Told<Report>, Unfit<Report>>, Fail> {
    let Upload { file, dry_run, creates_classes } = upload::read(form, asked).await?;
    let entries = entries(file).await?;
    let elsewhere = Elsewhere::read(&app, &who, &entries).await?;
    let mut tx = app.db.read(who.institution).await?;
    let today = settings::load(&mut tx, who.institution).await?.schedule.zone.day(app.now());
    let world = world(&mut tx, &who, &entries, &elsewhere, today, creates_classes).await?;
    drop(tx);
    let rows = plan::plan(entries.clone(), &world);
    if dry_run {
        return Ok(Ok(Told("Pratinjau impor; tidak ada yang disimpan".into(), report(&rows, &world, true))));
    }
    if is_refused(&rows) {
        return Ok(Err(unfit(&rows, &world)));
    }
    let hashes = Hashes::of(&app, &rows).await?;

    let mut tx = app.db.write(who.institution).await?;
    store::lock(&mut tx, who.institution).await?;
    let world = self::world(&mut tx, &who, &entries, &elsewhere, today, creates_classes).await?;
    let rows = plan::plan(entries, &world);
    if is_refused(&rows) {
        return Ok(Err(unfit(&rows, &world)));
    }
    let report = report(&rows, &world, false);
    apply(&mut tx, &app, &who, &rows, &world, &hashes, today).await?;
    let entry = Audited::new(who.actor(), "user.import", format!("institution:{}", who.institution));
    let counts = json!({"created": report.created, "updated": report.updated, "unchanged": report.unchanged});
    audit(&mut tx, &app, &entry.of(who.institution).after(counts)).await?;
    tx.commit().await?;
    app.identity.forget();
    let said = format!("Impor selesai: {} baru, {} diperbarui", report.created, report.updated);
    Ok(Ok(Told(said, report)))
}

async fn entries(file: Vec<u8>) -> Result<Vec<Entry>, Fail> {
    let flaw = |text: String| Fail::invalid("file", Flaw::Said(text.into()));
    let table = sheet::read(file).await?.map_err(|unreadable| flaw(unreadable.to_string()))?;
    let entries = layout::read(&table)
        .ok_or_else(|| flaw("judul kolom NISN/NIP/NIK dan Nama tidak ditemukan".into()))?;
    let passwords = entries.iter().filter(|entry| entry.password.is_some()).count();
    if passwords > MOST_PASSWORDS {
        return Err(flaw(format!("file berisi lebih dari {MOST_PASSWORDS} kata sandi")));
    }
    if entries.is_empty() { Err(flaw("file tidak berisi data".into())) } else { Ok(entries) }
}

/// What is taken outside of the school, read before anything is locked. Whoever takes it later makes the import fail.
#[derive(Debug)]
struct Elsewhere {
    numbers: HashSet<String>,
    emails: HashMap<String, Option<UserId>>,
}

impl Elsewhere {
    async fn read(app: &App, who: &Member, entries: &[Entry]) -> Result<Self, Fail> {
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

async fn world(
    tx: &mut Tx,
    who: &Member,
    entries: &[Entry],
    elsewhere: &Elsewhere,
    today: SchoolDay,
    makes_classes: bool,
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
        taken_numbers: elsewhere.numbers.clone(),
        emails: elsewhere.emails.clone(),
        classes: classes.into_iter().map(|class| (plan::folded(&class.name), class.id)).collect(),
        makes_classes,
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
            classes: memberships.remove(&person.id).unwrap_or_default(),
            is_above: above.contains(&person.id),
        };
        world.people.insert(person.nisn_nip_nik, known);
    }
    Ok(world)
}

/// What the passwords of a file are stored as.
struct Hashes {
    given: HashMap<String, String>,
    /// Of a password that nobody knows, this import's own.
    unknown: String,
}

impl Hashes {
    /// Hashed before anything is locked, by number. Only new accounts get one.
    async fn of(app: &App, rows: &[Row]) -> Result<Self, Fail> {
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

async fn apply(
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

/// The names of classes that are not there yet, each once, as the file spells it first.
fn new_classes(rows: &[Row], world: &World) -> Vec<String> {
    let mut seen = HashSet::new();
    let name = |row: &Row| match &row.step {
        Step::Create(person) | Step::Update(_, person) => person.class.clone(),
        Step::Unchanged | Step::Refused(_) => None,
    };
    rows.iter()
        .filter_map(name)
        .filter(|name| world.class(name).is_none() && seen.insert(plan::folded(name)))
        .collect()
}

fn is_refused(rows: &[Row]) -> bool {
    rows.iter().any(|row| matches!(row.step, Step::Refused(_)))
}

fn report(rows: &[Row], world: &World, dry_run: bool) -> Report {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for row in rows {
        *counts.entry(row.step.name()).or_default() += 1;
    }
    let count = |action| counts.get(action).copied().unwrap_or_default();
    let telling = rows.len() - count("unchanged");
    let mut shown: Vec<&Row> = rows.iter().filter(|row| !matches!(row.step, Step::Unchanged)).collect();
    shown.sort_by_key(|row| !matches!(row.step, Step::Refused(_)));
    Report {
        dry_run,
        total: rows.len(),
        created: count("created"),
        updated: count("updated"),
        unchanged: count("unchanged"),
        refused: count("refused"),
        classes_created: new_classes(rows, world),
        rows: shown.into_iter().take(MOST_SHOWN).map(Shown::from).collect(),
        rows_left_out: telling.saturating_sub(MOST_SHOWN),
    }
}

/// Every flaw under the row and field it is in: `rows.7.email`.
fn unfit(rows: &[Row], world: &World) -> Unfit<Report> {
    let refused = rows.iter().filter_map(|row| match &row.step {
        Step::Refused(problems) => Some((row.row, problems)),
        _ => None,
    });
    let errors = refused.take(MOST_SHOWN).flat_map(|(row, problems)| {
        dialect::errors(problems)
            .into_iter()
            .map(move |(field, texts)| (format!("rows.{row}.{field}"), texts))
    });
    Unfit(errors.collect(), report(rows, world, false))
}

impl Step {
    const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "created",
            Self::Update(..) => "updated",
            Self::Unchanged => "unchanged",
            Self::Refused(_) => "refused",
        }
    }
}

impl From<&Row> for Shown {
    fn from(row: &Row) -> Self {
        let problems: &[Problem] = match &row.step {
            Step::Refused(problems) => problems,
            _ => &[],
        };
        Self {
            row: row.row,
            action: row.step.name(),
            nisn_nip_nik: row.number.clone(),
            name: row.name.clone(),
            errors: dialect::errors(problems)
                .into_iter()
                .map(|(field, texts)| (field.to_owned(), texts))
                .collect(),
        }
    }
}

/// Somebody took a number or an address, or removed an account, between the check and the write. Nothing was written.
fn overtaken() -> Fail {
    Fail::conflict("Data berubah saat impor berjalan. Silakan ulangi")
}

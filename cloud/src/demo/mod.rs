//! `hadir-cloud demo`: two schools with everything in them, to look at and to try things on.
//!
//! What always holds: it loads into a database without users or not at all; all of it is one transaction; it depends on
//! nothing but the time and [`hadir_shared::demo`], which a box that stands alone and the tests use too. Its attendance goes
//! through the books, like everybody's.

use std::collections::{BTreeMap, BTreeSet};

use hadir_shared::{
    card::Card,
    demo::{self, School},
    ids::{ClassId, InstitutionId, UserId},
    time::{Millis, SchoolDay},
    wire::roster::Role,
};

use crate::{
    app::App,
    attendance::{absences, books, holidays, roster, settings},
    db::{Cloud, Tx},
    fail::Fail,
    identity::{Actor, NewUser, seed, user},
};

mod history;
mod store;
#[cfg(test)]
mod tests;

/// Candidates in one call of the books; more would bind too many values.
const AT_ONCE: usize = 500;

/// How much of a demo: the default is to look at, a larger one to measure with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Students in each class.
    pub class_size: usize,
    /// Days of attendance before today.
    pub days: u64,
}

impl Default for Size {
    fn default() -> Self {
        Self { class_size: demo::CLASS_SIZE, days: 30 }
    }
}

/// What was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub schools: usize,
    pub people: usize,
    pub records: usize,
}

/// A school of the demo, once it is in the database.
struct Placed<'s> {
    id: InstitutionId,
    school: &'s School,
    /// By number.
    people: BTreeMap<&'s str, UserId>,
    classes: Vec<ClassId>,
    today: SchoolDay,
}

impl Placed<'_> {
    fn person(&self, number: &str) -> Result<UserId, Fail> {
        Ok(*self
            .people
            .get(number)
            .ok_or_else(|| anyhow::anyhow!("the demo has nobody with the number {number}"))?)
    }
}

/// Loads everything. [`Fail::Conflict`] when the database has users already; then, as after any failure, nothing was loaded.
pub async fn load(app: &App, size: Size) -> Result<Loaded, Fail> {
    let hash = app.identity.hasher().hash(&app.ids, demo::PASSWORD).await?;
    let mut tx = app.db.write(Cloud).await?;
    if store::has_users(&mut tx).await? {
        return Err(Fail::conflict("the database has users already; the demo only loads into an empty one"));
    }
    let mut loaded = Loaded { schools: 0, people: 0, records: 0 };
    for school in demo::schools_of(size.class_size) {
        let placed = place(&mut tx, app, &school, &hash).await?;
        loaded.schools += 1;
        loaded.people += placed.people.len();
        loaded.records += fill(&mut tx, app, &placed, size.days).await?;
        roster::touch_everything(&mut tx, app, placed.id).await?;
    }
    super_admin(&mut tx, app, &hash).await?;
    loaded.people += 1;
    tx.commit().await?;
    app.identity.forget();
    Ok(loaded)
}

/// The school, its settings and keys, its people in the order of the demo, and its classes.
async fn place<'s>(tx: &mut Tx, app: &App, school: &'s School, hash: &str) -> Result<Placed<'s>, Fail> {
    let services: Vec<_> = seed::SERVICES.iter().map(|(code, _)| *code).collect();
    let id = user::create_institution(tx, app, Actor::System, school.code, school.name, &services).await?;
    settings::put_texts(tx, app, id, &school.settings()).await?;
    roster::ensure_keys(tx, app, id).await?;
    let mut people = BTreeMap::new();
    for person in &school.people {
        let email = format!("{}@{}.example", person.number, school.code.to_lowercase());
        let new = NewUser {
            institution: Some(id),
            number: Some(&person.number),
            name: &person.name,
            email: Some(&email),
            password_hash: hash,
            ..NewUser::default()
        };
        let taken = Fail::conflict(format!("the number {} is taken", person.number));
        let user = user::create(tx, app, Actor::System, &new, taken).await?;
        user::set_role(tx, app, Actor::System, user, person.role.id()).await?;
        people.insert(person.number.as_str(), user);
    }
    let today = settings::load(tx, id).await?.schedule.zone.day(app.now());
    let mut placed = Placed { id, school, people, classes: Vec::new(), today };
    for class in &school.classes {
        let teacher = placed.person(&class.homeroom)?;
        placed.classes.push(store::insert_class(tx, id, class.name, teacher, app.now()).await?);
    }
    Ok(placed)
}

/// Who is in which class, the cards, the calendar, and what happened in the last month.
async fn fill(tx: &mut Tx, app: &App, placed: &Placed<'_>, days: u64) -> Result<usize, Fail> {
    let now = app.now();
    let since = SchoolDay::first_of(placed.today.academic_year()).unwrap_or(placed.today);
    for person in placed.school.students() {
        let student = placed.person(&person.number)?;
        if let Some(class) = person.class.and_then(|index| placed.classes.get(index)) {
            store::insert_membership(tx, placed.id, *class, student, since, now).await?;
        }
        card(tx, app, placed.id, student, &person.number).await?;
    }
    let this_year = chrono::Datelike::year(&placed.today.0);
    for year in this_year - 1..=this_year + 1 {
        holidays::prefill_year(tx, placed.id, year, now).await?;
    }
    announcements(tx, placed, now).await?;
    let excused = leaves(tx, placed, now).await?;
    records(tx, app, placed, &excused, days).await
}

/// A first card whose plain code is the same on every machine, and is not the student's number.
async fn card(
    tx: &mut Tx,
    app: &App,
    school: InstitutionId,
    student: UserId,
    number: &str,
) -> Result<(), Fail> {
    let (epoch, key) = roster::card_key(tx, app, school).await?;
    let signed =
        Card { institution: school, student, serial: 1, epoch }.sign(&key).map_err(anyhow::Error::from)?;
    Ok(store::insert_card(tx, school, student, &history::plain_code(number), &signed, app.now()).await?)
}

async fn announcements(tx: &mut Tx, placed: &Placed<'_>, now: Millis) -> Result<(), Fail> {
    let first = |role| placed.school.people.iter().find(|person| person.role == role);
    let Some(head) = first(Role::KepalaSekolah) else { return Ok(()) };
    let author = placed.person(&head.number)?;
    for (age_days, title, content, published) in history::ANNOUNCEMENTS {
        let at = now.plus_seconds(-age_days * 24 * 3600);
        store::insert_announcement(tx, placed.id, title, content, author, *published, at).await?;
    }
    Ok(())
}

/// Enters the leaves and answers the days on which somebody is excused.
async fn leaves(
    tx: &mut Tx,
    placed: &Placed<'_>,
    now: Millis,
) -> Result<BTreeSet<(UserId, SchoolDay)>, Fail> {
    let first = |role| placed.school.people.iter().find(|person| person.role == role);
    let Some(head) = first(Role::KepalaSekolah) else { return Ok(BTreeSet::new()) };
    let head = placed.person(&head.number)?;
    let mut excused = BTreeSet::new();
    for leave in history::leaves(placed.school, placed.today) {
        let user = placed.person(&leave.number)?;
        let approved = leave.approved.then_some(head);
        store::insert_leave(tx, placed.id, user, &leave, approved, now).await?;
        if leave.approved {
            excused.extend(leave.days().map(|day| (user, day)));
        }
    }
    Ok(excused)
}

/// Comings and goings, up to yesterday, and who stayed away.
async fn records(
    tx: &mut Tx,
    app: &App,
    placed: &Placed<'_>,
    excused: &BTreeSet<(UserId, SchoolDay)>,
    days: u64,
) -> Result<usize, Fail> {
    let settings = settings::load(tx, placed.id).await?;
    let first = placed.today.0.checked_sub_days(chrono::Days::new(days)).map_or(placed.today, SchoolDay);
    let off = holidays::between(tx, placed.id, first, placed.today).await?;
    let mut candidates = Vec::new();
    for ago in (1..=days).rev() {
        let Some(day) = placed.today.0.checked_sub_days(chrono::Days::new(ago)).map(SchoolDay) else {
            continue;
        };
        if !settings.school_days.include(day, &off) {
            continue;
        }
        for person in placed.school.people.iter().filter(|person| person.role.attends()) {
            let user = placed.person(&person.number)?;
            if !excused.contains(&(user, day)) {
                let class = person.class.and_then(|index| placed.classes.get(index)).copied();
                candidates.extend(history::day_of(person, user, class, day, &settings, &app.ids));
            }
        }
    }
    let mut entered = 0;
    for part in candidates.chunks(AT_ONCE) {
        let outcomes = books::project(tx, placed.id, part, app.now()).await?;
        entered += outcomes.iter().filter(|outcome| matches!(outcome, books::Outcome::Stored { .. })).count();
    }
    absences::mark_since(tx, app, placed.id, first).await?;
    Ok(entered)
}

/// Belongs to no school, and may make them.
async fn super_admin(tx: &mut Tx, app: &App, hash: &str) -> Result<(), Fail> {
    let new = NewUser {
        username: Some("super_admin"),
        name: "Super Admin",
        email: Some("super_admin@hadir.example"),
        password_hash: hash,
        ..NewUser::default()
    };
    let id = user::create(tx, app, Actor::System, &new, Fail::conflict("super_admin is taken")).await?;
    user::set_role(tx, app, Actor::System, id, seed::SUPER_ADMIN).await
}

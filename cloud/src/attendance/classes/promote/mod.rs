//! A school year on: who was in a class is put into its next one.
//!
//! What always holds:
//! - all or nothing, and of two at once the second sees what the first did;
//! - who is in any class of the new year already stays where he is: the same request twice moves nobody twice, and what was
//!   put right by hand in between stands;
//! - nobody is taken out of last year's class: that year's books keep it. Whoever leaves the school is in none of the new year;
//! - a preview (`dry_run`) is the same decision, and writes nothing.

use std::collections::{BTreeMap, HashSet};

use aide::axum::{ApiRouter, routing::post_with};
use axum::extract::State;
use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    time::SchoolDay,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{find, store as classes};
use crate::{
    app::App,
    attendance::{dialect::Told, permits::WriteClasses, roster, settings},
    db::Tx,
    fail::{Fail, Flaw},
    http::{Allowed, Body, Check, Member, Patch, describe::says},
    identity::{Entry, audit},
};

mod next;
mod store;
#[cfg(test)]
mod tests;

pub use next::{Next, next};
pub use store::sizes;

/// Classes in one request: more than any school has.
const MOST_CLASSES: usize = 300;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new().api_route(
        "/classes/promote",
        post_with(promote, says("Put every class into its next for a new year")),
    )
}

#[derive(Deserialize, JsonSchema)]
struct Asked {
    /// The academic year that ends, by the year it began: this one or the last.
    from_year: Option<i64>,
    moves: Option<Vec<Move>>,
    /// Says what would be done, and does nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Where a class goes.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
struct Move {
    class_id: ClassId,
    /// `null`: its students leave the school. Never left out: nobody graduates by an oversight.
    #[serde(default)]
    to_class_id: Patch<ClassId>,
}

impl Move {
    fn to(&self) -> Option<ClassId> {
        self.to_class_id.value().copied()
    }
}

/// What was done with one class, or would be.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PromotedClass")]
pub struct Line {
    pub class_id: ClassId,
    pub to_class_id: Option<ClassId>,
    /// Active students who are in it to the end of the year.
    pub students: usize,
    pub moved: usize,
    pub graduated: usize,
    /// Were in a class of the new year already.
    pub already_placed: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Promoted {
    dry_run: bool,
    from_year: i64,
    to_year: i64,
    moved: usize,
    graduated: usize,
    already_placed: usize,
    classes: Vec<Line>,
}

/// Who goes where, of whom it was asked.
#[derive(Debug, Default)]
struct Plan {
    lines: Vec<Line>,
    joins: BTreeMap<ClassId, Vec<UserId>>,
}

async fn promote(
    State(app): State<App>,
    who: Allowed<WriteClasses>,
    Body(asked): Body<Asked>,
) -> Result<Told<Promoted>, Fail> {
    let dry_run = asked.dry_run;
    let mut tx =
        if dry_run { app.db.read(who.institution).await? } else { app.db.write(who.institution).await? };
    if !dry_run {
        store::lock(&mut tx, who.institution).await?;
    }
    let today = settings::load(&mut tx, who.institution).await?.schedule.zone.day(app.now());
    let (year, moves) = read(asked, today)?;
    known(&mut tx, who.institution, &moves).await?;
    let students = store::students(&mut tx, who.institution, year).await?;
    let placed = store::placed(&mut tx, who.institution, year + 1).await?;
    let plan = plan(&moves, &students, &placed.into_iter().collect());
    let promoted = told(&plan, year, dry_run);
    if dry_run {
        return Ok(Told("Pratinjau kenaikan kelas; tidak ada yang disimpan".into(), promoted));
    }
    apply(&mut tx, &app, &who, &plan, year).await?;
    note(&mut tx, &app, &who, &promoted).await?;
    tx.commit().await?;
    let said = format!("{} siswa naik kelas, {} lulus", promoted.moved, promoted.graduated);
    Ok(Told(said, promoted))
}

fn read(asked: Asked, today: SchoolDay) -> Result<(i64, Vec<Move>), Fail> {
    let mut check = Check::new();
    let this = today.academic_year();
    let year = check.required("from_year", asked.from_year);
    if asked.from_year.is_some() {
        check.range("from_year", year, this - 1..=this);
    }
    let moves = check.required("moves", asked.moves.filter(|moves| !moves.is_empty()));
    let too_many = Flaw::Said(format!("moves paling banyak {MOST_CLASSES}").into());
    check.that(moves.len() <= MOST_CLASSES, "moves", too_many);
    let once: HashSet<_> = moves.iter().map(|one| one.class_id).collect();
    let twice = Flaw::Said("moves menyebut satu kelas dua kali".into());
    check.that(once.len() == moves.len(), "moves", twice);
    let says_where = moves.iter().all(|one| one.to_class_id.changes());
    check.that(says_where, "to_class_id", Flaw::Missing);
    check.finish()?;
    Ok((year, moves))
}

/// That every class that is named is the school's.
async fn known(tx: &mut Tx, institution: InstitutionId, moves: &[Move]) -> Result<(), Fail> {
    let own: HashSet<_> = classes::all(tx, institution).await?.into_iter().map(|class| class.id).collect();
    let mut foreign = None;
    for one in moves {
        foreign =
            foreign.or([Some(one.class_id), one.to()].into_iter().flatten().find(|id| !own.contains(id)));
    }
    match foreign {
        // As for a class in the path.
        Some(id) => find(tx, institution, id).await.map(drop),
        None => Ok(()),
    }
}

/// `students`: who is in which class to the end of the year, each once. `placed`: who is in a class of the new one.
fn plan(moves: &[Move], students: &[(UserId, ClassId)], placed: &HashSet<UserId>) -> Plan {
    let mut plan = Plan::default();
    for one in moves {
        let own = || students.iter().filter(|(_, class)| *class == one.class_id).map(|(student, _)| *student);
        let free: Vec<UserId> = own().filter(|student| !placed.contains(student)).collect();
        let students = own().count();
        let (promoted, graduated) = if one.to().is_some() { (free.len(), 0) } else { (0, free.len()) };
        plan.lines.push(Line {
            class_id: one.class_id,
            to_class_id: one.to(),
            students,
            moved: promoted,
            graduated,
            already_placed: students - free.len(),
        });
        if let Some(to) = one.to() {
            plan.joins.entry(to).or_default().extend(free);
        }
    }
    plan
}

fn told(plan: &Plan, from_year: i64, dry_run: bool) -> Promoted {
    let sum = |of: fn(&Line) -> usize| plan.lines.iter().map(of).sum();
    let same = |line: &Line| Line { ..*line };
    Promoted {
        dry_run,
        from_year,
        to_year: from_year + 1,
        moved: sum(|line| line.moved),
        graduated: sum(|line| line.graduated),
        already_placed: sum(|line| line.already_placed),
        classes: plan.lines.iter().map(same).collect(),
    }
}

async fn apply(tx: &mut Tx, app: &App, who: &Member, plan: &Plan, year: i64) -> Result<(), Fail> {
    let to_year = year + 1;
    let from = SchoolDay::first_of(to_year).ok_or_else(|| Fail::invalid("from_year", Flaw::NoSuch))?;
    for (class, students) in &plan.joins {
        classes::assign(tx, who.institution, *class, students, to_year, from, app.now()).await?;
    }
    let moved = plan.joins.values().flatten().copied().collect::<Vec<_>>();
    roster::touch_people(tx, app, who.institution, &moved).await
}

/// Nothing is noted where nobody was moved: it was done before.
async fn note(tx: &mut Tx, app: &App, who: &Member, promoted: &Promoted) -> Result<(), Fail> {
    if promoted.moved == 0 {
        return Ok(());
    }
    let subject = format!("institution:{}", who.institution);
    let entry = Entry::new(who.actor(), "class.promote", subject).of(who.institution);
    audit(tx, app, &entry.after(json!(promoted))).await
}

//! The write side of classes: administrators only.
//!
//! What always holds: the homeroom teacher is a teacher of the same school; only the school's own students who
//! are active are put into a class, and into one class and year once at a time; who leaves a class has been in it, and a class that somebody is or was in
//! stays, because records and recaps name it; every change travels to the boxes.
//!
//! Assigning moves nobody, unless it is asked to: else who is to change classes is removed from the one and assigned to the
//! other. Where somebody is in two, his records are of the one he came to last.

use std::collections::{BTreeMap, BTreeSet};

use aide::axum::{
    ApiRouter,
    routing::{post_with, put_with},
};
use axum::extract::State;
use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    time::SchoolDay,
    wire::roster::Role,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Class, Membership, Shown, find, store, store::Left, unknown, with_teachers};
use crate::{
    app::App,
    attendance::{
        dialect::{Created, Done, Said, Told},
        people::{self, Person},
        permits::WriteClasses,
        roster, settings,
    },
    db::{ResultExt as _, Tx},
    fail::{Fail, Flaw},
    http::{Allowed, Body, Check, Patch, Segment, describe::says},
    identity::{Entry, audit},
};

#[cfg(test)]
mod tests;

/// Characters of a class's name.
pub const NAME_MAX: usize = 50;
/// Students in one request: more than any class has.
const MOST_STUDENTS: usize = 500;
const YEARS: std::ops::RangeInclusive<i64> = 2000..=2100;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/classes", post_with(create, says("Make a class")))
        .api_route(
            "/classes/{id}",
            put_with(update, says("Change a class"))
                .delete_with(delete, says("Delete a class without students")),
        )
        .api_route("/classes/{id}/assign-students", post_with(assign, says("Put students into a class")))
        .api_route("/classes/{id}/remove-students", post_with(remove, says("Take students out of a class")))
}

#[derive(Deserialize, JsonSchema)]
struct New {
    name: Option<String>,
    homeroom_teacher_id: Option<UserId>,
}

#[derive(Deserialize, JsonSchema)]
struct Change {
    name: Option<String>,
    #[serde(default)]
    homeroom_teacher_id: Patch<UserId>,
}

#[derive(Deserialize, JsonSchema)]
struct Group {
    student_ids: Option<Vec<UserId>>,
    academic_year: Option<i64>,
    /// The first day in the class, when assigning. Unless said: today, or in another year than this one its first day.
    effective_from: Option<SchoolDay>,
    /// When assigning: takes them out of other classes of that year, from the same day on. Beyond the documents.
    #[serde(default)]
    moves: bool,
}

#[derive(Serialize, JsonSchema)]
struct Assigned {
    class: Shown,
    assigned_students: Vec<Membership>,
}

#[derive(Serialize, JsonSchema)]
struct Removed {
    class: Class,
    removed_count: u64,
}

async fn create(
    State(app): State<App>,
    who: Allowed<WriteClasses>,
    Body(new): Body<New>,
) -> Result<Created<Shown>, Fail> {
    let mut check = Check::new();
    let name = check.line("name", new.name, 1..=NAME_MAX);
    check.finish()?;
    let mut tx = app.db.write(who.institution).await?;
    if let Some(teacher) = new.homeroom_teacher_id {
        teaches(&mut tx, who.institution, teacher).await?;
    }
    let id = store::insert(&mut tx, who.institution, &name, new.homeroom_teacher_id, app.now())
        .await
        .on_taken(taken())?;
    roster::touch_class(&mut tx, &app, who.institution, id).await?;
    let made = shown(&mut tx, who.institution, id).await?;
    let entry = Entry::new(who.actor(), "class.create", subject(id)).of(who.institution);
    audit(&mut tx, &app, &entry.after(json!(made.class))).await?;
    tx.commit().await?;
    Ok(Created("Kelas berhasil dibuat", made))
}

async fn update(
    State(app): State<App>,
    who: Allowed<WriteClasses>,
    Segment(id): Segment<ClassId>,
    Body(new): Body<Change>,
) -> Result<Said<Shown>, Fail> {
    let mut check = Check::new();
    let name = check.optional_line("name", new.name, 1..=NAME_MAX);
    check.finish()?;
    let teacher = new.homeroom_teacher_id;
    let mut tx = app.db.write(who.institution).await?;
    let before = find(&mut tx, who.institution, id).await?;
    if let Patch::Set(teacher) = teacher {
        teaches(&mut tx, who.institution, teacher).await?;
    }
    store::update(&mut tx, who.institution, id, name.as_deref(), teacher, app.now())
        .await
        .on_taken(taken())?;
    roster::touch_class(&mut tx, &app, who.institution, id).await?;
    let after = shown(&mut tx, who.institution, id).await?;
    let entry = Entry::new(who.actor(), "class.update", subject(id)).of(who.institution);
    audit(&mut tx, &app, &entry.before(json!(before)).after(json!(after.class))).await?;
    tx.commit().await?;
    Ok(Said("Kelas berhasil diperbarui", after))
}

async fn delete(
    State(app): State<App>,
    who: Allowed<WriteClasses>,
    Segment(id): Segment<ClassId>,
) -> Result<Done, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    let before = find(&mut tx, who.institution, id).await?;
    let in_use = || Fail::conflict("Tidak dapat menghapus kelas yang masih memiliki siswa");
    if store::has_students(&mut tx, who.institution, id).await? {
        return Err(in_use());
    }
    // Somebody may be put into it right now: the foreign key sees that.
    if !store::delete_unused(&mut tx, who.institution, id).await.on_missing(in_use())? {
        return Err(Fail::conflict("Tidak dapat menghapus kelas yang memiliki riwayat absensi"));
    }
    roster::touch_class(&mut tx, &app, who.institution, id).await?;
    let entry = Entry::new(who.actor(), "class.delete", subject(id)).of(who.institution);
    audit(&mut tx, &app, &entry.before(json!(before))).await?;
    tx.commit().await?;
    Ok(Done("Kelas berhasil dihapus"))
}

async fn assign(
    State(app): State<App>,
    who: Allowed<WriteClasses>,
    Segment(id): Segment<ClassId>,
    Body(group): Body<Group>,
) -> Result<Told<Assigned>, Fail> {
    let (from, leaves_others) = (group.effective_from, group.moves);
    let (students, year) = read(group)?;
    let mut tx = app.db.write(who.institution).await?;
    let class = shown(&mut tx, who.institution, id).await?;
    let people = of_school(&mut tx, who.institution, &students).await?;
    let mut check = Check::new();
    for student in &students {
        let pupil = people.get(student).filter(|person| person.role() == Some(Role::Siswa));
        check.that(pupil.is_some(), "student_ids", Flaw::Said(no_student(*student).into()));
        let is_gone = pupil.is_some_and(|person| !person.is_active);
        check.that(!is_gone, "student_ids", Flaw::Said(format!("ID {student} sudah tidak aktif").into()));
    }
    check.finish()?;
    let today = today(&mut tx, &app, who.institution).await?;
    let usual = if today.academic_year() == year { Some(today) } else { SchoolDay::first_of(year) };
    let from = from.or(usual).unwrap_or(today);
    let left = if leaves_others {
        store::leave_others(&mut tx, who.institution, id, &students, year, from).await?
    } else {
        Left::default()
    };
    let assigned = store::assign(&mut tx, who.institution, id, &students, year, from, app.now()).await?;
    let moved: Vec<UserId> = assigned.iter().map(|one| UserId(one.student_id)).collect();
    roster::touch_people(&mut tx, &app, who.institution, &students).await?;
    let mut entry = Entry::new(who.actor(), "class.assign", subject(id)).of(who.institution);
    if left.count() > 0 {
        entry = entry.before(json!({"ended": left.ended, "deleted": left.deleted}));
    }
    let after = json!({"student_ids": moved, "academic_year": year, "effective_from": from});
    audit(&mut tx, &app, &entry.after(after)).await?;
    tx.commit().await?;
    let message = format!("{} siswa berhasil ditetapkan ke kelas", assigned.len());
    Ok(Told(message, Assigned { class, assigned_students: assigned }))
}

async fn remove(
    State(app): State<App>,
    who: Allowed<WriteClasses>,
    Segment(id): Segment<ClassId>,
    Body(group): Body<Group>,
) -> Result<Told<Removed>, Fail> {
    let (students, year) = read(group)?;
    let mut tx = app.db.write(who.institution).await?;
    let class = find(&mut tx, who.institution, id).await?;
    of_school(&mut tx, who.institution, &students).await?;
    let today = today(&mut tx, &app, who.institution).await?;
    let left = store::remove(&mut tx, who.institution, id, &students, year, today).await?;
    let removed_count = left.count();
    let removed: BTreeSet<i64> = left.all().map(|one| one.student_id).collect();
    roster::touch_people(&mut tx, &app, who.institution, &students).await?;
    if !removed.is_empty() {
        let entry = Entry::new(who.actor(), "class.remove", subject(id)).of(who.institution);
        let entry = entry.before(json!({"deleted": left.deleted}));
        let after = json!({"student_ids": removed, "academic_year": year, "left_on": today});
        audit(&mut tx, &app, &entry.after(after)).await?;
    }
    tx.commit().await?;
    Ok(Told(format!("{removed_count} siswa berhasil dihapus dari kelas"), Removed { class, removed_count }))
}

/// Each student once, in order.
fn read(group: Group) -> Result<(Vec<UserId>, i64), Fail> {
    let mut check = Check::new();
    let mut students = check.required("student_ids", group.student_ids.filter(|ids| !ids.is_empty()));
    check.that(
        students.len() <= MOST_STUDENTS,
        "student_ids",
        Flaw::Said(format!("student_ids paling banyak {MOST_STUDENTS}").into()),
    );
    let year = check.required("academic_year", group.academic_year);
    if group.academic_year.is_some() {
        check.range("academic_year", year, YEARS);
    }
    if let Some(day) = group.effective_from {
        let in_year = day.academic_year() == year;
        check.that(in_year, "effective_from", Flaw::Said("effective_from harus di tahun ajaran itu".into()));
    }
    check.finish()?;
    students.sort_unstable();
    students.dedup();
    Ok((students, year))
}

/// The school's people with these ids. An id of another school is as unknown as one that does not exist.
async fn of_school(
    tx: &mut Tx,
    institution: InstitutionId,
    ids: &[UserId],
) -> Result<BTreeMap<UserId, Person>, Fail> {
    let people = people::by_ids(tx, institution, ids.iter().copied()).await?;
    match ids.iter().find(|id| !people.contains_key(id)) {
        Some(id) => Err(Fail::not_found(no_student(*id))),
        None => Ok(people),
    }
}

async fn teaches(tx: &mut Tx, institution: InstitutionId, id: UserId) -> Result<(), Fail> {
    let person = people::by_id(tx, institution, id).await?;
    let person = person.ok_or_else(|| Fail::not_found("Guru tidak ditemukan"))?;
    if person.role() == Some(Role::Guru) && person.is_active {
        Ok(())
    } else {
        let said = Flaw::Said("Homeroom teacher harus merupakan seorang guru".into());
        Err(Fail::invalid("homeroom_teacher_id", said))
    }
}

/// In the school's zone.
async fn today(tx: &mut Tx, app: &App, institution: InstitutionId) -> Result<SchoolDay, Fail> {
    Ok(settings::load(tx, institution).await?.schedule.zone.day(app.now()))
}

async fn shown(tx: &mut Tx, institution: InstitutionId, id: ClassId) -> Result<Shown, Fail> {
    let class = find(tx, institution, id).await?;
    with_teachers(tx, institution, vec![class]).await?.pop().ok_or_else(unknown)
}

fn no_student(id: UserId) -> String {
    format!("ID {id} bukan milik seorang siswa")
}

fn taken() -> Fail {
    Fail::Taken { field: "name", message: "name sudah digunakan".into() }
}

fn subject(id: ClassId) -> String {
    format!("class:{id}")
}

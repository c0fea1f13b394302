//! Classes (*rombel*) and who is in them. Section 8 of the contract.
//!
//! What always holds: a class is seen by its own school only. Who is in a class is said per academic year, from a day and to a
//! day, and is never forgotten: last month's answer stays last month's.

use aide::axum::{ApiRouter, routing::get_with};
use axum::extract::State;
use chrono::NaiveDate;
use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    time::{Millis, SchoolDay},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::{
    dialect::{self, Data},
    export::file,
    people::{self, Person},
    permits::ReadClasses,
    settings,
};
use crate::{
    app::App,
    db::Tx,
    fail::Fail,
    http::{Allowed, Params, Segment, describe::says},
    sheet::{AsFile, Column, Columns, OrFile},
};

pub mod page;
mod placing;
mod promote;
mod store;
#[cfg(test)]
mod tests;
mod writes;

pub use placing::{add, all, join, leave, names_on, withdraw};
pub use writes::NAME_MAX;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/classes", get_with(list, says("The classes")))
        .api_route("/classes/{id}", get_with(show, says("A class")))
        .api_route("/classes/{id}/students", get_with(students, says("The students of a class")))
        .merge(writes::routes())
        .merge(promote::routes())
}

/// A row of `classes`.
#[derive(Debug, Clone, Serialize, FromRow, JsonSchema)]
pub struct Class {
    #[sqlx(try_from = "i64")]
    pub id: ClassId,
    pub name: String,
    pub homeroom_teacher_id: Option<i64>,
    #[sqlx(try_from = "i64")]
    #[serde(with = "dialect::Instant")]
    pub created_at: Millis,
    #[sqlx(try_from = "i64")]
    #[serde(with = "dialect::Instant")]
    pub updated_at: Millis,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ClassWithTeacher")]
struct Shown {
    #[serde(flatten)]
    class: Class,
    homeroom_teacher: Option<Person>,
}

#[derive(Deserialize, JsonSchema)]
struct Year {
    academic_year: Option<i64>,
}

/// That a student is, was or will be in a class in a year.
#[derive(Debug, Clone, Serialize, FromRow, JsonSchema)]
struct Membership {
    id: i64,
    student_id: i64,
    class_id: i64,
    academic_year: i64,
    /// The first day.
    joined_on: NaiveDate,
    /// The first day no more.
    left_on: Option<NaiveDate>,
    #[sqlx(try_from = "i64")]
    #[serde(with = "dialect::Instant")]
    created_at: Millis,
}

/// A class somebody is, was or will be in, with its name.
#[derive(Debug, Clone, FromRow)]
pub struct Placed {
    pub class_id: i64,
    pub name: String,
    pub academic_year: i64,
    pub joined_on: NaiveDate,
    pub left_on: Option<NaiveDate>,
}

impl Placed {
    /// Whether he is in it on a day.
    pub fn includes(&self, day: SchoolDay) -> bool {
        self.academic_year == day.academic_year()
            && self.joined_on <= day.0
            && self.left_on.is_none_or(|left| left > day.0)
    }
}

#[derive(Serialize, JsonSchema)]
struct Student {
    #[serde(flatten)]
    person: Person,
    student_classes: Vec<Membership>,
}

impl Columns for Student {
    const COLUMNS: &'static [Column<Self>] = &[
        ("NISN", |one| one.person.nisn_nip_nik.as_deref().into()),
        ("Nama", |one| one.person.name.as_str().into()),
        ("Email", |one| one.person.email.as_deref().into()),
        ("HP", |one| one.person.phone.as_deref().into()),
        ("Sejak", |one| one.student_classes.last().map(|membership| membership.joined_on).into()),
        ("Sampai", |one| one.student_classes.last().and_then(|membership| membership.left_on).into()),
    ];
}

#[derive(Serialize, JsonSchema)]
struct ClassWithStudents {
    class: Class,
    students: Vec<Student>,
}

async fn list(
    State(app): State<App>,
    who: Allowed<ReadClasses>,
    AsFile(format): AsFile,
) -> Result<OrFile<Data<Vec<Shown>>>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let classes = store::all(&mut tx, who.institution).await?;
    let classes = with_teachers(&mut tx, who.institution, classes).await?;
    match format {
        Some(format) => file(&mut tx, &app, who.institution, format, "kelas", classes).await,
        None => Ok(OrFile::Usual(Data(classes))),
    }
}

impl Columns for Shown {
    const COLUMNS: &'static [Column<Self>] = &[
        ("Nama", |shown| shown.class.name.as_str().into()),
        ("Wali kelas", |shown| shown.homeroom_teacher.as_ref().map(|one| one.name.as_str()).into()),
        ("NIP wali kelas", |shown| {
            shown.homeroom_teacher.as_ref().and_then(|one| one.nisn_nip_nik.as_deref()).into()
        }),
        ("Dibuat", |shown| shown.class.created_at.into()),
        ("Diubah", |shown| shown.class.updated_at.into()),
    ];
}

async fn show(
    State(app): State<App>,
    who: Allowed<ReadClasses>,
    Segment(id): Segment<ClassId>,
) -> Result<Data<Shown>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let class = find(&mut tx, who.institution, id).await?;
    let mut shown = with_teachers(&mut tx, who.institution, vec![class]).await?;
    Ok(Data(shown.pop().ok_or_else(unknown)?))
}

async fn students(
    State(app): State<App>,
    who: Allowed<ReadClasses>,
    Segment(id): Segment<ClassId>,
    Params(asked): Params<Year>,
    AsFile(format): AsFile,
) -> Result<OrFile<Data<ClassWithStudents>>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let class = find(&mut tx, who.institution, id).await?;
    let today = settings::load(&mut tx, who.institution).await?.schedule.zone.day(app.now());
    let year = asked.academic_year.unwrap_or_else(|| today.academic_year());
    let people = people::assigned_to(&mut tx, who.institution, id, year, today).await?;
    let memberships = store::memberships(&mut tx, who.institution, id, year, today).await?;
    let with_membership = |person: Person| {
        let own = memberships.iter().filter(|m| m.student_id == person.id.0).cloned();
        Student { student_classes: own.collect(), person }
    };
    let students = people.into_iter().map(with_membership).collect();
    match format {
        Some(format) => file(&mut tx, &app, who.institution, format, "siswa-kelas", students).await,
        None => Ok(OrFile::Usual(Data(ClassWithStudents { class, students }))),
    }
}

/// The school's class with this id. Another school's is as unknown as one that does not exist.
pub async fn find(tx: &mut Tx, institution: InstitutionId, id: ClassId) -> Result<Class, Fail> {
    store::by_id(tx, institution, id).await?.ok_or_else(unknown)
}

/// The classes somebody is the homeroom teacher of.
pub async fn of_teacher(
    tx: &mut Tx,
    institution: InstitutionId,
    teacher: UserId,
) -> Result<Vec<Class>, Fail> {
    Ok(store::of_teacher(tx, institution, teacher).await?)
}

/// The class a student is in on a day.
pub async fn of_student(
    tx: &mut Tx,
    institution: InstitutionId,
    student: UserId,
    day: SchoolDay,
) -> Result<Option<ClassId>, Fail> {
    Ok(store::of_student(tx, institution, student, day).await?)
}

/// Every class a student was ever in, the last first.
pub async fn history(tx: &mut Tx, institution: InstitutionId, student: UserId) -> Result<Vec<Placed>, Fail> {
    Ok(store::history(tx, institution, student).await?)
}

/// Whether a student is in this very class on a day.
pub async fn has_student(
    tx: &mut Tx,
    institution: InstitutionId,
    class: ClassId,
    student: UserId,
    day: SchoolDay,
) -> Result<bool, Fail> {
    Ok(store::has_student(tx, institution, class, student, day).await?)
}

/// Whether somebody is the homeroom teacher of a class the student was in on a day.
pub async fn leads(
    tx: &mut Tx,
    institution: InstitutionId,
    teacher: UserId,
    student: UserId,
    day: SchoolDay,
) -> Result<bool, Fail> {
    Ok(store::leads(tx, institution, teacher, student, day).await?)
}

async fn with_teachers(
    tx: &mut Tx,
    institution: InstitutionId,
    classes: Vec<Class>,
) -> Result<Vec<Shown>, Fail> {
    let ids = classes.iter().filter_map(|class| class.homeroom_teacher_id.map(UserId));
    let teachers = people::by_ids(tx, institution, ids).await?;
    let teacher = |class: &Class| class.homeroom_teacher_id.and_then(|id| teachers.get(&UserId(id)).cloned());
    Ok(classes.into_iter().map(|class| Shown { homeroom_teacher: teacher(&class), class }).collect())
}

fn unknown() -> Fail {
    Fail::not_found("Kelas tidak ditemukan")
}

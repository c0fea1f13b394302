//! Students placed by something else than the routes of classes: an import, the end of an account. Who calls touches the
//! people for the boxes, and writes the audit row of an import.

use std::collections::{BTreeSet, HashMap};

use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    time::SchoolDay,
};
use serde_json::json;

use super::{Class, store};
use crate::{
    app::App,
    db::{ResultExt as _, Tx},
    fail::Fail,
    identity::{Actor, Entry, audit},
};

/// The school's classes.
pub async fn all(tx: &mut Tx, institution: InstitutionId) -> Result<Vec<Class>, Fail> {
    Ok(store::all(tx, institution).await?)
}

/// The class each student is in on a day, by name; of several the one he came to last.
pub async fn names_on(
    tx: &mut Tx,
    institution: InstitutionId,
    day: SchoolDay,
) -> Result<HashMap<UserId, String>, Fail> {
    let rows = store::names_on(tx, institution, day).await?;
    Ok(rows.into_iter().map(|(student, name)| (UserId(student), name)).collect())
}

/// Makes a class without a homeroom teacher. Fails with [`Fail::Conflict`] when somebody else makes it at the same time.
pub async fn add(
    tx: &mut Tx,
    app: &App,
    by: Actor,
    institution: InstitutionId,
    name: &str,
) -> Result<ClassId, Fail> {
    let taken = Fail::conflict("Kelas dengan nama tersebut sudah ada");
    let id = store::insert(tx, institution, name, None, app.now()).await.on_taken(taken)?;
    let entry = Entry::new(by, "class.create", format!("class:{id}")).of(institution);
    audit(tx, app, &entry.after(json!({"name": name}))).await?;
    Ok(id)
}

/// Puts students of the school into a class, from a day on and for its academic year.
pub async fn join(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    class: ClassId,
    students: &[UserId],
    from: SchoolDay,
) -> Result<(), Fail> {
    store::assign(tx, institution, class, students, from.academic_year(), from, app.now()).await?;
    Ok(())
}

/// Takes students out of a class: from `day` on they are not in it.
pub async fn leave(
    tx: &mut Tx,
    institution: InstitutionId,
    class: ClassId,
    students: &[UserId],
    day: SchoolDay,
) -> Result<(), Fail> {
    store::remove(tx, institution, class, students, day.academic_year(), day).await?;
    Ok(())
}

/// Takes a student out of every class, those of years to come as well: from `day` on he is in none.
pub async fn withdraw(
    tx: &mut Tx,
    app: &App,
    by: Actor,
    institution: InstitutionId,
    student: UserId,
    day: SchoolDay,
) -> Result<(), Fail> {
    let left = store::withdraw(tx, institution, student, day).await?;
    if left.count() == 0 {
        return Ok(());
    }
    let classes: BTreeSet<i64> = left.all().map(|one| one.class_id).collect();
    let entry = Entry::new(by, "class.withdraw", format!("user:{student}")).of(institution);
    let entry = entry.before(json!({"class_ids": classes, "deleted": left.deleted}));
    audit(tx, app, &entry.after(json!({"ended": left.ended, "left_on": day}))).await
}

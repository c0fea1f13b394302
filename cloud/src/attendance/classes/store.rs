use hadir_shared::ids::{ClassId, InstitutionId, UserId};

use super::{Class, Membership};
use crate::db::Tx;

pub async fn all(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<Class>> {
    tx.query(
        "SELECT id, name, homeroom_teacher_id, created_at, updated_at FROM classes WHERE institution_id = $1 ORDER BY id",
    )
    .bind(institution.0)
    .all()
    .await
}

pub async fn by_id(tx: &mut Tx, institution: InstitutionId, id: ClassId) -> sqlx::Result<Option<Class>> {
    tx.query(
        "SELECT id, name, homeroom_teacher_id, created_at, updated_at FROM classes WHERE institution_id = $1 AND id = $2",
    )
    .bind(institution.0)
    .bind(id.0)
    .opt()
    .await
}

pub async fn memberships(
    tx: &mut Tx,
    institution: InstitutionId,
    class: ClassId,
    year: i64,
) -> sqlx::Result<Vec<Membership>> {
    tx.query(
        "SELECT id, student_id, class_id, academic_year, created_at FROM class_students
         WHERE institution_id = $1 AND class_id = $2 AND academic_year = $3",
    )
    .bind(institution.0)
    .bind(class.0)
    .bind(year)
    .all()
    .await
}

/// Somebody in two classes at once is counted to the one he came to last.
pub async fn of_student(
    tx: &mut Tx,
    institution: InstitutionId,
    student: UserId,
    year: i64,
) -> sqlx::Result<Option<ClassId>> {
    let row: Option<(i64,)> = tx
        .query(
            "SELECT class_id FROM class_students WHERE institution_id = $1 AND student_id = $2 AND academic_year = $3
             ORDER BY id DESC LIMIT 1",
        )
        .bind(institution.0)
        .bind(student.0)
        .bind(year)
        .opt()
        .await?;
    Ok(row.map(|(id,)| ClassId(id)))
}

pub async fn has_student(
    tx: &mut Tx,
    institution: InstitutionId,
    class: ClassId,
    student: UserId,
    year: i64,
) -> sqlx::Result<bool> {
    let row: Option<(i64,)> = tx
        .query(
            "SELECT id FROM class_students
             WHERE institution_id = $1 AND class_id = $2 AND student_id = $3 AND academic_year = $4",
        )
        .bind(institution.0)
        .bind(class.0)
        .bind(student.0)
        .bind(year)
        .opt()
        .await?;
    Ok(row.is_some())
}

use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    time::{Millis, SchoolDay},
};

use super::history::Leave;
use crate::db::Tx;

pub async fn has_users(tx: &mut Tx) -> sqlx::Result<bool> {
    let row: Option<(i64,)> = tx.query("SELECT id FROM users LIMIT 1").opt().await?;
    Ok(row.is_some())
}

pub async fn insert_class(
    tx: &mut Tx,
    institution: InstitutionId,
    name: &str,
    homeroom_teacher: UserId,
    now: Millis,
) -> sqlx::Result<ClassId> {
    let (id,): (i64,) = tx
        .query(
            "INSERT INTO classes (institution_id, name, homeroom_teacher_id, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $4) RETURNING id",
        )
        .bind(institution.0)
        .bind(name)
        .bind(homeroom_teacher.0)
        .bind(now.0)
        .one()
        .await?;
    Ok(ClassId(id))
}

pub async fn insert_membership(
    tx: &mut Tx,
    institution: InstitutionId,
    class: ClassId,
    student: UserId,
    since: SchoolDay,
    now: Millis,
) -> sqlx::Result<()> {
    tx.query(
        "INSERT INTO class_students (institution_id, class_id, student_id, academic_year, joined_on, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(institution.0)
    .bind(class.0)
    .bind(student.0)
    .bind(since.academic_year())
    .bind(since.0)
    .bind(now.0)
    .run()
    .await?;
    Ok(())
}

pub async fn insert_card(
    tx: &mut Tx,
    institution: InstitutionId,
    student: UserId,
    plain: &str,
    signed: &str,
    now: Millis,
) -> sqlx::Result<()> {
    tx.query(
        "INSERT INTO student_cards (institution_id, student_id, serial, qr_code, signed_code, is_active, generated_at,
            created_at, updated_at)
         VALUES ($1, $2, 1, $3, $4, TRUE, $5, $5, $5)",
    )
    .bind(institution.0)
    .bind(student.0)
    .bind(plain)
    .bind(signed)
    .bind(now.0)
    .run()
    .await?;
    Ok(())
}

pub async fn insert_announcement(
    tx: &mut Tx,
    institution: InstitutionId,
    title: &str,
    content: &str,
    author: UserId,
    published: bool,
    at: Millis,
) -> sqlx::Result<()> {
    tx.query(
        "INSERT INTO announcements (institution_id, title, content, author_id, is_published, published_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
    )
    .bind(institution.0)
    .bind(title)
    .bind(content)
    .bind(author.0)
    .bind(published)
    .bind(published.then_some(at.0))
    .bind(at.0)
    .run()
    .await?;
    Ok(())
}

/// `approved`: by whom; `None` leaves it waiting.
pub async fn insert_leave(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    leave: &Leave,
    approved: Option<UserId>,
    now: Millis,
) -> sqlx::Result<()> {
    tx.query(
        "INSERT INTO leaves (institution_id, user_id, leave_type, start_date, end_date, reason, status, approved_by,
            approved_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
    )
    .bind(institution.0)
    .bind(user.0)
    .bind(leave.kind)
    .bind(leave.first.0)
    .bind(leave.last.0)
    .bind(leave.reason)
    .bind(if approved.is_some() { "disetujui" } else { "menunggu" })
    .bind(approved.map(|id| id.0))
    .bind(approved.map(|_| now.0))
    .bind(now.0)
    .run()
    .await?;
    Ok(())
}

use chrono::NaiveDate;
use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    rules::status::Direction,
    time::SchoolDay,
};

use super::Row;
use crate::{db::Tx, http::Page};

pub async fn by_id(tx: &mut Tx, institution: InstitutionId, id: i64) -> sqlx::Result<Row> {
    tx.query("SELECT * FROM attendance WHERE institution_id = $1 AND id = $2")
        .bind(institution.0)
        .bind(id)
        .one()
        .await
}

pub async fn of_day(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    day: SchoolDay,
    direction: Direction,
) -> sqlx::Result<Option<Row>> {
    tx.query(
        "SELECT * FROM attendance WHERE institution_id = $1 AND user_id = $2 AND day = $3 AND type = $4 AND status <> 'alpha'",
    )
        .bind(institution.0)
        .bind(user.0)
        .bind(day.0)
        .bind(direction.as_str())
        .opt()
        .await
}

pub async fn count(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    (first, last): (Option<NaiveDate>, Option<NaiveDate>),
) -> sqlx::Result<i64> {
    let (count,) = tx
        .query(
            "SELECT COUNT(*) FROM attendance WHERE institution_id = $1 AND user_id = $2
             AND (CAST($3 AS DATE) IS NULL OR day >= $3) AND (CAST($4 AS DATE) IS NULL OR day <= $4)",
        )
        .bind(institution.0)
        .bind(user.0)
        .bind(first)
        .bind(last)
        .one()
        .await?;
    Ok(count)
}

pub async fn page(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    (first, last): (Option<NaiveDate>, Option<NaiveDate>),
    page: &Page,
) -> sqlx::Result<Vec<Row>> {
    tx.query(
        "SELECT * FROM attendance WHERE institution_id = $1 AND user_id = $2
         AND (CAST($3 AS DATE) IS NULL OR day >= $3) AND (CAST($4 AS DATE) IS NULL OR day <= $4)
         ORDER BY trusted_at DESC, id DESC LIMIT $5 OFFSET $6",
    )
    .bind(institution.0)
    .bind(user.0)
    .bind(first)
    .bind(last)
    .bind(page.per_page)
    .bind(page.offset())
    .all()
    .await
}

pub async fn present(
    tx: &mut Tx,
    institution: InstitutionId,
    class: ClassId,
    day: SchoolDay,
) -> sqlx::Result<Vec<(i64,)>> {
    tx.query(
        "SELECT a.user_id FROM attendance a
         WHERE a.institution_id = $1 AND a.day = $4 AND a.type = 'checkin' AND a.status <> 'alpha' AND a.user_id IN (
            SELECT s.student_id FROM class_students s
            WHERE s.institution_id = $1 AND s.class_id = $2 AND s.academic_year = $3
               AND s.joined_on <= $4 AND (s.left_on IS NULL OR s.left_on > $4))",
    )
    .bind(institution.0)
    .bind(class.0)
    .bind(day.academic_year())
    .bind(day.0)
    .all()
    .await
}

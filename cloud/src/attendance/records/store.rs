use chrono::NaiveDate;
use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    rules::status::Direction,
    time::SchoolDay,
};
use sqlx::FromRow;

use super::Row;
use crate::{db::Tx, http::Page};

pub async fn by_id(tx: &mut Tx, institution: InstitutionId, id: i64) -> sqlx::Result<Option<Row>> {
    tx.query("SELECT * FROM attendance a WHERE a.institution_id = $1 AND a.id = $2
            AND NOT EXISTS (SELECT 1 FROM attendance_voids v WHERE v.institution_id = $1 AND v.attendance_id = a.id)",
    )
        .bind(institution.0)
        .bind(id)
        .opt()
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
        "SELECT * FROM attendance a
         WHERE a.institution_id = $1 AND a.user_id = $2 AND a.day = $3 AND a.type = $4 AND a.status <> 'alpha'
            AND NOT EXISTS (SELECT 1 FROM attendance_voids v WHERE v.institution_id = $1 AND v.attendance_id = a.id)",
    )
        .bind(institution.0)
        .bind(user.0)
        .bind(day.0)
        .bind(direction.as_str())
        .opt()
        .await
}

/// How many rows [`page`] has in all.
pub async fn count(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    (first, last): (Option<NaiveDate>, Option<NaiveDate>),
) -> sqlx::Result<i64> {
    let (count,) = tx
        .query(
            "SELECT COUNT(*) FROM (
                SELECT s.day FROM attendance s WHERE s.institution_id = $1 AND s.user_id = $2 AND s.status <> 'alpha'
                    AND NOT EXISTS (SELECT 1 FROM attendance_voids v WHERE v.institution_id = $1 AND v.attendance_id = s.id)
                UNION ALL
                SELECT x.day FROM attendance x WHERE x.institution_id = $1 AND x.user_id = $2 AND x.status = 'alpha'
                    AND NOT EXISTS (SELECT 1 FROM attendance c WHERE c.institution_id = $1 AND c.user_id = $2
                        AND c.day = x.day AND c.type = x.type AND c.status <> 'alpha'
                        AND NOT EXISTS (SELECT 1 FROM attendance_voids v
                            WHERE v.institution_id = $1 AND v.attendance_id = c.id))
                    AND NOT EXISTS (SELECT 1 FROM holidays h WHERE h.institution_id = $1 AND h.day = x.day)) a
             WHERE (CAST($3 AS DATE) IS NULL OR a.day >= $3) AND (CAST($4 AS DATE) IS NULL OR a.day <= $4)",
        )
        .bind(institution.0)
        .bind(user.0)
        .bind(first)
        .bind(last)
        .one()
        .await?;
    Ok(count)
}

/// What was entered, and the absences that nothing supersedes. Two halves, because each has an index of its own.
pub async fn page(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    (first, last): (Option<NaiveDate>, Option<NaiveDate>),
    page: &Page,
) -> sqlx::Result<Vec<Row>> {
    tx.query(
        "SELECT * FROM (
            SELECT s.* FROM attendance s WHERE s.institution_id = $1 AND s.user_id = $2 AND s.status <> 'alpha'
                AND NOT EXISTS (SELECT 1 FROM attendance_voids v WHERE v.institution_id = $1 AND v.attendance_id = s.id)
            UNION ALL
            SELECT x.* FROM attendance x WHERE x.institution_id = $1 AND x.user_id = $2 AND x.status = 'alpha'
                AND NOT EXISTS (SELECT 1 FROM attendance c WHERE c.institution_id = $1 AND c.user_id = $2
                    AND c.day = x.day AND c.type = x.type AND c.status <> 'alpha'
                    AND NOT EXISTS (SELECT 1 FROM attendance_voids v
                        WHERE v.institution_id = $1 AND v.attendance_id = c.id))
                AND NOT EXISTS (SELECT 1 FROM holidays h WHERE h.institution_id = $1 AND h.day = x.day)) a
         WHERE (CAST($3 AS DATE) IS NULL OR a.day >= $3) AND (CAST($4 AS DATE) IS NULL OR a.day <= $4)
         ORDER BY a.trusted_at DESC, a.id DESC LIMIT $5 OFFSET $6",
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

/// A leave that was approved.
#[derive(FromRow)]
pub struct Excuse {
    pub leave_type: String,
    pub start_date: NaiveDate,
    pub end_date: NaiveDate,
}

/// Those that touch the days from `first` to `last`, in the order they were asked for.
pub async fn excuses(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    (first, last): (NaiveDate, NaiveDate),
) -> sqlx::Result<Vec<Excuse>> {
    tx.query(
        "SELECT leave_type, start_date, end_date FROM leaves
         WHERE institution_id = $1 AND user_id = $2 AND status = 'disetujui' AND start_date <= $4 AND end_date >= $3
         ORDER BY id",
    )
    .bind(institution.0)
    .bind(user.0)
    .bind(first)
    .bind(last)
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
        "SELECT s.student_id FROM class_students s
         LEFT JOIN attendance a ON a.institution_id = s.institution_id AND a.user_id = s.student_id AND a.day = $4
            AND a.type = 'checkin' AND a.status <> 'alpha'
            AND a.id NOT IN (
                SELECT v.attendance_id FROM attendance_voids v WHERE v.institution_id = $1 AND v.attendance_id IS NOT NULL)
         LEFT JOIN attendance_corrections k ON k.institution_id = s.institution_id AND k.id = (
            SELECT MAX(c.id) FROM attendance_corrections c
            WHERE c.institution_id = $1 AND c.user_id = s.student_id AND c.day = $4 AND c.type = 'checkin')
         WHERE s.institution_id = $1 AND s.class_id = $2 AND s.academic_year = $3
            AND s.joined_on <= $4 AND (s.left_on IS NULL OR s.left_on > $4)
            AND COALESCE(k.status_after, a.status) IN ('hadir', 'terlambat')",
    )
    .bind(institution.0)
    .bind(class.0)
    .bind(day.academic_year())
    .bind(day.0)
    .all()
    .await
}

use std::collections::HashMap;

use chrono::NaiveDate;
use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    time::SchoolDay,
};
use sqlx::FromRow;

use super::{roll, trend::Span};
use crate::db::Tx;

/// People, and how many of them came today: on time, late.
#[derive(Debug, Clone, Copy, Default, FromRow)]
pub struct Count {
    pub total: i64,
    pub present: i64,
    pub late: i64,
}

#[derive(FromRow)]
struct RoleRow {
    role_id: i64,
    #[sqlx(flatten)]
    count: Count,
}

/// The status of somebody's check-in on a day, as it counts.
pub async fn status(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    day: SchoolDay,
) -> sqlx::Result<Option<String>> {
    let row: Option<(String,)> = tx
        .query(
            "SELECT COALESCE(k.status_after, a.status) FROM attendance a
             LEFT JOIN attendance_corrections k ON k.institution_id = a.institution_id AND k.id = (
                SELECT MAX(c.id) FROM attendance_corrections c
                WHERE c.institution_id = $1 AND c.user_id = $2 AND c.day = $3 AND c.type = 'checkin')
             WHERE a.institution_id = $1 AND a.user_id = $2 AND a.day = $3 AND a.type = 'checkin' AND a.status <> 'alpha'
                AND NOT EXISTS (SELECT 1 FROM attendance_voids v WHERE v.institution_id = $1 AND v.attendance_id = a.id)",
        )
        .bind(institution.0)
        .bind(user.0)
        .bind(day.0)
        .opt()
        .await?;
    Ok(row.map(|(status,)| status))
}

/// (`NOT IN`: an outer join that has `NOT EXISTS` in its condition reads all rows there ever were on PostgreSQL.)
pub async fn by_role(
    tx: &mut Tx,
    institution: InstitutionId,
    day: SchoolDay,
) -> sqlx::Result<Vec<(i64, Count)>> {
    let rows: Vec<RoleRow> = tx
        .query(
            "SELECT r.role_id, COUNT(*) AS total,
                COUNT(CASE WHEN COALESCE(k.status_after, a.status) = 'hadir' THEN 1 END) AS present,
                COUNT(CASE WHEN COALESCE(k.status_after, a.status) = 'terlambat' THEN 1 END) AS late
             FROM users u JOIN user_roles r ON r.user_id = u.id AND r.role_id BETWEEN 1 AND 5
             LEFT JOIN attendance a
                ON a.institution_id = u.institution_id AND a.user_id = u.id AND a.day = $2 AND a.type = 'checkin'
                AND a.status <> 'alpha'
                AND a.id NOT IN (
                    SELECT v.attendance_id FROM attendance_voids v WHERE v.institution_id = $1 AND v.attendance_id IS NOT NULL)
             LEFT JOIN attendance_corrections k ON k.institution_id = u.institution_id AND k.id = (
                SELECT MAX(c.id) FROM attendance_corrections c
                WHERE c.institution_id = $1 AND c.user_id = u.id AND c.day = $2 AND c.type = 'checkin')
             WHERE u.institution_id = $1 AND u.is_active GROUP BY r.role_id",
        )
        .bind(institution.0)
        .bind(day.0)
        .all()
        .await?;
    Ok(rows.into_iter().map(|row| (row.role_id, row.count)).collect())
}

/// The students of the classes somebody leads, each once.
pub async fn of_homeroom(
    tx: &mut Tx,
    institution: InstitutionId,
    teacher: UserId,
    day: SchoolDay,
) -> sqlx::Result<Count> {
    tx.query(
        "SELECT COUNT(*) AS total,
            COUNT(CASE WHEN COALESCE(k.status_after, a.status) = 'hadir' THEN 1 END) AS present,
            COUNT(CASE WHEN COALESCE(k.status_after, a.status) = 'terlambat' THEN 1 END) AS late
         FROM users u
         LEFT JOIN attendance a
            ON a.institution_id = u.institution_id AND a.user_id = u.id AND a.day = $4 AND a.type = 'checkin'
            AND a.status <> 'alpha'
            AND a.id NOT IN (
                SELECT v.attendance_id FROM attendance_voids v WHERE v.institution_id = $1 AND v.attendance_id IS NOT NULL)
         LEFT JOIN attendance_corrections k ON k.institution_id = u.institution_id AND k.id = (
            SELECT MAX(c.id) FROM attendance_corrections c
            WHERE c.institution_id = $1 AND c.user_id = u.id AND c.day = $4 AND c.type = 'checkin')
         WHERE u.institution_id = $1 AND u.is_active AND u.id IN (
            SELECT s.student_id FROM class_students s
            JOIN classes c ON c.institution_id = s.institution_id AND c.id = s.class_id
            WHERE s.institution_id = $1 AND s.academic_year = $3 AND c.homeroom_teacher_id = $2
               AND s.joined_on <= $4 AND (s.left_on IS NULL OR s.left_on > $4))",
    )
    .bind(institution.0)
    .bind(teacher.0)
    .bind(day.academic_year())
    .bind(day.0)
    .one()
    .await
}

pub async fn classes(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<i64> {
    let (count,) =
        tx.query("SELECT COUNT(*) FROM classes WHERE institution_id = $1").bind(institution.0).one().await?;
    Ok(count)
}

/// Everybody who is expected at school on a day: active students, teachers, staff and the principal, by name.
pub async fn roll(
    tx: &mut Tx,
    institution: InstitutionId,
    day: SchoolDay,
) -> sqlx::Result<Vec<roll::Person>> {
    tx.query(
        "SELECT u.id, u.name, r.role_id, COALESCE(k.status_after, a.status) AS status,
            COALESCE(k.late_minutes_after, a.late_minutes, 0) AS late_minutes, a.trusted_at, a.gate,
            (SELECT l.leave_type FROM leaves l
             WHERE l.institution_id = $1 AND l.user_id = u.id AND l.status = 'disetujui'
                AND l.start_date <= $2 AND l.end_date >= $2 ORDER BY l.id DESC LIMIT 1) AS leave_type
         FROM users u JOIN user_roles r ON r.user_id = u.id AND r.role_id BETWEEN 1 AND 4
         LEFT JOIN attendance a
            ON a.institution_id = u.institution_id AND a.user_id = u.id AND a.day = $2 AND a.type = 'checkin'
            AND a.status <> 'alpha'
            AND NOT EXISTS (SELECT 1 FROM attendance_voids v WHERE v.institution_id = $1 AND v.attendance_id = a.id)
         LEFT JOIN attendance_corrections k ON k.institution_id = u.institution_id AND k.id = (
            SELECT MAX(c.id) FROM attendance_corrections c
            WHERE c.institution_id = $1 AND c.user_id = u.id AND c.day = $2 AND c.type = 'checkin')
         WHERE u.institution_id = $1 AND u.is_active ORDER BY LOWER(u.name), u.id",
    )
    .bind(institution.0)
    .bind(day.0)
    .all()
    .await
}

/// Who is in which class on a day, in the order they came to it.
pub async fn members(
    tx: &mut Tx,
    institution: InstitutionId,
    day: SchoolDay,
) -> sqlx::Result<Vec<(UserId, ClassId)>> {
    let rows: Vec<(i64, i64)> = tx
        .query(
            "SELECT student_id, class_id FROM class_students
             WHERE institution_id = $1 AND academic_year = $2 AND joined_on <= $3 AND (left_on IS NULL OR left_on > $3)
             ORDER BY joined_on, id",
        )
        .bind(institution.0)
        .bind(day.academic_year())
        .bind(day.0)
        .all()
        .await?;
    Ok(rows.into_iter().map(|(student, class)| (UserId(student), ClassId(class))).collect())
}

/// How many students came on each day, as corrected; those of the classes `teacher` leads, where it is given. The index by day
/// bounds what is looked at to the days that are asked for.
pub async fn came(
    tx: &mut Tx,
    institution: InstitutionId,
    (first, last): (SchoolDay, SchoolDay),
    teacher: Option<UserId>,
) -> sqlx::Result<HashMap<SchoolDay, i64>> {
    let rows: Vec<(NaiveDate, i64)> = tx
        .query(
            "SELECT x.day, CAST(SUM(x.n) AS BIGINT) FROM (
                SELECT a.day, COUNT(*) AS n FROM attendance a
                WHERE a.institution_id = $1 AND a.day BETWEEN $2 AND $3 AND a.type = 'checkin'
                    AND a.status IN ('hadir', 'terlambat') AND a.class_id IS NOT NULL
                    AND (CAST($4 AS BIGINT) IS NULL OR a.class_id IN (
                        SELECT id FROM classes WHERE institution_id = $1 AND homeroom_teacher_id = $4))
                    AND NOT EXISTS (SELECT 1 FROM attendance_voids v
                        WHERE v.institution_id = $1 AND v.attendance_id = a.id)
                    AND NOT EXISTS (SELECT 1 FROM attendance_corrections c
                        WHERE c.institution_id = $1 AND c.user_id = a.user_id AND c.day = a.day AND c.type = 'checkin')
                GROUP BY a.day
                UNION ALL
                SELECT c.day, COUNT(*) FROM attendance_corrections c
                JOIN attendance a ON a.institution_id = c.institution_id AND a.id = c.attendance_id
                WHERE c.institution_id = $1 AND c.day BETWEEN $2 AND $3 AND c.type = 'checkin'
                    AND c.status_after IN ('hadir', 'terlambat') AND a.class_id IS NOT NULL
                    AND (CAST($4 AS BIGINT) IS NULL OR a.class_id IN (
                        SELECT id FROM classes WHERE institution_id = $1 AND homeroom_teacher_id = $4))
                    AND NOT EXISTS (SELECT 1 FROM attendance_corrections o
                        WHERE o.institution_id = $1 AND o.user_id = c.user_id AND o.day = c.day AND o.type = 'checkin'
                            AND o.id > c.id)
                GROUP BY c.day) x
             GROUP BY x.day",
        )
        .bind(institution.0)
        .bind(first.0)
        .bind(last.0)
        .bind(teacher.map(|id| id.0))
        .all()
        .await?;
    Ok(rows.into_iter().map(|(day, came)| (SchoolDay(day), came)).collect())
}

/// The memberships that touch the days since `first`, those that began and ended together counted together.
pub async fn spans(
    tx: &mut Tx,
    institution: InstitutionId,
    first: SchoolDay,
    teacher: Option<UserId>,
) -> sqlx::Result<Vec<Span>> {
    let rows: Vec<(i64, NaiveDate, Option<NaiveDate>, i64)> = tx
        .query(
            "SELECT academic_year, joined_on, left_on, COUNT(DISTINCT student_id) FROM class_students
             WHERE institution_id = $1 AND academic_year >= $2 AND (left_on IS NULL OR left_on > $3)
             AND (CAST($4 AS BIGINT) IS NULL OR class_id IN (
                SELECT id FROM classes WHERE institution_id = $1 AND homeroom_teacher_id = $4))
             GROUP BY academic_year, joined_on, left_on",
        )
        .bind(institution.0)
        .bind(first.academic_year())
        .bind(first.0)
        .bind(teacher.map(|id| id.0))
        .all()
        .await?;
    let span = |(year, first, end, students): (i64, NaiveDate, Option<NaiveDate>, i64)| Span {
        year,
        first: SchoolDay(first),
        end: end.map(SchoolDay),
        students,
    };
    Ok(rows.into_iter().map(span).collect())
}

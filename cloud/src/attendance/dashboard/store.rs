use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::SchoolDay,
};
use sqlx::FromRow;

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

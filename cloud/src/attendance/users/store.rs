use hadir_shared::ids::{InstitutionId, UserId};

use super::{Filter, Person};
use crate::{db::Tx, http::Page};

pub async fn count(tx: &mut Tx, institution: InstitutionId, filter: &Filter) -> sqlx::Result<i64> {
    let (count,) = tx
        .query(
            "SELECT COUNT(*) FROM users u JOIN user_roles r ON r.user_id = u.id AND r.role_id BETWEEN 1 AND 5
             WHERE u.institution_id = $1
             AND (CAST($2 AS BIGINT) IS NULL OR r.role_id = $2)
             AND (CAST($3 AS BOOLEAN) IS NULL OR u.is_active = $3)
             AND (CAST($4 AS TEXT) IS NULL OR LOWER(u.name) LIKE $4 ESCAPE '!' OR LOWER(u.nisn_nip_nik) LIKE $4 ESCAPE '!')
             AND (CAST($5 AS BIGINT) IS NULL OR u.id IN (
                SELECT s.student_id FROM class_students s
                WHERE s.institution_id = $1 AND s.class_id = $5 AND s.academic_year = $6
                   AND s.joined_on <= $7 AND (s.left_on IS NULL OR s.left_on > $7)))
             AND (NOT CAST($8 AS BOOLEAN) OR NOT EXISTS (
                SELECT 1 FROM class_students s
                WHERE s.institution_id = $1 AND s.student_id = u.id AND s.academic_year = $6
                   AND s.joined_on <= $7 AND (s.left_on IS NULL OR s.left_on > $7)))",
        )
        .bind(institution.0)
        .bind(filter.role)
        .bind(filter.active)
        .bind(filter.part.as_deref().map(anywhere))
        .bind(filter.class.map(|id| id.0))
        .bind(filter.today.academic_year())
        .bind(filter.today.0)
        .bind(filter.unplaced)
        .one()
        .await?;
    Ok(count)
}

pub async fn page(
    tx: &mut Tx,
    institution: InstitutionId,
    filter: &Filter,
    page: &Page,
) -> sqlx::Result<Vec<Person>> {
    tx.query(
        "SELECT u.id, u.nisn_nip_nik, u.name, u.email, u.phone, r.role_id, u.photo_path, u.is_active, u.created_at, u.updated_at
         FROM users u JOIN user_roles r ON r.user_id = u.id AND r.role_id BETWEEN 1 AND 5
         WHERE u.institution_id = $1
         AND (CAST($2 AS BIGINT) IS NULL OR r.role_id = $2)
         AND (CAST($3 AS BOOLEAN) IS NULL OR u.is_active = $3)
         AND (CAST($4 AS TEXT) IS NULL OR LOWER(u.name) LIKE $4 ESCAPE '!' OR LOWER(u.nisn_nip_nik) LIKE $4 ESCAPE '!')
         AND (CAST($5 AS BIGINT) IS NULL OR u.id IN (
            SELECT s.student_id FROM class_students s
            WHERE s.institution_id = $1 AND s.class_id = $5 AND s.academic_year = $6
               AND s.joined_on <= $7 AND (s.left_on IS NULL OR s.left_on > $7)))
         AND (NOT CAST($8 AS BOOLEAN) OR NOT EXISTS (
            SELECT 1 FROM class_students s
            WHERE s.institution_id = $1 AND s.student_id = u.id AND s.academic_year = $6
               AND s.joined_on <= $7 AND (s.left_on IS NULL OR s.left_on > $7)))
         ORDER BY CASE WHEN CAST($9 AS BOOLEAN) THEN LOWER(u.name) END, u.id LIMIT $10 OFFSET $11",
    )
    .bind(institution.0)
    .bind(filter.role)
    .bind(filter.active)
    .bind(filter.part.as_deref().map(anywhere))
    .bind(filter.class.map(|id| id.0))
    .bind(filter.today.academic_year())
    .bind(filter.today.0)
    .bind(filter.unplaced)
    .bind(filter.by_name)
    .bind(page.per_page)
    .bind(page.offset())
    .all()
    .await
}

/// How many active people have each role.
pub async fn by_role(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<(i64, i64)>> {
    tx.query(
        "SELECT r.role_id, COUNT(*) FROM users u JOIN user_roles r ON r.user_id = u.id AND r.role_id BETWEEN 1 AND 5
         WHERE u.institution_id = $1 AND u.is_active GROUP BY r.role_id",
    )
    .bind(institution.0)
    .all()
    .await
}

/// The administrators who can sign in, by id; they stay so until the commit.
pub async fn hold_admins(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<i64>> {
    // SQLite has one writer, and no FOR UPDATE.
    let rows: Vec<(i64,)> = tx
        .query_split(
            "SELECT u.id FROM users u JOIN user_roles r ON r.user_id = u.id AND r.role_id = 5
             WHERE u.institution_id = $1 AND u.is_active ORDER BY u.id FOR UPDATE",
            "SELECT u.id FROM users u JOIN user_roles r ON r.user_id = u.id AND r.role_id = 5
             WHERE u.institution_id = $1 AND u.is_active ORDER BY u.id",
        )
        .bind(institution.0)
        .all()
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// A LIKE pattern that finds a text as it stands.
pub fn anywhere(part: &str) -> String {
    format!("%{}%", part.replace('!', "!!").replace('%', "!%").replace('_', "!_"))
}

/// Whether attendance or the log of a box names somebody. Their tables hold no foreign key; all others do. Who operated a gate
/// stands in no index: a look through the school's records, as rare as deletions are.
pub async fn is_recorded(tx: &mut Tx, institution: InstitutionId, user: UserId) -> sqlx::Result<bool> {
    let (recorded,) = tx
        .query(
            "SELECT EXISTS (SELECT 1 FROM attendance /* taken back, too */ WHERE institution_id = $1 AND user_id = $2)
             OR EXISTS (SELECT 1 FROM attendance WHERE institution_id = $1 AND operator_id = $2)
             OR EXISTS (SELECT 1 FROM sync_records WHERE institution_id = $1 AND user_id = $2)",
        )
        .bind(institution.0)
        .bind(user.0)
        .one()
        .await?;
    Ok(recorded)
}

pub async fn leads_class(tx: &mut Tx, institution: InstitutionId, user: UserId) -> sqlx::Result<bool> {
    let row: Option<(i64,)> = tx
        .query("SELECT id FROM classes WHERE institution_id = $1 AND homeroom_teacher_id = $2 LIMIT 1")
        .bind(institution.0)
        .bind(user.0)
        .opt()
        .await?;
    Ok(row.is_some())
}

/// In this academic year or a coming one.
pub async fn is_in_class(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    year: i64,
) -> sqlx::Result<bool> {
    let row: Option<(i64,)> = tx
        .query(
            "SELECT id FROM class_students
             WHERE institution_id = $1 AND student_id = $2 AND academic_year >= $3 AND left_on IS NULL LIMIT 1",
        )
        .bind(institution.0)
        .bind(user.0)
        .bind(year)
        .opt()
        .await?;
    Ok(row.is_some())
}

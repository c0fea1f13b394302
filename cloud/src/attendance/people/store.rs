use hadir_shared::{
    ids::{ClassId, InstitutionId},
    time::SchoolDay,
};

use super::Person;
use crate::db::Tx;

/// The two take a list of ids differently.
pub async fn by_ids(tx: &mut Tx, institution: InstitutionId, ids: &[i64]) -> sqlx::Result<Vec<Person>> {
    tx.query_split(
        "SELECT u.id, u.nisn_nip_nik, u.name, u.email, u.phone, r.role_id, u.photo_path, u.is_active, u.created_at, u.updated_at
         FROM users u LEFT JOIN user_roles r ON r.user_id = u.id AND r.role_id BETWEEN 1 AND 5
         WHERE u.institution_id = $1 AND u.id = ANY($2)",
        "SELECT u.id, u.nisn_nip_nik, u.name, u.email, u.phone, r.role_id, u.photo_path, u.is_active, u.created_at, u.updated_at
         FROM users u LEFT JOIN user_roles r ON r.user_id = u.id AND r.role_id BETWEEN 1 AND 5
         WHERE u.institution_id = $1 AND u.id IN (SELECT value FROM json_each($2))",
    )
    .bind(institution.0)
    .bind_split(|| ids.to_vec(), || serde_json::json!(ids).to_string())
    .all()
    .await
}

pub async fn by_number(
    tx: &mut Tx,
    institution: InstitutionId,
    number: &str,
) -> sqlx::Result<Option<Person>> {
    tx.query(
        "SELECT u.id, u.nisn_nip_nik, u.name, u.email, u.phone, r.role_id, u.photo_path, u.is_active, u.created_at, u.updated_at
         FROM users u LEFT JOIN user_roles r ON r.user_id = u.id AND r.role_id BETWEEN 1 AND 5
         WHERE u.institution_id = $1 AND u.nisn_nip_nik = $2",
    )
    .bind(institution.0)
    .bind(number)
    .opt()
    .await
}

/// Those whose name or number fits a pattern, the active ones first.
pub async fn search(
    tx: &mut Tx,
    institution: InstitutionId,
    pattern: &str,
    limit: i64,
) -> sqlx::Result<Vec<Person>> {
    tx.query(
        "SELECT u.id, u.nisn_nip_nik, u.name, u.email, u.phone, r.role_id, u.photo_path, u.is_active, u.created_at, u.updated_at
         FROM users u JOIN user_roles r ON r.user_id = u.id AND r.role_id BETWEEN 1 AND 5
         WHERE u.institution_id = $1 AND (LOWER(u.name) LIKE $2 ESCAPE '!' OR LOWER(u.nisn_nip_nik) LIKE $2 ESCAPE '!')
         ORDER BY CASE WHEN u.is_active THEN 0 ELSE 1 END, u.name, u.id LIMIT $3",
    )
    .bind(institution.0)
    .bind(pattern)
    .bind(limit)
    .all()
    .await
}

pub async fn of_class(
    tx: &mut Tx,
    institution: InstitutionId,
    class: ClassId,
    day: SchoolDay,
) -> sqlx::Result<Vec<Person>> {
    tx.query(
        "SELECT u.id, u.nisn_nip_nik, u.name, u.email, u.phone, r.role_id, u.photo_path, u.is_active, u.created_at, u.updated_at
         FROM users u LEFT JOIN user_roles r ON r.user_id = u.id AND r.role_id BETWEEN 1 AND 5
         WHERE u.institution_id = $1 AND u.is_active AND u.id IN (
            SELECT s.student_id FROM class_students s
            WHERE s.institution_id = $1 AND s.class_id = $2 AND s.academic_year = $3
               AND s.joined_on <= $4 AND (s.left_on IS NULL OR s.left_on > $4))
         ORDER BY u.name, u.id",
    )
    .bind(institution.0)
    .bind(class.0)
    .bind(day.academic_year())
    .bind(day.0)
    .all()
    .await
}

pub async fn assigned_to(
    tx: &mut Tx,
    institution: InstitutionId,
    class: ClassId,
    year: i64,
    today: SchoolDay,
) -> sqlx::Result<Vec<Person>> {
    tx.query(
        "SELECT u.id, u.nisn_nip_nik, u.name, u.email, u.phone, r.role_id, u.photo_path, u.is_active, u.created_at, u.updated_at
         FROM users u LEFT JOIN user_roles r ON r.user_id = u.id AND r.role_id BETWEEN 1 AND 5
         WHERE u.institution_id = $1 AND u.is_active AND u.id IN (
            SELECT s.student_id FROM class_students s
            WHERE s.institution_id = $1 AND s.class_id = $2 AND s.academic_year = $3
               AND (s.left_on IS NULL OR s.left_on > $4))
         ORDER BY u.name, u.id",
    )
    .bind(institution.0)
    .bind(class.0)
    .bind(year)
    .bind(today.0)
    .all()
    .await
}

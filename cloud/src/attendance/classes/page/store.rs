//! What the pages of classes ask for besides.

use hadir_shared::{
    ids::{ClassId, InstitutionId},
    time::SchoolDay,
    wire::roster::Role,
};
use sqlx::FromRow;

use crate::db::Tx;

/// How many active students each class has on a day.
pub async fn sizes(tx: &mut Tx, institution: InstitutionId, day: SchoolDay) -> sqlx::Result<Vec<(i64, i64)>> {
    tx.query(
        "SELECT s.class_id, COUNT(DISTINCT s.student_id) FROM class_students s
         JOIN users u ON u.institution_id = s.institution_id AND u.id = s.student_id AND u.is_active
         WHERE s.institution_id = $1 AND s.academic_year = $2 AND s.joined_on <= $3
            AND (s.left_on IS NULL OR s.left_on > $3)
         GROUP BY s.class_id",
    )
    .bind(institution.0)
    .bind(day.academic_year())
    .bind(day.0)
    .all()
    .await
}

/// The active teachers of the school, by name.
pub async fn teachers(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<(i64, String)>> {
    tx.query(
        "SELECT u.id, u.name FROM users u JOIN user_roles r ON r.user_id = u.id AND r.role_id = $2
         WHERE u.institution_id = $1 AND u.is_active ORDER BY LOWER(u.name), u.id",
    )
    .bind(institution.0)
    .bind(i64::from(Role::Guru))
    .all()
    .await
}

/// Active students who are not in a class on a day, by name, part of which is asked for; with the class they are in. Those of
/// no class come first: they are whom a class is made for.
pub async fn candidates(
    tx: &mut Tx,
    institution: InstitutionId,
    class: ClassId,
    part: &str,
    day: SchoolDay,
    most: i64,
) -> sqlx::Result<Vec<Candidate>> {
    tx.query(
        "SELECT u.id, u.name, u.nisn_nip_nik AS number, (
            SELECT c.name FROM class_students s
            JOIN classes c ON c.institution_id = s.institution_id AND c.id = s.class_id
            WHERE s.institution_id = $1 AND s.student_id = u.id AND s.academic_year = $4 AND s.joined_on <= $5
               AND (s.left_on IS NULL OR s.left_on > $5) ORDER BY s.joined_on DESC, s.id DESC LIMIT 1) AS class
         FROM users u JOIN user_roles r ON r.user_id = u.id AND r.role_id = 1
         WHERE u.institution_id = $1 AND u.is_active
         AND ($3 = '' OR LOWER(u.name) LIKE $3 ESCAPE '!' OR LOWER(u.nisn_nip_nik) LIKE $3 ESCAPE '!')
         AND NOT EXISTS (SELECT 1 FROM class_students s
            WHERE s.institution_id = $1 AND s.student_id = u.id AND s.class_id = $2 AND s.academic_year = $4
               AND (s.left_on IS NULL OR s.left_on > $5))
         ORDER BY CASE WHEN EXISTS (SELECT 1 FROM class_students s
            WHERE s.institution_id = $1 AND s.student_id = u.id AND s.academic_year = $4 AND s.joined_on <= $5
               AND (s.left_on IS NULL OR s.left_on > $5)) THEN 1 ELSE 0 END, LOWER(u.name), u.id LIMIT $6",
    )
    .bind(institution.0)
    .bind(class.0)
    .bind(part)
    .bind(day.academic_year())
    .bind(day.0)
    .bind(most)
    .all()
    .await
}

/// Somebody who could be put into a class.
#[derive(Debug, FromRow)]
pub struct Candidate {
    pub id: i64,
    pub name: String,
    pub number: Option<String>,
    /// The one he is in.
    pub class: Option<String>,
}

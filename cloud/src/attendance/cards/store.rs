use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    time::{Millis, SchoolDay},
};

use super::Row;
use crate::db::Tx;

pub async fn all(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<Row>> {
    tx.query("SELECT * FROM student_cards WHERE institution_id = $1 ORDER BY id")
        .bind(institution.0)
        .all()
        .await
}

pub async fn by_id(tx: &mut Tx, institution: InstitutionId, id: i64) -> sqlx::Result<Option<Row>> {
    tx.query("SELECT * FROM student_cards WHERE institution_id = $1 AND id = $2")
        .bind(institution.0)
        .bind(id)
        .opt()
        .await
}

/// The active cards of some students. The two take a list of ids differently.
pub async fn active_of(
    tx: &mut Tx,
    institution: InstitutionId,
    students: impl IntoIterator<Item = UserId>,
) -> sqlx::Result<Vec<Row>> {
    let ids: Vec<i64> = students.into_iter().map(|id| id.0).collect();
    tx.query_split(
        "SELECT * FROM student_cards WHERE institution_id = $1 AND is_active AND student_id = ANY($2)",
        "SELECT * FROM student_cards WHERE institution_id = $1 AND is_active
         AND student_id IN (SELECT value FROM json_each($2))",
    )
    .bind(institution.0)
    .bind_split(|| ids.clone(), || serde_json::json!(ids).to_string())
    .all()
    .await
}

/// Active students of a class, or of every class, who are in it on a day and have no active card; and how many that are in all.
pub async fn without(
    tx: &mut Tx,
    institution: InstitutionId,
    class: Option<ClassId>,
    day: SchoolDay,
    most: i64,
) -> sqlx::Result<Vec<(i64, i64)>> {
    tx.query(
        "SELECT u.id, COUNT(*) OVER () FROM users u
         WHERE u.institution_id = $1 AND u.is_active AND u.id IN (
            SELECT s.student_id FROM class_students s
            WHERE s.institution_id = $1 AND s.academic_year = $3 AND (CAST($2 AS BIGINT) IS NULL OR s.class_id = $2)
               AND s.joined_on <= $4 AND (s.left_on IS NULL OR s.left_on > $4))
         AND NOT EXISTS (SELECT 1 FROM student_cards c
            WHERE c.institution_id = $1 AND c.student_id = u.id AND c.is_active)
         ORDER BY u.id LIMIT $5",
    )
    .bind(institution.0)
    .bind(class.map(|id| id.0))
    .bind(day.academic_year())
    .bind(day.0)
    .bind(most)
    .all()
    .await
}

/// The cards a student had, the newest first.
pub async fn of_student(tx: &mut Tx, institution: InstitutionId, student: UserId) -> sqlx::Result<Vec<Row>> {
    tx.query("SELECT * FROM student_cards WHERE institution_id = $1 AND student_id = $2 ORDER BY serial DESC")
        .bind(institution.0)
        .bind(student.0)
        .all()
        .await
}

/// The newest card of some students, active or not. The two take a list of ids differently.
pub async fn newest_of(
    tx: &mut Tx,
    institution: InstitutionId,
    students: impl IntoIterator<Item = UserId>,
) -> sqlx::Result<Vec<Row>> {
    let ids: Vec<i64> = students.into_iter().map(|id| id.0).collect();
    tx.query_split(
        "SELECT c.* FROM student_cards c WHERE c.institution_id = $1 AND c.student_id = ANY($2)
         AND c.serial = (SELECT MAX(o.serial) FROM student_cards o
            WHERE o.institution_id = $1 AND o.student_id = c.student_id)",
        "SELECT c.* FROM student_cards c WHERE c.institution_id = $1 AND c.student_id IN (SELECT value FROM json_each($2))
         AND c.serial = (SELECT MAX(o.serial) FROM student_cards o
            WHERE o.institution_id = $1 AND o.student_id = c.student_id)",
    )
    .bind(institution.0)
    .bind_split(|| ids.clone(), || serde_json::json!(ids).to_string())
    .all()
    .await
}

/// Of each class on a day: its id, its active students, and those of them with an active card.
pub async fn by_class(
    tx: &mut Tx,
    institution: InstitutionId,
    day: SchoolDay,
) -> sqlx::Result<Vec<(i64, i64, i64)>> {
    tx.query(
        "SELECT s.class_id, COUNT(*), COUNT(c.id) FROM class_students s
         JOIN users u ON u.institution_id = s.institution_id AND u.id = s.student_id AND u.is_active
         LEFT JOIN student_cards c ON c.institution_id = s.institution_id AND c.student_id = s.student_id AND c.is_active
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

/// The name it was registered under.
pub async fn school(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<String> {
    let (name,) = tx.query("SELECT name FROM institutions WHERE id = $1").bind(institution.0).one().await?;
    Ok(name)
}

pub async fn by_code(tx: &mut Tx, institution: InstitutionId, code: &str) -> sqlx::Result<Option<Row>> {
    tx.query("SELECT * FROM student_cards WHERE institution_id = $1 AND qr_code = $2")
        .bind(institution.0)
        .bind(code)
        .opt()
        .await
}

pub async fn by_serial(
    tx: &mut Tx,
    institution: InstitutionId,
    student: UserId,
    serial: i64,
) -> sqlx::Result<Option<Row>> {
    tx.query("SELECT * FROM student_cards WHERE institution_id = $1 AND student_id = $2 AND serial = $3")
        .bind(institution.0)
        .bind(student.0)
        .bind(serial)
        .opt()
        .await
}

/// Whoever changes a student's cards waits here for whoever does so already.
pub async fn lock(tx: &mut Tx, institution: InstitutionId, student: UserId) -> sqlx::Result<u64> {
    tx.query("UPDATE users SET updated_at = updated_at WHERE institution_id = $1 AND id = $2")
        .bind(institution.0)
        .bind(student.0)
        .run()
        .await
}

/// Revokes a student's active card, except one; answers the ids of those that were active.
pub async fn deactivate(
    tx: &mut Tx,
    institution: InstitutionId,
    student: UserId,
    except: Option<i64>,
    now: Millis,
) -> sqlx::Result<Vec<i64>> {
    let rows: Vec<(i64,)> = tx
        .query(
            "UPDATE student_cards SET is_active = FALSE, updated_at = $4
             WHERE institution_id = $1 AND student_id = $2 AND is_active AND (CAST($3 AS BIGINT) IS NULL OR id <> $3)
             RETURNING id",
        )
        .bind(institution.0)
        .bind(student.0)
        .bind(except)
        .bind(now.0)
        .all()
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// 0 where the student never had a card.
pub async fn last_serial(tx: &mut Tx, institution: InstitutionId, student: UserId) -> sqlx::Result<i64> {
    let (serial,) = tx
        .query("SELECT COALESCE(MAX(serial), 0) FROM student_cards WHERE institution_id = $1 AND student_id = $2")
        .bind(institution.0)
        .bind(student.0)
        .one()
        .await?;
    Ok(serial)
}

pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    student: UserId,
    serial: i64,
    qr_code: &str,
    signed_code: &str,
    now: Millis,
) -> sqlx::Result<Row> {
    tx.query(
        "INSERT INTO student_cards (institution_id, student_id, serial, qr_code, signed_code, is_active, generated_at,
            created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, TRUE, $6, $6, $6) RETURNING *",
    )
    .bind(institution.0)
    .bind(student.0)
    .bind(serial)
    .bind(qr_code)
    .bind(signed_code)
    .bind(now.0)
    .one()
    .await
}

pub async fn set_active(
    tx: &mut Tx,
    institution: InstitutionId,
    id: i64,
    active: bool,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query("UPDATE student_cards SET is_active = $3, updated_at = $4 WHERE institution_id = $1 AND id = $2")
        .bind(institution.0)
        .bind(id)
        .bind(active)
        .bind(now.0)
        .run()
        .await
}

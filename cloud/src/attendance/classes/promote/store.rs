use hadir_shared::ids::{ClassId, InstitutionId, UserId};

use crate::db::Tx;

/// One promotion of a school at a time, until the transaction ends. SQLite has one writer anyway.
pub async fn lock(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<()> {
    tx.query_split(
        "SELECT pg_advisory_xact_lock(hashtextextended('attendance.promote', CAST($1 AS BIGINT)))",
        "SELECT $1",
    )
    .bind(institution.0)
    .run()
    .await
    .map(drop)
}

/// Who is in which class to the end of a year, and active; of two classes the one he came to last.
pub async fn students(
    tx: &mut Tx,
    institution: InstitutionId,
    year: i64,
) -> sqlx::Result<Vec<(UserId, ClassId)>> {
    let rows: Vec<(i64, i64)> = tx
        .query(
            "SELECT s.student_id, s.class_id FROM class_students s
             JOIN users u ON u.institution_id = s.institution_id AND u.id = s.student_id
             WHERE s.institution_id = $1 AND s.academic_year = $2 AND s.left_on IS NULL AND u.is_active
             AND NOT EXISTS (SELECT 1 FROM class_students o WHERE o.institution_id = $1 AND o.academic_year = $2
                AND o.student_id = s.student_id AND o.left_on IS NULL
                AND (o.joined_on > s.joined_on OR (o.joined_on = s.joined_on AND o.id > s.id)))
             ORDER BY s.student_id",
        )
        .bind(institution.0)
        .bind(year)
        .all()
        .await?;
    Ok(rows.into_iter().map(|(student, class)| (UserId(student), ClassId(class))).collect())
}

/// Who is in any class of a year.
pub async fn placed(tx: &mut Tx, institution: InstitutionId, year: i64) -> sqlx::Result<Vec<UserId>> {
    let rows: Vec<(i64,)> = tx
        .query(
            "SELECT DISTINCT student_id FROM class_students
             WHERE institution_id = $1 AND academic_year = $2 AND left_on IS NULL",
        )
        .bind(institution.0)
        .bind(year)
        .all()
        .await?;
    Ok(rows.into_iter().map(|(student,)| UserId(student)).collect())
}

/// How many active students are in each class to the end of a year, and how many of those are placed for the next.
pub async fn sizes(tx: &mut Tx, institution: InstitutionId, year: i64) -> sqlx::Result<Vec<(i64, i64, i64)>> {
    tx.query(
        "SELECT s.class_id, COUNT(*), COUNT(n.student_id) FROM class_students s
         JOIN users u ON u.institution_id = s.institution_id AND u.id = s.student_id
         LEFT JOIN (SELECT DISTINCT student_id FROM class_students
            WHERE institution_id = $1 AND academic_year = $3 AND left_on IS NULL) n ON n.student_id = s.student_id
         WHERE s.institution_id = $1 AND s.academic_year = $2 AND s.left_on IS NULL AND u.is_active
         AND NOT EXISTS (SELECT 1 FROM class_students o WHERE o.institution_id = $1 AND o.academic_year = $2
            AND o.student_id = s.student_id AND o.left_on IS NULL
            AND (o.joined_on > s.joined_on OR (o.joined_on = s.joined_on AND o.id > s.id)))
         GROUP BY s.class_id",
    )
    .bind(institution.0)
    .bind(year)
    .bind(year + 1)
    .all()
    .await
}

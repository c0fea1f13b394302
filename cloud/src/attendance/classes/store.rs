use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    time::{Millis, SchoolDay},
};

use super::{Class, Membership, Placed};
use crate::{db::Tx, http::Patch};

pub async fn all(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<Class>> {
    tx.query(
        "SELECT id, name, homeroom_teacher_id, created_at, updated_at FROM classes WHERE institution_id = $1 ORDER BY id",
    )
    .bind(institution.0)
    .all()
    .await
}

pub async fn by_id(tx: &mut Tx, institution: InstitutionId, id: ClassId) -> sqlx::Result<Option<Class>> {
    tx.query(
        "SELECT id, name, homeroom_teacher_id, created_at, updated_at FROM classes WHERE institution_id = $1 AND id = $2",
    )
    .bind(institution.0)
    .bind(id.0)
    .opt()
    .await
}

pub async fn memberships(
    tx: &mut Tx,
    institution: InstitutionId,
    class: ClassId,
    year: i64,
    today: SchoolDay,
) -> sqlx::Result<Vec<Membership>> {
    tx.query(
        "SELECT id, student_id, class_id, academic_year, joined_on, left_on, created_at FROM class_students
         WHERE institution_id = $1 AND class_id = $2 AND academic_year = $3 AND (left_on IS NULL OR left_on > $4) ORDER BY id",
    )
    .bind(institution.0)
    .bind(class.0)
    .bind(year)
    .bind(today.0)
    .all()
    .await
}

/// Somebody in two classes at once is counted to the one he came to last.
pub async fn of_student(
    tx: &mut Tx,
    institution: InstitutionId,
    student: UserId,
    day: SchoolDay,
) -> sqlx::Result<Option<ClassId>> {
    let row: Option<(i64,)> = tx
        .query(
            "SELECT class_id FROM class_students WHERE institution_id = $1 AND student_id = $2 AND academic_year = $3
             AND joined_on <= $4 AND (left_on IS NULL OR left_on > $4) ORDER BY joined_on DESC, id DESC LIMIT 1",
        )
        .bind(institution.0)
        .bind(student.0)
        .bind(day.academic_year())
        .bind(day.0)
        .opt()
        .await?;
    Ok(row.map(|(id,)| ClassId(id)))
}

pub async fn has_student(
    tx: &mut Tx,
    institution: InstitutionId,
    class: ClassId,
    student: UserId,
    day: SchoolDay,
) -> sqlx::Result<bool> {
    let row: Option<(i64,)> = tx
        .query(
            "SELECT id FROM class_students
             WHERE institution_id = $1 AND class_id = $2 AND student_id = $3 AND academic_year = $4
             AND joined_on <= $5 AND (left_on IS NULL OR left_on > $5) LIMIT 1",
        )
        .bind(institution.0)
        .bind(class.0)
        .bind(student.0)
        .bind(day.academic_year())
        .bind(day.0)
        .opt()
        .await?;
    Ok(row.is_some())
}

pub async fn leads(
    tx: &mut Tx,
    institution: InstitutionId,
    teacher: UserId,
    student: UserId,
    day: SchoolDay,
) -> sqlx::Result<bool> {
    let row: Option<(i64,)> = tx
        .query(
            "SELECT s.id FROM class_students s JOIN classes c ON c.institution_id = s.institution_id AND c.id = s.class_id
             WHERE s.institution_id = $1 AND s.student_id = $3 AND s.academic_year = $4 AND c.homeroom_teacher_id = $2
             AND s.joined_on <= $5 AND (s.left_on IS NULL OR s.left_on > $5) LIMIT 1",
        )
        .bind(institution.0)
        .bind(teacher.0)
        .bind(student.0)
        .bind(day.academic_year())
        .bind(day.0)
        .opt()
        .await?;
    Ok(row.is_some())
}

pub async fn history(tx: &mut Tx, institution: InstitutionId, student: UserId) -> sqlx::Result<Vec<Placed>> {
    tx.query(
        "SELECT s.class_id, c.name, s.academic_year, s.joined_on, s.left_on FROM class_students s
         JOIN classes c ON c.institution_id = s.institution_id AND c.id = s.class_id
         WHERE s.institution_id = $1 AND s.student_id = $2 ORDER BY s.academic_year DESC, s.joined_on DESC, s.id DESC",
    )
    .bind(institution.0)
    .bind(student.0)
    .all()
    .await
}

/// The classes somebody is the homeroom teacher of.
pub async fn of_teacher(
    tx: &mut Tx,
    institution: InstitutionId,
    teacher: UserId,
) -> sqlx::Result<Vec<Class>> {
    tx.query(
        "SELECT id, name, homeroom_teacher_id, created_at, updated_at FROM classes
         WHERE institution_id = $1 AND homeroom_teacher_id = $2 ORDER BY id",
    )
    .bind(institution.0)
    .bind(teacher.0)
    .all()
    .await
}

pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    name: &str,
    teacher: Option<UserId>,
    now: Millis,
) -> sqlx::Result<ClassId> {
    let (id,): (i64,) = tx
        .query(
            "INSERT INTO classes (institution_id, name, homeroom_teacher_id, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $4) RETURNING id",
        )
        .bind(institution.0)
        .bind(name)
        .bind(teacher.map(|id| id.0))
        .bind(now.0)
        .one()
        .await?;
    Ok(ClassId(id))
}

pub async fn update(
    tx: &mut Tx,
    institution: InstitutionId,
    id: ClassId,
    name: Option<&str>,
    teacher: Patch<UserId>,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE classes SET name = COALESCE($3, name),
            homeroom_teacher_id = CASE WHEN $4 THEN $5 ELSE homeroom_teacher_id END, updated_at = $6
         WHERE institution_id = $1 AND id = $2",
    )
    .bind(institution.0)
    .bind(id.0)
    .bind(name)
    .bind(teacher.changes())
    .bind(teacher.value().map(|id| id.0))
    .bind(now.0)
    .run()
    .await
}

/// In whatever year, and not gone from it.
pub async fn has_students(tx: &mut Tx, institution: InstitutionId, id: ClassId) -> sqlx::Result<bool> {
    let row: Option<(i64,)> = tx
        .query(
            "SELECT id FROM class_students WHERE institution_id = $1 AND class_id = $2 AND left_on IS NULL LIMIT 1",
        )
        .bind(institution.0)
        .bind(id.0)
        .opt()
        .await?;
    Ok(row.is_some())
}

/// `false`: somebody was in it, or attendance was recorded in it.
pub async fn delete_unused(tx: &mut Tx, institution: InstitutionId, id: ClassId) -> sqlx::Result<bool> {
    let gone = tx
        .query(
            "DELETE FROM classes WHERE institution_id = $1 AND id = $2
             AND NOT EXISTS (SELECT 1 FROM class_students WHERE institution_id = $1 AND class_id = $2)
             AND NOT EXISTS (SELECT 1 FROM attendance /* taken back, too */ WHERE institution_id = $1 AND class_id = $2)",
        )
        .bind(institution.0)
        .bind(id.0)
        .run()
        .await?;
    Ok(gone == 1)
}

/// Puts those into a class who are not in it, from a day on. Who left later than that is in it again from the day he left: nobody
/// is in a class twice on one day. The two take a list of ids differently.
pub async fn assign(
    tx: &mut Tx,
    institution: InstitutionId,
    id: ClassId,
    students: &[UserId],
    year: i64,
    from: SchoolDay,
    now: Millis,
) -> sqlx::Result<Vec<Membership>> {
    let mut made: Vec<Membership> = tx
        .query_split(
            "INSERT INTO class_students (institution_id, class_id, student_id, academic_year, joined_on, created_at)
             SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), u.id, CAST($3 AS BIGINT), GREATEST(CAST($4 AS DATE), (
                SELECT MAX(s.left_on) FROM class_students s
                WHERE s.institution_id = $1 AND s.class_id = $2 AND s.student_id = u.id AND s.academic_year = $3)),
                CAST($5 AS BIGINT) FROM users u
             WHERE u.institution_id = $1 AND u.id = ANY($6) ORDER BY u.id
             ON CONFLICT DO NOTHING RETURNING id, student_id, class_id, academic_year, joined_on, left_on, created_at",
            "INSERT INTO class_students (institution_id, class_id, student_id, academic_year, joined_on, created_at)
             SELECT $1, $2, u.id, $3, MAX($4, COALESCE((
                SELECT MAX(s.left_on) FROM class_students s
                WHERE s.institution_id = $1 AND s.class_id = $2 AND s.student_id = u.id AND s.academic_year = $3), $4)),
                $5 FROM users u
             WHERE u.institution_id = $1 AND u.id IN (SELECT value FROM json_each($6)) ORDER BY u.id
             ON CONFLICT DO NOTHING RETURNING id, student_id, class_id, academic_year, joined_on, left_on, created_at",
        )
        .bind(institution.0)
        .bind(id.0)
        .bind(year)
        .bind(from.0)
        .bind(now.0)
        .bind_split(|| numbers(students), || serde_json::json!(students).to_string())
        .all()
        .await?;
    made.sort_unstable_by_key(|one| one.id);
    Ok(made)
}

/// What became of memberships that ended.
#[derive(Debug, Default)]
pub struct Left {
    /// They stay in the books, with a last day.
    pub ended: Vec<Membership>,
    /// Had not begun, and are in no book any more.
    pub deleted: Vec<Membership>,
}

impl Left {
    pub fn count(&self) -> u64 {
        u64::try_from(self.ended.len() + self.deleted.len()).unwrap_or(u64::MAX)
    }

    pub fn all(&self) -> impl Iterator<Item = &Membership> {
        self.ended.iter().chain(&self.deleted)
    }
}

/// Ends what lasts beyond `day`, and forgets what would have begun by then or later.
pub async fn withdraw(
    tx: &mut Tx,
    institution: InstitutionId,
    student: UserId,
    day: SchoolDay,
) -> sqlx::Result<Left> {
    let ended = tx
        .query(
            "UPDATE class_students SET left_on = $3
             WHERE institution_id = $1 AND student_id = $2 AND joined_on < $3 AND (left_on IS NULL OR left_on > $3)
             RETURNING id, student_id, class_id, academic_year, joined_on, left_on, created_at",
        )
        .bind(institution.0)
        .bind(student.0)
        .bind(day.0)
        .all()
        .await?;
    let deleted = tx
        .query(
            "DELETE FROM class_students WHERE institution_id = $1 AND student_id = $2 AND joined_on >= $3
             RETURNING id, student_id, class_id, academic_year, joined_on, left_on, created_at",
        )
        .bind(institution.0)
        .bind(student.0)
        .bind(day.0)
        .all()
        .await?;
    Ok(Left { ended, deleted })
}

/// Those of them who were in it; from `day` on they are not. Who came on that day or later was never in it, and leaves no row.
/// The two take a list of ids differently.
pub async fn remove(
    tx: &mut Tx,
    institution: InstitutionId,
    id: ClassId,
    students: &[UserId],
    year: i64,
    day: SchoolDay,
) -> sqlx::Result<Left> {
    let ended = tx
        .query_split(
            "UPDATE class_students SET left_on = $4
             WHERE institution_id = $1 AND class_id = $2 AND academic_year = $3 AND student_id = ANY($5)
                AND joined_on < $4 AND (left_on IS NULL OR left_on > $4)
             RETURNING id, student_id, class_id, academic_year, joined_on, left_on, created_at",
            "UPDATE class_students SET left_on = $4
             WHERE institution_id = $1 AND class_id = $2 AND academic_year = $3
                AND student_id IN (SELECT value FROM json_each($5))
                AND joined_on < $4 AND (left_on IS NULL OR left_on > $4)
             RETURNING id, student_id, class_id, academic_year, joined_on, left_on, created_at",
        )
        .bind(institution.0)
        .bind(id.0)
        .bind(year)
        .bind(day.0)
        .bind_split(|| numbers(students), || serde_json::json!(students).to_string())
        .all()
        .await?;
    let deleted = tx
        .query_split(
            "DELETE FROM class_students WHERE institution_id = $1 AND class_id = $2 AND academic_year = $3
                AND student_id = ANY($5) AND joined_on >= $4
             RETURNING id, student_id, class_id, academic_year, joined_on, left_on, created_at",
            "DELETE FROM class_students WHERE institution_id = $1 AND class_id = $2 AND academic_year = $3
                AND student_id IN (SELECT value FROM json_each($5)) AND joined_on >= $4
             RETURNING id, student_id, class_id, academic_year, joined_on, left_on, created_at",
        )
        .bind(institution.0)
        .bind(id.0)
        .bind(year)
        .bind(day.0)
        .bind_split(|| numbers(students), || serde_json::json!(students).to_string())
        .all()
        .await?;
    Ok(Left { ended, deleted })
}

/// As [`remove`], from every class of the year but one.
pub async fn leave_others(
    tx: &mut Tx,
    institution: InstitutionId,
    but: ClassId,
    students: &[UserId],
    year: i64,
    day: SchoolDay,
) -> sqlx::Result<Left> {
    let ended = tx
        .query_split(
            "UPDATE class_students SET left_on = $4
             WHERE institution_id = $1 AND class_id <> $2 AND academic_year = $3 AND student_id = ANY($5)
                AND joined_on < $4 AND (left_on IS NULL OR left_on > $4)
             RETURNING id, student_id, class_id, academic_year, joined_on, left_on, created_at",
            "UPDATE class_students SET left_on = $4
             WHERE institution_id = $1 AND class_id <> $2 AND academic_year = $3
                AND student_id IN (SELECT value FROM json_each($5))
                AND joined_on < $4 AND (left_on IS NULL OR left_on > $4)
             RETURNING id, student_id, class_id, academic_year, joined_on, left_on, created_at",
        )
        .bind(institution.0)
        .bind(but.0)
        .bind(year)
        .bind(day.0)
        .bind_split(|| numbers(students), || serde_json::json!(students).to_string())
        .all()
        .await?;
    let deleted = tx
        .query_split(
            "DELETE FROM class_students WHERE institution_id = $1 AND class_id <> $2 AND academic_year = $3
                AND student_id = ANY($5) AND joined_on >= $4
             RETURNING id, student_id, class_id, academic_year, joined_on, left_on, created_at",
            "DELETE FROM class_students WHERE institution_id = $1 AND class_id <> $2 AND academic_year = $3
                AND student_id IN (SELECT value FROM json_each($5)) AND joined_on >= $4
             RETURNING id, student_id, class_id, academic_year, joined_on, left_on, created_at",
        )
        .bind(institution.0)
        .bind(but.0)
        .bind(year)
        .bind(day.0)
        .bind_split(|| numbers(students), || serde_json::json!(students).to_string())
        .all()
        .await?;
    Ok(Left { ended, deleted })
}

fn numbers(ids: &[UserId]) -> Vec<i64> {
    ids.iter().map(|id| id.0).collect()
}

/// Who is in which class on a day: student and name, in the order they came to it.
pub async fn names_on(
    tx: &mut Tx,
    institution: InstitutionId,
    day: SchoolDay,
) -> sqlx::Result<Vec<(i64, String)>> {
    tx.query(
        "SELECT s.student_id, c.name FROM class_students s
         JOIN classes c ON c.id = s.class_id AND c.institution_id = s.institution_id
         WHERE s.institution_id = $1 AND s.academic_year = $2 AND s.joined_on <= $3
            AND (s.left_on IS NULL OR s.left_on > $3) ORDER BY s.joined_on, s.id",
    )
    .bind(institution.0)
    .bind(day.academic_year())
    .bind(day.0)
    .all()
    .await
}

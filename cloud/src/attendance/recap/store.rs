use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use chrono::NaiveDate;
use hadir_shared::{
    ids::{ClassId, InstitutionId, UserId},
    rules::{
        recap::{self as rule, CheckIn, Correction, Leave, Membership},
        status::Status,
    },
    time::{Month, SchoolDay},
    wire::roster::Role,
};

use super::Named;
use crate::{db::Tx, fail::Fail};

/// Whose recap: of a class, or of every class of the school.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    pub institution: InstitutionId,
    pub class: Option<ClassId>,
    pub month: Month,
}

impl Scope {
    /// A month lies within one academic year.
    fn year(self) -> i64 {
        self.month.first().academic_year()
    }

    fn class(self) -> Option<i64> {
        self.class.map(|id| id.0)
    }
}

pub async fn school(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<String> {
    let (name,) = tx.query("SELECT name FROM institutions WHERE id = $1").bind(institution.0).one().await?;
    Ok(name)
}

/// `None` unless there is exactly one.
pub async fn principal(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Option<Named>> {
    let rows: Vec<(i64, Option<String>, String)> = tx
        .query(
            "SELECT u.id, u.nisn_nip_nik, u.name FROM users u JOIN user_roles r ON r.user_id = u.id AND r.role_id = $2
             WHERE u.institution_id = $1 AND u.is_active ORDER BY u.id LIMIT 2",
        )
        .bind(institution.0)
        .bind(i64::from(Role::KepalaSekolah))
        .all()
        .await?;
    let mut named =
        rows.into_iter().map(|(id, nisn_nip_nik, name)| Named { id: UserId(id), nisn_nip_nik, name });
    Ok(named.next().filter(|_| named.next().is_none()))
}

pub async fn holidays(
    tx: &mut Tx,
    institution: InstitutionId,
    month: Month,
) -> sqlx::Result<BTreeMap<SchoolDay, String>> {
    let rows: Vec<(NaiveDate, String)> = tx
        .query("SELECT day, name FROM holidays WHERE institution_id = $1 AND day BETWEEN $2 AND $3")
        .bind(institution.0)
        .bind(month.first().0)
        .bind(month.last().0)
        .all()
        .await?;
    Ok(rows.into_iter().map(|(day, name)| (SchoolDay(day), name)).collect())
}

/// Who was in which class on any day of the month, and who they are. What other classes they are in is looked at as well: a day
/// is one class's.
pub async fn members(
    tx: &mut Tx,
    scope: Scope,
) -> sqlx::Result<(BTreeMap<ClassId, Vec<Membership>>, HashMap<UserId, Named>)> {
    type Row = (i64, i64, NaiveDate, Option<NaiveDate>, Option<String>, String);
    let rows: Vec<Row> = tx
        .query(
            "SELECT s.class_id, s.student_id, s.joined_on, s.left_on, u.nisn_nip_nik, u.name
             FROM class_students s JOIN users u ON u.institution_id = s.institution_id AND u.id = s.student_id
             WHERE s.institution_id = $1 AND s.academic_year = $2 AND s.joined_on <= $4
             AND (s.left_on IS NULL OR s.left_on > $3)
             AND (CAST($5 AS BIGINT) IS NULL OR s.student_id IN (SELECT o.student_id FROM class_students o
                WHERE o.institution_id = $1 AND o.academic_year = $2 AND o.class_id = $5))
             ORDER BY s.id",
        )
        .bind(scope.institution.0)
        .bind(scope.year())
        .bind(scope.month.first().0)
        .bind(scope.month.last().0)
        .bind(scope.class())
        .all()
        .await?;
    let (mut told, mut people) = (Vec::with_capacity(rows.len()), HashMap::new());
    for (class, student, joined_on, left_on, nisn_nip_nik, name) in rows {
        let student = UserId(student);
        let (joined_on, left_on) = (SchoolDay(joined_on), left_on.map(SchoolDay));
        told.push((ClassId(class), Membership { student, joined_on, left_on }));
        people.insert(student, Named { id: student, nisn_nip_nik, name });
    }
    let mut memberships = BTreeMap::<_, Vec<_>>::new();
    for (class, membership) in rule::one_class_a_day(scope.month, told) {
        memberships.entry(class).or_default().push(membership);
    }
    Ok((memberships, people))
}

/// The month's check-ins of whoever was in the class that year. Rows that mark an absence are none, nor are those taken back.
pub async fn check_ins(tx: &mut Tx, scope: Scope) -> Result<Vec<CheckIn>, Fail> {
    let rows: Vec<(i64, NaiveDate, String, i64)> = tx
        .query(
            "SELECT a.user_id, a.day, a.status, a.late_minutes FROM attendance a
             WHERE a.institution_id = $1 AND a.day BETWEEN $3 AND $4 AND a.type = 'checkin' AND a.status <> 'alpha'
             AND NOT EXISTS (SELECT 1 FROM attendance_voids v WHERE v.institution_id = $1 AND v.attendance_id = a.id)
             AND a.user_id IN (SELECT s.student_id FROM class_students s WHERE s.institution_id = $1 AND s.academic_year = $2
                AND (CAST($5 AS BIGINT) IS NULL OR s.class_id = $5))",
        )
        .bind(scope.institution.0)
        .bind(scope.year())
        .bind(scope.month.first().0)
        .bind(scope.month.last().0)
        .bind(scope.class())
        .all()
        .await?;
    let row = |(student, day, word, late_minutes): (i64, NaiveDate, String, i64)| {
        Ok(CheckIn { student: UserId(student), day: SchoolDay(day), status: status(&word)?, late_minutes })
    };
    rows.into_iter().map(row).collect()
}

/// Every correction of those check-ins: the rule takes the last of each day.
pub async fn corrections(tx: &mut Tx, scope: Scope) -> Result<Vec<Correction>, Fail> {
    let rows: Vec<(i64, i64, NaiveDate, String, i64)> = tx
        .query(
            "SELECT c.id, c.user_id, c.day, c.status_after, c.late_minutes_after FROM attendance_corrections c
             WHERE c.institution_id = $1 AND c.day BETWEEN $3 AND $4 AND c.type = 'checkin'
             AND c.user_id IN (SELECT s.student_id FROM class_students s WHERE s.institution_id = $1 AND s.academic_year = $2
                AND (CAST($5 AS BIGINT) IS NULL OR s.class_id = $5))",
        )
        .bind(scope.institution.0)
        .bind(scope.year())
        .bind(scope.month.first().0)
        .bind(scope.month.last().0)
        .bind(scope.class())
        .all()
        .await?;
    let row = |(id, student, day, word, late_minutes): (i64, i64, NaiveDate, String, i64)| {
        Ok(Correction {
            id,
            student: UserId(student),
            day: SchoolDay(day),
            status: status(&word)?,
            late_minutes,
        })
    };
    rows.into_iter().map(row).collect()
}

/// Approved leaves that touch the month.
pub async fn leaves(tx: &mut Tx, scope: Scope) -> sqlx::Result<Vec<Leave>> {
    let rows: Vec<(i64, i64, NaiveDate, NaiveDate, String)> = tx
        .query(
            "SELECT l.id, l.user_id, l.start_date, l.end_date, l.leave_type FROM leaves l
             WHERE l.institution_id = $1 AND l.status = 'disetujui' AND l.start_date <= $4 AND l.end_date >= $3
             AND l.user_id IN (SELECT s.student_id FROM class_students s WHERE s.institution_id = $1 AND s.academic_year = $2
                AND (CAST($5 AS BIGINT) IS NULL OR s.class_id = $5))",
        )
        .bind(scope.institution.0)
        .bind(scope.year())
        .bind(scope.month.first().0)
        .bind(scope.month.last().0)
        .bind(scope.class())
        .all()
        .await?;
    let row = |(id, student, first, last, kind): (i64, i64, NaiveDate, NaiveDate, String)| Leave {
        id,
        student: UserId(student),
        first: SchoolDay(first),
        last: SchoolDay(last),
        sick: kind == Status::Sakit.as_str(),
    };
    Ok(rows.into_iter().map(row).collect())
}

fn status(word: &str) -> anyhow::Result<Status> {
    Status::parse(word).with_context(|| format!("{word:?} is no status"))
}

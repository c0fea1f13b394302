use chrono::NaiveDate;
use hadir_shared::{
    ids::{ClassId, EventId, InstitutionId, UserId},
    settings::Settings,
    time::{Millis, SchoolDay},
};

use super::TOKEN;
use crate::db::Tx;

/// The last day that was marked.
pub async fn through(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Option<SchoolDay>> {
    let row: Option<(NaiveDate,)> = tx
        .query("SELECT through FROM absence_marks WHERE institution_id = $1")
        .bind(institution.0)
        .opt()
        .await?;
    Ok(row.map(|(day,)| SchoolDay(day)))
}

/// Never back.
pub async fn advance(tx: &mut Tx, institution: InstitutionId, through: SchoolDay) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO absence_marks AS m (institution_id, through) VALUES ($1, $2)
         ON CONFLICT (institution_id) DO UPDATE SET through = excluded.through WHERE m.through < excluded.through",
    )
    .bind(institution.0)
    .bind(through.0)
    .run()
    .await
}

/// A row for each active student of a class who neither came on a day nor was excused; of two classes, for the one he came to
/// last. The two name the types of what is selected differently.
pub async fn mark(
    tx: &mut Tx,
    institution: InstitutionId,
    day: SchoolDay,
    settings: &Settings,
    event: EventId,
    now: Millis,
) -> sqlx::Result<u64> {
    let at = settings.schedule.zone.instant(day, settings.schedule.on(day).checkin_end);
    tx.query_split(
        "INSERT INTO attendance (institution_id, user_id, day, type, status, late_minutes, early_minutes, claimed_at,
            trusted_at, time_grade, qr_token_used, class_id, rules_version, event_id, created_at)
         SELECT m.institution_id, m.student_id, $3::DATE, 'checkin', 'alpha', 0, 0, $4::BIGINT, $4::BIGINT, 'estimated',
            $5::TEXT, m.class_id, $6::BIGINT, $7::UUID, $8::BIGINT
         FROM class_students m JOIN users u ON u.id = m.student_id AND u.institution_id = m.institution_id AND u.is_active
         WHERE m.institution_id = $1 AND m.academic_year = $2 AND m.joined_on <= $3 AND (m.left_on IS NULL OR m.left_on > $3)
            AND m.id = (SELECT n.id FROM class_students n
                WHERE n.institution_id = $1 AND n.student_id = m.student_id AND n.academic_year = $2
                    AND n.joined_on <= $3 AND (n.left_on IS NULL OR n.left_on > $3)
                ORDER BY n.joined_on DESC, n.id DESC LIMIT 1)
            AND NOT EXISTS (SELECT 1 FROM attendance a
                WHERE a.institution_id = $1 AND a.user_id = m.student_id AND a.day = $3 AND a.type = 'checkin'
                    AND a.status <> 'alpha'
                    AND NOT EXISTS (SELECT 1 FROM attendance_voids v
                        WHERE v.institution_id = $1 AND v.attendance_id = a.id))
            AND NOT EXISTS (SELECT 1 FROM leaves l
                WHERE l.institution_id = $1 AND l.user_id = m.student_id AND l.status = 'disetujui'
                    AND l.start_date <= $3 AND l.end_date >= $3)
         ON CONFLICT DO NOTHING",
        "INSERT INTO attendance (institution_id, user_id, day, type, status, late_minutes, early_minutes, claimed_at,
            trusted_at, time_grade, qr_token_used, class_id, rules_version, event_id, created_at)
         SELECT m.institution_id, m.student_id, $3, 'checkin', 'alpha', 0, 0, $4, $4, 'estimated', $5, m.class_id, $6, $7, $8
         FROM class_students m JOIN users u ON u.id = m.student_id AND u.institution_id = m.institution_id AND u.is_active
         WHERE m.institution_id = $1 AND m.academic_year = $2 AND m.joined_on <= $3 AND (m.left_on IS NULL OR m.left_on > $3)
            AND m.id = (SELECT n.id FROM class_students n
                WHERE n.institution_id = $1 AND n.student_id = m.student_id AND n.academic_year = $2
                    AND n.joined_on <= $3 AND (n.left_on IS NULL OR n.left_on > $3)
                ORDER BY n.joined_on DESC, n.id DESC LIMIT 1)
            AND NOT EXISTS (SELECT 1 FROM attendance a
                WHERE a.institution_id = $1 AND a.user_id = m.student_id AND a.day = $3 AND a.type = 'checkin'
                    AND a.status <> 'alpha'
                    AND NOT EXISTS (SELECT 1 FROM attendance_voids v
                        WHERE v.institution_id = $1 AND v.attendance_id = a.id))
            AND NOT EXISTS (SELECT 1 FROM leaves l
                WHERE l.institution_id = $1 AND l.user_id = m.student_id AND l.status = 'disetujui'
                    AND l.start_date <= $3 AND l.end_date >= $3)
         ON CONFLICT DO NOTHING",
    )
    .bind(institution.0)
    .bind(day.academic_year())
    .bind(day.0)
    .bind(at.0)
    .bind(TOKEN)
    .bind(settings.schedule.version)
    .bind(event.0)
    .bind(now.0)
    .run()
    .await
}

/// The row of one student, as [`mark`] makes it.
#[expect(clippy::too_many_arguments, reason = "the columns of one row")]
pub async fn mark_one(
    tx: &mut Tx,
    institution: InstitutionId,
    student: UserId,
    class: ClassId,
    day: SchoolDay,
    settings: &Settings,
    event: EventId,
    now: Millis,
) -> sqlx::Result<u64> {
    let at = settings.schedule.zone.instant(day, settings.schedule.on(day).checkin_end);
    tx.query(
        "INSERT INTO attendance (institution_id, user_id, day, type, status, late_minutes, early_minutes, claimed_at,
            trusted_at, time_grade, qr_token_used, class_id, rules_version, event_id, created_at)
         VALUES ($1, $2, $3, 'checkin', 'alpha', 0, 0, $4, $4, 'estimated', $5, $6, $7, $8, $9)
         ON CONFLICT DO NOTHING",
    )
    .bind(institution.0)
    .bind(student.0)
    .bind(day.0)
    .bind(at.0)
    .bind(TOKEN)
    .bind(class.0)
    .bind(settings.schedule.version)
    .bind(event.0)
    .bind(now.0)
    .run()
    .await
}

/// The absence of a student's day, which is there.
pub async fn of_day(
    tx: &mut Tx,
    institution: InstitutionId,
    student: UserId,
    day: SchoolDay,
) -> sqlx::Result<i64> {
    let (id,) = tx
        .query(
            "SELECT id FROM attendance /* taken back, too */
             WHERE institution_id = $1 AND user_id = $2 AND day = $3 AND type = 'checkin' AND status = 'alpha'",
        )
        .bind(institution.0)
        .bind(student.0)
        .bind(day.0)
        .one()
        .await?;
    Ok(id)
}

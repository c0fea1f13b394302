use chrono::NaiveDate;
use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::{Millis, SchoolDay},
};
use sqlx::FromRow;

use super::{Content, Decision, Filter, Leave, Named};
use crate::{
    db::Tx,
    http::Page,
    sheet::{Column, Columns},
};

/// A row of `leaves`, and its owner's name.
#[derive(Debug, FromRow)]
pub struct Row {
    id: i64,
    #[sqlx(try_from = "i64")]
    user_id: UserId,
    leave_type: String,
    start_date: NaiveDate,
    end_date: NaiveDate,
    reason: String,
    attachment_path: Option<String>,
    status: String,
    approved_by: Option<i64>,
    approval_comment: Option<String>,
    approved_at: Option<i64>,
    #[sqlx(try_from = "i64")]
    created_at: Millis,
    #[sqlx(try_from = "i64")]
    updated_at: Millis,
    nisn_nip_nik: Option<String>,
    name: String,
}

impl Columns for Row {
    const COLUMNS: &'static [Column<Self>] = &[
        ("NISN/NIP/NIK", |row| row.nisn_nip_nik.as_deref().into()),
        ("Nama", |row| row.name.as_str().into()),
        ("Jenis", |row| row.leave_type.as_str().into()),
        ("Mulai", |row| row.start_date.into()),
        ("Selesai", |row| row.end_date.into()),
        ("Alasan", |row| row.reason.as_str().into()),
        ("Status", |row| row.status.as_str().into()),
        ("Komentar", |row| row.approval_comment.as_deref().into()),
        ("Diputuskan", |row| row.approved_at.map(Millis).into()),
        ("Diajukan", |row| row.created_at.into()),
    ];
}

impl From<Row> for Leave {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            user_id: row.user_id,
            kind: row.leave_type,
            start_date: row.start_date,
            end_date: row.end_date,
            reason: row.reason,
            attachment_path: row.attachment_path,
            status: row.status,
            approved_by: row.approved_by,
            approval_comment: row.approval_comment,
            approved_at: row.approved_at.map(|at| Millis(at).to_rfc3339_micros()),
            created_at: row.created_at,
            updated_at: row.updated_at,
            user: Named { id: row.user_id, nisn_nip_nik: row.nisn_nip_nik, name: row.name },
        }
    }
}

pub async fn count(tx: &mut Tx, institution: InstitutionId, filter: &Filter) -> sqlx::Result<i64> {
    let (count,) = tx
        .query(
            "SELECT COUNT(*) FROM leaves WHERE institution_id = $1
             AND (CAST($2 AS BIGINT) IS NULL OR user_id = $2)
             AND (CAST($3 AS TEXT) IS NULL OR status = $3)
             AND (CAST($4 AS TEXT) IS NULL OR leave_type = $4)
             AND (CAST($5 AS DATE) IS NULL OR end_date >= $5)
             AND (CAST($6 AS DATE) IS NULL OR start_date <= $6)",
        )
        .bind(institution.0)
        .bind(filter.owner.map(|id| id.0))
        .bind(filter.status.as_deref())
        .bind(filter.kind.as_deref())
        .bind(filter.from)
        .bind(filter.to)
        .one()
        .await?;
    Ok(count)
}

pub async fn page(
    tx: &mut Tx,
    institution: InstitutionId,
    filter: &Filter,
    page: &Page,
) -> sqlx::Result<Vec<Row>> {
    slice(tx, institution, filter, page.per_page, page.offset()).await
}

pub async fn newest(
    tx: &mut Tx,
    institution: InstitutionId,
    filter: &Filter,
    most: i64,
) -> sqlx::Result<Vec<Row>> {
    slice(tx, institution, filter, most, 0).await
}

async fn slice(
    tx: &mut Tx,
    institution: InstitutionId,
    filter: &Filter,
    limit: i64,
    offset: i64,
) -> sqlx::Result<Vec<Row>> {
    tx.query(
        "SELECT l.*, u.nisn_nip_nik, u.name FROM leaves l JOIN users u ON u.id = l.user_id
         WHERE l.institution_id = $1
         AND (CAST($2 AS BIGINT) IS NULL OR l.user_id = $2)
         AND (CAST($3 AS TEXT) IS NULL OR l.status = $3)
         AND (CAST($4 AS TEXT) IS NULL OR l.leave_type = $4)
         AND (CAST($5 AS DATE) IS NULL OR l.end_date >= $5)
         AND (CAST($6 AS DATE) IS NULL OR l.start_date <= $6)
         ORDER BY l.id DESC LIMIT $7 OFFSET $8",
    )
    .bind(institution.0)
    .bind(filter.owner.map(|id| id.0))
    .bind(filter.status.as_deref())
    .bind(filter.kind.as_deref())
    .bind(filter.from)
    .bind(filter.to)
    .bind(limit)
    .bind(offset)
    .all()
    .await
}

pub async fn newest_of_homeroom(
    tx: &mut Tx,
    institution: InstitutionId,
    teacher: UserId,
    today: SchoolDay,
    most: i64,
) -> sqlx::Result<Vec<Row>> {
    tx.query(
        "SELECT l.*, u.nisn_nip_nik, u.name FROM leaves l JOIN users u ON u.id = l.user_id
         WHERE l.institution_id = $1 AND l.user_id IN (
            SELECT s.student_id FROM class_students s
            JOIN classes c ON c.institution_id = s.institution_id AND c.id = s.class_id
            WHERE s.institution_id = $1 AND s.academic_year = $3 AND c.homeroom_teacher_id = $2
               AND s.joined_on <= $4 AND (s.left_on IS NULL OR s.left_on > $4))
         ORDER BY l.id DESC LIMIT $5",
    )
    .bind(institution.0)
    .bind(teacher.0)
    .bind(today.academic_year())
    .bind(today.0)
    .bind(most)
    .all()
    .await
}

pub async fn by_id(tx: &mut Tx, institution: InstitutionId, id: i64) -> sqlx::Result<Option<Row>> {
    tx.query(
        "SELECT l.*, u.nisn_nip_nik, u.name FROM leaves l JOIN users u ON u.id = l.user_id
         WHERE l.institution_id = $1 AND l.id = $2",
    )
    .bind(institution.0)
    .bind(id)
    .opt()
    .await
}

pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    owner: UserId,
    content: &Content,
    now: Millis,
) -> sqlx::Result<i64> {
    let (id,) = tx
        .query(
            "INSERT INTO leaves (institution_id, user_id, leave_type, start_date, end_date, reason, attachment_path, status,
                created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'menunggu', $8, $8) RETURNING id",
        )
        .bind(institution.0)
        .bind(owner.0)
        .bind(content.kind.as_deref())
        .bind(content.first)
        .bind(content.last)
        .bind(content.reason.as_deref())
        .bind(content.attachment.as_deref())
        .bind(now.0)
        .one()
        .await?;
    Ok(id)
}

/// `false`: it waits no more, or is somebody else's.
pub async fn edit(
    tx: &mut Tx,
    institution: InstitutionId,
    owner: UserId,
    id: i64,
    content: &Content,
    now: Millis,
) -> sqlx::Result<bool> {
    let changed = tx
        .query(
            "UPDATE leaves SET leave_type = COALESCE($4, leave_type), start_date = COALESCE($5, start_date),
                end_date = COALESCE($6, end_date), reason = COALESCE($7, reason),
                attachment_path = COALESCE($8, attachment_path), updated_at = $9
             WHERE institution_id = $1 AND user_id = $2 AND id = $3 AND status = 'menunggu'",
        )
        .bind(institution.0)
        .bind(owner.0)
        .bind(id)
        .bind(content.kind.as_deref())
        .bind(content.first)
        .bind(content.last)
        .bind(content.reason.as_deref())
        .bind(content.attachment.as_deref())
        .bind(now.0)
        .run()
        .await?;
    Ok(changed == 1)
}

/// `false`: somebody else decided, or took it back, before.
pub async fn decide(
    tx: &mut Tx,
    institution: InstitutionId,
    id: i64,
    decision: &Decision<'_>,
    now: Millis,
) -> sqlx::Result<bool> {
    let changed = tx
        .query(
            "UPDATE leaves SET status = $3, approved_by = $4, approval_comment = $5, approved_at = $6, updated_at = $6
             WHERE institution_id = $1 AND id = $2 AND status = $7",
        )
        .bind(institution.0)
        .bind(id)
        .bind(decision.to)
        .bind(decision.by.0)
        .bind(decision.comment)
        .bind(now.0)
        .bind(decision.from)
        .run()
        .await?;
    Ok(changed == 1)
}

/// `false`: it waits no more, or is somebody else's.
pub async fn delete(tx: &mut Tx, institution: InstitutionId, owner: UserId, id: i64) -> sqlx::Result<bool> {
    let gone = tx
        .query("DELETE FROM leaves WHERE institution_id = $1 AND user_id = $2 AND id = $3 AND status = 'menunggu'")
        .bind(institution.0)
        .bind(owner.0)
        .bind(id)
        .run()
        .await?;
    Ok(gone == 1)
}

/// Whether any leave of a person names a file.
pub async fn refers(
    tx: &mut Tx,
    institution: InstitutionId,
    owner: UserId,
    path: &str,
) -> sqlx::Result<bool> {
    let row: Option<(i64,)> = tx
        .query("SELECT id FROM leaves WHERE institution_id = $1 AND user_id = $2 AND attachment_path = $3 LIMIT 1")
        .bind(institution.0)
        .bind(owner.0)
        .bind(path)
        .opt()
        .await?;
    Ok(row.is_some())
}

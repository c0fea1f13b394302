//! What is published of a school. `ids` names rows, as an array or as JSON; `None` means all of the school's.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use hadir_shared::{ids::InstitutionId, time::SchoolDay};
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use crate::db::Tx;

#[derive(FromRow)]
pub struct PersonRow {
    pub id: i64,
    pub uuid: Uuid,
    pub number: String,
    pub name: String,
    pub password_hash: String,
    pub is_active: bool,
    pub role_id: i64,
    pub class_id: Option<i64>,
    pub photo_path: Option<String>,
}

/// Those who have a login and a role in attendance, with the class they are in on a day: of two, the one they came to last.
pub async fn people(
    tx: &mut Tx,
    institution: InstitutionId,
    ids: Option<&[i64]>,
    day: SchoolDay,
) -> sqlx::Result<Vec<PersonRow>> {
    tx.query_split(
        "SELECT u.id, u.uuid, u.nisn_nip_nik AS number, u.name, u.password_hash, u.is_active, u.photo_path, r.role_id,
            (SELECT c.class_id FROM class_students c
             WHERE c.institution_id = $1 AND c.student_id = u.id AND c.academic_year = $3
                AND c.joined_on <= $4 AND (c.left_on IS NULL OR c.left_on > $4)
             ORDER BY c.joined_on DESC, c.id DESC LIMIT 1) AS class_id
         FROM users u JOIN user_roles r ON r.user_id = u.id JOIN services s ON s.id = r.service_id
         WHERE u.institution_id = $1 AND s.code = 'ATTENDANCE' AND u.nisn_nip_nik IS NOT NULL
            AND ($2::BIGINT[] IS NULL OR u.id = ANY($2)) ORDER BY u.id",
        "SELECT u.id, u.uuid, u.nisn_nip_nik AS number, u.name, u.password_hash, u.is_active, u.photo_path, r.role_id,
            (SELECT c.class_id FROM class_students c
             WHERE c.institution_id = $1 AND c.student_id = u.id AND c.academic_year = $3
                AND c.joined_on <= $4 AND (c.left_on IS NULL OR c.left_on > $4)
             ORDER BY c.joined_on DESC, c.id DESC LIMIT 1) AS class_id
         FROM users u JOIN user_roles r ON r.user_id = u.id JOIN services s ON s.id = r.service_id
         WHERE u.institution_id = $1 AND s.code = 'ATTENDANCE' AND u.nisn_nip_nik IS NOT NULL
            AND ($2 IS NULL OR u.id IN (SELECT value FROM json_each($2))) ORDER BY u.id",
    )
    .bind(institution.0)
    .bind_split(|| ids, || as_json(ids))
    .bind(day.academic_year())
    .bind(day.0)
    .all()
    .await
}

/// Id, name, homeroom teacher.
pub async fn classes(
    tx: &mut Tx,
    institution: InstitutionId,
    ids: Option<&[i64]>,
) -> sqlx::Result<Vec<(i64, String, Option<i64>)>> {
    tx.query_split(
        "SELECT id, name, homeroom_teacher_id FROM classes
         WHERE institution_id = $1 AND ($2::BIGINT[] IS NULL OR id = ANY($2)) ORDER BY id",
        "SELECT id, name, homeroom_teacher_id FROM classes
         WHERE institution_id = $1 AND ($2 IS NULL OR id IN (SELECT value FROM json_each($2))) ORDER BY id",
    )
    .bind(institution.0)
    .bind_split(|| ids, || as_json(ids))
    .all()
    .await
}

#[derive(FromRow)]
pub struct CardRow {
    pub id: i64,
    pub student_id: i64,
    pub serial: i64,
    pub qr_code: String,
    pub is_active: bool,
}

pub async fn cards(
    tx: &mut Tx,
    institution: InstitutionId,
    ids: Option<&[i64]>,
) -> sqlx::Result<Vec<CardRow>> {
    tx.query_split(
        "SELECT id, student_id, serial, qr_code, is_active FROM student_cards
         WHERE institution_id = $1 AND ($2::BIGINT[] IS NULL OR id = ANY($2)) ORDER BY id",
        "SELECT id, student_id, serial, qr_code, is_active FROM student_cards
         WHERE institution_id = $1 AND ($2 IS NULL OR id IN (SELECT value FROM json_each($2))) ORDER BY id",
    )
    .bind(institution.0)
    .bind_split(|| ids, || as_json(ids))
    .all()
    .await
}

#[derive(FromRow)]
pub struct LeaveRow {
    pub id: i64,
    pub user_id: i64,
    pub leave_type: String,
    pub start_date: NaiveDate,
    pub end_date: NaiveDate,
}

pub async fn approved_leaves(
    tx: &mut Tx,
    institution: InstitutionId,
    ids: Option<&[i64]>,
) -> sqlx::Result<Vec<LeaveRow>> {
    tx.query_split(
        "SELECT id, user_id, leave_type, start_date, end_date FROM leaves
         WHERE institution_id = $1 AND status = 'disetujui' AND ($2::BIGINT[] IS NULL OR id = ANY($2)) ORDER BY id",
        "SELECT id, user_id, leave_type, start_date, end_date FROM leaves
         WHERE institution_id = $1 AND status = 'disetujui' AND ($2 IS NULL OR id IN (SELECT value FROM json_each($2)))
         ORDER BY id",
    )
    .bind(institution.0)
    .bind_split(|| ids, || as_json(ids))
    .all()
    .await
}

pub async fn holidays(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<(NaiveDate, String)>> {
    tx.query("SELECT day, name FROM holidays WHERE institution_id = $1 ORDER BY day")
        .bind(institution.0)
        .all()
        .await
}

/// The version, and what the school has chosen.
pub async fn settings(
    tx: &mut Tx,
    institution: InstitutionId,
) -> sqlx::Result<(i64, BTreeMap<String, String>)> {
    let version: Option<(i64,)> = tx
        .query("SELECT version FROM settings_versions WHERE institution_id = $1")
        .bind(institution.0)
        .opt()
        .await?;
    let chosen: Vec<(String, String)> = tx
        .query("SELECT key_name, value FROM settings WHERE institution_id = $1")
        .bind(institution.0)
        .all()
        .await?;
    Ok((version.map_or(0, |(version,)| version), chosen.into_iter().collect()))
}

/// The schools that have attendance.
pub async fn schools(tx: &mut Tx) -> sqlx::Result<Vec<InstitutionId>> {
    let rows: Vec<(i64,)> = tx
        .query(
            "SELECT l.institution_id FROM institution_services l JOIN services s ON s.id = l.service_id
             WHERE s.code = 'ATTENDANCE' ORDER BY l.institution_id",
        )
        .all()
        .await?;
    Ok(rows.into_iter().map(|(id,)| InstitutionId(id)).collect())
}

/// Code and name.
pub async fn institution(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<(String, String)> {
    tx.query("SELECT code, name FROM institutions WHERE id = $1").bind(institution.0).one().await
}

fn as_json(ids: Option<&[i64]>) -> Option<String> {
    ids.map(|ids| json!(ids).to_string())
}

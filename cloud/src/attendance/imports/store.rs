use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::{Millis, SchoolDay},
};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use crate::db::Tx;

/// One import of a school at a time, until the transaction ends. SQLite has one writer anyway.
pub async fn lock(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<()> {
    tx.query_split(
        "SELECT pg_advisory_xact_lock(hashtextextended('attendance.import', CAST($1 AS BIGINT)))",
        "SELECT $1",
    )
    .bind(institution.0)
    .run()
    .await
    .map(drop)
}

#[derive(FromRow)]
pub struct PersonRow {
    pub id: i64,
    pub nisn_nip_nik: String,
    pub name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub role_id: Option<i64>,
    pub is_active: bool,
}

/// The school's people with these numbers. The two take a list of texts differently, here and below.
pub async fn people(
    tx: &mut Tx,
    institution: InstitutionId,
    numbers: &[&str],
) -> sqlx::Result<Vec<PersonRow>> {
    tx.query_split(
        "SELECT u.id, u.nisn_nip_nik, u.name, u.email, u.phone, r.role_id, u.is_active
         FROM users u LEFT JOIN user_roles r ON r.user_id = u.id AND r.role_id BETWEEN 1 AND 5
         WHERE u.institution_id = $1 AND u.nisn_nip_nik = ANY($2)",
        "SELECT u.id, u.nisn_nip_nik, u.name, u.email, u.phone, r.role_id, u.is_active
         FROM users u LEFT JOIN user_roles r ON r.user_id = u.id AND r.role_id BETWEEN 1 AND 5
         WHERE u.institution_id = $1 AND u.nisn_nip_nik IN (SELECT value FROM json_each($2))",
    )
    .bind(institution.0)
    .bind_split(|| texts(numbers), || json(&numbers))
    .all()
    .await
}

/// Which of these numbers are somebody's who is not of this school.
pub async fn numbers_elsewhere(
    tx: &mut Tx,
    institution: InstitutionId,
    numbers: &[&str],
) -> sqlx::Result<Vec<(String,)>> {
    tx.query_split(
        "SELECT nisn_nip_nik FROM users
         WHERE (institution_id IS NULL OR institution_id <> $1) AND nisn_nip_nik = ANY($2)",
        "SELECT nisn_nip_nik FROM users
         WHERE (institution_id IS NULL OR institution_id <> $1) AND nisn_nip_nik IN (SELECT value FROM json_each($2))",
    )
    .bind(institution.0)
    .bind_split(|| texts(numbers), || json(&numbers))
    .all()
    .await
}

/// Which of these addresses are in use, and by whom of this school.
pub async fn emails(
    tx: &mut Tx,
    institution: InstitutionId,
    emails: &[&str],
) -> sqlx::Result<Vec<(String, Option<i64>)>> {
    tx.query_split(
        "SELECT email, CASE WHEN institution_id = $1 THEN id END FROM users WHERE email = ANY($2)",
        "SELECT email, CASE WHEN institution_id = $1 THEN id END FROM users
         WHERE email IN (SELECT value FROM json_each($2))",
    )
    .bind(institution.0)
    .bind_split(|| texts(emails), || json(&emails))
    .all()
    .await
}

/// What these people may do in the core: person and permission.
pub async fn core_permissions(
    tx: &mut Tx,
    institution: InstitutionId,
    people: &[i64],
) -> sqlx::Result<Vec<(i64, String)>> {
    tx.query_split(
        "SELECT u.id, p.code FROM users u JOIN user_roles ur ON ur.user_id = u.id
         JOIN role_permissions rp ON rp.role_id = ur.role_id JOIN permissions p ON p.id = rp.permission_id
         WHERE u.institution_id = $1 AND u.id = ANY($2) AND p.code LIKE 'sso.%'",
        "SELECT u.id, p.code FROM users u JOIN user_roles ur ON ur.user_id = u.id
         JOIN role_permissions rp ON rp.role_id = ur.role_id JOIN permissions p ON p.id = rp.permission_id
         WHERE u.institution_id = $1 AND u.id IN (SELECT value FROM json_each($2)) AND p.code LIKE 'sso.%'",
    )
    .bind(institution.0)
    .bind_split(|| people.to_vec(), || json(&people))
    .all()
    .await
}

/// Which classes these people are in on a day: person and class.
pub async fn memberships(
    tx: &mut Tx,
    institution: InstitutionId,
    people: &[i64],
    day: SchoolDay,
) -> sqlx::Result<Vec<(i64, i64)>> {
    tx.query_split(
        "SELECT student_id, class_id FROM class_students
         WHERE institution_id = $1 AND academic_year = $2 AND joined_on <= $3 AND (left_on IS NULL OR left_on > $3)
            AND student_id = ANY($4)",
        "SELECT student_id, class_id FROM class_students
         WHERE institution_id = $1 AND academic_year = $2 AND joined_on <= $3 AND (left_on IS NULL OR left_on > $3)
            AND student_id IN (SELECT value FROM json_each($4))",
    )
    .bind(institution.0)
    .bind(day.academic_year())
    .bind(day.0)
    .bind_split(|| people.to_vec(), || json(&people))
    .all()
    .await
}

/// An account to be made.
#[derive(Debug)]
pub struct New<'a> {
    pub uuid: Uuid,
    pub number: &'a str,
    pub name: &'a str,
    pub email: Option<&'a str>,
    pub phone: Option<&'a str>,
    pub password_hash: &'a str,
}

/// A new account as a JSON list, in the order of the statement.
#[derive(Serialize)]
struct Column<'a>(String, &'a str, &'a str, Option<&'a str>, Option<&'a str>, &'a str);

/// Makes accounts, and answers whose id is which number. Somebody whose number or address is taken is left out: count.
pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    new: &[New<'_>],
    now: Millis,
) -> sqlx::Result<Vec<(i64, String)>> {
    let columns = || {
        let column = |n: &New<'_>| {
            serde_json::json!(Column(
                n.uuid.simple().to_string(),
                n.number,
                n.name,
                n.email,
                n.phone,
                n.password_hash
            ))
        };
        new.iter().map(column).collect::<Vec<_>>()
    };
    tx.query_split(
        "INSERT INTO users (institution_id, created_at, updated_at, is_active, token_version,
            uuid, nisn_nip_nik, name, email, phone, password_hash)
         SELECT $1, $2, $2, TRUE, 0, n.*
         FROM UNNEST($3::UUID[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TEXT[]) AS n
         ON CONFLICT DO NOTHING RETURNING id, nisn_nip_nik",
        "INSERT INTO users (institution_id, created_at, updated_at, is_active, token_version,
            uuid, nisn_nip_nik, name, email, phone, password_hash)
         SELECT $1, $2, $2, TRUE, 0, unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
         FROM json_each($3) WHERE TRUE
         ON CONFLICT DO NOTHING RETURNING id, nisn_nip_nik",
    )
    .bind(institution.0)
    .bind(now.0)
    .bind_split(|| new.iter().map(|n| n.uuid).collect::<Vec<_>>(), || json(&columns()))
    .bind_pg(|| new.iter().map(|n| n.number).collect::<Vec<_>>())
    .bind_pg(|| new.iter().map(|n| n.name).collect::<Vec<_>>())
    .bind_pg(|| new.iter().map(|n| n.email).collect::<Vec<_>>())
    .bind_pg(|| new.iter().map(|n| n.phone).collect::<Vec<_>>())
    .bind_pg(|| new.iter().map(|n| n.password_hash).collect::<Vec<_>>())
    .all()
    .await
}

/// Gives people of the school their roles: person and role.
pub async fn give_roles(tx: &mut Tx, institution: InstitutionId, roles: &[(i64, i64)]) -> sqlx::Result<u64> {
    tx.query_split(
        "INSERT INTO user_roles (user_id, service_id, role_id)
         SELECT u.id, r.service_id, r.id FROM UNNEST($2::BIGINT[], $3::BIGINT[]) AS n (user_id, role_id)
         JOIN roles r ON r.id = n.role_id JOIN users u ON u.id = n.user_id AND u.institution_id = $1",
        "INSERT INTO user_roles (user_id, service_id, role_id)
         SELECT u.id, r.service_id, r.id FROM json_each($2) AS n
         JOIN roles r ON r.id = n.value ->> 1 JOIN users u ON u.id = n.value ->> 0 AND u.institution_id = $1",
    )
    .bind(institution.0)
    .bind_split(|| roles.iter().map(|(user, _)| *user).collect::<Vec<_>>(), || json(&roles))
    .bind_pg(|| roles.iter().map(|(_, role)| *role).collect::<Vec<_>>())
    .run()
    .await
}

/// What changes of an account: a name always, an address or phone where there is one.
#[derive(Debug, Serialize)]
pub struct Change<'a>(pub UserId, pub &'a str, pub Option<&'a str>, pub Option<&'a str>);

pub async fn update(
    tx: &mut Tx,
    institution: InstitutionId,
    changes: &[Change<'_>],
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query_split(
        "UPDATE users AS u SET name = n.name, email = COALESCE(n.email, u.email), phone = COALESCE(n.phone, u.phone),
            updated_at = $2
         FROM UNNEST($3::BIGINT[], $4::TEXT[], $5::TEXT[], $6::TEXT[]) AS n (id, name, email, phone)
         WHERE u.institution_id = $1 AND u.id = n.id",
        "UPDATE users AS u SET name = n.value ->> 1, email = COALESCE(n.value ->> 2, u.email),
            phone = COALESCE(n.value ->> 3, u.phone), updated_at = $2
         FROM json_each($3) AS n WHERE u.institution_id = $1 AND u.id = n.value ->> 0",
    )
    .bind(institution.0)
    .bind(now.0)
    .bind_split(|| changes.iter().map(|change| change.0.0).collect::<Vec<_>>(), || json(&changes))
    .bind_pg(|| changes.iter().map(|change| change.1).collect::<Vec<_>>())
    .bind_pg(|| changes.iter().map(|change| change.2).collect::<Vec<_>>())
    .bind_pg(|| changes.iter().map(|change| change.3).collect::<Vec<_>>())
    .run()
    .await
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn json(list: &impl Serialize) -> String {
    serde_json::json!(list).to_string()
}

//! Institutions, services, and who is what in them.

use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};
use uuid::Uuid;

use crate::{db::Tx, identity::user::Names};

pub async fn insert_institution(
    tx: &mut Tx,
    uuid: Uuid,
    code: &str,
    name: &str,
    now: Millis,
) -> sqlx::Result<InstitutionId> {
    let (id,): (i64,) = tx
        .query(
            "INSERT INTO institutions (uuid, code, name, is_active, created_at, updated_at)
             VALUES ($1, $2, $3, TRUE, $4, $4) RETURNING id",
        )
        .bind(uuid)
        .bind(code)
        .bind(name)
        .bind(now.0)
        .one()
        .await?;
    Ok(InstitutionId(id))
}

pub async fn institution_by_code(tx: &mut Tx, code: &str) -> sqlx::Result<Option<InstitutionId>> {
    let row: Option<(i64,)> =
        tx.query("SELECT id FROM institutions WHERE code = $1").bind(code).opt().await?;
    Ok(row.map(|(id,)| InstitutionId(id)))
}

pub async fn institution_names(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Names> {
    tx.query("SELECT code, name FROM institutions WHERE id = $1").bind(institution.0).one().await
}

/// Whether the people of an institution may sign in.
pub async fn is_open(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<bool> {
    let row: Option<(bool,)> =
        tx.query("SELECT is_active FROM institutions WHERE id = $1").bind(institution.0).opt().await?;
    Ok(row.is_some_and(|(open,)| open))
}

pub async fn link_service(
    tx: &mut Tx,
    institution: InstitutionId,
    service: &str,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO institution_services (institution_id, service_id, created_at)
         SELECT $1, id, $3 FROM services WHERE code = $2 ON CONFLICT DO NOTHING",
    )
    .bind(institution.0)
    .bind(service)
    .bind(now.0)
    .run()
    .await
}

pub async fn insert_service(
    tx: &mut Tx,
    uuid: Uuid,
    code: &str,
    name: &str,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO services (uuid, code, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (code) DO NOTHING",
    )
    .bind(uuid)
    .bind(code)
    .bind(name)
    .bind(now.0)
    .run()
    .await
}

pub async fn insert_role(
    tx: &mut Tx,
    id: i64,
    service: &str,
    code: &str,
    name: &str,
    description: &str,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO roles (id, service_id, code, name, description)
         SELECT $1, id, $3, $4, $5 FROM services WHERE code = $2 ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(service)
    .bind(code)
    .bind(name)
    .bind(description)
    .run()
    .await
}

pub async fn insert_permission(tx: &mut Tx, service: &str, code: &str) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO permissions (service_id, code)
         SELECT id, $2 FROM services WHERE code = $1 ON CONFLICT DO NOTHING",
    )
    .bind(service)
    .bind(code)
    .run()
    .await
}

pub async fn grant(tx: &mut Tx, role: i64, permission: &str) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO role_permissions (role_id, permission_id)
         SELECT r.id, p.id FROM roles r JOIN permissions p ON p.service_id = r.service_id
         WHERE r.id = $1 AND p.code = $2 ON CONFLICT DO NOTHING",
    )
    .bind(role)
    .bind(permission)
    .run()
    .await
}

/// A role that does not exist violates the foreign key, because the service is looked up from it.
pub async fn upsert_user_role(tx: &mut Tx, user: UserId, role: i64) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO user_roles (user_id, service_id, role_id)
         VALUES ($1, COALESCE((SELECT service_id FROM roles WHERE id = $2), 0), $2)
         ON CONFLICT (user_id, service_id) DO UPDATE SET role_id = excluded.role_id",
    )
    .bind(user.0)
    .bind(role)
    .run()
    .await
}

/// Service code, role id, role code; without the services that the user's institution does not have.
pub async fn roles_of(tx: &mut Tx, user: UserId) -> sqlx::Result<Vec<(String, i64, String)>> {
    tx.query(
        "SELECT s.code, r.id, r.code FROM users u
         JOIN user_roles ur ON ur.user_id = u.id
         JOIN roles r ON r.id = ur.role_id
         JOIN services s ON s.id = ur.service_id
         WHERE u.id = $1 AND (u.institution_id IS NULL OR s.code = 'SSO' OR EXISTS (
            SELECT 1 FROM institution_services x
            WHERE x.institution_id = u.institution_id AND x.service_id = s.id))",
    )
    .bind(user.0)
    .all()
    .await
}

/// Permission codes, under the same condition.
pub async fn permissions_of(tx: &mut Tx, user: UserId) -> sqlx::Result<Vec<(String,)>> {
    tx.query(
        "SELECT p.code FROM users u
         JOIN user_roles ur ON ur.user_id = u.id
         JOIN services s ON s.id = ur.service_id
         JOIN role_permissions rp ON rp.role_id = ur.role_id
         JOIN permissions p ON p.id = rp.permission_id
         WHERE u.id = $1 AND (u.institution_id IS NULL OR s.code = 'SSO' OR EXISTS (
            SELECT 1 FROM institution_services x
            WHERE x.institution_id = u.institution_id AND x.service_id = s.id))",
    )
    .bind(user.0)
    .all()
    .await
}

/// The services an active institution has.
pub async fn services_of(tx: &mut Tx, institution: InstitutionId) -> sqlx::Result<Vec<(String,)>> {
    tx.query(
        "SELECT s.code FROM institution_services l JOIN services s ON s.id = l.service_id
         JOIN institutions i ON i.id = l.institution_id
         WHERE l.institution_id = $1 AND i.is_active",
    )
    .bind(institution.0)
    .all()
    .await
}

/// A role, with its service.
pub async fn role(tx: &mut Tx, role: i64) -> sqlx::Result<Option<(String, i64, String)>> {
    tx.query(
        "SELECT s.code, r.id, r.code FROM roles r JOIN services s ON s.id = r.service_id WHERE r.id = $1",
    )
    .bind(role)
    .opt()
    .await
}

pub async fn permissions_of_role(tx: &mut Tx, role: i64) -> sqlx::Result<Vec<(String,)>> {
    tx.query(
        "SELECT p.code FROM role_permissions g JOIN permissions p ON p.id = g.permission_id WHERE g.role_id = $1",
    )
    .bind(role)
    .all()
    .await
}

use super::{super::listing::Listing, Master, Person, Reach};
use crate::db::Tx;

pub async fn count(tx: &mut Tx, service: Option<i64>, listing: &Listing) -> sqlx::Result<i64> {
    let (count,) = tx
        .query(
            "SELECT COUNT(*) FROM permissions
             WHERE (CAST($1 AS BIGINT) IS NULL OR service_id = $1)
             AND (CAST($2 AS TEXT) IS NULL OR LOWER(code) LIKE $2 ESCAPE '!')",
        )
        .bind(service)
        .bind(listing.pattern.as_deref())
        .one()
        .await?;
    Ok(count)
}

/// Permissions keep no instant: by when they were made is by id.
pub async fn page(tx: &mut Tx, service: Option<i64>, listing: &Listing) -> sqlx::Result<Vec<Master>> {
    tx.query(
        "SELECT p.id, p.code, p.code AS name, p.description, p.resource_type, p.action,
            p.service_id AS service_provider_id, s.code AS service
         FROM permissions p JOIN services s ON s.id = p.service_id
         WHERE (CAST($1 AS BIGINT) IS NULL OR p.service_id = $1)
         AND (CAST($2 AS TEXT) IS NULL OR LOWER(p.code) LIKE $2 ESCAPE '!')
         ORDER BY CASE WHEN $3 = 'name' THEN p.code END, CASE WHEN $3 = '-name' THEN p.code END DESC,
            CASE WHEN $3 IN ('-id', '-created_at') THEN p.id END DESC, p.id
         LIMIT $4 OFFSET $5",
    )
    .bind(service)
    .bind(listing.pattern.as_deref())
    .bind(listing.sort)
    .bind(listing.limit)
    .bind(listing.offset())
    .all()
    .await
}

pub async fn find(tx: &mut Tx, id: i64) -> sqlx::Result<Option<Master>> {
    tx.query(
        "SELECT p.id, p.code, p.code AS name, p.description, p.resource_type, p.action,
            p.service_id AS service_provider_id, s.code AS service
         FROM permissions p JOIN services s ON s.id = p.service_id WHERE p.id = $1",
    )
    .bind(id)
    .opt()
    .await
}

/// `None`: some service has one of this code. `more`: description, type of resource, action.
pub async fn insert(
    tx: &mut Tx,
    service: i64,
    code: &str,
    more: [Option<&str>; 3],
) -> sqlx::Result<Option<i64>> {
    let [description, resource_type, action] = more;
    let row: Option<(i64,)> = tx
        .query(
            "INSERT INTO permissions (service_id, code, description, resource_type, action)
             SELECT id, $2, $3, $4, $5 FROM services
             WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM permissions WHERE code = $2)
             ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(service)
        .bind(code)
        .bind(description)
        .bind(resource_type)
        .bind(action)
        .opt()
        .await?;
    Ok(row.map(|(id,)| id))
}

/// No row: it has it already.
pub async fn give(tx: &mut Tx, role: i64, permission: i64) -> sqlx::Result<u64> {
    tx.query("INSERT INTO role_permissions (role_id, permission_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(role)
        .bind(permission)
        .run()
        .await
}

pub async fn take(tx: &mut Tx, role: i64, permission: i64) -> sqlx::Result<u64> {
    tx.query("DELETE FROM role_permissions WHERE role_id = $1 AND permission_id = $2")
        .bind(role)
        .bind(permission)
        .run()
        .await
}

pub async fn has(tx: &mut Tx, role: i64, permission: i64) -> sqlx::Result<bool> {
    let row: Option<(i64,)> = tx
        .query("SELECT role_id FROM role_permissions WHERE role_id = $1 AND permission_id = $2")
        .bind(role)
        .bind(permission)
        .opt()
        .await?;
    Ok(row.is_some())
}

pub async fn holders(tx: &mut Tx, reach: Reach, role: i64, most: i64) -> sqlx::Result<Vec<Person>> {
    tx.query(
        "SELECT u.id, u.uuid, u.name, u.username, u.email, u.institution_id
         FROM users u JOIN user_roles r ON r.user_id = u.id
         WHERE r.role_id = $2 AND (CAST($1 AS BIGINT) IS NULL OR u.institution_id = $1) ORDER BY u.id LIMIT $3",
    )
    .bind(reach.only())
    .bind(role)
    .bind(most)
    .all()
    .await
}

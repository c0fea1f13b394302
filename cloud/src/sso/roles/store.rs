use hadir_shared::{ids::UserId, time::Millis};

use super::{super::listing::Listing, Role};
use crate::{db::Tx, identity::seed};

pub async fn count(tx: &mut Tx, listing: &Listing) -> sqlx::Result<i64> {
    let (count,) = tx
        .query(
            "SELECT COUNT(*) FROM roles
             WHERE CAST($1 AS TEXT) IS NULL OR LOWER(name) LIKE $1 ESCAPE '!' OR LOWER(code) LIKE $1 ESCAPE '!'",
        )
        .bind(listing.pattern.as_deref())
        .one()
        .await?;
    Ok(count)
}

/// Roles keep no instant: by when they were made is by id.
pub async fn page(tx: &mut Tx, listing: &Listing) -> sqlx::Result<Vec<Role>> {
    tx.query(
        "SELECT r.id, r.name, r.code, r.code AS reference_code, r.description, s.code AS service
         FROM roles r JOIN services s ON s.id = r.service_id
         WHERE CAST($1 AS TEXT) IS NULL OR LOWER(r.name) LIKE $1 ESCAPE '!' OR LOWER(r.code) LIKE $1 ESCAPE '!'
         ORDER BY CASE WHEN $2 = 'name' THEN LOWER(r.name) END, CASE WHEN $2 = '-name' THEN LOWER(r.name) END DESC,
            CASE WHEN $2 IN ('-id', '-created_at') THEN r.id END DESC, r.id
         LIMIT $3 OFFSET $4",
    )
    .bind(listing.pattern.as_deref())
    .bind(listing.sort)
    .bind(listing.limit)
    .bind(listing.offset())
    .all()
    .await
}

pub async fn find(tx: &mut Tx, id: i64) -> sqlx::Result<Option<Role>> {
    tx.query(
        "SELECT r.id, r.name, r.code, r.code AS reference_code, r.description, s.code AS service
         FROM roles r JOIN services s ON s.id = r.service_id WHERE r.id = $1",
    )
    .bind(id)
    .opt()
    .await
}

/// Ids are of the whole cloud, and the contracts fix some of them: they come from no sequence. The first statement makes
/// whoever comes at the same time wait.
pub async fn insert(
    tx: &mut Tx,
    service: i64,
    code: &str,
    name: &str,
    description: Option<&str>,
    now: Millis,
) -> sqlx::Result<i64> {
    tx.query("UPDATE services SET updated_at = $1 WHERE code = 'SSO'").bind(now.0).run().await?;
    let (id,) = tx
        .query(
            "INSERT INTO roles (id, service_id, code, name, description)
             SELECT CASE WHEN COALESCE(MAX(id), 0) < $5 THEN $5 ELSE MAX(id) + 1 END, $1, $2, $3, $4 FROM roles
             RETURNING id",
        )
        .bind(service)
        .bind(code)
        .bind(name)
        .bind(description)
        .bind(seed::FIRST_MADE_ROLE)
        .one()
        .await?;
    Ok(id)
}

pub async fn update(
    tx: &mut Tx,
    id: i64,
    name: Option<&str>,
    description: Option<&str>,
) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE roles SET name = COALESCE($2, name), description = COALESCE($3, description) WHERE id = $1",
    )
    .bind(id)
    .bind(name)
    .bind(description)
    .run()
    .await
}

/// Violates a foreign key where somebody has it.
pub async fn delete(tx: &mut Tx, id: i64) -> sqlx::Result<()> {
    for sql in ["DELETE FROM role_permissions WHERE role_id = $1", "DELETE FROM roles WHERE id = $1"] {
        tx.query(sql).bind(id).run().await?;
    }
    Ok(())
}

pub async fn permissions(tx: &mut Tx, role: i64) -> sqlx::Result<Vec<(String,)>> {
    tx.query(
        "SELECT p.code FROM role_permissions g JOIN permissions p ON p.id = g.permission_id WHERE g.role_id = $1",
    )
    .bind(role)
    .all()
    .await
}

/// The role that another one would take the place of.
pub async fn role_in_same_service(tx: &mut Tx, user: UserId, role: i64) -> sqlx::Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .query(
            "SELECT u.role_id FROM user_roles u JOIN roles r ON r.service_id = u.service_id
             WHERE u.user_id = $1 AND r.id = $2",
        )
        .bind(user.0)
        .bind(role)
        .opt()
        .await?;
    Ok(row.map(|(role,)| role))
}

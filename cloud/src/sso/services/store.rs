use hadir_shared::time::Millis;
use uuid::Uuid;

use super::{super::listing::Listing, Service};
use crate::db::Tx;

pub async fn count(tx: &mut Tx, listing: &Listing) -> sqlx::Result<i64> {
    let (count,) = tx
        .query(
            "SELECT COUNT(*) FROM services
             WHERE CAST($1 AS TEXT) IS NULL OR LOWER(name) LIKE $1 ESCAPE '!' OR LOWER(code) LIKE $1 ESCAPE '!'",
        )
        .bind(listing.pattern.as_deref())
        .one()
        .await?;
    Ok(count)
}

pub async fn page(tx: &mut Tx, listing: &Listing) -> sqlx::Result<Vec<Service>> {
    tx.query(
        "SELECT * FROM services
         WHERE CAST($1 AS TEXT) IS NULL OR LOWER(name) LIKE $1 ESCAPE '!' OR LOWER(code) LIKE $1 ESCAPE '!'
         ORDER BY CASE WHEN $2 = 'name' THEN LOWER(name) END, CASE WHEN $2 = '-name' THEN LOWER(name) END DESC,
            CASE WHEN $2 = 'created_at' THEN created_at END, CASE WHEN $2 = '-created_at' THEN created_at END DESC,
            CASE WHEN $2 = '-id' THEN id END DESC, id
         LIMIT $3 OFFSET $4",
    )
    .bind(listing.pattern.as_deref())
    .bind(listing.sort)
    .bind(listing.limit)
    .bind(listing.offset())
    .all()
    .await
}

pub async fn find(tx: &mut Tx, id: i64) -> sqlx::Result<Option<Service>> {
    tx.query("SELECT * FROM services WHERE id = $1").bind(id).opt().await
}

pub async fn find_by_uuid(tx: &mut Tx, uuid: Uuid) -> sqlx::Result<Option<Service>> {
    tx.query("SELECT * FROM services WHERE uuid = $1").bind(uuid).opt().await
}

pub async fn find_by_code(tx: &mut Tx, code: &str) -> sqlx::Result<Option<Service>> {
    tx.query("SELECT * FROM services WHERE code = $1").bind(code).opt().await
}

pub async fn insert(
    tx: &mut Tx,
    uuid: Uuid,
    code: &str,
    name: &str,
    description: Option<&str>,
    now: Millis,
) -> sqlx::Result<Service> {
    tx.query(
        "INSERT INTO services (uuid, code, name, description, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $5) RETURNING *",
    )
    .bind(uuid)
    .bind(code)
    .bind(name)
    .bind(description)
    .bind(now.0)
    .one()
    .await
}

use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};
use uuid::Uuid;

use super::{super::listing::Listing, Company, Fields, Reach};
use crate::db::Tx;

pub async fn count(tx: &mut Tx, reach: Reach, listing: &Listing) -> sqlx::Result<i64> {
    let (count,) = tx
        .query(
            "SELECT COUNT(*) FROM institutions
             WHERE (CAST($1 AS BIGINT) IS NULL OR id = $1)
             AND (CAST($2 AS TEXT) IS NULL OR LOWER(name) LIKE $2 ESCAPE '!' OR LOWER(code) LIKE $2 ESCAPE '!')",
        )
        .bind(reach.only())
        .bind(listing.pattern.as_deref())
        .one()
        .await?;
    Ok(count)
}

pub async fn page(tx: &mut Tx, reach: Reach, listing: &Listing) -> sqlx::Result<Vec<Company>> {
    tx.query(
        "SELECT * FROM institutions
         WHERE (CAST($1 AS BIGINT) IS NULL OR id = $1)
         AND (CAST($2 AS TEXT) IS NULL OR LOWER(name) LIKE $2 ESCAPE '!' OR LOWER(code) LIKE $2 ESCAPE '!')
         ORDER BY CASE WHEN $3 = 'name' THEN LOWER(name) END, CASE WHEN $3 = '-name' THEN LOWER(name) END DESC,
            CASE WHEN $3 = 'created_at' THEN created_at END, CASE WHEN $3 = '-created_at' THEN created_at END DESC,
            CASE WHEN $3 = '-id' THEN id END DESC, id
         LIMIT $4 OFFSET $5",
    )
    .bind(reach.only())
    .bind(listing.pattern.as_deref())
    .bind(listing.sort)
    .bind(listing.limit)
    .bind(listing.offset())
    .all()
    .await
}

pub async fn find(tx: &mut Tx, reach: Reach, id: i64) -> sqlx::Result<Option<Company>> {
    tx.query("SELECT * FROM institutions WHERE id = $2 AND (CAST($1 AS BIGINT) IS NULL OR id = $1)")
        .bind(reach.only())
        .bind(id)
        .opt()
        .await
}

pub async fn find_by_uuid(tx: &mut Tx, reach: Reach, uuid: Uuid) -> sqlx::Result<Option<Company>> {
    tx.query("SELECT * FROM institutions WHERE uuid = $2 AND (CAST($1 AS BIGINT) IS NULL OR id = $1)")
        .bind(reach.only())
        .bind(uuid)
        .opt()
        .await
}

/// `NULLIF`: an empty text clears.
pub async fn update(
    tx: &mut Tx,
    id: InstitutionId,
    fields: &Fields,
    active: Option<bool>,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE institutions SET name = COALESCE($2, name), address1 = NULLIF(COALESCE($3, address1), ''),
            address2 = NULLIF(COALESCE($4, address2), ''), address3 = NULLIF(COALESCE($5, address3), ''),
            zipcode = NULLIF(COALESCE($6, zipcode), ''), telephone1 = NULLIF(COALESCE($7, telephone1), ''),
            telephone2 = NULLIF(COALESCE($8, telephone2), ''), fax = NULLIF(COALESCE($9, fax), ''),
            website = NULLIF(COALESCE($10, website), ''), is_active = COALESCE($11, is_active), updated_at = $12
         WHERE id = $1",
    )
    .bind(id.0)
    .bind(fields.institution_name.as_deref())
    .bind(fields.address1.as_deref())
    .bind(fields.address2.as_deref())
    .bind(fields.address3.as_deref())
    .bind(fields.zipcode.as_deref())
    .bind(fields.telephone1.as_deref())
    .bind(fields.telephone2.as_deref())
    .bind(fields.fax.as_deref())
    .bind(fields.website.as_deref())
    .bind(active)
    .bind(now.0)
    .run()
    .await
}

/// Makes somebody who was just entered belong to an institution that was just made.
pub async fn settle(tx: &mut Tx, institution: InstitutionId, user: UserId) -> sqlx::Result<u64> {
    tx.query("UPDATE users SET institution_id = $1 WHERE id = $2")
        .bind(institution.0)
        .bind(user.0)
        .run()
        .await
}

use super::{super::listing::Listing, Reach};
use crate::{db::Tx, identity::User};

pub async fn count(tx: &mut Tx, reach: Reach, listing: &Listing) -> sqlx::Result<i64> {
    let (count,) = tx
        .query(
            "SELECT COUNT(*) FROM users
             WHERE (CAST($1 AS BIGINT) IS NULL OR institution_id = $1)
             AND (CAST($2 AS TEXT) IS NULL OR LOWER(name) LIKE $2 ESCAPE '!' OR username LIKE $2 ESCAPE '!'
                OR email LIKE $2 ESCAPE '!')",
        )
        .bind(reach.only())
        .bind(listing.pattern.as_deref())
        .one()
        .await?;
    Ok(count)
}

pub async fn page(tx: &mut Tx, reach: Reach, listing: &Listing) -> sqlx::Result<Vec<User>> {
    tx.query(
        "SELECT * FROM users
         WHERE (CAST($1 AS BIGINT) IS NULL OR institution_id = $1)
         AND (CAST($2 AS TEXT) IS NULL OR LOWER(name) LIKE $2 ESCAPE '!' OR username LIKE $2 ESCAPE '!'
            OR email LIKE $2 ESCAPE '!')
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

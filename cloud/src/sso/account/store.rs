use hadir_shared::{ids::UserId, time::Millis};

use super::{super::Reach, change::Names};
use crate::db::Tx;

/// The role somebody has in SSO.
pub async fn role_of(tx: &mut Tx, user: UserId) -> sqlx::Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .query(
            "SELECT r.role_id FROM user_roles r JOIN services s ON s.id = r.service_id
             WHERE r.user_id = $1 AND s.code = 'SSO'",
        )
        .bind(user.0)
        .opt()
        .await?;
    Ok(row.map(|(role,)| role))
}

/// No row for somebody beyond the reach.
pub async fn set_names(
    tx: &mut Tx,
    reach: Reach,
    user: UserId,
    names: &Names,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE users SET first_name = COALESCE($3, first_name), last_name = CASE WHEN $4 THEN $5 ELSE last_name END,
            name = $6, username = COALESCE($7, username), email = COALESCE($8, email), phone = COALESCE($9, phone),
            email_verified_at = CASE WHEN COALESCE($8, email) = email THEN email_verified_at END,
            phone_verified_at = CASE WHEN COALESCE($9, phone) = phone THEN phone_verified_at END, updated_at = $10
         WHERE id = $2 AND (CAST($1 AS BIGINT) IS NULL OR institution_id = $1)",
    )
    .bind(reach.only())
    .bind(user.0)
    .bind(names.first_name.as_deref())
    .bind(names.last_name.is_some())
    .bind(names.last_name.as_deref().filter(|name| !name.is_empty()))
    .bind(names.name.as_str())
    .bind(names.username.as_deref())
    .bind(names.email.as_deref())
    .bind(names.phone.as_deref())
    .bind(now.0)
    .run()
    .await
}

/// For somebody who belongs to none yet: no row for anybody else.
pub async fn join_institution(
    tx: &mut Tx,
    institution: hadir_shared::ids::InstitutionId,
    user: UserId,
    now: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "UPDATE users SET institution_id = $1, applied_as = NULL, updated_at = $3
         WHERE id = $2 AND institution_id IS NULL",
    )
    .bind(institution.0)
    .bind(user.0)
    .bind(now.0)
    .run()
    .await
}

/// His pictures belong where he belongs.
pub async fn move_pictures(
    tx: &mut Tx,
    institution: hadir_shared::ids::InstitutionId,
    user: UserId,
) -> sqlx::Result<u64> {
    tx.query("UPDATE pictures SET institution_id = $1 WHERE user_id = $2")
        .bind(institution.0)
        .bind(user.0)
        .run()
        .await
}

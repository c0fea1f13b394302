use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::Millis,
};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{db::Tx, http::Page};

/// A living session of somebody of the school.
#[derive(Debug, FromRow)]
pub struct Row {
    pub id: Uuid,
    #[sqlx(try_from = "i64")]
    pub user_id: UserId,
    pub name: String,
    pub role_id: i64,
    pub client: String,
    pub user_agent: Option<String>,
    pub address: Option<String>,
    #[sqlx(try_from = "i64")]
    pub last_seen_at: Millis,
}

pub async fn count(
    tx: &mut Tx,
    institution: InstitutionId,
    part: Option<&str>,
    now: Millis,
) -> sqlx::Result<i64> {
    let (count,) = tx
        .query(
            "SELECT COUNT(*) FROM sessions s JOIN users u ON u.id = s.user_id
             JOIN user_roles r ON r.user_id = u.id AND r.role_id BETWEEN 1 AND 5
             WHERE u.institution_id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2
             AND (CAST($3 AS TEXT) IS NULL OR LOWER(u.name) LIKE $3 ESCAPE '!' OR LOWER(u.nisn_nip_nik) LIKE $3 ESCAPE '!')",
        )
        .bind(institution.0)
        .bind(now.0)
        .bind(part.map(anywhere))
        .one()
        .await?;
    Ok(count)
}

/// Who was seen last comes first.
pub async fn page(
    tx: &mut Tx,
    institution: InstitutionId,
    part: Option<&str>,
    now: Millis,
    page: &Page,
) -> sqlx::Result<Vec<Row>> {
    tx.query(
        "SELECT s.id, s.user_id, u.name, r.role_id, s.client, s.user_agent, s.address, s.last_seen_at
         FROM sessions s JOIN users u ON u.id = s.user_id
         JOIN user_roles r ON r.user_id = u.id AND r.role_id BETWEEN 1 AND 5
         WHERE u.institution_id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2
         AND (CAST($3 AS TEXT) IS NULL OR LOWER(u.name) LIKE $3 ESCAPE '!' OR LOWER(u.nisn_nip_nik) LIKE $3 ESCAPE '!')
         ORDER BY s.last_seen_at DESC, s.id LIMIT $4 OFFSET $5",
    )
    .bind(institution.0)
    .bind(now.0)
    .bind(part.map(anywhere))
    .bind(page.per_page)
    .bind(page.offset())
    .all()
    .await
}

/// A LIKE pattern that finds a text as it stands.
fn anywhere(part: &str) -> String {
    format!("%{}%", part.replace('!', "!!").replace('%', "!%").replace('_', "!_"))
}

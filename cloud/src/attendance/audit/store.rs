use hadir_shared::{ids::InstitutionId, time::Millis};
use serde_json::Value;
use sqlx::{FromRow, types::Json};

use super::{Filter, Shown};
use crate::db::Tx;

#[derive(FromRow)]
struct Row {
    id: i64,
    at: i64,
    actor: String,
    actor_name: Option<String>,
    action: String,
    subject: String,
    before: Option<Json<Value>>,
    after: Option<Json<Value>>,
    request_id: Option<String>,
}

/// The newest first. `audit_log_by_institution` is walked backwards from the cursor, and only as far as rows are wanted.
pub async fn list(tx: &mut Tx, institution: InstitutionId, filter: &Filter) -> sqlx::Result<Vec<Shown>> {
    let (before, below) = filter.before.unwrap_or((Millis(i64::MAX), i64::MAX));
    let rows: Vec<Row> = tx
        .query(
            "SELECT a.id, a.at, a.actor, u.name AS actor_name, a.action, a.subject, a.before, a.after, a.request_id
             FROM audit_log a LEFT JOIN users u ON u.institution_id = $1
                AND u.id = CASE WHEN a.actor LIKE 'user:%' THEN CAST(SUBSTR(a.actor, 6) AS BIGINT) END
             WHERE a.institution_id = $1 AND (a.at, a.id) < ($2, $3)
             AND (CAST($4 AS TEXT) IS NULL OR a.actor = $4)
             AND (CAST($5 AS TEXT) IS NULL OR a.actor IN (SELECT 'user:' || CAST(p.id AS TEXT) FROM users p
                WHERE p.institution_id = $1
                AND (LOWER(p.name) LIKE $5 ESCAPE '!' OR LOWER(p.nisn_nip_nik) LIKE $5 ESCAPE '!')))
             AND (CAST($6 AS TEXT) IS NULL OR a.action LIKE $6 ESCAPE '!')
             AND (CAST($7 AS TEXT) IS NULL OR a.subject LIKE $7 ESCAPE '!')
             AND a.at >= $8 AND a.at < $9
             ORDER BY a.at DESC, a.id DESC LIMIT $10",
        )
        .bind(institution.0)
        .bind(before.0)
        .bind(below)
        .bind(filter.actor.as_deref())
        .bind(filter.person.as_deref().map(|part| format!("%{}%", plain(part))))
        .bind(filter.action.as_deref().map(|part| format!("{}%", plain(part))))
        .bind(filter.subject.as_deref().map(|part| format!("{}%", plain(part))))
        .bind(filter.from.unwrap_or(Millis(0)).0)
        .bind(filter.until.unwrap_or(Millis(i64::MAX)).0)
        .bind(filter.limit)
        .all()
        .await?;
    Ok(rows.into_iter().map(Shown::from).collect())
}

/// A text as it stands, in a LIKE pattern.
fn plain(part: &str) -> String {
    part.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}

impl From<Row> for Shown {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            at: Millis(row.at),
            actor: row.actor,
            actor_name: row.actor_name,
            action: row.action,
            subject: row.subject,
            before: row.before.map(|json| json.0),
            after: row.after.map(|json| json.0),
            request_id: row.request_id,
        }
    }
}

use hadir_shared::{ids::InstitutionId, time::Millis};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{attendance::offline_sync::filter::Filter, db::Tx};

#[derive(Debug, FromRow)]
pub struct Row {
    pub id: i64,
    pub device_id: Uuid,
    pub log_id: Uuid,
    pub seq: i64,
    pub body: String,
    pub raw: Option<String>,
    #[sqlx(try_from = "i64")]
    pub received_at: Millis,
    pub verdict: String,
    pub reason: Option<String>,
    pub error_message: Option<String>,
    pub action_type: String,
    pub user_id: Option<i64>,
    pub claimed_at: Option<i64>,
    pub trusted_at: Option<i64>,
    pub tries: i64,
}

/// Which part of the rows that meet a filter, the newest first.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Only those below this id.
    pub below: i64,
    pub limit: i64,
    pub offset: i64,
}

/// One arm for each index that can lead; `$2` opens one of them, and only that one is walked. The conditions around them hold
/// for every arm.
pub async fn page(
    tx: &mut Tx,
    institution: InstitutionId,
    filter: &Filter,
    part: Part,
) -> sqlx::Result<Vec<Row>> {
    tx.query(
        "SELECT * FROM (
            SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'id' AND institution_id = $1
            UNION ALL
            SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'user' AND institution_id = $1 AND user_id = $3
            UNION ALL
            SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'failed' AND institution_id = $1
                AND verdict <> 'stored' AND verdict IN ('conflict', 'refused', 'quarantined')
            UNION ALL
            SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'verdict' AND institution_id = $1
                AND verdict <> 'stored' AND verdict = $5
            UNION ALL
            SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'action' AND institution_id = $1
                AND action_type <> 'attendance' AND action_type = $6
            UNION ALL
            SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'device' AND institution_id = $1 AND device_id = $7
            UNION ALL
            SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'time' AND institution_id = $1
                AND COALESCE(trusted_at, received_at) >= $8 AND COALESCE(trusted_at, received_at) <= $9
            UNION ALL
            SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'person' AND institution_id = $1
                AND user_id IN (SELECT u.id FROM users u WHERE u.institution_id = $1
                    AND (LOWER(u.name) LIKE $10 ESCAPE '!' OR LOWER(u.nisn_nip_nik) LIKE $10 ESCAPE '!'))
            UNION ALL
            SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'person' AND institution_id = $1
                AND verdict <> 'stored' AND LOWER(error_message) LIKE $10 ESCAPE '!'
                AND NOT EXISTS (SELECT 1 FROM users u WHERE u.institution_id = $1 AND u.id = user_id
                    AND (LOWER(u.name) LIKE $10 ESCAPE '!' OR LOWER(u.nisn_nip_nik) LIKE $10 ESCAPE '!'))
         ) AS r
         WHERE id < $11
         AND (CAST($3 AS BIGINT) IS NULL OR user_id = $3)
         AND (CAST($4 AS TEXT) IS NULL OR CASE WHEN verdict IN ('stored', 'duplicate', 'corrected') THEN 'success'
            WHEN verdict = 'discarded' THEN 'discarded' ELSE 'failed' END = $4)
         AND (CAST($5 AS TEXT) IS NULL OR verdict = $5)
         AND (CAST($6 AS TEXT) IS NULL OR action_type = $6)
         AND (CAST($7 AS UUID) IS NULL OR device_id = $7)
         AND COALESCE(trusted_at, received_at) >= $8 AND COALESCE(trusted_at, received_at) <= $9
         AND (CAST($10 AS TEXT) IS NULL OR CAST($2 AS TEXT) = 'person' OR LOWER(error_message) LIKE $10 ESCAPE '!'
            OR user_id IN (SELECT u.id FROM users u WHERE u.institution_id = $1
                AND (LOWER(u.name) LIKE $10 ESCAPE '!' OR LOWER(u.nisn_nip_nik) LIKE $10 ESCAPE '!')))
         ORDER BY id DESC LIMIT $12 OFFSET $13",
    )
    .bind(institution.0)
    .bind(filter.lead())
    .bind(filter.user)
    .bind(filter.status.as_deref())
    .bind(filter.verdict.as_deref())
    .bind(filter.action.as_deref())
    .bind(filter.device)
    .bind(filter.from.0)
    .bind(filter.until.0)
    .bind(filter.pattern())
    .bind(part.below)
    .bind(part.limit)
    .bind(part.offset)
    .all()
    .await
}

/// How many rows [`page`] would show without a limit: the same arms and conditions.
pub async fn count(tx: &mut Tx, institution: InstitutionId, filter: &Filter) -> sqlx::Result<i64> {
    let (count,) = tx
        .query(
            "SELECT COUNT(*) FROM (
                SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'id' AND institution_id = $1
                UNION ALL
                SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'user' AND institution_id = $1 AND user_id = $3
                UNION ALL
                SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'failed' AND institution_id = $1
                    AND verdict <> 'stored' AND verdict IN ('conflict', 'refused', 'quarantined')
                UNION ALL
                SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'verdict' AND institution_id = $1
                    AND verdict <> 'stored' AND verdict = $5
                UNION ALL
                SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'action' AND institution_id = $1
                    AND action_type <> 'attendance' AND action_type = $6
                UNION ALL
                SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'device' AND institution_id = $1 AND device_id = $7
                UNION ALL
                SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'time' AND institution_id = $1
                    AND COALESCE(trusted_at, received_at) >= $8 AND COALESCE(trusted_at, received_at) <= $9
                UNION ALL
                SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'person' AND institution_id = $1
                    AND user_id IN (SELECT u.id FROM users u WHERE u.institution_id = $1
                        AND (LOWER(u.name) LIKE $10 ESCAPE '!' OR LOWER(u.nisn_nip_nik) LIKE $10 ESCAPE '!'))
                UNION ALL
                SELECT * FROM sync_records WHERE CAST($2 AS TEXT) = 'person' AND institution_id = $1
                    AND verdict <> 'stored' AND LOWER(error_message) LIKE $10 ESCAPE '!'
                    AND NOT EXISTS (SELECT 1 FROM users u WHERE u.institution_id = $1 AND u.id = user_id
                        AND (LOWER(u.name) LIKE $10 ESCAPE '!' OR LOWER(u.nisn_nip_nik) LIKE $10 ESCAPE '!'))
             ) AS r
             WHERE (CAST($3 AS BIGINT) IS NULL OR user_id = $3)
             AND (CAST($4 AS TEXT) IS NULL OR CASE WHEN verdict IN ('stored', 'duplicate', 'corrected') THEN 'success'
                WHEN verdict = 'discarded' THEN 'discarded' ELSE 'failed' END = $4)
             AND (CAST($5 AS TEXT) IS NULL OR verdict = $5)
             AND (CAST($6 AS TEXT) IS NULL OR action_type = $6)
             AND (CAST($7 AS UUID) IS NULL OR device_id = $7)
             AND COALESCE(trusted_at, received_at) >= $8 AND COALESCE(trusted_at, received_at) <= $9
             AND (CAST($10 AS TEXT) IS NULL OR CAST($2 AS TEXT) = 'person' OR LOWER(error_message) LIKE $10 ESCAPE '!'
                OR user_id IN (SELECT u.id FROM users u WHERE u.institution_id = $1
                    AND (LOWER(u.name) LIKE $10 ESCAPE '!' OR LOWER(u.nisn_nip_nik) LIKE $10 ESCAPE '!')))",
        )
        .bind(institution.0)
        .bind(filter.lead())
        .bind(filter.user)
        .bind(filter.status.as_deref())
        .bind(filter.verdict.as_deref())
        .bind(filter.action.as_deref())
        .bind(filter.device)
        .bind(filter.from.0)
        .bind(filter.until.0)
        .bind(filter.pattern())
        .one()
        .await?;
    Ok(count)
}

pub async fn by_id(tx: &mut Tx, institution: InstitutionId, id: i64) -> sqlx::Result<Option<Row>> {
    tx.query("SELECT * FROM sync_records WHERE institution_id = $1 AND id = $2")
        .bind(institution.0)
        .bind(id)
        .opt()
        .await
}

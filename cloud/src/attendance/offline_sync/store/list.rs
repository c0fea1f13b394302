use std::sync::LazyLock;

use hadir_shared::{ids::InstitutionId, time::Millis};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    attendance::offline_sync::filter::Filter,
    db::{Query, Tx},
};

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

/// The index that leads. Its condition is said without an "or nothing was asked", which no index could be walked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    Id,
    User,
    Failed,
    Verdict,
    Action,
    Device,
    Since,
    Until,
    Between,
    Person,
}

impl Lead {
    /// All of them, in the order of their numbers.
    const ALL: [Self; 10] = [
        Self::Id,
        Self::User,
        Self::Failed,
        Self::Verdict,
        Self::Action,
        Self::Device,
        Self::Since,
        Self::Until,
        Self::Between,
        Self::Person,
    ];

    const fn condition(self) -> &'static str {
        match self {
            Self::Id => "TRUE",
            Self::User => "user_id = $2",
            Self::Failed => "verdict <> 'stored' AND verdict IN ('conflict', 'refused', 'quarantined')",
            Self::Verdict => "verdict <> 'stored' AND verdict = $4",
            Self::Action => "action_type <> 'attendance' AND action_type = $5",
            Self::Device => "device_id = $6",
            Self::Since => "COALESCE(trusted_at, received_at) >= $7",
            Self::Until => "COALESCE(trusted_at, received_at) <= $8",
            Self::Between => {
                "COALESCE(trusted_at, received_at) >= $7 AND COALESCE(trusted_at, received_at) <= $8"
            }
            Self::Person => {
                "id IN (
                    SELECT o.id FROM users u JOIN sync_records o ON o.institution_id = $1 AND o.user_id = u.id
                    WHERE u.institution_id = $1
                        AND (LOWER(u.name) LIKE $9 ESCAPE '!' OR LOWER(u.nisn_nip_nik) LIKE $9 ESCAPE '!')
                    UNION ALL
                    SELECT f.id FROM sync_records f WHERE f.institution_id = $1 AND f.verdict <> 'stored'
                        AND LOWER(f.error_message) LIKE $9 ESCAPE '!')"
            }
        }
    }

    /// Where few rows are left, they are sorted: an order that an index of all rows has would have PostgreSQL walk that one in
    /// the hope of meeting them soon, through millions where they are old.
    const fn order(self) -> &'static str {
        match self {
            Self::Id | Self::User | Self::Verdict | Self::Action | Self::Since => "id",
            Self::Failed | Self::Device | Self::Until | Self::Between | Self::Person => "id + 0",
        }
    }
}

/// What holds whichever index leads; what was not asked for is NULL.
const CONDITIONS: &str = "(CAST($2 AS BIGINT) IS NULL OR user_id = $2)
     AND (CAST($3 AS TEXT) IS NULL OR CASE WHEN verdict IN ('stored', 'duplicate', 'corrected') THEN 'success'
        WHEN verdict = 'discarded' THEN 'discarded' ELSE 'failed' END = $3)
     AND (CAST($4 AS TEXT) IS NULL OR verdict = $4)
     AND (CAST($5 AS TEXT) IS NULL OR action_type = $5)
     AND (CAST($6 AS UUID) IS NULL OR device_id = $6)
     AND (CAST($7 AS BIGINT) IS NULL OR COALESCE(trusted_at, received_at) >= $7)
     AND (CAST($8 AS BIGINT) IS NULL OR COALESCE(trusted_at, received_at) <= $8)
     AND (CAST($9 AS TEXT) IS NULL OR (verdict <> 'stored' AND LOWER(error_message) LIKE $9 ESCAPE '!')
        OR user_id IN (SELECT p.id FROM users p WHERE p.institution_id = $1
            AND (LOWER(p.name) LIKE $9 ESCAPE '!' OR LOWER(p.nisn_nip_nik) LIKE $9 ESCAPE '!')))";

/// The page and the count of each lead: put together once, from the texts above and nothing else.
static STATEMENTS: LazyLock<[(String, String); 10]> = LazyLock::new(|| {
    Lead::ALL.map(|lead| {
        let rows =
            format!("FROM sync_records WHERE institution_id = $1 AND {} AND {CONDITIONS}", lead.condition());
        let order = lead.order();
        (
            format!("SELECT * {rows} AND id < $10 ORDER BY {order} DESC LIMIT $11 OFFSET $12"),
            format!("SELECT COUNT(*) {rows}"),
        )
    })
});

/// What meets the filter, the newest first.
pub async fn page(
    tx: &mut Tx,
    institution: InstitutionId,
    filter: &Filter,
    part: Part,
) -> sqlx::Result<Vec<Row>> {
    let (page, _) = &STATEMENTS[filter.lead() as usize];
    restricted(tx.query(page), institution, filter)
        .bind(part.below)
        .bind(part.limit)
        .bind(part.offset)
        .all()
        .await
}

/// How many rows meet the filter.
pub async fn count(tx: &mut Tx, institution: InstitutionId, filter: &Filter) -> sqlx::Result<i64> {
    let (_, count) = &STATEMENTS[filter.lead() as usize];
    let (count,) = restricted(tx.query(count), institution, filter).one().await?;
    Ok(count)
}

/// How many records are failed, counted no further than `most`.
pub async fn waiting(tx: &mut Tx, institution: InstitutionId, most: i64) -> sqlx::Result<i64> {
    let (count,) = tx
        .query(
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM sync_records WHERE institution_id = $1 AND verdict <> 'stored'
                AND verdict IN ('conflict', 'refused', 'quarantined') LIMIT $2) AS those",
        )
        .bind(institution.0)
        .bind(most)
        .one()
        .await?;
    Ok(count)
}

/// Binds `$1` to `$9`.
fn restricted<'q>(query: Query<'q>, institution: InstitutionId, filter: &Filter) -> Query<'q> {
    query
        .bind(institution.0)
        .bind(filter.user)
        .bind(filter.status.as_deref())
        .bind(filter.verdict.as_deref())
        .bind(filter.action.as_deref())
        .bind(filter.device)
        .bind(filter.from.map(|at| at.0))
        .bind(filter.until.map(|at| at.0))
        .bind(filter.pattern())
}

pub async fn by_id(tx: &mut Tx, institution: InstitutionId, id: i64) -> sqlx::Result<Option<Row>> {
    tx.query("SELECT * FROM sync_records WHERE institution_id = $1 AND id = $2")
        .bind(institution.0)
        .bind(id)
        .opt()
        .await
}

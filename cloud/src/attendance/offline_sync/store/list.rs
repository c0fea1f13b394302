use std::sync::LazyLock;

use hadir_shared::{ids::InstitutionId, time::Millis};
use serde_json::json;
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
    pub hash: String,
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
    /// Only those that follow the row of this id.
    pub after: Option<i64>,
    pub limit: i64,
    pub offset: i64,
}

/// A filter with the people its text names.
#[derive(Debug)]
pub struct Search<'f> {
    filter: &'f Filter,
    people: Vec<i64>,
}

/// So many people are looked up each by himself; of more, the newest rows hold enough.
const FEW: usize = 200;

/// The index that leads. Its condition is said without an "or nothing was asked", which no index could be walked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    Id,
    User,
    Failed,
    Verdict,
    Action,
    Device,
    /// The rows then come by when they happened, not by when they came.
    Time,
    People,
}

impl Lead {
    /// All of them, in the order of their numbers.
    const ALL: [Self; 8] = [
        Self::Id,
        Self::User,
        Self::Failed,
        Self::Verdict,
        Self::Action,
        Self::Device,
        Self::Time,
        Self::People,
    ];

    const fn condition(self) -> &'static str {
        match self {
            Self::Id | Self::People => "TRUE",
            Self::User => "user_id = $2",
            // What the index of failures holds, but for what was discarded. Said as a list of verdicts, PostgreSQL would
            // take all of them from the index of verdicts and sort them.
            Self::Failed => "verdict NOT IN ('stored', 'duplicate', 'corrected') AND verdict <> 'discarded'",
            Self::Verdict => "verdict <> 'stored' AND verdict = $4",
            Self::Action => "action_type <> 'attendance' AND action_type = $5",
            Self::Device => "device_id = $6",
            Self::Time => {
                "happened_at >= COALESCE($7, 0) AND happened_at <= COALESCE($8, 9223372036854775807)"
            }
        }
    }

    /// Behind which row, and in which order: what the index has, so that a page is as many steps in it as it has lines.
    const fn order(self) -> (&'static str, &'static str) {
        match self {
            Self::Time => ("(happened_at, id) < ($11, $12)", "happened_at DESC, id DESC"),
            _ => ("CAST($11 AS BIGINT) IS NOT NULL AND id < $12", "id DESC"),
        }
    }
}

/// What holds whichever index leads; what was not asked for is NULL.
const CONDITIONS: &str = "(CAST($2 AS BIGINT) IS NULL OR user_id = $2)
     AND (CAST($3 AS TEXT) IS NULL OR ($3 = 'success' AND verdict IN ('stored', 'duplicate', 'corrected'))
        OR ($3 = 'failed' AND verdict IN ('conflict', 'refused', 'quarantined'))
        OR ($3 = 'discarded' AND verdict = 'discarded'))
     AND (CAST($4 AS TEXT) IS NULL OR verdict = $4)
     AND (CAST($5 AS TEXT) IS NULL OR action_type = $5)
     AND (CAST($6 AS UUID) IS NULL OR device_id = $6)
     AND (CAST($7 AS BIGINT) IS NULL OR happened_at >= $7)
     AND (CAST($8 AS BIGINT) IS NULL OR happened_at <= $8)";

/// The messages of what failed stand in an index of their own.
const MESSAGE: &str =
    "verdict NOT IN ('stored', 'duplicate', 'corrected') AND LOWER(error_message) LIKE $9 ESCAPE '!'";

/// The two databases take a list of ids differently.
const PEOPLE: [&str; 2] = ["user_id = ANY($10)", "user_id IN (SELECT value FROM json_each($10))"];

/// The texts of a lead, for PostgreSQL and for SQLite.
#[derive(Debug)]
struct Texts {
    page: [String; 2],
    count: [String; 2],
}

/// Put together once, from the texts above and nothing else.
static STATEMENTS: LazyLock<[Texts; 8]> = LazyLock::new(|| {
    Lead::ALL.map(|lead| Texts {
        page: [page_text(lead, 0), page_text(lead, 1)],
        count: [count_text(lead, 0), count_text(lead, 1)],
    })
});

fn page_text(lead: Lead, engine: usize) -> String {
    let (behind, order) = lead.order();
    let rows = "SELECT * FROM sync_records WHERE institution_id = $1";
    if lead != Lead::People {
        let text = format!("CAST($9 AS TEXT) IS NULL OR {} OR ({MESSAGE})", PEOPLE[engine]);
        return format!(
            "{rows} AND {} AND {CONDITIONS} AND ({text}) AND {behind} ORDER BY {order} LIMIT $13 OFFSET $14",
            lead.condition()
        );
    }
    let ids = "SELECT id FROM sync_records WHERE institution_id = $1";
    let newest = format!("AND {CONDITIONS} AND {behind} ORDER BY id DESC LIMIT $13 + $14");
    // Of each person the newest, straight from the index; SQLite has no LATERAL and no millions.
    let of_people = if engine == 0 {
        format!(
            "SELECT r.id FROM UNNEST($10) AS p (id) CROSS JOIN LATERAL ({ids} AND user_id = p.id {newest}) AS r
             ORDER BY r.id DESC LIMIT $13 + $14"
        )
    } else {
        format!("{ids} AND {} {newest}", PEOPLE[engine])
    };
    format!(
        "{rows} AND id IN (SELECT id FROM ({of_people}) AS own UNION ALL SELECT id FROM ({ids} AND {MESSAGE} {newest}) AS said)
         ORDER BY id DESC LIMIT $13 OFFSET $14"
    )
}

fn count_text(lead: Lead, engine: usize) -> String {
    let rows = format!("sync_records WHERE institution_id = $1 AND {CONDITIONS}");
    if lead == Lead::People {
        return format!(
            "SELECT COUNT(*) FROM (SELECT id FROM (SELECT id FROM {rows} AND {} LIMIT $11) AS own
                UNION SELECT id FROM (SELECT id FROM {rows} AND {MESSAGE} LIMIT $11) AS said LIMIT $11) AS found",
            PEOPLE[engine]
        );
    }
    let text = format!("CAST($9 AS TEXT) IS NULL OR {} OR ({MESSAGE})", PEOPLE[engine]);
    format!(
        "SELECT COUNT(*) FROM (SELECT 1 AS one FROM {rows} AND {} AND ({text}) LIMIT $11) AS found",
        lead.condition()
    )
}

impl<'f> Search<'f> {
    /// Looks up whom the text names.
    pub async fn new(tx: &mut Tx, institution: InstitutionId, filter: &'f Filter) -> sqlx::Result<Self> {
        let people: Vec<(i64,)> = match filter.pattern() {
            None => Vec::new(),
            Some(pattern) => named(tx, institution, &pattern).await?,
        };
        Ok(Self { filter, people: people.into_iter().map(|(id,)| id).collect() })
    }

    /// What meets the filter, the newest first.
    pub async fn page(&self, tx: &mut Tx, institution: InstitutionId, part: Part) -> sqlx::Result<Vec<Row>> {
        let lead = self.filter.lead(self.people.len() <= FEW);
        let Some((happened, id)) = self.behind(tx, institution, lead, part.after).await? else {
            return Ok(Vec::new());
        };
        tx.plan_for_values().await?;
        let [pg, sqlite] = &STATEMENTS[lead as usize].page;
        self.restricted(tx.query_split(pg, sqlite), institution, lead)
            .bind(happened)
            .bind(id)
            .bind(part.limit)
            .bind(part.offset)
            .all()
            .await
    }

    /// How many rows meet the filter, counted no further than `most`.
    pub async fn count(&self, tx: &mut Tx, institution: InstitutionId, most: i64) -> sqlx::Result<i64> {
        // All that a text alone finds is in two indexes, of however many people.
        let lead = self.filter.lead(true);
        tx.plan_for_values().await?;
        let [pg, sqlite] = &STATEMENTS[lead as usize].count;
        let query = self.restricted(tx.query_split(pg, sqlite), institution, lead);
        let (count,) = query.bind(most).one().await?;
        Ok(count)
    }

    /// Where the rows begin: behind the row of an id, or with the newest. `None`: there is no such row.
    async fn behind(
        &self,
        tx: &mut Tx,
        institution: InstitutionId,
        lead: Lead,
        after: Option<i64>,
    ) -> sqlx::Result<Option<(i64, i64)>> {
        match after {
            // The index is entered there, so that what happened later is not walked through.
            None => Ok(Some((self.filter.until.map_or(i64::MAX, |at| at.0), i64::MAX))),
            Some(id) if lead == Lead::Time => {
                tx.query("SELECT happened_at, id FROM sync_records WHERE institution_id = $1 AND id = $2")
                    .bind(institution.0)
                    .bind(id)
                    .opt()
                    .await
            }
            Some(id) => Ok(Some((0, id))),
        }
    }

    /// Binds `$1` to `$10`.
    fn restricted<'q>(&self, query: Query<'q>, institution: InstitutionId, lead: Lead) -> Query<'q> {
        let filter = self.filter;
        // The lead says it already.
        let status = filter.status.clone().filter(|_| lead != Lead::Failed);
        query
            .bind(institution.0)
            .bind(filter.user)
            .bind(status)
            .bind(filter.verdict.clone())
            .bind(filter.action.clone())
            .bind(filter.device)
            .bind(filter.from.map(|at| at.0))
            .bind(filter.until.map(|at| at.0))
            .bind(filter.pattern())
            .bind_split(|| self.people.clone(), || json!(self.people).to_string())
    }
}

async fn named(tx: &mut Tx, institution: InstitutionId, pattern: &str) -> sqlx::Result<Vec<(i64,)>> {
    tx.query(
        "SELECT id FROM users WHERE institution_id = $1
            AND (LOWER(name) LIKE $2 ESCAPE '!' OR LOWER(nisn_nip_nik) LIKE $2 ESCAPE '!')",
    )
    .bind(institution.0)
    .bind(pattern)
    .all()
    .await
}

/// How many records are failed, counted no further than `most`.
pub async fn waiting(tx: &mut Tx, institution: InstitutionId, most: i64) -> sqlx::Result<i64> {
    let (count,) = tx
        .query(
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM sync_records WHERE institution_id = $1 AND verdict <> 'stored'
                AND verdict IN ('conflict', 'refused', 'quarantined') LIMIT $2) AS found",
        )
        .bind(institution.0)
        .bind(most)
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

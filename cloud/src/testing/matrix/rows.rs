//! What is in the tables, as texts that can be compared.

use std::collections::BTreeMap;

use hadir_shared::ids::InstitutionId;

use crate::{db::Cloud, testing::TestApp};

/// The rows of each table.
pub type Rows = BTreeMap<String, Vec<String>>;

/// Tables of the whole cloud: no school's rows are in them.
const SHARED: &[&str] = &[
    "_sqlx_migrations",
    "services",
    "roles",
    "permissions",
    "role_permissions",
    "signing_keys",
    "job_leases",
    "job_runs",
    "store_incarnation",
    "login_throttles",
];

/// Everything, but for when a session was seen last and how often a login failed.
pub async fn all(t: &TestApp) -> Rows {
    read(t, |table, _| (table != "login_throttles").then(String::new)).await
}

/// What belongs to a school.
pub async fn of(t: &TestApp, school: InstitutionId) -> Rows {
    let mine = |table: &str, columns: &[String]| {
        let has = |name: &str| columns.iter().any(|column| column == name);
        let people = format!("(SELECT id FROM users WHERE institution_id = {school})");
        if has("institution_id") {
            Some(format!("WHERE institution_id = {school}"))
        } else if table == "institutions" {
            Some(format!("WHERE id = {school}"))
        } else if has("user_id") {
            Some(format!("WHERE user_id IN {people}"))
        } else if has("session_id") {
            Some(format!("WHERE session_id IN (SELECT id FROM sessions WHERE user_id IN {people})"))
        } else {
            assert!(SHARED.contains(&table), "whose are the rows of `{table}`?");
            None
        }
    };
    let rows = read(t, mine).await;
    assert!(rows.len() > 20 && rows["users"].len() > 2, "the tables were not found");
    rows
}

async fn read(t: &TestApp, filter: impl Fn(&str, &[String]) -> Option<String>) -> Rows {
    let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut tx = t.app.db.read(Cloud).await.unwrap();
    let found: Vec<(String, String)> = tx
        .query_split(
            "SELECT table_name::text, column_name::text FROM information_schema.columns
             WHERE table_schema = 'public' ORDER BY 1, ordinal_position",
            "SELECT m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1, p.cid",
        )
        .all()
        .await
        .unwrap();
    for (table, column) in found {
        if (table.as_str(), column.as_str()) != ("sessions", "last_seen_at") {
            columns.entry(table).or_default().push(column);
        }
    }
    let mut rows = Rows::new();
    for (table, columns) in columns {
        let Some(filter) = filter(&table, &columns) else { continue };
        let pg: Vec<_> = columns.iter().map(|column| format!("COALESCE({column}::text, '-')")).collect();
        let sqlite: Vec<_> = columns.iter().map(|column| format!("quote({column})")).collect();
        let sql = |cells: &[String]| -> &'static str {
            format!("SELECT {} FROM {table} {filter} ORDER BY 1", cells.join(" || ' ' || ")).leak()
        };
        let lines: Vec<(String,)> = tx.query_split(sql(&pg), sql(&sqlite)).all().await.unwrap();
        rows.insert(table, lines.into_iter().map(|(line,)| line).collect());
    }
    rows
}

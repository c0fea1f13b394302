//! How each database is opened: what holds of every connection before anybody has asked anything.

use std::{str::FromStr as _, time::Duration};

use sqlx::{
    Executor as _,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Cloud, Db};

/// Older ones can drop committed pages when two connections write and checkpoint at once (the WAL-reset race).
pub(super) const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// Readers beside SQLite's one writer, and all connections on PostgreSQL.
const CONNECTIONS: u32 = 16;

/// Connections whose statements and waits end, and which leave no transaction behind.
pub(super) async fn postgres(url: &str) -> anyhow::Result<Db> {
    let options = PgConnectOptions::from_str(url)?.application_name("hadir-cloud").options([
        ("idle_in_transaction_session_timeout", "30s"),
        ("lock_timeout", "10s"),
        ("statement_timeout", "60s"),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(Duration::from_secs(10))
        .max_lifetime(Duration::from_mins(30))
        // A future dropped inside begin() hands its connection back in an open transaction (sqlx 0.9.0; fixed upstream by
        // transact-rs/sqlx#4394). The pair ends one without the warning that a lone ROLLBACK leaves in the server's log each
        // time there was none; in a failed transaction BEGIN fails, and the connection is closed.
        .after_release(|connection, _| {
            Box::pin(async move {
                connection.execute("BEGIN; ROLLBACK").await?;
                Ok(true)
            })
        })
        .connect_with(options)
        .await?;
    Ok(Db::Pg(pool))
}

/// One connection that writes, and readers beside it.
pub(super) async fn sqlite(url: &str) -> anyhow::Result<Db> {
    let options = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true)
        .statement_cache_capacity(500)
        .pragma("journal_size_limit", "67108864");
    let write = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(10))
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_with(options.clone())
        .await?;
    let read = SqlitePoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options.read_only(true))
        .await?;
    let db = Db::Sqlite { read, write };
    let version = db.read(Cloud).await?.version().await?;
    anyhow::ensure!(
        sqlite_version(&version) >= Some(OLDEST_SQLITE),
        "SQLite {version} is older than {OLDEST_SQLITE:?} and may lose committed pages; build with the bundled one"
    );
    Ok(db)
}

/// `3.51.3` as numbers; `None` when the text is something else.
pub(super) fn sqlite_version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

/// A file that nobody writes to.
pub(super) async fn sqlite_copy(url: &str) -> anyhow::Result<Db> {
    let options = SqliteConnectOptions::from_str(url)?.read_only(true).immutable(true);
    let read = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    Ok(Db::Sqlite { write: read.clone(), read })
}

//! Which picture belongs to which record.

use std::collections::HashMap;

use hadir_shared::{
    ids::{EventId, UserId},
    time::Millis,
};
use rusqlite::{OptionalExtension as _, params};

use super::path;
use crate::{
    attendance::AttendanceRow,
    http::fail::Fail,
    store::{NotSaved, Store},
};

pub async fn insert(store: &Store, key: String, row: &AttendanceRow) -> anyhow::Result<()> {
    let (event, user, at) = (row.event.to_string(), row.user.0, row.trusted.0);
    let inserted = store.write::<_, NotSaved, _>(move |tx| {
        tx.execute(
            "INSERT INTO photo (file_key, event, user_id, created_at) VALUES (?1, ?2, ?3, ?4)",
            params![key, event, user, at],
        )?;
        Ok(())
    });
    Ok(inserted.await?)
}

pub async fn owner(store: &Store, key: String) -> Result<Option<UserId>, Fail> {
    let found = store.read(move |conn| {
        conn.prepare_cached("SELECT user_id FROM photo WHERE file_key = ?1")?
            .query_row([key], |row| row.get(0).map(UserId))
            .optional()
    });
    Ok(found.await?)
}

/// Where the pictures of these records are shown, by record.
pub async fn paths(store: &Store, rows: &[AttendanceRow]) -> Result<HashMap<EventId, String>, Fail> {
    let events: HashMap<String, EventId> = rows.iter().map(|r| (r.event.to_string(), r.event)).collect();
    let list = serde_json::to_string(&events.keys().collect::<Vec<_>>()).map_err(anyhow::Error::from)?;
    let found = store.read(move |conn| {
        conn.prepare_cached(
            "SELECT event, file_key FROM photo WHERE event IN (SELECT value FROM json_each(?1))",
        )?
        .query_map([list], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()
    });
    let found = found.await?;
    Ok(found.into_iter().filter_map(|(event, key)| Some((*events.get(&event)?, path(&key)))).collect())
}

/// The pictures made before an instant.
pub async fn older_than(store: &Store, before: Millis) -> anyhow::Result<Vec<String>> {
    let found = store.read(move |conn| {
        conn.prepare_cached("SELECT file_key FROM photo WHERE created_at < ?1")?
            .query_map([before.0], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<_>>>()
    });
    Ok(found.await?)
}

pub async fn forget(store: &Store, keys: Vec<String>) -> anyhow::Result<()> {
    let keys = serde_json::to_string(&keys)?;
    let forgotten = store.write::<_, NotSaved, _>(move |tx| {
        tx.execute("DELETE FROM photo WHERE file_key IN (SELECT value FROM json_each(?1))", [&keys])?;
        Ok(())
    });
    Ok(forgotten.await?)
}

//! The roster on disk: sealed bodies, and the cursor they are the state of.

use hadir_shared::{
    chain::Hash,
    time::Millis,
    wire::roster::{Entry, digest},
};
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use crate::{
    ids::Ids,
    store::{NotSaved, Tx, seal::Seal},
};

/// Where the box stands in the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// `None` before the first snapshot.
    pub generation: Option<Uuid>,
    pub at: u64,
    pub pulled_at: Option<Millis>,
}

pub fn cursor(conn: &Connection) -> rusqlite::Result<Cursor> {
    conn.query_row("SELECT generation, cursor, pulled_at FROM sync_state", [], |row| {
        Ok(Cursor {
            generation: row.get(0)?,
            at: row.get(1)?,
            pulled_at: row.get::<_, Option<i64>>(2)?.map(Millis),
        })
    })
}

pub fn set_cursor(tx: &Tx<'_>, cursor: &Cursor) -> Result<(), NotSaved> {
    tx.execute(
        "UPDATE sync_state SET generation = ?1, cursor = ?2, pulled_at = ?3",
        params![cursor.generation, cursor.at, cursor.pulled_at.map(|at| at.0)],
    )?;
    Ok(())
}

/// An entry with its body sealed, ready to be written.
#[derive(Clone)]
pub struct Sealed {
    entity: String,
    key: String,
    hash: Hash,
    /// `None` for a tombstone.
    body: Option<Vec<u8>>,
}

pub fn seal_entry(seal: &Seal, ids: &Ids, entry: &Entry) -> Sealed {
    let name = name(&entry.entity, &entry.key);
    Sealed {
        entity: entry.entity.clone(),
        key: entry.key.clone(),
        hash: entry.hash(),
        body: (!entry.deleted).then(|| seal.seal(ids, &name, entry.body.as_bytes())),
    }
}

pub fn apply(tx: &Tx<'_>, entry: &Sealed) -> Result<(), NotSaved> {
    match &entry.body {
        Some(body) => tx
            .prepare_cached(
                "INSERT INTO roster (entity, key, hash, body) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (entity, key) DO UPDATE SET hash = excluded.hash, body = excluded.body",
            )?
            .execute(params![entry.entity, entry.key, entry.hash.0, body])?,
        None => tx
            .prepare_cached("DELETE FROM roster WHERE entity = ?1 AND key = ?2")?
            .execute(params![entry.entity, entry.key])?,
    };
    Ok(())
}

pub fn clear(tx: &Tx<'_>) -> Result<(), NotSaved> {
    tx.execute("DELETE FROM roster", [])?;
    tx.execute("DELETE FROM roster_staging", [])?;
    Ok(())
}

/// The box joins another school: nothing it knew of the one before, or of its cloud, is left.
pub fn forget(tx: &Tx<'_>) -> Result<(), NotSaved> {
    clear(tx)?;
    tx.execute(
        "UPDATE sync_state SET server_store = NULL, generation = NULL, cursor = 0, pulled_at = NULL,
            last_contact_at = NULL, receipt = NULL",
        [],
    )?;
    Ok(())
}

/// Hands over what is held, one entry after the other; answers how many could not be opened.
pub fn entries(conn: &Connection, seal: &Seal, mut each: impl FnMut(Entry)) -> rusqlite::Result<usize> {
    let mut unopened = 0;
    let mut statement = conn.prepare("SELECT entity, key, body FROM roster ORDER BY entity, key")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (entity, key): (String, String) = (row.get(0)?, row.get(1)?);
        let opened = seal.open(&name(&entity, &key), row.get_ref(2)?.as_blob()?).ok();
        match opened.and_then(|bytes| String::from_utf8(bytes).ok()) {
            Some(body) => each(Entry { cseq: 0, entity, key, deleted: false, body }),
            None => unopened += 1,
        }
    }
    Ok(unopened)
}

/// [`digest`] of what is held.
pub fn digest_held(conn: &Connection) -> rusqlite::Result<Hash> {
    let rows: Vec<(String, String, [u8; 32])> = conn
        .prepare("SELECT entity, key, hash FROM roster")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(digest(rows.iter().map(|(entity, key, hash)| (entity.as_str(), key.as_str(), Hash(*hash)))))
}

/// A chunk of a snapshot that was fetched before, sealed.
pub fn staged(conn: &Connection, chunk: Hash) -> rusqlite::Result<Option<Vec<u8>>> {
    conn.query_row("SELECT body FROM roster_staging WHERE chunk = ?1", [chunk.0], |row| row.get(0)).optional()
}

pub fn stage(tx: &Tx<'_>, chunk: Hash, sealed: &[u8]) -> Result<(), NotSaved> {
    tx.execute(
        "INSERT INTO roster_staging (chunk, body) VALUES (?1, ?2) ON CONFLICT (chunk) DO NOTHING",
        params![chunk.0, sealed],
    )?;
    Ok(())
}

fn name(entity: &str, key: &str) -> String {
    format!("{entity}/{key}")
}

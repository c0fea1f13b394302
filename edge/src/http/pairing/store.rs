//! Codes and paired devices on disk.

use hadir_shared::time::Millis;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;

use super::{Paired, Purpose};
use crate::store::{NotSaved, Store, Tx, Undo};

/// Codes that may wait at once; the oldest makes room.
const MOST_CODES: u32 = 20;

/// Why a device was not paired.
#[derive(Debug)]
pub enum NotPaired {
    /// Wrong, used up, or too old: nobody is told which.
    UnknownCode,
    /// A kiosk needs a PIN, and none was given. The code stays good.
    NeedsPin,
    NotSaved(NotSaved),
}

impl From<NotSaved> for NotPaired {
    fn from(why: NotSaved) -> Self {
        Self::NotSaved(why)
    }
}

impl From<rusqlite::Error> for NotPaired {
    fn from(error: rusqlite::Error) -> Self {
        Self::NotSaved(error.into())
    }
}

impl Undo for NotPaired {
    fn not_saved(&self) -> Option<NotSaved> {
        match self {
            Self::NotSaved(why) => Some(*why),
            Self::UnknownCode | Self::NeedsPin => None,
        }
    }
}

/// A device on its way in.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// The digest of its token.
    pub token: String,
    pub name: String,
    /// The verifier of its PIN.
    pub exit_pin: Option<String>,
}

/// A device of the list.
#[derive(Debug, Serialize)]
pub struct Listed {
    pub id: i64,
    pub name: String,
    pub purpose: Purpose,
    pub paired_at: Millis,
    pub last_seen_at: Millis,
}

pub async fn add_code(
    store: &Store,
    code: [u8; 32],
    purpose: Purpose,
    now: Millis,
    expires: Millis,
) -> Result<(), NotSaved> {
    let added = store.write(move |tx| {
        tx.execute("DELETE FROM pairing_code WHERE expires_at <= ?1", [now.0])?;
        tx.execute(
            "DELETE FROM pairing_code WHERE code_sha256 IN
             (SELECT code_sha256 FROM pairing_code ORDER BY expires_at DESC LIMIT -1 OFFSET ?1)",
            [MOST_CODES - 1],
        )?;
        tx.execute(
            "INSERT INTO pairing_code (code_sha256, purpose, expires_at) VALUES (?1, ?2, ?3)",
            params![code, purpose.as_str(), expires.0],
        )?;
        Ok(())
    });
    added.await
}

/// Uses a code up and lets the device in, both or neither.
pub async fn pair(store: &Store, code: [u8; 32], new: Newcomer, now: Millis) -> Result<Paired, NotPaired> {
    let paired = store.write(move |tx| {
        let purpose = purpose_of(tx, &code, now)?.ok_or(NotPaired::UnknownCode)?;
        let exit_pin = new.exit_pin.clone().filter(|_| purpose == Purpose::Kiosk);
        if purpose == Purpose::Kiosk && exit_pin.is_none() {
            return Err(NotPaired::NeedsPin);
        }
        tx.execute("DELETE FROM pairing_code WHERE code_sha256 = ?1", [code])?;
        tx.execute(
            "INSERT INTO paired_device (token_sha256, purpose, name, exit_pin, paired_at, last_seen_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
            params![new.token, purpose.as_str(), new.name, exit_pin, now.0],
        )?;
        Ok(Paired {
            id: tx.last_insert_rowid(),
            name: new.name.clone(),
            purpose,
            exit_pin,
            last_seen: now,
            unlocked_until: Millis(0),
        })
    });
    paired.await
}

/// Compares with every code that waits, each to its last byte.
fn purpose_of(conn: &Connection, code: &[u8; 32], now: Millis) -> rusqlite::Result<Option<Purpose>> {
    let mut waiting =
        conn.prepare_cached("SELECT code_sha256, purpose FROM pairing_code WHERE expires_at > ?1")?;
    let mut rows = waiting.query([now.0])?;
    let mut found = None;
    while let Some(row) = rows.next()? {
        let known: [u8; 32] = row.get(0)?;
        if known.iter().zip(code).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0 {
            found = Some(purpose(row, 1)?);
        }
    }
    Ok(found)
}

fn purpose(row: &Row<'_>, column: usize) -> rusqlite::Result<Purpose> {
    let text: String = row.get(column)?;
    Ok(if text == Purpose::Kiosk.as_str() { Purpose::Kiosk } else { Purpose::Gate })
}

/// The device with a token, unless it was revoked.
pub async fn find(store: &Store, token: String) -> Result<Option<Paired>, NotSaved> {
    let found = store.read(move |conn| {
        conn.prepare_cached(
            "SELECT id, name, purpose, exit_pin, last_seen_at, unlocked_until FROM paired_device
             WHERE token_sha256 = ?1 AND revoked_at IS NULL",
        )?
        .query_row([token], |row| {
            Ok(Paired {
                id: row.get(0)?,
                name: row.get(1)?,
                purpose: purpose(row, 2)?,
                exit_pin: row.get(3)?,
                last_seen: Millis(row.get(4)?),
                unlocked_until: Millis(row.get(5)?),
            })
        })
        .optional()
    });
    found.await
}

pub async fn seen(store: &Store, id: i64, now: Millis) -> Result<(), NotSaved> {
    let seen = store.write(move |tx| {
        tx.execute("UPDATE paired_device SET last_seen_at = max(last_seen_at, ?2) WHERE id = ?1", [id, now.0])
            .map_err(NotSaved::from)
    });
    seen.await.map(drop)
}

pub async fn list(store: &Store) -> Result<Vec<Listed>, NotSaved> {
    let listed = store.read(|conn| {
        conn.prepare_cached(
            "SELECT id, name, purpose, paired_at, last_seen_at FROM paired_device WHERE revoked_at IS NULL ORDER BY id",
        )?
        .query_map([], |row| {
            Ok(Listed {
                id: row.get(0)?,
                name: row.get(1)?,
                purpose: purpose(row, 2)?,
                paired_at: Millis(row.get(3)?),
                last_seen_at: Millis(row.get(4)?),
            })
        })?
        .collect()
    });
    listed.await
}

/// `false` when there is no such device, or it is revoked already.
pub async fn revoke(store: &Store, id: i64, now: Millis) -> Result<bool, NotSaved> {
    let sql = "UPDATE paired_device SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
    let revoked = store.write(move |tx| tx.execute(sql, [id, now.0]).map_err(NotSaved::from));
    revoked.await.map(|rows| rows == 1)
}

/// `false` when there is no such kiosk.
pub async fn set_pin(store: &Store, id: i64, exit_pin: String) -> Result<bool, NotSaved> {
    let sql =
        "UPDATE paired_device SET exit_pin = ?2 WHERE id = ?1 AND purpose = 'kiosk' AND revoked_at IS NULL";
    let set = store.write(move |tx| tx.execute(sql, params![id, exit_pin]).map_err(NotSaved::from));
    set.await.map(|rows| rows == 1)
}

pub async fn unlock(store: &Store, id: i64, until: Millis) -> Result<(), NotSaved> {
    let sql = "UPDATE paired_device SET unlocked_until = ?2 WHERE id = ?1";
    let unlocked = store.write(move |tx| tx.execute(sql, [id, until.0]).map_err(NotSaved::from));
    unlocked.await.map(drop)
}

/// Every code and device goes: the box is another school's now.
pub fn forget(tx: &Tx<'_>) -> Result<(), NotSaved> {
    tx.execute("DELETE FROM pairing_code", [])?;
    tx.execute("DELETE FROM paired_device", [])?;
    Ok(())
}

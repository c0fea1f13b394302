//! Sessions on disk.

use hadir_shared::{ids::UserId, time::Millis};
use rusqlite::{OptionalExtension as _, params};

use crate::{
    http::fail::Fail,
    store::{NotSaved, Store, Tx},
};

/// What is known of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    pub user: UserId,
    pub expires: Millis,
    pub ended: bool,
}

/// Begins a session, and forgets those that have run out.
pub async fn begin(
    store: &Store,
    token: String,
    user: UserId,
    now: Millis,
    expires: Millis,
) -> Result<(), Fail> {
    let begun = store.write::<_, NotSaved, _>(move |tx| {
        tx.execute("DELETE FROM web_session WHERE expires_at <= ?1", [now.0])?;
        tx.execute(
            "INSERT INTO web_session (token_sha256, user_id, created_at, expires_at, ended) VALUES (?1, ?2, ?3, ?4, 0)",
            params![token, user.0, now.0, expires.0],
        )?;
        Ok(())
    });
    Ok(begun.await?)
}

/// Ends a session. A token of the cloud is not on disk yet; it is noted as ended until `until`.
pub async fn end(store: &Store, token: String, user: UserId, now: Millis, until: Millis) -> Result<(), Fail> {
    let ended = store.write::<_, NotSaved, _>(move |tx| {
        tx.execute(
            "INSERT INTO web_session (token_sha256, user_id, created_at, expires_at, ended) VALUES (?1, ?2, ?3, ?4, 1)
             ON CONFLICT (token_sha256) DO UPDATE SET ended = 1",
            params![token, user.0, now.0, until.0],
        )?;
        Ok(())
    });
    Ok(ended.await?)
}

pub async fn find(store: &Store, token: String) -> Result<Option<Session>, Fail> {
    let found = store.read(move |conn| {
        conn.prepare_cached("SELECT user_id, expires_at, ended FROM web_session WHERE token_sha256 = ?1")?
            .query_row([token], |row| {
                Ok(Session { user: UserId(row.get(0)?), expires: Millis(row.get(1)?), ended: row.get(2)? })
            })
            .optional()
    });
    Ok(found.await?)
}

/// Every session ends: the numbers of people are another school's now.
pub fn forget(tx: &Tx<'_>) -> Result<(), NotSaved> {
    tx.execute("DELETE FROM web_session", [])?;
    Ok(())
}

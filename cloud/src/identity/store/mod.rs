//! The statements behind identity, a file per subject.

use hadir_shared::time::Millis;

use crate::db::Tx;

mod guesses;
mod keys;
mod roles;
mod second;
mod sessions;
mod users;

pub use guesses::*;
pub use keys::*;
pub use roles::*;
pub use second::*;
pub use sessions::*;
pub use users::*;

/// Deletes what has been dead since before `then`.
pub async fn purge(tx: &mut Tx, then: Millis, now: Millis) -> sqlx::Result<u64> {
    let mut gone = 0;
    for sql in [
        "DELETE FROM refresh_tokens WHERE session_id IN (SELECT id FROM sessions WHERE expires_at < $1 OR revoked_at < $1)",
        "DELETE FROM sessions WHERE expires_at < $1 OR revoked_at < $1",
    ] {
        gone += tx.query(sql).bind(then.0).run().await?;
    }
    for sql in [
        "DELETE FROM refresh_tokens WHERE expires_at < $1",
        "DELETE FROM one_time_codes WHERE expires_at < $1",
        "DELETE FROM login_throttles WHERE window_ends_at < $1 AND blocked_until < $1",
    ] {
        gone += tx.query(sql).bind(now.0).run().await?;
    }
    Ok(gone)
}

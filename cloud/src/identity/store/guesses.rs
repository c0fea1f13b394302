//! What is counted against guessing: one-time codes and failed logins.

use hadir_shared::{ids::UserId, time::Millis};

use crate::db::Tx;

pub async fn put_code(
    tx: &mut Tx,
    user: UserId,
    purpose: &str,
    hash: &str,
    tries: i64,
    now: Millis,
    expires_at: Millis,
) -> sqlx::Result<u64> {
    tx.query(
        "INSERT INTO one_time_codes (user_id, purpose, code_hash, tries_left, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (user_id, purpose) DO UPDATE SET code_hash = excluded.code_hash,
            tries_left = excluded.tries_left, created_at = excluded.created_at, expires_at = excluded.expires_at",
    )
    .bind(user.0)
    .bind(purpose)
    .bind(hash)
    .bind(tries)
    .bind(now.0)
    .bind(expires_at.0)
    .run()
    .await
}

/// Uses up one try; the hash to compare with, if there was one left.
pub async fn try_code(tx: &mut Tx, user: UserId, purpose: &str, now: Millis) -> sqlx::Result<Option<String>> {
    let row: Option<(String,)> = tx
        .query(
            "UPDATE one_time_codes SET tries_left = tries_left - 1
             WHERE user_id = $1 AND purpose = $2 AND tries_left > 0 AND expires_at > $3 RETURNING code_hash",
        )
        .bind(user.0)
        .bind(purpose)
        .bind(now.0)
        .opt()
        .await?;
    Ok(row.map(|(hash,)| hash))
}

pub async fn code_made_at(tx: &mut Tx, user: UserId, purpose: &str) -> sqlx::Result<Option<Millis>> {
    let row: Option<(i64,)> = tx
        .query("SELECT created_at FROM one_time_codes WHERE user_id = $1 AND purpose = $2")
        .bind(user.0)
        .bind(purpose)
        .opt()
        .await?;
    Ok(row.map(|(at,)| Millis(at)))
}

pub async fn delete_code(tx: &mut Tx, user: UserId, purpose: &str) -> sqlx::Result<u64> {
    tx.query("DELETE FROM one_time_codes WHERE user_id = $1 AND purpose = $2")
        .bind(user.0)
        .bind(purpose)
        .run()
        .await
}

pub async fn blocked_until(tx: &mut Tx, subject: &str, now: Millis) -> sqlx::Result<Option<Millis>> {
    let row: Option<(i64,)> = tx
        .query("SELECT blocked_until FROM login_throttles WHERE subject = $1 AND blocked_until > $2")
        .bind(subject)
        .bind(now.0)
        .opt()
        .await?;
    Ok(row.map(|(until,)| Millis(until)))
}

/// Counts one more failure, and says how many there are in the window; `None` while the subject waits, when nothing is
/// counted. Locks the subject's row until the transaction ends, so that of many at once each sees those before it.
pub async fn count_failure(
    tx: &mut Tx,
    subject: &str,
    now: Millis,
    window_ends_at: Millis,
) -> sqlx::Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .query(
            "INSERT INTO login_throttles AS t (subject, failures, window_ends_at, blocked_until) VALUES ($1, 1, $3, 0)
             ON CONFLICT (subject) DO UPDATE SET
                failures = CASE WHEN t.window_ends_at <= $2 THEN 1 ELSE t.failures + 1 END,
                window_ends_at = $3
             WHERE t.blocked_until <= $2 RETURNING failures",
        )
        .bind(subject)
        .bind(now.0)
        .bind(window_ends_at.0)
        .opt()
        .await?;
    Ok(row.map(|(failures,)| failures))
}

pub async fn block(tx: &mut Tx, subject: &str, until: Millis) -> sqlx::Result<u64> {
    tx.query("UPDATE login_throttles SET blocked_until = $2 WHERE subject = $1")
        .bind(subject)
        .bind(until.0)
        .run()
        .await
}

pub async fn forget_failures(tx: &mut Tx, subject: &str) -> sqlx::Result<u64> {
    tx.query("DELETE FROM login_throttles WHERE subject = $1").bind(subject).run().await
}

pub async fn uncount_failure(tx: &mut Tx, subject: &str) -> sqlx::Result<u64> {
    tx.query("UPDATE login_throttles SET failures = failures - 1, blocked_until = 0 WHERE subject = $1 AND failures > 0")
        .bind(subject)
        .run()
        .await
}

/// Counts one use of a budget, and says how many there are in the window and when it ends.
pub async fn spend(
    tx: &mut Tx,
    subject: &str,
    now: Millis,
    window_ends_at: Millis,
) -> sqlx::Result<(i64, Millis)> {
    let (spent, ends): (i64, i64) = tx
        .query(
            "INSERT INTO login_throttles AS t (subject, failures, window_ends_at, blocked_until) VALUES ($1, 1, $3, 0)
             ON CONFLICT (subject) DO UPDATE SET
                failures = CASE WHEN t.window_ends_at <= $2 THEN 1 ELSE t.failures + 1 END,
                window_ends_at = CASE WHEN t.window_ends_at <= $2 THEN $3 ELSE t.window_ends_at END
             RETURNING failures, window_ends_at",
        )
        .bind(subject)
        .bind(now.0)
        .bind(window_ends_at.0)
        .one()
        .await?;
    Ok((spent, Millis(ends)))
}

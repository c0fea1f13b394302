//! One-time codes: six digits sent out of band. Ten minutes, five tries, one outstanding per user and purpose, stored
//! hashed with what they are for, used once.

use hadir_shared::{ids::UserId, time::Millis};
use sha2::{Digest as _, Sha256};

use super::store;
use crate::{app::App, db::Tx, fail::Fail};

const LIFE_MS: i64 = 10 * 60_000;
const TRIES: i64 = 5;
/// Between two codes.
const RESEND_MS: i64 = 60_000;

/// Makes a code, which replaces an older one. To be sent by a job of the same transaction, and shown nowhere else.
pub async fn make(tx: &mut Tx, app: &App, user: UserId, purpose: &'static str) -> Result<String, Fail> {
    make_for(tx, app, user, purpose, "").await
}

/// As [`make`], for something: the address it is sent to. A code for one address proves no other.
pub async fn make_for(
    tx: &mut Tx,
    app: &App,
    user: UserId,
    purpose: &'static str,
    what: &str,
) -> Result<String, Fail> {
    let now = app.now();
    let code = app.ids.six_digits();
    let hash = hash(user, purpose, what, &code);
    store::put_code(tx, user, purpose, &hash, TRIES, now, now.plus_millis(LIFE_MS)).await?;
    Ok(code)
}

/// Whether the last code is so new that another one would only make a mailbox full.
pub async fn is_fresh(tx: &mut Tx, user: UserId, purpose: &str, now: Millis) -> Result<bool, Fail> {
    Ok(store::code_made_at(tx, user, purpose).await?.is_some_and(|at| now.since(at) < RESEND_MS))
}

/// Whether the code is right; then it is used up. **Commit in either case**: a wrong try that is rolled back was free.
pub async fn take(
    tx: &mut Tx,
    user: UserId,
    purpose: &'static str,
    code: &str,
    now: Millis,
) -> Result<bool, Fail> {
    take_for(tx, user, purpose, "", code, now).await
}

/// As [`take`], for what the code was made for.
pub async fn take_for(
    tx: &mut Tx,
    user: UserId,
    purpose: &'static str,
    what: &str,
    code: &str,
    now: Millis,
) -> Result<bool, Fail> {
    let stored = store::try_code(tx, user, purpose, now).await?;
    let right = stored.is_some_and(|stored| stored == hash(user, purpose, what, code.trim()));
    if right {
        store::delete_code(tx, user, purpose).await?;
    }
    Ok(right)
}

fn hash(user: UserId, purpose: &str, what: &str, code: &str) -> String {
    let text = format!("hadir-code-v1\0{user}\0{purpose}\0{what}\0{code}");
    data_encoding::HEXLOWER.encode(&Sha256::digest(text))
}

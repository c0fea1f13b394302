//! One-time codes: six digits sent out of band. Ten minutes, five tries, one outstanding per user and purpose, stored
//! hashed with what they are for, used once.

use hadir_shared::{ids::UserId, time::Millis};
use sha2::{Digest as _, Sha256};

use super::store;
use crate::{app::App, db::Tx, fail::Fail};

const LIFE_MS: i64 = 10 * 60_000;
const TRIES: i64 = 5;

/// Makes a code, which replaces an older one. To be sent by a job of the same transaction, and shown nowhere else.
pub async fn make(tx: &mut Tx, app: &App, user: UserId, purpose: &'static str) -> Result<String, Fail> {
    let now = app.now();
    let code = app.ids.six_digits();
    store::put_code(tx, user, purpose, &hash(user, purpose, &code), TRIES, now, now.plus_millis(LIFE_MS))
        .await?;
    Ok(code)
}

/// Whether the code is right; then it is used up. **Commit in either case**: a wrong try that is rolled back was free.
pub async fn take(
    tx: &mut Tx,
    user: UserId,
    purpose: &'static str,
    code: &str,
    now: Millis,
) -> Result<bool, Fail> {
    let stored = store::try_code(tx, user, purpose, now).await?;
    let right = stored.is_some_and(|stored| stored == hash(user, purpose, code.trim()));
    if right {
        store::delete_code(tx, user, purpose).await?;
    }
    Ok(right)
}

fn hash(user: UserId, purpose: &str, code: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(format!("hadir-code-v1\0{user}\0{purpose}\0{code}")))
}

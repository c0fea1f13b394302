//! Whether a copy of the database holds what it says: a backup counts once somebody has looked.

use anyhow::ensure;
use hadir_shared::{
    chain::{Hash, Head},
    ids::LogId,
};

use super::{Held, store};
use crate::db::{Cloud, Db};

/// Reads every record of every log in `copy`, and answers the heads they lead to.
///
/// # Errors
/// When a record is missing or is not what was hashed, or a log does not end at its head.
pub async fn prove_copy(copy: &Db) -> anyhow::Result<Vec<Held>> {
    let mut tx = copy.read(Cloud).await?;
    let heads = store::heads(&mut tx).await?;
    for held in &heads {
        let log = LogId(held.log_id);
        let mut head = Head::genesis(log);
        loop {
            let rows = store::records_after(&mut tx, held, head.seq).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                ensure!(
                    row.seq.cast_unsigned() == head.seq + 1,
                    "log {log}: record {} is missing",
                    head.seq + 1
                );
                let hash: Hash = row.hash.parse()?;
                head = head.append(log, row.bytes()?.as_bytes());
                ensure!(hash == head.hash, "log {log}: record {} is not what was written", head.seq);
            }
        }
        let ends = (held.high_seq.cast_unsigned(), held.high_hash.parse()?);
        ensure!((head.seq, head.hash) == ends, "log {log} ends at record {}, not at {}", head.seq, ends.0);
    }
    Ok(heads)
}

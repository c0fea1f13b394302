//! What a backup lacks is read back from the cloud, and nothing is believed that does not lead to a signed head.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hadir_shared::{
    chain::Head,
    ids::LogId,
    sign::PublicKey,
    time::Millis,
    wire::{
        held::{HeldLog, HeldLogs, HeldRecords},
        record::Record,
        speaks,
    },
};
use serde::de::DeserializeOwned;

use crate::{
    attendance,
    ids::Ids,
    link::Link,
    membership::Membership,
    outbox,
    store::{NotSaved, Position, Store, Tx, log},
};

const LOGS: &str = "/api/offline-sync/logs";
/// A question is asked this often: the cloud may be busy with a whole region.
const TRIES: u32 = 4;

/// Why the cloud's copy is not known.
#[derive(Debug, thiserror::Error)]
pub enum CannotAsk {
    #[error("the cloud cannot be asked what it holds: {0}")]
    Unreachable(String),
    #[error("the cloud refuses this box ({0}): was it revoked?")]
    Refused(u16),
    #[error("what came is not from this school's cloud: {0}")]
    NotProven(String),
    #[error("the box's own disk: {0}")]
    NotSaved(#[from] NotSaved),
}

/// One log, here and there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    pub log: LogId,
    /// The last record of the backup; `None` where it does not know the log.
    pub backup: Option<u64>,
    /// What the cloud holds; `None` of a log it was never told of.
    pub cloud: Option<Head>,
    /// After what was missing was read back.
    pub rebuilt: Head,
    /// Recorded while the box stood alone or belonged to another school: this cloud is not told of it.
    pub is_private: bool,
    /// What the cloud has is not what is here, or does not lead to its own head.
    pub differs: bool,
}

impl Compared {
    /// Whether both hold the same, to the last record.
    pub fn is_equal(&self) -> bool {
        let nowhere = self.cloud.is_none() && self.rebuilt.seq == 0;
        self.is_private || nowhere || (self.cloud == Some(self.rebuilt) && !self.differs)
    }
}

/// The cloud's copy, for one box.
pub struct Copy<'a> {
    pub link: &'a Link,
    pub ids: &'a Ids,
    pub member: &'a Membership,
    /// Of the cloud.
    pub keys: Vec<PublicKey>,
    /// Every record is read, those that are here as well, and compared byte by byte.
    pub thorough: bool,
}

/// A log of the cloud's, and what is missing of it here.
struct Missing {
    /// `None` of a log that is not known here.
    here: Option<Position>,
    held: HeldLog,
    events: Vec<String>,
}

impl Copy<'_> {
    /// Puts everything back that the cloud holds and `store` lacks, and leaves a log that the cloud holds further or
    /// otherwise than it was here.
    pub async fn bring_back(&self, store: &Store, now: Millis) -> Result<Vec<Compared>, CannotAsk> {
        let before = store.read(log::all).await?;
        let held = self.held().await?;
        let mut held_heads = BTreeMap::new();
        let (mut missing, mut differing) = (Vec::new(), BTreeSet::new());
        for held in held.logs {
            let here = before.iter().find(|log| log.log == held.log).copied();
            match self.missing(store, here, held).await? {
                Some(events) => missing.push(Missing { here, held, events }),
                None => drop(differing.insert(held.log)),
            }
            held_heads.insert(held.log, held.head);
        }
        let fetched = missing.iter().any(|missing| !missing.events.is_empty());
        let open = store.position();
        let new = LogId(self.ids.random_uuid());
        let put = move |tx: &mut Tx<'_>| {
            for missing in &missing {
                put_back(tx, missing, &open, now)?;
            }
            Ok::<_, NotSaved>(())
        };
        store.write(put).await?;
        let after = store.read(log::all).await?;
        if fetched || !differing.is_empty() {
            let leave = move |tx: &mut Tx<'_>| {
                // As it is now: with what came back, and the watermark moved.
                let left = log::all(tx)?.into_iter().find(|log| log.number == open.number).unwrap_or(open);
                outbox::store::carry_over(tx, &left, new, now, "the box was restored from a backup")?;
                attendance::store::rebuild(tx)
            };
            store.write(leave).await?;
        }
        let compare = |log: &Position| Compared {
            log: log.log,
            backup: before.iter().find(|known| known.log == log.log).map(|known| known.head.seq),
            cloud: held_heads.get(&log.log).copied(),
            rebuilt: log.head,
            is_private: log.device != Some(self.member.device),
            differs: differing.contains(&log.log),
        };
        Ok(after.iter().map(compare).collect())
    }

    /// The signed heads.
    async fn held(&self) -> Result<HeldLogs, CannotAsk> {
        let nonce = self.ids.random_uuid();
        let held: HeldLogs = self.ask(LOGS, nonce).await?;
        let signed = |key: &PublicKey| held.verify(key, self.member.device, nonce).is_ok();
        if speaks(held.proto) && self.keys.iter().any(signed) {
            Ok(held)
        } else {
            Err(CannotAsk::NotProven("the list of logs is not signed by it".into()))
        }
    }

    /// The records the cloud holds behind those that are here; `None` where the two are different histories.
    async fn missing(
        &self,
        store: &Store,
        here: Option<Position>,
        held: HeldLog,
    ) -> Result<Option<Vec<String>>, CannotAsk> {
        let last = here.map_or(0, |log| log.head.seq);
        if !self.thorough && held.head.seq <= last {
            let same = hash_here(store, here, held.head.seq).await? == Some(held.head.hash);
            return Ok((same || held.head.seq == 0).then(Vec::new));
        }
        let mut at = match here {
            Some(log) if !self.thorough => log.head,
            _ => Head::genesis(held.log),
        };
        let mut events = Vec::new();
        while at.seq < held.head.seq {
            let page = self.page(held.log, at).await?;
            for event in
                page.events.into_iter().take(usize::try_from(held.head.seq - at.seq).unwrap_or(usize::MAX))
            {
                at = at.append(held.log, event.as_bytes());
                if at.seq > last {
                    events.push(event);
                } else if hash_here(store, here, at.seq).await? != Some(at.hash) {
                    return Ok(None);
                }
            }
        }
        match here {
            // Nothing here that it could be another history of.
            None if at != held.head => {
                Err(CannotAsk::NotProven(format!("the records of log {} do not lead to its head", held.log)))
            }
            _ => Ok((at == held.head).then_some(events)),
        }
    }

    async fn page(&self, log: LogId, after: Head) -> Result<HeldRecords, CannotAsk> {
        let target = format!("{LOGS}/{log}/records?after={}", after.seq);
        let page: HeldRecords = self.ask(&target, self.ids.random_uuid()).await?;
        if page.log != log || page.first_seq != after.seq + 1 || page.events.is_empty() {
            return Err(CannotAsk::NotProven(format!(
                "record {} of log {log} is not among it",
                after.seq + 1
            )));
        }
        Ok(page)
    }

    async fn ask<T: DeserializeOwned>(&self, target: &str, nonce: uuid::Uuid) -> Result<T, CannotAsk> {
        let mut tried = 0;
        loop {
            tried += 1;
            let (why, wait) = match self.link.ask(target, nonce).await {
                Ok(answer) if answer.status == 200 => {
                    return answer.json().ok_or_else(|| CannotAsk::NotProven("it cannot be read".into()));
                }
                Ok(answer) if matches!(answer.status, 401 | 403) => {
                    return Err(CannotAsk::Refused(answer.status));
                }
                Ok(answer) => (format!("status {}", answer.status), answer.retry_after),
                Err(error) => (error.to_string(), None),
            };
            if tried == TRIES {
                return Err(CannotAsk::Unreachable(why));
            }
            let wait =
                wait.unwrap_or_else(|| Duration::from_millis(200 << tried)).min(Duration::from_secs(10));
            tokio::time::sleep(wait).await;
        }
    }
}

async fn hash_here(
    store: &Store,
    here: Option<Position>,
    seq: u64,
) -> Result<Option<hadir_shared::chain::Hash>, NotSaved> {
    let Some(Position { number, log, .. }) = here else { return Ok(None) };
    store.read(move |conn| log::hash_at(conn, number, log, seq)).await
}

fn put_back(tx: &mut Tx<'_>, missing: &Missing, open: &Position, now: Millis) -> Result<(), NotSaved> {
    let held = &missing.held;
    let log = if let Some(log) = missing.here {
        log
    } else if missing.events.is_empty() {
        return Ok(());
    } else {
        tx.open_log(held.log, open.institution, open.device, now, "the backup was made before the next one")?;
        tx.position()
    };
    // A cloud that went back in time, or a log nothing came of, is for the first contact to sort out.
    let acked = if held.head.seq >= log.acked.seq { held.head } else { log.acked };
    let records: Vec<_> = missing.events.iter().map(|event| (kind(event), event.as_str())).collect();
    tx.put_back(&log, &records, acked, held.prunable_through.min(acked.seq))
}

/// As it was kept before: a kind that a newer version wrote is nobody's passage.
fn kind(event: &str) -> &'static str {
    serde_json::from_str::<Record>(event).map_or("unknown", |record| record.what.action_type())
}

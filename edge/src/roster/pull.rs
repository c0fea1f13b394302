//! Pulling the roster: a delta where the cursor is still known, a snapshot where it is not.

use std::{
    mem,
    panic::resume_unwind,
    sync::{Arc, mpsc},
    thread,
};

use hadir_shared::{
    chain::Hash,
    sign::PublicKey,
    wire::{
        roster::{Chunk, Entry, Manifest, Page, SettingsBody, digest, entity},
        speaks,
    },
};
use rusqlite::Connection;

use super::{
    View,
    store::{self, Cursor},
};
use crate::{
    clock::Timekeeper,
    ids::Ids,
    link::{Answer, Link, Unreachable},
    membership::Membership,
    store::{NotSaved, Store, Tx, seal::Seal},
};

const FEED: &str = "/api/offline-sync/roster";
/// Pages in one pull, at most: a feed that never ends is broken.
const MAX_PAGES: usize = 10_000;

/// Entries that go from one thread to the other at once.
const AT_ONCE: usize = 512;
/// How often so many are opened and not read yet, at most.
const IN_BETWEEN: usize = 4;

/// Why the roster is as it was.
#[derive(Debug, thiserror::Error)]
pub enum PullFailed {
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error("the cloud answered {status}")]
    Answered { status: u16 },
    #[error("the cloud refused this box ({status})")]
    NotAllowed { status: u16 },
    #[error("the answer is not a roster")]
    Garbage,
    #[error("the roster is not signed by this school's cloud")]
    Foreign,
    #[error("the settings are older (version {offered}) than those held (version {held})")]
    OlderSettings { held: i64, offered: i64 },
    #[error("the snapshot is not what its manifest says")]
    WrongSnapshot,
    #[error(transparent)]
    NotSaved(#[from] NotSaved),
}

/// What a pull needs.
pub struct Puller<'a> {
    pub store: &'a Store,
    pub seal: &'a Seal,
    pub ids: &'a Ids,
    pub time: &'a Timekeeper,
    pub link: &'a Link,
    pub membership: &'a Membership,
    /// The view that is answered from now.
    pub view: Arc<View>,
}

impl Puller<'_> {
    /// Brings the roster on disk up to date. Sets `changed` as soon as something is: what came before a failure counts.
    pub async fn pull(&self, changed: &mut bool) -> Result<(), PullFailed> {
        let mut cursor = self.store.read(store::cursor).await?;
        let mut refetched = false;
        for _ in 0..MAX_PAGES {
            let page = match cursor.generation {
                Some(generation) => self.page(generation, cursor.at).await?,
                None => None,
            };
            let Some(page) = page else {
                if refetched {
                    return Err(PullFailed::WrongSnapshot);
                }
                cursor = self.snapshot().await?;
                (*changed, refetched) = (true, true);
                continue;
            };
            let (done, told, is_news) = (page.to == page.latest, page.digest, !page.entries.is_empty());
            cursor = self.apply(page).await?;
            *changed |= is_news;
            if !done {
                continue;
            }
            // Anti-entropy: finds what the cursor hides.
            if let Some(told) = told
                && self.store.read(store::digest_held).await? != told
            {
                tracing::error!("the roster differs from the cloud's: fetching it anew");
                cursor.generation = None;
                continue;
            }
            return Ok(());
        }
        Err(PullFailed::Garbage)
    }

    /// The view of what is on disk.
    pub async fn load(&self) -> Result<View, NotSaved> {
        load(self.store, self.seal, self.membership).await
    }

    /// `None` where the cloud cannot tell what changed since.
    async fn page(&self, generation: uuid::Uuid, since: u64) -> Result<Option<Page>, PullFailed> {
        let answer = self.link.get(&format!("{FEED}?generation={generation}&since={since}")).await?;
        if answer.status == 410 {
            return Ok(None);
        }
        let page: Page = sound(&answer)?;
        self.check(page.proto, page.institution.0, |key| page.verify(key).is_ok())?;
        let continues = page.generation == generation && page.from == since && page.to >= since;
        // A page that leads nowhere would be asked for for ever.
        if !continues || page.latest < page.to || (page.to == since && page.latest != page.to) {
            return Err(PullFailed::Garbage);
        }
        self.refuse_older_settings(&page.entries)?;
        Ok(Some(page))
    }

    async fn apply(&self, page: Page) -> Result<Cursor, PullFailed> {
        let next =
            Cursor { generation: Some(page.generation), at: page.to, pulled_at: Some(self.time.now().time) };
        let sealed: Vec<_> = page.entries.iter().map(|e| store::seal_entry(self.seal, self.ids, e)).collect();
        let work = move |tx: &mut Tx<'_>| {
            for entry in &sealed {
                store::apply(tx, entry)?;
            }
            store::set_cursor(tx, &next)
        };
        self.store.write(work).await?;
        Ok(next)
    }

    /// Chunks that were fetched before are not fetched again; nothing is swapped before all are here and right.
    async fn snapshot(&self) -> Result<Cursor, PullFailed> {
        let manifest: Manifest = sound(&self.link.get(&format!("{FEED}/snapshot")).await?)?;
        self.check(manifest.proto, manifest.institution.0, |key| manifest.verify(key).is_ok())?;
        let mut entries = Vec::new();
        for hash in &manifest.chunks {
            entries.extend(self.chunk(*hash).await?);
        }
        let living: Vec<&Entry> = entries.iter().filter(|e| !e.deleted).collect();
        if digest(living.iter().map(|e| (&*e.entity, &*e.key, e.hash()))) != manifest.digest {
            return Err(PullFailed::WrongSnapshot);
        }
        self.refuse_older_settings(&entries)?;
        let cursor = Cursor {
            generation: Some(manifest.generation),
            at: manifest.cursor,
            pulled_at: Some(self.time.now().time),
        };
        let sealed: Vec<_> = living.into_iter().map(|e| store::seal_entry(self.seal, self.ids, e)).collect();
        let work = move |tx: &mut Tx<'_>| {
            store::clear(tx)?;
            for entry in &sealed {
                store::apply(tx, entry)?;
            }
            store::set_cursor(tx, &cursor)
        };
        self.store.write(work).await?;
        Ok(cursor)
    }

    async fn chunk(&self, hash: Hash) -> Result<Chunk, PullFailed> {
        let name = format!("chunk/{hash}");
        let staged = self.store.read(move |conn| store::staged(conn, hash)).await?;
        let held = staged.and_then(|sealed| self.seal.open(&name, &sealed).ok());
        if let Some(bytes) = held.filter(|bytes| Hash::of(bytes) == hash) {
            return serde_json::from_slice(&bytes).map_err(|_| PullFailed::Garbage);
        }
        let answer = self.link.get(&format!("{FEED}/chunks/{hash}")).await?;
        expect_ok(&answer)?;
        if Hash::of(&answer.body) != hash {
            return Err(PullFailed::WrongSnapshot);
        }
        let sealed = self.seal.seal(self.ids, &name, &answer.body);
        self.store.write(move |tx: &mut Tx<'_>| store::stage(tx, hash, &sealed)).await?;
        answer.json().ok_or(PullFailed::Garbage)
    }

    fn check(
        &self,
        proto: u16,
        institution: i64,
        signed_by: impl Fn(&PublicKey) -> bool,
    ) -> Result<(), PullFailed> {
        if !speaks(proto) {
            return Err(PullFailed::Garbage);
        }
        let ours = institution == self.membership.institution.0;
        if ours && self.view.cloud_keys(self.membership).any(signed_by) {
            Ok(())
        } else {
            Err(PullFailed::Foreign)
        }
    }

    /// A stolen disk or a stale proxy does not bring back yesterday's rules.
    fn refuse_older_settings(&self, entries: &[Entry]) -> Result<(), PullFailed> {
        let held = self.view.settings.schedule.version;
        let offered = entries
            .iter()
            .filter(|e| e.entity == entity::SETTINGS && !e.deleted)
            .filter_map(|e| serde_json::from_str::<SettingsBody>(&e.body).ok())
            .map(|settings| settings.version)
            .min();
        match offered {
            Some(offered) if offered < held => Err(PullFailed::OlderSettings { held, offered }),
            _ => Ok(()),
        }
    }
}

/// The view of a school's roster on disk. One thread opens what is sealed, the other reads what comes out of it: a start waits
/// for both, and a large school has tens of thousands of entries.
pub async fn load(store: &Store, seal: &Seal, membership: &Membership) -> Result<View, NotSaved> {
    let seal = seal.clone();
    let institution = hadir_shared::wire::roster::Institution {
        id: membership.institution,
        code: membership.institution_code.clone(),
        name: membership.institution_name.clone(),
    };
    let work = move |conn: &Connection| {
        let cursor = store::cursor(conn)?;
        thread::scope(|scope| {
            let (opened, to_read) = mpsc::sync_channel::<Vec<Entry>>(IN_BETWEEN);
            let entries = to_read.into_iter().flatten();
            let reader = scope.spawn(|| View::build(institution, cursor.at, cursor.pulled_at, entries));
            // Nobody takes them any more only when the reader has panicked, which `join` tells.
            let mut some = Vec::with_capacity(AT_ONCE);
            let unopened = store::entries(conn, &seal, |entry| {
                some.push(entry);
                if some.len() == AT_ONCE {
                    drop(opened.send(mem::replace(&mut some, Vec::with_capacity(AT_ONCE))));
                }
            })?;
            drop(opened.send(some));
            drop(opened);
            Ok((unopened, reader.join().unwrap_or_else(|panic| resume_unwind(panic))))
        })
    };
    let (unopened, (view, unreadable)) = store.read(work).await?;
    if unopened > 0 {
        tracing::error!(unopened, "entries of the roster cannot be opened: secret.key is another one");
    }
    for entry in unreadable {
        tracing::warn!(entity = entry.entity, key = entry.key, "an entry of the roster cannot be read");
    }
    Ok(view)
}

fn expect_ok(answer: &Answer) -> Result<(), PullFailed> {
    match answer.status {
        200 => Ok(()),
        status @ (401 | 403) => Err(PullFailed::NotAllowed { status }),
        status => Err(PullFailed::Answered { status }),
    }
}

fn sound<T: serde::de::DeserializeOwned>(answer: &Answer) -> Result<T, PullFailed> {
    expect_ok(answer)?;
    answer.json().ok_or(PullFailed::Garbage)
}

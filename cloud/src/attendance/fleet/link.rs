//! What one node keeps in memory to talk with boxes: its key, the boxes it heard of a moment ago, and how many of them it
//! listens to at once. Everything else is in the database, so any node may answer any box.

use std::{
    collections::HashMap,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    thread::available_parallelism,
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::keyed::HashMapStateStore,
};
use hadir_shared::{ids::DeviceId, sign::SecretKey, time::Millis};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use uuid::Uuid;

use super::{cloud_key, device::Device, store};
use crate::{
    db::Cloud,
    {app::App, clock::Ids, db::Db, fail::Fail, seal::Seal},
};

/// How long a node believes what it knows of a box. A batch of a box that was revoked meanwhile is caught in its own
/// transaction; a pull of the roster may succeed this long.
const DEVICE_MS: i64 = 2_000;
/// Boxes kept in memory at most.
const DEVICES: usize = 20_000;
/// Who waits longer than this for a place is sent away.
const PATIENCE: Duration = Duration::from_secs(5);
/// Batches that may wait, for each that is worked on: past that, waiting only makes everybody late.
const QUEUE: usize = 8;

/// Enrolments an address may try in a minute. A code has 50 random bits and lives a day.
const ENROLMENTS: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// Cheap to clone.
#[derive(Clone)]
pub struct Link(Arc<Inner>);

struct Inner {
    key: SecretKey,
    store: Uuid,
    devices: Mutex<HashMap<DeviceId, (Millis, Device)>>,
    ingest: Lane,
    light: Lane,
    enrolments: RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>,
}

/// A place, held until the work is done.
#[derive(Debug)]
#[must_use = "dropping it gives the place to somebody else"]
pub struct Place {
    _admitted: OwnedSemaphorePermit,
    _working: OwnedSemaphorePermit,
}

/// What a request costs. Each kind has its own places, so that a heartbeat does not queue behind backlogs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// A batch of records.
    Ingest,
    /// A heartbeat, a pull of the roster.
    Light,
}

struct Lane {
    admitted: Arc<Semaphore>,
    working: Arc<Semaphore>,
    patience: Duration,
}

impl Lane {
    fn new(width: usize, patience: Duration) -> Self {
        Self {
            admitted: Arc::new(Semaphore::new(width * (1 + QUEUE))),
            working: Arc::new(Semaphore::new(width)),
            patience,
        }
    }

    fn has_room(&self) -> bool {
        self.admitted.available_permits() > 0
    }

    async fn enter(&self) -> Option<Place> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().ok()?;
        let working = timeout(self.patience, Arc::clone(&self.working).acquire_owned()).await.ok()?.ok()?;
        Some(Place { _admitted: admitted, _working: working })
    }
}

impl Link {
    /// Over a database that is migrated. Makes the cloud's key and the store's name where there is none.
    pub async fn open(db: &Db, now: Millis, ids: &Ids, seal: &Seal) -> anyhow::Result<Self> {
        let mut tx = db.write(Cloud).await?;
        let key = cloud_key::open(&mut tx, now, ids, seal).await?;
        let store = store::store_id(&mut tx, ids.random_uuid(), now).await?;
        tx.commit().await?;
        let cores = available_parallelism().map_or(1, usize::from);
        let (ingest, light) = (Lane::new(2 * cores, PATIENCE), Lane::new(2 * cores, PATIENCE));
        let enrolments = RateLimiter::hashmap(Quota::per_minute(ENROLMENTS));
        Ok(Self(Arc::new(Inner { key, store, devices: Mutex::default(), ingest, light, enrolments })))
    }

    /// Signs receipts and the roster.
    pub fn key(&self) -> &SecretKey {
        &self.0.key
    }

    /// Names this cloud's store: a restored one has another name.
    pub fn store(&self) -> Uuid {
        self.0.store
    }

    /// Waits for a place, a while, or fails with [`Fail::Unavailable`] and a moment to come back that differs for everybody,
    /// so that those who were sent away do not return together.
    pub async fn enter(&self, app: &App, load: Load) -> Result<Place, Fail> {
        self.lane(load).enter().await.ok_or_else(|| shed(app))
    }

    /// Fails as [`Link::enter`] does when even the queue is full, without waiting and without taking a place: asked before a
    /// body is read, because who sends one byte a second must not keep a place meanwhile.
    pub fn has_room(&self, app: &App, load: Load) -> Result<(), Fail> {
        if self.lane(load).has_room() { Ok(()) } else { Err(shed(app)) }
    }

    fn lane(&self, load: Load) -> &Lane {
        match load {
            Load::Ingest => &self.0.ingest,
            Load::Light => &self.0.light,
        }
    }

    /// Slows down who tries codes.
    pub fn may_enrol(&self, address: IpAddr) -> Result<(), Fail> {
        let enrolments = &self.0.enrolments;
        if enrolments.len() >= DEVICES {
            enrolments.retain_recent();
        }
        enrolments.check_key(&address).map_err(|not_until| Fail::TooMany {
            retry_after: not_until.wait_time_from(DefaultClock::default().now()),
        })
    }

    /// Call after a commit that changed a box: this node forgets what it knew.
    pub fn forget(&self, device: DeviceId) {
        self.devices().remove(&device);
    }

    pub(super) fn recall(&self, device: DeviceId, now: Millis) -> Option<Device> {
        let (seen, known) = self.devices().get(&device).cloned()?;
        (0..DEVICE_MS).contains(&now.since(seen)).then_some(known)
    }

    pub(super) fn remember(&self, device: &Device, now: Millis) {
        let mut devices = self.devices();
        if devices.len() >= DEVICES {
            devices.clear();
        }
        devices.insert(device.id, (now, device.clone()));
    }

    fn devices(&self) -> std::sync::MutexGuard<'_, HashMap<DeviceId, (Millis, Device)>> {
        self.0.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shed(app: &App) -> Fail {
    metrics::counter!("sync_shed_total").increment(1);
    Fail::Unavailable { retry_after: Duration::from_millis(2_000 + app.ids.below(4_000)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_finds_no_place_is_sent_away_at_once_or_after_a_while() {
        let lane = Arc::new(Lane::new(1, Duration::from_millis(300)));
        let working = lane.enter().await.unwrap();
        let waiting: Vec<_> = (0..QUEUE)
            .map(|_| {
                let lane = Arc::clone(&lane);
                tokio::spawn(async move { lane.enter().await.is_some() })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(lane.enter().await.is_none(), "the queue is full");
        drop(working);
        for waiter in waiting {
            assert!(waiter.await.unwrap(), "each gets the place when the one before has left");
        }
        let _working = lane.enter().await.unwrap();
        assert!(lane.enter().await.is_none(), "nobody left in time");
    }
}

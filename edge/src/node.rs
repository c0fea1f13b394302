//! Everything a request handler may use. Cheap to clone.

use std::sync::Arc;

use hadir_shared::{
    ids::{ClassId, UserId},
    time::{Millis, Reading, SchoolDay, Trusted},
};
use serde::Serialize;

pub use crate::{
    attendance::{
        AttendanceRow, Bulk, BulkRequest, Code, DayCounts, PassRequest, Refused, ScanRequest, Scanned, StudentStatus,
    },
    outbox::{FailedRecord, Line, StoreState, SyncStatus},
    store::{NotSaved, Store},
};
use crate::{clock::Timekeeper, config::Config, ids::Ids, roster::View};

/// The token the kiosk shows now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownToken {
    pub token: String,
    /// The six digits under it.
    pub code: String,
    /// When the next one is shown.
    pub shown_until: Millis,
    /// When this one is no longer accepted.
    pub expires_at: Millis,
}

/// A running box.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    time: Timekeeper,
    ids: Ids,
    store: Store,
    view: Arc<View>,
    status: SyncStatus,
}

impl Node {
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The clocks now.
    pub fn reading(&self) -> Reading {
        self.inner.time.reading()
    }

    pub fn trusted_now(&self) -> Trusted {
        self.inner.time.now()
    }

    /// The source of ids and random values.
    pub fn ids(&self) -> &Ids {
        &self.inner.ids
    }

    /// Who belongs to the school right now.
    pub fn roster(&self) -> Arc<View> {
        Arc::clone(&self.inner.view)
    }

    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The rotating token, by trusted time; `None` before the school's key has arrived.
    pub fn qr(&self) -> Option<ShownToken> {
        None
    }

    /// A student at the gate.
    pub async fn scan(&self, _request: ScanRequest) -> Result<Scanned, Refused> {
        Err(self.stopped().await)
    }

    /// A member of staff, with the rotating QR.
    pub async fn pass(&self, _request: PassRequest) -> Result<Scanned, Refused> {
        Err(self.stopped().await)
    }

    /// A whole class.
    pub async fn bulk(&self, _request: BulkRequest) -> Result<Bulk, Refused> {
        Err(self.stopped().await)
    }

    pub async fn class_status(&self, _class: ClassId, _day: SchoolDay) -> Result<Vec<StudentStatus>, Refused> {
        Err(self.stopped().await)
    }

    /// Somebody's own attendance, newest first, and how many lines there are. Pages count from 1.
    pub async fn history(
        &self,
        _user: UserId,
        _from: Option<SchoolDay>,
        _to: Option<SchoolDay>,
        _page: u32,
        _per_page: u32,
    ) -> Result<(Vec<AttendanceRow>, u64), Refused> {
        Err(self.stopped().await)
    }

    /// The newest lines, for the gate's and the kiosk's lists.
    pub async fn latest(&self, _limit: u32) -> Result<Vec<AttendanceRow>, Refused> {
        Err(self.stopped().await)
    }

    pub async fn counts(&self, _day: SchoolDay) -> Result<DayCounts, Refused> {
        Err(self.stopped().await)
    }

    pub fn sync_status(&self) -> SyncStatus {
        self.inner.status.clone()
    }

    /// Wakes the uploader and the roster puller.
    pub fn sync_now(&self) {}

    async fn stopped(&self) -> Refused {
        self.inner.store.read(|_| Ok(())).await.err().unwrap_or(NotSaved::Stopped).into()
    }
}

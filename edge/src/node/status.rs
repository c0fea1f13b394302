//! How a box is, for whoever looks.

use hadir_shared::time::Millis;

use super::Node;
use crate::{
    backup,
    outbox::{self, FailedRecord, SyncStatus},
    store::log,
    tls::Tls,
};

/// The part of the status that lies on the disk.
#[derive(Default)]
struct OnDisk {
    oldest_pending: Option<Millis>,
    verdicts: std::collections::BTreeMap<String, u64>,
    failed: Vec<FailedRecord>,
    left_logs: u64,
}

impl OnDisk {
    fn read(conn: &rusqlite::Connection) -> rusqlite::Result<Self> {
        let device = log::position(conn)?.and_then(|open| open.device);
        Ok(Self {
            oldest_pending: outbox::store::oldest_pending(conn)?,
            verdicts: outbox::store::counts(conn)?,
            failed: outbox::store::failed(conn)?,
            left_logs: device.map_or(Ok(0), |device| outbox::store::left_logs(conn, device))?,
        })
    }

    fn alarm(&self) -> Option<String> {
        (self.left_logs > 0).then(|| {
            format!(
                "the cloud knew another history of this box's log ({}): a restored disk, a copied card or failing storage",
                self.left_logs
            )
        })
    }
}

impl Node {
    /// How the box is. Reads the disk: for whoever looks, not for the scan path.
    pub async fn sync_status(&self) -> SyncStatus {
        let (inner, view) = (&self.inner, self.roster());
        let told = self.shared().told();
        let member = self.membership();
        let disk = inner.store.read(OnDisk::read).await.unwrap_or_default();
        let position = inner.store.position();
        let now = inner.time.now();
        SyncStatus {
            version: env!("CARGO_PKG_VERSION").into(),
            device: member.as_ref().map(|m| m.device),
            institution: member.as_ref().map(|m| m.institution),
            institution_name: view.institution.name.clone(),
            cloud: member.map(|m| m.cloud),
            line: told.line,
            store: inner.store.state(),
            log: position.log,
            recorded: position.head.seq,
            acked_through: position.acked.seq,
            pending: position.pending(),
            oldest_pending: disk.oldest_pending.filter(|_| position.pending() > 0),
            heads_equal: position.device.is_some() && position.acked == position.head,
            last_contact: told.last_contact,
            last_error: told.last_error,
            alarm: told.alarm.or_else(|| disk.alarm()),
            verdicts: disk.verdicts,
            failed: disk.failed,
            clock_offset_ms: inner.time.offset_ms(),
            clock_grade: now.grade,
            roster_cursor: view.cursor,
            roster_pulled_at: view.pulled_at,
            disk_free_bytes: inner.store.disk_free(),
            last_backup: backup::last(inner.store.data_dir()),
            https: self.tls().map(Tls::told),
            now: now.time,
        }
    }
}

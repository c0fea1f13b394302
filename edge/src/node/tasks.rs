//! What runs beside a box's requests: the uploader and the puller of the membership it has at the time, and its portraits.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Node, shared_of, view_of};
use crate::{
    link::Link,
    membership::{self, Membership},
    outbox::{self, StoreState, upload::Uploader},
    roster::{PullFailed, Puller},
    store::log,
};

/// When portraits that could not be had are asked for again.
const PORTRAITS_AGAIN: Duration = Duration::from_mins(10);

impl Node {
    /// Reads the membership and the roster again: another process may have changed them.
    pub async fn reload(&self) -> anyhow::Result<()> {
        let inner = &self.inner;
        inner.store.refresh().await;
        let membership = membership::load(&inner.store, &inner.seal).await?;
        let view = view_of(&inner.store, &inner.seal, &inner.ids, membership.as_ref()).await?;
        self.show(view);
        *inner.shared.write().unwrap_or_else(PoisonError::into_inner) = shared_of(membership.as_ref(), None);
        *inner.membership.write().unwrap_or_else(PoisonError::into_inner) = membership;
        Ok(())
    }

    /// Brings the roster up to date, once. Nothing happens on a box that stands alone.
    pub async fn pull_once(&self) -> Result<(), PullFailed> {
        let Some(member) = self.membership() else { return Ok(()) };
        let Some(link) = self.link_of(&member) else { return Ok(()) };
        let _one_at_a_time = self.inner.pulling.lock().await;
        let puller = Puller {
            store: &self.inner.store,
            seal: &self.inner.seal,
            ids: &self.inner.ids,
            time: &self.inner.time,
            link: &link,
            membership: &member,
            view: self.roster(),
        };
        let mut changed = false;
        let outcome = puller.pull(&mut changed).await;
        let came = match &outcome {
            Ok(()) if changed => "changed",
            Ok(()) => "unchanged",
            Err(_) => "failed",
        };
        metrics::counter!("hadir_edge_roster_pulls_total", "came" => came).increment(1);
        if changed {
            self.show(puller.load().await?);
        }
        outcome
    }

    fn link_of(&self, member: &Membership) -> Option<Link> {
        let signer = member.key().map(|key| (member.device, key))?;
        let link = Link::new(&member.cloud, self.inner.ids.clone(), Some(signer));
        link.map_err(|error| tracing::error!(%error, "no line to the cloud can be made")).ok()
    }

    fn uploader(&self, member: Membership) -> Option<Uploader> {
        let inner = &self.inner;
        Some(Uploader {
            config: inner.config.clone(),
            store: inner.store.clone(),
            time: inner.time.clone(),
            ids: inner.ids.clone(),
            gate: Arc::clone(&inner.gate),
            view: Arc::clone(&inner.view),
            key: member.key()?,
            link: self.link_of(&member)?,
            membership: member,
            shared: self.shared(),
        })
    }

    /// Keeps the uploader and the puller of the present membership running, whichever that is.
    pub(super) async fn supervise(self, stop: CancellationToken) {
        loop {
            let own = stop.child_token();
            let mut tasks = JoinSet::new();
            if let Some(uploader) = self.membership().and_then(|member| self.uploader(member)) {
                tasks.spawn(uploader.run(own.clone()));
                tasks.spawn(self.clone().keep_pulling(own.clone()));
                tasks.spawn(self.clone().keep_portraits(own.clone()));
            }
            let changed = tokio::select! {
                () = stop.cancelled() => false,
                () = self.joined_elsewhere() => true,
            };
            own.cancel();
            tasks.join_all().await;
            if !changed {
                return;
            }
            if let Err(error) = self.reload().await {
                tracing::error!(%error, "the new membership cannot be read");
            }
        }
    }

    /// Ends when another process (`hadir-edge enroll`) has opened a log.
    async fn joined_elsewhere(&self) {
        loop {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let here = self.inner.store.position().device;
            let there = self.inner.store.read(log::position).await;
            if there.is_ok_and(|there| there.is_some_and(|there| there.device != here)) {
                return;
            }
        }
    }

    /// After each change of the roster, and from time to time while something is missing.
    async fn keep_portraits(self, stop: CancellationToken) {
        let Some(link) = self.membership().and_then(|member| self.link_of(&member)) else { return };
        loop {
            let view = self.roster();
            // A disk that fills up is for records.
            let all_are_here = self.inner.store.state() == StoreState::Working
                && tokio::select! {
                    () = stop.cancelled() => return,
                    kept = self.inner.portraits.keep_up(&view, &link) => kept.is_ok_and(|without| without == 0),
                };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.inner.faces.notified() => {}
                () = tokio::time::sleep(PORTRAITS_AGAIN), if !all_are_here => {}
            }
        }
    }

    async fn keep_pulling(self, stop: CancellationToken) {
        let (shared, config) = (self.shared(), &self.inner.config);
        let mut failures = 0_u32;
        loop {
            let pulled = tokio::select! {
                () = stop.cancelled() => return,
                pulled = self.pull_once() => pulled,
            };
            let wait = match pulled {
                Ok(()) => {
                    failures = 0;
                    None
                }
                Err(why) => {
                    if failures == 0 {
                        tracing::warn!(%why, "the roster stays as it is; trying again later");
                    }
                    failures = failures.saturating_add(1);
                    let bound =
                        outbox::plan::backoff_bound(config.retry_base_ms, config.retry_cap_ms, failures);
                    Some(Duration::from_millis(self.inner.ids.up_to(bound)))
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = shared.pull.notified() => {}
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            }
        }
    }
}

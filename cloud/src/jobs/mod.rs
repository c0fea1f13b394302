//! Effects that follow a change, and work that is due: rows, claimed by whoever is free.

use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes the workers of this node; those of others poll.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// Call after the commit.
    pub fn ring(&self) {
        self.0.notify_waiters();
    }
}

//! A box in a temporary folder, with a clock whose hands a test sets.
#![expect(clippy::missing_panics_doc, reason = "a test that panics has failed, which is what it is for")]

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use hadir_shared::{
    ids::UserId,
    time::{Clock, Millis, Reading},
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{config::Config, ids::Ids, node::Node};

/// A clock whose hands are set.
#[derive(Debug)]
pub struct Hands(Mutex<Reading>);

impl Hands {
    pub fn at(wall: Millis) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Reading { wall, boottime_ms: 60_000, boot: Uuid::from_u128(1) })))
    }

    /// Time passes, on every clock alike.
    pub fn pass(&self, ms: i64) {
        let mut reading = self.0.lock().unwrap();
        reading.wall = reading.wall.plus_millis(ms);
        reading.boottime_ms += ms;
    }

    /// Time passes until the wall clock shows `wall`.
    pub fn pass_until(&self, wall: Millis) {
        let ms = wall.since(self.read().wall);
        self.pass(ms);
    }

    /// Somebody sets the wall clock.
    pub fn set_wall(&self, wall: Millis) {
        self.0.lock().unwrap().wall = wall;
    }

    /// The machine starts anew.
    pub fn reboot(&self, wall: Millis) {
        let mut reading = self.0.lock().unwrap();
        *reading = Reading { wall, boottime_ms: 10_000, boot: Uuid::from_u128(reading.boot.as_u128() + 1) };
    }
}

impl Clock for Hands {
    fn read(&self) -> Reading {
        *self.0.lock().unwrap()
    }
}

/// What a test's box is configured with.
pub fn config(data_dir: &Path) -> Config {
    Config {
        data_dir: data_dir.into(),
        ballast_mib: 0,
        retry_base_ms: 1,
        retry_cap_ms: 20,
        ..Config::default()
    }
}

/// A box.
pub struct TestBox {
    node: Node,
    hands: Arc<Hands>,
    folder: TempDir,
}

impl TestBox {
    /// One that stands alone, at that time.
    pub async fn demo(at: Millis) -> Self {
        Self::with(at, |_| {}).await
    }

    /// The same, configured by the test.
    pub async fn with(at: Millis, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hands = Hands::at(at);
        let mut config = config(folder.path());
        change(&mut config);
        let node = Node::open(config, hands.clone(), Ids::seeded(1), at).await.unwrap();
        Self { node, hands, folder }
    }

    pub fn node(&self) -> &Node {
        &self.node
    }

    pub fn hands(&self) -> &Arc<Hands> {
        &self.hands
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The same disk, opened by a new process after the old one ended in order.
    pub async fn restart(self) -> Self {
        let (config, Self { node, hands, folder }) = (self.node.config().clone(), self);
        node.stop().await;
        drop(node);
        let node = Node::open(config, hands.clone(), Ids::seeded(2), Millis(0)).await.unwrap();
        Self { node, hands, folder }
    }

    /// The id of somebody of the school by their number.
    pub fn id(&self, number: &str) -> UserId {
        self.node.roster().person_by_number(number).unwrap().id
    }
}

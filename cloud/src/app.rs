//! What every handler is given: the state of one running cloud.

use std::sync::Arc;

use hadir_shared::time::{Clock, Millis};

use crate::{
    attendance::{checkin::Guesses, fleet::Link},
    clock::Ids,
    config::Config,
    console::Live,
    db::Db,
    identity::Identity,
    jobs::Bell,
    seal::Seal,
};

/// Cheap to clone; nothing in it belongs to one request. Whatever must outlive the process is in the database.
#[derive(Clone)]
pub struct App {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub ids: Ids,
    pub config: Arc<Config>,
    pub seal: Seal,
    pub identity: Identity,
    /// To the boxes.
    pub sync: Link,
    /// Who tries the six digits how often.
    pub guesses: Guesses,
    /// Wakes the job workers after a commit that enqueued something.
    pub jobs: Bell,
    /// Who looks at which school's pages.
    pub live: Live,
}

impl App {
    /// Over a database that is migrated. Makes the first keys where there are none.
    pub async fn new(
        db: Db,
        clock: Arc<dyn Clock>,
        ids: Ids,
        config: Config,
        seal: Seal,
    ) -> anyhow::Result<Self> {
        let identity = Identity::open(&db, clock.now(), &ids, &seal, &config).await?;
        let sync = Link::open(&db, clock.now(), &ids, &seal).await?;
        let guesses = Guesses::new(Arc::clone(&clock));
        let config = Arc::new(config);
        Ok(Self {
            db,
            clock,
            ids,
            config,
            seal,
            identity,
            sync,
            guesses,
            jobs: Bell::default(),
            live: Live::default(),
        })
    }

    pub fn now(&self) -> Millis {
        self.clock.now()
    }
}

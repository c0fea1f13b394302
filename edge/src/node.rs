//! A box: everything a request handler may use, and the tasks that run beside it. Cheap to clone.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use anyhow::Context as _;
use hadir_shared::{
    ids::{ClassId, LogId, UserId},
    qr::{Step, accept, is_code, token},
    time::{Clock, Millis, Reading, SchoolDay, Trusted},
    wire::record::Record,
};
use serde::Serialize;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    attendance::{self, Gate},
    clock::Timekeeper,
    config::Config,
    ids::Ids,
    membership::{self, Membership, NOBODY},
    outbox::{self, upload::Shared},
    roster::{Portraits, View, demo, pull},
    store::{self, Options, Position, Tx, log, seal::Seal},
    tls::Tls,
};
pub use crate::{
    attendance::{
        AttendanceRow, Bulk, BulkRequest, Code, DayCounts, PassRequest, Refused, ScanRequest, Scanned,
        StudentStatus, UndoRequest,
    },
    outbox::{FailedRecord, Line, StoreState, SyncStatus},
    store::{NotSaved, Store},
};

mod status;
mod tasks;

/// What the demo school's keys are kept under.
const DEMO: &str = "demo";
/// Records at the end of the log that are looked through for the latest trusted time.
const LOOK_BACK: u64 = 200;

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

/// A box.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    time: Timekeeper,
    ids: Ids,
    store: Store,
    seal: Seal,
    gate: Arc<Gate>,
    view: Arc<RwLock<Arc<View>>>,
    membership: RwLock<Option<Membership>>,
    shared: RwLock<Arc<Shared>>,
    /// Set once, where HTTPS is served.
    tls: OnceLock<Tls>,
    portraits: Portraits,
    /// Rung when the roster changed: somebody may have a new portrait.
    faces: Notify,
    /// Ends streams to pages, which would never end by themselves.
    closing: CancellationToken,
    /// Serialises pulls: the button, the timer and a receipt may all ask at once.
    pulling: tokio::sync::Mutex<()>,
    tasks: Mutex<Option<(CancellationToken, JoinSet<()>)>>,
}

impl Node {
    /// Opens the box's disk and reads who belongs to the school. Nothing runs yet; scans work. No clock is believed that
    /// shows less than `built` ([`crate::clock::BUILT`]).
    pub async fn open(
        config: Config,
        clock: Arc<dyn Clock>,
        ids: Ids,
        built: Millis,
    ) -> anyhow::Result<Self> {
        let options = Options {
            data_dir: config.data_dir.clone(),
            ballast_mib: config.ballast_mib,
            max_pages: config.max_pages,
            first_log: LogId(ids.random_uuid()),
            institution: NOBODY,
            now: clock.now(),
        };
        let store = Store::open(&options)?;
        let seal = Seal::in_folder(&config.data_dir, &ids).context("secret.key")?;
        let known = store.read(outbox::store::known).await?;
        let floor =
            store.read(latest_trusted).await?.max(known.last_contact).map_or(built, |at| at.max(built));
        let time = Timekeeper::new(clock, floor, known.anchor);
        let membership = membership::load(&store, &seal).await?;
        let view = view_of(&store, &seal, &ids, membership.as_ref()).await?;
        let shared = shared_of(membership.as_ref(), known.last_contact);
        let portraits = Portraits::open(&config.data_dir, seal.clone(), ids.clone());
        let gate = Arc::new(Gate::new(store.clone(), time.clone(), ids.clone()));
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                time,
                ids,
                store,
                seal,
                gate,
                view: Arc::new(RwLock::new(Arc::new(view))),
                membership: RwLock::new(membership),
                shared: RwLock::new(shared),
                tls: OnceLock::new(),
                portraits,
                faces: Notify::new(),
                closing: CancellationToken::new(),
                pulling: tokio::sync::Mutex::new(()),
                tasks: Mutex::new(None),
            }),
        })
    }

    /// Records the start and begins to talk to the cloud.
    pub async fn start(&self) -> anyhow::Result<()> {
        self.inner.gate.boot().await?;
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(self.clone().supervise(stop.clone()));
        tasks.spawn(crate::periodic::run(self.clone(), stop.clone()));
        *self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner) = Some((stop, tasks));
        Ok(())
    }

    /// Ends the tasks, finishes what is queued, marks the end as clean and closes the disk.
    pub async fn stop(&self) {
        self.hang_up();
        let running = self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((stop, tasks)) = running {
            stop.cancel();
            tasks.join_all().await;
        }
        if let Err(why) = self.inner.gate.end_clean().await {
            tracing::error!(%why, "the clean end could not be marked");
        }
        self.inner.store.close().await;
    }

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

    /// The trusted time of a reading taken before.
    pub fn trust(&self, reading: Reading) -> Trusted {
        self.inner.time.trust(reading)
    }

    /// From now on the box serves HTTPS with this.
    pub fn serves_with(&self, tls: Tls) {
        let _ = self.inner.tls.set(tls);
    }

    /// The box's certificate; `None` where no HTTPS is served.
    pub fn tls(&self) -> Option<&Tls> {
        self.inner.tls.get()
    }

    /// The source of ids and random values.
    pub fn ids(&self) -> &Ids {
        &self.inner.ids
    }

    /// Pictures of the school's people.
    pub fn portraits(&self) -> &Portraits {
        &self.inner.portraits
    }

    /// Tells whoever listens that nothing more will come, ahead of [`Self::stop`].
    pub fn hang_up(&self) {
        self.inner.closing.cancel();
    }

    /// Ends when the box is about to stop.
    pub async fn closing(&self) {
        self.inner.closing.cancelled().await;
    }

    /// Who belongs to the school right now.
    pub fn roster(&self) -> Arc<View> {
        Arc::clone(&self.inner.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Seals secrets before they are stored.
    pub fn seal(&self) -> &Seal {
        &self.inner.seal
    }

    /// The school the box belongs to; `None` when it stands alone.
    pub fn membership(&self) -> Option<Membership> {
        self.inner.membership.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The text of a student's card of the demo school; `None` at a box that belongs to a school: only its cloud signs.
    pub async fn demo_card(&self, student: UserId) -> Option<String> {
        if self.membership().is_some() {
            return None;
        }
        demo_keys(&self.inner.store, &self.inner.seal, &self.inner.ids).await.ok()?.card_of(student)
    }

    /// The rotating token, by trusted time; `None` before the school's key has arrived.
    pub fn qr(&self) -> Option<ShownToken> {
        let view = self.roster();
        let (key, interval) = (view.keys.qr.as_ref()?, view.settings.qr_interval);
        let step = Step::at(self.trusted_now().time, interval);
        let shown = token(key, view.institution_id(), step);
        Some(ShownToken {
            token: shown.token,
            code: shown.code,
            shown_until: step.ends(interval),
            expires_at: step.expires(interval),
        })
    }

    /// Whether a token of the QR was good at a moment. The six digits are none here: whoever may ask this without being
    /// counted must not learn of them.
    pub fn is_token(&self, text: &str, at: Reading) -> bool {
        let (view, now) = (self.roster(), self.trust(at).time);
        let Some(key) = view.keys.qr.as_ref().filter(|_| !is_code(text)) else { return false };
        accept(key, view.institution_id(), view.settings.qr_interval, now, text).is_ok()
    }

    /// A student at the gate.
    pub async fn scan(&self, request: ScanRequest) -> Result<Scanned, Refused> {
        self.inner.gate.scan(&self.roster(), request).await
    }

    /// A scan is taken back, moments later.
    pub async fn undo(&self, request: UndoRequest) -> Result<AttendanceRow, Refused> {
        self.inner.gate.undo(&self.roster(), request).await
    }

    /// A member of staff, with the rotating QR.
    pub async fn pass(&self, request: PassRequest) -> Result<Scanned, Refused> {
        self.inner.gate.pass(&self.roster(), request).await
    }

    /// A whole class.
    pub async fn bulk(&self, request: BulkRequest) -> Result<Bulk, Refused> {
        self.inner.gate.bulk(&self.roster(), request).await
    }

    pub async fn class_status(&self, class: ClassId, day: SchoolDay) -> Result<Vec<StudentStatus>, Refused> {
        self.inner.gate.class_status(&self.roster(), class, day).await
    }

    /// Somebody's own attendance, newest first, and how many lines there are. Pages count from 1.
    pub async fn history(
        &self,
        user: UserId,
        from: Option<SchoolDay>,
        to: Option<SchoolDay>,
        page: u32,
        per_page: u32,
    ) -> Result<(Vec<AttendanceRow>, u64), Refused> {
        let read = move |conn: &rusqlite::Connection| {
            attendance::store::history(conn, user, from, to, page, per_page)
        };
        Ok(self.inner.store.read(read).await?)
    }

    /// The newest lines, for the gate's and the kiosk's lists, and whether each was taken back.
    pub async fn latest(&self, limit: u32) -> Result<Vec<(AttendanceRow, bool)>, Refused> {
        Ok(self.inner.store.read(move |conn| attendance::store::latest(conn, limit)).await?)
    }

    pub async fn counts(&self, day: SchoolDay) -> Result<DayCounts, Refused> {
        self.inner.gate.counts(&self.roster(), day).await
    }

    /// Records the cloud has not acknowledged yet.
    pub fn pending(&self) -> u64 {
        self.inner.store.position().pending()
    }

    /// Wakes the uploader and the roster puller.
    pub fn sync_now(&self) {
        let shared = self.shared();
        shared.upload.notify_one();
        shared.pull.notify_one();
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.inner.shared.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) async fn notice_clock(&self) {
        // A step that cannot be recorded now is found again at the next look.
        let _ = self.inner.gate.notice_step(self.reading()).await;
    }

    pub(crate) fn show(&self, view: View) {
        *self.inner.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
        self.inner.faces.notify_one();
    }
}

fn shared_of(membership: Option<&Membership>, last_contact: Option<Millis>) -> Arc<Shared> {
    let line = if membership.is_some() { Line::Offline } else { Line::StandAlone };
    Arc::new(Shared::new(line, last_contact))
}

async fn view_of(
    store: &Store,
    seal: &Seal,
    ids: &Ids,
    membership: Option<&Membership>,
) -> anyhow::Result<View> {
    if let Some(membership) = membership {
        return Ok(pull::load(store, seal, membership).await?);
    }
    let made = demo_keys(store, seal, ids).await?;
    let (view, unreadable) = View::build(demo::institution(), 0, None, demo::entries(&made));
    anyhow::ensure!(unreadable.is_empty(), "the demo school cannot be read: {unreadable:?}");
    Ok(view)
}

/// Made once, kept sealed.
async fn demo_keys(store: &Store, seal: &Seal, ids: &Ids) -> anyhow::Result<demo::Made> {
    if let Some(sealed) = store.read(|conn| store::meta(conn, DEMO)).await? {
        return Ok(serde_json::from_slice(&seal.open(DEMO, &sealed)?)?);
    }
    let made = demo::Made::new(ids)?;
    let sealed = seal.seal(ids, DEMO, &serde_json::to_vec(&made)?);
    store.write(move |tx: &mut Tx<'_>| Ok::<_, NotSaved>(store::set_meta(tx, DEMO, &sealed)?)).await?;
    Ok(made)
}

/// The latest trusted time on record that was not in doubt: the clock cannot rightly be earlier.
fn latest_trusted(conn: &rusqlite::Connection) -> rusqlite::Result<Option<Millis>> {
    let Some(Position { number, head, .. }) = log::position(conn)? else { return Ok(None) };
    let first = head.seq.saturating_sub(LOOK_BACK) + 1;
    let recent = log::records(conn, number, first, usize::try_from(LOOK_BACK).unwrap_or(usize::MAX))?
        .iter()
        .filter_map(|kept| serde_json::from_str::<Record>(&kept.body).ok())
        .filter(|record| record.at.grade != hadir_shared::time::Grade::Suspect)
        .map(|record| record.at.trusted)
        .max();
    Ok(recent.max(attendance::store::latest_trusted(conn)?))
}

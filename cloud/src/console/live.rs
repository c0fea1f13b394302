//! Tells open pages that there is something new.
//!
//! One look at the database a second for each school that is looked at on this node, however many look: so it is right with
//! any number of nodes. The page then fetches itself and puts in what changed.
//!
//! A stream ends with its session, when the cloud stops, and after a while in any case; the browser comes back by itself.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, request::Parts},
    response::{
        IntoResponse,
        sse::{Event, Sse},
    },
};
use hadir_shared::{ids::InstitutionId, time::Zone};
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::{session, store, visit};
use crate::{app::App, fail::Fail};

/// How long a page may be behind the database.
const EVERY: Duration = Duration::from_secs(1);
/// So often an open connection hears something, and its session is looked at.
const ALIVE: Duration = Duration::from_secs(20);
const LIFETIME: Duration = Duration::from_mins(10);
/// Connections of this kind on one node.
const MOST: usize = 2_000;
/// A page that is so many events behind does not read any more.
const BEHIND: usize = 4;

/// A school's news: a number that rises.
type News = Arc<watch::Sender<u64>>;

/// Who listens. A school is looked at for as long as somebody does.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    schools: Mutex<HashMap<InstitutionId, Weak<watch::Sender<u64>>>>,
    stopped: CancellationToken,
}

impl Live {
    /// Ends every stream, so that the process can.
    pub fn stop(&self) {
        self.0.stopped.cancel();
    }

    /// `None`: there are too many already.
    fn listen(&self, app: &App, school: InstitutionId) -> Option<News> {
        let mut schools = self.0.schools.lock().unwrap_or_else(PoisonError::into_inner);
        schools.retain(|_, news| news.strong_count() > 0);
        if schools.values().map(Weak::strong_count).sum::<usize>() >= MOST {
            return None;
        }
        let known = schools.get(&school).and_then(Weak::upgrade);
        Some(known.unwrap_or_else(|| {
            let news = News::default();
            schools.insert(school, Arc::downgrade(&news));
            tokio::spawn(look(app.clone(), school, Arc::downgrade(&news)));
            news
        }))
    }
}

/// Looks until nobody listens any more. A database that does not answer has no news.
async fn look(app: App, school: InstitutionId, news: Weak<watch::Sender<u64>>) {
    let mut before = None;
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(news) = news.upgrade() else { return };
        match pulse(&app, school).await {
            Ok(now) => {
                if before.as_ref().is_some_and(|before| *before != now) {
                    news.send_modify(|n| *n += 1);
                }
                before = Some(now);
            }
            Err(error) => tracing::warn!(%error, "the pages of a school are not told what is new"),
        }
    }
}

async fn pulse(app: &App, school: InstitutionId) -> sqlx::Result<store::Pulse> {
    let yesterday = Zone::JAKARTA.day(app.now().plus_millis(-24 * 3600 * 1000));
    store::pulse(&mut app.db.read(school).await?, school, yesterday).await
}

/// The stream of one page.
pub async fn events(State(app): State<App>, seat: Seat) -> Result<impl IntoResponse, Fail> {
    let news = app.live.listen(&app, seat.school).ok_or(Fail::Unavailable { retry_after: ALIVE })?;
    let (to, events) = mpsc::channel(BEHIND);
    tokio::spawn(tell(app, seat.headers, news, to));
    Ok(Sse::new(ReceiverStream::new(events)))
}

async fn tell(app: App, headers: HeaderMap, news: News, to: mpsc::Sender<Result<Event, Infallible>>) {
    let stopped = app.live.0.stopped.clone();
    let telling = async {
        let mut changes = news.subscribe();
        let mut event = Event::default().event("hello").data("0");
        while to.try_send(Ok(event)).is_ok() {
            event = tokio::select! {
                _ = changes.changed() => Event::default().event("news").data(changes.borrow().to_string()),
                () = sleep(ALIVE) => Event::default().comment(""),
            };
            if session::caller(&app, &headers).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = telling => {}
        () = to.closed() => {}
        () = stopped.cancelled() => {}
        () = sleep(LIFETIME) => {}
    }
}

/// Somebody signed in, of the school in the address.
#[derive(Debug)]
pub struct Seat {
    school: InstitutionId,
    headers: HeaderMap,
}

impl FromRequestParts<App> for Seat {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fail> {
        let caller = session::caller(app, &parts.headers).await?;
        let school = visit::school_of(parts, app).await?;
        visit::member(app, caller, school).await?;
        Ok(Self { school, headers: parts.headers.clone() })
    }
}

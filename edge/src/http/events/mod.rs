//! Pages are told of what changed, as server-sent events (HTML, section 9.2).
//!
//! What always holds: an event is the whole state, so a page that missed some has missed nothing; a page that does not read
//! is dropped, and costs nobody else anything; there are no more than so many listeners, and past that a page asks from time
//! to time, as it does whenever its stream breaks; a stream ends by itself after a while, so that a login that was taken
//! back ends with it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use hyper::body::Frame;
use serde::Serialize;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{sleep, timeout},
};

use super::{Web, fail::Fail};
use crate::{
    outbox::{Line, StoreState},
    store::Position,
};

#[cfg(test)]
mod tests;

/// Pages that listen at once: gates, kiosks and a few open tabs.
pub const LISTENERS: usize = 32;
/// Something is said at least this often, so that both sides notice a dead line.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often is looked for news: a page shows a scan of another gate within this.
const LOOK: Duration = Duration::from_millis(200);
/// After this the page connects anew, and shows who it is.
const LIFETIME: Duration = Duration::from_mins(10);
/// Events a page may be behind.
const BEHIND: usize = 4;
/// Proxies that gather answers are told not to.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The places there are.
#[derive(Debug, Clone)]
pub struct Listeners(Arc<Semaphore>);

impl Default for Listeners {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LISTENERS)))
    }
}

/// What a page's state depends on. It is worked out anew only when this changed.
#[derive(PartialEq)]
struct News {
    position: Position,
    store: StoreState,
    line: Line,
    roster: usize,
    /// Lateness, the direction and the day go by the clock.
    minute: i64,
}

impl News {
    fn of(web: &Web) -> Self {
        Self {
            position: web.node.store().position(),
            store: web.node.store().state(),
            line: web.node.shared().told().line,
            roster: Arc::as_ptr(&web.node.roster()).addr(),
            minute: web.node.trusted_now().time.0 / 60_000,
        }
    }
}

/// Answers with a stream of what `state` says: now, and whenever something changed.
///
/// # Errors
/// [`Fail::Busy`] when every place is taken.
pub fn follow<T, F, S>(web: &Web, state: S) -> Result<Response, Fail>
where
    T: Serialize + Send + 'static,
    F: Future<Output = Result<T, Fail>> + Send + 'static,
    S: Fn(Web) -> F + Send + Sync + 'static,
{
    let place = Arc::clone(&web.listeners.0).try_acquire_owned();
    let place = place.map_err(|_| Fail::Busy(HEARTBEAT))?;
    let (to, events) = mpsc::channel(BEHIND);
    tokio::spawn(tell(web.clone(), state, to, place));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (BUFFERING, HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::new(Events(events))).into_response())
}

/// Until the page is gone, the box stops, or time is up.
async fn tell<T, F, S>(web: Web, state: S, to: mpsc::Sender<Bytes>, place: OwnedSemaphorePermit)
where
    T: Serialize,
    F: Future<Output = Result<T, Fail>> + Send,
    S: Fn(Web) -> F + Send + Sync + 'static,
{
    let telling = async {
        let mut told = None;
        loop {
            let news = News::of(&web);
            let text = if told.as_ref() == Some(&news) {
                ":\n\n".to_owned()
            } else {
                let Some(json) = state(web.clone()).await.ok().and_then(|s| serde_json::to_string(&s).ok())
                else {
                    return;
                };
                format!("data: {json}\n\n")
            };
            if to.try_send(text.into()).is_err() {
                return;
            }
            let changed = timeout(HEARTBEAT, changes(&web, &news)).await.is_ok();
            told = (!changed).then_some(news);
        }
    };
    tokio::select! {
        () = telling => {}
        () = to.closed() => {}
        () = web.node.closing() => {}
        () = sleep(LIFETIME) => {}
    }
    drop(place);
}

async fn changes(web: &Web, from: &News) {
    loop {
        sleep(LOOK).await;
        if News::of(web) != *from {
            return;
        }
    }
}

/// The body of the answer.
struct Events(mpsc::Receiver<Bytes>);

impl HttpBody for Events {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
    }
}

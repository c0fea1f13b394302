//! The box's pages and API on the school's network.
//!
//! The API is the part of the attendance contract a school needs while the internet is gone, in the same words; beside it
//! the gate's own endpoints. What always holds: whatever goes wrong is answered in the dialect, never in plain text; a
//! client's fault is never a 500; a failure of ours is logged once, here; no handler waits for anything but this machine;
//! nothing is said in clear to another machine ([`cleartext`]).
//!
//! | folder | what |
//! |---|---|
//! | [`auth`] | login, tokens, who may |
//! | [`attendance`] | staff pass with the rotating QR; their history |
//! | [`students`] | the contract's scan, bulk and class status |
//! | [`scan`] | the gate: frames and scanners |
//! | [`qrcode`] | the rotating QR |
//! | [`kiosk`] | what the kiosk shows |
//! | [`pairing`] | gate tablets and kiosks, let in with a code |
//! | [`events`] | pages are told of what changed |
//! | [`portraits`] | pictures of the school's people |
//! | [`photos`] | pictures taken at a check-in |
//! | [`status`] | how the box is |

use std::{any::Any, sync::Arc, thread::available_parallelism, time::Duration};

use anyhow::anyhow;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    middleware::{Next, from_fn, from_fn_with_state, map_response},
    response::{IntoResponse as _, Response},
};
use tokio::{sync::Semaphore, task::spawn_blocking};
use tower_http::{catch_panic::CatchPanicLayer, decompression::RequestDecompressionLayer};

use self::{
    attendance::{Arrivals, Guesses},
    auth::{Throttle, Verifier},
    fail::Fail,
    pairing::Tries,
    scan::Repeats,
};
use crate::{node::Node, ui};

pub mod attendance;
pub mod auth;
mod cleartext;
pub mod dialect;
pub mod events;
pub mod extract;
pub mod fail;
mod kiosk;
pub mod listen;
mod observe;
pub mod pairing;
pub mod photos;
mod portraits;
pub mod qrcode;
pub mod scan;
pub mod status;
pub mod students;
#[cfg(test)]
pub(crate) mod testing;

/// The largest body of a route that does not say otherwise, decompressed.
const BODY_BYTES: usize = 64 * 1024;
/// After this a request is answered with [`Fail::TimedOut`]; a record it began is committed all the same.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// How long a picture waits for a core before its client is told to come back.
const DECODING_WAIT: Duration = Duration::from_secs(3);

/// What handlers share. Cheap to clone.
#[derive(Clone)]
pub struct Web {
    pub node: Node,
    pub(crate) verifier: Verifier,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) arrivals: Arc<Arrivals>,
    pub(crate) guesses: Arc<Guesses>,
    pub(crate) tries: Arc<Tries>,
    pub(crate) repeats: Arc<Repeats>,
    pub(crate) listeners: events::Listeners,
    /// One picture per core is decoded at a time.
    decoders: Arc<Semaphore>,
    /// Renders the measurements of this process.
    pub(crate) metrics: fn() -> String,
}

/// Everything the box answers. Serve it with `into_make_service_with_connect_info::<SocketAddr>()`: without the client's
/// address nobody counts as standing at the box.
pub fn router(node: Node) -> Router {
    let web = Web {
        node,
        verifier: Verifier::new(),
        throttle: Arc::new(Throttle::new()),
        arrivals: Arc::new(Arrivals::default()),
        guesses: Arc::new(Guesses::new()),
        tries: Arc::new(Tries::new()),
        repeats: Arc::new(Repeats::default()),
        listeners: events::Listeners::default(),
        decoders: Arc::new(Semaphore::new(available_parallelism().map_or(1, usize::from))),
        metrics: observe::recorder(),
    };
    let api = Router::new()
        .merge(auth::routes())
        .merge(attendance::routes())
        .merge(students::routes())
        .merge(scan::routes())
        .merge(portraits::routes())
        .merge(qrcode::routes())
        .merge(kiosk::routes())
        .merge(pairing::routes())
        .merge(status::routes());
    let all = Router::new()
        .nest("/api", api)
        .merge(photos::routes())
        .merge(status::probes())
        .merge(ui::routes(&web));
    observe::outer(speak(all, &web), &web).with_state(web)
}

/// Words every failure, unknown routes and wrong methods included.
fn speak(router: Router<Web>, web: &Web) -> Router<Web> {
    router
        .fallback(async || Fail::NoRoute)
        .method_not_allowed_fallback(async || Fail::WrongMethod)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(RequestDecompressionLayer::new())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(in_time))
        .layer(from_fn_with_state(web.clone(), cleartext::guard))
        .layer(map_response(async |response| dialect::word(response)))
}

#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
    Fail::from(anyhow!("panicked: {}", said.unwrap_or("without words"))).into_response()
}

async fn in_time(request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(TIME_LIMIT, next.run(request)).await;
    answer.unwrap_or_else(|_| Fail::TimedOut.into_response())
}

impl Web {
    /// Works on a picture, away from the threads that answer. A picture that makes a decoder panic is our failure, and
    /// costs nobody else anything.
    pub(crate) async fn decoding<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fail> {
        let busy = || Fail::Busy(Duration::from_secs(1));
        let permit = tokio::time::timeout(DECODING_WAIT, Arc::clone(&self.decoders).acquire_owned());
        let permit = permit.await.map_err(|_| busy())?.map_err(|_| busy())?;
        let done = spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        Ok(done.await.map_err(anyhow::Error::from)?)
    }
}

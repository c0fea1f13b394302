//! Takes connections, and lets none of them hold a place without saying something.
//!
//! What always holds: who does not send a whole head in time, at the first request or between two, is hung up on, and so is
//! who does not get done with a handshake; there are no more than so many connections at once, and past that the next one
//! waits in the system's queue; asked to stop, the requests under way are answered and no more are taken.
//!
//! A listener with a certificate also takes those who speak plain HTTP to it, because people type `192.168.1.10:8443`:
//! [`super::cleartext`] sends them on.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::ConnectInfo,
    http::{HeaderValue, Request, Response, header::HOST},
};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::extract::Encrypted;
use crate::tls;

/// What a connection may do.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a request's head, and for the silence before it.
    pub head: Duration,
    /// For the whole of TLS's handshake.
    pub handshake: Duration,
    /// At once. Below the number of files the process may open (`LimitNOFILE` of its unit), so that its own files still do.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: Duration::from_secs(30), handshake: Duration::from_secs(10), connections: 2_048 }
    }
}

/// Requests of one connection at once; a page asks for a dozen things.
const STREAMS: u32 = 64;
/// The first byte of TLS: a handshake record (RFC 8446, section 5.1). No method of HTTP begins with it.
const HANDSHAKE: u8 = 0x16;

/// What answers, and how.
#[derive(Clone)]
pub struct Site {
    pub router: Router,
    /// With a certificate, or in clear.
    pub tls: Option<TlsAcceptor>,
    pub limits: Limits,
}

/// Serves until `stop`, and then to the end of what is under way.
pub async fn serve(listener: TcpListener, site: Site, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(site.limits.connections));
    let connections = TaskTracker::new();
    let take_one = async || {
        let place = Arc::clone(&places).acquire_owned().await;
        (listener.accept().await, place)
    };
    loop {
        let (accepted, place) = tokio::select! {
            () = stop.cancelled() => break,
            taken = take_one() => taken,
        };
        match accepted {
            Ok((stream, peer)) => {
                let answered = answer(stream, peer, site.clone(), stop.clone());
                connections.spawn(async move {
                    if let Err(error) = answered.await {
                        tracing::debug!(%error, "a connection ended");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                // Out of files, mostly: others have to hang up first.
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

async fn answer(stream: TcpStream, peer: SocketAddr, site: Site, stop: CancellationToken) -> Ended {
    // Small answers must not wait for the peer's acknowledgement of the previous ones.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let Site { router, tls, limits } = site;
    let greeted = async {
        match tls {
            Some(tls) => greet(stream, &tls).await,
            None => Ok(Greeted::Plain(stream)),
        }
    };
    let greeted = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        greeted = timeout(limits.handshake, greeted) => greeted??,
    };
    match greeted {
        Greeted::Plain(stream) => {
            let caller = Caller { router, peer, is_encrypted: false };
            one_by_one(TokioIo::new(stream), caller, limits, stop).await
        }
        Greeted::Tls(stream) => {
            let caller = Caller { router, peer, is_encrypted: true };
            if stream.get_ref().1.alpn_protocol() == Some(tls::HTTP2) {
                all_at_once(TokioIo::new(*stream), caller, limits, stop).await
            } else {
                one_by_one(TokioIo::new(*stream), caller, limits, stop).await
            }
        }
    }
}

enum Greeted {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

async fn greet(stream: TcpStream, tls: &TlsAcceptor) -> io::Result<Greeted> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ if first[0] == HANDSHAKE => Ok(Greeted::Tls(Box::new(tls.accept(stream).await?))),
        _ => Ok(Greeted::Plain(stream)),
    }
}

/// HTTP/1.1.
async fn one_by_one<S>(stream: TokioIo<S>, caller: Caller, limits: Limits, stop: CancellationToken) -> Ended
where
    TokioIo<S>: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head);
    let service = service_fn(move |request| caller.ask(request));
    let mut connection = std::pin::pin!(http.serve_connection(stream, service));
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    Ok(connection.await?)
}

/// HTTP/2. It knows no limit for the silence between two requests: [`Quiet`] does.
async fn all_at_once<S>(stream: TokioIo<S>, caller: Caller, limits: Limits, stop: CancellationToken) -> Ended
where
    TokioIo<S>: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new()).max_concurrent_streams(STREAMS);
    http.keep_alive_interval(limits.head).keep_alive_timeout(limits.head);
    let quiet = Arc::new(Quiet::default());
    let heard = Arc::clone(&quiet);
    let service = service_fn(move |request| {
        let (caller, held) = (caller.clone(), heard.begin());
        async move { caller.ask(request).await.map(|answer| answer.map(|body| Held { body, _held: held })) }
    });
    let mut connection = std::pin::pin!(http.serve_connection(stream, service));
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
        () = quiet.lasts(limits.head) => connection.as_mut().graceful_shutdown(),
    }
    // Who is asked to go and does not is cut off, once what is under way is done.
    tokio::select! {
        ended = connection => Ok(ended?),
        () = quiet.lasts(limits.head) => Ok(()),
    }
}

/// Whoever is at the other end.
#[derive(Clone)]
struct Caller {
    router: Router,
    peer: SocketAddr,
    is_encrypted: bool,
}

impl Caller {
    fn ask(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + use<> {
        let mut request = request.map(Body::new);
        // HTTP/2 says the name elsewhere; whoever reads it looks in one place.
        if !request.headers().contains_key(HOST)
            && let Some(authority) = request.uri().authority()
            && let Ok(name) = HeaderValue::from_str(authority.as_str())
        {
            request.headers_mut().insert(HOST, name);
        }
        request.extensions_mut().insert(ConnectInfo(self.peer));
        if self.is_encrypted {
            request.extensions_mut().insert(Encrypted);
        }
        self.router.clone().oneshot(request)
    }
}

/// How long nothing has been asked of a connection.
#[derive(Default)]
struct Quiet {
    begun: AtomicU64,
    ended: Arc<AtomicU64>,
}

impl Quiet {
    fn begin(&self) -> Count {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Count(Arc::clone(&self.ended))
    }

    /// Ends when for this long, or up to twice as long, no request was under way.
    async fn lasts(&self, long: Duration) {
        let mut before = None;
        loop {
            let (ended, begun) = (self.ended.load(Ordering::Relaxed), self.begun.load(Ordering::Relaxed));
            let still = (begun == ended).then_some(begun);
            if still.is_some() && still == before {
                return;
            }
            before = still;
            tokio::time::sleep(long).await;
        }
    }
}

/// A request under way; counted when it ends, however that is.
struct Count(Arc<AtomicU64>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A request is under way until the last of its answer is sent.
struct Held {
    body: Body,
    _held: Count,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    async fn served(limits: Limits) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let router = Router::new()
            .route("/", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string()))
            .route("/slow", get(async || tokio::time::sleep(Duration::from_millis(500)).await));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        (address, stop.clone(), tokio::spawn(serve(listener, Site { router, tls: None, limits }, stop)))
    }

    async fn say(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        let read = timeout(PATIENCE, stream.read_to_string(&mut text));
        read.await.unwrap().unwrap();
        text
    }

    #[tokio::test]
    async fn who_says_nothing_is_hung_up_on_and_makes_room() {
        let limits = Limits { head: Duration::from_millis(200), connections: 3, ..Limits::default() };
        let (address, _stop, _task) = served(limits).await;
        let half = ["", "GET / HTTP/1.1\r\nhost: a\r\nx: ", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"];
        let mut silent = Vec::new();
        for text in half {
            silent.push(say(address, text).await);
        }
        let next = say(address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        let answer = rest(next).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");
        for stream in silent {
            let _ = rest(stream).await;
        }
    }

    #[tokio::test]
    async fn what_is_under_way_is_answered_before_the_end() {
        let (address, stop, task) = served(Limits::default()).await;
        let idle = say(address, "").await;
        let slow = say(address, "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
        assert!(rest(slow).await.starts_with("HTTP/1.1 200"));
        assert_eq!(rest(idle).await, "");
        timeout(PATIENCE, task).await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}

//! Takes connections, and lets none of them hold a place without saying something.
//!
//! What always holds: who does not send a whole head in time, at the first request or between two, is hung up on; there are
//! no more than so many connections at once, and past that the next one waits in the system's queue; asked to stop, the
//! requests under way are answered and no more are taken.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

/// What a connection may do.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a request's head, and for the silence before it.
    pub head: Duration,
    /// At once. Below the number of files the process may open (`LimitNOFILE` of its unit), so that its own files still do.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: Duration::from_secs(30), connections: 2_048 }
    }
}

/// Serves until `stop`, and then to the end of what is under way.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(limits.connections));
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
                let answered = answer(stream, peer, router.clone(), limits, stop.clone());
                connections.spawn(async move {
                    answered.await;
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

async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    // Small answers must not wait for the peer's acknowledgement of the previous ones.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
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
        (address, stop.clone(), tokio::spawn(serve(listener, router, limits, stop)))
    }

    async fn say(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text));
        read.await.unwrap().unwrap();
        text
    }

    #[tokio::test]
    async fn who_says_nothing_is_hung_up_on_and_makes_room() {
        let limits = Limits { head: Duration::from_millis(200), connections: 3 };
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
        tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}

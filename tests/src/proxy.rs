//! A TCP proxy of our own between a box and its cloud.
//!
//! It looks at bytes only as far as it must: [`Mode::LoseReply`] wants to know which request is answered.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// What happens to the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything passes.
    Pass,
    /// The line is cut: what is open breaks, what is new is closed at once.
    Cut,
    /// The line swallows: what is new is accepted and never answered.
    Hang,
    /// Requests to this path pass and are answered, and the answer is lost: the connection breaks instead.
    LoseReply(&'static str),
    /// Somebody else answers everything with 200 and a login page.
    CaptivePortal,
}

/// A running proxy. It ends, with its connections, when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    lost: Arc<AtomicU64>,
    portal: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

const PORTAL: &str = "<!doctype html><title>WiFi Gratis</title><form>Masukkan nomor HP</form>";

impl Proxy {
    /// Listens at a free port of 127.0.0.1 and passes everything on to `upstream`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(upstream: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (mode, modes) = watch::channel(Mode::Pass);
        let (lost, portal) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let line = Line { upstream, modes, lost: lost.clone(), portal: portal.clone() };
        let task = tokio::spawn(async move {
            let mut lines = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                lines.spawn(line.clone().serve(client));
                while lines.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, mode, lost, portal, task })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// How many answers were lost on purpose.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// How many requests the captive portal answered.
    pub fn portal_answers(&self) -> u64 {
        self.portal.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Line {
    upstream: SocketAddr,
    modes: watch::Receiver<Mode>,
    lost: Arc<AtomicU64>,
    portal: Arc<AtomicU64>,
}

impl Line {
    async fn serve(mut self, client: TcpStream) {
        let mode = *self.modes.borrow_and_update();
        let mut changed = self.modes.clone();
        let work = async {
            match mode {
                Mode::Cut => {}
                Mode::Hang => std::future::pending().await,
                Mode::CaptivePortal => self.play_portal(client).await,
                Mode::Pass | Mode::LoseReply(_) => self.pass(client, mode).await,
            }
        };
        // A change of mode breaks what is open.
        tokio::select! {
            () = work => {}
            _ = changed.changed() => {}
        }
    }

    async fn pass(&self, client: TcpStream, mode: Mode) {
        let Ok(server) = TcpStream::connect(self.upstream).await else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let asked = AtomicBool::new(false);
        let path = match mode {
            Mode::LoseReply(path) => Some(path),
            _ => None,
        };
        tokio::join!(upward(from_client, to_server, path, &asked), async {
            if downward(from_server, to_client, &asked).await {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    async fn play_portal(&self, mut client: TcpStream) {
        let mut request = vec![0; 64 * 1024];
        let Ok(1..) = client.read(&mut request).await else { return };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            PORTAL.len()
        );
        let _ = client.write_all(format!("{head}{PORTAL}").as_bytes()).await;
        let _ = client.shutdown().await;
        self.portal.fetch_add(1, Ordering::Relaxed);
        // Closing while the rest of a body is on its way would reset the connection, and the answer with it.
        while let Ok(1..) = client.read(&mut request).await {}
    }
}

async fn upward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, path: Option<&str>, asked: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        let Some(chunk) = buffer.get(..n) else { return };
        if path.is_some_and(|path| chunk.windows(path.len()).any(|part| part == path.as_bytes())) {
            asked.store(true, Ordering::Release);
        }
        if to.write_all(chunk).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

/// Answers whether the reply was lost.
async fn downward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, asked: &AtomicBool) -> bool {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if asked.load(Ordering::Acquire) {
            // The server has answered, so it has committed; nobody hears of it.
            let _ = to.shutdown().await;
            return true;
        }
        let Some(chunk) = buffer.get(..n) else { return false };
        if to.write_all(chunk).await.is_err() {
            return false;
        }
    }
    let _ = to.shutdown().await;
    false
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Answers every request with `200 hello` and counts them.
    async fn server() -> (SocketAddr, Arc<AtomicU64>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, served) = (listener.local_addr().unwrap(), Arc::<AtomicU64>::default());
        let count = served.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let count = count.clone();
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while let Ok(1..) = client.read(&mut buffer).await {
                        count.fetch_add(1, Ordering::Relaxed);
                        let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
                    }
                });
            }
        });
        (address, served)
    }

    fn client() -> reqwest::Client {
        reqwest::Client::builder().timeout(Duration::from_millis(500)).build().unwrap()
    }

    #[tokio::test]
    async fn each_mode_does_what_it_says() {
        let (upstream, served) = server().await;
        let proxy = Proxy::start(upstream).await.unwrap();
        let (client, url) = (client(), proxy.url());
        let get = async |path: &str| client.get(format!("{url}{path}")).send().await?.text().await;
        let count = || served.load(Ordering::Relaxed);

        assert_eq!(get("/a").await.unwrap(), "hello");
        proxy.set(Mode::Cut);
        assert!(get("/a").await.is_err());
        assert_eq!(count(), 1, "nothing passed");
        proxy.set(Mode::Hang);
        assert!(get("/a").await.unwrap_err().is_timeout());
        proxy.set(Mode::CaptivePortal);
        assert!(get("/a").await.unwrap().contains("WiFi"));
        assert_eq!((count(), proxy.portal_answers()), (1, 1));
        proxy.set(Mode::LoseReply("/b"));
        assert_eq!(get("/a").await.unwrap(), "hello", "other paths are answered");
        assert!(get("/b").await.is_err());
        assert_eq!((count(), proxy.lost()), (3, 1), "the request came through, its answer did not");
        proxy.set(Mode::Pass);
        assert_eq!(get("/b").await.unwrap(), "hello");
    }
}

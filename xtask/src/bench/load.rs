//! Many clients at once, cheaply: plain HTTP/1.1 over connections that stay open, so that the load leaves the cores to the
//! program under it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

/// What the clients met.
#[derive(Debug, Clone, Default)]
pub struct Met {
    /// Sorted.
    pub waits: Vec<Duration>,
    pub lasted: Duration,
}

impl Met {
    /// Answers a second.
    #[expect(clippy::cast_precision_loss, reason = "far fewer requests than 2^53")]
    pub fn rate(&self) -> f64 {
        self.waits.len() as f64 / self.lasted.as_secs_f64()
    }

    /// The wait that this share of the requests stayed below, in milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let at = self.waits.len().saturating_sub(1) * percent / 100;
        self.waits.get(at).copied().unwrap_or_default().as_secs_f64() * 1000.0
    }
}

/// Sends every body once to `POST path`, from so many clients, with a pause after each. Every answer must be 200 and hold
/// one of `words`.
pub async fn post(
    host: &str,
    path: &'static str,
    bodies: Vec<String>,
    clients: usize,
    pause: Duration,
    words: &'static [&'static str],
) -> anyhow::Result<Met> {
    let (bodies, next) = (Arc::new(bodies), Arc::<AtomicUsize>::default());
    let mut at_work = JoinSet::new();
    let start = Instant::now();
    for _ in 0..clients {
        let (bodies, next, host) = (bodies.clone(), next.clone(), host.to_owned());
        at_work.spawn(async move {
            let mut client = Connection::open(&host).await?;
            let mut waits = Vec::new();
            while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                let sent = Instant::now();
                let answer = client.post(path, body).await?;
                waits.push(sent.elapsed());
                ensure!(words.iter().any(|word| answer.contains(word)), "{body} was answered with {answer}");
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
            anyhow::Ok(waits)
        });
    }
    let mut met = Met::default();
    while let Some(waits) = at_work.join_next().await {
        met.waits.extend(waits??);
    }
    met.lasted = start.elapsed();
    met.waits.sort_unstable();
    Ok(met)
}

struct Connection {
    stream: TcpStream,
    host: String,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(host: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host: host.to_owned(), buffer: vec![0; 16 * 1024] })
    }

    /// The body of a 200.
    async fn post(&mut self, path: &str, body: &str) -> anyhow::Result<String> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        let mut filled = 0;
        loop {
            let room = self
                .buffer
                .get_mut(filled..)
                .filter(|room| !room.is_empty())
                .context("an answer too long")?;
            let read = self.stream.read(room).await?;
            ensure!(read > 0, "the connection was closed");
            filled += read;
            let text = String::from_utf8_lossy(self.buffer.get(..filled).unwrap_or_default());
            if let Some(answer) = complete(&text)? {
                return Ok(answer.to_owned());
            }
        }
    }
}

/// The body, once all of it is there.
fn complete(text: &str) -> anyhow::Result<Option<&str>> {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(None) };
    if !head.starts_with("HTTP/1.1 200") {
        bail!("not a 200: {text}");
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Ok(body.get(..length.context("an answer without a length")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_when_its_length_is_there() {
        assert_eq!(complete("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel").unwrap(), None);
        assert_eq!(complete("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap(), Some("hello"));
        assert!(complete("HTTP/1.1 503 No\r\n\r\n").is_err());
    }

    #[test]
    fn percentiles_are_of_sorted_waits() {
        let met =
            Met { waits: (1..=100).map(Duration::from_millis).collect(), lasted: Duration::from_secs(2) };
        assert_eq!((met.percentile(50), met.percentile(99)), (50.0, 99.0));
        assert!((met.rate() - 50.0).abs() < f64::EPSILON);
    }
}

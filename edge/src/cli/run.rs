//! `hadir-edge run`.

use std::{fs::File, io::IsTerminal as _, time::Duration};

use anyhow::Context as _;
use rustix::fs::{FlockOperation, flock};
use sd_notify::NotifyState;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::{Exit, Failed};
use crate::{
    config::Config,
    http::{
        self,
        listen::{self, Limits},
    },
    node::Node,
    store::NotSaved,
};

/// After a signal, requests under way may take this long.
const DRAIN: Duration = Duration::from_secs(10);

pub async fn run(config: Config) -> Result<(), Failed> {
    log_to_stderr(&config).map_err(|error| Failed::new(Exit::Config, error))?;
    // Before anybody can know that the box is there: a signal that comes early stops it in order as well.
    let stop = Stop::listen().map_err(|error| Failed::new(Exit::Software, error))?;
    let listener = TcpListener::bind(&config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))
        .map_err(|error| Failed::new(Exit::Unavailable, error))?;
    let address = listener.local_addr().map_err(|error| Failed::new(Exit::Software, error))?;
    let node = super::open(config).await?;
    let _only_one = lock(&node)?;
    node.start().await?;
    println!("listening on http://{address}");
    tell_systemd(&[NotifyState::Ready]);
    let watchdog = tokio::spawn(keep_watch(node.clone()));
    let served = serve(listener, &node, stop).await;
    tell_systemd(&[NotifyState::Stopping]);
    watchdog.abort();
    node.stop().await;
    tracing::info!("stopped in order");
    Ok(served.context("the server stopped")?)
}

async fn serve(listener: TcpListener, node: &Node, mut stop: Stop) -> std::io::Result<()> {
    let drain = CancellationToken::new();
    let router = http::router(node.clone());
    let mut server = tokio::spawn(listen::serve(listener, router, Limits::default(), drain.clone()));
    let finished = tokio::select! {
        finished = &mut server => Some(finished),
        () = stop.asked() => None,
    };
    if let Some(finished) = finished {
        return finished.map_err(std::io::Error::other);
    }
    drain.cancel();
    if tokio::time::timeout(DRAIN, &mut server).await.is_err() {
        tracing::warn!("requests that did not end in time are cut off; what they recorded is kept");
        server.abort();
    }
    Ok(())
}

/// SIGTERM or SIGINT.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Two boxes on one disk would write one log.
fn lock(node: &Node) -> Result<File, Failed> {
    let path = node.config().data_dir.join("run.lock");
    let file = File::create(&path).map_err(|error| Failed::new(Exit::Disk, error))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| Failed::new(Exit::Later, anyhow::anyhow!("a box is running on this disk already")))?;
    Ok(file)
}

/// Tells systemd that the box lives, as long as its writer does.
async fn keep_watch(node: Node) {
    let Some(within) = sd_notify::watchdog_enabled() else { return };
    loop {
        let alive = node.store().write(|_| Ok::<_, NotSaved>(()));
        if tokio::time::timeout(within / 2, alive).await.is_ok() {
            tell_systemd(&[NotifyState::Watchdog]);
        }
        tokio::time::sleep(within / 3).await;
    }
}

fn tell_systemd(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd does not listen");
    }
}

/// For people on a terminal, for programs elsewhere. Never anything about a person.
fn log_to_stderr(config: &Config) -> anyhow::Result<()> {
    // The scheduler tells of its own making; whoever wants to know can still ask for it.
    let wanted = format!("tokio_cron_scheduler=warn,{}", config.log);
    let filter = EnvFilter::try_new(wanted).context("the configuration is wrong: log")?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = if std::io::stderr().is_terminal() { log.try_init() } else { log.json().try_init() };
    set.map_err(|error| anyhow::anyhow!("{error}"))
}

//! `hadir-edge run`.

use std::{fs::File, future::Future, io::IsTerminal as _, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use rustix::fs::{FlockOperation, flock};
use sd_notify::NotifyState;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing_subscriber::EnvFilter;

use super::{Exit, Failed};
use crate::{
    clock::BUILT,
    config::Config,
    http::{
        self,
        listen::{self, Limits, Site},
    },
    mdns::Announcer,
    node::Node,
    store::NotSaved,
    tls::{self, CannotServe, Place, Tls},
};

/// After a signal, requests under way may take this long.
const DRAIN: Duration = Duration::from_secs(10);

pub async fn run(config: Config) -> Result<(), Failed> {
    log_to_stderr(&config).map_err(|error| Failed::new(Exit::Config, error))?;
    // Before anybody can know that the box is there: a signal that comes early stops it in order as well.
    let stop = Stop::listen().map_err(|error| Failed::new(Exit::Software, error))?;
    let plain = bind(&config.listen).await?;
    let secure = if config.listen_tls.is_empty() { None } else { Some(bind(&config.listen_tls).await?) };
    let node = super::open(config).await?;
    let _only_one = lock(&node)?;
    let secure = secure.map(|bound| secured(&node, bound)).transpose()?;
    node.start().await?;
    let beside = beside(&node, secure.as_ref().map(|secure| secure.0.local))?;
    if let Some((Bound { local, .. }, _)) = &secure {
        println!("listening on https://{local}");
    }
    println!("listening on http://{}", plain.local);
    tell_systemd(&[NotifyState::Ready]);
    let served = serve(plain, secure, &node, stop).await;
    tell_systemd(&[NotifyState::Stopping]);
    beside.end().await;
    node.stop().await;
    tracing::info!("stopped in order");
    Ok(served.context("the server stopped")?)
}

struct Bound {
    listener: TcpListener,
    local: SocketAddr,
}

async fn bind(address: &str) -> Result<Bound, Failed> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
        .map_err(|error| Failed::new(Exit::Unavailable, error))?;
    let local = listener.local_addr().map_err(|error| Failed::new(Exit::Software, error))?;
    Ok(Bound { listener, local })
}

/// Reads or makes the certificate. Only who holds the lock of the folder comes here.
fn secured(node: &Node, bound: Bound) -> Result<(Bound, TlsAcceptor), Failed> {
    let now = node.trusted_now().time;
    let open = || {
        let tls = Tls::open(node.config(), node.ids(), Place::of(node), now, BUILT)?;
        let config = tls.server_config()?;
        Ok((tls, config))
    };
    let (tls, config) = open().map_err(|error: CannotServe| Failed::new(exit_of(&error), error))?;
    tls.listens_at(bound.local.port());
    node.serves_with(tls);
    Ok((bound, config.into()))
}

const fn exit_of(error: &CannotServe) -> Exit {
    match error {
        CannotServe::Ca { .. } => Exit::Data,
        CannotServe::School(_) => Exit::Config,
        CannotServe::Disk { .. } => Exit::Disk,
        CannotServe::Made(_) => Exit::Software,
    }
}

/// What runs beside the listeners.
struct Beside {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Beside {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move { stop.run_until_cancelled(task).await });
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn beside(node: &Node, secure: Option<SocketAddr>) -> Result<Beside, Failed> {
    let beside = Beside { tasks: TaskTracker::new(), stop: CancellationToken::new() };
    beside.spawn(keep_watch(node.clone()));
    if let Some(tls) = node.tls().cloned() {
        let asked = signal(SignalKind::hangup()).map_err(|error| Failed::new(Exit::Software, error))?;
        beside.spawn(tls::keep(tls, node.clone(), asked));
    }
    if let Some(local) = secure.filter(|local| node.config().mdns && !local.ip().is_loopback()) {
        beside.spawn(announce(node.clone(), local.port()));
    }
    Ok(beside)
}

/// Announces the box's name for as long as it is let; a box that joins a school gets another one.
async fn announce(node: Node, port: u16) {
    let Some((mut announcer, tls)) = Announcer::start().zip(node.tls()) else { return };
    loop {
        announcer.announce(&tls.local_name(), port);
        tokio::time::sleep(tls::LOOK).await;
    }
}

async fn serve(
    plain: Bound,
    secure: Option<(Bound, TlsAcceptor)>,
    node: &Node,
    mut stop: Stop,
) -> std::io::Result<()> {
    let drain = CancellationToken::new();
    let router = http::router(node.clone());
    let site = |tls| Site { router: router.clone(), tls, limits: Limits::default() };
    let plain = listen::serve(plain.listener, site(None), drain.clone());
    let secure = secure.map(|(bound, tls)| listen::serve(bound.listener, site(Some(tls)), drain.clone()));
    let secure = async {
        if let Some(secure) = secure {
            secure.await;
        }
    };
    let mut server = tokio::spawn(async { tokio::join!(plain, secure) });
    let finished = tokio::select! {
        finished = &mut server => Some(finished),
        () = stop.asked() => None,
    };
    if let Some(finished) = finished {
        return finished.map(|_| ()).map_err(std::io::Error::other);
    }
    node.hang_up();
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

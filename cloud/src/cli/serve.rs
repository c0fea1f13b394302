//! `serve`: answers requests, works off jobs, keeps the timetable; drains on SIGTERM and SIGINT.

use std::{io::IsTerminal as _, time::Duration};

use anyhow::Context as _;
use sd_notify::NotifyState;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing_subscriber::EnvFilter;

use super::{Exit, open};
use crate::{
    TIMETABLE,
    app::App,
    config::Config,
    http::listen::{self, Limits},
    identity::keys,
    jobs::{Worker, start_schedules},
    kinds, ops, router, router_of,
};

/// Requests in flight get this long to end.
const DRAIN: Duration = Duration::from_secs(30);
const WORKERS: usize = 2;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Bring a PostgreSQL database's schema up to date first (SQLite's always is).
    #[arg(long)]
    migrate: bool,
}

pub(super) async fn run(config: Config, args: Args) -> Result<(), Exit> {
    log(&config)?;
    ops::metrics::install()?;
    let listeners = bind(&config).await?;
    let app = open::app(config, args.migrate).await?;

    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    stop_on_signal(stop.clone())?;
    for _ in 0..WORKERS {
        let worker = Worker::new(app.clone(), kinds());
        let stop = stop.clone();
        tasks.spawn(async move { worker.run(stop).await });
    }
    let mut timetable = start_schedules(&app, TIMETABLE).await?;
    tasks.spawn(watchdog(stop.clone()));
    tasks.spawn(keys::watch(app.clone(), stop.clone()));

    for (listener, modules) in &listeners {
        let address = listener.local_addr().context("the socket has no address")?;
        let only = if modules.is_empty() { String::new() } else { format!(" ({} only)", modules.join(", ")) };
        println!("listening on http://{address}{only}");
        tracing::info!(%address, ?modules, database = app.db.engine(), "ready");
    }
    notify(&[NotifyState::Ready]);
    serve(listeners, &app, stop.clone()).await;
    if let Err(e) = timetable.shutdown().await {
        tracing::warn!("the timetable did not stop: {e}");
    }
    tasks.close();
    if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
        tracing::warn!("a job still ran at the end; its claim runs out and it is tried again");
    }
    app.db.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// A socket, and the modules that answer there: none is all of them.
type Bound = (TcpListener, Vec<String>);

async fn bind(config: &Config) -> Result<Vec<Bound>, Exit> {
    let mut bound = Vec::new();
    for listener in config.listen.all() {
        let socket = TcpListener::bind(&listener.addr)
            .await
            .with_context(|| format!("cannot listen on {}", listener.addr))
            .map_err(Exit::Unavailable)?;
        bound.push((socket, listener.modules));
    }
    Ok(bound)
}

async fn serve(listeners: Vec<Bound>, app: &App, stop: CancellationToken) {
    let servers = TaskTracker::new();
    for (listener, modules) in listeners {
        let router = if modules.is_empty() { router(app.clone()) } else { router_of(app.clone(), &modules) };
        servers.spawn(listen::serve(listener, router, Limits::default(), stop.clone()));
    }
    servers.close();
    let server = servers.wait();
    let drained = async {
        stop.cancelled().await;
        app.live.stop();
        notify(&[NotifyState::Stopping]);
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        () = server => {}
        () = drained => tracing::warn!("requests were still open after {} s", DRAIN.as_secs()),
    }
}

fn stop_on_signal(stop: CancellationToken) -> Result<(), Exit> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be heard")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be heard")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: requests in flight are finished");
        stop.cancel();
    });
    Ok(())
}

/// Tells systemd twice per watchdog interval that the runtime still turns.
async fn watchdog(stop: CancellationToken) {
    let Some(interval) = sd_notify::watchdog_enabled() else { return };
    let mut tick = tokio::time::interval(interval / 2);
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            _ = tick.tick() => notify(&[NotifyState::Watchdog]),
        }
    }
}

/// Says nothing where there is no `NOTIFY_SOCKET`.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(e) = sd_notify::notify(state) {
        tracing::warn!("systemd was not told: {e}");
    }
}

/// Lines for people on a terminal, JSON for programs elsewhere.
fn log(config: &Config) -> Result<(), Exit> {
    let filter = EnvFilter::try_new(&config.log)
        .with_context(|| format!("log = {:?}", config.log))
        .map_err(Exit::Config)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        lines.init();
    } else {
        lines.json().flatten_event(true).with_span_list(false).init();
    }
    Ok(())
}

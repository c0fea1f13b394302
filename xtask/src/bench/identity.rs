//! Who asks, and how much it costs to find out; and what a flood of logins does to everybody else.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use hadir_shared::demo::PASSWORD;
use hadir_tests::{api::Api, boxes::client, process::Program, school::Plan};
use reqwest::{Client, Method, StatusCode};
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet, time::sleep};

use super::{Row, Scale};
use crate::run::{command, output};

const AT_ONCE: u32 = 200;
const FLOOD: u32 = 10_000;
/// How many connections the flood comes through.
const LINES: usize = 100;
const KIB_IN_MIB: f64 = 1024.0;
/// Between two requests of somebody who is signed in.
const PAUSE: Duration = Duration::from_millis(10);

pub async fn measure(programs: &Path, folder: &Path, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let mut rows = vec![caller(programs).await?];
    let data = folder.join("identity");
    fs::create_dir_all(&data)?;
    let plan = Plan::cloud_in(programs, &data).with("TRUST_PROXY", "true");
    plan.run(&["demo", "--days", "0"]).await?;
    let cloud = plan.start().await?;
    let api = Api::login(cloud.url(), "2001", PASSWORD).await?;
    let alone = Flood::of(0, None).against(&cloud, &api).await?;
    eprintln!("alone: p99 {:.1} ms", alone.p99_ms);
    for (what, flood) in [
        ("identity: a request while 200 sign in at once, p99", Flood::of(AT_ONCE, Some(Origin::Many))),
        (
            "identity: a request during 10,000 logins from one address, p99",
            Flood::of(scale.of(FLOOD), Some(Origin::One)),
        ),
        (
            "identity: a request during 10,000 logins from as many addresses, p99",
            Flood::of(scale.of(FLOOD), Some(Origin::Many)),
        ),
    ] {
        let m = flood.against(&cloud, &api).await?;
        let said = format!(
            "{:.1} ms (alone {:.1} ms), memory +{:.0} MiB, {} answered no, {} sent away, in {:.0} s",
            m.p99_ms, alone.p99_ms, m.grown_mib, m.refused, m.sent_away, m.took_s
        );
        eprintln!("{what}: {said}");
        ensure!(m.grown_mib < 64.0, "{what}: memory grew by {:.0} MiB", m.grown_mib);
        rows.push(Row::below(what, "< 100 ms, memory + < 64 MiB", said, m.p99_ms, 100.0));
    }
    cloud.stop().await?;
    Ok(rows)
}

/// Both handlers in one process, without a network: the difference of their 99th percentiles.
async fn caller(programs: &Path) -> anyhow::Result<Row> {
    let program = programs.join("examples/caller");
    let said = output(command(&program.display().to_string(), &[])).await?;
    let mut numbers = said.split_whitespace().map(str::parse::<f64>);
    let mut next = || numbers.next().context("caller said too little")?.context("caller said no number");
    let (bare, asked) = (next()? / 1000.0, next()? / 1000.0);
    Ok(Row::below(
        "identity: a request's token and permission with a warm cache, beyond a bare handler, p99",
        "< 100 µs",
        format!("{:.0} µs (bare {bare:.0} µs, asked {asked:.0} µs)", asked - bare),
        (asked - bare).max(0.1),
        100.0,
    ))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    One,
    Many,
}

/// So many logins with wrong passwords, as fast as they go.
struct Flood {
    logins: u32,
    origin: Option<Origin>,
}

struct Measured {
    p99_ms: f64,
    grown_mib: f64,
    refused: u32,
    sent_away: u32,
    took_s: f64,
}

impl Flood {
    const fn of(logins: u32, origin: Option<Origin>) -> Self {
        Self { logins, origin }
    }

    /// Meanwhile somebody who is signed in goes on asking.
    async fn against(&self, cloud: &Program, api: &Api) -> anyhow::Result<Measured> {
        let before = memory_kib(cloud)?;
        let start = Instant::now();
        let mut flood = tokio::spawn(logins(cloud.url().to_owned(), self.logins, self.origin));
        let (mut times, mut peak) = (Vec::new(), before);
        let answered = loop {
            let asked = Instant::now();
            let answer = api.request(Method::GET, "/api/user").send().await?;
            ensure!(answer.status().is_success(), "/api/user: {}", answer.status());
            times.push(asked.elapsed().as_secs_f64() * 1e3);
            peak = peak.max(memory_kib(cloud)?);
            let is_over = flood.is_finished() && (self.logins > 0 || times.len() >= 300);
            if is_over {
                break (&mut flood).await??;
            }
            sleep(PAUSE).await;
        };
        times.sort_by(f64::total_cmp);
        let p99_ms = times.get((times.len() * 99 / 100).min(times.len() - 1)).copied().unwrap_or_default();
        let grown_mib = (peak - before).max(0.0) / KIB_IN_MIB;
        let (refused, sent_away) = answered;
        Ok(Measured { p99_ms, grown_mib, refused, sent_away, took_s: start.elapsed().as_secs_f64() })
    }
}

/// How many were told that the password is wrong, and how many to come back later.
async fn logins(base: String, number: u32, origin: Option<Origin>) -> anyhow::Result<(u32, u32)> {
    let (client, lines) = (client()?, Arc::new(Semaphore::new(LINES.max(AT_ONCE as usize))));
    let mut tasks = JoinSet::new();
    for n in 0..number {
        let line = lines.clone().acquire_owned().await?;
        let (client, base) = (client.clone(), base.clone());
        tasks.spawn(async move {
            let status = attempt(&client, &base, n, origin).await;
            drop(line);
            status
        });
    }
    let (mut refused, mut sent_away) = (0, 0);
    while let Some(status) = tasks.join_next().await {
        match status?? {
            StatusCode::UNAUTHORIZED => refused += 1,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => sent_away += 1,
            other => anyhow::bail!("a login was answered {other}"),
        }
    }
    Ok((refused, sent_away))
}

async fn attempt(client: &Client, base: &str, n: u32, origin: Option<Origin>) -> anyhow::Result<StatusCode> {
    let [_, a, b, c] = n.to_be_bytes();
    let address =
        if origin == Some(Origin::Many) { format!("10.{a}.{b}.{c}") } else { "192.0.2.1".to_owned() };
    let body = json!({ "nisn_nip_nik": format!("nobody-{n}"), "password": "salah semua" });
    let request = client.post(format!("{base}/api/auth/login")).header("x-forwarded-for", address);
    Ok(request.json(&body).send().await?.status())
}

/// What a process holds in memory now.
fn memory_kib(program: &Program) -> anyhow::Result<f64> {
    let id = program.id().context("the cloud is not running")?;
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

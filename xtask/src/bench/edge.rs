//! The box: how many scans it makes durable, how long one takes, what it weighs, how fast it hands over.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use hadir_shared::demo::PASSWORD;
use hadir_tests::{
    api::Api,
    boxes::client,
    process::Program,
    proxy::{Mode, Proxy},
    school::Plan,
};
use serde_json::{Value, json};

use super::{Row, Scale, gates, load, machine, raw};
use crate::card::{Pupil, pupils};

/// Students in each of the six classes, so that the day has scans enough.
const CLASS_SIZE: u32 = 5_000;
/// Cards that are held to cameras: a minute of three gates.
const RUSH: u32 = 210;
/// What a gate shows when a student's record is on disk.
const GREEN: &[&str] = &["\"hadir\"", "\"terlambat\"", "\"pulang\""];
const UNKNOWN: &[&str] = &["\"tidak_dikenal\""];
const SCAN: &str = "/api/scan";

pub async fn measure(programs: &Path, folder: &Path, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let raw_rate = raw::commits(folder, Duration::from_millis(scale.of(5_000).into()))?;
    eprintln!("this disk: {raw_rate:.0} commits of one record a second");
    let cloud_data = folder.join("edge-cloud");
    fs::create_dir_all(&cloud_data)?;
    let plan = Plan::cloud_in(programs, &cloud_data);
    eprintln!("loading {} students …", scale.of(CLASS_SIZE) * 6);
    plan.run(&["demo", "--class-size", &scale.of(CLASS_SIZE).to_string(), "--days", "0"]).await?;
    let cloud = plan.start().await?;
    let line = Proxy::start(cloud.url().trim_start_matches("http://").parse()?).await?;
    let data = folder.join("edge");
    fs::create_dir_all(&data)?;
    let plan = Plan::edge_in(programs, &data)
        .with("LISTEN_TLS", "127.0.0.1:0")
        .with("RETRY_BASE_MS", "100")
        .with("RETRY_CAP_MS", "1000");
    let code = Plan::cloud_in(programs, &cloud_data).enrolment_code("SMAN1").await?;
    plan.run(&["enroll", "--cloud", &line.url(), "--code", &code]).await?;
    let mut pupils = pupils(&Api::login(cloud.url(), "5001", PASSWORD).await?).await?;
    let rush = pupils.drain(..scale.of(RUSH) as usize).map(|pupil| pupil.face).collect();

    let edge = plan.start().await?;
    let day = Day { edge, line, cards: pupils.into_iter().map(|Pupil { face, .. }| face.code).collect() };
    day.roster_is_complete().await?;
    day.line.set(Mode::Cut);
    let secure = day.edge.urls().iter().find(|url| url.starts_with("https://")).context("no HTTPS")?;
    let cameras = gates::rush(day.edge.url(), secure, rush).await?;
    let mut rows = day.scans(scale, raw_rate).await?;
    rows.insert(3, cameras);
    rows.extend(day.drain(scale).await?);
    day.fill(scale.of(100_000).into()).await?;
    let crowded = machine::resident(day.edge.id().context("the box has ended")?)?;
    rows.push(weight(programs, folder, scale, mega(crowded * 1024), day.cards.len()).await?);
    let size = fs::metadata(programs.join("hadir-edge"))?.len();
    rows.push(Row::below(
        "edge: size of the program",
        "< 25 MB",
        format!("{:.1} MB", mega(size)),
        mega(size),
        25.0,
    ));
    day.edge.stop().await?;
    rows.push(ready(&plan).await?);
    cloud.stop().await?;
    Ok(rows)
}

/// A box on a day of many students.
struct Day {
    edge: Program,
    line: Proxy,
    cards: Vec<String>,
}

impl Day {
    fn host(&self) -> &str {
        self.edge.url().trim_start_matches("http://")
    }

    async fn status(&self) -> anyhow::Result<Value> {
        let mut answer: Value =
            client()?.get(format!("{}/api/box/status", self.edge.url())).send().await?.json().await?;
        Ok(answer["data"].take())
    }

    /// Until the last student is known: their card gets a green screen.
    async fn roster_is_complete(&self) -> anyhow::Result<()> {
        let last = self.cards.last().context("no cards")?;
        for _ in 0..600 {
            let body = scan(last, "checkin");
            let answer = client()?
                .post(format!("{}{SCAN}", self.edge.url()))
                .header("content-type", "application/json");
            let text = answer.body(body).send().await?.text().await?;
            if GREEN.iter().any(|word| text.contains(word)) || text.contains("\"sudah\"") {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("the box does not know its last student after two minutes")
    }

    /// The cards from one place in the list to another, as bodies.
    fn bodies(&self, from: usize, to: usize, direction: &str) -> anyhow::Result<Vec<String>> {
        let cards = self.cards.get(from..to).context("not students enough")?;
        Ok(cards.iter().map(|card| scan(card, direction)).collect())
    }

    async fn scans(&self, scale: Scale, raw_rate: f64) -> anyhow::Result<Vec<Row>> {
        let few = scale.of(500) as usize;
        let alone = self.bodies(0, few, "checkin")?;
        let alone = load::post(self.host(), SCAN, alone, 1, Duration::from_millis(4), GREEN).await?;
        eprintln!("one scan: p50 {:.2} ms, p99 {:.2} ms", alone.percentile(50), alone.percentile(99));
        let many = self.bodies(few, self.cards.len() - 1, "checkin")?;
        let many = load::post(self.host(), SCAN, many, 64, Duration::ZERO, GREEN).await?;
        eprintln!("64 clients: {:.0}/s, p99 {:.1} ms", many.rate(), many.percentile(99));
        let least = (raw_rate * 5.0).min(10_000.0);
        Ok(vec![
            Row::at_least(
                "edge: durable scans over HTTP, 64 clients",
                "≥ 5 × one commit a scan, or ≥ 10,000/s where that is lower",
                format!("{:.0}/s ({:.1} × {raw_rate:.0}/s)", many.rate(), many.rate() / raw_rate),
                many.rate(),
                least,
            ),
            Row::below(
                "edge: the same, p99",
                "< 25 ms",
                format!("{:.1} ms (p50 {:.1} ms)", many.percentile(99), many.percentile(50)),
                many.percentile(99),
                25.0,
            ),
            Row::below(
                "edge: one scan, unloaded, p99",
                "< 5 ms",
                format!("{:.2} ms (p50 {:.2} ms)", alone.percentile(99), alone.percentile(50)),
                alone.percentile(99),
                5.0,
            ),
        ])
    }

    /// Fills the backlog, mends the line, and scans on while it drains.
    async fn drain(&self, scale: Scale) -> anyhow::Result<Vec<Row>> {
        let backlog = u64::from(scale.of(50_000));
        self.fill(backlog).await?;
        let before = self.status().await?["recorded"].as_u64().context("no count")?;
        let meanwhile = (0..scale.of(2_000)).map(|n| scan(&format!("MEANWHILE-{n}"), "checkin")).collect();
        self.line.set(Mode::Pass);
        let start = Instant::now();
        let scans = load::post(self.host(), SCAN, meanwhile, 4, Duration::from_millis(15), UNKNOWN);
        let drained = async {
            while self.status().await?["acked_through"].as_u64() < Some(before) {
                anyhow::ensure!(start.elapsed() < Duration::from_mins(5), "not drained after five minutes");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            anyhow::Ok(start.elapsed())
        };
        let (scans, took) = tokio::join!(scans, drained);
        let (scans, took) = (scans?, took?.as_secs_f64());
        eprintln!("drained {before} records in {took:.1} s");
        let limit = 20.0 * f64::from(u32::try_from(before)?) / 50_000.0;
        Ok(vec![
            Row::below(
                "edge: drain a backlog of 50,000 on loopback",
                "< 20 s",
                format!("{before} in {took:.1} s"),
                took,
                limit,
            ),
            Row::below(
                "edge: scans meanwhile, p99",
                "< 25 ms",
                format!("{:.1} ms", scans.percentile(99)),
                scans.percentile(99),
                25.0,
            ),
        ])
    }

    /// Records until there are so many: leaving students first, then cards nobody knows.
    async fn fill(&self, until: u64) -> anyhow::Result<()> {
        let leaving = self.bodies(0, self.cards.len() - 1, "checkout")?;
        let recorded = async || self.status().await?["recorded"].as_u64().context("no count");
        let missing = usize::try_from(until.saturating_sub(recorded().await?))?;
        if self.status().await?["verdicts"].as_object().is_some_and(serde_json::Map::is_empty) {
            let leaving = leaving.into_iter().take(missing).collect();
            load::post(self.host(), SCAN, leaving, 64, Duration::ZERO, &["\"pulang\"", "\"sudah\""]).await?;
        }
        let from = recorded().await?;
        let strangers = (from..until).map(|n| scan(&format!("STRANGER-{n}"), "checkin")).collect();
        load::post(self.host(), SCAN, strangers, 64, Duration::ZERO, UNKNOWN).await?;
        Ok(())
    }
}

/// Memory with a long log behind it, in a school of an ordinary size: a box that stands alone knows the demo school. The box
/// of the other rows is told beside it: its school is as large as a town, for the scans' sake.
async fn weight(
    programs: &Path,
    folder: &Path,
    scale: Scale,
    crowded: f64,
    students: usize,
) -> anyhow::Result<Row> {
    let data = folder.join("edge-alone");
    fs::create_dir_all(&data)?;
    let edge = Plan::edge_in(programs, &data).with("LISTEN_TLS", "127.0.0.1:0").start().await?;
    let records = scale.of(100_000);
    let strangers = (0..records).map(|n| scan(&format!("STRANGER-{n}"), "checkin")).collect();
    let host = edge.url().trim_start_matches("http://");
    load::post(host, SCAN, strangers, 64, Duration::ZERO, UNKNOWN).await?;
    let resident = mega(machine::resident(edge.id().context("the box has ended")?)? * 1024);
    edge.stop().await?;
    let what =
        format!("{resident:.1} MB after {records} ({crowded:.1} MB in a school of {students} students)");
    Ok(Row::below("edge: memory after 100,000 records", "< 40 MB", what, resident, 40.0))
}

/// From the start of the process to its line, with the long log to open: the middle of five.
async fn ready(plan: &Plan) -> anyhow::Result<Row> {
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let edge = plan.start().await?;
        times.push(start.elapsed());
        // At once, as the power would: the next start has that to look into, too.
        edge.kill().await?;
    }
    times.sort();
    let middle = times.get(2).copied().unwrap_or_default().as_secs_f64() * 1000.0;
    Ok(Row::below(
        "edge: ready after a start, with that log",
        "< 300 ms",
        format!("{middle:.0} ms"),
        middle,
        300.0,
    ))
}

fn scan(code: &str, direction: &str) -> String {
    json!({ "code": code, "direction": direction, "gate": "Gerbang 1" }).to_string()
}

#[expect(clippy::cast_precision_loss, reason = "sizes below 2^53 bytes")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

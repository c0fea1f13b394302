//! A morning at the gates: students arrive along a bell curve and hold their cards before a camera.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use hadir_tests::{boxes::client, cards, frames};
use image::GrayImage;
use indicatif::{ProgressBar, ProgressStyle};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use reqwest::Client;
use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::stack::Stack;
use crate::card::{Pupil, pupils};

/// Frames after which a student is sent to the teacher with the list.
const MOST_FRAMES: usize = 40;
/// Every n-th student shows the card a second time, at another gate.
const TWICE: usize = 10;

pub struct Morning {
    pub students: usize,
    pub gates: usize,
    pub lasts: Duration,
    pub outage: Option<Duration>,
}

/// What the gates saw.
#[derive(Debug, Default)]
pub struct Passed {
    /// The students' numbers that got a green screen.
    pub green: BTreeSet<String>,
    /// Showings of a card that had been shown at another gate: told the earlier time.
    pub again: usize,
    pub frames: usize,
    /// From sending the frame that was read to its answer.
    pub waits: Vec<Duration>,
}

impl Passed {
    fn add(&mut self, gate: Self) {
        self.green.extend(gate.green);
        self.again += gate.again;
        self.frames += gate.frames;
        self.waits.extend(gate.waits);
    }
}

/// A student at a gate.
struct Arrival {
    after: Duration,
    number: String,
    card: GrayImage,
}

pub async fn run(stack: &Stack, morning: &Morning) -> anyhow::Result<Passed> {
    let pupils = pupils(&stack.admin).await?;
    let most = pupils.len();
    ensure!(morning.students <= most, "the demo school has {most} students, not {}", morning.students);
    let gates = arrivals(&pupils[..morning.students], morning)?;
    let bar = ProgressBar::new(morning.students as u64).with_style(ProgressStyle::with_template(
        "  {elapsed_precise} {bar:40} {pos}/{len} siswa/students  {msg}",
    )?);
    bar.enable_steady_tick(Duration::from_millis(200));
    let (start, seen) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let outage = async {
        if let Some(lasts) = morning.outage {
            sleep_until(start + morning.lasts.mul_f64(0.3)).await;
            bar.println(format!("  ✂ jalur diputus / line cut for {lasts:?}"));
            stack.outage(lasts).await;
            bar.println("  ✔ jalur kembali / line restored");
        }
    };
    let watch = async {
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let Ok(status) = stack.edge_status().await else { continue };
            bar.set_position(seen.load(Ordering::Relaxed) as u64);
            bar.set_message(format!(
                "tercatat/recorded {} diterima/acknowledged {}",
                status["recorded"], status["acked_through"]
            ));
        }
    };
    let mut at_work = JoinSet::new();
    for (n, queue) in gates.into_iter().enumerate() {
        at_work.spawn(gate(stack.edge_url().to_owned(), n + 1, queue, start, seen.clone()));
    }
    let work = async {
        let mut total = Passed::default();
        while let Some(gate) = at_work.join_next().await {
            total.add(gate??);
        }
        anyhow::Ok(total)
    };
    let total = tokio::select! {
        (total, ()) = async { tokio::join!(work, outage) } => total?,
        never = watch => never,
    };
    bar.finish_and_clear();
    Ok(total)
}

/// Who stands at which gate when, in order.
fn arrivals(pupils: &[Pupil], morning: &Morning) -> anyhow::Result<Vec<Vec<Arrival>>> {
    let mut rng = StdRng::seed_from_u64(640);
    let mut gates: Vec<Vec<Arrival>> = (0..morning.gates).map(|_| Vec::new()).collect();
    for (n, pupil) in pupils.iter().enumerate() {
        let card = cards::draw(&pupil.face)?;
        let after = morning.lasts.mul_f64(bell(&mut rng));
        let number = pupil.face.number.clone();
        if n % TWICE == 0 && morning.gates > 1 {
            let later = after + morning.lasts.mul_f64(0.02);
            let second = Arrival { after: later, number: number.clone(), card: card.clone() };
            gates[(n + 1) % morning.gates].push(second);
        }
        gates[n % morning.gates].push(Arrival { after, number, card });
    }
    for gate in &mut gates {
        gate.sort_by_key(|arrival| arrival.after);
    }
    Ok(gates)
}

/// When somebody comes, as a share of the morning: a bell around two thirds of it, as at schools before the bell rings.
fn bell(rng: &mut StdRng) -> f64 {
    let sum: f64 = (0..6).map(|_| rng.random_range(0.0..1.0)).sum();
    ((sum / 6.0 - 0.5).mul_add(1.5, 0.6)).clamp(0.0, 1.0)
}

/// One gate: one student after the other.
async fn gate(
    edge: String,
    gate: usize,
    queue: Vec<Arrival>,
    start: Instant,
    seen: Arc<AtomicUsize>,
) -> anyhow::Result<Passed> {
    let (client, mut rng) = (client()?, StdRng::seed_from_u64(gate as u64));
    let url = format!("{edge}/api/scan/frame?direction=checkin&gate=Gerbang%20{gate}");
    let mut passed = Passed::default();
    for arrival in queue {
        sleep_until(start + arrival.after).await;
        let mut answer = None;
        for _ in 0..MOST_FRAMES {
            let frame = frames::frame(&arrival.card, frames::Shot::random(&mut rng), &mut rng);
            passed.frames += 1;
            let sent = Instant::now();
            answer = show(&client, &url, frames::jpeg(&frame)?, &arrival.number).await?;
            if answer.is_some() {
                passed.waits.push(sent.elapsed());
                break;
            }
        }
        let outcome = answer.with_context(|| format!("{}'s card could not be read", arrival.number))?;
        match outcome.as_str() {
            "hadir" | "terlambat" => {
                passed.green.insert(arrival.number);
                seen.fetch_add(1, Ordering::Relaxed);
            }
            "sudah" => passed.again += 1,
            other => anyhow::bail!("{} was told {other:?} at gate {gate}", arrival.number),
        }
    }
    Ok(passed)
}

/// The word on the screen for this student; `None` when nothing was read in the frame.
async fn show(client: &Client, url: &str, jpeg: Vec<u8>, number: &str) -> anyhow::Result<Option<String>> {
    let answer = client.post(url).header("content-type", "image/jpeg").body(jpeg).send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "the box does not take a frame: {status} {text}");
    let answer: Value = serde_json::from_str(&text)?;
    let Some(result) = answer["data"]["results"].get(0) else { return Ok(None) };
    ensure!(result["number"] == number, "{number} showed a card and the box saw {result}");
    Ok(result["outcome"].as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_come_in_the_middle_of_the_morning() {
        let mut rng = StdRng::seed_from_u64(1);
        let all: Vec<_> = (0..2_000).map(|_| bell(&mut rng)).collect();
        let between = |from: f64, to: f64| all.iter().filter(|at| (from..to).contains(at)).count();
        assert!(between(0.4, 0.8) > between(0.0, 0.4) * 3);
        assert!(all.iter().all(|at| (0.0..=1.0).contains(at)));
    }
}

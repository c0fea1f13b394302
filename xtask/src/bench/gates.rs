//! Three gates in the rush: tablets that send what their cameras see, over HTTPS, and hear of each other meanwhile.
//!
//! Each does what the page does (`edge/src/ui/assets/camera.js`): seven frames a second, one on its way at a time, whether or
//! not a new card is in them. A card stands before the camera for less than a second, and the next one comes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use hadir_tests::{
    boxes,
    cards::{self, Face},
    frames::{self, Shot},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use reqwest::{Certificate, Client};
use serde_json::Value;
use tokio::{task::JoinSet, time::MissedTickBehavior};

use super::{Row, load::Met};

pub const GATES: usize = 3;
/// Between two frames of a camera.
const FRAME: Duration = Duration::from_millis(130);
/// How long a card stands there: more than sixty a minute.
const CARD: Duration = Duration::from_millis(900);

/// Holds the cards to the cameras of the box at these addresses, and answers how long a frame waited for its answer.
pub async fn rush(clear: &str, secure: &str, faces: Vec<Face>) -> anyhow::Result<Row> {
    let frames: Arc<Vec<Vec<u8>>> = Arc::new(tokio::task::spawn_blocking(move || drawn(&faces)).await??);
    let authority = boxes::client()?.get(format!("{clear}/ca.pem")).send().await?.error_for_status()?;
    let trusted = Certificate::from_pem(&authority.bytes().await?)?;
    let client = || Client::builder().tls_certs_only([trusted.clone()]).no_proxy().build();
    let (mut at_work, mut listening) = (JoinSet::new(), JoinSet::new());
    let start = Instant::now();
    for gate in 0..GATES {
        let (client, frames, url) = (client()?, frames.clone(), secure.to_owned());
        listening.spawn(follow(client.clone(), format!("{secure}/api/gate/events")));
        at_work.spawn(async move { stand(&client, &url, gate, &frames).await });
    }
    let (mut met, mut green) = (Met::default(), 0);
    while let Some(gate) = at_work.join_next().await {
        let (waits, recorded) = gate??;
        met.waits.extend(waits);
        green += recorded;
    }
    listening.shutdown().await;
    met.lasted = start.elapsed();
    met.waits.sort_unstable();
    let cards = frames.len();
    // The camera that misses a card in six frames out of six is not what is measured here.
    ensure!(green * 20 >= cards * 19, "of {cards} cards {green} were shown green");
    let minutes = met.lasted.as_secs_f64() / 60.0;
    #[expect(clippy::cast_precision_loss, reason = "far fewer cards than 2^53")]
    let pace = green as f64 / minutes / GATES as f64;
    eprintln!("three gates: {} frames, {green} cards, {pace:.0} a minute and gate", met.waits.len());
    Ok(Row::below(
        "edge: three gates with cameras over HTTPS, from a frame to its answer, p99",
        "< 200 ms at 60 cards a minute each",
        format!("{:.1} ms (p50 {:.1} ms) at {pace:.0}", met.percentile(99), met.percentile(50)),
        // A gate that falls behind its queue has not met it either.
        met.percentile(99) * (60.0 / pace).max(1.0),
        200.0,
    ))
}

/// Every card once, as somebody in a queue holds it.
fn drawn(faces: &[Face]) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut rng = StdRng::seed_from_u64(7);
    let mut shot = || Shot {
        scale: rng.random_range(0.6..0.8),
        turn: rng.random_range(-15.0..15.0),
        offset: (0.0, 0.0),
        brightness: rng.random_range(0.7..1.0),
        background: rng.random_range(40..120),
        noise: 4,
    };
    let shots: Vec<Shot> = faces.iter().map(|_| shot()).collect();
    let mut noise = StdRng::seed_from_u64(8);
    let frame = |(face, shot)| frames::jpeg(&frames::frame(&cards::draw(face)?, shot, &mut noise));
    faces.iter().zip(shots).map(frame).collect()
}

/// One gate's share of the cards: the waits of its frames, and how many cards it showed green.
async fn stand(
    client: &Client,
    url: &str,
    gate: usize,
    frames: &[Vec<u8>],
) -> anyhow::Result<(Vec<Duration>, usize)> {
    let path = format!("{url}/api/scan/frame?direction=checkin&gate=Gerbang%20{gate}");
    let mut camera = tokio::time::interval(FRAME);
    camera.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut waits, mut green) = (Vec::new(), 0);
    for frame in frames.iter().skip(gate).step_by(GATES) {
        let came = Instant::now();
        let mut is_green = false;
        while came.elapsed() < CARD {
            camera.tick().await;
            let sent = Instant::now();
            let request = client.post(&path).header("content-type", "image/jpeg").body(frame.clone());
            let answer: Value = request.send().await?.error_for_status()?.json().await?;
            waits.push(sent.elapsed());
            let results = answer["data"]["results"].as_array().context("an answer without results")?;
            is_green |= results.iter().any(|one| one["outcome"] == "hadir" || one["outcome"] == "terlambat");
        }
        green += usize::from(is_green);
    }
    Ok((waits, green))
}

/// A page that hears of the others, until it is over.
async fn follow(client: Client, url: String) -> anyhow::Result<()> {
    let mut answer = client.get(url).send().await?.error_for_status()?;
    while answer.chunk().await?.is_some() {}
    Ok(())
}

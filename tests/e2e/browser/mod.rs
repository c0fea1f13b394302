//! The pages in a real browser, served by a box that was started when its cloud was gone already.
//!
//! Without chromium these tests say so and pass, unless `CI` or `HADIR_REQUIRE_BROWSER` is set: then they fail.

mod camera;
mod kiosk;
mod pages;
mod pairing;
mod secure;
mod shell;
mod staff;
mod wedge;

use anyhow::{Context as _, ensure};
use hadir_shared::{
    demo,
    time::{Millis, Zone},
};
use hadir_tests::{
    api::Api,
    browser::{self, Browser},
    now,
};
use image::GrayImage;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::school::{Card, Cloud, Edge, Engine};

/// Whether to go on; says so when not.
fn can_run() -> bool {
    let here = browser::is_here().unwrap();
    if !here {
        eprintln!("NOT RUN: this test needs chromium and chromedriver");
    }
    here
}

/// A school whose day goes by the hour of the test, so that the test knows who is late.
struct School {
    cloud: Cloud,
    admin: Api,
    zone: &'static str,
}

impl School {
    async fn start() -> anyhow::Result<Self> {
        let cloud = Cloud::start(Engine::Sqlite, demo::CLASS_SIZE).await?;
        let admin = cloud.sign_in("5001").await?;
        // An hour to either side of midnight the school lies two hours further east: its day must not end in a test.
        let jakarta = Zone::JAKARTA.time_of_day(now()).to_string();
        let is_midnight = jakarta.starts_with("23") || jakarta.starts_with("00");
        let zone = if is_midnight { "Asia/Jayapura" } else { "Asia/Jakarta" };
        Ok(Self { cloud, admin, zone })
    }

    /// A box that knows the school as it is now, and is switched off.
    async fn edge(&self) -> anyhow::Result<Edge> {
        let mut edge = Edge::enrol(&self.cloud, &self.cloud.url()).await?;
        edge.kill().await?;
        Ok(edge)
    }

    /// Check-in ends late in the evening: whoever comes is on time.
    async fn opens(&self) -> anyhow::Result<()> {
        self.hours("23:30:00").await
    }

    /// Check-in has ended some minutes ago.
    async fn closed(&self, minutes: i64) -> anyhow::Result<()> {
        let end: Zone = self.zone.parse()?;
        let end = end.time_of_day(Millis(now().0 - minutes * 60_000)).to_string();
        self.hours(end.get(..8).context("a time of day")?).await
    }

    async fn hours(&self, end: &str) -> anyhow::Result<()> {
        let setting = |key: &str, value: &str| json!({ "key": key, "value": value });
        let settings = [
            setting("timezone", self.zone),
            setting("checkin_start", "00:00:00"),
            setting("checkin_end", end),
            setting("checkout_start", "23:59:00"),
        ];
        self.put("/api/settings/bulk-update", json!({ "settings": settings })).await
    }

    async fn revoke(&self, card: &Card) -> anyhow::Result<()> {
        let cards = self.admin.get("/api/student-qr-cards").await?;
        let mut cards = cards["data"].as_array().into_iter().flatten();
        let found = cards.find(|row| row["signed_code"] == card.code).context("no such card")?;
        let path = format!("/api/student-qr-cards/{}/status", found["id"]);
        self.put(&path, json!({ "is_active": false })).await
    }

    async fn put(&self, path: &str, body: Value) -> anyhow::Result<()> {
        let answer = self.admin.request(Method::PUT, path).json(&body).send().await?;
        ensure!(answer.status().is_success(), "{path}: {}", answer.text().await?);
        Ok(())
    }

    /// Ends the cloud for good; each box starts and never hears of it.
    async fn cut_off<const N: usize>(mut self, mut boxes: [Edge; N]) -> anyhow::Result<[Edge; N]> {
        self.cloud.kill().await?;
        for edge in &mut boxes {
            edge.resume().await?;
        }
        Ok(boxes)
    }
}

/// Somebody of the demo school by number.
fn person(number: &str) -> demo::Person {
    let everybody = demo::schools().into_iter().flat_map(|school| school.people);
    everybody.into_iter().find(|person| person.number == number).expect("somebody of the demo")
}

/// Notes everything a gate shows and plays, with the milliseconds at which it came and went.
const WATCH: &str = r#"
    const flash = document.getElementById("flash");
    window.shown = [];
    window.heard = [];
    const at = AudioParam.prototype.setValueAtTime;
    AudioParam.prototype.setValueAtTime = function (value, when) {
        if (value > 20) heard.push(value); // hertz; a volume is at most 1
        return at.call(this, value, when);
    };
    const text = (id) => document.getElementById(id).textContent;
    new MutationObserver(() => {
        const [last, now] = [shown.at(-1), performance.now()];
        if (last) last.until ??= now;
        if (flash.hidden) return;
        shown.push({
            from: now, outcome: flash.dataset.outcome, sound: flash.dataset.sound, heard: heard.splice(0),
            colour: getComputedStyle(flash).backgroundColor, covers: flash.clientWidth >= innerWidth && flash.clientHeight >= innerHeight,
            word: text("flash-word"), name: text("flash-name"), more: text("flash-more"), saved: text("flash-saved"),
        });
    }).observe(flash, { attributes: true, attributeFilter: ["hidden", "data-outcome"] });
"#;

/// A result as it stood on the screen, by [`WATCH`].
#[derive(Debug, Clone, Deserialize)]
struct Shown {
    /// In milliseconds.
    from: f64,
    /// `None` while it is still there.
    until: Option<f64>,
    outcome: String,
    sound: Option<String>,
    /// The hertz of the tones.
    heard: Vec<f64>,
    colour: String,
    /// Whether it covers the whole screen.
    covers: bool,
    word: String,
    name: String,
    more: String,
    saved: String,
}

/// Everything [`WATCH`] has seen so far.
async fn shown(browser: &Browser) -> anyhow::Result<Vec<Shown>> {
    Ok(serde_json::from_value(browser.run("return shown", ().into()).await?)?)
}

/// What the QR codes in a picture say.
fn codes(picture: &GrayImage) -> Vec<String> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let grey = |x, y| picture.as_raw()[y * width + x];
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
    prepared.detect_grids().iter().filter_map(|grid| grid.decode().ok()).map(|(_, text)| text).collect()
}

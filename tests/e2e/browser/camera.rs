//! Ten students hold their cards before a camera: film, browser, page, frame, box, reader, log, screen.

use std::{collections::BTreeSet, fs::File, io::Write as _, path::Path};

use hadir_tests::{
    browser::Browser,
    cards::{self, Face},
    frames::{self, Shot},
};
use image::{DynamicImage, GrayImage, Luma, codecs::jpeg::JpegEncoder, imageops};
use rand::{SeedableRng as _, rngs::StdRng};
use tempfile::TempDir;

use super::{School, WATCH, can_run, person, shown};
use crate::{
    ledger::log_of_the_box,
    school::{Card, identity},
};

/// Chromium plays Motion JPEG at this many pictures a second, and begins again at the end.
const RATE: usize = 30;
/// How long a card is held: fifty students a minute.
const HELD: usize = RATE * 12 / 10;
/// What hangs on many a wall, and is no card.
const POSTER: &str = "https://example.org/jadwal";

const PLAIN: Shot =
    Shot { scale: 0.7, turn: 4.0, offset: (10.0, -8.0), brightness: 1.0, background: 90, noise: 4 };

/// Ten ways to hold a card, and how far it is out of focus, in pixels.
const WAYS: [(Shot, f32); 10] = [
    (PLAIN, 0.0),
    (Shot { scale: 0.92, offset: (0.0, 0.0), ..PLAIN }, 0.0),
    (Shot { scale: 0.42, ..PLAIN }, 0.0),
    (Shot { turn: 32.0, ..PLAIN }, 0.0),
    (Shot { turn: -38.0, scale: 0.6, ..PLAIN }, 0.0),
    (PLAIN, 1.4),
    (Shot { scale: 0.5, ..PLAIN }, 0.9),
    (Shot { brightness: 0.22, background: 20, noise: 6, ..PLAIN }, 0.0),
    (Shot { brightness: 0.3, turn: 20.0, background: 25, noise: 6, ..PLAIN }, 0.0),
    (Shot { turn: 172.0, ..PLAIN }, 0.0),
];

/// Seen to fail with a page in which drawing a result without a name threw, so that it looked at no further frame.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_students_pass_before_a_camera_and_a_bad_code_stops_nobody() {
    if !can_run() {
        return;
    }
    let school = School::start().await.unwrap();
    school.opens().await.unwrap();
    let cards = school.cloud.cards("5001").await.unwrap();
    let cards: Vec<Card> = cards.into_iter().step_by(17).take(WAYS.len()).collect();
    let edge = school.edge().await.unwrap();
    let [edge] = school.cut_off([edge]).await.unwrap();

    let folder = TempDir::new().unwrap();
    let film = folder.path().join("gate.mjpeg");
    record(&film, &cards).unwrap();
    let camera = [
        "--use-fake-ui-for-media-stream".to_owned(),
        "--use-fake-device-for-media-stream".to_owned(),
        format!("--use-file-for-fake-video-capture={}", film.display()),
    ];
    let browser = Browser::start(&camera).await.unwrap();
    browser.open(&format!("{}/gate", edge.url())).await.unwrap();
    browser.run(WATCH, ().into()).await.unwrap();
    browser.tap("#start").await.unwrap();
    let passed = "new Set(shown.filter((one) => one.outcome === 'hadir').map((one) => one.name)).size";
    browser.until(&format!("{passed} === {}", cards.len())).await.unwrap();

    let seen = shown(&browser).await.unwrap();
    let green: Vec<&str> =
        seen.iter().filter(|one| one.outcome == "hadir").map(|one| one.name.as_str()).collect();
    let names: BTreeSet<String> = cards.iter().map(|card| person(&card.number).name).collect();
    assert_eq!(green.len(), names.len(), "each of them once: {seen:#?}");
    assert_eq!(green.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), names);
    let red = seen.iter().position(|one| one.outcome == "tidak_dikenal").expect("the poster was seen");
    assert_eq!(seen[red + 1].outcome, "hadir", "{seen:#?}");
    let wait = seen[red + 1].from - seen[red].from;
    assert!(wait < 3_000.0, "the next card is read while the red one still stands, after {wait} ms");

    let status = edge.status().await.unwrap();
    let (_, log) = identity(&status).unwrap();
    let scans = log_of_the_box(&edge.database(), log).unwrap();
    let scans = scans.iter().filter(|(_, body, _)| body.contains("\"scan\"")).count();
    assert_eq!((scans, &status["line"]), (cards.len(), &"offline".into()), "{status}");
    assert_eq!(browser.complaints().await.unwrap(), [""; 0]);
}

/// One card after the other, the poster in the middle, and nothing at the end.
fn record(film: &Path, cards: &[Card]) -> anyhow::Result<()> {
    let mut rng = StdRng::seed_from_u64(3);
    let mut film = File::create(film)?;
    let mut show = |frame: &GrayImage, times: usize| -> anyhow::Result<()> {
        let mut picture = Vec::new();
        JpegEncoder::new_with_quality(&mut picture, 85)
            .encode_image(&DynamicImage::ImageLuma8(frame.clone()).to_rgb8())?;
        (0..times).try_for_each(|_| film.write_all(&picture))?;
        Ok(())
    };
    for (n, (card, (shot, blur))) in cards.iter().zip(WAYS).enumerate() {
        if n == WAYS.len() / 2 {
            show(&frames::frame(&cards::qr(POSTER, 10)?, PLAIN, &mut rng), HELD)?;
        }
        let somebody = person(&card.number);
        let face = Face {
            school: "SMA Negeri 1 Hadir".into(),
            name: somebody.name,
            number: card.number.clone(),
            class: "X IPA 1".into(),
            code: card.code.clone(),
        };
        let sharp = frames::frame(&cards::draw(&face)?, shot, &mut rng);
        show(&if blur > 0.0 { imageops::blur(&sharp, blur) } else { sharp }, HELD)?;
    }
    show(&GrayImage::from_pixel(frames::SIZE.0, frames::SIZE.1, Luma([90])), RATE * 3)
}

//! A hand scanner at the gate: it types, whatever has the focus, and everything it types is answered for all to see.

use std::{collections::BTreeMap, time::Duration};

use hadir_tests::browser::Browser;
use serde_json::{Value, json};

use super::{School, Shown, WATCH, can_run, person, shown};
use crate::school::{Card, Edge};

// As WebDriver names the keys.
const ENTER: &str = "\u{e007}";
const TAB: &str = "\u{e004}";

const GREEN: &str = "rgb(8, 105, 59)";
const AMBER: &str = "rgb(138, 75, 0)";
const BLUE: &str = "rgb(28, 79, 148)";
const RED: &str = "rgb(163, 22, 33)";

/// A busy machine may keep a result on the screen this much longer, in milliseconds.
const SLACK: f64 = 1_200.0;

struct Gate {
    browser: Browser,
    /// The tones of every sound that was heard.
    tones: BTreeMap<String, Vec<u64>>,
}

impl Gate {
    async fn at(edge: &Edge) -> Self {
        let mut gate = Self { browser: Browser::start(&[]).await.unwrap(), tones: BTreeMap::new() };
        gate.go(edge).await;
        gate
    }

    /// Opens the page and gives it the touch without which no browser plays a sound.
    async fn go(&mut self, edge: &Edge) {
        self.browser.open(&format!("{}/gate", edge.url())).await.unwrap();
        self.browser.tap("#sound").await.unwrap();
        self.browser
            .until("/^(Tes suara|Test sound)$/.test(document.getElementById('sound').textContent)")
            .await
            .unwrap();
        self.browser.run(WATCH, Value::Null).await.unwrap();
        self.browser.run("document.activeElement.blur()", Value::Null).await.unwrap();
    }

    /// What the scanner types, and nothing else.
    async fn types(&self, keys: &str) {
        self.browser.keys(keys, Duration::ZERO).await.unwrap();
    }

    /// The results since the last call, `count` of them, once they are gone from the screen.
    async fn shows(&mut self, count: usize) -> Vec<Shown> {
        let gone = format!("shown.length >= {count} && shown.every((one) => one.until)");
        self.browser.until(&gone).await.unwrap();
        let seen = shown(&self.browser).await.unwrap();
        self.browser.run("shown.length = 0", Value::Null).await.unwrap();
        assert_eq!(seen.len(), count, "{seen:#?}");
        for one in &seen {
            assert!(one.covers, "{one:?}");
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "audible tones")]
            let tones: Vec<u64> = one.heard.iter().map(|hertz| *hertz as u64).collect();
            let sound = one.sound.clone().unwrap_or_default();
            assert!(!tones.is_empty(), "silence: {one:?}");
            assert_eq!(*self.tones.entry(sound).or_insert_with(|| tones.clone()), tones, "{one:?}");
        }
        seen
    }

    /// The one result of what the scanner types: its outcome, colour, sound, and for how long it stands.
    async fn answers(&mut self, keys: &str, (outcome, colour, sound, ms): (&str, &str, &str, f64)) -> Shown {
        self.types(keys).await;
        let one = self.shows(1).await.remove(0);
        let told = (one.outcome.as_str(), one.colour.as_str(), one.sound.as_deref());
        assert_eq!(told, (outcome, colour, Some(sound)), "{one:?}");
        let stood = one.until.unwrap() - one.from;
        assert!((ms - 20.0..ms + SLACK).contains(&stood), "{stood} ms: {one:?}");
        one
    }
}

const ON_TIME: (&str, &str, &str, f64) = ("hadir", GREEN, "good", 1_500.0);

fn name(card: &Card) -> String {
    person(&card.number).name
}

fn is_time(text: &str) -> bool {
    text.len() == 5
        && text.bytes().enumerate().all(|(n, byte)| if n == 2 { byte == b':' } else { byte.is_ascii_digit() })
}

/// Seen to fail with a page that showed nothing for a code without a name, and with a green one for "already recorded".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_result_has_its_colour_word_sound_and_time() {
    if !can_run() {
        return;
    }
    let school = School::start().await.unwrap();
    let cards = school.cloud.cards("5001").await.unwrap();
    let foreign = school.cloud.cards("5101").await.unwrap().remove(0);
    let [first, second, revoked, late] = [0, 40, 80, 120].map(|n| cards[n].clone());
    school.revoke(&revoked).await.unwrap();
    school.opens().await.unwrap();
    let in_time = school.edge().await.unwrap();
    school.closed(12).await.unwrap();
    let too_late = school.edge().await.unwrap();
    let [in_time, too_late] = school.cut_off([in_time, too_late]).await.unwrap();

    let mut gate = Gate::at(&in_time).await;
    // A red result does not hold up who comes next.
    gate.types(&format!("BUKANKARTU{ENTER}{}{ENTER}", second.code)).await;
    let seen = gate.shows(2).await;
    let words: Vec<_> =
        seen.iter().map(|one| (one.outcome.as_str(), one.word.as_str(), one.colour.as_str())).collect();
    assert_eq!(words, [("tidak_dikenal", "QR tidak dikenal", RED), ("hadir", "Hadir", GREEN)]);

    let one = gate.answers(&format!("{}{ENTER}", first.code), ON_TIME).await;
    assert_eq!((one.word.as_str(), &one.name), ("Hadir", &name(&first)));
    let (class, time) = one.more.split_once(" · ").unwrap();
    assert!(class.starts_with('X') && is_time(time), "{one:?}");
    let pending = in_time.status().await.unwrap()["pending"].clone();
    assert!(one.saved.ends_with(&format!("menunggu internet ({pending})")), "{one:?}");

    let red = |word: &'static str| (word, RED, "bad", 3_000.0);
    let one = gate.answers(&format!("{}{ENTER}", revoked.code), red("kartu_dicabut")).await;
    assert_eq!((one.word.as_str(), one.saved.as_str()), ("Kartu dicabut", ""));
    let one = gate.answers(&format!("{}{ENTER}", foreign.code), red("kartu_sekolah_lain")).await;
    assert_eq!((one.word.as_str(), one.name.as_str()), ("Kartu sekolah lain", ""));

    let again = gate.answers(&format!("{}{ENTER}", first.code), ("sudah", BLUE, "again", 2_000.0)).await;
    assert_eq!((&again.word, &again.name), (&format!("Sudah absen {time} (Gerbang 1)"), &name(&first)));

    gate.browser.tap("#mode label:has([value=checkout])").await.unwrap();
    let one = gate.answers(&format!("{}{ENTER}", second.code), ("pulang", GREEN, "out", 1_500.0)).await;
    assert!(one.word.strip_prefix("Pulang ").is_some_and(is_time), "{one:?}");

    gate.go(&too_late).await;
    let one = gate.answers(&format!("{}{ENTER}", late.code), ("terlambat", AMBER, "late", 2_000.0)).await;
    let minutes = one.word.strip_prefix("Terlambat ").and_then(|rest| rest.strip_suffix(" menit")).unwrap();
    assert!(["12", "13", "14"].contains(&minutes), "{one:?}");

    let mut sounds: Vec<_> = gate.tones.values().collect();
    sounds.sort();
    sounds.dedup();
    assert_eq!(sounds.len(), gate.tones.len(), "two results sound alike: {:?}", gate.tones);
    assert_eq!(gate.tones.keys().collect::<Vec<_>>(), ["again", "bad", "good", "late", "out"]);
    assert_eq!(gate.browser.complaints().await.unwrap(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scanner_is_heard_however_it_ends_and_wherever_the_focus_is() {
    if !can_run() {
        return;
    }
    let school = School::start().await.unwrap();
    school.opens().await.unwrap();
    let cards = school.cloud.cards("5001").await.unwrap();
    let edge = school.edge().await.unwrap();
    let [mut edge] = school.cut_off([edge]).await.unwrap();
    let mut gate = Gate::at(&edge).await;

    // Enter, Tab, nothing; Caps Lock turns what comes with Shift into small letters.
    let focus = "const at = document.querySelector(arguments[0]);
        if (at === document.body) document.activeElement.blur(); else at.focus();
        return document.activeElement === at";
    let [tab, silence, shift, button, field] = [0, 20, 40, 60, 80].map(|n| &cards[n]);
    for (card, keys, focused) in [
        (tab, format!("{}{TAB}", tab.code), "body"),
        (silence, silence.code.clone(), "body"),
        (shift, format!("{}{ENTER}", shift.code.to_lowercase()), "body"),
        (button, format!("{}{ENTER}", button.code), "#sound"),
        (field, format!("{}{ENTER}", field.code), "#number"),
    ] {
        assert_eq!(gate.browser.run(focus, json!(focused)).await.unwrap(), true, "{focused}");
        let one = gate.answers(&keys, ON_TIME).await;
        assert_eq!(one.name, name(card), "{focused}");
        let field = gate.browser.run("return document.getElementById('number').value", Value::Null).await;
        assert_eq!(field.unwrap(), "", "the code does not stay in the field");
    }
    gate.browser.run(focus, json!("body")).await.unwrap();

    let [first, second, typed] = [100, 120, 140].map(|n| &cards[n]);
    // Two cards in one breath, and the first a second time: once is enough for five seconds.
    gate.types(&format!("{0}{ENTER}{1}{ENTER}{0}{ENTER}", first.code, second.code)).await;
    let names: Vec<_> = gate.shows(2).await.into_iter().map(|one| (one.outcome, one.name)).collect();
    assert_eq!(names, [("hadir".to_owned(), name(first)), ("hadir".to_owned(), name(second))]);

    // Nobody types like a scanner.
    gate.browser.keys(&format!("{}{ENTER}", typed.number), Duration::from_millis(150)).await.unwrap();
    let counted = edge.status().await.unwrap()["recorded"].clone();
    gate.types(&format!("{}{ENTER}", typed.code)).await;
    assert_eq!(gate.shows(1).await[0].name, name(typed));
    assert_eq!(edge.status().await.unwrap()["recorded"].as_u64(), counted.as_u64().map(|n| n + 1));
    assert_eq!(gate.browser.complaints().await.unwrap(), [""; 0]);

    not_saved(&mut gate, &mut edge, &cards[160], &cards[170]).await;
}

/// The box dies; somebody has to take note of each card it did not get; it comes back, and the page with it.
async fn not_saved(gate: &mut Gate, edge: &mut Edge, card: &Card, other: &Card) {
    edge.kill().await.unwrap();
    gate.browser.run("heard.length = 0", Value::Null).await.unwrap();
    gate.types(&format!("{}{ENTER}", card.code)).await;
    gate.browser.until("document.getElementById('alarm').open").await.unwrap();
    assert_eq!(gate.browser.text("#alarm-title").await.unwrap(), "BELUM TERSIMPAN – ulangi");
    let look = "const box = document.getElementById('alarm');
        const { width, height } = box.getBoundingClientRect();
        return [getComputedStyle(box).backgroundColor, width >= innerWidth && height >= innerHeight, heard.length > 0]";
    let look = gate.browser.run(look, Value::Null).await.unwrap();
    assert_eq!(look, json!(["rgb(143, 15, 26)", true, true]));

    // It stays until it is touched, and takes no further card: the scanner's Enter is no touch.
    edge.resume().await.unwrap();
    gate.types(&format!("{}{ENTER}", other.code)).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(
        gate.browser.run("return document.getElementById('alarm').open", Value::Null).await.unwrap(),
        true
    );
    assert!(shown(&gate.browser).await.unwrap().is_empty());
    gate.browser.tap("#alarm button").await.unwrap();
    gate.browser.run("heard.length = 0", Value::Null).await.unwrap();

    // The same card again, at once, without a reload.
    let one = gate.answers(&format!("{}{ENTER}", card.code), ON_TIME).await;
    assert_eq!(one.name, name(card));
    gate.browser.until("document.getElementById('pending').textContent.includes('Menunggu')").await.unwrap();
}

//! The kiosk: what it shows is the token of now, or nothing.

use hadir_tests::{browser::Browser, now};
use serde_json::{Value, json};

use super::{School, can_run, codes};
use crate::school::{Edge, eventually};

/// How long an old QR may stand when the box is gone, in milliseconds.
const STALE: i64 = 3_000;

/// Notes when the QR went, and when it came.
const WATCH: &str = r#"
    const qr = document.getElementById("qr");
    window.went = window.came = 0;
    new MutationObserver(() => (qr.hidden ? (went ||= Date.now()) : (came ||= Date.now())))
        .observe(qr, { attributes: true, attributeFilter: ["hidden"] });
"#;

/// Seen to fail with a page that goes dark only when the token has run out: the QR stood for 13 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kiosk_shows_the_token_of_now_and_goes_dark_within_three_seconds() {
    if !can_run() {
        return;
    }
    let school = School::start().await.unwrap();
    school.opens().await.unwrap();
    let edge = school.edge().await.unwrap();
    let [mut edge] = school.cut_off([edge]).await.unwrap();
    let browser = Browser::start(&[]).await.unwrap();
    browser.open(&format!("{}/kiosk", edge.url())).await.unwrap();
    browser.run(WATCH, Value::Null).await.unwrap();
    assert_eq!(on_screen(&browser, &edge).await, token(&edge).await);

    for cut in [Cut::Frozen, Cut::Killed] {
        browser.run("went = came = 0", Value::Null).await.unwrap();
        let start = now();
        match cut {
            Cut::Frozen => edge.freeze().unwrap(),
            Cut::Killed => edge.kill().await.unwrap(),
        }
        let went = browser.until("went").await.unwrap().as_i64().unwrap();
        assert!(went - start.0 <= STALE, "{cut:?}: the QR stood for {} ms", went - start.0);
        let dark = picture(&browser).await;
        assert_eq!(codes(&dark), [""; 0], "{cut:?}: nothing is left that a telephone could read");
        assert_eq!(browser.text("#dark-word").await.unwrap(), "Kotak tidak menjawab");
        match cut {
            Cut::Frozen => edge.thaw().unwrap(),
            Cut::Killed => edge.resume().await.unwrap(),
        }
        browser.until("came").await.unwrap();
        assert_eq!(on_screen(&browser, &edge).await, token(&edge).await, "{cut:?}");
    }
}

#[derive(Debug, Clone, Copy)]
enum Cut {
    /// The process is there and answers nothing: a disk that hangs, a network that swallows.
    Frozen,
    /// It is gone.
    Killed,
}

async fn picture(browser: &Browser) -> image::GrayImage {
    image::load_from_memory(&browser.screenshot().await.unwrap()).unwrap().to_luma8()
}

/// The address in the QR that the screen shows, once it is the box's own.
pub(super) async fn on_screen(browser: &Browser, edge: &Edge) -> String {
    let read = async || {
        let seen = codes(&picture(browser).await).pop()?;
        (seen == token(edge).await).then_some(seen)
    };
    eventually("the kiosk shows the box's token", read).await.unwrap()
}

/// The address with the token of now, as the box gives it to a kiosk.
pub(super) async fn token(edge: &Edge) -> String {
    let answer = edge.client.get(format!("{}/api/kiosk", edge.url())).send().await.unwrap();
    let body: Value = answer.json().await.unwrap();
    assert_ne!(body["data"]["url"], json!(null), "{body}");
    body["data"]["url"].as_str().unwrap_or_default().to_owned()
}

//! Every page of the box in every state, kept and looked at.

use hadir_shared::demo;
use hadir_tests::browser::Browser;
use serde_json::{Value, json};

use super::{School, can_run, kiosk::token};
use crate::{
    album::{Album, LANGUAGES},
    school::{Card, Edge},
};

/// Keeps what a page shows for a moment on the screen: nothing that was to happen in a second or later does.
const HOLD: &str = "const later = setTimeout; window.setTimeout = (run, ms, ...rest) => (ms < 1000 ? later(run, ms, ...rest) : 0);";

/// A scanner that is never slow: the next test over may have both processors.
const SCAN: &str = "for (const key of arguments[0]) dispatchEvent(new KeyboardEvent('keydown', { key }))";

/// Somebody who goes through the pages with a camera.
struct Visitor {
    browser: Browser,
    album: Album,
}

impl Visitor {
    async fn open(&self, edge: &Edge, path: &str) {
        self.browser.open(&format!("{}{path}", edge.url())).await.unwrap();
    }

    async fn run(&self, script: &str) -> Value {
        self.browser.run(script, Value::Null).await.unwrap()
    }

    async fn until(&self, expression: &str) {
        self.browser.until(expression).await.unwrap();
    }

    /// Pulls the plug of the network, or puts it in again.
    async fn offline(&self, offline: bool) {
        let conditions =
            json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.browser.cdp("Network.enable", json!({})).await.unwrap();
        self.browser.cdp("Network.emulateNetworkConditions", conditions).await.unwrap();
    }

    async fn keep(&mut self, state: &str) {
        self.album.keep(&self.browser, state).await;
    }

    /// The scanner types a code; the result stays on the screen.
    async fn scans(&mut self, code: &str, outcome: &str) {
        self.run("document.getElementById('flash').hidden = true").await;
        self.browser.run(SCAN, json!(code)).await.unwrap();
        self.until(&format!("!document.getElementById('flash').hidden && document.getElementById('flash').dataset.outcome === '{outcome}'"))
            .await;
        self.keep(&format!("gate-{outcome}")).await;
    }

    /// What a page asks on a device that the box does not know; here it knows every one, because it is the box itself.
    async fn asks_who(&mut self, page: &str) {
        self.run("import('/assets/api.js').then((api) => api.signIn())").await;
        self.until("document.getElementById('login').open").await;
        self.keep(&format!("{page}-pair")).await;
    }

    /// A gate in the middle of the morning: touched once, so that it may sound.
    async fn at_gate(&self, edge: &Edge) {
        self.open(edge, "/gate").await;
        self.browser.tap("#sound").await.unwrap();
        self.until("/^(Tes suara|Test sound)$/.test(document.getElementById('sound').textContent)").await;
        self.until("/[0-9]/.test(document.getElementById('clock').textContent)").await;
        self.run(HOLD).await;
    }

    async fn gate(&mut self, edge: &Edge, cards: &Cards) {
        self.open(edge, "/gate").await;
        self.until("document.getElementById('count').textContent.includes('/')").await;
        self.asks_who("gate").await;
        self.at_gate(edge).await;
        self.keep("gate").await;
        self.scans(&cards.first.code, "hadir").await;
        self.scans(&cards.revoked.code, "kartu_dicabut").await;
        self.scans(&cards.foreign.code, "kartu_sekolah_lain").await;
        self.scans("BUKANKARTU", "tidak_dikenal").await;
        edge.scan(&cards.second.code, "checkin", "Gerbang 1").await.unwrap();
        self.at_gate(edge).await;
        self.scans(&cards.first.code, "sudah").await;
        self.browser.tap("#flash").await.unwrap();
        self.browser.tap("#mode label:has([value=checkout])").await.unwrap();
        self.scans(&cards.second.code, "pulang").await;
        self.browser.tap("#flash").await.unwrap();
        self.browser.tap("#mode label:has([value=''])").await.unwrap();
        self.open(edge, "/gate").await;
        self.until("document.querySelector('#latest .undo')").await;
        self.browser.tap("#latest .undo").await.unwrap();
        self.keep("gate-undo").await;
        self.browser.fill("#number", "pra").await.unwrap();
        self.until("document.querySelector('#found button')").await;
        self.keep("gate-search").await;
        self.browser.tap("#found button").await.unwrap();
        self.until("document.getElementById('who').open").await;
        self.keep("gate-manual").await;
        self.browser.tap("#who button").await.unwrap();
        self.browser.tap("#start").await.unwrap();
        self.until("document.getElementById('lens').classList.contains('on')").await;
        self.keep("gate-camera").await;
        self.browser.tap("#stop").await.unwrap();
        self.offline(true).await;
        self.browser.run(SCAN, json!("BUKANKARTU2")).await.unwrap();
        self.until("document.getElementById('alarm').open").await;
        self.keep("gate-not-saved").await;
        self.offline(false).await;
    }

    async fn kiosk(&mut self, edge: &Edge) {
        self.open(edge, "/kiosk").await;
        self.until("!document.getElementById('qr').hidden && document.querySelector('#latest li')").await;
        self.until("/[0-9]/.test(document.getElementById('clock').textContent)").await;
        self.keep("kiosk").await;
        self.asks_who("kiosk").await;
        self.open(edge, "/kiosk").await;
        self.until("!document.getElementById('qr').hidden").await;
        self.offline(true).await;
        self.until("document.getElementById('qr').hidden").await;
        self.keep("kiosk-dark").await;
        self.offline(false).await;
    }

    async fn telephone(&mut self, edge: &Edge, number: &str) {
        self.open(edge, "/c/kode").await;
        self.until("document.getElementById('login').open").await;
        self.keep("login").await;
        self.browser.fill("#login-number", number).await.unwrap();
        self.browser.fill("#login-password", "Salah-sekali-1").await.unwrap();
        self.browser.tap("#login-form button").await.unwrap();
        self.until("!document.getElementById('login-error').hidden").await;
        self.keep("login-wrong").await;
        self.run("document.getElementById('login-password').value = ''").await;
        self.browser.fill("#login-password", demo::PASSWORD).await.unwrap();
        self.browser.tap("#login-form button").await.unwrap();
        self.until("!document.getElementById('login').open").await;
        self.keep("checkin-code").await;
        for state in ["checkin-recorded", "checkin-again"] {
            self.browser.open(&token(edge).await).await.unwrap();
            self.until("document.getElementById('place').dataset.state === 'inside'").await;
            if state == "checkin-recorded" {
                self.keep("checkin").await;
            }
            self.browser.tap("#in").await.unwrap();
            self.until("!document.getElementById('answer').hidden").await;
            self.keep(state).await;
        }
        self.browser.tap("#history").await.unwrap();
        self.until("document.querySelector('#mine li')").await;
        self.keep("checkin-history").await;
        self.offline(true).await;
        self.browser.tap("#in").await.unwrap();
        self.until("document.getElementById('answer').dataset.tone === 'bad'").await;
        self.keep("checkin-not-saved").await;
        self.offline(false).await;
        self.browser.tap("#leave").await.unwrap();
        self.until("document.getElementById('leave').hidden").await;
    }

    async fn status(&mut self, edge: &Edge) {
        self.open(edge, "/status").await;
        self.keep("status").await;
        self.browser.tap("#pair-gate").await.unwrap();
        self.until("!document.getElementById('pair-shown').hidden").await;
        self.keep("status-pairing").await;
        self.offline(true).await;
        self.until("!document.getElementById('lost').hidden").await;
        self.keep("status-lost").await;
        self.offline(false).await;
        for (path, state) in [("/", "home"), ("/ca", "ca")] {
            self.open(edge, path).await;
            self.keep(state).await;
        }
    }
}

struct Cards {
    first: Card,
    second: Card,
    late: Card,
    revoked: Card,
    foreign: Card,
}

/// Seen to fail with a button whose name lacked the letters on it, and a list with a note between its terms.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_can_be_seen_and_read_in_both_languages() {
    if !can_run() {
        return;
    }
    let Some(album) = Album::open("box") else { return };
    let school = School::start().await.unwrap();
    let cards = school.cloud.cards("5001").await.unwrap();
    let foreign = school.cloud.cards("5101").await.unwrap().remove(0);
    school.revoke(&cards[100]).await.unwrap();
    school.opens().await.unwrap();
    let mut edge = school.edge().await.unwrap();
    // For the page about its certificate; telephones are to come to where the test is all the same.
    edge.plan = edge.plan.clone().with("LISTEN_TLS", "127.0.0.1:0").with("PUBLIC_URL", &edge.url());
    school.closed(12).await.unwrap();
    let late = school.edge().await.unwrap();
    let [edge, late] = school.cut_off([edge, late]).await.unwrap();

    let camera = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"].map(str::to_owned);
    let browser = Browser::start(&camera).await.unwrap();
    let here = demo::schools()[0].point;
    let here = json!({ "latitude": here.latitude, "longitude": here.longitude, "accuracy": 12 });
    browser.cdp("Emulation.setGeolocationOverride", here).await.unwrap();
    let mut visitor = Visitor { browser, album };
    for (turn, (language, scheme)) in LANGUAGES.into_iter().enumerate() {
        visitor.album.turn(&visitor.browser, language, scheme).await;
        for edge in [&edge, &late] {
            visitor.open(edge, "/").await;
            visitor.browser.permit("geolocation", "granted").await.unwrap();
            visitor.run(&format!("localStorage.setItem('hadir.language', '{language}')")).await;
        }
        let [first, second, late_one] = [0, 40, 80].map(|n| cards[n + turn].clone());
        let own =
            Cards { first, second, late: late_one, revoked: cards[100].clone(), foreign: foreign.clone() };
        visitor.gate(&edge, &own).await;
        visitor.at_gate(&late).await;
        visitor.scans(&own.late.code, "terlambat").await;
        visitor.kiosk(&edge).await;
        visitor.telephone(&edge, ["2001", "2002"][turn]).await;
        visitor.status(&edge).await;
    }
    assert!(visitor.album.findings.is_empty(), "{:#?}", visitor.album.findings);
    assert_eq!(visitor.album.seen, 30 * LANGUAGES.len());
}

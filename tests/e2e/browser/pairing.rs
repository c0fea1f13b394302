//! Tablets that are not the box: let in with a code from the box's own screen, shut out with a word; a kiosk is left with its PIN.

use hadir_tests::browser::Browser;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{School, can_run, codes, secure::trusting};
use crate::school::{Edge, eventually};

/// The box, as another device calls it: who says 127.0.0.1 is at the box itself.
const NAME: &str = "kotak.test";
const UNKNOWN_CODE: &str = "Kode pasangan tidak dikenal atau sudah kedaluwarsa";
const PIN: &str = "4821";
/// How many tries of a PIN there are at once.
const TRIES: usize = 5;
/// A scanner types a code.
const SCAN: &str =
    "for (const key of [...arguments[0], 'Enter']) dispatchEvent(new KeyboardEvent('keydown', { key }))";

/// A box without its cloud, its own screen, and a tablet somewhere in the school's network.
struct Stage {
    edge: Edge,
    own: Browser,
    tablet: Browser,
    /// The box's address, as the tablet says it.
    url: String,
}

impl Stage {
    async fn set(school: School) -> Self {
        let mut edge = school.edge().await.unwrap();
        edge.plan = edge.plan.with("LISTEN_TLS", "127.0.0.1:0");
        let [edge] = school.cut_off([edge]).await.unwrap();
        let secure = edge.secure_url().unwrap();
        let switches = [trusting(secure).await, format!("--host-resolver-rules=MAP {NAME} 127.0.0.1")];
        let tablet = Browser::start(&switches).await.unwrap();
        let own = Browser::start(&[]).await.unwrap();
        let url = secure.replace("127.0.0.1", NAME);
        Self { edge, own, tablet, url }
    }

    /// A code that the box's screen shows.
    async fn code_for(&self, purpose: &str) -> String {
        self.own.open(&format!("{}/status", self.edge.url())).await.unwrap();
        self.own.tap(&format!("#pair-{purpose}")).await.unwrap();
        self.own.until("!document.getElementById('pair-shown').hidden").await.unwrap();
        self.own.text("#pair-code-shown").await.unwrap()
    }

    /// Types a code, a name and a PIN into the tablet's dialog.
    async fn pair(&self, code: &str, name: &str, pin: &str) {
        self.tablet.until("document.getElementById('login').open").await.unwrap();
        for field in ["pair-code", "pair-name", "pair-pin"] {
            self.tablet.run("document.getElementById(arguments[0]).value = ''", json!(field)).await.unwrap();
        }
        self.tablet.fill("#pair-code", code).await.unwrap();
        self.tablet.fill("#pair-name", name).await.unwrap();
        if !pin.is_empty() {
            self.tablet.fill("#pair-pin", pin).await.unwrap();
        }
        self.tablet.tap("#pair-form button.main").await.unwrap();
    }

    async fn is_let_in(&self) {
        self.tablet.until("!document.getElementById('login').open").await.unwrap();
    }

    /// Which page the tablet ends at.
    async fn at(&self, path: &str) -> Value {
        self.tablet.open(&format!("{}{path}", self.url)).await.unwrap();
        self.tablet.run("return location.pathname", Value::Null).await.unwrap()
    }

    /// Tries a PIN in the kiosk's dialog, and answers what it says.
    async fn tries(&self, pin: &str) -> String {
        let trying =
            "document.getElementById('pin').value = ''; document.getElementById('exit-error').hidden = true";
        self.tablet.run(trying, Value::Null).await.unwrap();
        self.tablet.fill("#pin", pin).await.unwrap();
        self.tablet.tap("#exit-pin button.main").await.unwrap();
        let told = "document.getElementById('exit-error').hidden
            ? !document.getElementById('exit-open').hidden && 'open' : document.getElementById('exit-error').textContent";
        self.tablet.until(told).await.unwrap().as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tablet_is_let_in_with_a_code_and_shut_out_with_a_word() {
    if !can_run() {
        return;
    }
    let school = School::start().await.unwrap();
    school.opens().await.unwrap();
    let cards = school.cloud.cards("5001").await.unwrap();
    let stage = Stage::set(school).await;
    let tablet = &stage.tablet;
    let code = stage.code_for("gate").await;
    assert_eq!((code.len(), stage.at("/gate").await), (9, json!("/gate")));

    stage.pair("0000-0000", "Tablet Timur", "").await;
    let told =
        "!document.getElementById('pair-error').hidden && document.getElementById('pair-error').textContent";
    assert_eq!(tablet.until(told).await.unwrap(), UNKNOWN_CODE);
    // As people type it.
    stage.pair(&code.to_lowercase().replace('-', " "), "Tablet Timur", "").await;
    stage.is_let_in().await;
    scans(tablet, &cards[0].code, "hadir").await;
    // It is remembered, and the code is burnt.
    stage.at("/gate").await;
    scans(tablet, &cards[0].code, "sudah").await;
    let again = json!({ "code": code, "name": "Tablet Barat" });
    let again = stage.edge.client.post(format!("{}/api/pairing", stage.edge.url())).json(&again);
    assert_eq!(again.send().await.unwrap().status(), StatusCode::NOT_FOUND);

    stage.own.open(&format!("{}/status", stage.edge.url())).await.unwrap();
    let out = "#devices-list button[aria-label='Cabut Tablet Timur']";
    stage.own.until(&format!("document.querySelector(\"{out}\")")).await.unwrap();
    stage.own.run("window.confirm = () => true", Value::Null).await.unwrap();
    stage.own.tap(out).await.unwrap();
    stage.own.until(&format!("!document.querySelector(\"{out}\")")).await.unwrap();
    tablet.run(SCAN, json!(cards[1].code)).await.unwrap();
    tablet.until("document.getElementById('login').open").await.unwrap();
    let known = stage.edge.latest().await.unwrap();
    assert!(known.iter().all(|one| one["number"] != cards[1].number), "nothing was recorded: {known:?}");
    stage.at("/gate").await;
    tablet.until("document.getElementById('login').open").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kiosk_is_left_with_its_pin_and_not_by_trying() {
    if !can_run() {
        return;
    }
    let school = School::start().await.unwrap();
    school.opens().await.unwrap();
    let stage = Stage::set(school).await;
    let tablet = &stage.tablet;
    let code = stage.code_for("kiosk").await;
    stage.at("/kiosk").await;
    stage.pair(&code, "Kios Lobi", PIN).await;
    stage.is_let_in().await;
    let reads = async || {
        let seen = image::load_from_memory(&tablet.screenshot().await.ok()?).ok()?.to_luma8();
        codes(&seen).pop()
    };
    let shown = eventually("the kiosk shows its QR", reads).await.unwrap();
    assert!(shown.contains("/c/"), "{shown}");

    // It leads nowhere else.
    for page in ["/", "/gate", "/status", "/kiosk"] {
        assert_eq!(stage.at(page).await, "/kiosk", "{page}");
    }
    tablet.until("!document.getElementById('leave').hidden").await.unwrap();
    tablet.tap("#leave").await.unwrap();
    assert_eq!(stage.tries("0000").await, "PIN salah");
    assert_eq!(stage.tries(PIN).await, "open");
    assert_eq!(stage.at("/").await, "/", "for five minutes");
    stage.at("/kiosk").await;
    // The page shuts itself again.
    tablet.until("!document.getElementById('leave').hidden").await.unwrap();
    assert_eq!(stage.at("/gate").await, "/kiosk");

    tablet.until("!document.getElementById('leave').hidden").await.unwrap();
    tablet.tap("#leave").await.unwrap();
    for _ in 2..TRIES {
        assert_eq!(stage.tries("9999").await, "PIN salah");
    }
    let told = stage.tries(PIN).await;
    assert!(told.starts_with("Terlalu banyak"), "the right one is not looked at either: {told}");
    // An admin opens it all the same.
    tablet.tap("#forgotten").await.unwrap();
    tablet.fill("#admin-number", "2001").await.unwrap();
    tablet.fill("#admin-password", hadir_shared::demo::PASSWORD).await.unwrap();
    tablet.tap("#exit-admin button.main").await.unwrap();
    let told = "!document.getElementById('admin-error').hidden && document.getElementById('admin-error').textContent";
    assert_eq!(tablet.until(told).await.unwrap(), "Hanya admin yang dapat membuka kiosk tanpa PIN");
    tablet.run("document.getElementById('admin-number').value = ''", Value::Null).await.unwrap();
    tablet.fill("#admin-number", "5001").await.unwrap();
    tablet.tap("#exit-admin button.main").await.unwrap();
    tablet.until("!document.getElementById('exit-open').hidden").await.unwrap();
    tablet.tap("#unpair").await.unwrap();
    tablet.until("location.pathname === '/'").await.unwrap();
    stage.at("/kiosk").await;
    tablet.until("document.getElementById('login').open").await.unwrap();
}

/// Scans, and waits for what is shown.
async fn scans(tablet: &Browser, code: &str, outcome: &str) {
    tablet.run(SCAN, json!(code)).await.unwrap();
    let flash = "document.getElementById('flash')";
    tablet.until(&format!("!{flash}.hidden && {flash}.dataset.outcome === '{outcome}'")).await.unwrap();
}

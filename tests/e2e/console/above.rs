//! The pages that stand above the schools, or before anybody is known: kept and looked at, what they weigh, and the registry
//! of clients as somebody keeps it who has a keyboard and no mouse.

use std::time::Duration;

use hadir_shared::demo;
use hadir_tests::browser::Browser;
use serde_json::json;

use super::{Console, can_run};
use crate::{
    album::{Album, LANGUAGES},
    school::{Cloud, Engine, on_both},
};

const SUPER_ADMIN: &str = "super_admin";
const CALLBACK: &str = "https://moodle.sekolah.example/admin/oauth2callback.php";
const SCOPES: &str = "openid profile email phone school offline_access";
const ENTER: &str = "\u{e007}";

/// Nobody is signed in.
async fn open(engine: Engine) -> Console {
    let cloud = Cloud::start_as_provider(engine).await.unwrap();
    Console { cloud, browser: Browser::start(&[]).await.unwrap(), school: 0 }
}

impl Console {
    async fn see(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.cloud.url())).await.unwrap();
    }

    async fn forget(&self, language: &str) {
        self.browser.cdp("Network.clearBrowserCookies", json!({})).await.unwrap();
        self.speak(language).await.unwrap();
    }

    /// Types what is right or wrong into the page that asks who it is.
    async fn give(&self, login: &str, password: &str) {
        self.see("/console/login").await;
        self.browser.fill("#login", login).await.unwrap();
        self.browser.fill("#password", password).await.unwrap();
        self.browser.tap("form.card button.main").await.unwrap();
    }

    async fn add_client(&self, more: &[&str]) -> String {
        let words = ["clients", "add", "--redirect-uri", CALLBACK].iter().chain(more).copied();
        let printed = self.cloud.plan.run(&words.collect::<Vec<_>>()).await.unwrap();
        printed.split_whitespace().next().unwrap().to_owned()
    }
}

/// Where a client sends people who want to sign in to it.
fn asked_by(client: &str) -> String {
    let scope = SCOPES.replace(' ', "+");
    format!(
        "/oauth2/authorize?response_type=code&client_id={client}&redirect_uri={CALLBACK}&scope={scope}&state=s&nonce=n\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    )
}

/// The six digits of an authenticator app, by RFC 6238, for the secret that the page shows.
const DIGITS: &str = "const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
    const bits = [...document.getElementById('secret').innerText.replaceAll(' ', '')]
        .map((letter) => letters.indexOf(letter).toString(2).padStart(5, '0')).join('');
    const key = Uint8Array.from(bits.match(/.{8}/g), (byte) => parseInt(byte, 2));
    const count = new DataView(new ArrayBuffer(8));
    count.setBigUint64(0, BigInt(Math.floor(Date.now() / 30000)));
    return crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-1' }, false, ['sign'])
        .then((key) => crypto.subtle.sign('HMAC', key, count))
        .then((mac) => {
            const view = new DataView(mac);
            const part = view.getUint32(view.getUint8(19) & 15) & 0x7fffffff;
            return String(part % 1000000).padStart(6, '0');
        })";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_above_the_schools_can_be_seen_and_read_in_both_languages() {
    if !can_run() {
        return;
    }
    let Some(mut album) = Album::open("above") else { return };
    let console = open(Engine::Sqlite).await;
    for (language, scheme) in LANGUAGES {
        album.turn(&console.browser, language, scheme).await;
        console.forget(language).await;
        console.sign_in(SUPER_ADMIN).await.unwrap();
        console.see("/console/clients").await;
        album.keep(&console.browser, "clients-empty").await;
    }
    let moodle = console.add_client(&["--name", "Moodle", "--scope", SCOPES]).await;
    console
        .add_client(&[
            "--name",
            "Perpustakaan Digital Terpadu Kabupaten Bandung Barat",
            "--institution",
            "SMAN1",
            "--trusted",
        ])
        .await;
    for ((language, scheme), teacher) in LANGUAGES.into_iter().zip(["2001", "2002"]) {
        album.turn(&console.browser, language, scheme).await;
        console.forget(language).await;
        signing_in(&console, &mut album).await;
        schools_and_clients(&console, &mut album).await;
        console.forget(language).await;
        second_factor(&console, &mut album, language, teacher).await;
        for_other_software(&console, &mut album, &moodle).await;
    }
    let complaints = console.browser.complaints().await.unwrap();
    // A refusal is a refusal to the browser, too.
    let others: Vec<_> =
        complaints.iter().filter(|line| !line.contains("responded with a status of 4")).collect();
    assert!(others.is_empty(), "{others:#?}");
    assert!(album.findings.is_empty(), "{:#?}", album.findings);
    assert_eq!(album.seen, 22 * LANGUAGES.len());
}

async fn signing_in(console: &Console, album: &mut Album) {
    console.see("/console/login").await;
    album.keep(&console.browser, "login").await;
    console.give(SUPER_ADMIN, "salah-sekali").await;
    console.browser.until("document.querySelector('.note.bad')").await.unwrap();
    album.keep(&console.browser, "login-refused").await;
}

async fn schools_and_clients(console: &Console, album: &mut Album) {
    let page = &console.browser;
    console.sign_in(SUPER_ADMIN).await.unwrap();
    page.until("location.pathname === '/console/schools'").await.unwrap();
    album.keep(page, "schools").await;
    page.tap(".me summary").await.unwrap();
    album.keep(page, "schools-menu").await;
    console.see("/console/schools?q=tidak-ada").await;
    album.keep(page, "schools-none").await;
    console.see("/console/clients").await;
    album.keep(page, "clients").await;

    console.see("/console/clients/new").await;
    album.keep(page, "client-new").await;
    page.fill("#name", "Nextcloud").await.unwrap();
    page.fill("#redirect", "http://awan.sekolah.example/cb").await.unwrap();
    page.tap("#save").await.unwrap();
    page.until("document.querySelector('.flaw.said')").await.unwrap();
    album.keep(page, "client-flaws").await;
    console.run("document.getElementById('redirect').value = ''").await.unwrap();
    page.fill("#redirect", "https://awan.sekolah.example/apps/user_oidc/code").await.unwrap();
    page.tap("#save").await.unwrap();
    page.until("!document.getElementById('secret').hidden").await.unwrap();
    album.keep(page, "client-secret").await;
    page.tap("#secret-done").await.unwrap();
    page.until("document.getElementById('renew')").await.unwrap();
    album.keep(page, "client").await;
    page.tap("#renew button").await.unwrap();
    page.until("document.querySelector('dialog[open]')").await.unwrap();
    album.keep(page, "client-renew").await;
    console.see("/console/nothing/here").await;
    album.keep(page, "error").await;
}

/// Somebody sets one up, and signs in with it.
async fn second_factor(console: &Console, album: &mut Album, language: &str, teacher: &str) {
    let page = &console.browser;
    console.sign_in(teacher).await.unwrap();
    console.see("/console/second-factor").await;
    album.keep(page, "second-factor").await;
    page.tap("form.card button.main").await.unwrap();
    page.until("document.getElementById('secret')").await.unwrap();
    album.keep(page, "second-factor-secret").await;
    let digits = console.run(DIGITS).await.unwrap();
    page.fill("#code", digits.as_str().unwrap()).await.unwrap();
    page.tap("form.card button.main").await.unwrap();
    page.until("document.getElementById('codes')").await.unwrap();
    album.keep(page, "second-factor-codes").await;
    let recovery = page.text("#codes code").await.unwrap();
    console.see("/console/second-factor").await;
    album.keep(page, "second-factor-on").await;

    console.forget(language).await;
    console.give(teacher, demo::PASSWORD).await;
    page.until("document.getElementById('code')").await.unwrap();
    album.keep(page, "login-code").await;
    page.fill("#code", &recovery).await.unwrap();
    page.tap("form.card button.main").await.unwrap();
    page.until("!document.getElementById('code')").await.unwrap();
}

async fn for_other_software(console: &Console, album: &mut Album, client: &str) {
    let page = &console.browser;
    console.see(&asked_by(client)).await;
    page.until("document.querySelector(\"button[value='allow']\")").await.unwrap();
    album.keep(page, "consent").await;
    console.see(&asked_by("nobody")).await;
    album.keep(page, "consent-unanswerable").await;
    console.see("/oauth2/logout").await;
    album.keep(page, "sign-out").await;
    page.tap("form.card button.main").await.unwrap();
    page.until("!document.querySelector('form.card')").await.unwrap();
    album.keep(page, "signed-out").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_above_the_schools_weighs_little_and_shows_the_same_without_scripts() {
    if !can_run() {
        return;
    }
    let console = open(Engine::Sqlite).await;
    let client = console.add_client(&["--name", "Moodle"]).await;
    let mut wrong = console.flaws(&format!("{}/console/login", console.cloud.url())).await;
    console.sign_in(SUPER_ADMIN).await.unwrap();
    let one = format!("/console/clients/{client}");
    for path in [
        "/console/schools",
        "/console/clients",
        "/console/clients/new",
        &one,
        "/console/second-factor",
        "/oauth2/logout",
    ] {
        wrong.extend(console.flaws(&format!("{}{path}", console.cloud.url())).await);
    }
    console.forget("id").await;
    console.sign_in("2001").await.unwrap();
    wrong.extend(console.flaws(&format!("{}{}", console.cloud.url(), asked_by(&client))).await);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_registered_renewed_and_deleted_with_the_keyboard_alone() {
    if !can_run() {
        return;
    }
    on_both(async |engine| {
        let console = open(engine).await;
        let page = &console.browser;
        let press = async |keys: &str| page.keys(keys, Duration::ZERO).await.unwrap();
        console.sign_in(SUPER_ADMIN).await.unwrap();
        console.see("/console/clients/new").await;
        page.fill("#redirect", CALLBACK).await.unwrap();
        page.fill("#name", "Moodle").await.unwrap();
        // Twice, as an impatient hand does: one client.
        press(&format!("{ENTER}{ENTER}")).await;
        page.until("!document.getElementById('secret').hidden").await.unwrap();
        let secret = shown(&console).await;
        assert_eq!(secret.len(), 43, "{engine:?}: {secret}");
        let focused =
            "const at = document.activeElement; return `${at.id} ${at.selectionEnd - at.selectionStart}`";
        assert_eq!(console.run(focused).await.unwrap(), "secret-value 43", "{engine:?}: ready to be copied");
        console.run("document.getElementById('secret-done').focus()").await.unwrap();
        press(ENTER).await;
        page.until("document.getElementById('renew')").await.unwrap();
        assert_eq!(shown(&console).await, "", "{engine:?}: once");
        console.run("history.back()").await.unwrap();
        page.until("location.pathname.endsWith('/new')").await.unwrap();
        assert_eq!(shown(&console).await, "", "{engine:?}: nor to who goes back");

        console.see("/console/clients").await;
        assert_eq!(
            console.run("return document.querySelectorAll('#clients tbody tr').length").await.unwrap(),
            1
        );
        console.run("document.querySelector('#clients tbody a').focus()").await.unwrap();
        press(ENTER).await;
        page.until("document.getElementById('renew')").await.unwrap();
        page.fill("#overlap", "").await.unwrap();
        press(ENTER).await;
        page.until("document.querySelector('dialog[open]')").await.unwrap();
        press(ENTER).await;
        page.until("!document.getElementById('secret').hidden").await.unwrap();
        let renewed = shown(&console).await;
        assert!(renewed.len() == 43 && renewed != secret, "{engine:?}: {renewed}");
        page.until("document.querySelector('#old-secret .note')").await.unwrap();

        console.run("document.querySelector('#delete button').focus()").await.unwrap();
        press(ENTER).await;
        page.until("document.querySelector('dialog[open]')").await.unwrap();
        press(ENTER).await;
        page.until("location.pathname === '/console/clients' && document.querySelector('.empty')")
            .await
            .unwrap();
        let complaints = page.complaints().await.unwrap();
        assert!(complaints.is_empty(), "{engine:?}: {complaints:#?}");
    })
    .await;
}

async fn shown(console: &Console) -> String {
    let secret = console.run("return document.getElementById('secret-value').value").await.unwrap();
    secret.as_str().map(str::to_owned).unwrap_or_default()
}

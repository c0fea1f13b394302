//! A real browser: Debian's chromium, driven by its chromedriver.
//!
//! WebDriver is JSON over HTTP, and reqwest is here anyway: what the tests need of it is this file. (Of the crates for it,
//! `thirtyfour` turns on `serde_json/preserve_order`, which would change the programs under test; `fantoccini` brings some
//! forty crates.) Beside WebDriver's own commands there are those of the Chrome DevTools Protocol, [`Browser::cdp`].
//!
//! Invariant: every browser has a profile, a port and a process group of its own; all end with the value.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use data_encoding::BASE64;
use reqwest::{Client, Method};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{boxes, env, free_port, process};

/// The two programs; both on the path.
pub const PROGRAMS: [&str; 2] = ["chromium", "chromedriver"];

/// The version of axe-core, the package of npm that the pages are checked with.
pub const AXE: &str = "4.14.1";

/// How long the driver may take to answer at all, and a page to become what a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at a page.
const LOOK: Duration = Duration::from_millis(40);
/// A key of WebDriver that names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// An open page in a browser of its own.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    session: String,
    driver: Child,
    profile: TempDir,
}

/// Whether this machine has a browser.
///
/// # Errors
/// When it has none and [must](must_be) have one.
pub fn is_here() -> anyhow::Result<bool> {
    let path = env("PATH").unwrap_or_default();
    let on_path = |program: &str| path.split(':').any(|folder| Path::new(folder).join(program).is_file());
    let found = PROGRAMS.into_iter().all(on_path);
    ensure!(found || !must_be(), "no browser (Debian: apt-get install chromium chromium-driver)");
    Ok(found)
}

/// The script that looks for what keeps people from using a page, where `cargo xtask test` has fetched it.
///
/// # Errors
/// When it is not there and [must](must_be) be.
pub fn axe() -> anyhow::Result<Option<String>> {
    let script = fs::read_to_string(axe_file()).ok();
    ensure!(script.is_some() || !must_be(), "no {}: cargo xtask test fetches it", axe_file().display());
    Ok(script)
}

/// Where [`axe`] looks.
pub fn axe_file() -> PathBuf {
    process::target().join(format!("axe-core-{AXE}/package/axe.min.js"))
}

/// Whether a run without a browser is no run: where `HADIR_REQUIRE_BROWSER` or `CI` is set.
fn must_be() -> bool {
    ["HADIR_REQUIRE_BROWSER", "CI"].into_iter().any(|name| env(name).is_some())
}

impl Browser {
    /// A new browser, 1366 × 768, with further switches.
    ///
    /// # Errors
    /// When chromium or its driver does not start.
    pub async fn start(switches: &[String]) -> anyhow::Result<Self> {
        let (profile, port, client) = (TempDir::new()?, free_port()?, boxes::client()?);
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Chromium stays in this group: whoever ends it, ends both.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("chromedriver cannot be started")?;
        let address = format!("http://127.0.0.1:{port}");
        let mut browser = Self { client, session: address, driver, profile };
        let start = Instant::now();
        while browser.command(Method::GET, "status", Value::Null).await.is_err() {
            ensure!(start.elapsed() < PATIENCE, "chromedriver does not answer");
            tokio::time::sleep(LOOK).await;
        }
        let fixed = [
            "--headless=new",
            // Chromium refuses to run as root with it.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--mute-audio",
            "--no-proxy-server",
            "--hide-scrollbars",
            "--window-size=1366,768",
        ];
        let switches = fixed.into_iter().map(str::to_owned).chain(switches.iter().cloned());
        let own = [format!("--user-data-dir={}", browser.profile.path().display())];
        let capabilities = json!({
            "goog:chromeOptions": { "args": switches.chain(own).collect::<Vec<_>>() },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let opened = browser.command(Method::POST, "session", wanted).await?;
        let id = opened["sessionId"].as_str().context("a session without an id")?;
        browser.session = format!("{}/session/{id}", browser.session);
        Ok(browser)
    }

    /// Goes to an address, and waits until the page and its scripts are loaded.
    ///
    /// # Errors
    /// When nothing answers there.
    pub async fn open(&self, url: &str) -> anyhow::Result<()> {
        self.post("url", json!({ "url": url })).await.map(drop)
    }

    /// Runs the body of a function in the page; it reads what it is given from `arguments`.
    ///
    /// # Errors
    /// When the script throws.
    pub async fn run(&self, script: &str, arguments: Value) -> anyhow::Result<Value> {
        let list = if arguments.is_array() { arguments } else { json!([arguments]) };
        let done = self.post("execute/sync", json!({ "script": script, "args": list })).await;
        done.with_context(|| format!("in the page: {script}"))
    }

    /// Waits until an expression in the page is neither null, false, 0 nor empty; answers its value.
    ///
    /// # Errors
    /// When that does not happen within half a minute; the error holds what the page shows.
    pub async fn until(&self, expression: &str) -> anyhow::Result<Value> {
        let (script, start) = (format!("return {expression}"), Instant::now());
        loop {
            let value = self.run(&script, Value::Null).await?;
            if ![Value::Null, json!(false), json!(0), json!("")].contains(&value) {
                return Ok(value);
            }
            if start.elapsed() > PATIENCE {
                let text = self.run("return document.body.innerText", Value::Null).await?;
                bail!(
                    "never came true: {expression}; the page shows:\n{}",
                    text.as_str().unwrap_or_default()
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What somebody sees of an element.
    ///
    /// # Errors
    /// When there is no such element.
    pub async fn text(&self, css: &str) -> anyhow::Result<String> {
        let text = self.run("return document.querySelector(arguments[0]).innerText", json!(css)).await?;
        Ok(text.as_str().unwrap_or_default().trim().to_owned())
    }

    /// A finger on the middle of an element, as a person would: it has to be there, to be seen, and nothing before it.
    ///
    /// # Errors
    /// When it cannot be touched.
    pub async fn tap(&self, css: &str) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            let element = self.element(css).await?;
            match self.post(&format!("element/{element}/click"), json!({})).await {
                // The page has drawn it anew since it was found.
                Err(gone) if gone.to_string().starts_with("stale") && start.elapsed() < PATIENCE => {}
                done => return done.map(drop).with_context(|| format!("{css} cannot be touched")),
            }
        }
    }

    /// Touches a field and types into it.
    ///
    /// # Errors
    /// As [`Browser::tap`].
    pub async fn fill(&self, css: &str, text: &str) -> anyhow::Result<()> {
        let element = self.element(css).await?;
        self.post(&format!("element/{element}/value"), json!({ "text": text })).await.map(drop)
    }

    /// Keys pressed and released one after the other, wherever the focus is, with a pause after each.
    ///
    /// # Errors
    /// When the page is gone.
    pub async fn keys(&self, keys: &str, pause: Duration) -> anyhow::Result<()> {
        let press = |key: char| {
            let pause = json!({ "type": "pause", "duration": pause.as_millis() });
            let mut ticks =
                vec![json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })];
            ticks.extend((pause["duration"] != 0).then_some(pause));
            ticks
        };
        let ticks: Vec<Value> = keys.chars().flat_map(press).collect();
        let source = json!({ "type": "key", "id": "scanner", "actions": ticks });
        self.post("actions", json!({ "actions": [source] })).await.map(drop)
    }

    /// A command of the Chrome DevTools Protocol.
    ///
    /// # Errors
    /// When the browser refuses it.
    pub async fn cdp(&self, command: &str, parameters: Value) -> anyhow::Result<Value> {
        let done = self.post("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await;
        done.with_context(|| command.to_owned())
    }

    /// Says for the person whether the page may have something: `granted`, `denied`, `prompt`.
    ///
    /// # Errors
    /// When the browser does not know that permission.
    pub async fn permit(&self, name: &str, state: &str) -> anyhow::Result<()> {
        self.post("permissions", json!({ "descriptor": { "name": name }, "state": state })).await.map(drop)
    }

    /// The screen's size in CSS pixels.
    ///
    /// # Errors
    /// When the page is gone.
    pub async fn resize(&self, width: u32, height: u32) -> anyhow::Result<()> {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.cdp("Emulation.setDeviceMetricsOverride", metrics).await.map(drop)
    }

    /// What the screen shows, as PNG.
    ///
    /// # Errors
    /// When the page is gone.
    pub async fn screenshot(&self) -> anyhow::Result<Vec<u8>> {
        let taken = self.cdp("Page.captureScreenshot", json!({ "format": "png" })).await?;
        Ok(BASE64.decode(taken["data"].as_str().context("no picture")?.as_bytes())?)
    }

    /// What the browser has complained of since the last call: failed scripts, refused resources.
    ///
    /// # Errors
    /// When the browser is gone.
    pub async fn complaints(&self) -> anyhow::Result<Vec<String>> {
        let log = self.post("se/log", json!({ "type": "browser" })).await?;
        let severe = log.as_array().into_iter().flatten().filter(|line| line["level"] == "SEVERE");
        Ok(severe.filter_map(|line| line["message"].as_str().map(str::to_owned)).collect())
    }

    async fn element(&self, css: &str) -> anyhow::Result<String> {
        let found = self.post("element", json!({ "using": "css selector", "value": css })).await?;
        Ok(found[ELEMENT].as_str().context("an element without an id")?.to_owned())
    }

    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.command(Method::POST, path, body).await
    }

    async fn command(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Value> {
        let request = self.client.request(method, format!("{}/{path}", self.session));
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.context("the browser does not answer")?;
        let (status, mut body) = (answer.status(), answer.json::<Value>().await?);
        let value = body["value"].take();
        ensure!(status.is_success(), "{}: {}", value["error"].as_str().unwrap_or("?"), value["message"]);
        Ok(value)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(group) = self.driver.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            // Gone already is as good.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

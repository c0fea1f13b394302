//! The console in a real browser, on both databases.
//!
//! Without chromium these tests say so and pass, unless `CI` or `HADIR_REQUIRE_BROWSER` is set: then they fail.

mod above;
mod live;
mod log;
mod manage;
mod pages;
mod people;
mod recap;
mod sender;
mod today;

use hadir_shared::demo;
use hadir_tests::browser::{self, Browser};
use serde_json::{Value, json};

use crate::school::{Cloud, Engine};

/// A page with all it loads, in bytes.
const HEAVIEST: u64 = 150_000;

/// Whether to go on; says so when not.
pub fn can_run() -> bool {
    let here = browser::is_here().unwrap();
    if !here {
        eprintln!("NOT RUN: this test needs chromium and chromedriver");
    }
    here
}

/// A cloud with the demo school, and a browser in which somebody is signed in to its console.
pub struct Console {
    pub cloud: Cloud,
    pub browser: Browser,
    /// Of SMAN1, as the addresses have it.
    pub school: i64,
}

impl Console {
    /// `number` signs in: `5001` is the administrator.
    pub async fn open(engine: Engine, number: &str) -> anyhow::Result<Self> {
        let cloud = Cloud::start(engine, 10).await?;
        let browser = Browser::start(&[]).await?;
        let mut console = Self { cloud, browser, school: 0 };
        console.sign_in(number).await?;
        let at = console.browser.until("location.pathname.match(/^\\/console\\/([0-9]+)$/)?.[1]").await?;
        console.school = at.as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
        Ok(console)
    }

    /// By the page, as people do.
    pub async fn sign_in(&self, number: &str) -> anyhow::Result<()> {
        self.browser.open(&format!("{}/console/login", self.cloud.url())).await?;
        self.browser.fill("#login", number).await?;
        self.browser.fill("#password", demo::PASSWORD).await?;
        self.browser.tap("form.card button.main").await?;
        self.browser.until("!location.pathname.endsWith('/login')").await.map(drop)
    }

    /// The address of a page of the school: `console.at("/log?status=failed")`.
    pub fn at(&self, path: &str) -> String {
        format!("{}/console/{}{path}", self.cloud.url(), self.school)
    }

    pub async fn go(&self, path: &str) -> anyhow::Result<()> {
        self.browser.open(&self.at(path)).await
    }

    /// In which language pages come from now on.
    pub async fn speak(&self, language: &str) -> anyhow::Result<()> {
        let cookie =
            json!({ "name": "hadir-language", "value": language, "url": self.cloud.url(), "secure": true });
        self.browser.cdp("Network.setCookie", cookie).await.map(drop)
    }

    pub async fn run(&self, script: &str) -> anyhow::Result<Value> {
        self.browser.run(script, Value::Null).await
    }

    /// What is wrong with a page: it is too heavy, or shows something else without scripts.
    pub async fn flaws(&self, url: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        self.browser.cdp("Network.enable", json!({})).await.unwrap();
        self.browser.cdp("Network.clearBrowserCache", json!({})).await.unwrap();
        self.browser.open(url).await.unwrap();
        let weight = "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
            .reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0)";
        let weight = self.run(weight).await.unwrap().as_u64().unwrap();
        if weight > HEAVIEST {
            wrong.push(format!("{url} weighs {weight}"));
        }
        // A box was heard of some seconds ago, and then some more.
        let text =
            "return document.getElementById('main').innerText.replace(/[0-9]+ detik lalu/g, 'baru saja')";
        let with = self.run(text).await.unwrap();
        self.scripts(false).await.unwrap();
        self.browser.open(url).await.unwrap();
        let without = self.run(text).await.unwrap();
        self.scripts(true).await.unwrap();
        if with != without || with.as_str().unwrap().len() < 20 {
            wrong.push(format!("{url} shows\n{with}\nand without scripts\n{without}"));
        }
        wrong
    }

    /// Whether scripts run in pages that are opened from now on.
    pub async fn scripts(&self, run: bool) -> anyhow::Result<()> {
        self.browser.cdp("Emulation.setScriptExecutionDisabled", json!({ "value": !run })).await.map(drop)
    }
}

//! Every page of the console, kept and looked at; what a page weighs; what it shows without scripts.

use serde_json::json;

use super::{Console, can_run};
use crate::{
    album::{Album, LANGUAGES},
    school::Engine,
};

/// Address below the school, and the name of its picture. A page that needs an id finds it through a link of another.
const PAGES: &[(&str, &str)] = &[
    ("", "overview"),
    ("/log", "log"),
    ("/log?status=ditolak", "log-refused"),
    ("/fleet", "fleet"),
    ("/leaves", "leaves"),
    ("/leaves?status=semua", "leaves-all"),
    ("/people", "people"),
    ("/classes", "classes"),
    ("/classes/promote", "promote"),
    ("/cards", "cards"),
    ("/import", "import"),
    ("/recap", "recap"),
    ("/recap?class=1", "recap-class"),
    ("/calendar", "calendar"),
    ("/announcements", "announcements"),
    ("/settings?latitude=-6.2005&longitude=106.817&accuracy=20", "settings"),
    ("/roles", "roles"),
    ("/sessions", "sessions"),
    ("/audit", "audit"),
    ("/jobs", "jobs"),
];

/// A page with all it loads, in bytes.
const HEAVIEST: u64 = 150_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_can_be_seen_and_read_in_both_languages() {
    if !can_run() {
        return;
    }
    let Some(mut album) = Album::open("console") else { return };
    let console = Console::open(Engine::Sqlite, "5001").await.unwrap();
    for (language, scheme) in LANGUAGES {
        album.turn(&console.browser, language, scheme).await;
        console.speak(language).await.unwrap();
        for (path, name) in PAGES {
            console.go(path).await.unwrap();
            assert_eq!(
                console.run("return document.documentElement.lang").await.unwrap(),
                language,
                "{path}"
            );
            album.keep(&console.browser, name).await;
        }
    }
    let complaints = console.browser.complaints().await.unwrap();
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert!(album.findings.is_empty(), "{:#?}", album.findings);
    assert_eq!(album.seen, PAGES.len() * LANGUAGES.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_weighs_little_and_shows_the_same_without_scripts() {
    if !can_run() {
        return;
    }
    let console = Console::open(Engine::Sqlite, "5001").await.unwrap();
    let mut wrong = Vec::new();
    for (path, _) in PAGES {
        console.browser.cdp("Network.enable", json!({})).await.unwrap();
        console.browser.cdp("Network.clearBrowserCache", json!({})).await.unwrap();
        console.go(path).await.unwrap();
        let weight = "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
            .reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0)";
        let weight = console.run(weight).await.unwrap().as_u64().unwrap();
        if weight > HEAVIEST {
            wrong.push(format!("{path} weighs {weight}"));
        }
        let text = "return document.getElementById('main').innerText";
        let with = console.run(text).await.unwrap();
        console.scripts(false).await.unwrap();
        console.go(path).await.unwrap();
        let without = console.run(text).await.unwrap();
        console.scripts(true).await.unwrap();
        if with != without || with.as_str().unwrap().len() < 20 {
            wrong.push(format!("{path} shows\n{with}\nand without scripts\n{without}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

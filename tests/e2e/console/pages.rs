//! Every page of the console, kept and looked at; what a page weighs; what it shows without scripts.

use hadir_tests::boxes::client;
use serde_json::json;

use super::{
    Console, can_run,
    sender::{days_of, enrolled, send, unknown_card},
};
use crate::{
    album::{Album, LANGUAGES},
    school::Engine,
};

/// Address below the school, and the name of its picture. A page that needs an id, here a star, is found through the first
/// link to one in the list above it.
const PAGES: &[(&str, &str)] = &[
    ("", "overview"),
    ("/log", "log"),
    ("/log?status=ditolak", "log-refused"),
    ("/log/*", "record"),
    ("/log/*?status=ditolak", "record-refused"),
    ("/fleet", "fleet"),
    ("/fleet/*", "box"),
    ("/leaves", "leaves"),
    ("/leaves?status=semua", "leaves-all"),
    ("/people", "people"),
    ("/people/*", "person"),
    ("/classes", "classes"),
    ("/classes/*", "class"),
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
    ("/second-factor", "second-factor"),
    ("/jobs", "jobs"),
    ("/outbox", "outbox"),
];

/// With a box, and records of it in every state somebody has to look at.
async fn filled() -> Console {
    let console = Console::open(Engine::Sqlite, "5001").await.unwrap();
    let mut sender = enrolled(&console).await;
    let pupils = console.cloud.cards("5001").await.unwrap();
    let mut events: Vec<_> =
        pupils.iter().take(4).flat_map(|card| days_of(&sender, card.student, None, 3)).collect();
    events.push(unknown_card(&sender, "KARTU-LAMA-17"));
    let batch = sender.batch(events);
    send(&sender, &batch).await;
    // What somebody who forgot his password is sent has nowhere to go here, and is kept.
    let forgot = format!("{}/sso/auth/forgot-password", console.cloud.url());
    let asked =
        client().unwrap().post(forgot).json(&json!({ "email": "2001@sman1.example" })).send().await.unwrap();
    assert!(asked.status().is_success());
    console
}

/// The pages, with an id for every star.
async fn addresses(console: &Console) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    for (path, name) in PAGES {
        let Some((list, query)) = path.split_once("/*") else {
            found.push(((*path).to_owned(), *name));
            continue;
        };
        console.go(&format!("{list}{query}")).await.unwrap();
        let link = format!(
            "return [...document.links].map((a) => a.pathname.split('/')).find(([, , , list, id]) => \
             '/' + list === '{list}' && /^[0-9a-f-]+$/.test(id ?? ''))?.[4]"
        );
        let id = console.run(&link).await.unwrap();
        assert!(id.is_string(), "{list}{query} leads to none");
        let id = id.as_str().unwrap_or_default();
        found.push((format!("{list}/{id}"), *name));
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_can_be_seen_and_read_in_both_languages() {
    if !can_run() {
        return;
    }
    let Some(mut album) = Album::open("console") else { return };
    let console = filled().await;
    let pages = addresses(&console).await;
    for (language, scheme) in LANGUAGES {
        album.turn(&console.browser, language, scheme).await;
        console.speak(language).await.unwrap();
        for (path, name) in &pages {
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
    let console = filled().await;
    let mut wrong = Vec::new();
    for (path, _) in &addresses(&console).await {
        wrong.extend(console.flaws(&console.at(path)).await);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

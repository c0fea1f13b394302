//! Staff check in with their own telephone, wherever it thinks it is.

use hadir_shared::demo;
use hadir_tests::{api::Api, browser::Browser};
use serde_json::{Value, json};

use super::{
    School, can_run,
    kiosk::{on_screen, token},
};
use crate::school::Edge;

/// Counts what a finger does, from the moment a page opens.
const TAPS: &str =
    "window.taps = 0; addEventListener('pointerdown', (event) => event.isTrusted && taps++, true);";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_place_leads_on_with_two_touches_at_most() {
    if !can_run() {
        return;
    }
    let school = School::start().await.unwrap();
    school.opens().await.unwrap();
    let edge = school.edge().await.unwrap();
    let [edge] = school.cut_off([edge]).await.unwrap();
    let browser = Browser::start(&[]).await.unwrap();
    browser.open(&format!("{}/kiosk", edge.url())).await.unwrap();
    let shown = on_screen(&browser, &edge).await;
    assert!(shown.starts_with(&format!("{}/c/", edge.url())), "{shown}");

    browser.resize(360, 740).await.unwrap();
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", json!({ "source": TAPS })).await.unwrap();
    let centre = demo::schools()[0].point;
    // A degree of latitude is 111 km.
    let north = |metres: f64| centre.latitude + metres / 111_195.0;
    for (number, place, fence, said) in [
        ("2001", Some((north(20.0), 10.0)), json!("inside"), "Anda di dalam area sekolah."),
        (
            "2002",
            Some((north(120.0), 150.0)),
            json!("uncertain"),
            "Lokasi belum pasti; absen diterima dan ditandai.",
        ),
        (
            "2003",
            Some((north(1_000.0), 10.0)),
            json!("outside"),
            "Lokasi di luar area; absen diterima dan ditandai.",
        ),
        ("2004", None, Value::Null, "Tercatat tanpa lokasi."),
    ] {
        if let Some((latitude, accuracy)) = place {
            browser.permit("geolocation", "granted").await.unwrap();
            let position =
                json!({ "latitude": latitude, "longitude": centre.longitude, "accuracy": accuracy });
            browser.cdp("Emulation.setGeolocationOverride", position).await.unwrap();
        } else {
            browser.permit("geolocation", "denied").await.unwrap();
        }
        sign_in(&browser, &edge, number).await;

        browser.open(&token(&edge).await).await.unwrap();
        let known = fence.as_str().unwrap_or("denied");
        browser
            .until(&format!("document.getElementById('place').dataset.state === '{known}'"))
            .await
            .unwrap();
        browser.tap("#in").await.unwrap();
        browser.until("!document.getElementById('answer').hidden").await.unwrap();
        let answer = browser.text("#answer").await.unwrap();
        assert!(
            ["Masuk ", "Tercatat · Hadir", said].iter().all(|part| answer.contains(part)),
            "{number}: {answer}"
        );
        let taps = browser.run("return taps", Value::Null).await.unwrap();
        assert!((1..=2).contains(&taps.as_i64().unwrap()), "{number} touched the screen {taps} times");

        let own = Api::login(&edge.url(), number, demo::PASSWORD).await.unwrap();
        let history = own.get("/api/attendance/history").await.unwrap();
        let row = &history["data"]["data"][0];
        assert_eq!((&row["type"], &row["fence"]), (&json!("checkin"), &fence), "{number}: {history}");
    }
    assert_eq!(browser.complaints().await.unwrap(), [""; 0]);
}

/// As on the first morning: it is remembered from then on. The cloud is not asked.
async fn sign_in(browser: &Browser, edge: &Edge, number: &str) {
    browser.open(&format!("{}/c/kode", edge.url())).await.unwrap();
    if browser.run("return !document.getElementById('login').open", Value::Null).await.unwrap() == true {
        browser.tap("#leave").await.unwrap();
        browser.until("document.getElementById('leave').hidden").await.unwrap();
        browser.open(&format!("{}/c/kode", edge.url())).await.unwrap();
    }
    browser.until("document.getElementById('login').open").await.unwrap();
    browser.fill("#login-number", number).await.unwrap();
    browser.fill("#login-password", demo::PASSWORD).await.unwrap();
    browser.tap("#login-form button").await.unwrap();
    browser.until("!document.getElementById('login').open").await.unwrap();
}

use axum::{
    body::{Body, HttpBody as _},
    extract::ConnectInfo,
    http::{Request, Response, header},
};
use serde_json::{Value, json};
use std::{future::poll_fn, net::SocketAddr, pin::Pin, time::Duration};
use tokio::time::timeout;
use tower::ServiceExt as _;

use super::LISTENERS;
use crate::http::testing::Served;

const PATIENCE: Duration = Duration::from_secs(5);

async fn listen(router: &axum::Router) -> Response<Body> {
    let request = Request::get("/api/gate/events").header(header::HOST, "localhost:8080");
    let peer = ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 40_000)));
    router.clone().oneshot(request.extension(peer).body(Body::empty()).unwrap()).await.unwrap()
}

/// The next state; `None` when the stream ends. Heartbeats are skipped.
async fn next(body: &mut Body) -> Option<Value> {
    loop {
        let frame = timeout(PATIENCE, poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)))
            .await
            .expect("something is said in time")?
            .unwrap();
        let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
        if let Some(json) = text.strip_prefix("data: ") {
            return Some(serde_json::from_str(json.strip_suffix("\n\n").unwrap()).unwrap());
        }
    }
}

#[tokio::test]
async fn a_page_sees_the_scan_of_another_gate_at_once() {
    let school = Served::at("06:41:00").await;
    let answer = listen(school.router()).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut page = answer.into_body();
    let first = next(&mut page).await.unwrap();
    assert_eq!((&first["counts"]["checked_in"], &first["latest"]), (&json!(0), &json!([])));
    assert_eq!(first, school.get("/api/gate").here().await.data(), "what a page that asks is told");
    school.post("/api/scan", json!({"number": "1001", "gate": "Gerbang 2"})).here().await.data();
    let second = next(&mut page).await.unwrap();
    assert_eq!(
        (&second["counts"]["checked_in"], &second["latest"][0]["gate"]),
        (&json!(1), &json!("Gerbang 2"))
    );
}

#[tokio::test]
async fn who_may_not_scan_does_not_listen() {
    let school = Served::at("06:41:00").await;
    school.get("/api/gate/events").await.refused(401, "Token tidak valid");
    let head = school.token("4001").await;
    school
        .get("/api/gate/events")
        .bearer(&head)
        .await
        .refused(403, "Hanya guru yang dapat melakukan absensi siswa");
}

#[tokio::test]
async fn places_are_counted_and_given_back() {
    let school = Served::at("06:41:00").await;
    let mut pages = Vec::new();
    for _ in 0..LISTENERS {
        pages.push(listen(school.router()).await);
    }
    let refused = listen(school.router()).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"15".parse().unwrap()));
    assert_eq!(school.get("/api/gate").here().await.status, 200, "who asks is answered all the same");
    pages.pop();
    for _ in 0..50 {
        if listen(school.router()).await.status() == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the place of a page that went away stays taken");
}

#[tokio::test]
async fn who_does_not_read_is_dropped() {
    let school = Served::at("06:41:00").await;
    let mut page = listen(school.router()).await.into_body();
    next(&mut page).await.unwrap();
    for number in 1_001..1_009 {
        school.post("/api/scan", json!({"number": number.to_string()})).here().await.data();
        tokio::time::sleep(Duration::from_millis(260)).await;
    }
    let mut held = 0;
    while next(&mut page).await.is_some() {
        held += 1;
    }
    assert_eq!(held, super::BEHIND, "what was on its way, and then the end");
}

#[tokio::test]
async fn a_box_that_stops_keeps_nobody_waiting() {
    let school = Served::at("06:41:00").await;
    let mut page = listen(school.router()).await.into_body();
    next(&mut page).await.unwrap();
    school.node().hang_up();
    assert_eq!(next(&mut page).await, None);
}

//! The two walkthroughs of ARCHITECTURE.md, step by step.

use hadir_shared::demo;
use hadir_tests::{
    api::Api,
    cards::{self, Face},
    frames::{self, Shot},
};
use rand::{SeedableRng as _, rngs::StdRng};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    ledger::log_of_the_box,
    school::{Cloud, Edge, Engine, identity, on_both},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scans_life() {
    on_both(scan_life).await;
}

async fn scan_life(engine: Engine) {
    let cloud = Cloud::start(engine, 30).await.unwrap();
    let edge = Edge::enrol(&cloud, &cloud.url()).await.unwrap();
    let card = cloud.cards("5001").await.unwrap().remove(0);

    // 1. A camera sees a card, and the box reads it, decides and writes before it answers.
    let face = Face {
        school: "SMA Negeri 1 Hadir".into(),
        name: "Siswa".into(),
        number: card.number.clone(),
        class: "X IPA 1".into(),
        code: card.code.clone(),
    };
    let shot = Shot { scale: 0.7, turn: -6.0, offset: (0.0, 0.0), brightness: 1.0, background: 80, noise: 3 };
    let mut rng = StdRng::seed_from_u64(3);
    let frame = frames::jpeg(&frames::frame(&cards::draw(&face).unwrap(), shot, &mut rng)).unwrap();
    let request = edge.client.post(format!("{}/api/scan/frame?direction=checkin", edge.url()));
    let answer: Value =
        request.header("content-type", "image/jpeg").body(frame).send().await.unwrap().json().await.unwrap();
    let result = &answer["data"]["results"][0];
    assert_eq!(result["number"], card.number, "{answer}");
    let seq = result["seq"].as_i64().unwrap();

    // 2. It is a record of the log, chained to the one before.
    let status = edge.drained().await.unwrap();
    let (device, log) = identity(&status).unwrap();
    let written = log_of_the_box(&edge.database(), log).unwrap();
    assert!(written.iter().any(|(at, body, _)| *at == seq && body.contains("\"scan\"")));

    // 3. A batch carried it to the cloud, whose receipt moved the watermark.
    assert!(status["acked_through"].as_i64().unwrap() >= seq, "{status}");
    let kept = cloud.books().records(device).await.unwrap();
    assert!(kept.iter().any(|record| record.seq == seq && record.verdict == "stored"));

    // 4. It is in the books, and an administrator sees the record and where it came from.
    let admin = cloud.sign_in("5001").await.unwrap();
    let path = format!("/api/offline-sync?status=success&action_type=attendance&user_id={}", card.student);
    let logs = admin.rows(&path).await.unwrap();
    assert_eq!(logs.len(), 1, "{logs:?}");
    assert_eq!(logs[0]["user"]["nisn_nip_nik"], card.number);
    assert_eq!(logs[0]["error_message"], Value::Null);
    let class = admin.get("/api/classes").await.unwrap()["data"][0]["id"].clone();
    let of_the_class = admin.get(&format!("/api/student-attendance/class-status/{class}")).await.unwrap();
    let present = of_the_class["data"].as_array().unwrap().iter().filter(|s| s["attended"] == true).count();
    assert_eq!(present, 1, "{of_the_class}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login() {
    on_both(login).await;
}

async fn login(engine: Engine) {
    let mut cloud = Cloud::start(engine, 30).await.unwrap();
    let edge = Edge::enrol(&cloud, &cloud.url()).await.unwrap();

    // 1. A teacher signs in at the cloud; the token says who, and the cloud's key set checks it.
    let teacher = cloud.sign_in("2001").await.unwrap();
    let me = teacher.get("/api/user").await.unwrap();
    assert_eq!(me["data"]["user"]["nisn_nip_nik"], "2001");
    let keys: Value = edge
        .client
        .get(format!("{}/.well-known/jwks.json", cloud.url()))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(keys["keys"][0]["crv"], "Ed25519", "{keys}");

    // 2. The session can be ended, and then the token is worth nothing.
    teacher.post("/api/auth/logout", &json!({})).await.unwrap();
    let after = teacher.request(Method::GET, "/api/user").send().await.unwrap();
    assert_eq!(after.status(), 401);

    // 3. Without the cloud, the box knows the same teacher by the verifier that came with the roster.
    cloud.kill().await.unwrap();
    let offline = Api::login(&edge.url(), "2001", demo::PASSWORD).await.unwrap();
    let me = offline.get("/api/user").await.unwrap();
    assert_eq!(me["data"]["user"]["nisn_nip_nik"], "2001");
    assert!(Api::login(&edge.url(), "2001", "Salah-sekali-1").await.is_err());
}

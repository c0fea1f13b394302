//! Many at once, and what can be told from how long an answer takes.

use std::time::{Duration, Instant};

use axum::body::Body;

use super::*;
use crate::testing::{Answer, request};

/// A login from an address of its own.
async fn from(t: &TestApp, n: u32, number: &str, password: &str) -> Answer {
    let [_, first, second, third] = n.to_be_bytes();
    let asked = request("POST", "/api/auth/login", None)
        .header("x-forwarded-for", format!("10.{first}.{second}.{third}"))
        .header("content-type", "application/json");
    let body = json!({"nisn_nip_nik": number, "password": password}).to_string();
    t.send(asked.body(Body::from(body)).unwrap()).await
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// T29: two hundred at once wait in a queue of bounded length, and nobody waits for them.
#[tokio::test]
async fn t29_many_logins_at_once_leave_everybody_else_alone() {
    let folder = tempfile::tempdir().unwrap();
    let t = TestApp::sqlite(folder.path()).await.configured(|config| config.trust_proxy = true);
    let mut many = tokio::task::JoinSet::new();
    for n in 0..200 {
        let t = t.clone();
        many.spawn(async move { from(&t, n, &format!("nobody-{n}"), "salah semua").await });
    }
    let (mut longest, mut asked) = (Duration::ZERO, 0);
    while !many.is_empty() && asked < 50 {
        let start = Instant::now();
        assert_eq!(t.get("/healthz", None).await.status, 200);
        longest = longest.max(start.elapsed());
        asked += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
        while many.try_join_next().inspect(|answer| sound(answer.as_ref().unwrap())).is_some() {}
    }
    for answer in many.join_all().await {
        sound(&answer);
    }
    // A tenth of a second on a machine of its own; the tests share theirs.
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    t.app.db.close().await;
}

/// A login that was looked at, or was told to come back.
fn sound(answer: &Answer) {
    match answer.status.as_u16() {
        401 => {}
        503 => assert!(answer.headers.contains_key("retry-after"), "{answer:?}"),
        other => panic!("{other}: {answer:?}"),
    }
}

/// T24: an unknown login takes as long as a wrong password. How long exactly is the machine's business, so the gate is wide;
/// one that hashed nothing would be a hundred times faster.
#[tokio::test]
async fn t24_an_unknown_login_cannot_be_told_by_its_time() {
    TestApp::both(async |t| {
        let t = t.configured(|config| config.trust_proxy = true);
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for n in 0..15 {
            for (number, times) in [("2001", &mut known), ("9999", &mut unknown)] {
                let start = Instant::now();
                let answer = from(&t, n, number, "salah semua").await;
                times.push(start.elapsed());
                assert_eq!(answer.status, 401, "{}: {}", t.on, answer.body);
            }
        }
        let (known, unknown) = (median(known), median(unknown));
        let ratio = known.as_secs_f64() / unknown.as_secs_f64();
        assert!((0.33..3.0).contains(&ratio), "{}: {known:?} and {unknown:?}", t.on);
    })
    .await;
}

/// T25 and T40: ten thousand guesses from one address cost a hundred hashes, and a claimed address is not believed.
#[tokio::test]
async fn t25_guesses_from_one_address_end_before_they_are_hashed() {
    TestApp::both(async |t| {
        for n in 0..100 {
            assert_eq!(from(&t, n, &format!("nobody-{n}"), "salah semua").await.status, 401, "{} {n}", t.on);
        }
        let start = Instant::now();
        for n in 100..300 {
            let answer = from(&t, n, &format!("nobody-{n}"), "salah semua").await;
            assert_eq!(answer.status, 429, "{}: whatever the header says", t.on);
            assert!(answer.headers.contains_key("retry-after"), "{}", t.on);
        }
        let each = start.elapsed() / 200;
        assert!(each < Duration::from_millis(50), "{}: {each:?} each", t.on);
        // Nor for one account that waits already.
        t.clock.advance_ms(11 * 60_000);
        let answers: Vec<u16> = {
            let mut all = Vec::new();
            for n in 0..102 {
                all.push(from(&t, n, "nobody", "salah semua").await.status.as_u16());
            }
            all
        };
        assert_eq!((&answers[..100], &answers[100..]), (&[401; 100][..], &[429; 2][..]), "{}", t.on);
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let (rows,): (i64,) = tx.query("SELECT COUNT(*) FROM login_throttles").one().await.unwrap();
        assert!(rows <= 102, "{}: {rows} rows; those who were sent away left none", t.on);
    })
    .await;
}

//! Many at once, and what can be told from how long an answer takes.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use axum::body::Body;

use super::*;
use crate::testing::{Answer, request};

/// What comes in a minute, all in one moment of the tests' clock.
const MANY: u32 = 10_000;
/// When so many come in a minute and each waits two seconds, 333 wait at once. This is three times that crowd, so that the test
/// takes a third of the minute.
const AT_ONCE: usize = 1_000;
/// Addresses, as [`from`] numbers them: where the account's owner signs in, and where nobody ever did.
const HIS_OWN: u32 = 0x00ff_0001;
const STRANGE: u32 = 0x00ff_0002;

/// A login from an address of its own.
async fn from(t: &TestApp, n: u32, number: &str, password: &str) -> Answer {
    let [_, first, second, third] = n.to_be_bytes();
    let asked = request("POST", "/api/auth/login", None)
        .header("x-forwarded-for", format!("10.{first}.{second}.{third}"))
        .header("content-type", "application/json");
    let body = json!({"nisn_nip_nik": number, "password": password}).to_string();
    t.send(asked.body(Body::from(body)).unwrap()).await
}

/// Sends a login for each number, with the address and the account that `of` gives it; how often there was which answer.
async fn flood(
    t: &TestApp,
    numbers: Range<u32>,
    at_once: usize,
    of: impl Fn(u32) -> (u32, String) + Copy + Send + 'static,
) -> BTreeMap<u16, u32> {
    let next = Arc::new(AtomicU32::new(numbers.start));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..at_once {
        let (t, next) = (t.clone(), next.clone());
        senders.spawn(async move {
            let mut answers = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= numbers.end {
                    return answers;
                }
                let (address, number) = of(n);
                let answer = from(&t, address, &number, "salah semua").await;
                assert!([401, 429, 503].contains(&answer.status.as_u16()), "{}: {answer:?}", t.on);
                let comes_back = answer.status != 401;
                assert_eq!(answer.headers.contains_key("retry-after"), comes_back, "{}: {answer:?}", t.on);
                answers.push(answer.status.as_u16());
            }
        });
    }
    let mut counts = BTreeMap::new();
    for status in senders.join_all().await.into_iter().flatten() {
        *counts.entry(status).or_default() += 1;
    }
    counts
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

/// T25 and T40: of ten thousand guesses at an account from one address a hundred are hashed; a claimed address is not believed;
/// and the account's owner comes in all the while.
#[tokio::test]
async fn t25_ten_thousand_guesses_from_one_address_cost_a_hundred_hashes() {
    TestApp::both(async |t| {
        let proxied = t.configured(|config| config.trust_proxy = true);
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        t.user(school, "2002", seed::TEACHER).await;
        assert_eq!(from(&proxied, HIS_OWN, "2001", PASSWORD).await.status, 200);

        let at_him = |n: u32| (n, "2001".to_owned());
        let looked_at = flood(&t, 0..100, 8, at_him).await;
        assert_eq!(looked_at, BTreeMap::from([(401, 100)]), "{}", t.on);
        // What is not hashed is all that can be answered now.
        let no_place = t.app.identity.hasher().taken().await;
        assert_eq!(from(&t, 100, "2001", "salah semua").await.status, 429, "{}", t.on);
        let start = Instant::now();
        let sent_away = flood(&t, 101..MANY, 32, at_him).await;
        let each = start.elapsed() / MANY;
        assert_eq!(sent_away, BTreeMap::from([(429, MANY - 101)]), "{}: whatever the header says", t.on);
        assert!(each < Duration::from_millis(50), "{}: {each:?} each", t.on);
        drop(no_place);

        assert_eq!(from(&t, 0, "2001", PASSWORD).await.status, 429, "{}: who guesses right too late", t.on);
        assert_eq!(
            from(&proxied, STRANGE, "2001", PASSWORD).await.status,
            401,
            "{}: the account waits",
            t.on
        );
        assert_eq!(
            from(&proxied, HIS_OWN, "2001", PASSWORD).await.status,
            200,
            "{}: where he was before",
            t.on
        );
        assert_eq!(from(&proxied, STRANGE, "2002", PASSWORD).await.status, 200, "{}: anybody else", t.on);
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let (rows,): (i64,) = tx.query("SELECT COUNT(*) FROM login_throttles").one().await.unwrap();
        assert!(rows < 10, "{}: {rows} rows; those who were sent away left none", t.on);
    })
    .await;
}

/// T40: nor do guesses at many accounts, or at one that nobody has, cost an address's worth more.
#[tokio::test]
async fn t40_an_address_has_a_hundred_failures_in_ten_minutes() {
    TestApp::both(async |t| {
        for at in [|n: u32| (n, format!("nobody-{n}")), |n: u32| (n, "nobody".to_owned())] {
            assert_eq!(flood(&t, 0..100, 8, at).await, BTreeMap::from([(401, 100)]), "{}", t.on);
            assert_eq!(flood(&t, 100..110, 1, at).await, BTreeMap::from([(429, 10)]), "{}", t.on);
            t.clock.advance_ms(11 * 60_000);
        }
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let (rows,): (i64,) = tx.query("SELECT COUNT(*) FROM login_throttles").one().await.unwrap();
        assert!(rows <= 102, "{}: {rows} rows; those who were sent away left none", t.on);
    })
    .await;
}

/// T25 and T29: ten thousand guesses from as many addresses are looked at or told to come back, and everybody else is served.
/// That the memory of the whole process stays flat is measured where it has one to itself: `cargo xtask bench --only identity`.
#[tokio::test]
async fn t29_ten_thousand_logins_from_as_many_addresses_leave_everybody_else_alone() {
    TestApp::both(async |t| {
        let t = t.configured(|config| config.trust_proxy = true);
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let his = from(&t, HIS_OWN, "2001", PASSWORD).await;
        let token = his.body["data"]["token"].as_str().unwrap().to_owned();

        // Half of them at one account, half at accounts that nobody has.
        let at = |n: u32| (n, if n.is_multiple_of(2) { "2001".to_owned() } else { format!("nobody-{n}") });
        let (flooded, start) = (t.clone(), Instant::now());
        let flood = tokio::spawn(async move { flood(&flooded, 0..MANY, AT_ONCE, at).await });
        let (mut longest, mut asked) = (Duration::ZERO, 0);
        while !flood.is_finished() {
            let start = Instant::now();
            assert_eq!(t.get("/api/user", Some(&token)).await.status, 200, "{}", t.on);
            assert_eq!(t.get("/healthz", None).await.status, 200, "{}", t.on);
            longest = longest.max(start.elapsed());
            asked += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (answers, took) = (flood.await.unwrap(), start.elapsed());
        eprintln!("{}: {answers:?} in {took:?}; {asked} others, {longest:?} at most", t.on);
        assert_eq!(answers.values().sum::<u32>(), MANY, "{}", t.on);
        assert!(answers.keys().all(|status| [401, 503].contains(status)), "{}: {answers:?}", t.on);
        assert!(answers[&401] >= 100, "{}: {answers:?}", t.on);
        // What a request waits for a connection to the database at most. Behind a thousand hashes it would be half a minute.
        assert!(longest < Duration::from_secs(10), "{}: {longest:?}", t.on);

        let places = std::thread::available_parallelism().unwrap().get();
        let kept = t.app.identity.hasher().memories();
        assert!(kept <= places, "{}: {kept} memories of 19 MiB for {places} places", t.on);
        assert_eq!(from(&t, HIS_OWN, "2001", PASSWORD).await.status, 200, "{}: where he was before", t.on);
        t.clock.advance_ms(2 * 3600 * 1000);
        commit(&t, async |tx| purge(tx, &t.app).await.unwrap()).await;
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let (rows,): (i64,) = tx.query("SELECT COUNT(*) FROM login_throttles").one().await.unwrap();
        assert_eq!(rows, 0, "{}: it is forgotten where it was counted", t.on);
    })
    .await;
}

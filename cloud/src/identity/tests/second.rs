//! The second factor: set up, asked for, guessed at, taken away.

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;

use super::*;
use crate::identity::second::{self, FIELD};

const STEP_MS: i64 = 30_000;

/// What the app on the phone shows, `steps` half minutes from now.
fn code(t: &TestApp, secret: &str, steps: i64) -> String {
    let key = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let step = t.app.now().0 / STEP_MS + steps;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 15);
    format!("{:06}", (u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff) % 1_000_000)
}

fn wrong(t: &TestApp, secret: &str) -> String {
    let near: Vec<String> = (-1..=1).map(|steps| code(t, secret, steps)).collect();
    ["000000", "000001", "000002", "000003"].into_iter().find(|c| near.iter().all(|n| n != c)).unwrap().into()
}

/// Somebody with a second factor: his secret, and his recovery codes.
async fn set_up(t: &TestApp, who: &Caller) -> (String, Vec<String>) {
    let enrolment = second::begin(&t.app, who).await.unwrap();
    let codes = second::confirm(&t.app, who, &code(t, &enrolment.secret, 0)).await.unwrap();
    t.clock.advance_ms(STEP_MS);
    (enrolment.secret, codes)
}

async fn attempt(t: &TestApp, number: &str, password: &str, proof: Proof<'_>) -> Result<Entered, Fail> {
    let session = NewSession { client: "test", address: HOME, user_agent: None, life_ms: DAY_MS };
    enter(&t.app, &Attempt { key: Key::Number(number), password, session }, proof, |_| Ok(())).await
}

async fn with_code(t: &TestApp, code: &str) -> Result<Entered, Fail> {
    attempt(t, "2001", PASSWORD, Proof { code: Some(code), ..Proof::default() }).await
}

async fn ticket(t: &TestApp) -> String {
    match attempt(t, "2001", PASSWORD, Proof::default()).await.unwrap() {
        Entered::Half(ticket) => ticket,
        Entered::In(_) => panic!("{}: in without a code", t.on),
    }
}

async fn finished(t: &TestApp, ticket: &str, code: &str) -> Result<SignedIn, Fail> {
    let session = NewSession { client: "test", address: HOME, user_agent: None, life_ms: DAY_MS };
    finish(&t.app, ticket, code, &session, |_| Ok(())).await
}

fn is_about_the_code(fail: &Fail) -> bool {
    matches!(fail, Fail::Invalid(problems) if problems.len() == 1 && problems[0].field == FIELD)
}

/// T30.
#[tokio::test]
async fn t30_a_code_is_asked_for_everywhere_and_works_once() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let (first, other) = (sign_in(&t, "2001").await, sign_in(&t, "2001").await);
        let (secret, _) = set_up(&t, &first.caller).await;
        assert!(who(&t, &other.token).await.is_err(), "{}: the other sessions ended", t.on);
        assert_eq!(who(&t, &first.token).await.unwrap().assurance, Assurance::SecondFactor, "{}", t.on);
        assert!(matches!(second::begin(&t.app, &first.caller).await, Err(Fail::Conflict(_))), "{}", t.on);

        let bare = try_login(&t, "2001", PASSWORD, HOME).await.unwrap_err();
        assert!(is_about_the_code(&bare), "{}: {bare:?}", t.on);
        let api = json!({"nisn_nip_nik": "2001", "password": PASSWORD});
        let answer = t.post("/api/auth/login", None, api.clone()).await;
        assert_eq!(answer.status, 422, "{}: the module's login is no way around it: {}", t.on, answer.body);
        assert!(answer.body["errors"]["otp"].is_array(), "{}", answer.body);

        let now = code(&t, &secret, 0);
        assert!(matches!(with_code(&t, &now).await, Ok(Entered::In(_))), "{}", t.on);
        assert!(is_about_the_code(&with_code(&t, &now).await.unwrap_err()), "{}: a second time", t.on);
        t.clock.advance_ms(STEP_MS);
        let mut body = api;
        body["otp"] = json!(code(&t, &secret, 0));
        assert_eq!(t.post("/api/auth/login", None, body.clone()).await.status, 200, "{}", t.on);
        assert_eq!(t.post("/api/auth/login", None, body).await.status, 422, "{}: the same code again", t.on);
        let wrong_password = attempt(&t, "2001", "salah semua", Proof::default()).await;
        assert!(matches!(wrong_password, Err(Fail::BadCredentials)), "{}: no word of a code", t.on);
    })
    .await;
}

/// T30: a recovery code once, and again none after new ones were made.
#[tokio::test]
async fn t30_a_recovery_code_works_once_however_it_is_typed() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let user = t.user(school, "2001", seed::TEACHER).await;
        let first = sign_in(&t, "2001").await;
        let (secret, codes) = set_up(&t, &first.caller).await;
        assert_eq!(codes.len(), 10);
        let typed = codes[0].to_uppercase().replace('-', " ");
        assert!(matches!(with_code(&t, &typed).await, Ok(Entered::In(_))), "{}", t.on);
        assert!(with_code(&t, &codes[0]).await.is_err(), "{}: once", t.on);
        let state = second::state(&mut t.app.db.read(Cloud).await.unwrap(), user).await.unwrap();
        assert_eq!((state.is_on, state.recovery_codes_left), (true, 9), "{}", t.on);
        let renewed =
            second::renew_recovery_codes(&t.app, &first.caller, &code(&t, &secret, 0)).await.unwrap();
        assert!(with_code(&t, &codes[1]).await.is_err(), "{}: the old paper", t.on);
        assert!(matches!(with_code(&t, &renewed[1]).await, Ok(Entered::In(_))), "{}", t.on);
    })
    .await;
}

/// T26 and T30: guesses are counted apart from passwords, and in parallel too.
#[tokio::test]
async fn t26_five_wrong_codes_close_the_door_for_a_quarter_of_an_hour() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let first = sign_in(&t, "2001").await;
        let (secret, codes) = set_up(&t, &first.caller).await;
        let ticket = ticket(&t).await;
        let guess = wrong(&t, &secret);
        let guesses = (0..100).map(|_| finished(&t, &ticket, &guess));
        let mut told = 0;
        for answer in futures_of(guesses).await {
            match answer.unwrap_err() {
                Fail::TooMany { .. } => {}
                fail => {
                    assert!(is_about_the_code(&fail), "{}: {fail:?}", t.on);
                    told += 1;
                }
            }
        }
        assert_eq!(told, 5, "{}: five of a hundred at once were looked at", t.on);
        let right = code(&t, &secret, 0);
        assert!(matches!(finished(&t, &ticket, &right).await, Err(Fail::TooMany { .. })), "{}", t.on);
        assert!(
            matches!(with_code(&t, &codes[0]).await, Err(Fail::TooMany { .. })),
            "{}: nor the paper",
            t.on
        );
        assert!(who(&t, &first.token).await.is_ok(), "{}: who is in stays in", t.on);
        t.clock.advance_ms(15 * 60_000);
        assert!(matches!(with_code(&t, &code(&t, &secret, 0)).await, Ok(Entered::In(_))), "{}", t.on);
    })
    .await;
}

async fn futures_of<F: Future>(all: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = all.into_iter().map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        pending.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => {
                done.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        if pending.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

#[tokio::test]
async fn a_ticket_stands_for_one_password_and_a_few_minutes() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let user = t.user(school, "2001", seed::TEACHER).await;
        let (secret, _) = set_up(&t, &sign_in(&t, "2001").await.caller).await;
        let good = ticket(&t).await;
        assert!(finished(&t, &good, &code(&t, &secret, 0)).await.is_ok(), "{}", t.on);
        t.clock.advance_ms(STEP_MS);
        for forged in ["", "v1.", "v1.AAAA", &good[..good.len() - 4], &"x".repeat(5000)] {
            let answer = finished(&t, forged, &code(&t, &secret, 0)).await;
            assert!(matches!(answer, Err(Fail::BadCredentials)), "{}: {forged}", t.on);
        }
        let late = ticket(&t).await;
        t.clock.advance_ms(5 * 60_000);
        let answer = finished(&t, &late, &code(&t, &secret, 0)).await;
        assert!(matches!(answer, Err(Fail::BadCredentials)), "{}: too late", t.on);
        let stale = ticket(&t).await;
        let hash = t.app.identity.hasher().hash(&t.app.ids, "kunci rumah nenek").await.unwrap();
        commit(&t, async |tx| user::set_password(tx, &t.app, Actor::System, user, &hash).await.unwrap())
            .await;
        let answer = finished(&t, &stale, &code(&t, &secret, 0)).await;
        assert!(matches!(answer, Err(Fail::BadCredentials)), "{}: of another password", t.on);
    })
    .await;
}

#[tokio::test]
async fn who_needs_a_second_factor_does_nothing_without_one() {
    TestApp::both(async |t| {
        let (school, other) = (t.institution("SMAN1").await, t.institution("SMAN2").await);
        t.user(school, "2001", seed::ADMIN).await;
        t.user(school, "2002", seed::TEACHER).await;
        t.user(other, "3001", seed::ADMIN).await;
        let (admin, teacher, stranger) =
            (sign_in(&t, "2001").await, sign_in(&t, "2002").await, sign_in(&t, "3001").await);
        commit(&t, async |tx| {
            second::require(tx, &t.app, Actor::System, school, &[seed::ADMIN]).await.unwrap();
        })
        .await;
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        let missing = second::require(&mut tx, &t.app, Actor::System, other, &[9999]).await;
        assert!(matches!(missing, Err(Fail::NotFound(_))), "{}: {missing:?}", t.on);
        drop(tx);
        let half = who(&t, &admin.token).await.unwrap();
        assert!(half.is_half && !half.may("attendance.use") && half.roles.is_empty(), "{}", t.on);
        assert_eq!(t.get("/api/user", Some(&admin.token)).await.status, 403, "{}: nor through the API", t.on);
        assert!(who(&t, &teacher.token).await.unwrap().may("attendance.use"), "{}: another role", t.on);
        assert!(who(&t, &stranger.token).await.unwrap().may("attendance.use"), "{}: another school", t.on);

        let answer = try_login(&t, "2001", PASSWORD, HOME).await;
        assert!(matches!(answer, Err(Fail::Denied(_))), "{}: {answer:?}", t.on);
        let proof = Proof { may_set_up: true, ..Proof::default() };
        let Ok(Entered::In(signed_in)) = attempt(&t, "2001", PASSWORD, proof).await else {
            panic!("{}: not even to set one up", t.on)
        };
        assert!(who(&t, &signed_in.token).await.unwrap().is_half, "{}", t.on);
        set_up(&t, &signed_in.caller).await;
        let whole = who(&t, &signed_in.token).await.unwrap();
        assert!(!whole.is_half && whole.may("attendance.use"), "{}: and then he may", t.on);
    })
    .await;
}

#[tokio::test]
async fn taking_it_away_asks_for_password_and_code_and_is_audited() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let user = t.user(school, "2001", seed::TEACHER).await;
        let first = sign_in(&t, "2001").await;
        let (secret, codes) = set_up(&t, &first.caller).await;
        let off =
            async |password: &str, code: &str| second::turn_off(&t.app, &first.caller, password, code).await;
        assert!(matches!(off("salah", &code(&t, &secret, 0)).await, Err(Fail::BadCredentials)), "{}", t.on);
        assert!(is_about_the_code(&off(PASSWORD, &wrong(&t, &secret)).await.unwrap_err()), "{}", t.on);
        assert!(off(PASSWORD, &code(&t, &secret, 0)).await.is_ok(), "{}", t.on);
        assert!(who(&t, &first.token).await.is_err(), "{}: he signs in anew", t.on);
        assert!(try_login(&t, "2001", PASSWORD, HOME).await.is_ok(), "{}: with the password alone", t.on);

        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let rows: Vec<(String, String)> = tx
            .query(
                "SELECT action, COALESCE(CAST(after AS TEXT), '') FROM audit_log
                 WHERE subject = $1 AND action LIKE 'second_factor.%' ORDER BY id",
            )
            .bind(format!("user:{user}"))
            .all()
            .await
            .unwrap();
        let actions: Vec<&str> = rows.iter().map(|(action, _)| action.as_str()).collect();
        assert_eq!(actions, ["second_factor.on", "second_factor.off"], "{}", t.on);
        let all = format!("{rows:?}");
        assert!(!all.contains(&secret) && !all.contains(&codes[0]), "{}", t.on);
    })
    .await;
}

/// T25: who is signed in is no oracle for his password either.
#[tokio::test]
async fn t25_a_session_left_open_is_no_place_to_guess() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let caller = sign_in(&t, "2001").await.caller;
        for _ in 0..5 {
            assert!(matches!(prove(&t.app, &caller, "salah semua").await, Err(Fail::BadCredentials)));
        }
        assert!(matches!(prove(&t.app, &caller, PASSWORD).await, Err(Fail::TooMany { .. })), "{}", t.on);
        t.clock.advance_ms(15 * 60_000);
        assert!(prove(&t.app, &caller, PASSWORD).await.is_ok(), "{}", t.on);
    })
    .await;
}

/// T25: in a school's network everybody has one address. The teacher's own phone is let past what the others caused.
#[tokio::test]
async fn t25_a_known_device_is_let_past_the_guesses_of_others() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        t.user(school, "2002", seed::TEACHER).await;
        let (siti, budi) = (sign_in(&t, "2001").await, sign_in(&t, "2002").await);
        let (own, foreign) =
            (device::token(&t.app, siti.caller.uuid), device::token(&t.app, budi.caller.uuid));
        for _ in 0..6 {
            let _ = try_login(&t, "2001", "tebakan", HOME).await;
        }
        let with = async |device: Option<&str>, password: &str| {
            attempt(&t, "2001", password, Proof { device, ..Proof::default() }).await
        };
        assert!(with(None, PASSWORD).await.is_err(), "{}: waits", t.on);
        for forged in [foreign.as_str(), "", ".", "AAAA.AAAA", &own[..own.len() - 1]] {
            assert!(with(Some(forged), PASSWORD).await.is_err(), "{}: {forged}", t.on);
        }
        assert!(with(Some(&own), PASSWORD).await.is_ok(), "{}", t.on);
        for _ in 0..6 {
            assert!(with(Some(&own), "tebakan").await.is_err());
        }
        assert!(with(Some(&own), PASSWORD).await.is_err(), "{}: a stolen phone is counted too", t.on);
    })
    .await;
}

use std::net::{IpAddr, Ipv4Addr};

use data_encoding::BASE64URL_NOPAD;
use hadir_shared::ids::UserId;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::{
    db::{Cloud, Tx},
    fail::NoSession,
    testing::{PASSWORD, START, TestApp},
};

mod flood;
mod keys;
mod second;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
const DAY_MS: i64 = 24 * 3600 * 1000;

async fn try_login(t: &TestApp, number: &str, password: &str, address: IpAddr) -> Result<SignedIn, Fail> {
    let session = NewSession { client: "test", address, user_agent: None, life_ms: DAY_MS };
    login(&t.app, &Attempt { key: Key::Number(number), password, session }, |_| Ok(())).await
}

async fn sign_in(t: &TestApp, number: &str) -> SignedIn {
    try_login(t, number, PASSWORD, HOME).await.unwrap()
}

async fn who(t: &TestApp, token: &str) -> Result<Caller, NoSession> {
    t.app.identity.caller(&t.app, token).await.map_err(|fail| match fail {
        Fail::Unauthenticated(why) => why,
        other => panic!("{other:?}"),
    })
}

/// Commits what `change` does and lets every node forget.
async fn commit(t: &TestApp, change: impl AsyncFnOnce(&mut Tx)) {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    change(&mut tx).await;
    tx.commit().await.unwrap();
    t.app.identity.forget();
}

#[tokio::test]
async fn a_login_gives_a_caller_with_his_role_and_permissions() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let user = t.user(school, "2001", seed::TEACHER).await;
        let caller = who(&t, &sign_in(&t, "2001").await.token).await.unwrap();
        assert_eq!((caller.user, caller.institution), (user, Some(school)), "{}", t.on);
        assert_eq!(caller.role("ATTENDANCE").unwrap().code, "guru");
        assert!(caller.may("attendance.students.scan"));
        assert!(!caller.may("attendance.settings.write"));
    })
    .await;
}

#[tokio::test]
async fn forged_tokens_are_nobodys() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let token = sign_in(&t, "2001").await.token;
        let parts: Vec<&str> = token.split('.').collect();
        let json = |part: &str| -> Value {
            serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
        };
        let text = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let (header, claims) = (json(parts[0]), json(parts[1]));
        let kid = header["kid"].as_str().unwrap().to_owned();
        let jwks = t.app.identity.keys().jwks();
        let public = BASE64URL_NOPAD.decode(jwks["keys"][0]["x"].as_str().unwrap().as_bytes()).unwrap();
        let with = |value: &Value, key: &str, new: Value| {
            let mut value = value.clone();
            if new.is_null() {
                value.as_object_mut().unwrap().remove(key)
            } else {
                value.as_object_mut().unwrap().insert(key.into(), new)
            };
            value
        };

        for alg in ["none", "None", "NONE", "nOnE"] {
            let forged = format!("{}.{}.", text(&with(&header, "alg", json!(alg))), parts[1]);
            assert_eq!(who(&t, &forged).await.unwrap_err(), NoSession::Invalid, "alg {alg}");
        }
        let hs256 =
            Header { typ: Some("at+jwt".into()), kid: Some(kid.clone()), ..Header::new(Algorithm::HS256) };
        let forged = encode(&hs256, &claims, &EncodingKey::from_secret(&public)).unwrap();
        assert_eq!(who(&t, &forged).await.unwrap_err(), NoSession::Invalid, "HS256 with the public key");

        let mut pkcs8 = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        pkcs8.extend([9; 32]);
        let foreign = EncodingKey::from_ed_der(&pkcs8);
        for kid in [
            Some(kid.clone()),
            Some("other".into()),
            Some("' OR 1=1 --".into()),
            Some("../../etc/passwd".into()),
            None,
        ] {
            let header =
                Header { typ: Some("at+jwt".into()), kid: kid.clone(), ..Header::new(Algorithm::EdDSA) };
            let forged = encode(&header, &claims, &foreign).unwrap();
            assert_eq!(
                who(&t, &forged).await.unwrap_err(),
                NoSession::Invalid,
                "a foreign key under {kid:?}"
            );
        }
        for (key, value) in
            [("jwk", jwks["keys"][0].clone()), ("jku", json!("https://evil.example/jwks.json"))]
        {
            let forged = format!("{}.{}.{}", text(&with(&header, key, value)), parts[1], parts[2]);
            assert_eq!(who(&t, &forged).await.unwrap_err(), NoSession::Invalid, "{key} in the header");
        }
        let other = if parts[2].starts_with('A') { 'B' } else { 'A' };
        let flipped = format!("{}.{}.{other}{}", parts[0], parts[1], &parts[2][1..]);
        let unsigned = format!("{}.{}.", parts[0], parts[1]);
        let altered = format!("{}.{}.{}", parts[0], text(&with(&claims, "inst", json!(99))), parts[2]);
        for forged in [&flipped, &unsigned, &altered, &"x".repeat(5000), "", "a.b.c", "18|GYwljnaQN5wdl11R"] {
            assert_eq!(who(&t, forged).await.unwrap_err(), NoSession::Invalid, "{forged}");
        }
        assert!(who(&t, &token).await.is_ok(), "{}: the real one still works", t.on);
    })
    .await;
}

/// Tokens that our own key signed, but that say too little or the wrong thing.
#[test]
fn a_signed_token_must_say_everything() {
    let seed = [5; 32];
    let mut pkcs8 = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    pkcs8.extend(seed);
    let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
    let key =
        jsonwebtoken::DecodingKey::from_ed_components(&BASE64URL_NOPAD.encode(public.as_bytes())).unwrap();
    let now = START.0 / 1000;
    let good = json!({"iss": "hadir-cloud", "sub": Uuid::nil(), "aud": "hadir", "sid": Uuid::nil(),
        "jti": Uuid::nil(), "iat": now, "exp": now + 60, "ver": 0});
    let verify = |claims: &Value, typ: Option<&str>| {
        let header =
            Header { typ: typ.map(Into::into), kid: Some("k".into()), ..Header::new(Algorithm::EdDSA) };
        let text = encode(&header, claims, &EncodingKey::from_ed_der(&pkcs8)).unwrap();
        let rules =
            Rules { typ: token::ACCESS, issuer: "hadir-cloud", audience: Some(AUDIENCE), stale: false };
        token::header(&text, rules.typ)
            .and_then(|_| token::verify::<Claims>(&text, Alg::EdDsa, &key, &rules, START))
    };
    assert!(verify(&good, Some("at+jwt")).is_ok());
    for typ in [None, Some("JWT"), Some("logout+jwt")] {
        assert!(verify(&good, typ).is_err(), "typ {typ:?}");
    }
    for (claim, value) in [
        ("exp", Value::Null),
        ("exp", json!((now + 60).to_string())),
        ("iss", Value::Null),
        ("iss", json!("https://evil.example")),
        ("aud", Value::Null),
        ("aud", json!("another")),
        ("sub", Value::Null),
        ("sid", Value::Null),
        ("ver", Value::Null),
        ("iat", json!(now + 3600)),
        ("nbf", json!(now + 3600)),
    ] {
        let mut claims = good.clone();
        claims[claim] = value.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        }
        assert!(
            matches!(verify(&claims, Some("at+jwt")), Err(Fail::Unauthenticated(NoSession::Invalid))),
            "{claim} {value}"
        );
    }
    let mut over = good;
    over["exp"] = json!(now);
    assert!(matches!(verify(&over, Some("at+jwt")), Err(Fail::Unauthenticated(NoSession::Expired))));
}

#[tokio::test]
async fn a_session_ends_when_its_time_is_over() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let token = sign_in(&t, "2001").await.token;
        t.clock.advance_ms(DAY_MS - 1000);
        assert!(who(&t, &token).await.is_ok(), "{}", t.on);
        t.clock.advance_ms(1000);
        assert_eq!(who(&t, &token).await.unwrap_err(), NoSession::Expired, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn what_ends_a_token_before_its_time() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let user = t.user(school, "2001", seed::TEACHER).await;
        let system = Actor::System;

        let token = sign_in(&t, "2001").await.token;
        commit(&t, async |tx| user::set_role(tx, &t.app, system, user, seed::STAFF).await.unwrap()).await;
        assert_eq!(who(&t, &token).await.unwrap_err(), NoSession::Invalid, "{}: another role", t.on);

        let token = sign_in(&t, "2001").await.token;
        let hash = t.app.identity.hasher().hash(&t.app.ids, "kunci rumah nenek").await.unwrap();
        commit(&t, async |tx| user::set_password(tx, &t.app, system, user, &hash).await.unwrap()).await;
        assert_eq!(
            who(&t, &token).await.unwrap_err(),
            NoSession::Invalid,
            "{}: an admin's new password",
            t.on
        );

        let token = try_login(&t, "2001", "kunci rumah nenek", HOME).await.unwrap().token;
        commit(&t, async |tx| user::set_active(tx, &t.app, system, user, false).await.unwrap()).await;
        assert_eq!(who(&t, &token).await.unwrap_err(), NoSession::Invalid, "{}: inactive", t.on);
        let refused = try_login(&t, "2001", "kunci rumah nenek", HOME).await;
        assert!(matches!(refused, Err(Fail::BadCredentials)), "{}: {refused:?}", t.on);

        commit(&t, async |tx| user::set_active(tx, &t.app, system, user, true).await.unwrap()).await;
        let token = try_login(&t, "2001", "kunci rumah nenek", HOME).await.unwrap().token;
        commit(&t, async |tx| {
            tx.query("UPDATE institutions SET is_active = FALSE").run().await.unwrap();
        })
        .await;
        assert_eq!(who(&t, &token).await.unwrap_err(), NoSession::Invalid, "{}: the school is closed", t.on);
        let refused = try_login(&t, "2001", "kunci rumah nenek", HOME).await;
        assert!(refused.is_err(), "{}: a closed school's login", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_service_that_the_school_loses_takes_its_permissions_with_it() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let token = sign_in(&t, "2001").await.token;
        assert!(who(&t, &token).await.unwrap().may("attendance.use"));
        commit(&t, async |tx| {
            tx.query("DELETE FROM institution_services").run().await.unwrap();
        })
        .await;
        let caller = who(&t, &token).await.unwrap();
        assert!(!caller.may("attendance.use") && caller.roles.is_empty(), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owner_alone() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let siti = t.user(school, "2001", seed::TEACHER).await;
        let budi = t.user(school, "2002", seed::TEACHER).await;
        let (one, two) = (sign_in(&t, "2001").await, sign_in(&t, "2001").await);
        let listed = session::list(&mut t.app.db.read(Cloud).await.unwrap(), siti, START).await.unwrap();
        assert_eq!(listed.len(), 2, "{}", t.on);

        let mut tx = t.app.db.write(Cloud).await.unwrap();
        assert!(!session::revoke(&mut tx, &t.app, budi, one.caller.session).await.unwrap(), "not his");
        assert!(session::revoke(&mut tx, &t.app, siti, one.caller.session).await.unwrap());
        assert!(!session::revoke(&mut tx, &t.app, siti, one.caller.session).await.unwrap(), "once");
        tx.commit().await.unwrap();
        t.app.identity.forget();
        assert_eq!(who(&t, &one.token).await.unwrap_err(), NoSession::Invalid, "{}", t.on);
        assert!(who(&t, &two.token).await.is_ok(), "{}: the other one lives", t.on);
    })
    .await;
}

#[tokio::test]
async fn another_node_learns_of_an_ended_session_within_the_bound() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let user = t.user(school, "2001", seed::TEACHER).await;
        let signed = sign_in(&t, "2001").await;
        let other = t.another_node().await;
        assert!(who(&other, &signed.token).await.is_ok());
        commit(&t, async |tx| {
            assert!(session::revoke(tx, &t.app, user, signed.caller.session).await.unwrap());
        })
        .await;
        assert!(who(&t, &signed.token).await.is_err(), "{}: at once on the node that did it", t.on);
        t.clock.advance_ms(CACHE_MS);
        assert!(who(&other, &signed.token).await.is_err(), "{}: after the bound everywhere", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_database_without_its_key_file_is_refused() {
    TestApp::both(async |t| {
        let seal = Seal::from_key(&[8; 32]).unwrap();
        let app = &t.app;
        let opened = Identity::open(&app.db, START, &app.ids, &seal, &app.config).await;
        assert!(format!("{:#}", opened.err().unwrap()).contains("secret.key"), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn wrong_unknown_and_inactive_are_answered_alike() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let idle = t.user(school, "2002", seed::TEACHER).await;
        commit(&t, async |tx| user::set_active(tx, &t.app, Actor::System, idle, false).await.unwrap()).await;
        for (number, password) in
            [("2001", "wrong password"), ("nobody", PASSWORD), ("2002", PASSWORD), ("2001", "")]
        {
            let refused = try_login(&t, number, password, HOME).await;
            assert!(matches!(refused, Err(Fail::BadCredentials)), "{} {number}: {refused:?}", t.on);
        }
    })
    .await;
}

#[tokio::test]
async fn guessing_is_slowed_and_the_owner_is_not_shut_out() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        sign_in(&t, "2001").await;
        for i in 0..5 {
            // Writing the login another way does not give five more guesses.
            let number = if i % 2 == 0 { "2001" } else { " 2001 " };
            assert!(try_login(&t, number, "wrong password", ELSEWHERE).await.is_err());
        }
        let waiting = try_login(&t, "2001", PASSWORD, ELSEWHERE).await;
        assert!(
            matches!(waiting, Err(Fail::BadCredentials)),
            "{}: the right password waits as well: {waiting:?}",
            t.on
        );
        assert!(
            try_login(&t, "2001", PASSWORD, HOME).await.is_ok(),
            "{}: from where he signed in before",
            t.on
        );
        t.clock.advance_ms(30_000);
        assert!(try_login(&t, "2001", PASSWORD, ELSEWHERE).await.is_ok(), "{}: after the wait", t.on);
        assert!(try_login(&t, "2001", "wrong password", ELSEWHERE).await.is_err());
        assert!(
            try_login(&t, "2001", PASSWORD, ELSEWHERE).await.is_ok(),
            "{}: a success starts afresh",
            t.on
        );
    })
    .await;
}

async fn count(t: &TestApp, login: &str, address: IpAddr) -> Result<bool, Fail> {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let counted = throttle::count(&mut tx, login, None, None, address, t.app.now()).await;
    tx.commit().await.unwrap();
    counted.map(|counted| counted.is_some())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_guesses_do_not_get_past_the_count() {
    TestApp::both(async |t| {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..30 {
            let t = t.clone();
            tasks.spawn(async move { count(&t, "2001", HOME).await.unwrap() });
        }
        let looked_at = tasks.join_all().await.into_iter().filter(|looked| *looked).count();
        assert_eq!(looked_at, 5, "{}", t.on);
        assert!(!count(&t, "2001", HOME).await.unwrap(), "{}: now it waits", t.on);
    })
    .await;
}

#[tokio::test]
async fn an_address_has_a_budget_of_its_own() {
    TestApp::both(async |t| {
        for i in 0..100 {
            assert!(count(&t, &format!("pupil{i}"), HOME).await.unwrap(), "{} {i}", t.on);
        }
        let Err(Fail::TooMany { retry_after }) = count(&t, "pupil100", HOME).await else {
            panic!("no budget")
        };
        assert_eq!(retry_after.as_secs(), 600, "{}", t.on);
        assert!(count(&t, "pupil100", ELSEWHERE).await.unwrap(), "{}: others are not touched", t.on);
        t.clock.advance_ms(600_000);
        assert!(count(&t, "pupil100", HOME).await.unwrap(), "{}: and it passes", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_password_with_old_parameters_is_hashed_again_at_login() {
    use argon2::{Algorithm, Argon2, Params, Version, password_hash::PasswordHasher as _};
    let old = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8192, 1, 1, None).unwrap());
    let old = old.hash_password_with_salt(PASSWORD.as_bytes(), &[1; 16]).unwrap().to_string();
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let user = t.user(school, "2001", seed::TEACHER).await;
        commit(&t, async |tx| {
            store::set_password_hash(tx, user, &old, START).await.unwrap();
        })
        .await;
        sign_in(&t, "2001").await;
        let user = user::by_id(&mut t.app.db.read(Cloud).await.unwrap(), user).await.unwrap().unwrap();
        assert!(user.password_hash.contains("m=19456,t=2,p=1"), "{} {}", t.on, user.password_hash);
        sign_in(&t, "2001").await;
    })
    .await;
}

const WEEK_MS: i64 = 7 * DAY_MS;

async fn refresh_token(t: &TestApp, caller: &Caller) -> String {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let token = refresh::issue(&mut tx, &t.app, caller, WEEK_MS).await.unwrap();
    tx.commit().await.unwrap();
    token
}

#[tokio::test]
async fn a_spent_refresh_token_ends_its_family() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let signed = sign_in(&t, "2001").await;
        let bystander = sign_in(&t, "2001").await;
        let first = refresh_token(&t, &signed.caller).await;
        assert!(refresh::rotate(&t.app, "oidc", &first, WEEK_MS).await.is_err(), "{}: another's", t.on);
        let second = refresh::rotate(&t.app, "test", &first, WEEK_MS).await.unwrap();
        assert_eq!(second.caller.session, signed.caller.session, "{}", t.on);
        let third = refresh::rotate(&t.app, "test", &second.token, WEEK_MS).await.unwrap();
        t.clock.advance_ms(refresh::GRACE_MS);
        assert!(refresh::rotate(&t.app, "test", &first, WEEK_MS).await.is_err(), "{}: used twice", t.on);
        assert!(
            refresh::rotate(&t.app, "test", &third.token, WEEK_MS).await.is_err(),
            "{}: the thief's or ours: both end",
            t.on
        );
        assert!(who(&t, &signed.token).await.is_err(), "{}: and the access tokens with them", t.on);
        assert!(who(&t, &bystander.token).await.is_ok(), "{}: another session lives on", t.on);
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let audited = "SELECT COUNT(*) FROM audit_log WHERE action = 'session.refresh_reuse'";
        let (rows,): (i64,) = tx.query(audited).one().await.unwrap();
        assert!(rows >= 1, "{}", t.on);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refresh_whose_answer_was_lost_may_be_repeated_for_a_moment() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let signed = sign_in(&t, "2001").await;
        let first = refresh_token(&t, &signed.caller).await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (app, first) = (t.app.clone(), first.clone());
            tasks.spawn(async move { refresh::rotate(&app, "test", &first, WEEK_MS).await.unwrap().token });
        }
        let mut successors = tasks.join_all().await;
        successors.dedup();
        assert_eq!(successors.len(), 1, "{}: twenty at once get one successor", t.on);
        let second = refresh::rotate(&t.app, "test", &successors[0], WEEK_MS).await.unwrap();
        assert!(
            refresh::rotate(&t.app, "test", &first, WEEK_MS).await.is_err(),
            "{}: only the immediate predecessor",
            t.on
        );
        assert!(
            refresh::rotate(&t.app, "test", &second.token, WEEK_MS).await.is_err(),
            "{}: and the family is over",
            t.on
        );
    })
    .await;
}

#[tokio::test]
async fn a_refresh_token_dies_with_its_time_its_session_and_its_user() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let user = t.user(school, "2001", seed::TEACHER).await;
        assert!(refresh::rotate(&t.app, "test", "made up", WEEK_MS).await.is_err());
        let signed = sign_in(&t, "2001").await;
        let token = refresh_token(&t, &signed.caller).await;
        commit(&t, async |tx| {
            assert!(session::revoke(tx, &t.app, user, signed.caller.session).await.unwrap());
        })
        .await;
        assert!(refresh::rotate(&t.app, "test", &token, WEEK_MS).await.is_err(), "{}: signed out", t.on);
        let token = refresh_token(&t, &sign_in(&t, "2001").await.caller).await;
        t.clock.advance_ms(DAY_MS);
        assert!(
            refresh::rotate(&t.app, "test", &token, WEEK_MS).await.is_err(),
            "{}: not longer than its session",
            t.on
        );
        let token = refresh_token(&t, &sign_in(&t, "2001").await.caller).await;
        commit(&t, async |tx| user::set_active(tx, &t.app, Actor::System, user, false).await.unwrap()).await;
        assert!(refresh::rotate(&t.app, "test", &token, WEEK_MS).await.is_err(), "{}: inactive", t.on);
    })
    .await;
}

async fn take(t: &TestApp, user: UserId, purpose: &'static str, code: &str) -> bool {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let right = code::take(&mut tx, user, purpose, code, t.app.now()).await.unwrap();
    tx.commit().await.unwrap();
    right
}

async fn make_code(t: &TestApp, user: UserId, purpose: &'static str) -> String {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let code = code::make(&mut tx, &t.app, user, purpose).await.unwrap();
    tx.commit().await.unwrap();
    code
}

#[tokio::test]
async fn a_code_works_once_for_its_purpose_and_five_guesses_kill_it() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let user = t.user(school, "2001", seed::TEACHER).await;
        let other = t.user(school, "2002", seed::TEACHER).await;
        let code = make_code(&t, user, "reset").await;
        assert!(!take(&t, user, "verify", &code).await, "{}: another purpose", t.on);
        assert!(!take(&t, other, "reset", &code).await, "{}: another user", t.on);
        assert!(take(&t, user, "reset", &format!(" {code} ")).await, "{}", t.on);
        assert!(!take(&t, user, "reset", &code).await, "{}: once", t.on);

        let code = make_code(&t, user, "reset").await;
        let wrong = if code == "000000" { "000001" } else { "000000" };
        for _ in 0..5 {
            assert!(!take(&t, user, "reset", wrong).await);
        }
        assert!(!take(&t, user, "reset", &code).await, "{}: five wrong guesses", t.on);

        let old = make_code(&t, user, "reset").await;
        let new = make_code(&t, user, "reset").await;
        assert!(old == new || !take(&t, user, "reset", &old).await, "{}: replaced", t.on);
        t.clock.advance_ms(10 * 60_000);
        assert!(!take(&t, user, "reset", &new).await, "{}: too late", t.on);
    })
    .await;
}

#[tokio::test]
async fn what_is_over_is_purged_and_nothing_else() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let user = t.user(school, "2001", seed::TEACHER).await;
        let ended = sign_in(&t, "2001").await;
        refresh_token(&t, &ended.caller).await;
        make_code(&t, user, "reset").await;
        count(&t, "somebody", HOME).await.unwrap();
        t.clock.advance_ms(32 * DAY_MS);
        let living = sign_in(&t, "2001").await;
        commit(&t, async |tx| purge(tx, &t.app).await.unwrap()).await;
        assert!(who(&t, &living.token).await.is_ok(), "{}", t.on);
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let rows: (i64, i64, i64, i64) = tx
            .query(
                "SELECT (SELECT COUNT(*) FROM sessions), (SELECT COUNT(*) FROM refresh_tokens),
                    (SELECT COUNT(*) FROM one_time_codes), (SELECT COUNT(*) FROM login_throttles WHERE failures > 0)",
            )
            .one()
            .await
            .unwrap();
        assert_eq!(rows, (1, 0, 0, 0), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn the_seed_may_be_sown_twice() {
    TestApp::both(async |t| {
        seed::seed(&t.app.db, START, &t.app.ids).await.unwrap();
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let counts = "SELECT (SELECT COUNT(*) FROM services), (SELECT COUNT(*) FROM roles), (SELECT COUNT(*) FROM permissions),
            (SELECT COUNT(*) FROM role_permissions)";
        let found: (i64, i64, i64, i64) = tx.query(counts).one().await.unwrap();
        let grants: usize = seed::PERMISSIONS.iter().map(|(_, _, roles)| roles.len()).sum();
        let wanted = [seed::SERVICES.len(), seed::ROLES.len(), seed::PERMISSIONS.len(), grants];
        assert_eq!([found.0, found.1, found.2, found.3], wanted.map(|n| i64::try_from(n).unwrap()), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn every_change_leaves_a_row_in_the_audit_log_without_secrets() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let user = t.user(school, "2001", seed::TEACHER).await;
        let signed = sign_in(&t, "2001").await;
        assert!(prove(&t.app, &signed.caller, "kunci rumah nenek").await.is_err());
        prove(&t.app, &signed.caller, PASSWORD).await.unwrap();
        let hash = t.app.identity.hasher().hash(&t.app.ids, "kunci rumah nenek").await.unwrap();
        commit(&t, async |tx| user::change_password(tx, &t.app, &signed.caller, &hash).await.unwrap()).await;
        commit(&t, async |tx| {
            assert!(session::revoke(tx, &t.app, user, signed.caller.session).await.unwrap());
        })
        .await;
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let rows: Vec<(String, String, String)> = tx
            .query("SELECT actor, action, COALESCE(CAST(after AS TEXT), '') FROM audit_log ORDER BY id")
            .all()
            .await
            .unwrap();
        let actions: Vec<_> = rows.iter().map(|(actor, action, _)| format!("{actor} {action}")).collect();
        let me = format!("user:{user}");
        let mine = |action: &str| format!("{me} {action}");
        assert_eq!(
            actions,
            [
                "system institution.create".into(),
                "system user.create".into(),
                "system user.role".into(),
                mine("session.open"),
                mine("session.revoke_all"),
                mine("user.password"),
                mine("session.revoke"),
            ],
            "{}",
            t.on
        );
        let all = format!("{rows:?}");
        assert!(!all.contains("argon2") && !all.contains("nenek") && !all.contains(PASSWORD), "{all}");
    })
    .await;
}

use std::net::{IpAddr, Ipv4Addr};

use data_encoding::BASE64URL_NOPAD;
use hadir_shared::ids::UserId;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use self::{guesses::count, refreshes::refresh_token};
use super::*;
use crate::{
    db::{Cloud, Tx},
    fail::NoSession,
    testing::{PASSWORD, START, TestApp},
};

mod flood;
mod guesses;
mod keys;
mod refreshes;
mod second;
mod tokens;

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
async fn a_database_without_its_key_file_is_refused() {
    TestApp::both(async |t| {
        let seal = Seal::from_key(&[8; 32]).unwrap();
        let app = &t.app;
        let opened = Identity::open(&app.db, START, &app.ids, &seal, &app.config).await;
        assert!(format!("{:#}", opened.err().unwrap()).contains("secret.key"), "{}", t.on);
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

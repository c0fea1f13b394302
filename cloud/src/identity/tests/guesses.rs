//! Passwords: wrong ones, too many of them, and old ones.

use super::*;

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

pub async fn count(t: &TestApp, login: &str, address: IpAddr) -> Result<bool, Fail> {
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

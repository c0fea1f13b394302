//! Refresh tokens, and the families they end.

use super::*;

const WEEK_MS: i64 = 7 * DAY_MS;

pub async fn refresh_token(t: &TestApp, caller: &Caller) -> String {
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

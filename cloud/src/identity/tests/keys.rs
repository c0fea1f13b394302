//! The keys' life, and what others see of it.

use super::*;
use crate::identity::keys::turn::{self, Reason};

async fn rotate(t: &TestApp, reason: Reason) {
    turn::rotate(&t.app, Actor::System, reason).await.unwrap();
}

/// `EdDSA active`, … in the order of [`turn::list`], without the key of the receipts.
async fn states(t: &TestApp, alg: Alg) -> Vec<String> {
    let listed = turn::list(&mut t.app.db.read(Cloud).await.unwrap()).await.unwrap();
    listed.into_iter().filter(|key| key.algorithm == alg.name()).map(|key| key.state).collect()
}

fn kids(jwks: &Value) -> Vec<String> {
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid(token: &str) -> String {
    token::header(token, token::ACCESS).unwrap().kid
}

/// T17.
#[tokio::test]
async fn t17_keys_rotate_with_overlap_and_publish_nothing_secret() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let other = t.another_node().await;
        let published = kids(&t.app.identity.keys().jwks());
        assert_eq!(published.len(), 4, "{}: of each algorithm one that signs and one that will", t.on);
        let before = sign_in(&t, "2001").await.token;
        t.clock.advance_ms(10_000);
        rotate(&t, Reason::Usual).await;
        let after = sign_in(&t, "2001").await.token;
        assert_ne!(kid(&before), kid(&after), "{}: another key signs", t.on);
        assert!(published.contains(&kid(&after)), "{}: and it was published before it did", t.on);
        for node in [&t, &other] {
            assert!(who(node, &before).await.is_ok(), "{}: the old key is still believed", t.on);
            assert!(who(node, &after).await.is_ok(), "{}: on every node", t.on);
        }
        let jwks = t.app.identity.keys().jwks();
        assert_eq!(kids(&jwks).len(), 6);
        assert_eq!(
            kids(&jwks).iter().collect::<std::collections::BTreeSet<_>>().len(),
            6,
            "each its own name"
        );
        for key in jwks["keys"].as_array().unwrap() {
            assert!(matches!(key["kty"].as_str(), Some("OKP" | "RSA")), "{key}");
            assert!(
                ["d", "p", "q", "dp", "dq", "qi", "k"].iter().all(|part| key.get(part).is_none()),
                "{key}"
            );
        }
        let own = t.app.identity.keys().own_jwks();
        assert!(own["keys"].as_array().unwrap().iter().all(|key| key["kty"] == "OKP"), "{own}");
        assert_eq!(states(&t, Alg::EdDsa).await.len(), 3);
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let kept = "SELECT COUNT(*) FROM signing_keys WHERE state = 'passive' AND secret <> ''";
        let (kept,): (i64,) = tx.query(kept).one().await.unwrap();
        assert_eq!(kept, 0, "{}: what signs no more has no secret", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_node_that_knows_only_older_keys_looks_again() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let other = t.another_node().await;
        t.clock.advance_ms(10_000);
        rotate(&t, Reason::Usual).await;
        rotate(&t, Reason::Usual).await;
        let token = sign_in(&t, "2001").await.token;
        assert!(!kids(&other.app.identity.keys().jwks()).contains(&kid(&token)));
        assert!(who(&other, &token).await.is_ok(), "{}", t.on);
        assert_eq!(other.app.identity.keys().jwks(), t.app.identity.keys().jwks(), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_compromised_key_is_believed_no_longer() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let other = t.another_node().await;
        let before = sign_in(&t, "2001").await.token;
        rotate(&t, Reason::Compromised).await;
        assert_eq!(who(&t, &before).await.unwrap_err(), NoSession::Invalid, "{}", t.on);
        // What `watch` does every five seconds.
        other.app.identity.keys().reload(&other.app).await.unwrap();
        assert_eq!(who(&other, &before).await.unwrap_err(), NoSession::Invalid, "{}", t.on);
        assert!(who(&other, &sign_in(&t, "2001").await.token).await.is_ok(), "{}", t.on);
        assert_eq!(kids(&t.app.identity.keys().jwks()).len(), 4, "{}", t.on);
        let mut removed = states(&t, Alg::Rs256).await;
        removed.sort();
        assert_eq!(removed, ["active", "next", "removed", "removed"], "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn the_clock_turns_keys_over_once_a_month_and_removes_them_when_no_token_of_theirs_lives() {
    TestApp::both(async |t| {
        let keep = async || turn::keep(&t.app).await.unwrap();
        keep().await;
        assert_eq!(states(&t, Alg::EdDsa).await, ["active", "next"], "{}: not yet", t.on);
        t.clock.advance_ms(30 * DAY_MS);
        keep().await;
        keep().await;
        let mut now = states(&t, Alg::EdDsa).await;
        now.sort();
        assert_eq!(now, ["active", "next", "passive"], "{}: once, however often it is asked", t.on);
        t.clock.advance_ms(29 * DAY_MS);
        keep().await;
        assert_eq!(states(&t, Alg::Rs256).await.len(), 3, "{}: a session may live thirty days", t.on);
        t.clock.advance_ms(2 * DAY_MS + 1);
        keep().await;
        let mut now = states(&t, Alg::Rs256).await;
        now.sort();
        assert_eq!(now, ["active", "next", "passive", "removed"], "{}", t.on);
        assert_eq!(kids(&t.app.identity.keys().jwks()).len(), 6, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn nodes_that_start_at_once_make_one_set_of_keys() {
    TestApp::both(async |t| {
        commit(&t, async |tx| {
            tx.query("DELETE FROM signing_keys").run().await.unwrap();
        })
        .await;
        let nodes = tokio::join!(t.another_node(), t.another_node(), t.another_node());
        let jwks = [&nodes.0, &nodes.1, &nodes.2].map(|node| node.app.identity.keys().jwks());
        assert!(jwks.iter().all(|one| one == &jwks[0] && kids(one).len() == 4), "{} {jwks:?}", t.on);
    })
    .await;
}

/// T16: the other key set's algorithm is no way in.
#[tokio::test]
async fn t16_an_access_token_signed_with_rsa_is_nobodys() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let signed = sign_in(&t, "2001").await;
        let ring = t.app.identity.keys();
        let claims = Claims::new(ring, &signed.caller, &t.app.ids, START, signed.expires_at);
        let rsa = ring.sign(Alg::Rs256, token::ACCESS, &claims).unwrap();
        assert_eq!(who(&t, &rsa).await.unwrap_err(), NoSession::Invalid, "{}", t.on);
        let id_token = ring.sign(Alg::EdDsa, "JWT", &claims).unwrap();
        assert_eq!(who(&t, &id_token).await.unwrap_err(), NoSession::Invalid, "{}: another type", t.on);
        let same = ring.sign(Alg::EdDsa, token::ACCESS, &claims).unwrap();
        assert!(who(&t, &same).await.is_ok(), "{}: or else this test proves nothing", t.on);
    })
    .await;
}

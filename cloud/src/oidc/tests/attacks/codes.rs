//! Codes, verifiers and the addresses somebody is sent to.

use super::*;

/// T22: another code, another client, another address, another verifier.
#[tokio::test]
async fn t22_a_code_is_good_for_one_client_one_address_and_one_verifier() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp, other) = (w.tab().await, w.rp(|_| ()).await, w.rp(|_| ()).await);
        let long = "a".repeat(129);
        let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(VERIFIER));
        for (name, value) in [
            ("redirect_uri", Some("https://rp.example/other")),
            ("redirect_uri", Some("https://rp.example/cb/")),
            ("redirect_uri", None),
            ("code_verifier", None),
            ("code_verifier", Some("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")),
            ("code_verifier", Some(&*challenge)),
            ("code_verifier", Some(&*long)),
            ("code", Some("unknown")),
        ] {
            let code = rp.code(&tab, "openid").await;
            let given = with_code(&code);
            let fields: Vec<_> = given
                .iter()
                .filter_map(|(field, own)| Some((*field, if *field == name { value? } else { *own })))
                .collect();
            refused(&rp.token(&fields).await, 400, "invalid_grant");
            if name != "code" {
                refused(&rp.exchange(&code).await, 400, "invalid_grant");
            }
        }
        let code = rp.code(&tab, "openid").await;
        refused(&other.exchange(&code).await, 400, "invalid_grant");
        refused(&rp.exchange(&code).await, 400, "invalid_grant");
    })
    .await;
}

/// T22: PKCE cannot be left out on the way.
#[tokio::test]
async fn t22_no_downgrade_of_pkce() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        for is_public in [false, true] {
            let (tab, rp) = (w.tab().await, w.rp(|about| about.is_public = is_public).await);
            for changes in [
                &[("code_challenge", None), ("code_challenge_method", None)][..],
                &[("code_challenge", None)],
                &[("code_challenge_method", None)],
                &[("code_challenge_method", Some("plain"))],
                &[("code_challenge_method", Some("s256"))],
            ] {
                assert_eq!(
                    error_of(&rp.authorize(&tab, changes).await),
                    "invalid_request",
                    "{} {changes:?}",
                    w.t.on
                );
            }
            let code = rp.code(&tab, "openid").await;
            let fields = [("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", CALLBACK)];
            refused(&rp.token(&fields).await, 400, "invalid_grant");
        }
    })
    .await;
}

/// T22: addresses are compared as they stand.
#[tokio::test]
async fn t22_nobody_is_sent_to_an_address_that_only_looks_registered() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let strange = w.rp(|about| about.is_trusted = false).await;
        for uri in [
            "https://rp.example/cb/",
            "https://rp.example/cb?x=1",
            "https://rp.example/cb#x",
            "https://rp.example/cb/../evil",
            "https://rp.example/..;/cb",
            "https://rp.example/cb;/..",
            "https://rp.example:443/cb",
            "https://rp.example:8443/cb",
            "http://rp.example/cb",
            "HTTPS://rp.example/cb",
            "https://RP.example/cb",
            "https://rp.example./cb",
            "https://rp.example@evil.example/cb",
            "https://rp.example\\@evil.example/cb",
            "https://evil.example/cb",
            "https://evil.example/?https://rp.example/cb",
            "https://rp.example.evil.example/cb",
            "https://rp.example/CB",
            "https://rp.example/%63b",
            "https://rp.example/cb%00",
            " https://rp.example/cb",
            "https://rp.example/cb\n",
            "//rp.example/cb",
            "/cb",
            "javascript:alert(1)",
            "data:text/html,x",
        ] {
            for prompt in ["", "none", "login", "dance"] {
                for one in [&rp, &strange] {
                    stays(
                        &one.authorize(&tab, &[("redirect_uri", Some(uri)), ("prompt", Some(prompt))]).await,
                    );
                    stays(&one.authorize_alone(&[("redirect_uri", Some(uri)), ("scope", None)]).await);
                }
            }
        }
    })
    .await;
}

/// Open redirects: by the way back from the sign-in, and by a demand that somebody else wrote.
#[tokio::test]
async fn t22_the_way_back_from_signing_in_cannot_be_made_up() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let asked = went(&rp.authorize(&tab, &[("prompt", Some("login"))]).await).1;
        let next = asked["next"].clone();
        assert!(next.starts_with("/oauth2/authorize?"), "{next}");
        let marker = next.split("hadir_after=").nth(1).unwrap();
        w.t.clock.advance_ms(2000);
        let fresh = w.tab().await;
        let other = format!(
            "/oauth2/authorize?{}&hadir_after={marker}",
            rp.query(&[("prompt", Some("login")), ("state", Some("s2"))])
        );
        assert!(is_login(&fresh.get(&other).await), "{}: made for another request", w.t.on);
        let later = next.replace(marker, &format!("{}.{}", 0, marker.split_once('.').unwrap().1));
        assert!(is_login(&fresh.get(&later).await), "{}: another moment", w.t.on);
        assert!(is_login(&tab.get(&next).await), "{}: the session of before", w.t.on);
        assert!(went(&fresh.get(&next).await).1.contains_key("code"), "{}", w.t.on);
        w.t.clock.advance_ms(10 * 60_000);
        assert!(is_login(&fresh.get(&next).await), "{}: an old demand", w.t.on);
    })
    .await;
}

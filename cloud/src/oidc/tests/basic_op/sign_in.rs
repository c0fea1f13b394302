//! When somebody is asked to sign in, and when he is not.

use super::*;

#[tokio::test]
async fn oidcc_prompt_none_not_logged_in_and_logged_in() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let none = [("prompt", Some("none"))];
        assert_eq!(error_of(&rp.authorize_alone(&none).await), "login_required", "{}", w.t.on);
        assert!(went(&rp.authorize(&tab, &none).await).1.contains_key("code"), "{}", w.t.on);
        let asking = w.rp(|about| about.is_trusted = false).await;
        assert_eq!(error_of(&asking.authorize(&tab, &none).await), "consent_required", "{}", w.t.on);
    })
    .await;
}

/// Signs in again where a request demands it, and goes on with what the page was given.
async fn signed_in_again(w: &World, answer: &Answer) -> Answer {
    assert!(is_login(answer), "{answer:?}");
    let (_, asked) = went(answer);
    w.t.clock.advance_ms(2000);
    w.tab().await.get(&asked["next"]).await
}

#[tokio::test]
async fn oidcc_prompt_login() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let first =
            proved(&w.t, rp.tokens(&tab, "openid").await["id_token"].as_str().unwrap(), &rp.client.client_id)
                .1;
        for prompt in ["login", "select_account"] {
            let asked = rp.authorize(&tab, &[("prompt", Some(prompt))]).await;
            let back = went(&asked).1["next"].clone();
            assert!(is_login(&tab.get(&back).await), "{}: the old session does not do", w.t.on);
            let answer = signed_in_again(&w, &asked).await;
            let code = went(&answer).1["code"].clone();
            let tokens = rp.exchange(&code).await.body;
            let (_, claims) = proved(&w.t, tokens["id_token"].as_str().unwrap(), &rp.client.client_id);
            assert!(claims["auth_time"].as_i64() > first["auth_time"].as_i64(), "{}", w.t.on);
            assert_eq!(claims["sub"], first["sub"]);
        }
    })
    .await;
}

#[tokio::test]
async fn oidcc_max_age_1_and_max_age_10000() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        w.t.clock.advance_ms(2000);
        assert!(went(&rp.authorize(&tab, &[("max_age", Some("10000"))]).await).1.contains_key("code"));
        for age in ["1", "0"] {
            let answer = rp.authorize(&tab, &[("max_age", Some(age))]).await;
            let code = went(&signed_in_again(&w, &answer).await).1["code"].clone();
            let tokens = rp.exchange(&code).await.body;
            let (_, claims) = proved(&w.t, tokens["id_token"].as_str().unwrap(), &rp.client.client_id);
            assert_eq!(claims["auth_time"].as_i64(), Some(w.t.app.now().0 / 1000), "{} {age}", w.t.on);
        }
        let quiet = [("max_age", Some("1")), ("prompt", Some("none"))];
        assert_eq!(error_of(&rp.authorize(&tab, &quiet).await), "login_required", "{}", w.t.on);
    })
    .await;
}

#[tokio::test]
async fn oidcc_id_token_hint() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        w.t.user(w.school, "2002", seed::TEACHER).await;
        let (tab, budi) = (w.tab().await, Tab::of(&w.t, "2002").await);
        let rp = w.rp(|_| ()).await;
        let tokens = rp.tokens(&tab, "openid").await;
        let hint = tokens["id_token"].as_str();
        w.t.clock.advance_ms(3600 * 1000);
        let quiet = [("prompt", Some("none")), ("id_token_hint", hint)];
        assert!(
            went(&rp.authorize(&tab, &quiet).await).1.contains_key("code"),
            "{}: old, and still him",
            w.t.on
        );
        assert_eq!(error_of(&rp.authorize(&budi, &quiet).await), "login_required", "{}", w.t.on);
        assert!(is_login(&rp.authorize(&budi, &[("id_token_hint", hint)]).await), "{}", w.t.on);
        let broken = [("prompt", Some("none")), ("id_token_hint", Some("a.b.c"))];
        assert_eq!(error_of(&rp.authorize(&tab, &broken).await), "login_required", "{}", w.t.on);
    })
    .await;
}

#[tokio::test]
async fn consent_is_asked_for_once_per_client_and_scope() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let tab = w.tab().await;
        let rp = w.rp(|about| about.is_trusted = false).await;
        let page = rp.authorize(&tab, &[("scope", Some("openid profile"))]).await;
        assert_eq!(page.status, 200);
        let html = page.body.as_str().unwrap();
        assert!(
            html.contains("Moodle") && html.contains("rp.example") && html.contains("nama pengguna"),
            "{html}"
        );
        assert_eq!(page.headers["x-frame-options"], "DENY");
        assert_eq!(error_of(&decide(&tab, &page, "deny").await), "access_denied", "{}", w.t.on);
        let page = rp.authorize(&tab, &[("scope", Some("openid profile"))]).await;
        let code = went(&decide(&tab, &page, "allow").await).1["code"].clone();
        assert_eq!(rp.exchange(&code).await.status, 200, "{}", w.t.on);
        for scope in ["openid profile", "openid"] {
            rp.code(&tab, scope).await;
        }
        let more = rp.authorize(&tab, &[("scope", Some("openid email"))]).await;
        assert_eq!(more.status, 200, "{}: more is asked again", w.t.on);
        decide(&tab, &more, "allow").await;
        rp.code(&tab, "openid profile email").await;
        let again = rp.authorize(&tab, &[("prompt", Some("consent"))]).await;
        assert_eq!(again.status, 200, "{}: and when the client wants it", w.t.on);
        let other = w.rp(|about| about.is_trusted = false).await;
        assert_eq!(other.authorize(&tab, &[]).await.status, 200, "{}: another client", w.t.on);
        assert_eq!(actions(&w.t, "oidc.consent").await.len(), 2, "{}", w.t.on);

        let both = rp.authorize(&tab, &[("prompt", Some("login consent"))]).await;
        let page = signed_in_again(&w, &both).await;
        let fresh = w.tab().await;
        let page = fresh.get(&format!("/oauth2/authorize?{}", field(&page, "request"))).await;
        assert!(went(&decide(&fresh, &page, "allow").await).1.contains_key("code"), "{}", w.t.on);
    })
    .await;
}

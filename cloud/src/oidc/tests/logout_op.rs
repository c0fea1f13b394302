//! *RP-initiated logout* of the conformance suite, by name.

use super::*;

struct Out {
    w: World,
    rp: Rp,
    tab: Tab,
    hint: String,
    access: String,
}

async fn signed_in(t: &TestApp) -> Out {
    let w = World::new(t).await;
    let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
    let tokens = rp.tokens(&tab, "openid").await;
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    Out { hint: text("id_token"), access: text("access_token"), w, rp, tab }
}

impl Out {
    async fn ask(&self, fields: &[(&str, &str)]) -> Answer {
        self.tab.get(&format!("/oauth2/logout?{}", form(fields))).await
    }

    /// Whether browser and client are signed out.
    async fn is_over(&self) -> bool {
        let page = self.tab.get("/console").await;
        let access = self.rp.userinfo(&self.access).await.status;
        assert_eq!(page.headers["location"].to_str().unwrap().starts_with("/console/login"), access == 401);
        access == 401
    }
}

#[tokio::test]
async fn oidcc_rp_initiated_logout() {
    TestApp::both(async |t| {
        let o = signed_in(&t).await;
        let answer = o
            .ask(&[("id_token_hint", &o.hint), ("post_logout_redirect_uri", GOODBYE), ("state", "x y")])
            .await;
        assert_eq!(
            went(&answer),
            (GOODBYE.into(), BTreeMap::from([("state".into(), "x y".into())])),
            "{}",
            t.on
        );
        let cookies: Vec<_> =
            answer.headers.get_all("set-cookie").iter().map(|c| c.to_str().unwrap()).collect();
        assert!(cookies.iter().any(|c| c.starts_with("__Host-hadir=;")), "{cookies:?}");
        assert!(o.is_over().await, "{}", t.on);
        let again = o.ask(&[("id_token_hint", &o.hint), ("post_logout_redirect_uri", GOODBYE)]).await;
        assert_eq!(went(&again).0, GOODBYE, "{}: twice is no fault", t.on);
    })
    .await;
}

/// `…-bad-post-logout-redirect-uri`, `…-query-added-to-post-logout-redirect-uri`, `…-modified-id-token-hint`,
/// `…-bad-id-token-hint`: said here, and nobody is sent or signed out.
#[tokio::test]
async fn oidcc_rp_initiated_logout_bad_post_logout_redirect_uri_and_bad_id_token_hint() {
    TestApp::both(async |t| {
        let o = signed_in(&t).await;
        let at = o.hint.len() - 20;
        let letter = if o.hint[at..].starts_with('A') { 'B' } else { 'A' };
        let modified = format!("{}{letter}{}", &o.hint[..at], &o.hint[at + 1..]);
        let added = format!("{GOODBYE}?x=1");
        let other = o.w.rp(|about| about.logout_uris = vec!["https://other.example/bye".into()]).await;
        for fields in [
            &[("id_token_hint", o.hint.as_str()), ("post_logout_redirect_uri", "https://evil.example/")][..],
            &[("id_token_hint", &o.hint), ("post_logout_redirect_uri", &added)],
            &[("id_token_hint", &o.hint), ("post_logout_redirect_uri", CALLBACK)],
            &[("id_token_hint", &o.hint), ("post_logout_redirect_uri", "https://other.example/bye")],
            &[("id_token_hint", &modified), ("post_logout_redirect_uri", GOODBYE)],
            &[("id_token_hint", "junk"), ("post_logout_redirect_uri", GOODBYE)],
            &[("id_token_hint", &o.access), ("post_logout_redirect_uri", GOODBYE)],
            &[("id_token_hint", &o.hint), ("client_id", &other.client.client_id)],
            &[("post_logout_redirect_uri", GOODBYE)],
            &[("post_logout_redirect_uri", GOODBYE), ("client_id", "nobody")],
        ] {
            stays(&o.ask(fields).await);
        }
        assert!(!o.is_over().await, "{}", t.on);
    })
    .await;
}

/// `…-no-id-token-hint`, `…-no-params`, `…-no-post-logout-redirect-uri`, `…-no-state`, `…-only-state`: whoever is not named is
/// asked.
#[tokio::test]
async fn oidcc_rp_initiated_logout_no_params_asks() {
    TestApp::both(async |t| {
        let o = signed_in(&t).await;
        let id = o.rp.client.client_id.clone();
        for fields in
            [&[][..], &[("state", "x")], &[("client_id", &id), ("post_logout_redirect_uri", GOODBYE)]]
        {
            let page = o.ask(fields).await;
            assert_eq!(page.status, 200, "{page:?}");
            assert!(page.body.as_str().unwrap().contains("/oauth2/logout/confirm"), "{page:?}");
        }
        assert!(!o.is_over().await, "{}: asked is not done", t.on);
        let page = o.ask(&[("client_id", &id), ("post_logout_redirect_uri", GOODBYE), ("state", "s")]).await;
        let (request, csrf) = (field(&page, "request"), field(&page, "csrf"));
        let forged = submit(&o.tab, "/oauth2/logout/confirm", &[("request", &request), ("csrf", "0")]).await;
        assert_eq!(forged.status, 403, "{}", t.on);
        let sure = submit(&o.tab, "/oauth2/logout/confirm", &[("request", &request), ("csrf", &csrf)]).await;
        assert_eq!((went(&sure).0.as_str(), went(&sure).1["state"].as_str()), (GOODBYE, "s"), "{}", t.on);
        assert!(o.is_over().await, "{}", t.on);

        let o = Out { tab: o.w.tab().await, ..o };
        let plain = o.ask(&[("id_token_hint", &o.hint)]).await;
        assert_eq!(plain.status, 200);
        assert!(plain.body.as_str().unwrap().contains("Anda sudah keluar"), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_hint_about_another_asks_and_a_post_becomes_a_get() {
    TestApp::both(async |t| {
        let o = signed_in(&t).await;
        o.w.t.user(o.w.school, "2002", seed::TEACHER).await;
        let budi = Tab::of(&o.w.t, "2002").await;
        let page = budi.get(&format!("/oauth2/logout?{}", form(&[("id_token_hint", &o.hint)]))).await;
        assert!(page.body.as_str().unwrap().contains("/oauth2/logout/confirm"), "{}: not him", t.on);
        let posted = post(&o.w.t, "/oauth2/logout", &[("id_token_hint", &o.hint)], None).await;
        let to = posted.headers["location"].to_str().unwrap().to_owned();
        assert_eq!(o.tab.get(&to).await.status, 200);
        assert!(o.is_over().await, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn what_outlives_the_browsers_session_and_what_does_not() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let (with, without) =
            (rp.tokens(&tab, "openid offline_access").await, rp.tokens(&tab, "openid").await);
        let access = |tokens: &Value| tokens["access_token"].as_str().unwrap().to_owned();
        tab.get(&format!(
            "/oauth2/logout?{}",
            form(&[("id_token_hint", with["id_token"].as_str().unwrap())])
        ))
        .await;
        assert_eq!(rp.userinfo(&access(&without)).await.status, 401, "{}: ends with the browser", w.t.on);
        assert_eq!(rp.userinfo(&access(&with)).await.status, 200, "{}: was asked to stay", w.t.on);
        let after = rp.refresh(with["refresh_token"].as_str().unwrap()).await;
        assert_eq!(after.status, 200, "{}", w.t.on);
    })
    .await;
}

//! What somebody tries who is up to no good, by the numbers of the project's list of security tests.

use super::*;
use crate::identity::{Rules, refresh};

mod codes;
mod tokens;

/// CSRF on the question whether one agrees: another site cannot answer it, nor a form of another session.
#[tokio::test]
async fn t44_consent_is_given_by_the_page_alone() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        w.t.user(w.school, "2002", seed::TEACHER).await;
        let (tab, budi) = (w.tab().await, Tab::of(&w.t, "2002").await);
        let rp = w.rp(|about| about.is_trusted = false).await;
        let query = rp.query(&[]);
        for csrf in ["", "0", budi.csrf.as_str()] {
            let fields = [("request", &*query), ("csrf", csrf), ("decision", "allow")];
            assert_eq!(submit(&tab, "/oauth2/consent", &fields).await.status, 403, "{}", w.t.on);
        }
        let body = form(&[("request", &query), ("csrf", &tab.csrf), ("decision", "allow")]);
        for site in ["cross-site", "same-site"] {
            let foreign = tab.request("POST", "/oauth2/consent").header("sec-fetch-site", site);
            let foreign = foreign.header("content-type", "application/x-www-form-urlencoded");
            assert_eq!(
                w.t.send(foreign.body(Body::from(body.clone())).unwrap()).await.status,
                403,
                "{}",
                w.t.on
            );
        }
        let alone = post(&w.t, "/oauth2/consent", &[("request", &query), ("csrf", &tab.csrf)], None).await;
        assert_eq!(alone.status, 401, "{}", w.t.on);
        let by_get = tab.get(&format!("/oauth2/consent?{body}")).await;
        assert_eq!(by_get.status, 405, "{}", w.t.on);
        assert_eq!(rp.authorize(&tab, &[]).await.status, 200, "{}: nobody has agreed", w.t.on);
        let evil = rp.query(&[("redirect_uri", Some("https://evil.example/"))]);
        let fields = [("request", &*evil), ("csrf", &*tab.csrf), ("decision", "allow")];
        stays(&submit(&tab, "/oauth2/consent", &fields).await);
    })
    .await;
}

/// T44: a cookie is nothing to the endpoints for programs, and their answers say so to browsers.
#[tokio::test]
async fn t44_a_cookie_opens_no_endpoint_for_programs() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        assert_eq!(tab.get("/oauth2/userinfo").await.status, 401, "{}", w.t.on);
        assert_eq!(tab.get("/oauth2/clients").await.status, 401, "{}", w.t.on);
        let cross = |path: &str| Request::get(path).header("origin", "https://spa.example");
        let open = w.t.send(cross("/.well-known/openid-configuration").body(Body::empty()).unwrap()).await;
        assert_eq!(open.headers["access-control-allow-origin"], "*");
        assert!(open.headers.get("access-control-allow-credentials").is_none());
        let page =
            w.t.send(cross(&format!("/oauth2/authorize?{}", rp.query(&[]))).body(Body::empty()).unwrap())
                .await;
        assert!(page.headers.get("access-control-allow-origin").is_none(), "{}", w.t.on);
    })
    .await;
}

/// Session fixation: whoever signs in gets a session that nobody knew before.
#[tokio::test]
async fn whoever_signs_in_gets_another_session() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (one, two) = (w.tab().await, w.tab().await);
        assert_ne!(one.cookie, two.cookie, "{}", w.t.on);
        let (login, csrf) = crate::console::tests::form(&w.t).await;
        let planted = format!("{login}; __Host-hadir=planted");
        let answer = crate::console::tests::enter(&w.t, &planted, &csrf, "2001", PASSWORD, "/console").await;
        let cookies: Vec<_> =
            answer.headers.get_all("set-cookie").iter().map(|c| c.to_str().unwrap()).collect();
        assert!(cookies.iter().any(|c| c.starts_with("__Host-hadir=ey")), "{cookies:?}");
    })
    .await;
}

/// T02 and T10: a client of one school is for its people.
#[tokio::test]
async fn t10_a_schools_client_signs_in_its_own_people_only() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let other = w.t.institution("SMPN2").await;
        w.t.user(other, "3001", seed::TEACHER).await;
        let (tab, stranger) = (w.tab().await, Tab::of(&w.t, "3001").await);
        let rp = w.rp(|about| about.institution = Some(w.school)).await;
        rp.tokens(&tab, "openid").await;
        assert_eq!(error_of(&rp.authorize(&stranger, &[]).await), "access_denied", "{}", w.t.on);
        let tokens = rp.tokens(&tab, "openid offline_access").await;
        let mut tx = w.t.app.db.write(Cloud).await.unwrap();
        tx.query("UPDATE oidc_clients SET institution_id = $1").bind(other.0).run().await.unwrap();
        tx.commit().await.unwrap();
        refused(&rp.refresh(tokens["refresh_token"].as_str().unwrap()).await, 400, "invalid_grant");
        refused(&rp.userinfo(tokens["access_token"].as_str().unwrap()).await, 401, "invalid_token");
    })
    .await;
}

/// T21: what clients hold stands among one's sessions, and ends there.
#[tokio::test]
async fn t21_a_clients_hold_is_in_the_list_of_sessions_and_ends_there() {
    use crate::identity::session;
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let tokens = rp.tokens(&tab, "openid offline_access").await;
        let now = w.t.app.now();
        let listed = session::list(&mut w.t.app.db.read(Cloud).await.unwrap(), w.siti, now).await.unwrap();
        let held = listed.iter().find(|one| one.client == "oidc").unwrap();
        assert_eq!(held.user_agent.as_deref(), Some("Moodle"), "{}", w.t.on);
        let mut tx = w.t.app.db.write(Cloud).await.unwrap();
        assert!(session::revoke(&mut tx, &w.t.app, w.siti, held.id).await.unwrap());
        tx.commit().await.unwrap();
        w.t.app.identity.forget();
        refused(&rp.userinfo(tokens["access_token"].as_str().unwrap()).await, 401, "invalid_token");
        refused(&rp.refresh(tokens["refresh_token"].as_str().unwrap()).await, 400, "invalid_grant");
        assert!(
            went(&rp.authorize(&tab, &[]).await).1.contains_key("code"),
            "{}: the browser's goes on",
            w.t.on
        );
    })
    .await;
}

/// T35: texts that mean something to a database mean nothing here.
#[tokio::test]
async fn t35_no_text_reaches_the_database_as_a_statement() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        for text in ["'; DROP TABLE oidc_clients; --", "\" OR 1=1", "%", "_", "\u{202e}", "{{7*7}}"] {
            stays(&rp.authorize(&tab, &[("client_id", Some(text))]).await);
            let (_, params) =
                went(&rp.authorize(&tab, &[("state", Some(text)), ("nonce", Some(text))]).await);
            assert_eq!(params["state"], text, "{}", w.t.on);
            for name in ["code", "code_verifier", "redirect_uri"] {
                let code = rp.code(&tab, "openid").await;
                let fields =
                    with_code(&code).map(|(field, own)| (field, if field == name { text } else { own }));
                refused(&rp.token(&fields).await, 400, "invalid_grant");
            }
            refused(&rp.refresh(text).await, 400, "invalid_grant");
            assert_eq!(rp.ask("/oauth2/revoke", &[("token", text)]).await.status, 200);
            assert_eq!(rp.ask("/oauth2/introspect", &[("token", text)]).await.body, json!({"active": false}));
        }
        // What PostgreSQL takes in no text at all.
        let nul = "a\u{0}b";
        stays(&rp.authorize(&tab, &[("client_id", Some(nul))]).await);
        let (_, params) = went(&rp.authorize(&tab, &[("state", Some(nul))]).await);
        assert_eq!((params["error"].as_str(), params.get("state")), ("invalid_request", None), "{}", w.t.on);
        assert_eq!(error_of(&rp.authorize(&tab, &[("nonce", Some(nul))]).await), "invalid_request");
        for name in ["code", "code_verifier", "redirect_uri"] {
            let fields = with_code("x").map(|(field, own)| (field, if field == name { nul } else { own }));
            refused(&rp.token(&fields).await, 400, "invalid_request");
        }
        refused(&rp.ask("/oauth2/revoke", &[("token", nul)]).await, 400, "invalid_request");
        let (login, csrf) = crate::console::tests::form(&w.t).await;
        let answer = crate::console::tests::enter(&w.t, &login, &csrf, nul, PASSWORD, "/console").await;
        assert_eq!(answer.status, 401, "{}: nobody is called so", w.t.on);
        rp.tokens(&tab, "openid").await;
    })
    .await;
}

/// T45: nothing that opens anything is kept as it is.
#[tokio::test]
async fn t45_no_code_token_or_secret_is_in_the_database() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let code = rp.code(&tab, "openid offline_access").await;
        let tokens = rp.exchange(&code).await.body;
        let mut tx = w.t.app.db.read(Cloud).await.unwrap();
        let mut kept = String::new();
        for sql in [
            "SELECT code_hash || COALESCE(nonce, '') || challenge FROM oidc_codes",
            "SELECT token_hash || COALESCE(parent_hash, '') FROM refresh_tokens",
            "SELECT COALESCE(secret_hash, '') FROM oidc_clients",
            "SELECT action || subject || COALESCE(CAST(after AS TEXT), '') FROM audit_log",
            "SELECT scopes FROM oidc_grants",
        ] {
            let rows: Vec<(String,)> = tx.query(sql).all().await.unwrap();
            assert!(!rows.is_empty(), "{sql}");
            kept.extend(rows.into_iter().map(|(text,)| text));
        }
        let text = |name: &str| tokens[name].as_str().unwrap();
        for secret in [
            &*code,
            text("access_token"),
            text("refresh_token"),
            text("id_token"),
            rp.secret.as_deref().unwrap(),
            VERIFIER,
        ] {
            assert!(!kept.contains(secret), "{} keeps {secret}", w.t.on);
        }
        let rules = Rules { typ: "JWT", issuer: ISSUER, audience: Some(&rp.client.client_id), stale: false };
        let hint: Result<Value, _> =
            w.t.app.identity.keys().verify_as(&w.t.app, text("id_token"), &rules).await;
        assert!(hint.is_ok(), "{}", w.t.on);
    })
    .await;
}

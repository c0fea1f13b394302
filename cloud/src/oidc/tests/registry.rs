//! The registry by API.

use super::*;
use crate::console::tests::super_admin;

async fn keeper(t: &TestApp) -> String {
    let tab = super_admin(t).await;
    // The cookie holds an ordinary token, which is what programs bring in their header.
    tab.cookie.split_once('=').unwrap().1.to_owned()
}

fn told() -> Value {
    json!({"name": "Nextcloud", "redirect_uris": ["https://cloud.sekolah.example/apps/user_oidc/code"],
        "post_logout_redirect_uris": ["https://cloud.sekolah.example/"], "scope": "openid profile email"})
}

#[tokio::test]
async fn a_client_is_registered_shown_changed_and_removed() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let token = keeper(&w.t).await;
        let token = Some(token.as_str());
        let made = w.t.post("/oauth2/clients", token, told()).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let (id, secret) =
            (made.body["client_id"].as_str().unwrap(), made.body["client_secret"].as_str().unwrap());
        assert_eq!((secret.len(), made.body["id_token_signed_response_alg"].as_str()), (43, Some("RS256")));
        let path = format!("/oauth2/clients/{id}");
        let shown = w.t.get(&path, token).await;
        assert!(shown.body.get("client_secret").is_none(), "{}: once", w.t.on);
        assert_eq!(
            w.t.get("/oauth2/clients", token).await.body["clients"],
            json!([shown.body]),
            "{}",
            w.t.on
        );

        let mut change = told();
        change["name"] = json!("Awan");
        change["active"] = json!(false);
        assert_eq!(w.t.put(&path, token, change).await.body["active"], false);
        let mut kind = told();
        kind["type"] = json!("public");
        assert_eq!(w.t.put(&path, token, kind).await.status, 422);
        assert_eq!(w.t.delete(&path, token).await.status, 204);
        for answer in
            [w.t.get(&path, token).await, w.t.delete(&path, token).await, w.t.put(&path, token, told()).await]
        {
            refused(&answer, 404, "not_found");
        }
        let seen = actions(&w.t, "oidc_client.%").await;
        assert_eq!(seen, ["oidc_client.create", "oidc_client.update", "oidc_client.delete"], "{}", w.t.on);
        let mut tx = w.t.app.db.read(Cloud).await.unwrap();
        let kept: Vec<(String,)> =
            tx.query("SELECT COALESCE(CAST(after AS TEXT), '') FROM audit_log").all().await.unwrap();
        assert!(!format!("{kept:?}").contains(secret), "{}", w.t.on);
    })
    .await;
}

#[tokio::test]
async fn nobody_but_a_super_admin_gets_there() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        w.t.user(w.school, "2009", seed::ADMIN).await;
        let rp = w.rp(|_| ()).await;
        let path = format!("/oauth2/clients/{}", rp.client.client_id);
        let admin = w.t.login("2009").await;
        let access = rp.tokens(&w.tab().await, "openid").await["access_token"].as_str().unwrap().to_owned();
        for (token, status) in [(None, 401), (Some("junk"), 401), (Some(&*access), 401), (Some(&*admin), 403)]
        {
            for answer in [
                w.t.get("/oauth2/clients", token).await,
                w.t.post("/oauth2/clients", token, told()).await,
                w.t.get(&path, token).await,
                w.t.put(&path, token, told()).await,
                w.t.delete(&path, token).await,
                w.t.post(&format!("{path}/secret"), token, json!({})).await,
            ] {
                assert_eq!(answer.status, status, "{} {token:?}: {}", w.t.on, answer.body);
            }
        }
        assert_eq!(
            client::list(&mut w.t.app.db.read(Cloud).await.unwrap()).await.unwrap().len(),
            1,
            "{}",
            w.t.on
        );
    })
    .await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_field_by_field() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let token = keeper(&w.t).await;
        for (field, value) in [
            ("name", json!("")),
            ("name", json!("x".repeat(101))),
            ("name", json!("a\u{0}b")),
            ("redirect_uris", json!([])),
            ("redirect_uris", json!(["http://rp.example/cb"])),
            ("redirect_uris", json!(["https://rp.example/cb", "javascript:alert(1)"])),
            ("redirect_uris", json!(vec!["https://rp.example/cb"; 21])),
            ("redirect_uris", json!("https://rp.example/cb")),
            ("post_logout_redirect_uris", json!(["https://rp.example/#x"])),
            ("scope", json!("profile")),
            ("scope", json!("openid everything")),
            ("type", json!("secretive")),
            ("id_token_signed_response_alg", json!("none")),
            ("id_token_signed_response_alg", json!("HS256")),
            ("institution_id", json!(999_999)),
            ("client_secret", json!("of my own")),
            ("client_id", json!("of my own")),
        ] {
            let mut body = told();
            body[field] = value.clone();
            let answer = w.t.post("/oauth2/clients", Some(&token), body).await;
            assert_eq!(answer.status, 422, "{} {field} {value}: {}", w.t.on, answer.body);
        }
        assert!(
            client::list(&mut w.t.app.db.read(Cloud).await.unwrap()).await.unwrap().is_empty(),
            "{}",
            w.t.on
        );
    })
    .await;
}

/// T23.
#[tokio::test]
async fn t23_a_secret_is_hashed_and_replaced_with_overlap() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (token, tab, rp) = (keeper(&w.t).await, w.tab().await, w.rp(|_| ()).await);
        let path = format!("/oauth2/clients/{}/secret", rp.client.client_id);
        let answer = w.t.post(&path, Some(&token), json!({"overlap_hours": 1})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let new = Rp {
            secret: answer.body["client_secret"].as_str().map(Into::into),
            t: w.t.clone(),
            client: rp.client.clone(),
        };
        for one in [&rp, &new] {
            one.tokens(&tab, "openid").await;
        }
        w.t.clock.advance_ms(3600 * 1000);
        let code = rp.code(&tab, "openid").await;
        refused(&rp.exchange(&code).await, 401, "invalid_client");
        assert_eq!(new.exchange(&code).await.status, 200, "{}", w.t.on);
        let at_once = w.t.post(&path, Some(&token), json!({"overlap_hours": 0})).await;
        assert_eq!(at_once.status, 200);
        refused(&new.token(&[]).await, 401, "invalid_client");
        assert_eq!(w.t.post(&path, Some(&token), json!({"overlap_hours": 721})).await.status, 422);
        let public = w.rp(|about| about.is_public = true).await;
        let path = format!("/oauth2/clients/{}/secret", public.client.client_id);
        assert_eq!(w.t.post(&path, Some(&token), json!({})).await.status, 409);

        let mut tx = w.t.app.db.read(Cloud).await.unwrap();
        let rows: Vec<(Option<String>, Option<String>)> =
            tx.query("SELECT secret_hash, old_secret_hash FROM oidc_clients").all().await.unwrap();
        for secret in [&rp.secret, &new.secret] {
            assert!(!format!("{rows:?}").contains(secret.as_deref().unwrap()), "{}", w.t.on);
        }
    })
    .await;
}

/// T10 and T20: what ends a client's hold on a user.
#[tokio::test]
async fn t20_what_ends_a_user_here_ends_him_at_every_client() {
    use crate::identity::{second, session, user};
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let rp = w.rp(|_| ()).await;
        let app = &w.t.app;
        let hash = app.identity.hasher().hash(&app.ids, "kunci rumah nenek").await.unwrap();
        for what in ["role", "sessions", "inactive", "school", "client", "half", "password"] {
            let tab = w.tab().await;
            let tokens = rp.tokens(&tab, "openid offline_access").await;
            let (access, refresh) =
                (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
            assert_eq!(rp.userinfo(access).await.status, 200, "{what}");
            let pending = rp.code(&tab, "openid").await;
            let mut tx = app.db.write(Cloud).await.unwrap();
            let by = Actor::System;
            match what {
                "role" => user::set_role(&mut tx, app, by, w.siti, seed::STAFF).await.unwrap(),
                "sessions" => session::revoke_all(&mut tx, app, by, w.siti, None).await.map(drop).unwrap(),
                "inactive" => user::set_active(&mut tx, app, by, w.siti, false).await.unwrap(),
                "school" => {
                    tx.query("UPDATE institutions SET is_active = FALSE").run().await.unwrap();
                }
                "client" => {
                    tx.query("UPDATE oidc_clients SET is_active = FALSE").run().await.unwrap();
                }
                "half" => second::require(&mut tx, app, by, w.school, &[seed::STAFF]).await.unwrap(),
                _ => user::set_password(&mut tx, app, by, w.siti, &hash).await.unwrap(),
            }
            tx.commit().await.unwrap();
            app.identity.forget();
            refused(&rp.userinfo(access).await, 401, "invalid_token");
            if what == "client" {
                refused(&rp.refresh(refresh).await, 401, "invalid_client");
            } else if what != "role" {
                // Another role ends the tokens; the hold goes on under it.
                refused(&rp.refresh(refresh).await, 400, "invalid_grant");
                refused(&rp.exchange(&pending).await, 400, "invalid_grant");
            }
            let mut tx = app.db.write(Cloud).await.unwrap();
            user::set_active(&mut tx, app, by, w.siti, true).await.unwrap();
            second::require(&mut tx, app, by, w.school, &[]).await.unwrap();
            tx.query("UPDATE institutions SET is_active = TRUE").run().await.unwrap();
            tx.query("UPDATE oidc_clients SET is_active = TRUE").run().await.unwrap();
            tx.commit().await.unwrap();
            app.identity.forget();
        }
    })
    .await;
}

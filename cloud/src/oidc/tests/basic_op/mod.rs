//! *Config OP* and *Basic OP* of the OpenID Foundation's conformance suite: `oidcc-…` is here `oidcc_…`.

use super::*;
use crate::http::AUTH_BODY_LIMIT;

mod sign_in;

#[tokio::test]
async fn oidcc_discovery_endpoint_verification() {
    TestApp::both(async |t| {
        assert_eq!(
            t.get("/.well-known/openid-configuration", None).await.status,
            404,
            "no address, no provider"
        );
        let w = World::new(&t).await;
        let answer = w.t.get("/.well-known/openid-configuration", None).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["content-type"]),
            (200, &"application/json".parse().unwrap())
        );
        let said = &answer.body;
        assert_eq!(said["issuer"], ISSUER);
        for (name, path) in [
            ("authorization_endpoint", "/oauth2/authorize"),
            ("token_endpoint", "/oauth2/token"),
            ("userinfo_endpoint", "/oauth2/userinfo"),
            ("jwks_uri", "/.well-known/jwks.json"),
            ("revocation_endpoint", "/oauth2/revoke"),
            ("introspection_endpoint", "/oauth2/introspect"),
            ("end_session_endpoint", "/oauth2/logout"),
        ] {
            assert_eq!(said[name], format!("{ISSUER}{path}"), "{name}");
        }
        assert_eq!(said["response_types_supported"], json!(["code"]));
        assert_eq!(said["code_challenge_methods_supported"], json!(["S256"]));
        assert!(said["scopes_supported"].as_array().unwrap().contains(&json!("openid")));
        assert!(said["id_token_signing_alg_values_supported"].as_array().unwrap().contains(&json!("RS256")));
        assert_eq!(said["authorization_response_iss_parameter_supported"], true);
        let jwks = w.t.get("/.well-known/jwks.json", None).await.body;
        assert!(jwks["keys"].as_array().unwrap().iter().any(|key| key["alg"] == "RS256"), "{jwks}");
        assert_eq!(w.t.get("/.well-known/oauth-authorization-server", None).await.body, *said);
    })
    .await;
}

#[tokio::test]
async fn oidcc_server_and_idtoken_signature() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let tab = w.tab().await;
        for alg in [Alg::Rs256, Alg::EdDsa] {
            let rp = w.rp(|about| about.alg = alg).await;
            let answer = rp.authorize(&tab, &[]).await;
            let (address, params) = went(&answer);
            assert_eq!((answer.status.as_u16(), address.as_str()), (303, CALLBACK), "{}", w.t.on);
            assert_eq!((params["state"].as_str(), params["iss"].as_str()), ("s1", ISSUER));
            let answer = rp.exchange(&params["code"]).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert_eq!(answer.headers["cache-control"], "no-store");
            let tokens = &answer.body;
            assert_eq!(
                (tokens["token_type"].as_str(), tokens["expires_in"].as_i64()),
                (Some("Bearer"), Some(900))
            );
            assert!(tokens.get("refresh_token").is_none(), "it was not asked for: {tokens}");
            let id_token = tokens["id_token"].as_str().unwrap();
            let (header, claims) = proved(&w.t, id_token, &rp.client.client_id);
            assert_eq!(
                (format!("{:?}", header.alg), header.typ.as_deref()),
                (alg.name().into(), Some("JWT"))
            );
            assert_eq!(claims["nonce"], "n1");
            assert_eq!(claims["amr"], json!(["pwd"]));
            let now = w.t.app.now().0 / 1000;
            assert_eq!((claims["iat"].as_i64(), claims["auth_time"].as_i64()), (Some(now), Some(now)));
            for leaked in ["name", "email", "phone_number", "number", "preferred_username"] {
                assert!(claims.get(leaked).is_none(), "{leaked}: {claims}");
            }
            let access = tokens["access_token"].as_str().unwrap();
            let half = match alg {
                Alg::Rs256 => BASE64URL_NOPAD.encode(&Sha256::digest(access)[..16]),
                Alg::EdDsa => BASE64URL_NOPAD.encode(&sha2::Sha512::digest(access)[..32]),
            };
            assert_eq!(claims["at_hash"], half);
            assert_eq!(rp.userinfo(access).await.body["sub"], claims["sub"]);
        }
    })
    .await;
}

#[tokio::test]
async fn oidcc_response_type_missing_and_what_else_is_told_to_the_client() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let long = "x".repeat(5000);
        let changes: [(Change<'_>, &str); 17] = [
            (("response_type", None), "invalid_request"),
            (("response_type", Some("token")), "unsupported_response_type"),
            (("response_type", Some("code id_token")), "unsupported_response_type"),
            (("response_mode", Some("fragment")), "invalid_request"),
            (("scope", None), "invalid_scope"),
            (("scope", Some("profile")), "invalid_scope"),
            (("code_challenge", None), "invalid_request"),
            (("code_challenge", Some("short")), "invalid_request"),
            (("code_challenge_method", None), "invalid_request"),
            (("code_challenge_method", Some("plain")), "invalid_request"),
            (("prompt", Some("none login")), "invalid_request"),
            (("prompt", Some("dance")), "invalid_request"),
            (("max_age", Some("-1")), "invalid_request"),
            (("max_age", Some("soon")), "invalid_request"),
            (("request", Some("eyJ")), "request_not_supported"),
            (("request_uri", Some("https://rp.example/r")), "request_uri_not_supported"),
            (("login_hint", Some(&long)), "invalid_request"),
        ];
        for (change, wanted) in changes {
            assert_eq!(error_of(&rp.authorize(&tab, &[change]).await), wanted, "{} {change:?}", w.t.on);
        }
        let twice = format!("/oauth2/authorize?{}&scope=openid", rp.query(&[]));
        assert_eq!(error_of(&tab.get(&twice).await), "invalid_request", "a parameter twice");
    })
    .await;
}

#[tokio::test]
async fn oidcc_ensure_registered_redirect_uri() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let absent = w.rp(|about| about.is_active = false).await;
        for change in [
            ("redirect_uri", None),
            ("redirect_uri", Some("https://rp.example/unknown")),
            ("client_id", None),
            ("client_id", Some("nobody")),
            ("client_id", Some(absent.client.client_id.as_str())),
        ] {
            stays(&rp.authorize(&tab, &[change]).await);
            stays(&rp.authorize(&tab, &[change, ("prompt", Some("none"))]).await);
            stays(&rp.authorize_alone(&[change, ("response_type", None)]).await);
        }
        let query = rp.query(&[]);
        for twice in ["redirect_uri=https%3A%2F%2Fevil.example", "client_id=x"] {
            stays(&tab.get(&format!("/oauth2/authorize?{query}&{twice}")).await);
        }
    })
    .await;
}

#[tokio::test]
async fn oidcc_userinfo_get_post_header_post_body() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let tokens = rp.tokens(&tab, "openid").await;
        let token = tokens["access_token"].as_str().unwrap();
        let get = rp.userinfo(token).await;
        assert_eq!(
            (get.status.as_u16(), &get.headers["content-type"]),
            (200, &"application/json".parse().unwrap())
        );
        let header = w.t.send(bearer("POST", "/oauth2/userinfo", token).body(Body::empty()).unwrap()).await;
        let body = post(&w.t, "/oauth2/userinfo", &[("access_token", token)], None).await;
        assert_eq!((&header.body, &body.body), (&get.body, &get.body), "{}", w.t.on);
        let both =
            post(&w.t, "/oauth2/userinfo", &[("access_token", token)], Some(&format!("Bearer {token}")))
                .await;
        refused(&both, 400, "invalid_request");
        for nothing in
            [w.t.get("/oauth2/userinfo", None).await, post(&w.t, "/oauth2/userinfo", &[], None).await]
        {
            refused(&nothing, 401, "invalid_token");
            assert!(nothing.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer "));
        }
    })
    .await;
}

#[tokio::test]
async fn oidcc_scope_profile_email_phone_all() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let mut tx = w.t.app.db.write(Cloud).await.unwrap();
        tx.query("UPDATE users SET email = 'siti@sman1.example', phone = '+62811000' WHERE id = $1")
            .bind(w.siti.0)
            .run()
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let own = |scope: &'static str| match scope {
            "profile" => &["name", "preferred_username", "updated_at"][..],
            "email" => &["email", "email_verified"],
            "phone" => &["phone_number", "phone_number_verified"],
            "school" => &["number", "roles", "school_code", "school_name"],
            _ => &[],
        };
        for scopes in [
            &["profile"][..],
            &["email"],
            &["phone"],
            &["school"],
            &["address"],
            &["profile", "email", "phone", "school"],
        ] {
            let tokens = rp.tokens(&tab, &format!("{} openid", scopes.join(" "))).await;
            let said = rp.userinfo(tokens["access_token"].as_str().unwrap()).await.body;
            let mut wanted: Vec<&str> =
                scopes.iter().flat_map(|scope| own(scope)).copied().chain(["sub"]).collect();
            wanted.sort_unstable();
            let told: Vec<&str> = said.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(told, wanted, "{} {scopes:?}", w.t.on);
            if scopes.contains(&"school") {
                assert_eq!(
                    (said["school_code"].as_str(), &said["roles"]["ATTENDANCE"]),
                    (Some("SMAN1"), &json!("guru"))
                );
            }
        }
        let narrow = w.rp(|about| about.scopes = Scopes::parse("openid")).await;
        let tokens = narrow.tokens(&tab, "openid profile email").await;
        assert_eq!(tokens["scope"], "openid", "{}: it may not ask for more", w.t.on);
    })
    .await;
}

/// `oidcc-ensure-request-without-nonce-succeeds-for-code-flow`, `-with-unknown-parameter-`, `-with-acr-values-`,
/// `oidcc-display-page`, `-popup`, `oidcc-login-hint`, `oidcc-ui-locales`, `oidcc-claims-locales`,
/// `oidcc-claims-essential`, `oidcc-ensure-other-scope-order-succeeds`.
#[tokio::test]
async fn oidcc_what_is_ignored_or_only_a_wish_succeeds() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        for change in [
            ("nonce", None),
            ("state", None),
            ("extra", Some("foobar")),
            ("acr_values", Some("1 2")),
            ("display", Some("page")),
            ("display", Some("popup")),
            ("login_hint", Some("siti@sman1.example")),
            ("ui_locales", Some("se en")),
            ("claims_locales", Some("se")),
            ("claims", Some("{\"userinfo\":{\"name\":{\"essential\":true}}}")),
            ("scope", Some("email openid nonsense")),
        ] {
            let (address, params) = went(&rp.authorize(&tab, &[change]).await);
            assert_eq!(address, CALLBACK, "{change:?}");
            let answer = rp.exchange(&params["code"]).await;
            assert_eq!(answer.status, 200, "{change:?}: {}", answer.body);
            let (_, claims) = proved(&w.t, answer.body["id_token"].as_str().unwrap(), &rp.client.client_id);
            assert_eq!(claims.get("nonce").is_some(), change.0 != "nonce");
            assert_eq!(params.contains_key("state"), change.0 != "state");
        }
        let alone = rp
            .authorize_alone(&[("login_hint", Some("siti@sman1.example")), ("ui_locales", Some("en"))])
            .await;
        let (_, asked) = went(&alone);
        assert_eq!(
            (asked["hint"].as_str(), &alone.headers["set-cookie"]),
            (
                "siti@sman1.example",
                &"hadir-language=en; Path=/; Secure; SameSite=Lax; Max-Age=31536000".parse().unwrap()
            )
        );
        let page = w
            .t
            .get(&format!("/console/login?{}", form(&[("hint", "siti@sman1.example"), ("next", "/x")])), None)
            .await;
        assert!(page.body.as_str().unwrap().contains("value=\"siti@sman1.example\""));
    })
    .await;
}

#[tokio::test]
async fn oidcc_codereuse_and_codereuse_30seconds() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        for wait_ms in [0, 30_000] {
            let code = rp.code(&tab, "openid offline_access").await;
            let tokens = rp.exchange(&code).await.body;
            let (access, refresh) =
                (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
            assert_eq!(rp.userinfo(access).await.status, 200);
            w.t.clock.advance_ms(wait_ms);
            refused(&rp.exchange(&code).await, 400, "invalid_grant");
            refused(&rp.userinfo(access).await, 401, "invalid_token");
            refused(&rp.refresh(refresh).await, 400, "invalid_grant");
        }
        assert_eq!(actions(&w.t, "oidc.code_reuse").await.len(), 2, "{}", w.t.on);
        let late = rp.code(&tab, "openid").await;
        w.t.clock.advance_ms(60_000);
        refused(&rp.exchange(&late).await, 400, "invalid_grant");
    })
    .await;
}

#[tokio::test]
async fn oidcc_ensure_post_request_succeeds() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let posted =
            Request::post("/oauth2/authorize").header("content-type", "application/x-www-form-urlencoded");
        let answer = w.t.send(posted.body(Body::from(rp.query(&[]))).unwrap()).await;
        let to = answer.headers["location"].to_str().unwrap();
        assert!(went(&tab.get(to).await).1.contains_key("code"), "{}", w.t.on);
        let huge =
            Request::post("/oauth2/authorize").header("content-type", "application/x-www-form-urlencoded");
        let answer =
            w.t.send(huge.body(Body::from(format!("x={}", "y".repeat(AUTH_BODY_LIMIT)))).unwrap()).await;
        assert_eq!(answer.status, 400, "{}", w.t.on);
    })
    .await;
}

#[tokio::test]
async fn oidcc_server_client_secret_post_and_public_clients() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let (id, secret) = (rp.client.client_id.as_str(), rp.secret.as_deref().unwrap());
        let code = rp.code(&tab, "openid").await;
        let fields: Vec<_> =
            with_code(&code).into_iter().chain([("client_id", id), ("client_secret", secret)]).collect();
        assert_eq!(post(&w.t, "/oauth2/token", &fields, None).await.status, 200, "{}", w.t.on);

        let public = w.rp(|about| about.is_public = true).await;
        assert!(public.secret.is_none());
        let code = public.code(&tab, "openid").await;
        assert_eq!(public.exchange(&code).await.status, 200, "{}: PKCE alone", w.t.on);

        let basic = |id: &str, secret: &str| format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        let nobody = rp.code(&tab, "openid").await;
        let nobody = with_code(&nobody);
        let named = |id: &'static str| nobody.into_iter().chain([("client_id", id)]).collect::<Vec<_>>();
        for (fields, authorization) in [
            (nobody.to_vec(), None),
            (nobody.to_vec(), Some(basic(id, "wrong"))),
            (nobody.to_vec(), Some(basic("nobody", secret))),
            (nobody.to_vec(), Some(basic(&public.client.client_id, ""))),
            (nobody.to_vec(), Some("Basic !!!".into())),
            (nobody.to_vec(), Some(format!("Bearer {secret}"))),
            (named("somebody-else"), Some(basic(id, secret))),
            (nobody.into_iter().chain([("client_id", id)]).collect(), None),
            (nobody.into_iter().chain([("client_id", id), ("client_secret", "")]).collect(), None),
        ] {
            let answer = post(&w.t, "/oauth2/token", &fields, authorization.as_deref()).await;
            refused(&answer, 401, "invalid_client");
            assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Basic "));
        }
        let twice = nobody.into_iter().chain([("client_secret", secret)]).collect::<Vec<_>>();
        refused(&post(&w.t, "/oauth2/token", &twice, Some(&basic(id, secret))).await, 400, "invalid_request");
        assert_eq!(rp.token(&nobody).await.status, 200, "{}: none of them used it up", w.t.on);
    })
    .await;
}

#[tokio::test]
async fn oidcc_refresh_token() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp, other) = (w.tab().await, w.rp(|_| ()).await, w.rp(|_| ()).await);
        let tokens = rp.tokens(&tab, "openid profile offline_access").await;
        let first = tokens["refresh_token"].as_str().unwrap();
        refused(&other.refresh(first).await, 400, "invalid_grant");
        let second = rp.refresh(first).await;
        assert_eq!(second.status, 200, "{}: the other client did not use it up: {}", w.t.on, second.body);
        let (_, before) = proved(&w.t, tokens["id_token"].as_str().unwrap(), &rp.client.client_id);
        let (_, after) = proved(&w.t, second.body["id_token"].as_str().unwrap(), &rp.client.client_id);
        for same in ["iss", "sub", "aud", "auth_time"] {
            assert_eq!(before[same], after[same], "{same}");
        }
        assert!(after.get("nonce").is_none());
        let next = second.body["refresh_token"].as_str().unwrap();
        let narrow = [("grant_type", "refresh_token"), ("refresh_token", next), ("scope", "openid")];
        let narrow = rp.token(&narrow).await;
        let said = rp.userinfo(narrow.body["access_token"].as_str().unwrap()).await.body;
        assert!(said.get("name").is_none(), "{said}");
        let next = narrow.body["refresh_token"].as_str().unwrap();
        let wide = [("grant_type", "refresh_token"), ("refresh_token", next), ("scope", "openid email")];
        refused(&rp.token(&wide).await, 400, "invalid_scope");
        assert_eq!(rp.refresh(next).await.status, 200, "{}: and it is not used up", w.t.on);
        for (fields, error) in [
            (vec![("grant_type", "refresh_token")], "invalid_request"),
            (vec![("grant_type", "authorization_code")], "invalid_request"),
            (
                vec![("grant_type", "password"), ("username", "2001"), ("password", PASSWORD)],
                "unsupported_grant_type",
            ),
            (vec![("grant_type", "client_credentials")], "unsupported_grant_type"),
            (vec![], "invalid_request"),
        ] {
            refused(&rp.token(&fields).await, 400, error);
        }
    })
    .await;
}

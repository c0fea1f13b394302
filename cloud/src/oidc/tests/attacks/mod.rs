//! What somebody tries who is up to no good, by the numbers of the project's list of security tests.

use super::*;
use crate::identity::{Rules, refresh};

/// T16: nothing but an access token of this provider is one here, and it is one nowhere else.
#[tokio::test]
async fn t16_tokens_are_good_where_they_belong_and_nowhere_else() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let tokens = rp.tokens(&tab, "openid offline_access").await;
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        let (access, id_token, refresh_token) =
            (text("access_token"), text("id_token"), text("refresh_token"));
        assert_eq!(w.t.get("/api/user", Some(&access)).await.status, 401, "{}: not for the modules", w.t.on);
        assert_eq!(w.t.get("/api/user", Some(&id_token)).await.status, 401, "{}", w.t.on);
        let own = w.t.login("2001").await;
        let parts: Vec<&str> = access.split('.').collect();
        let json_of = |part: &str| -> Value {
            serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
        };
        let pack = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let (header, claims) = (json_of(parts[0]), json_of(parts[1]));
        let mut bad = vec![
            id_token,
            refresh_token,
            own,
            String::from("x"),
            format!("{}.{}.", parts[0], parts[1]),
            "x".repeat(5000),
        ];
        for alg in ["none", "None", "nOnE"] {
            let mut header = header.clone();
            header["alg"] = json!(alg);
            bad.push(format!("{}.{}.", pack(&header), parts[1]));
        }
        let jwks = w.t.app.identity.keys().jwks();
        for key in jwks["keys"].as_array().unwrap() {
            let public = key["n"].as_str().or(key["x"].as_str()).unwrap();
            let mut forged = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
            forged.typ = Some("at+jwt".into());
            forged.kid = key["kid"].as_str().map(Into::into);
            for secret in [public.as_bytes().to_vec(), BASE64URL_NOPAD.decode(public.as_bytes()).unwrap()] {
                let key = jsonwebtoken::EncodingKey::from_secret(&secret);
                bad.push(jsonwebtoken::encode(&forged, &claims, &key).unwrap());
            }
        }
        for (name, value) in
            [("sub", json!(uuid::Uuid::nil())), ("scope", json!("openid email")), ("client_id", json!("x"))]
        {
            let mut claims = claims.clone();
            claims[name] = value;
            bad.push(format!("{}.{}.{}", parts[0], pack(&claims), parts[2]));
        }
        for kid in ["", "' OR 1=1 --", "../../etc/passwd", "another"] {
            let mut header = header.clone();
            header["kid"] = json!(kid);
            bad.push(format!("{}.{}.{}", pack(&header), parts[1], parts[2]));
        }
        // Signed by our own keys, and wrong all the same.
        let ring = w.t.app.identity.keys();
        let sign = |typ: &str, change: &dyn Fn(&mut Value)| {
            let mut claims = claims.clone();
            change(&mut claims);
            ring.sign(Alg::EdDsa, typ, &claims).unwrap()
        };
        let now = w.t.app.now().0 / 1000;
        bad.push(sign("JWT", &|_| ()));
        bad.push(sign("logout+jwt", &|_| ()));
        bad.push(sign("at+jwt", &|claims| claims["iss"] = json!("https://evil.example")));
        bad.push(sign("at+jwt", &|claims| claims["aud"] = json!("hadir")));
        bad.push(sign("at+jwt", &|claims| claims["exp"] = json!(now)));
        bad.push(sign("at+jwt", &|claims| claims["exp"] = json!((now + 60).to_string())));
        bad.push(sign("at+jwt", &|claims| claims["nbf"] = json!(now + 3600)));
        bad.push(sign("at+jwt", &|claims| drop(claims.as_object_mut().unwrap().remove("exp"))));
        bad.push(sign("at+jwt", &|claims| claims["ver"] = json!(99)));
        bad.push(sign("at+jwt", &|claims| claims["sid"] = json!(uuid::Uuid::nil())));
        for token in &bad {
            refused(&rp.userinfo(token).await, 401, "invalid_token");
            if token.len() > 4096 {
                refused(&rp.ask("/oauth2/introspect", &[("token", token)]).await, 400, "invalid_request");
                continue;
            }
            let told = rp.ask("/oauth2/introspect", &[("token", token)]).await;
            let is_refresh = token.len() == 43;
            assert_eq!(told.body["active"], json!(is_refresh), "{}: {token}", w.t.on);
        }
        assert_eq!(rp.userinfo(&sign("at+jwt", &|_| ())).await.status, 200, "or else this proves nothing");
        w.t.clock.advance_ms(900_000);
        refused(&rp.userinfo(&access).await, 401, "invalid_token");
    })
    .await;
}

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

/// T18.
#[tokio::test]
async fn t18_a_spent_refresh_token_that_comes_again_ends_the_family() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let first =
            rp.tokens(&tab, "openid offline_access").await["refresh_token"].as_str().unwrap().to_owned();
        let of = |answer: &Answer| answer.body["refresh_token"].as_str().unwrap_or_default().to_owned();
        let second = of(&rp.refresh(&first).await);
        assert_eq!(
            of(&rp.refresh(&first).await),
            second,
            "{}: in the moment of grace, the same successor",
            w.t.on
        );
        let third = rp.refresh(&second).await;
        w.t.clock.advance_ms(refresh::GRACE_MS);
        refused(&rp.refresh(&first).await, 400, "invalid_grant");
        refused(&rp.refresh(&of(&third)).await, 400, "invalid_grant");
        refused(&rp.userinfo(third.body["access_token"].as_str().unwrap()).await, 401, "invalid_token");
        assert_eq!(actions(&w.t, "session.refresh_reuse").await.len(), 1, "{}", w.t.on);

        let tokens = rp.tokens(&tab, "openid offline_access").await;
        let one = tokens["refresh_token"].as_str().unwrap();
        let mut many = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let rp = Rp { t: w.t.clone(), client: rp.client.clone(), secret: rp.secret.clone() };
            let one = one.to_owned();
            many.spawn(async move { rp.refresh(&one).await });
        }
        let successors: std::collections::BTreeSet<String> = many.join_all().await.iter().map(of).collect();
        assert_eq!(successors.len(), 1, "{}: of twenty at once, all get the same", w.t.on);
        assert_eq!(rp.refresh(successors.first().unwrap()).await.status, 200, "{}", w.t.on);
    })
    .await;
}

/// T19.
#[tokio::test]
async fn t19_a_refresh_token_ends_with_what_it_hangs_on() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let rp = w.rp(|_| ()).await;
        let tab = w.tab().await;
        let idle = rp.tokens(&tab, "openid offline_access").await;
        w.t.clock.advance_ms(30 * 24 * 3600 * 1000);
        refused(&rp.refresh(idle["refresh_token"].as_str().unwrap()).await, 400, "invalid_grant");
        let tab = w.tab().await;
        let mut token =
            rp.tokens(&tab, "openid offline_access").await["refresh_token"].as_str().unwrap().to_owned();
        for _ in 0..4 {
            w.t.clock.advance_ms(20 * 24 * 3600 * 1000);
            let answer = rp.refresh(&token).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            token = answer.body["refresh_token"].as_str().unwrap().to_owned();
        }
        w.t.clock.advance_ms(10 * 24 * 3600 * 1000);
        refused(&rp.refresh(&token).await, 400, "invalid_grant");
        for bad in ["", "x", &"y".repeat(5000)] {
            assert_eq!(rp.refresh(bad).await.status, 400, "{}", w.t.on);
        }
    })
    .await;
}

/// RFC 7009 and RFC 7662.
#[tokio::test]
async fn a_client_takes_back_and_learns_of_its_own_tokens_only() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp, other) = (w.tab().await, w.rp(|_| ()).await, w.rp(|_| ()).await);
        for by in ["access_token", "refresh_token"] {
            let tokens = rp.tokens(&tab, "openid offline_access").await;
            let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
            for name in ["access_token", "refresh_token"] {
                let told = rp.ask("/oauth2/introspect", &[("token", &text(name))]).await.body;
                assert_eq!(
                    (&told["active"], &told["client_id"]),
                    (&json!(true), &json!(rp.client.client_id)),
                    "{told}"
                );
                assert!(told["exp"].is_i64() && told["scope"].as_str().unwrap().contains("openid"), "{told}");
                let theirs = other.ask("/oauth2/introspect", &[("token", &text(name))]).await;
                assert_eq!(
                    (theirs.status.as_u16(), &theirs.body),
                    (200, &json!({"active": false})),
                    "{}",
                    w.t.on
                );
                assert_eq!(other.ask("/oauth2/revoke", &[("token", &text(name))]).await.status, 200);
            }
            assert_eq!(
                rp.userinfo(&text("access_token")).await.status,
                200,
                "{}: not another's to take",
                w.t.on
            );
            let taken =
                rp.ask("/oauth2/revoke", &[("token", &text(by)), ("token_type_hint", "nonsense")]).await;
            assert_eq!(taken.status, 200, "{}", taken.body);
            refused(&rp.userinfo(&text("access_token")).await, 401, "invalid_token");
            refused(&rp.refresh(&text("refresh_token")).await, 400, "invalid_grant");
            let told = rp.ask("/oauth2/introspect", &[("token", &text(by))]).await.body;
            assert_eq!(told, json!({"active": false}), "{}", w.t.on);
        }
        assert_eq!(rp.ask("/oauth2/revoke", &[("token", "never was")]).await.status, 200);
        refused(&rp.ask("/oauth2/revoke", &[]).await, 400, "invalid_request");
        for path in ["/oauth2/revoke", "/oauth2/introspect"] {
            refused(&post(&w.t, path, &[("token", "x")], None).await, 401, "invalid_client");
        }
        let public = w.rp(|about| about.is_public = true).await;
        refused(&public.ask("/oauth2/introspect", &[("token", "x")]).await, 401, "invalid_client");
    })
    .await;
}

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

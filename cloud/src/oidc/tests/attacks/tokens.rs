//! Tokens, spent ones and those of others.

use super::*;

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

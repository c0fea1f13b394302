//! What a token opens, and what ends it before its time.

use super::*;

#[tokio::test]
async fn forged_tokens_are_nobodys() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let token = sign_in(&t, "2001").await.token;
        let parts: Vec<&str> = token.split('.').collect();
        let json = |part: &str| -> Value {
            serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
        };
        let text = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let (header, claims) = (json(parts[0]), json(parts[1]));
        let kid = header["kid"].as_str().unwrap().to_owned();
        let jwks = t.app.identity.keys().jwks();
        let public = BASE64URL_NOPAD.decode(jwks["keys"][0]["x"].as_str().unwrap().as_bytes()).unwrap();
        let with = |value: &Value, key: &str, new: Value| {
            let mut value = value.clone();
            if new.is_null() {
                value.as_object_mut().unwrap().remove(key)
            } else {
                value.as_object_mut().unwrap().insert(key.into(), new)
            };
            value
        };

        for alg in ["none", "None", "NONE", "nOnE"] {
            let forged = format!("{}.{}.", text(&with(&header, "alg", json!(alg))), parts[1]);
            assert_eq!(who(&t, &forged).await.unwrap_err(), NoSession::Invalid, "alg {alg}");
        }
        let hs256 =
            Header { typ: Some("at+jwt".into()), kid: Some(kid.clone()), ..Header::new(Algorithm::HS256) };
        let forged = encode(&hs256, &claims, &EncodingKey::from_secret(&public)).unwrap();
        assert_eq!(who(&t, &forged).await.unwrap_err(), NoSession::Invalid, "HS256 with the public key");

        let mut pkcs8 = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        pkcs8.extend([9; 32]);
        let foreign = EncodingKey::from_ed_der(&pkcs8);
        for kid in [
            Some(kid.clone()),
            Some("other".into()),
            Some("' OR 1=1 --".into()),
            Some("../../etc/passwd".into()),
            None,
        ] {
            let header =
                Header { typ: Some("at+jwt".into()), kid: kid.clone(), ..Header::new(Algorithm::EdDSA) };
            let forged = encode(&header, &claims, &foreign).unwrap();
            assert_eq!(
                who(&t, &forged).await.unwrap_err(),
                NoSession::Invalid,
                "a foreign key under {kid:?}"
            );
        }
        for (key, value) in
            [("jwk", jwks["keys"][0].clone()), ("jku", json!("https://evil.example/jwks.json"))]
        {
            let forged = format!("{}.{}.{}", text(&with(&header, key, value)), parts[1], parts[2]);
            assert_eq!(who(&t, &forged).await.unwrap_err(), NoSession::Invalid, "{key} in the header");
        }
        let other = if parts[2].starts_with('A') { 'B' } else { 'A' };
        let flipped = format!("{}.{}.{other}{}", parts[0], parts[1], &parts[2][1..]);
        let unsigned = format!("{}.{}.", parts[0], parts[1]);
        let altered = format!("{}.{}.{}", parts[0], text(&with(&claims, "inst", json!(99))), parts[2]);
        for forged in [&flipped, &unsigned, &altered, &"x".repeat(5000), "", "a.b.c", "18|GYwljnaQN5wdl11R"] {
            assert_eq!(who(&t, forged).await.unwrap_err(), NoSession::Invalid, "{forged}");
        }
        assert!(who(&t, &token).await.is_ok(), "{}: the real one still works", t.on);
    })
    .await;
}

/// Tokens that our own key signed, but that say too little or the wrong thing.
#[test]
fn a_signed_token_must_say_everything() {
    let seed = [5; 32];
    let mut pkcs8 = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    pkcs8.extend(seed);
    let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
    let key =
        jsonwebtoken::DecodingKey::from_ed_components(&BASE64URL_NOPAD.encode(public.as_bytes())).unwrap();
    let now = START.0 / 1000;
    let good = json!({"iss": "hadir-cloud", "sub": Uuid::nil(), "aud": "hadir", "sid": Uuid::nil(),
        "jti": Uuid::nil(), "iat": now, "exp": now + 60, "ver": 0});
    let verify = |claims: &Value, typ: Option<&str>| {
        let header =
            Header { typ: typ.map(Into::into), kid: Some("k".into()), ..Header::new(Algorithm::EdDSA) };
        let text = encode(&header, claims, &EncodingKey::from_ed_der(&pkcs8)).unwrap();
        let rules =
            Rules { typ: token::ACCESS, issuer: "hadir-cloud", audience: Some(AUDIENCE), stale: false };
        token::header(&text, rules.typ)
            .and_then(|_| token::verify::<Claims>(&text, Alg::EdDsa, &key, &rules, START))
    };
    assert!(verify(&good, Some("at+jwt")).is_ok());
    for typ in [None, Some("JWT"), Some("logout+jwt")] {
        assert!(verify(&good, typ).is_err(), "typ {typ:?}");
    }
    for (claim, value) in [
        ("exp", Value::Null),
        ("exp", json!((now + 60).to_string())),
        ("iss", Value::Null),
        ("iss", json!("https://evil.example")),
        ("aud", Value::Null),
        ("aud", json!("another")),
        ("sub", Value::Null),
        ("sid", Value::Null),
        ("ver", Value::Null),
        ("iat", json!(now + 3600)),
        ("nbf", json!(now + 3600)),
    ] {
        let mut claims = good.clone();
        claims[claim] = value.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        }
        assert!(
            matches!(verify(&claims, Some("at+jwt")), Err(Fail::Unauthenticated(NoSession::Invalid))),
            "{claim} {value}"
        );
    }
    let mut over = good;
    over["exp"] = json!(now);
    assert!(matches!(verify(&over, Some("at+jwt")), Err(Fail::Unauthenticated(NoSession::Expired))));
}

#[tokio::test]
async fn a_session_ends_when_its_time_is_over() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let token = sign_in(&t, "2001").await.token;
        t.clock.advance_ms(DAY_MS - 1000);
        assert!(who(&t, &token).await.is_ok(), "{}", t.on);
        t.clock.advance_ms(1000);
        assert_eq!(who(&t, &token).await.unwrap_err(), NoSession::Expired, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn what_ends_a_token_before_its_time() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let user = t.user(school, "2001", seed::TEACHER).await;
        let system = Actor::System;

        let token = sign_in(&t, "2001").await.token;
        commit(&t, async |tx| user::set_role(tx, &t.app, system, user, seed::STAFF).await.unwrap()).await;
        assert_eq!(who(&t, &token).await.unwrap_err(), NoSession::Invalid, "{}: another role", t.on);

        let token = sign_in(&t, "2001").await.token;
        let hash = t.app.identity.hasher().hash(&t.app.ids, "kunci rumah nenek").await.unwrap();
        commit(&t, async |tx| user::set_password(tx, &t.app, system, user, &hash).await.unwrap()).await;
        assert_eq!(
            who(&t, &token).await.unwrap_err(),
            NoSession::Invalid,
            "{}: an admin's new password",
            t.on
        );

        let token = try_login(&t, "2001", "kunci rumah nenek", HOME).await.unwrap().token;
        commit(&t, async |tx| user::set_active(tx, &t.app, system, user, false).await.unwrap()).await;
        assert_eq!(who(&t, &token).await.unwrap_err(), NoSession::Invalid, "{}: inactive", t.on);
        let refused = try_login(&t, "2001", "kunci rumah nenek", HOME).await;
        assert!(matches!(refused, Err(Fail::BadCredentials)), "{}: {refused:?}", t.on);

        commit(&t, async |tx| user::set_active(tx, &t.app, system, user, true).await.unwrap()).await;
        let token = try_login(&t, "2001", "kunci rumah nenek", HOME).await.unwrap().token;
        commit(&t, async |tx| {
            tx.query("UPDATE institutions SET is_active = FALSE").run().await.unwrap();
        })
        .await;
        assert_eq!(who(&t, &token).await.unwrap_err(), NoSession::Invalid, "{}: the school is closed", t.on);
        let refused = try_login(&t, "2001", "kunci rumah nenek", HOME).await;
        assert!(refused.is_err(), "{}: a closed school's login", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_service_that_the_school_loses_takes_its_permissions_with_it() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let token = sign_in(&t, "2001").await.token;
        assert!(who(&t, &token).await.unwrap().may("attendance.use"));
        commit(&t, async |tx| {
            tx.query("DELETE FROM institution_services").run().await.unwrap();
        })
        .await;
        let caller = who(&t, &token).await.unwrap();
        assert!(!caller.may("attendance.use") && caller.roles.is_empty(), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn another_node_learns_of_an_ended_session_within_the_bound() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let user = t.user(school, "2001", seed::TEACHER).await;
        let signed = sign_in(&t, "2001").await;
        let other = t.another_node().await;
        assert!(who(&other, &signed.token).await.is_ok());
        commit(&t, async |tx| {
            assert!(session::revoke(tx, &t.app, user, signed.caller.session).await.unwrap());
        })
        .await;
        assert!(who(&t, &signed.token).await.is_err(), "{}: at once on the node that did it", t.on);
        t.clock.advance_ms(CACHE_MS);
        assert!(who(&other, &signed.token).await.is_err(), "{}: after the bound everywhere", t.on);
    })
    .await;
}

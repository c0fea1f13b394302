//! The second factor by its pages, as a browser goes through them.

use super::*;
use crate::identity::second;

fn text(page: &Answer) -> &str {
    page.body.as_str().unwrap()
}

/// What the app on the phone shows for the secret on the page, `steps` half minutes from now.
fn shown(w: &World, secret: &str, steps: i64) -> String {
    let key = data_encoding::BASE32_NOPAD.decode(secret.replace(' ', "").as_bytes()).unwrap();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let tag = aws_lc_rs::hmac::sign(&key, &(w.t.app.now().0 / 30_000 + steps).to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let four: [u8; 4] = tag.as_ref()[at..at + 4].try_into().unwrap();
    format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

#[tokio::test]
async fn t30_whoever_must_have_one_sets_it_up_first_and_is_asked_for_it_then() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let mut tx = w.t.app.db.write(Cloud).await.unwrap();
        second::require(&mut tx, &w.t.app, Actor::System, w.school, &[seed::TEACHER]).await.unwrap();
        tx.commit().await.unwrap();
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let console = tab.get(&format!("/console/{}/leaves", w.school.0)).await;
        assert!(
            console.headers["location"].to_str().unwrap().starts_with("/console/second-factor?"),
            "{}",
            t.on
        );
        let sent = rp.authorize(&tab, &[]).await;
        let (page, asked) = went(&sent);
        assert_eq!(page, "/console/second-factor", "{}", t.on);
        assert_eq!(error_of(&rp.authorize(&tab, &[("prompt", Some("none"))]).await), "interaction_required");

        let to = format!("/console/second-factor?{}", form(&[("next", &asked["next"])]));
        let page = tab.get(&to).await;
        let csrf = tab.csrf.as_str();
        let forged = submit(&tab, "/console/second-factor", &[("what", "begin"), ("csrf", "0")]).await;
        assert_eq!(forged.status, 403, "{}", t.on);
        let next = field(&page, "next");
        let begun =
            submit(&tab, "/console/second-factor", &[("what", "begin"), ("csrf", csrf), ("next", &next)])
                .await;
        let secret =
            text(&begun).split("id=\"secret\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
        assert!(text(&begun).contains("data:image/svg+xml;base64,"));
        let confirm = async |code: &str| {
            submit(
                &tab,
                "/console/second-factor",
                &[("what", "confirm"), ("code", code), ("csrf", csrf), ("next", &next)],
            )
            .await
        };
        let wrong = confirm("12345").await;
        assert_eq!(wrong.status, 422);
        assert!(text(&wrong).contains(&secret), "{}: the same secret again", t.on);
        let right = confirm(&shown(&w, &secret, 0)).await;
        assert_eq!(right.status, 200);
        assert_eq!(text(&right).matches("<li><code>").count(), 10, "{}", t.on);
        let (_, params) = went(&tab.get(&asked["next"]).await);
        assert!(params.contains_key("code"), "{}: and on to where he wanted: {params:?}", t.on);

        let (login, csrf) = crate::console::tests::form(&w.t).await;
        let half = crate::console::tests::enter(&w.t, &login, &csrf, "2001", PASSWORD, "/console/x").await;
        assert_eq!(half.status, 200);
        assert!(
            !half
                .headers
                .get_all("set-cookie")
                .iter()
                .any(|c| c.to_str().unwrap().starts_with("__Host-hadir="))
        );
        w.t.clock.advance_ms(30_000);
        let ticket = field(&half, "ticket");
        let hand_in = async |code: &str, csrf: &str| {
            let body = form(&[("ticket", &ticket), ("code", code), ("csrf", csrf), ("next", "/console/x")]);
            let asked = Request::post("/console/login/code").header("cookie", &login);
            let asked = asked.header("content-type", "application/x-www-form-urlencoded");
            w.t.send(asked.body(Body::from(body)).unwrap()).await
        };
        let code = shown(&w, &secret, 0);
        assert_eq!(hand_in(&code, "0").await.status, 403, "{}: of another page", t.on);
        assert_eq!(hand_in("000", &csrf).await.status, 422, "{}", t.on);
        let entered = hand_in(&code, &csrf).await;
        assert_eq!(entered.headers["location"], "/console/x", "{}", t.on);
        assert_eq!(hand_in(&code, &csrf).await.status, 422, "{}: a code works once", t.on);
    })
    .await;
}

#[tokio::test]
async fn an_id_token_says_by_what_one_signed_in() {
    TestApp::both(async |t| {
        let w = World::new(&t).await;
        let (tab, rp) = (w.tab().await, w.rp(|_| ()).await);
        let csrf = tab.csrf.as_str();
        let begun = submit(&tab, "/console/second-factor", &[("what", "begin"), ("csrf", csrf)]).await;
        let secret =
            text(&begun).split("id=\"secret\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
        let code = shown(&w, &secret, 0);
        submit(&tab, "/console/second-factor", &[("what", "confirm"), ("code", &code), ("csrf", csrf)]).await;
        let tokens = rp.tokens(&tab, "openid").await;
        let (_, claims) = proved(&w.t, tokens["id_token"].as_str().unwrap(), &rp.client.client_id);
        assert_eq!(claims["amr"], json!(["pwd", "otp", "mfa"]), "{}", t.on);
        w.t.clock.advance_ms(30_000);
        let off = [("what", "off"), ("csrf", csrf), ("password", PASSWORD), ("code", &shown(&w, &secret, 0))];
        assert_eq!(submit(&tab, "/console/second-factor", &off).await.status, 303, "{}", t.on);
        refused(&rp.userinfo(tokens["access_token"].as_str().unwrap()).await, 401, "invalid_token");
    })
    .await;
}

use axum::body::Body;
use serde_json::{Value, json};

use super::super::tests::{both, company, login, operators, refusal, sign_in, work};
use crate::{
    db::Cloud,
    identity::seed,
    mail,
    testing::{Answer, PASSWORD, TestApp, request},
};

const NEW: &str = "kuda lari di pantai";

async fn forgot(t: &TestApp, body: Value) -> Answer {
    t.post("/sso/auth/forgot-password", None, body).await
}

/// The code in the newest message to an address.
async fn code(t: &TestApp, to: &str, template: &str) -> Option<String> {
    let mut tx = t.app.db.read(Cloud).await.unwrap();
    let all = mail::list(&mut tx, None, None, None, 100).await.unwrap();
    let newest = all.into_iter().find(|one| one.recipient == to && one.template == template)?;
    let text = mail::read(&mut tx, &t.app, None, newest.id).await.unwrap()?.text;
    let digits = |word: &&str| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit());
    text.split(|c: char| !c.is_ascii_digit()).find(digits).map(str::to_owned)
}

async fn ask(t: &TestApp, email: &str) -> Option<String> {
    let asked = forgot(t, json!({ "email": email })).await;
    assert_eq!(asked.status, 200, "{}", asked.body);
    work(t).await;
    code(t, email, "reset").await
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_with_a_code() {
    both(async |t| {
        let a = company(&t, "SMAN1").await;
        let email = "sman1.user@sekolah.sch.id";
        let otp = ask(&t, email).await.unwrap();
        let finish = json!({"email": "SMAN1.user@sekolah.sch.id", "otp": otp, "newPassword": NEW});
        let wrong = forgot(&t, json!({"email": email, "otp": if otp == "000000" { "000001" } else { "000000" }, "newPassword": NEW})).await;
        assert_eq!(wrong.parts(), (400, &refusal(400, "BAD_REQUEST", "Kode OTP tidak valid atau sudah kedaluwarsa")));
        for known in ["sman1.user", "sman1-2025"] {
            let weak = forgot(&t, json!({"email": email, "otp": otp, "newPassword": known})).await;
            assert_eq!((weak.status.as_u16(), &weak.body["data"][0]["field"]), (422, &json!("newPassword")), "{}", weak.body);
        }
        let done = forgot(&t, finish.clone()).await;
        assert_eq!(done.status, 200, "{} {}", t.on, done.body);
        assert_eq!(t.get("/sso/auth/me", Some(&a.user.token)).await.status, 401, "T20: every session has ended");
        assert_eq!(login(&t, "sman1.user", PASSWORD).await.status, 401);
        let token = sign_in(&t, "sman1.user", NEW).await;
        assert_eq!(t.get("/sso/auth/me", Some(&token)).await.body["data"]["email_verified"], true);
        assert_eq!(forgot(&t, finish).await.status, 400, "T26: used once");
        work(&t).await;
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let all = mail::list(&mut tx, Some(crate::jobs::Reach::of(a.id)), None, None, 100).await.unwrap();
        let kinds: Vec<_> = all.iter().map(|one| (one.template.as_str(), one.state.as_str())).collect();
        assert_eq!(kinds, [("password_changed", "kept"), ("reset", "kept")], "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn the_original_collections_get_is_read_as_well() {
    both(async |t| {
        company(&t, "SMAN1").await;
        let email = "sman1.user@sekolah.sch.id";
        let otp = ask(&t, email).await.unwrap();
        let get = async |body: Value| {
            let asked =
                request("GET", "/sso/auth/forgot-password", None).header("content-type", "application/json");
            t.send(asked.body(Body::from(body.to_string())).unwrap()).await
        };
        assert_eq!(get(json!({ "email": email })).await.status, 422, "it starts nothing");
        assert_eq!(get(json!({"email": email, "otp": otp, "newPassword": NEW})).await.status, 200);
        sign_in(&t, "sman1.user", NEW).await;
    })
    .await;
}

#[tokio::test]
async fn t24_nobody_learns_who_has_an_account() {
    both(async |t| {
        let (op, a) = (operators(&t).await, company(&t, "SMAN1").await);
        let off = format!("/sso/auth/{}", a.admin.uuid);
        super::super::tests::send_texts(&t, &off, Some(&op.admin.token), &[("isactive", "false")]).await;
        let known = forgot(&t, json!({"email": "sman1.user@sekolah.sch.id"})).await;
        for email in ["nobody@sekolah.sch.id", "sman1.admin@sekolah.sch.id", "sman1.user@sekolah.sch.id"] {
            let other = forgot(&t, json!({ "email": email })).await;
            assert_eq!((other.status, &other.body), (known.status, &known.body), "{email}");
        }
        work(&t).await;
        assert!(code(&t, "sman1.admin@sekolah.sch.id", "reset").await.is_none(), "he may not sign in");
        let finish = async |email: &str| {
            forgot(&t, json!({"email": email, "otp": "123456", "newPassword": NEW})).await
        };
        let (unknown, wrong) =
            (finish("nobody@sekolah.sch.id").await, finish("sman1.user@sekolah.sch.id").await);
        assert_eq!((unknown.status, &unknown.body), (wrong.status, &wrong.body));
    })
    .await;
}

#[tokio::test]
async fn t26_codes_cannot_be_guessed() {
    both(async |t| {
        company(&t, "SMAN1").await;
        let email = "sman1.user@sekolah.sch.id";
        let otp = ask(&t, email).await.unwrap();
        let guess = async |n: i32| {
            let wrong = format!("{:06}", (otp.parse::<i32>().unwrap() + n) % 1_000_000);
            forgot(&t, json!({"email": email, "otp": wrong, "newPassword": NEW})).await.status.as_u16()
        };
        let guesses: Vec<_> = (1..=5).map(guess).collect();
        for one in guesses {
            assert_eq!(one.await, 400);
        }
        let right = json!({"email": email, "otp": otp, "newPassword": NEW});
        assert_eq!(forgot(&t, right).await.status, 400, "{}: five tries have killed it", t.on);

        let first = ask(&t, email).await;
        assert_eq!(first.as_ref(), Some(&otp), "no new one within a minute");
        let mut codes = vec![otp];
        for _ in 0..6 {
            t.clock.advance_ms(61_000);
            codes.push(ask(&t, email).await.unwrap());
        }
        codes.dedup();
        assert_eq!(codes.len(), 4, "{}: five questions an hour, the repeated one counted", t.on);
        let last = codes.last().unwrap().clone();
        let old = json!({"email": email, "otp": codes[codes.len() - 2], "newPassword": NEW});
        assert_eq!(forgot(&t, old).await.status, 400, "a new code ends the old one");
        t.clock.advance_ms(11 * 60_000);
        assert_eq!(
            forgot(&t, json!({"email": email, "otp": last, "newPassword": NEW})).await.status,
            400,
            "ten minutes"
        );
    })
    .await;
}

#[tokio::test]
async fn t40_an_address_asks_and_tries_so_often() {
    both(async |t| {
        for n in 0..60 {
            assert_eq!(forgot(&t, json!({"email": format!("x{n}@sekolah.sch.id")})).await.status, 200);
        }
        let many = forgot(&t, json!({"email": "x@sekolah.sch.id"})).await;
        assert_eq!((many.status.as_u16(), many.headers.contains_key("retry-after")), (429, true));
        for (bad, field) in [
            (json!({}), "email"),
            (json!({"email": "nobody"}), "email"),
            (json!({"email": "a@b.id", "otp": "1"}), "newPassword"),
            (json!({"email": "a@b.id", "newPassword": NEW}), "otp"),
            (json!({"email": "a@b.id", "otp": "1", "newPassword": "password123"}), "newPassword"),
        ] {
            let refused = forgot(&t, bad.clone()).await;
            assert_eq!(
                (refused.status.as_u16(), &refused.body["data"][0]["field"]),
                (422, &json!(field)),
                "{bad}"
            );
        }
        let large = json!({"email": "a@b.id", "otp": "1", "newPassword": "x".repeat(10 << 20)});
        assert_eq!(forgot(&t, large).await.status, 413, "T29: before anything is hashed");
    })
    .await;
}

#[tokio::test]
async fn addresses_are_verified_by_a_code_of_their_own() {
    both(async |t| {
        let a = company(&t, "SMAN1").await;
        let (mail, phone) = ("/sso/auth/verify-email", "/sso/auth/verify-phone");
        let token = Some(a.user.token.as_str());
        assert_eq!(t.post(mail, None, json!({})).await.status, 401);
        let (_, teacher) = t.signed_in(a.id, "2001", seed::TEACHER).await;
        for (path, none) in
            [(mail, "Akun ini belum memiliki email"), (phone, "Akun ini belum memiliki nomor telepon")]
        {
            for body in [json!({}), json!({"otp": "123456"})] {
                let refused = t.post(path, Some(&teacher), body).await;
                assert_eq!(refused.parts(), (400, &refusal(400, "BAD_REQUEST", none)), "{path}");
            }
        }
        assert_eq!(t.post(mail, token, json!({})).await.status, 200);
        work(&t).await;
        let email = "sman1.user@sekolah.sch.id";
        let otp = code(&t, email, "verify_email").await.unwrap();
        let path = format!("/sso/auth/{}", a.user.uuid);
        // For another address, it is no proof.
        let moved = [("email", "baru@sekolah.sch.id")];
        super::super::tests::send_texts(&t, &path, Some(&a.admin.token), &moved).await;
        assert_eq!(t.post(mail, token, json!({ "otp": otp })).await.status, 400);
        super::super::tests::send_texts(&t, &path, Some(&a.admin.token), &[("email", email)]).await;
        assert_eq!(t.post(mail, token, json!({ "otp": otp })).await.status, 200, "{}", t.on);
        let me = async || t.get("/sso/auth/me", token).await.body["data"].clone();
        assert_eq!(me().await["email_verified"], true);
        assert_eq!(t.post(mail, token, json!({ "otp": otp })).await.status, 400, "once");
        super::super::tests::send_texts(&t, &path, Some(&a.admin.token), &moved).await;
        assert_eq!(me().await["email_verified"], false, "a new address is not verified");

        super::super::tests::send_texts(&t, &path, token, &[("phone", "081234567890")]).await;
        assert_eq!(t.post(phone, token, json!({})).await.status, 200);
        work(&t).await;
        let otp = code(&t, "081234567890", "verify_phone").await.unwrap();
        assert_eq!(t.post(mail, token, json!({ "otp": otp })).await.status, 400, "T26: for another purpose");
        assert_eq!(t.post(phone, token, json!({ "otp": otp })).await.status, 200);
        assert_eq!(me().await["phone_verified"], true);
    })
    .await;
}

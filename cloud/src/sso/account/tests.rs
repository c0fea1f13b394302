use serde_json::{Value, json};

use super::super::tests::{
    Part, audited, both, company, form, login, operators, person, png, refusal, send, send_texts, sign_in,
};
use crate::testing::{PASSWORD, TestApp, request};

const NEW: &[(&str, &str)] = &[
    ("first_name", "Pcp"),
    ("last_name", "Express"),
    ("username", "PcpExpress"),
    ("email", "pcp@contoh.sch.id"),
    ("password", "gajah di pagi buta"),
];

fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let kept = NEW.iter().copied().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    kept.chain(more.iter().copied()).collect()
}

#[tokio::test]
async fn somebody_registers_and_signs_in_and_out() {
    both(async |t| {
        let made = send_texts(&t, "/sso/auth/register", None, NEW).await;
        assert_eq!(made.status, 201, "{} {}", t.on, made.body);
        let user = &made.body["data"];
        assert_eq!(user["name"], "Pcp Express");
        assert_eq!((&user["username"], &user["user_isType"]), (&json!("pcpexpress"), &json!("USER")));
        assert_eq!((&user["institution"], &user["institution_id"]), (&json!({}), &Value::Null));
        assert_eq!(user["role"]["uuid"], "USER");
        assert!(!made.body.to_string().contains("argon2") && !made.body.to_string().contains("gajah"));

        let wrong = login(&t, "pcpexpress", "salah sekali").await;
        let unknown = login(&t, "nobody", "salah sekali").await;
        assert_eq!(
            wrong.parts(),
            (401, &refusal(401, "INVALID_CREDENTIALS", "Username atau password salah"))
        );
        assert_eq!(wrong.body, unknown.body, "T24");
        let token = sign_in(&t, "PCPexpress", "gajah di pagi buta").await;
        let me = t.get("/sso/auth/me", Some(&token)).await;
        assert_eq!(me.body["data"]["uuid"], user["uuid"]);
        let verified = t.post("/sso/auth/verify-token", Some(&token), json!({})).await;
        assert_eq!(
            (&verified.body["data"]["valid"], &verified.body["data"]["user"]["uuid"]),
            (&json!(true), &user["uuid"])
        );

        let cookie = request("GET", "/sso/auth/logout", None).header("cookie", format!("token={token}"));
        let answer = t.send(cookie.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(answer.parts(), (401, &refusal(401, "TOKEN_MISSING", "Token tidak ditemukan")), "T44");
        assert_eq!(t.get("/sso/auth/logout", Some(&token)).await.status, 200);
        for path in ["/sso/auth/me", "/sso/auth/logout"] {
            let after = t.get(path, Some(&token)).await;
            assert_eq!(after.parts(), (401, &refusal(401, "TOKEN_INVALID", "Token tidak valid")), "{path}");
        }
        assert_eq!(t.post("/sso/auth/verify-token", Some("x"), json!({})).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn t11_registering_gives_nobody_more_than_he_may_have() {
    both(async |t| {
        for wish in ["SUPER-ADMIN", "HOST", "super-admin", "ADMIN", "1", "company_admin"] {
            let wanted = [NEW, &[("user_istype", wish)]].concat();
            let refused = send_texts(&t, "/sso/auth/register", None, &wanted).await;
            assert_eq!(refused.status, 422, "{wish} {}", refused.body);
            assert_eq!(refused.body["data"][0]["field"], "user_istype");
        }
        let a = company(&t, "SMAN1").await;
        let institution = a.id.to_string();
        let greedy = [
            NEW,
            &[
                ("role_id", "101"),
                ("role", "SUPER-ADMIN"),
                ("isactive", "true"),
                ("is_active", "true"),
                ("institution_id", &institution),
                ("email_verified_at", "1"),
                ("id", "1"),
                ("uuid", "x"),
                ("applied_as", "USER"),
            ],
        ]
        .concat();
        let made = send_texts(&t, "/sso/auth/register", None, &greedy).await;
        let user = &made.body["data"];
        assert_eq!(made.status, 201, "{}", made.body);
        assert_eq!(
            (&user["role"]["reference_code"], &user["institution_id"]),
            (&json!("USER"), &Value::Null)
        );
        assert_eq!(user["email_verified"], false);
    })
    .await;
}

#[tokio::test]
async fn a_companys_administrator_waits_until_he_has_an_institution() {
    both(async |t| {
        let (op, a) = (operators(&t).await, company(&t, "SMAN1").await);
        let wanted = with(&[("user_istype", "COMPANY_ADMIN")]);
        let made = send_texts(&t, "/sso/auth/register", None, &wanted).await;
        let user = made.body["data"].clone();
        assert_eq!(
            (&user["user_isType"], &user["isactive"], &user["role"]),
            (&json!("COMPANY_ADMIN"), &json!(false), &Value::Null)
        );
        let waiting = login(&t, "pcpexpress", "gajah di pagi buta").await;
        assert_eq!(waiting.body, login(&t, "nobody", "gajah di pagi buta").await.body, "T24");

        let path = format!("/sso/auth/{}", user["uuid"].as_str().unwrap());
        let (id, none) = (a.id.to_string(), "999999".to_owned());
        let attach =
            async |by: &str, id: &str| send_texts(&t, &path, Some(by), &[("institution_id", id)]).await;
        assert_eq!(attach(&a.admin.token, &id).await.status, 404, "he is of no institution");
        assert_eq!(attach(&op.host.token, &id).await.status, 403);
        assert_eq!(attach(&op.admin.token, &none).await.status, 404);
        let attached = attach(&op.admin.token, &id).await;
        assert_eq!(attached.status, 200, "{}", attached.body);
        assert_eq!(attached.body["data"]["institution"]["institution_code"], "SMAN1");
        assert_eq!(attached.body["data"]["role"]["reference_code"], "COMPANY_ADMIN");
        let token = sign_in(&t, "pcpexpress", "gajah di pagi buta").await;
        assert_eq!(t.get("/sso/users", Some(&token)).await.body["meta"]["totalItems"], 3);
        let b = company(&t, "SMAN2").await;
        assert_eq!(attach(&op.admin.token, &b.id.to_string()).await.status, 409, "he has one");
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_registration_is_told_and_leaves_nothing() {
    both(async |t| {
        for (change, field) in [
            (("username", ""), "username"),
            (("username", "a b"), "username"),
            (("username", "a\r\nb"), "username"),
            (("username", "budi<script>"), "username"),
            (("first_name", "Budi\nBcc: x@y.id"), "first_name"),
            (("first_name", "Budi\u{0}"), "first_name"),
            (("last_name", "Budi\u{2028}x"), "last_name"),
            (("email", "nobody"), "email"),
            (("email", "a@b.id\r\nBcc: c@d.id"), "email"),
            (("password", "pendek"), "password"),
            (("password", "password123"), "password"),
            (("password", "PcpExpress1"), "password"),
        ] {
            let answer = send_texts(&t, "/sso/auth/register", None, &with(&[change])).await;
            assert_eq!(answer.status, 422, "{change:?} {}", answer.body);
            assert_eq!(answer.body["message"], "Validasi gagal");
            let fields: Vec<_> =
                answer.body["data"].as_array().unwrap().iter().map(|one| one["field"].clone()).collect();
            assert!(fields.contains(&json!(field)), "{change:?} {}", answer.body);
        }
        let twice = [NEW, &[("username", "other")]].concat();
        assert_eq!(send_texts(&t, "/sso/auth/register", None, &twice).await.status, 422, "T14");
        assert_eq!(send_texts(&t, "/sso/auth/register", None, NEW).await.status, 201);
        let again = send_texts(&t, "/sso/auth/register", None, NEW).await;
        assert_eq!((again.status.as_u16(), &again.body["data"][0]["field"]), (409, &json!("username")));
        let other = send_texts(&t, "/sso/auth/register", None, &with(&[("username", "other")])).await;
        assert_eq!((other.status.as_u16(), &other.body["data"][0]["field"]), (409, &json!("email")));
        let json = t.post("/sso/auth/register", None, json!({"username": "x"})).await;
        assert_eq!(json.status, 415, "{}", json.body);
        assert_eq!(audited(&t, "user.create").await, 1);
    })
    .await;
}

#[tokio::test]
async fn t40_an_address_registers_so_many_and_no_more() {
    both(async |t| {
        let mut statuses = Vec::new();
        for _ in 0..61 {
            statuses.push(send_texts(&t, "/sso/auth/register", None, &[]).await.status.as_u16());
        }
        assert_eq!((statuses.iter().filter(|one| **one == 422).count(), statuses[60]), (60, 429), "{}", t.on);
        let spoofed = request("POST", "/sso/auth/register", None)
            .header("content-type", "multipart/form-data; boundary=x")
            .header("x-forwarded-for", "203.0.113.9");
        let answer = t.send(spoofed.body("--x--\r\n".into()).unwrap()).await;
        assert_eq!(answer.status, 429);
        assert!(answer.headers.contains_key("retry-after"));
        t.clock.advance_ms(10 * 60_000);
        assert_eq!(send_texts(&t, "/sso/auth/register", None, &[]).await.status, 422);
    })
    .await;
}

/// T24: what is taken is told, as the documents have it; so often, and then nothing is told any more.
#[tokio::test]
async fn t24_an_address_hears_so_often_what_is_taken() {
    both(async |t| {
        let t = t.configured(|config| config.trust_proxy = true);
        let from = async |address: &str, username: &str, email: &str| {
            let texts = [
                ("first_name", "Pcp"),
                ("password", "gajah di pagi buta"),
                ("username", username),
                ("email", email),
            ];
            let parts = texts.map(|(name, text)| Part::Text(name, text));
            let asked = request("POST", "/sso/auth/register", None)
                .header("content-type", "multipart/form-data; boundary=x")
                .header("x-forwarded-for", address);
            t.send(asked.body(form(&parts).into()).unwrap()).await
        };
        let made = from("198.51.100.1", "pcpexpress", "pcp@contoh.sch.id").await;
        assert_eq!(made.status, 201, "{} {}", t.on, made.body);
        for n in 0..30 {
            let names = [("pcpexpress", "free@contoh.sch.id"), ("free", "pcp@contoh.sch.id")];
            for ((username, email), field) in names.into_iter().zip(["username", "email"]) {
                let told = from("203.0.113.9", username, email).await;
                assert_eq!(
                    (told.status.as_u16(), &told.body["data"][0]["field"]),
                    (409, &json!(field)),
                    "{n}"
                );
            }
        }
        let late = from("203.0.113.9", "pcpexpress", "pcp@contoh.sch.id").await;
        let refused = refusal(429, "TOO_MANY_REQUESTS", "Terlalu banyak percobaan. Silakan coba lagi nanti");
        assert_eq!(late.parts(), (429, &refused), "{}", t.on);
        assert!(late.headers.contains_key("retry-after"));
        let free = from("203.0.113.9", "free", "free@contoh.sch.id").await;
        assert_eq!(
            (free.status, &free.body),
            (late.status, &late.body),
            "{}: the same of what is free",
            t.on
        );
        assert_eq!(
            from("198.51.100.2", "free", "free@contoh.sch.id").await.status,
            201,
            "{}: others may",
            t.on
        );
        // Who has a /64 to himself is one address.
        for n in 0..60 {
            from(&format!("2001:db8:1:2::{n:x}"), "free", "free@contoh.sch.id").await;
        }
        assert_eq!(from("2001:db8:1:2:3::1", "free", "free@contoh.sch.id").await.status, 429, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn t12_somebody_changes_of_himself_what_he_may() {
    both(async |t| {
        let a = company(&t, "SMAN1").await;
        let path = format!("/sso/auth/{}", a.user.uuid);
        let own = async |texts: &[(&str, &str)]| send_texts(&t, &path, Some(&a.user.token), texts).await;
        let done = own(&[
            ("first_name", "Siti"),
            ("last_name", "Rahma"),
            ("isactive", "true"),
            ("username", "sman1.user"),
        ])
        .await;
        assert_eq!(
            (done.status.as_u16(), &done.body["data"]["name"]),
            (200, &json!("Siti Rahma")),
            "{}",
            done.body
        );
        assert_eq!(own(&[("last_name", "")]).await.body["data"]["name"], "Siti");
        for (field, value) in [("username", "other"), ("email", "other@sekolah.sch.id")] {
            let refused = own(&[(field, value)]).await;
            assert_eq!(
                (refused.status.as_u16(), &refused.body["errorCode"]),
                (403, &json!("FORBIDDEN")),
                "{field}"
            );
        }
        assert_eq!(own(&[("isactive", "false")]).await.status, 422);
        assert_eq!(own(&[("institution_id", "1")]).await.status, if a.id.0 == 1 { 200 } else { 403 });
        let greedy = own(&[("role_id", "101"), ("user_istype", "SUPER-ADMIN"), ("token_version", "9")]).await;
        assert_eq!(greedy.body["data"]["role"]["reference_code"], "USER", "passed over");

        let missing = own(&[("password", "kuda lari pagi")]).await;
        assert_eq!(
            (missing.status.as_u16(), &missing.body["data"][0]["field"]),
            (422, &json!("current_password"))
        );
        // The institution's, his own, the one he is to have, his address.
        for (password, name) in
            [("sman1-2025", ""), ("sman1.user1", ""), ("gajahmada1", "Gajah"), ("sekolah-12", "")]
        {
            let known = own(&[
                ("first_name", name),
                ("last_name", "Mada"),
                ("password", password),
                ("current_password", PASSWORD),
            ])
            .await;
            assert_eq!(
                (known.status.as_u16(), &known.body["data"][0]["message"]),
                (422, &json!("Kata sandi ini memuat nama sekolah atau nama Anda")),
                "{password}"
            );
        }
        let wrong = own(&[("password", "kuda lari pagi"), ("current_password", "salah")]).await;
        assert_eq!((wrong.status.as_u16(), &wrong.body["message"]), (400, &json!("Password saat ini salah")));
        let other = sign_in(&t, "sman1.user", PASSWORD).await;
        let done = own(&[("password", "kuda lari pagi"), ("current_password", PASSWORD)]).await;
        assert_eq!(done.status, 200, "{}", done.body);
        assert_eq!(t.get("/sso/auth/me", Some(&other)).await.status, 401, "T20: the other session has ended");
        assert_eq!(t.get("/sso/auth/me", Some(&a.user.token)).await.status, 200);
        sign_in(&t, "sman1.user", "kuda lari pagi").await;
        for _ in 0..10 {
            own(&[("password", "kuda lari sore"), ("current_password", "salah")]).await;
        }
        let many = own(&[("password", "kuda lari sore"), ("current_password", "kuda lari pagi")]).await;
        assert_eq!(many.status, 429, "{}", many.body);
    })
    .await;
}

#[tokio::test]
async fn an_administrator_changes_his_own_people_and_nobody_else() {
    both(async |t| {
        let (op, a, b) = (operators(&t).await, company(&t, "SMAN1").await, company(&t, "SMAN2").await);
        let change = async |by: &str, uuid: uuid::Uuid, texts: &[(&str, &str)]| {
            send_texts(&t, &format!("/sso/auth/{uuid}"), Some(by), texts).await
        };
        let named = [("first_name", "Lain")];
        let foreign = change(&a.admin.token, b.user.uuid, &named).await;
        let unknown = change(&a.admin.token, uuid::Uuid::from_u128(7), &named).await;
        assert_eq!((foreign.status.as_u16(), &foreign.body), (404, &unknown.body), "T01");
        assert_eq!(change(&a.user.token, a.admin.uuid, &named).await.status, 403);
        assert_eq!(change(&a.user.token, b.user.uuid, &named).await.status, 403);
        assert_eq!(change(&a.admin.token, op.admin.uuid, &named).await.status, 404);
        assert_eq!(change(&op.host.token, a.user.uuid, &named).await.status, 403, "he manages no accounts");
        let done =
            change(&a.admin.token, a.user.uuid, &[("email", "baru@sekolah.sch.id"), ("isactive", "false")])
                .await;
        assert_eq!(
            (done.status.as_u16(), &done.body["data"]["isactive"]),
            (200, &json!(false)),
            "{}",
            done.body
        );
        assert_eq!(t.get("/sso/auth/me", Some(&a.user.token)).await.status, 401, "T20: out at once");
        let stolen = change(&a.admin.token, a.user.uuid, &[("email", "sman2.user@sekolah.sch.id")]).await;
        assert_eq!((stolen.status.as_u16(), &stolen.body["data"][0]["field"]), (409, &json!("email")));
        let moved = change(&a.admin.token, a.user.uuid, &[("institution_id", &b.id.to_string())]).await;
        assert_eq!(moved.status, 403, "{}", moved.body);
        let done =
            change(&a.admin.token, a.user.uuid, &[("isactive", "true"), ("password", "gajah lari pagi")])
                .await;
        assert_eq!(done.status, 200, "{}", done.body);
        sign_in(&t, "sman1.user", "gajah lari pagi").await;

        // Somebody of the school who may do more than its administrator.
        let above = person(&t, Some(a.id), "above", Some(crate::identity::seed::SUPER_ADMIN)).await;
        let refused = change(&a.admin.token, above.uuid, &[("password", "gajah lari pagi")]).await;
        assert_eq!(refused.status, 403, "T13 {}", refused.body);
        for path in ["/sso/auth/not-a-uuid", "/sso/auth/00000000-0000-0000-0000-00000000000g"] {
            let answer = send_texts(&t, path, Some(&a.admin.token), &named).await;
            assert_eq!(answer.status, 404, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn t31_pictures_are_drawn_anew_and_seen_by_who_is_near() {
    both(async |t| {
        let (op, a, b) = (operators(&t).await, company(&t, "SMAN1").await, company(&t, "SMAN2").await);
        let path = format!("/sso/auth/{}", a.user.uuid);
        let hang = async |field: &'static str, bytes: &[u8]| {
            send(&t, &path, Some(&a.user.token), &[Part::File(field, bytes)]).await
        };
        let mut polyglot = png(64);
        polyglot.extend_from_slice(b"<script>alert(1)</script>");
        let done = hang("avatar", &polyglot).await;
        assert_eq!(done.status, 200, "{}", done.body);
        let address = done.body["data"]["avatar"].as_str().unwrap().to_owned();
        assert!(address.starts_with("/sso/pictures/") && !address.contains(".."), "{address}");
        for (who, status) in [
            (Some(&a.user.token), 200),
            (Some(&a.admin.token), 200),
            (Some(&op.host.token), 200),
            (Some(&b.admin.token), 404),
            (None, 401),
        ] {
            let answer = t.get(&address, who.map(String::as_str)).await;
            assert_eq!(answer.status, status, "{}", answer.body);
            if status == 200 {
                assert_eq!(answer.headers["content-type"], "image/jpeg");
                assert_eq!(answer.headers["x-content-type-options"], "nosniff");
                assert!(!answer.body.to_string().contains("script"), "T32");
            }
        }
        let unknown = t.get("/sso/pictures/0123456789abcdef0123456789abcdef", Some(&a.user.token)).await;
        assert_eq!(t.get(&address, Some(&b.admin.token)).await.body, unknown.body, "T06");
        for bad in ["..%2f..%2fsecret.key", "%00", "x"] {
            assert_eq!(
                t.get(&format!("/sso/pictures/{bad}"), Some(&a.user.token)).await.status,
                404,
                "{bad}"
            );
        }
        let again = hang("avatar", &png(32)).await.body["data"]["avatar"].as_str().unwrap().to_owned();
        super::super::tests::work(&t).await;
        assert_ne!(again, address);
        assert_eq!(t.get(&address, Some(&a.user.token)).await.status, 404, "the old one is gone");
        let left = std::fs::read_dir(t.app.config.data_dir.join("pictures")).unwrap().count();
        assert_eq!(left, 1, "{}: its file too", t.on);

        let large = vec![0; 2 * 1024 * 1024 + 1];
        for (what, bytes, status) in [
            ("an SVG", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>".as_slice(), 422),
            ("a page", b"<!doctype html>", 422),
            ("a GIF", b"GIF89a\x01\0\x01\0\0\0\0;", 422),
            ("more than 2 MB", &large, 422),
        ] {
            let answer = hang("cover", bytes).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.body["data"][0]["field"]),
                (status, &json!("cover")),
                "{what} {}",
                answer.body
            );
        }
        let empty = hang("cover", b"").await;
        assert_eq!(
            (empty.status.as_u16(), &empty.body["data"]["cover"]),
            (200, &Value::Null),
            "none was chosen"
        );
        let huge = vec![0; 10 << 20];
        assert!([413, 422].contains(&hang("cover", &huge).await.status.as_u16()));
        let many: Vec<_> = (0..50).map(|_| Part::Text("x", "y")).collect();
        assert!([413, 422].contains(&send(&t, &path, Some(&a.user.token), &many).await.status.as_u16()));
    })
    .await;
}

#[tokio::test]
async fn a_module_alone_answers_at_the_root_of_its_listener() {
    let folder = tempfile::tempdir().unwrap();
    let t = TestApp::sqlite(folder.path()).await;
    let router = crate::router_of(t.app.clone(), &["sso".to_owned()]);
    let ask = async |method: &str, path: &str| {
        let asked = request(method, path, None).body(axum::body::Body::empty()).unwrap();
        tower::ServiceExt::oneshot(router.clone(), asked).await.unwrap().status().as_u16()
    };
    for (method, path, status) in [
        ("POST", "/auth", 422),
        ("GET", "/auth/me", 401),
        ("GET", "/sso/auth/me", 401),
        ("GET", "/.well-known/jwks.json", 200),
        ("GET", "/companies", 401),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/api/user", 404),
        ("GET", "/docs", 404),
        ("GET", "/console", 404),
        ("DELETE", "/auth", 405),
    ] {
        assert_eq!(ask(method, path).await, status, "{method} {path}");
    }
    let router = crate::router_of(t.app.clone(), &["attendance".to_owned()]);
    for (path, status) in [("/api/user", 401), ("/sso/auth/me", 404), ("/auth/me", 404)] {
        let asked = request("GET", path, None).body(axum::body::Body::empty()).unwrap();
        let answer = tower::ServiceExt::oneshot(router.clone(), asked).await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
    }
}

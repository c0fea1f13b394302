use serde_json::json;

use super::{
    super::tests::{Part, audited, both, company, operators, png, refusal, send, send_texts, sign_in},
    is_web_address,
};

const NEW: &[(&str, &str)] = &[
    ("username", "pesantrendemo"),
    ("email", "demo@pesantren.sch.id"),
    ("password", "kuda lari pagi"),
    ("institution_name", "Pesantren Demo"),
    ("institution_code", "467.598.080"),
    ("address1", "Jl. Merdeka No. 1"),
    ("website", "http://www.pesantren.example"),
];

#[test]
fn t36_a_website_is_a_web_address() {
    for good in ["http://www.pesantren.com", "https://a.id/x?y=1#z", "https://a.id:8443", "HTTPS://A.ID"] {
        assert!(is_web_address(good), "{good}");
    }
    for bad in [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//evil.example",
        "https://",
        "https:///x",
        "https://a.id@evil.example",
        "https://a.id\\@evil.example",
        "http://a.id/\"onload=x",
        "http://a b",
        " https://a.id",
    ] {
        assert!(!is_web_address(bad), "{bad}");
    }
}

#[tokio::test]
async fn an_institution_is_made_with_its_administrator_or_not_at_all() {
    both(async |t| {
        let (op, a) = (operators(&t).await, company(&t, "SMAN1").await);
        let path = "/sso/auth/add-new-institution";
        for (who, status) in [(&op.host.token, 403), (&a.admin.token, 403), (&a.user.token, 403)] {
            assert_eq!(send_texts(&t, path, Some(who), NEW).await.status, status);
        }
        assert_eq!(send_texts(&t, path, None, NEW).await.status, 401);
        let picture = png(40);
        let mut parts: Vec<_> = NEW.iter().map(|(name, text)| Part::Text(name, text)).collect();
        parts.push(Part::File("avatar", &picture));
        let made = send(&t, path, Some(&op.admin.token), &parts).await;
        assert_eq!(made.status, 201, "{} {}", t.on, made.body);
        let data = &made.body["data"];
        assert_eq!(
            (&data["institution"]["institution_name"], &data["user"]["institution_id"]),
            (&json!("Pesantren Demo"), &data["institution"]["id"])
        );
        assert_eq!(data["user"]["role"]["reference_code"], "COMPANY_ADMIN");
        let admin = sign_in(&t, "pesantrendemo", "kuda lari pagi").await;
        let own = t.get("/sso/companies", Some(&admin)).await;
        assert_eq!(
            (&own.body["meta"]["totalItems"], &own.body["data"][0]["institution_code"]),
            (&json!(1), &json!("467.598.080"))
        );
        let address = data["institution"]["avatar"].as_str().unwrap();
        assert_eq!(t.get(address, Some(&admin)).await.status, 200);
        assert_eq!(t.get(address, Some(&a.admin.token)).await.status, 404);

        let again = send_texts(&t, path, Some(&op.admin.token), NEW).await;
        assert_eq!((again.status.as_u16(), &again.body["data"][0]["field"]), (409, &json!("username")));
        let before = audited(&t, "user.create").await;
        let other: Vec<_> =
            NEW.iter().copied().filter(|(name, _)| !["username", "email"].contains(name)).collect();
        let other =
            [other.as_slice(), &[("username", "other"), ("email", "other@pesantren.sch.id")]].concat();
        let taken = send_texts(&t, path, Some(&op.admin.token), &other).await;
        assert_eq!(
            (taken.status.as_u16(), &taken.body["data"][0]["field"]),
            (409, &json!("institution_code")),
            "{}",
            taken.body
        );
        assert_eq!(audited(&t, "user.create").await, before, "nor its administrator");
    })
    .await;
}

#[tokio::test]
async fn t03_an_administrator_changes_his_own_institution_only() {
    both(async |t| {
        let (op, a, b) = (operators(&t).await, company(&t, "SMAN1").await, company(&t, "SMAN2").await);
        let change = async |by: &str, body: serde_json::Value| t.post("/sso/company", Some(by), body).await;
        let done =
            change(&a.admin.token, json!({"institution_name": "SMA Negeri 1", "address1": "Jl. Merdeka"}))
                .await;
        assert_eq!(
            (done.status.as_u16(), &done.body["data"]["institution_name"]),
            (200, &json!("SMA Negeri 1")),
            "{}",
            done.body
        );
        let cleared =
            change(&a.admin.token, json!({"address1": "", "id": b.id, "code": "X", "institution_code": "X"}))
                .await;
        assert_eq!(
            (&cleared.body["data"]["address1"], &cleared.body["data"]["institution_code"]),
            (&json!(null), &json!("SMAN1"))
        );
        let foreign = change(&a.admin.token, json!({"institution_id": b.id, "address1": "x"})).await;
        let unknown = change(&a.admin.token, json!({"institution_id": 8_000_000, "address1": "x"})).await;
        assert_eq!(foreign.parts(), (404, &refusal(404, "NOT_FOUND", "Institusi tidak ditemukan")));
        assert_eq!(foreign.body, unknown.body);
        assert_eq!(change(&a.user.token, json!({"address1": "x"})).await.status, 403);
        assert_eq!(
            change(&op.host.token, json!({"institution_id": a.id, "address1": "x"})).await.status,
            403
        );
        assert_eq!(change(&a.admin.token, json!({"isactive": false})).await.status, 403);
        assert_eq!(change(&op.admin.token, json!({"address1": "x"})).await.status, 422, "whose?");
        for bad in [
            json!({"website": "javascript:alert(1)"}),
            json!({"address1": "a\nb"}),
            json!({"institution_name": "x".repeat(300)}),
        ] {
            assert_eq!(change(&a.admin.token, bad.clone()).await.status, 422, "{bad}");
        }

        // T10: switched off, nobody of it is anybody; its people's tokens stop at once.
        let off = change(&op.admin.token, json!({"institution_id": a.id, "isactive": false})).await;
        assert_eq!(off.status, 200, "{}", off.body);
        assert_eq!(t.get("/sso/auth/me", Some(&a.user.token)).await.status, 401);
        assert_eq!(super::super::tests::login(&t, "sman1.user", crate::testing::PASSWORD).await.status, 401);
        assert_eq!(t.get("/sso/auth/me", Some(&b.user.token)).await.status, 200);
        change(&op.admin.token, json!({"institution_id": a.id.to_string(), "isactive": true})).await;
        assert_eq!(t.get("/sso/auth/me", Some(&a.user.token)).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn t04_lists_show_what_is_within_reach() {
    both(async |t| {
        let (op, a, b) = (operators(&t).await, company(&t, "SMAN1").await, company(&t, "SMAN2").await);
        let list = async |by: &str, query: &str| t.get(&format!("/sso/companies{query}"), Some(by)).await;
        let all = list(&op.host.token, "?limit=1&page=2&sort=-name").await;
        assert_eq!(
            all.body["meta"],
            json!({"totalItems": 2, "itemCount": 1, "itemsPerPage": 1, "totalPages": 2, "currentPage": 2})
        );
        assert_eq!(all.body["data"][0]["institution_code"], "SMAN1");
        assert_eq!(list(&op.admin.token, "?search=sman2").await.body["meta"]["totalItems"], 1);
        for pattern in ["?search=%25", "?search=_MAN1", "?search='%20OR%201=1"] {
            assert_eq!(list(&op.admin.token, pattern).await.body["meta"]["totalItems"], 0, "{pattern}");
        }
        let own = list(&a.admin.token, "?search=SMAN").await;
        assert_eq!((&own.body["meta"]["totalItems"], &own.body["data"][0]["id"]), (&json!(1), &json!(a.id)));
        assert_eq!(t.get("/sso/company", Some(&a.admin.token)).await.body["data"], own.body["data"]);
        assert_eq!(list(&a.user.token, "").await.status, 403);
        for query in [
            "?limit=0",
            "?limit=-1",
            "?limit=101",
            "?limit=1000000000",
            "?page=0",
            "?page=x",
            "?sort=password",
            "?sort=name%3Bdrop",
        ] {
            assert_eq!(list(&op.admin.token, query).await.status, 422, "{query}");
        }
        let show = async |by: &str, id: &str| t.get(&format!("/sso/companies/{id}"), Some(by)).await;
        let uuid = own.body["data"][0]["uuid"].as_str().unwrap();
        assert_eq!(show(&a.admin.token, uuid).await.body["data"]["id"], json!(a.id));
        assert_eq!(show(&a.admin.token, &a.id.to_string()).await.status, 200);
        let foreign = show(&a.admin.token, &b.id.to_string()).await;
        assert_eq!(
            (foreign.status.as_u16(), &foreign.body),
            (404, &show(&a.admin.token, "999999").await.body)
        );
        assert_eq!(show(&op.host.token, &b.id.to_string()).await.status, 200);
        assert_eq!(show(&b.admin.token, uuid).await.status, 404);
        for id in ["0", "-1", "x", "%00", "9999999999999999999999"] {
            assert_eq!(show(&op.admin.token, id).await.status, 404, "{id}");
        }
    })
    .await;
}

use serde_json::json;

use super::super::tests::{Part, both, company, operators, png, send, send_texts, sign_in};

fn new<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let all = [
        ("username", "host.it_kuansing"),
        ("email", "host@kuansing.sch.id"),
        ("password", "kuda lari pagi"),
        ("name", "Host IT"),
    ];
    all.into_iter()
        .filter(|(name, _)| more.iter().all(|(other, _)| other != name))
        .chain(more.iter().copied())
        .collect()
}

#[tokio::test]
async fn an_account_is_made_where_its_maker_is() {
    both(async |t| {
        let (op, a, b) = (operators(&t).await, company(&t, "SMAN1").await, company(&t, "SMAN2").await);
        for who in [&a.user.token, &op.host.token] {
            assert_eq!(send_texts(&t, "/sso/users/", Some(who), &new(&[])).await.status, 403);
        }
        let far = b.id.to_string();
        let greedy = [
            ("institution_id", far.as_str()),
            ("role_id", "101"),
            ("isactive", "false"),
            ("user_istype", "SUPER-ADMIN"),
        ];
        let made = send_texts(&t, "/sso/users/", Some(&a.admin.token), &new(&greedy)).await;
        assert_eq!(made.status, 201, "{} {}", t.on, made.body);
        let user = &made.body["data"];
        assert_eq!(
            (&user["institution_id"], &user["role"]["reference_code"], &user["isactive"]),
            (&json!(a.id), &json!("USER"), &json!(true)),
            "T11"
        );
        sign_in(&t, "host.it_kuansing", "kuda lari pagi").await;
        assert_eq!(send_texts(&t, "/sso/users", Some(&a.admin.token), &new(&[])).await.status, 409);
        let there =
            [("username", "other"), ("email", "other@kuansing.sch.id"), ("institution_id", far.as_str())];
        let picture = png(32);
        let texts = new(&there);
        let mut parts: Vec<_> = texts.iter().map(|(name, text)| Part::Text(name, text)).collect();
        parts.push(Part::File("cover", &picture));
        let made = send(&t, "/sso/users/", Some(&op.admin.token), &parts).await;
        assert_eq!(
            (made.status.as_u16(), &made.body["data"]["institution_id"]),
            (201, &json!(b.id)),
            "{}",
            made.body
        );
        assert!(made.body["data"]["cover"].as_str().unwrap().starts_with("/sso/pictures/"));
        let nowhere =
            [("username", "third"), ("email", "third@kuansing.sch.id"), ("institution_id", "999999")];
        assert_eq!(send_texts(&t, "/sso/users/", Some(&op.admin.token), &new(&nowhere)).await.status, 404);
        for bad in [
            ("name", "Budi\r\nBcc: x@y.id"),
            ("name", ""),
            ("password", "kuansing"),
            ("password", "sman1-2025"),
            ("username", "ab"),
        ] {
            let refused = send_texts(&t, "/sso/users/", Some(&a.admin.token), &new(&[bad])).await;
            assert_eq!(refused.status, 422, "{bad:?} {}", refused.body);
        }
    })
    .await;
}

#[tokio::test]
async fn t05_accounts_of_others_are_not_there() {
    both(async |t| {
        let (op, a, b) = (operators(&t).await, company(&t, "SMAN1").await, company(&t, "SMAN2").await);
        let list = async |by: &str, query: &str| t.get(&format!("/sso/users{query}"), Some(by)).await;
        let own = list(&a.admin.token, "?search=sman&sort=-id").await;
        assert_eq!(
            (&own.body["meta"]["totalItems"], &own.body["data"][0]["username"]),
            (&json!(2), &json!("sman1.user")),
            "{}",
            own.body
        );
        assert_eq!(list(&op.host.token, "/").await.body["meta"]["totalItems"], 6);
        assert_eq!(list(&a.user.token, "").await.status, 403);
        assert!(!own.body.to_string().contains("argon2"));
        let show = async |by: &str, uuid: uuid::Uuid| t.get(&format!("/sso/users/{uuid}"), Some(by)).await;
        assert_eq!(show(&a.admin.token, a.user.uuid).await.status, 200);
        assert_eq!(show(&op.host.token, b.user.uuid).await.status, 200);
        let foreign = show(&a.admin.token, b.user.uuid).await;
        assert_eq!(
            (foreign.status.as_u16(), &foreign.body),
            (404, &show(&a.admin.token, uuid::Uuid::from_u128(7)).await.body)
        );
        for path in ["/sso/users/1", "/sso/users/%2e%2e", "/sso/users/x;y", "/sso//users"] {
            assert_eq!(t.get(path, Some(&a.admin.token)).await.status, 404, "T15 {path}");
        }
    })
    .await;
}

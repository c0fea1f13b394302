use serde_json::json;

use super::super::tests::{both, login, refusal, sign_in};
use crate::testing::{TestApp, request};

const TOKEN: &str = "0123456789abcdef";

fn configured(t: &TestApp, password: Option<&str>) -> TestApp {
    t.configured(|config| {
        config.setup_token = Some(TOKEN.into());
        config.super_admin_password = password.map(str::to_owned);
    })
}

#[tokio::test]
async fn t43_a_cloud_is_installed_once_by_who_has_the_token() {
    both(async |t| {
        let nothing = refusal(404, "NOT_FOUND", "Alamat tidak ditemukan");
        assert_eq!(t.get("/sso/install", None).await.parts(), (404, &nothing), "no token is configured");
        assert_eq!(t.get("/sso/install?token=", None).await.parts(), (404, &nothing));
        for known in ["superadmin1", "super_admin", "password123"] {
            let weak = configured(&t, Some(known)).get(&format!("/sso/install?token={TOKEN}"), None).await;
            let refused = refusal(409, "CONFLICT", "super_admin_password terlalu lemah");
            assert_eq!(weak.parts(), (409, &refused), "{known}");
        }
        let t = configured(&t, Some("gajah di pagi buta"));
        for wrong in ["", "?token=", "?token=0123456789abcde", "?token=0123456789abcdef0"] {
            assert_eq!(
                t.get(&format!("/sso/install{wrong}"), None).await.parts(),
                (404, &nothing),
                "{wrong}"
            );
        }
        for password in ["password", "admin123", "super_admin", "123qweasd"] {
            assert_eq!(login(&t, "super_admin", password).await.status, 401, "no default account");
        }
        let path = format!("/sso/install?token={TOKEN}");
        let (one, other) = tokio::join!(t.get(&path, None), t.get(&path, None));
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{} in parallel: {} {}", t.on, one.body, other.body);
        let done = if one.status == 200 { one } else { other };
        assert!(!done.body.to_string().contains("gajah"), "{}", done.body);
        let token = sign_in(&t, "super_admin", "gajah di pagi buta").await;
        assert_eq!(t.get("/sso/companies", Some(&token)).await.status, 200);
        let header = request("GET", "/sso/install", None).header("x-setup-token", TOKEN);
        let again = t.send(header.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(again.parts(), (409, &refusal(409, "CONFLICT", "Sistem sudah terpasang")));
        assert_eq!(t.get("/sso/install", None).await.status, 404, "without the token, still nothing");
    })
    .await;
}

#[tokio::test]
async fn a_password_nobody_chose_is_in_no_answer() {
    both(async |t| {
        let t = configured(&t, None);
        let done = t.get(&format!("/sso/install?token={TOKEN}"), None).await;
        assert_eq!(done.body["data"]["password_in_log"], json!(true), "{}", done.body);
        let fields: Vec<_> = done.body["data"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(fields, ["password_in_log", "permissions", "roles", "services", "username"]);
    })
    .await;
}

//! The pages of the registry and the API under them, on both databases.

use axum::body::Body;
use serde_json::{Value, json};

use super::API;
use crate::{
    console::tests::{Tab, super_admin},
    db::Cloud,
    identity::seed,
    oidc::client,
    testing::{Answer, TestApp},
};

const CALLBACK: &str = "https://moodle.sekolah.example/admin/oauth2callback.php";

/// What the form sends.
fn filled() -> Value {
    json!({"name": "Moodle", "type": "confidential", "institution_id": null, "redirect_uris": [CALLBACK],
        "post_logout_redirect_uris": ["https://moodle.sekolah.example/"], "scope": "openid profile school",
        "id_token_signed_response_alg": "EdDSA", "trusted": false, "active": true})
}

fn with(field: &str, value: Value) -> Value {
    let mut body = filled();
    body[field] = value;
    body
}

/// Registers one; its id and its secret.
async fn register(tab: &Tab, body: &Value) -> (String, String) {
    let made = tab.call("POST", API, body).await;
    assert_eq!(made.status, 201, "{}: {}", tab.t.on, made.body);
    let text = |field: &str| made.body[field].as_str().unwrap_or_default().to_owned();
    (text("client_id"), text("client_secret"))
}

async fn how_many(t: &TestApp) -> usize {
    client::list(&mut t.app.db.read(Cloud).await.unwrap()).await.unwrap().len()
}

/// From a field's name to the end of its element.
fn field<'p>(page: &'p str, name: &str) -> &'p str {
    let rest =
        page.split(&format!("name=\"{name}\"")).nth(1).unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split("</div>").next().unwrap()
}

#[tokio::test]
async fn a_client_is_registered_changed_and_deleted_by_its_pages() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let tab = super_admin(&t).await;
        let empty = tab.page("/console/clients").await;
        assert!(
            empty.contains("Belum ada klien") && empty.contains("href=\"/console/clients/new\""),
            "{empty}"
        );
        let form = tab.page("/console/clients/new").await;
        assert!(form.contains(&format!("action=\"{API}\" data-api=\"POST\"")), "{form}");

        let (id, _) = register(&tab, &filled()).await;
        let own = format!("/console/clients/{id}");
        let list = tab.page("/console/clients").await;
        for part in
            [&*own, "<b>Moodle</b>", &*id, "Dengan kunci", "Semua sekolah", "ditanya sekali", "✓ Aktif"]
        {
            assert!(list.contains(part), "{} {part}: {list}", t.on);
        }
        let page = tab.page(&own).await;
        assert!(field(&page, "redirect_uris").contains(CALLBACK), "{page}");
        assert!(
            page.contains("value=\"school\" checked") && !page.contains("value=\"phone\" checked"),
            "{page}"
        );
        assert!(page.contains("<option value=\"EdDSA\" selected>"), "{page}");

        let mut change = with("name", json!("Moodle Ujian"));
        change["institution_id"] = json!(school.0);
        change["redirect_uris"] = json!([CALLBACK, "https://ujian.sekolah.example/cb"]);
        change["scope"] = json!("openid phone");
        change["trusted"] = json!(true);
        change["active"] = json!(false);
        // Pressed twice is saved once.
        for _ in 0..2 {
            let saved = tab.call("PUT", &format!("{API}/{id}"), &change).await;
            assert_eq!(
                (saved.status.as_u16(), &saved.body["name"]),
                (200, &json!("Moodle Ujian")),
                "{}",
                saved.body
            );
        }
        let page = tab.page(&own).await;
        assert!(
            field(&page, "redirect_uris").contains(&format!("{CALLBACK}\nhttps://ujian.sekolah.example/cb")),
            "{}: one a line: {page}",
            t.on
        );
        assert!(page.contains(&format!("<option value=\"{}\" selected>", school.0)), "{page}");
        assert!(
            page.contains("value=\"phone\" checked") && !page.contains("value=\"school\" checked"),
            "{page}"
        );
        assert!(page.contains("name=\"trusted\" data-as=\"boolean\" checked"), "{page}");
        assert!(page.contains("name=\"active\" data-as=\"boolean\">"), "{page}");
        let list = tab.page("/console/clients").await;
        assert!(
            list.contains("tepercaya") && list.contains("✕ Nonaktif") && !list.contains("✓ Aktif"),
            "{list}"
        );

        let gone = tab.call("DELETE", &format!("{API}/{id}"), &Value::Null).await;
        assert_eq!(gone.status, 204, "{}", gone.body);
        let again = tab.call("DELETE", &format!("{API}/{id}"), &Value::Null).await;
        assert_eq!(again.status, 404);
        assert_eq!(again.body["said"]["id"]["message"], "Klien ini sudah tidak ada.");
        assert_eq!(tab.get(&own).await.status, 404);
        assert_eq!(how_many(&t).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_secret_is_in_one_answer_and_in_no_page() {
    TestApp::both(async |t| {
        let tab = super_admin(&t).await;
        let (id, first) = register(&tab, &filled()).await;
        let renew = format!("{API}/{id}/secret");
        let renewed = tab.call("POST", &renew, &json!({"overlap_hours": 5})).await;
        assert_eq!(renewed.status, 200, "{}", renewed.body);
        let second = renewed.body["client_secret"].as_str().unwrap().to_owned();
        assert!(first.len() == 43 && second.len() == 43 && first != second, "{first} {second}");
        let own = format!("/console/clients/{id}");
        for path in ["/console/clients", &own, API, &format!("{API}/{id}")] {
            let answer = tab.get(path).await;
            let text = answer.body.to_string();
            assert!(answer.status == 200 && text.contains(&id), "{path}: {text}");
            assert!(!text.contains(&first) && !text.contains(&second), "{} {path}: {text}", t.on);
        }
        let until = "Kunci yang lama masih berlaku sampai";
        assert!(tab.page(&own).await.contains(until), "{}", t.on);
        t.clock.advance_ms(5 * 3600 * 1000);
        let tab = Tab::of(&t, "super_admin").await;
        assert!(!tab.page(&own).await.contains(until), "{}", t.on);

        let refused = tab.call("POST", &renew, &json!({"overlap_hours": 721})).await;
        assert_eq!(refused.status, 422);
        assert_eq!(
            refused.body["said"]["id"]["errors"],
            json!({"overlap_hours": ["Harus antara 0 dan 720."]})
        );

        let (public, none) = register(&tab, &with("type", json!("public"))).await;
        assert_eq!(none, "", "a public client has no secret");
        let page = tab.page(&format!("/console/clients/{public}")).await;
        assert!(page.contains("Publik: tanpa kunci") && !page.contains("id=\"renew\""), "{page}");
        let refused = tab.call("POST", &format!("{API}/{public}/secret"), &json!({})).await;
        assert_eq!(refused.status, 409);
        assert_eq!(refused.body["said"]["en"]["message"], "A public client has no secret.");
    })
    .await;
}

#[tokio::test]
async fn for_whoever_does_not_keep_it_there_is_no_registry() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let (id, _) = register(&super_admin(&t).await, &filled()).await;
        let one = format!("{API}/{id}");
        for (number, role) in [("5001", seed::ADMIN), ("4001", seed::PRINCIPAL), ("1001", seed::STUDENT)] {
            t.user(school, number, role).await;
            let tab = Tab::of(&t, number).await;
            let schools = tab.get("/console/schools").await;
            for path in ["/console/clients", "/console/clients/new", &format!("/console/clients/{id}")] {
                let answer = tab.get(path).await;
                assert_eq!((answer.status, &answer.body), (schools.status, &schools.body), "{number} {path}");
            }
            for (method, path) in [
                ("GET", API),
                ("POST", API),
                ("PUT", &one),
                ("DELETE", &one),
                ("POST", &format!("{one}/secret")),
            ] {
                let answer = tab.call(method, path, &filled()).await;
                assert_eq!(answer.status, 404, "{} {number} {method} {path}: {}", t.on, answer.body);
            }
            if role == seed::ADMIN {
                let own = tab.page(&format!("/console/{}", school.0)).await;
                assert!(!own.contains("/console/clients"), "{own}");
            }
        }
        assert_eq!(t.get("/console/clients", None).await.status, 303);
        assert_eq!(t.get(API, None).await.status, 401);
        assert_eq!(how_many(&t).await, 1, "{}", t.on);
        let tab = Tab::of(&t, "super_admin").await;
        assert!(tab.page("/console/schools").await.contains("href=\"/console/clients\""));
    })
    .await;
}

#[tokio::test]
async fn what_does_not_come_from_a_page_of_ours_changes_nothing() {
    TestApp::both(async |t| {
        let tab = super_admin(&t).await;
        let (id, _) = register(&tab, &filled()).await;
        let one = format!("{API}/{id}");
        let send = async |method: &str, path: &str, token: Option<&str>, site: &str| -> Answer {
            let mut asked = tab.request(method, path).header("content-type", "application/json");
            if let Some(token) = token {
                asked = asked.header("x-csrf-token", token);
            }
            let asked = asked.header("sec-fetch-site", site).body(Body::from(filled().to_string()));
            t.send(asked.unwrap()).await
        };
        for (method, path) in
            [("POST", API), ("PUT", &*one), ("DELETE", &*one), ("POST", &*format!("{one}/secret"))]
        {
            for (token, site) in
                [(None, "same-origin"), (Some("0"), "same-origin"), (Some(&*tab.csrf), "cross-site")]
            {
                let answer = send(method, path, token, site).await;
                assert_eq!(answer.status, 403, "{} {method} {path} {token:?} {site}", t.on);
                let said = answer.body["said"]["id"]["message"].as_str().unwrap();
                assert!(said.contains("Muat ulang"), "{said}");
            }
        }
        assert_eq!(how_many(&t).await, 1, "{}", t.on);
        assert_eq!(tab.call("PATCH", &one, &filled()).await.status, 405);
        assert_eq!(tab.get(&format!("{one}/elsewhere")).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_is_said_at_its_field_in_both_languages() {
    TestApp::both(async |t| {
        let tab = super_admin(&t).await;
        let bad = |uri: &str| with("redirect_uris", json!([CALLBACK, uri]));
        let cases = [
            ("name", with("name", Value::Null)),
            ("name", with("name", json!("x".repeat(101)))),
            ("name", with("name", json!("a\nb"))),
            ("redirect_uris", with("redirect_uris", json!([]))),
            ("redirect_uris", with("redirect_uris", json!(vec![CALLBACK; 21]))),
            ("redirect_uris", bad("https://a.example/#x")),
            ("redirect_uris", bad("moodle")),
            ("redirect_uris", bad("id.sch.app:/cb")),
            ("redirect_uris", bad("https://a@b.example/")),
            ("redirect_uris", bad("https://a.example/../cb")),
            ("redirect_uris", bad("http://a.example/cb")),
            ("post_logout_redirect_uris", with("post_logout_redirect_uris", json!(["http://a.example/"]))),
            ("scope", with("scope", json!("profile"))),
            ("scope", with("scope", json!("openid everything"))),
            ("type", with("type", json!("secretive"))),
            ("institution_id", with("institution_id", json!(999_999))),
        ];
        for (field, body) in cases {
            let answer = tab.call("POST", API, &body).await;
            assert_eq!(answer.status, 422, "{} {body}: {}", t.on, answer.body);
            let said = &answer.body["said"];
            let texts = |lang: &str| said[lang]["errors"][field].as_array().cloned().unwrap_or_default();
            assert_eq!((texts("id").len(), texts("en").len()), (1, 1), "{} {field}: {said}", t.on);
            assert_ne!(texts("id"), texts("en"), "{field}: {said}");
            let id = texts("id")[0].to_string();
            assert!(!id.contains("must") && !id.contains("has "), "{id}");
        }
        let second = tab.call("POST", API, &bad("http://a.example/cb")).await;
        assert_eq!(
            second.body["said"],
            json!({
                "id": {"message": "Ada isian yang belum benar.", "errors": {"redirect_uris":
                    ["Alamat ke-2 harus https; http hanya untuk mesin itu sendiri (localhost)."]}},
                "en": {"message": "Something is not right yet.", "errors": {"redirect_uris":
                    ["Address 2 must be https, or http on the machine itself."]}},
            })
        );
        assert_eq!(how_many(&t).await, 0, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_name_is_a_text_and_no_markup() {
    TestApp::both(async |t| {
        let tab = super_admin(&t).await;
        let (id, _) = register(&tab, &with("name", json!("<b>x\"'&"))).await;
        for path in ["/console/clients", &format!("/console/clients/{id}")] {
            let page = tab.page(path).await;
            assert!(
                !page.contains("<b>x") && page.contains("&#60;b&#62;x&#34;&#39;&#38;"),
                "{} {path}: {page}",
                t.on
            );
        }
        for id in ["%3Cb%3Ex", "%00", "api%2Fx", &"a".repeat(65)] {
            assert_eq!(tab.get(&format!("/console/clients/{id}")).await.status, 404, "{id}");
        }
    })
    .await;
}

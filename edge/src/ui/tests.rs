use crate::http::testing::Served;

#[tokio::test]
async fn pages_are_html_with_nothing_inline_and_everything_they_name_is_here() {
    let school = Served::at("06:41:00").await;
    let token = school.qr();
    for path in ["/", "/gate", "/kiosk", "/status", &format!("/c/{token}")] {
        let page = school.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        let html = page.text();
        assert!(
            !html.contains("style=") && !html.contains("onclick=") && !html.contains("<script>"),
            "{path}"
        );
        assert!(!html.contains("//") || !html.contains("src=\"http"), "{path} loads from elsewhere");
        for asset in html.split("\"/assets/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let file = school.get(&format!("/assets/{asset}")).await;
            assert_eq!(file.status, 200, "{asset}");
            for import in file.text().split("from \"./").skip(1).map(|rest| rest.split('"').next().unwrap()) {
                assert_eq!(school.get(&format!("/assets/{import}")).await.status, 200, "{import} of {asset}");
            }
        }
    }
}

#[tokio::test]
async fn an_asset_is_asked_for_again_and_sent_once() {
    let school = Served::at("06:41:00").await;
    let first = school.get("/assets/gate.js").await;
    assert_eq!(first.headers["content-type"], "text/javascript; charset=utf-8");
    let tag = first.headers["etag"].to_str().unwrap();
    let again = school.get("/assets/gate.js").header(axum::http::header::IF_NONE_MATCH, tag).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    for strange in ["/assets/nothing.js", "/assets/..%2F..%2FCargo.toml"] {
        school.get(strange).await.refused(404, "Alamat tidak ditemukan");
    }
}

#[tokio::test]
async fn the_worker_keeps_what_is_there_and_is_another_with_every_change() {
    let school = Served::at("06:41:00").await;
    let worker = school.get("/sw.js").await;
    assert_eq!(worker.headers["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(worker.headers["cache-control"], "no-cache");
    let policy = |answer: &crate::http::testing::Answer| {
        answer.headers["content-security-policy"].to_str().unwrap().to_owned()
    };
    assert!(policy(&worker).contains("connect-src 'self'"), "it could fetch nothing");
    let offline = school.get("/assets/offline.html").await;
    assert!(policy(&offline).contains("script-src 'self'"), "it could not look for the box");
    let text = worker.text();
    let quoted = |before: &str| text.split(before).nth(1).unwrap().split('"').next().unwrap();
    let version = quoted("CACHE = \"hadir-");
    assert!(version.len() == 16 && version.bytes().all(|b| b.is_ascii_hexdigit()), "{version}");
    let files: Vec<&str> = quoted("FILES = \"").split(' ').collect();
    assert!(files.contains(&"/assets/offline.html") && files.contains(&"/assets/offline.js"), "{files:?}");
    for file in &files {
        assert!(file.starts_with("/assets/"), "no page and no answer is kept: {file}");
        assert_eq!(school.get(file).await.status, 200, "{file}");
    }
    let manifest: serde_json::Value = school.get("/assets/hadir.webmanifest").await.json();
    for icon in manifest["icons"].as_array().unwrap() {
        let file = school.get(icon["src"].as_str().unwrap()).await;
        assert_eq!(file.headers["content-type"], icon["type"].as_str().unwrap(), "{icon}");
    }
}

#[tokio::test]
async fn what_came_in_the_address_does_not_get_into_the_page() {
    let school = Served::at("06:41:00").await;
    for token in ["%3Cscript%3E", "a%22onload=", &"a".repeat(65)] {
        school.get(&format!("/c/{token}")).await.refused(404, "Alamat tidak ditemukan");
    }
}

#[tokio::test]
async fn only_who_comes_with_the_token_gets_a_ticket() {
    let school = Served::at("06:41:00").await;
    let digits = school.node().qr().unwrap().code;
    for no_token in [digits.as_str(), "000000", "abc", &"0".repeat(32)] {
        let page = school.get(&format!("/c/{no_token}")).await.text();
        assert!(
            page.contains("data-arrival=\"\""),
            "{no_token}: nor does the page tell which digits are good"
        );
    }
    let page = school.get(&format!("/c/{}", school.qr())).await.text();
    assert!(!page.contains("data-arrival=\"\""));
}

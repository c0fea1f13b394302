//! Through a small module of its own: what the layers and extractors promise every dialect.

use axum::{
    Router,
    body::Body as HttpBody,
    http::{Request, StatusCode},
    middleware::{from_fn, map_response},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde::Deserialize;
use tower::ServiceExt as _;

use super::{Body, ClientAddress, Origin, Page, Params, Segment, outer, speak};
use crate::{
    fail::Fail,
    testing::{TestApp, request},
};

#[derive(Deserialize)]
struct Form {
    name: String,
    items: Option<Vec<Item>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    user_id: i64,
}

#[derive(Deserialize)]
struct Filter {
    status: Option<String>,
    day: Option<chrono::NaiveDate>,
}

fn router(t: &TestApp) -> Router {
    let routes = Router::new()
        .route(
            "/form",
            post(async |Body(form): Body<Form>| {
                let items: Vec<i64> =
                    form.items.unwrap_or_default().iter().map(|item| item.user_id).collect();
                format!("{} {items:?}", form.name)
            }),
        )
        .route("/things/{id}", get(async |Segment(id): Segment<i64>| id.to_string()))
        .route(
            "/list",
            get(async |page: Page, Params(filter): Params<Filter>| {
                let (status, day) = (filter.status, filter.day);
                format!("{} {} {:?} {:?} {}", page.offset(), page.last(31), status, day, page.url(2))
            }),
        )
        .route(
            "/who",
            get(async |ClientAddress(ip): ClientAddress, Origin(origin): Origin| format!("{ip} {origin}")),
        )
        .route("/panic", get(async || -> String { panic!("secret inside") }))
        .route(
            "/broken",
            get(async || -> Result<String, Fail> { Err(anyhow::anyhow!("secret inside").into()) }),
        );
    outer(Router::new().nest("/m", speak(routes, said)), &t.app).with_state(t.app.clone())
}

/// A dialect.
fn said(fail: &Fail) -> Response {
    let text = match fail {
        Fail::Internal(_) => "said: internal".to_owned(),
        fail => format!("said: {fail:?}"),
    };
    (fail.status(), text).into_response()
}

async fn send(t: &TestApp, request: Request<HttpBody>) -> (StatusCode, String, axum::http::HeaderMap) {
    let response = router(t).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, String::from_utf8(bytes.to_vec()).unwrap(), parts.headers)
}

async fn get_path(t: &TestApp, path: &str) -> (u16, String) {
    let (status, text, _) = send(t, request("GET", path, None).body(HttpBody::empty()).unwrap()).await;
    (status.as_u16(), text)
}

async fn post_form(t: &TestApp, kind: &str, body: impl Into<HttpBody>) -> (u16, String) {
    let request = request("POST", "/m/form", None).header("content-type", kind).body(body.into()).unwrap();
    let (status, text, _) = send(t, request).await;
    (status.as_u16(), text)
}

#[tokio::test]
async fn a_clients_fault_is_worded_and_never_a_500() {
    TestApp::both(async |t| {
        let json = "application/json";
        assert_eq!(post_form(&t, json, r#"{"name": "a", "more": 1}"#).await, (200, "a []".into()));
        assert_eq!(post_form(&t, "application/json; charset=utf-8", r#"{"name": "a"}"#).await.0, 200);
        for (body, status, wanted) in [
            ("{oops", 400, "Malformed"),
            (r#"{"name": "a"} x"#, 400, "Malformed"),
            ("[1]", 422, "Invalid"),
            ("", 422, r#"field: "name", flaw: Missing"#),
            (r#"{"name": 7}"#, 422, r#"field: "name", flaw: WrongType"#),
            (
                r#"{"name": "a", "items": [{"user_id": 1}, {"user_id": "x"}]}"#,
                422,
                r#"field: "items[1].user_id", flaw: WrongType"#,
            ),
            (r#"{"name": "a", "items": [{}]}"#, 422, r#"field: "items[0].user_id", flaw: Missing"#),
            (r#"{"name": "a", "items": [{"user_id": 1, "x": 1}]}"#, 422, "flaw: Unknown"),
        ] {
            let (found, text) = post_form(&t, json, body).await;
            assert!(found == status && text.contains(wanted), "{body}: {found} {text}");
        }
        assert_eq!(post_form(&t, "text/plain", "{}").await.0, 415);
        assert_eq!(post_form(&t, "application/x-www-form-urlencoded", "name=a").await.0, 415);
        assert_eq!(post_form(&t, json, " ".repeat(super::BODY_LIMIT + 1)).await.0, 413);
        assert_eq!(post_form(&t, json, vec![b'"', 0xff, b'"']).await.0, 400, "not UTF-8");
        assert_eq!(get_path(&t, "/m/nope").await, (404, "said: NoRoute".into()));
        assert_eq!(get_path(&t, "/m/things/x").await, (404, "said: NoRoute".into()));
        assert_eq!(get_path(&t, "/m/things/7").await, (200, "7".into()));
        assert_eq!(get_path(&t, "/m/form").await, (405, "said: WrongMethod".into()));
        let (_, _, headers) =
            send(&t, request("GET", "/m/form", None).body(HttpBody::empty()).unwrap()).await;
        assert_eq!(headers["allow"], "POST");
    })
    .await;
}

#[tokio::test]
async fn a_small_body_cannot_become_a_large_one() {
    TestApp::both(async |t| {
        use async_compression::tokio::bufread::ZstdEncoder;
        use tokio::io::AsyncReadExt as _;
        let pack = async |plain: Vec<u8>| {
            let mut packed = Vec::new();
            ZstdEncoder::new(&plain[..]).read_to_end(&mut packed).await.unwrap();
            packed
        };
        let post = async |packed: Vec<u8>, encoding: &str| {
            let request = request("POST", "/m/form", None)
                .header("content-type", "application/json")
                .header("content-encoding", encoding);
            send(&t, request.body(packed.into()).unwrap()).await.0.as_u16()
        };
        assert_eq!(post(pack(br#"{"name": "a"}"#.to_vec()).await, "zstd").await, 200);
        let bomb = pack(vec![b' '; 50 << 20]).await;
        assert!(bomb.len() < 10_000);
        assert_eq!(post(bomb, "zstd").await, 413);
        assert_eq!(post(b"not zstd at all".to_vec(), "zstd").await, 400);
        assert_eq!(post(b"{}".to_vec(), "br").await, 415);
    })
    .await;
}

#[tokio::test]
async fn what_never_ends_is_ended() {
    let slow = get(async || std::future::pending::<()>().await);
    let layer = from_fn(|request, next| super::within(std::time::Duration::from_millis(20), request, next));
    let routes: Router = Router::new()
        .route("/slow", slow)
        .layer(layer)
        .layer(map_response(|r| async { super::word(r, said) }));
    let response =
        routes.oneshot(request("GET", "/slow", None).body(HttpBody::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 503);
}

#[tokio::test]
async fn our_fault_tells_nothing_about_the_inside() {
    TestApp::both(async |t| {
        assert_eq!(get_path(&t, "/m/panic").await, (500, "said: internal".into()));
        assert_eq!(get_path(&t, "/m/broken").await, (500, "said: internal".into()));
    })
    .await;
}

#[tokio::test]
async fn pages_have_bounds_and_links_keep_their_filters() {
    TestApp::both(async |t| {
        let (status, text) = get_path(&t, "/m/list?page=3&per_page=10&status=a%26b&day=").await;
        assert_eq!(status, 200, "{text}");
        assert_eq!(
            text,
            r#"20 4 Some("a&b") None http://absensi.test/m/list?per_page=10&status=a%26b&page=2"#
        );
        assert_eq!(get_path(&t, "/m/list").await.1, "0 3 None None http://absensi.test/m/list?page=2");
        for wrong in [
            "page=0",
            "page=-1",
            "per_page=0",
            "per_page=101",
            "per_page=1000000000",
            "page=x",
            "day=yesterday",
            "page=9223372036854775808",
        ] {
            assert_eq!(get_path(&t, &format!("/m/list?{wrong}")).await.0, 422, "{wrong}");
        }
    })
    .await;
}

#[tokio::test]
async fn only_a_trusted_proxy_is_believed() {
    TestApp::both(async |t| {
        let ask = async |t: &TestApp, host: &str| {
            let request = Request::builder()
                .uri("/m/who")
                .header("host", host)
                .header("x-forwarded-for", "203.0.113.66, 203.0.113.7")
                .header("x-forwarded-proto", "https")
                .header("x-forwarded-host", "evil.example");
            send(t, request.body(HttpBody::empty()).unwrap()).await.1
        };
        assert_eq!(ask(&t, "a.test:8000").await, "127.0.0.1 http://a.test:8000");
        assert_eq!(ask(&t, "a.test/\"><script>").await, "127.0.0.1 http://localhost");
        let behind = t.configured(|c| c.trust_proxy = true);
        assert_eq!(ask(&behind, "a.test").await, "203.0.113.7 https://evil.example", "what the proxy sets");
        let named = t.configured(|c| c.public_url = Some("https://absensi.sekolah.sch.id".into()));
        assert_eq!(ask(&named, "a.test").await, "127.0.0.1 https://absensi.sekolah.sch.id");
    })
    .await;
}

#[tokio::test]
async fn every_answer_is_named_and_guarded() {
    TestApp::both(async |t| {
        let ask = async |id: Option<&str>| {
            let mut request = request("GET", "/m/nope", None);
            if let Some(id) = id {
                request = request.header("x-request-id", id);
            }
            send(&t, request.body(HttpBody::empty()).unwrap()).await.2
        };
        let headers = ask(Some("abc-123")).await;
        assert_eq!(headers["x-request-id"], "abc-123");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-frame-options"], "DENY");
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        for wrong in [None, Some("a b"), Some("\"}{"), Some(&*"x".repeat(65))] {
            let made = ask(wrong).await["x-request-id"].to_str().unwrap().to_owned();
            assert!(made.parse::<uuid::Uuid>().is_ok(), "{wrong:?} {made}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_of_another_origin_may_ask_but_never_with_cookies() {
    let folder = tempfile::tempdir().unwrap();
    let t = TestApp::sqlite(folder.path()).await;
    let preflight = request("OPTIONS", "/api/leaves/1", None)
        .header("origin", "https://panel.sekolah.sch.id")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "authorization,content-type");
    let answer = t.send(preflight.body(axum::body::Body::empty()).unwrap()).await;
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    assert_eq!(answer.status, 200);
    assert_eq!(header("access-control-allow-origin"), "*");
    assert!(header("access-control-allow-methods").contains("PUT"), "{:?}", answer.headers);
    assert!(header("access-control-allow-headers").contains("authorization"), "{:?}", answer.headers);
    assert_eq!(header("access-control-allow-credentials"), "");

    let asked = request("GET", "/api/user", None).header("origin", "https://panel.sekolah.sch.id");
    let answer = t.send(asked.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 401, "a refusal can be read too");
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
}

use axum::http::{HeaderName, Method};
use serde_json::json;

use crate::http::testing::Served;

#[tokio::test]
async fn programs_read_how_the_box_is() {
    let school = Served::at("06:41:00").await;
    school.post("/api/scan", json!({"number": "1001"})).here().await.data();
    let status = school.get("/api/box/status").await.data();
    assert_eq!(status["recorded"], school.recorded());
    for field in ["acked_through", "pending", "heads_equal", "line", "store", "clock_grade", "version"] {
        assert!(!status[field].is_null(), "{field} of {status}");
    }
    assert_eq!(school.get("/healthz").await.text(), "ok\n");
    let metrics = school.get("/metrics").await.text();
    for line in [
        format!("hadir_records {}\n", school.recorded()),
        "hadir_gate_outcomes_total{outcome=\"hadir\"}".into(),
        "http_requests_total{method=\"POST\",route=\"/api/scan\",status=\"200\"}".into(),
        "http_request_duration_seconds_bucket".into(),
        "hadir_edge_commits_total".into(),
        "hadir_edge_records_total".into(),
        "hadir_edge_commit_records_bucket{le=\"1\"}".into(),
    ] {
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    let asked = school.post("/api/box/sync", json!({})).here().await;
    assert_eq!(asked.json(), json!({"success": true, "message": "Sinkronisasi dimulai"}));
}

#[tokio::test]
async fn whatever_goes_wrong_is_in_the_dialect() {
    let school = Served::at("06:41:00").await;
    school.get("/nowhere").await.refused(404, "Alamat tidak ditemukan");
    school.get("/api/nowhere").await.refused(404, "Alamat tidak ditemukan");
    let wrong = school.get("/api/auth/login").await;
    wrong.refused(405, "Metode tidak didukung untuk alamat ini");
    assert_eq!(wrong.headers["allow"], "POST");
    let odd =
        school.post("/api/auth/login", json!({})).header(axum::http::header::CONTENT_ENCODING, "br").await;
    odd.refused(415, "Content-Type tidak didukung");
}

#[tokio::test]
async fn every_answer_has_a_name_and_the_usual_headers() {
    let school = Served::at("06:41:00").await;
    let named = HeaderName::from_static("x-request-id");
    let answer = school.get("/api/nowhere").header(named.clone(), "abc-1").await;
    assert_eq!(answer.headers["x-request-id"], "abc-1");
    let answer = school.get("/api/nowhere").header(named, "a b").await;
    assert_ne!(answer.headers["x-request-id"], "a b");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ] {
        assert_eq!(answer.headers[name], value);
    }
}

#[tokio::test]
async fn a_page_of_another_site_is_not_somebody_at_the_box() {
    let school = Served::at("06:41:00").await;
    let ask = |name: &'static str, value: &str| {
        let name = HeaderName::from_static(name);
        [
            ("/api/box/sync", Method::POST),
            ("/api/gate", Method::GET),
            ("/api/qrcode/current.png", Method::GET),
        ]
        .map(|(path, method)| school.ask(method, path).here().header(name.clone(), value))
    };
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "http://localhost:9999"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for ask in ask(name, value) {
            ask.await.refused(401, "Token tidak valid");
        }
    }
    for (name, value) in
        [("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none")]
    {
        for ask in ask(name, value) {
            assert_eq!(ask.await.status, 200, "{name}: {value}");
        }
    }
}

#[tokio::test]
async fn measurements_do_not_grow_with_what_strangers_make_up() {
    let school = Served::at("06:41:00").await;
    for made_up in ["XYZZY", "PLUGH"] {
        school.ask(Method::from_bytes(made_up.as_bytes()).unwrap(), "/api/user").await;
    }
    let text = school.get("/metrics").await.text();
    assert!(text.contains("method=\"other\"") && !text.contains("XYZZY") && !text.contains("PLUGH"));
}

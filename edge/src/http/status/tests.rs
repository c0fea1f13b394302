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
    let named = axum::http::HeaderName::from_static("x-request-id");
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

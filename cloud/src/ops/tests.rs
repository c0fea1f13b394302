use serde_json::json;

use crate::testing::TestApp;

#[tokio::test]
async fn alive_and_ready_until_the_database_is_gone() {
    TestApp::both(async |t| {
        assert_eq!(t.get("/healthz", None).await.parts(), (200, &json!("ok\n")), "{}", t.on);
        assert_eq!(t.get("/readyz", None).await.parts(), (200, &json!("ready\n")), "{}", t.on);
        t.app.db.close().await;
        assert_eq!(t.get("/healthz", None).await.status, 200, "{}: alive all the same", t.on);
        assert_eq!(t.get("/readyz", None).await.parts(), (503, &json!("not ready\n")), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn keys_are_published_for_a_while() {
    TestApp::both(async |t| {
        let answer = t.get("/.well-known/jwks.json", None).await;
        assert_eq!(answer.headers["cache-control"], "public, max-age=300");
        assert_eq!(
            (answer.status.as_u16(), &answer.body["keys"][0]["alg"]),
            (200, &json!("EdDSA")),
            "{}",
            t.on
        );
        assert_eq!(t.get("/nowhere", None).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn the_bare_address_of_a_module_speaks_its_words() {
    TestApp::both(async |t| {
        let words = json!({"success": false, "message": "Alamat tidak ditemukan"});
        for path in ["/api", "/api/", "/files", "/files/"] {
            assert_eq!(t.get(path, None).await.parts(), (404, &words), "{} {path}", t.on);
        }
    })
    .await;
}

use crate::http::testing::Served;

#[tokio::test]
async fn only_who_stands_at_a_gate_asks_for_a_portrait() {
    let school = Served::at("06:41:00").await;
    school.get("/api/portraits/abc").await.refused(401, "Token tidak valid");
    for strange in ["abc", "..%2F..%2Fsecret.key", "%00", "edge.db"] {
        school.get(&format!("/api/portraits/{strange}")).here().await.refused(404, "Foto tidak ditemukan");
    }
}

use serde_json::json;

use super::{Section, complete};
use crate::{
    attendance::tests::{both, school},
    identity::seed,
    testing::PASSWORD,
};

#[tokio::test]
async fn section_1() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        complete(&t, &school.admin, "Admin Utama").await;
        let doc = Section::open(&t, "attendance", "01-auth");

        let login = |answer| doc.ask("POST /api/auth/login", answer);
        let credentials =
            |number: &str, password: &str| json!({"nisn_nip_nik": number, "password": password});
        let signed_in = login("done").with(credentials("5001", PASSWORD)).send().await;
        login("refused").with(credentials("5001", "salah")).send().await;
        login("refused").with(credentials("9999", PASSWORD)).send().await;
        login("nothing sent").with(json!({})).send().await;
        let former = t.user(school.id, "2001", seed::TEACHER).await;
        let left =
            t.put(&format!("/api/users/{former}"), Some(&school.admin), json!({"is_active": false})).await;
        assert_eq!(left.status, 200, "{}", left.body);
        login("inactive").with(credentials("2001", PASSWORD)).send().await;

        let token = signed_in["data"]["token"].as_str().unwrap();
        let logout = |answer| doc.ask("POST /api/auth/logout", answer).by(token);
        logout("done").send().await;
        logout("refused").send().await;
        doc.close();
    })
    .await;
}

use serde_json::json;

use crate::{console::tests::Tab, db::Cloud, identity::seed, testing::TestApp};

const PATH: &str = "/api/second-factor";

#[tokio::test]
async fn a_school_demands_a_second_factor_of_its_own_roles() {
    TestApp::both(async |t| {
        let (school, other) = (t.institution("SMAN1").await, t.institution("SMPN2").await);
        let (_, admin) = t.signed_in(school, "5001", seed::ADMIN).await;
        let (_, teacher) = t.signed_in(school, "2001", seed::TEACHER).await;
        let (_, stranger) = t.signed_in(other, "2101", seed::TEACHER).await;
        let none = json!({"guru": false, "pegawai": false, "kepala_sekolah": false, "admin": false});
        assert_eq!(t.get(PATH, Some(&admin)).await.body["data"], none, "{}", t.on);
        let changed = t.put(PATH, Some(&admin), json!({"guru": true})).await;
        assert_eq!((changed.status.as_u16(), &changed.body["data"]["guru"]), (200, &json!(true)), "{}", t.on);
        assert_eq!(t.get("/api/dashboard", Some(&teacher)).await.status, 403, "{}: at once", t.on);
        assert_eq!(t.get("/api/dashboard", Some(&stranger)).await.status, 200, "{}: another school", t.on);
        assert_eq!(t.get("/api/dashboard", Some(&admin)).await.status, 200, "{}: another role", t.on);
        for body in [json!({"guru": "ya"}), json!({"admin": 1})] {
            assert_eq!(t.put(PATH, Some(&admin), body).await.status, 422, "{}", t.on);
        }
        assert_eq!(t.put(PATH, Some(&stranger), json!({"guru": true})).await.status, 403, "{}", t.on);
        assert_eq!(t.put(PATH, None, json!({"guru": true})).await.status, 401, "{}", t.on);
        let page = Tab::of(&t, "5001").await.page(&format!("/console/{}/second-factor", school.0)).await;
        assert!(page.contains("name=\"guru\" data-as=\"boolean\" checked"), "{page}");
        t.put(PATH, Some(&admin), json!({"guru": false})).await;
        assert_eq!(t.get("/api/dashboard", Some(&teacher)).await.status, 200, "{}", t.on);

        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let audited =
            "SELECT COUNT(*) FROM audit_log WHERE action = 'second_factor.require' AND institution_id = $1";
        let (rows,): (i64,) = tx.query(audited).bind(school.0).one().await.unwrap();
        assert_eq!(rows, 2, "{}", t.on);
    })
    .await;
}

use hadir_shared::demo;
use serde_json::json;

use super::{Loaded, Size, load};
use crate::{
    db::Cloud,
    {fail::Fail, testing::TestApp},
};

async fn count(t: &TestApp, sql: &'static str) -> i64 {
    let (count,) = t.app.db.read(Cloud).await.unwrap().query(sql).one().await.unwrap();
    count
}

#[tokio::test]
async fn the_school_that_is_promised_is_there_and_everybody_can_sign_in() {
    TestApp::both(async |t| {
        let loaded = load(&t.app, Size::default()).await.unwrap();
        assert_eq!((loaded.schools, loaded.people), (2, 180 + 9 + 60 + 5 + 1), "{}", t.on);
        assert!(loaded.records > 8_000, "{loaded:?}");
        assert_eq!(count(&t, "SELECT COUNT(*) FROM attendance WHERE status <> 'alpha'").await, i64::try_from(loaded.records).unwrap());
        for (sql, wanted) in [
            ("SELECT COUNT(*) FROM classes", 8),
            ("SELECT COUNT(*) FROM class_students WHERE academic_year = 2025", 240),
            ("SELECT COUNT(*) FROM student_cards WHERE is_active AND serial = 1", 240),
            ("SELECT COUNT(*) FROM announcements WHERE institution_id = 1 AND is_published", 3),
            ("SELECT COUNT(*) FROM leaves WHERE institution_id = 1 AND status = 'disetujui'", 21),
            ("SELECT COUNT(*) FROM roster_entries WHERE institution_id = 1 AND entity = 'person'", 189),
            ("SELECT COUNT(*) FROM roster_entries WHERE institution_id = 2 AND entity = 'card'", 60),
            ("SELECT COUNT(*) FROM roster_entries WHERE entity = 'keys'", 2),
            ("SELECT COUNT(*) FROM attendance WHERE CAST(day AS TEXT) >= '2025-11-21'", 0),
            ("SELECT COUNT(*) FROM attendance a JOIN leaves l ON l.user_id = a.user_id AND a.day BETWEEN l.start_date AND l.end_date WHERE l.status = 'disetujui'", 0),
        ] {
            assert_eq!(count(&t, sql).await, wanted, "{} {sql}", t.on);
        }
        for number in ["5001", "4001", "3001", "2006", "1001", "1180", "5101", "4101", "3101", "2102", "1301", "1360"] {
            t.login(number).await;
        }
        let admin = t.login("5001").await;
        let me = t.get("/api/user", Some(&admin)).await;
        assert_eq!((&me.body["data"]["user"]["id"], &me.body["data"]["user"]["name"]), (&json!(1), &json!("Admin Utama")));
        let classes = t.get("/api/classes", Some(&admin)).await;
        assert_eq!(classes.body["data"].as_array().unwrap().len(), 6);
        assert_eq!(classes.body["data"][5]["name"], "XII IPA 1");
        assert_eq!(classes.body["data"][5]["homeroom_teacher"]["nisn_nip_nik"], "2006");
        let history = t.get("/api/attendance/history?per_page=1", Some(&t.login("1002").await)).await;
        assert!(history.body["data"]["total"].as_i64().unwrap() > 30, "{}", history.body);
        let scan = json!({"nisn_nip_nik": "1001", "latitude": -6.2, "longitude": 106.8166});
        let scanned = t.post("/api/student-attendance/scan-qr", Some(&t.login("2001").await), scan).await;
        assert_eq!(scanned.status, 200, "today is still empty: {}", scanned.body);
        assert_eq!(demo::PASSWORD, crate::testing::PASSWORD);

    })
    .await;
}

#[tokio::test]
async fn it_never_loads_twice_nor_beside_others() {
    TestApp::both(async |t| {
        let school = t.institution("REAL").await;
        t.user(school, "7", crate::identity::seed::ADMIN).await;
        assert!(matches!(load(&t.app, Size::default()).await, Err(Fail::Conflict(_))), "{}", t.on);
        assert_eq!(count(&t, "SELECT COUNT(*) FROM users").await, 1);
        assert_eq!(count(&t, "SELECT COUNT(*) FROM institutions").await, 1);
    })
    .await;
    TestApp::both(async |t| {
        let (one, two) = tokio::join!(load(&t.app, Size::default()), load(&t.app, Size::default()));
        assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{} {one:?} {two:?}", t.on);
        assert_eq!(count(&t, "SELECT COUNT(*) FROM institutions").await, 2);
        let Loaded { people, .. } = one.or(two).unwrap();
        assert_eq!(count(&t, "SELECT COUNT(*) FROM users").await, i64::try_from(people).unwrap());
    })
    .await;
}

use serde_json::{Value, json};

use crate::{
    attendance::tests::{HERE, both, choose, class, punch, school, shown, student},
    identity::seed,
    testing::TestApp,
};

async fn dashboard(t: &TestApp, token: &str) -> Value {
    let answer = t.get("/api/dashboard", Some(token)).await;
    assert_eq!(answer.status, 200, "{} {}", t.on, answer.body);
    assert_eq!(answer.body["success"], true);
    assert!(answer.body.get("message").is_none(), "the document has none");
    answer.body["data"].clone()
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn what_each_role_sees() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        let (homeroom, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (_, colleague) = t.signed_in(school.id, "2002", seed::TEACHER).await;
        let (_, staff) = t.signed_in(school.id, "3001", seed::STAFF).await;
        let (_, principal) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        let room = class(&t, &school, "X IPA 1", Some(homeroom)).await;
        for number in ["1001", "1002", "1003"] {
            student(&t, &school, room, number).await;
        }
        let outside = class(&t, &school, "X IPA 2", None).await;
        student(&t, &school, outside, "1004").await;
        t.user(other.id, "1301", seed::STUDENT).await;
        let gone = t.user(school.id, "1009", seed::STUDENT).await;
        t.put(&format!("/api/users/{gone}"), Some(&school.admin), json!({"is_active": false})).await;
        let pupil = t.login("1001").await;

        let scan = async |number: &str| {
            let body = json!({"nisn_nip_nik": number, "latitude": HERE.0, "longitude": HERE.1});
            let scanned = t.post("/api/student-attendance/scan-qr", Some(&teacher), body).await;
            assert_eq!(scanned.status, 200, "{}", scanned.body);
        };
        assert_eq!(dashboard(&t, &pupil).await["attendance_status"], "belum_absen");
        scan("1001").await;
        choose(&t, &school, "checkin_end", "06:40:00").await;
        scan("1002").await;
        scan("1004").await;
        let qr = shown(&t, &school, t.app.now()).await;
        let entered = t.post("/api/attendance/checkin", Some(&colleague), punch(&qr, HERE)).await;
        assert_eq!(entered.status, 200, "{}", entered.body);
        let leave = json!({"leave_type": "sakit", "start_date": "2025-11-21", "end_date": "2025-11-21", "reason": "Demam"});
        for _ in 0..6 {
            assert_eq!(t.post("/api/leaves", Some(&pupil), leave.clone()).await.status, 201);
        }
        for who in [&staff, &colleague] {
            assert_eq!(t.post("/api/leaves", Some(who), leave.clone()).await.status, 201);
        }
        for n in 0..7 {
            let body = json!({"title": format!("Nomor {n}"), "content": "isi", "is_published": n != 6});
            t.post("/api/announcements", Some(&principal), body).await;
        }

        let mine = dashboard(&t, &pupil).await;
        assert_eq!(keys(&mine), ["attendance_status", "recent_announcements", "recent_leaves", "user"]);
        assert_eq!(mine["attendance_status"], "hadir");
        assert_eq!(mine["recent_leaves"].as_array().unwrap().len(), 5);
        let me = t.get("/api/user", Some(&pupil)).await;
        assert_eq!(mine["user"], me.body["data"]["user"]);
        let titles: Vec<_> = mine["recent_announcements"].as_array().unwrap().iter().map(|a| &a["title"]).collect();
        assert_eq!(titles, ["Nomor 5", "Nomor 4", "Nomor 3", "Nomor 2", "Nomor 1"], "{}", t.on);
        let own = dashboard(&t, &staff).await;
        assert_eq!(keys(&own), keys(&mine));
        assert_eq!((&own["attendance_status"], own["recent_leaves"].as_array().unwrap().len()), (&json!("belum_absen"), 1));

        let led = dashboard(&t, &teacher).await;
        assert_eq!(
            keys(&led),
            ["attendance_statistics", "classes", "recent_announcements", "recent_leaves", "user"]
        );
        assert_eq!(led["attendance_statistics"], json!({"total_students": 3, "present": 1, "late": 1, "absent": 1}));
        assert_eq!(led["classes"].as_array().unwrap().len(), 1);
        assert_eq!(led["classes"][0]["name"], "X IPA 1");
        assert_eq!(led["recent_leaves"].as_array().unwrap().len(), 5, "those of the students only");
        let none = dashboard(&t, &colleague).await;
        assert_eq!(none["attendance_statistics"], json!({"total_students": 0, "present": 0, "late": 0, "absent": 0}));
        assert_eq!((&none["classes"], &none["recent_leaves"]), (&json!([]), &json!([])));

        let leading = dashboard(&t, &principal).await;
        assert_eq!(
            keys(&leading),
            ["attendance_statistics", "pending_leaves", "recent_announcements", "user", "user_statistics"]
        );
        assert_eq!(leading["user_statistics"], json!({"total_students": 4, "total_teachers": 2, "total_staff": 1}));
        assert_eq!(
            leading["attendance_statistics"],
            json!({"students": {"present": 1, "late": 2, "total": 4}, "teachers": {"present": 0, "late": 1, "total": 2}})
        );
        let pending = leading["pending_leaves"].as_array().unwrap();
        assert_eq!(pending.len(), 8);
        assert_eq!(pending[0]["user"]["nisn_nip_nik"], "2002", "the newest first, with a name");

        let all = dashboard(&t, &school.admin).await;
        assert_eq!(
            keys(&all),
            ["attendance_statistics", "pending_leaves", "recent_announcements", "system_statistics", "user"]
        );
        assert_eq!(
            all["system_statistics"],
            json!({"total_users": 9, "total_students": 4, "total_teachers": 2, "total_staff": 1, "total_classes": 2})
        );
        assert_eq!(
            all["attendance_statistics"],
            json!({"present_students": 1, "present_teachers": 0, "late_students": 2, "late_teachers": 1})
        );
        assert_eq!(all["pending_leaves"], leading["pending_leaves"]);
        assert_eq!(dashboard(&t, &other.admin).await["system_statistics"]["total_users"], 2);

        t.clock.advance_ms(24 * 3_600_000);
        assert_eq!(dashboard(&t, &pupil).await["attendance_status"], "belum_absen", "another day");
        assert_eq!(t.get("/api/dashboard", None).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn no_more_than_ten_wait_on_it() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let leave = json!({"leave_type": "izin", "start_date": "2025-11-21", "end_date": "2025-11-21", "reason": "Acara"});
        let (_, pupil) = t.signed_in(school.id, "1001", seed::STUDENT).await;
        for _ in 0..12 {
            t.post("/api/leaves", Some(&pupil), leave.clone()).await;
        }
        let waiting = dashboard(&t, &school.admin).await["pending_leaves"].clone();
        assert_eq!(waiting.as_array().unwrap().len(), 10);
        let decided = t
            .put(&format!("/api/leaves/{}", waiting[0]["id"]), Some(&school.admin), json!({"status": "ditolak"}))
            .await;
        assert_eq!(decided.status, 200);
        let next = dashboard(&t, &school.admin).await["pending_leaves"].clone();
        assert_eq!(next[0]["id"], waiting[1]["id"]);
    })
    .await;
}

use hadir_shared::{
    ids::UserId,
    qr::{self, Interval, Step},
};
use serde_json::{Value, json};

use crate::{
    attendance::{
        roster,
        tests::{FAR, HERE, School, both, choose, count, picture, punch, school, shown},
    },
    db::Cloud,
    identity::seed,
    testing::{Answer, START, TestApp},
};

const ROWS: &str = "SELECT COUNT(*) FROM attendance WHERE institution_id = $1";
const FILES: &str = "SELECT COUNT(*) FROM files WHERE institution_id = $1";

#[tokio::test]
async fn a_day_in_and_out_as_documented() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (teacher, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let qr = shown(&t, &school, START).await;
        let came = t.post("/api/attendance/checkin", Some(&token), punch(&qr, HERE)).await;
        let at = START.to_rfc3339_micros();
        let record = json!({
            "id": came.body["data"]["id"], "user_id": teacher, "type": "checkin", "latitude": "-6.20000000",
            "longitude": "106.81660000", "accuracy": 5, "photo_path": null, "qr_token_used": qr, "status": "hadir",
            "timestamp": at, "date_only": "2025-11-21", "synced": true, "created_at": at, "late_minutes": 0,
            "early_minutes": 0, "fence": "inside", "gate": null,
        });
        let body = json!({"success": true, "message": "Absen masuk berhasil", "data": record});
        assert_eq!(came.parts(), (200, &body), "{}", t.on);

        t.clock.advance_ms(7 * 3_600_000);
        let now = START.plus_seconds(7 * 3600);
        let qr = shown(&t, &school, now).await;
        let went = t.post("/api/attendance/checkout", Some(&token), punch(&format!("https://box/c/{qr}"), HERE)).await;
        assert_eq!((went.status.as_u16(), &went.body["message"]), (200, &json!("Absen keluar berhasil")), "{}", went.body);
        let data = &went.body["data"];
        assert_eq!(data["type"], "checkout");
        assert_eq!(data["qr_token_used"], json!(qr), "the URL's token, not the URL");
        assert_eq!(data["early_minutes"], 15, "13:45 is before 14:00, and is accepted");

        let history = t.get("/api/attendance/history?per_page=1", Some(&token)).await;
        let list = &history.body["data"];
        let path = "http://absensi.test/api/attendance/history";
        let mut newest = data.clone();
        newest["correction"] = Value::Null;
        assert_eq!(list["data"][0], newest, "the newest first, and the same as it was answered");
        let mut around = list.clone();
        around["data"] = Value::Null;
        assert_eq!(
            around,
            json!({
                "current_page": 1, "data": null, "first_page_url": format!("{path}?per_page=1&page=1"), "from": 1, "last_page": 2,
                "last_page_url": format!("{path}?per_page=1&page=2"), "next_page_url": format!("{path}?per_page=1&page=2"),
                "path": path, "per_page": 1, "prev_page_url": null, "to": 1, "total": 2,
            })
        );
        for (query, total) in [
            ("start_date=2025-11-21", 2),
            ("start_date=2025-11-22", 0),
            ("end_date=2025-11-20", 0),
            ("start_date=2025-11-01&end_date=2025-11-21", 2),
        ] {
            let part = t.get(&format!("/api/attendance/history?{query}"), Some(&token)).await;
            assert_eq!(part.body["data"]["total"], total, "{} {query}", t.on);
        }
        for query in [
            "start_date=yesterday",
            "start_date=2025-11-21&end_date=2025-11-20",
            "start_date=-5000-01-01",
            "end_date=%2B262142-12-31",
            "per_page=0",
            "page=x",
        ] {
            assert_eq!(t.get(&format!("/api/attendance/history?{query}"), Some(&token)).await.status, 422, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn once_a_day_and_in_order() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, token) = t.signed_in(school.id, "3001", seed::STAFF).await;
        let qr = shown(&t, &school, START).await;
        let refused = |message: &str| json!({"success": false, "message": message});
        let send = |path: &'static str| t.post(path, Some(&token), punch(&qr, HERE));
        let early = send("/api/attendance/checkout").await;
        assert_eq!(early.parts(), (400, &refused("Anda belum melakukan absen masuk hari ini")));
        assert_eq!(send("/api/attendance/checkin").await.status, 200);
        let again = send("/api/attendance/checkin").await;
        assert_eq!(
            (again.status.as_u16(), &again.body["message"]),
            (400, &json!("Anda sudah melakukan absen masuk hari ini")),
            "{}",
            t.on
        );
        let earlier = &again.body["data"];
        assert_eq!(
            (&earlier["timestamp"], &earlier["student"]["nisn_nip_nik"]),
            (&json!(START.to_rfc3339_micros()), &json!("3001"))
        );
        assert_eq!(send("/api/attendance/checkout").await.status, 200, "one token serves once per kind");
        let again = send("/api/attendance/checkout").await;
        assert_eq!(
            (again.status.as_u16(), &again.body["message"]),
            (400, &json!("Anda sudah melakukan absen keluar hari ini"))
        );
        assert_eq!(count(&t, ROWS, &school).await, 2);

        t.clock.advance_ms(24 * 3_600_000);
        let qr = shown(&t, &school, START.plus_seconds(24 * 3600)).await;
        let tomorrow = t.post("/api/attendance/checkin", Some(&token), punch(&qr, HERE)).await;
        assert_eq!(tomorrow.status, 200, "{}", tomorrow.body);
        let late = t.signed_in(school.id, "3002", seed::STAFF).await.1;
        t.clock.advance_ms(3_600_000);
        let qr = shown(&t, &school, START.plus_seconds(25 * 3600)).await;
        let late = t.post("/api/attendance/checkin", Some(&late), punch(&qr, HERE)).await;
        assert_eq!(
            (&late.body["data"]["status"], &late.body["data"]["late_minutes"]),
            (&json!("terlambat"), &json!(15))
        );
    })
    .await;
}

#[tokio::test]
async fn two_at_once_are_one_record_and_one_refusal() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let qr = shown(&t, &school, START).await;
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                let (t, token, body) = (t.clone(), token.clone(), punch(&qr, HERE));
                tokio::spawn(async move {
                    t.post("/api/attendance/checkin", Some(&token), body).await.status.as_u16()
                })
            })
            .collect();
        let mut statuses = Vec::new();
        for task in tasks {
            statuses.push(task.await.unwrap());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400, 400, 400, 400, 400], "{}", t.on);
        assert_eq!(count(&t, ROWS, &school).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_token_lives_two_windows_and_serves_everybody_in_it() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        let qr = shown(&t, &school, START).await;
        let stale = json!({"success": false, "message": "QR token tidak valid atau sudah kadaluarsa"});
        let (_, first) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        for wrong in ["x", "0".repeat(32).as_str(), "https://box/c/", &shown(&t, &other, START).await] {
            let refused = t.post("/api/attendance/checkin", Some(&first), punch(wrong, HERE)).await;
            assert_eq!(refused.parts(), (400, &stale), "{wrong}");
        }
        for i in 0..5 {
            let (_, token) = t.signed_in(school.id, &format!("21{i}"), seed::TEACHER).await;
            let came = t.post("/api/attendance/checkin", Some(&token), punch(&qr, HERE)).await;
            assert_eq!(came.status, 200, "{}", came.body);
        }
        t.clock.advance_ms(19_999);
        let (_, in_time) = t.signed_in(school.id, "2201", seed::TEACHER).await;
        assert_eq!(t.post("/api/attendance/checkin", Some(&in_time), punch(&qr, HERE)).await.status, 200);
        t.clock.advance_ms(1);
        assert_eq!(
            t.post("/api/attendance/checkin", Some(&first), punch(&qr, HERE)).await.parts(),
            (400, &stale)
        );
        assert_eq!(count(&t, ROWS, &school).await, 6);
    })
    .await;
}

#[tokio::test]
async fn outside_is_noted_or_refused_as_the_school_chose() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (_, other) = t.signed_in(school.id, "2002", seed::TEACHER).await;
        let qr = shown(&t, &school, START).await;
        choose(&t, &school, "geofence_policy", "block").await;
        let mut body = punch(&qr, FAR);
        body["photo"] = picture(8).into();
        let refused = t.post("/api/attendance/checkin", Some(&token), body.clone()).await;
        assert_eq!(
            refused.parts(),
            (400, &json!({"success": false, "message": "Anda berada di luar area sekolah"}))
        );
        assert_eq!((count(&t, ROWS, &school).await, count(&t, FILES, &school).await), (0, 0));
        body["accuracy"] = json!(20_000);
        let unsure = t.post("/api/attendance/checkin", Some(&token), body.clone()).await;
        assert_eq!(
            (unsure.status.as_u16(), &unsure.body["data"]["fence"]),
            (200, &json!("uncertain")),
            "takes effect at once"
        );
        choose(&t, &school, "geofence_policy", "flag").await;
        let flagged = t.post("/api/attendance/checkin", Some(&other), punch(&qr, FAR)).await;
        assert_eq!((flagged.status.as_u16(), &flagged.body["data"]["fence"]), (200, &json!("outside")));
    })
    .await;
}

#[tokio::test]
async fn who_may_not_and_what_makes_no_sense() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (_, pupil) = t.signed_in(school.id, "1001", seed::STUDENT).await;
        let qr = shown(&t, &school, START).await;
        let denied =
            json!({"success": false, "message": "Anda tidak memiliki izin untuk melakukan absensi mandiri"});
        for who in [&pupil, &school.admin] {
            let refused = t.post("/api/attendance/checkin", Some(who), punch(&qr, HERE)).await;
            assert_eq!(refused.parts(), (403, &denied));
        }
        let no_token = json!({"success": false, "message": "Token tidak valid"});
        assert_eq!(t.post("/api/attendance/checkin", None, punch(&qr, HERE)).await.parts(), (401, &no_token));
        assert_eq!(
            t.post("/api/attendance/checkin", Some("x.y.z"), punch(&qr, HERE)).await.parts(),
            (401, &no_token)
        );

        let bad = |field: &str, value: Value| {
            let mut body = punch(&qr, HERE);
            body[field] = value;
            body
        };
        for (body, field) in [
            (json!({"latitude": 1, "longitude": 1}), "qr_token"),
            (json!({"qr_token": qr}), "latitude"),
            (bad("qr_token", json!(7)), "qr_token"),
            (bad("qr_token", json!("x".repeat(600))), "qr_token"),
            (bad("qr_token", json!("a\u{0}")), "qr_token"),
            (bad("latitude", json!(91)), "latitude"),
            (bad("latitude", Value::Null), "latitude"),
            (bad("longitude", json!("east")), "longitude"),
            (bad("longitude", json!(181)), "longitude"),
            (bad("accuracy", json!(-1)), "accuracy"),
            (bad("photo", json!("not a picture")), "photo"),
            (bad("photo", json!("data:image/png;base64,!!!")), "photo"),
            (bad("photo", json!(7)), "photo"),
            (json!([]), "body"),
        ] {
            let refused = t.post("/api/attendance/checkin", Some(&token), body.clone()).await;
            assert_eq!(
                (refused.status.as_u16(), &refused.body["message"]),
                (422, &json!("Validasi gagal")),
                "{body}"
            );
            assert!(refused.body["errors"][field].is_array(), "{body}: {}", refused.body);
        }
        let huge =
            t.post("/api/attendance/checkin", Some(&token), bad("photo", "A".repeat(4 << 20).into())).await;
        assert_eq!(huge.status, 413);
        let broken = crate::testing::request("POST", "/api/attendance/checkin", Some(&token))
            .header("content-type", "application/json")
            .body("{\"qr_token\":".into())
            .unwrap();
        assert_eq!(t.send(broken).await.status, 400);
        assert_eq!((count(&t, ROWS, &school).await, count(&t, FILES, &school).await), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_history_is_ones_own() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let qr = shown(&t, &school, START).await;
        t.post("/api/attendance/checkin", Some(&token), punch(&qr, HERE)).await;
        for (number, role) in [("2002", seed::TEACHER), ("1001", seed::STUDENT), ("4001", seed::PRINCIPAL)] {
            let (_, other) = t.signed_in(school.id, number, role).await;
            let history = t.get("/api/attendance/history", Some(&other)).await;
            assert_eq!(
                (history.status.as_u16(), &history.body["data"]["total"]),
                (200, &json!(0)),
                "{number}"
            );
        }
    })
    .await;
}

/// The six digits under the QR now, by the usual interval.
async fn code(t: &TestApp, school: &School) -> String {
    let key = roster::qr_key(&mut t.app.db.read(Cloud).await.unwrap(), &t.app, school.id).await.unwrap();
    qr::token(&key, school.id, Step::at(t.app.now(), Interval::seconds(10).unwrap())).code
}

/// Posts six digits that are not those of now.
async fn guess(t: &TestApp, path: &str, token: &str, nth: u32, user: Option<UserId>) -> Answer {
    let mut body = punch(&format!("https://box/c/{nth:06}?x"), HERE);
    body["type"] = "checkin".into();
    body["user_id"] = json!(user);
    t.post(path, Some(token), body).await
}

#[tokio::test]
async fn six_digits_cannot_be_guessed() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (user, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (colleague, other) = t.signed_in(school.id, "2002", seed::TEACHER).await;
        let code = code(&t, &school).await;
        let wrong: Vec<u32> = (0..30).filter(|n| format!("{n:06}") != code).collect();
        let paths = ["/api/attendance/checkin", "/api/attendance/checkout", "/api/qrcode/verify"];
        for (path, &n) in paths.iter().cycle().zip(&wrong[..10]) {
            assert_eq!(guess(&t, path, &token, n, None).await.status, 400, "{} {n}", t.on);
        }
        let said = json!({"success": false, "message": "Terlalu banyak percobaan. Silakan coba lagi nanti"});
        for path in paths {
            let refused = guess(&t, path, &token, wrong[10], None).await;
            assert_eq!(refused.parts(), (429, &said), "{} {path}", t.on);
            assert_eq!(refused.headers["retry-after"], "10", "{}", t.on);
        }
        let right = t.post(paths[0], Some(&token), punch(&code, HERE)).await;
        assert_eq!(
            right.parts(),
            (429, &said),
            "{}: the right digits too, or the count would tell them",
            t.on
        );
        assert_eq!(count(&t, ROWS, &school).await, 0);

        let colleagues = t.post(paths[0], Some(&other), punch(&code, HERE)).await;
        assert_eq!(colleagues.body["data"]["user_id"], json!(colleague), "{}", t.on);
        t.clock.advance_ms(10_000);
        assert_eq!(guess(&t, paths[0], &token, wrong[11], None).await.status, 400, "{}: one more", t.on);
        assert_eq!(guess(&t, paths[0], &token, wrong[12], None).await.status, 429, "{}", t.on);
        let qr = shown(&t, &school, t.app.now()).await;
        let by_token = t.post(paths[0], Some(&token), punch(&qr, HERE)).await;
        assert_eq!(by_token.body["data"]["user_id"], json!(user), "{}: a token is no guess", t.on);
    })
    .await;
}

#[tokio::test]
async fn who_guesses_for_many_has_one_budget() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let mut statuses = Vec::new();
        for n in 0..12 {
            let user = t.user(school.id, &format!("20{n:02}"), seed::TEACHER).await;
            let tried = guess(&t, "/api/qrcode/verify", &school.admin, n, Some(user)).await;
            statuses.push(tried.status.as_u16());
        }
        assert_eq!(statuses, [[400; 10].as_slice(), &[429; 2]].concat(), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_friday_with_hours_of_its_own_is_judged_by_them() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        choose(&t, &school, "weekday_hours", "5=06:30-11:30").await;
        let (_, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        // 2025-11-21, 06:45: a Friday.
        let qr = shown(&t, &school, START).await;
        let came = t.post("/api/attendance/checkin", Some(&token), punch(&qr, HERE)).await;
        assert_eq!(
            (&came.body["data"]["status"], &came.body["data"]["late_minutes"]),
            (&json!("terlambat"), &json!(15))
        );
        let leaves = START.plus_seconds(4 * 3600 + 30 * 60);
        t.clock.set(leaves);
        let qr = shown(&t, &school, leaves).await;
        let went = t.post("/api/attendance/checkout", Some(&token), punch(&qr, HERE)).await;
        assert_eq!(went.body["data"]["early_minutes"], 15, "11:15 is before 11:30: {}", went.body);

        t.clock.set(START.plus_seconds(24 * 3600));
        let saturday = shown(&t, &school, START.plus_seconds(24 * 3600)).await;
        let token = t.login("2001").await;
        let came = t.post("/api/attendance/checkin", Some(&token), punch(&saturday, HERE)).await;
        assert_eq!(came.body["data"]["status"], "hadir", "{}: Saturday has the usual hours", t.on);
    })
    .await;
}

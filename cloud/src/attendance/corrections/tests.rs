use hadir_shared::ids::{ClassId, UserId};
use serde_json::{Value, json};
use sqlx::types::Json;

use super::{Status, lateness};
use crate::{
    attendance::{
        absences,
        tests::{
            HERE, School, both, choose, class, count, punch, refuses_what_is_no_body, school, shown, student,
        },
    },
    identity::seed,
    testing::{START, TestApp},
};

const HOUR_MS: i64 = 3_600_000;

async fn scan(t: &TestApp, school: &School, number: &str) -> Value {
    let body = json!({"nisn_nip_nik": number, "latitude": HERE.0, "longitude": HERE.1});
    let answer = t.post("/api/student-attendance/scan-qr", Some(&school.admin), body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["data"].clone()
}

/// The next night, when absences are marked.
async fn night(t: &TestApp) {
    t.clock.set(START.plus_millis(18 * HOUR_MS + HOUR_MS / 4));
    absences::mark(&t.app).await.unwrap();
}

async fn latest(t: &TestApp, number: &str) -> Value {
    let answer = t.get("/api/attendance/history", Some(&t.login(number).await)).await;
    answer.body["data"]["data"][0].clone()
}

#[tokio::test]
async fn a_correction_stands_over_the_record_and_says_who_and_why() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (teacher, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let room = class(&t, &school, "X", Some(teacher)).await;
        student(&t, &school, room, "1001").await;
        choose(&t, &school, "checkin_end", "06:40:00").await;
        let record = scan(&t, &school, "1001").await;
        assert_eq!((&record["status"], &record["late_minutes"]), (&json!("terlambat"), &json!(5)));
        let path = format!("/api/attendance/{}/correct", record["id"]);
        let seen = async || {
            let status = t.get(&format!("/api/student-attendance/class-status/{room}"), Some(&token)).await;
            let dashboard = t.get("/api/dashboard", Some(&token)).await.body["data"]["attendance_statistics"].take();
            let school = t.get("/api/dashboard", Some(&school.admin)).await.body["data"]["attendance_statistics"].take();
            let own = t.get("/api/dashboard", Some(&t.login("1001").await)).await.body["data"]["attendance_status"].take();
            (
                status.body["data"][0]["attended"] == true,
                [&dashboard["present"], &dashboard["late"], &dashboard["absent"]].map(|n| n.as_i64().unwrap()),
                [&school["present_students"], &school["late_students"]].map(|n| n.as_i64().unwrap()),
                own,
            )
        };
        assert_eq!(seen().await, (true, [0, 1, 0], [0, 1], json!("terlambat")), "{}", t.on);

        t.clock.advance_ms(60_000);
        let body = json!({"status": "hadir", "reason": " Jam gerbang salah "});
        let made = t.post(&path, Some(&token), body).await;
        let correction = json!({
            "id": made.body["data"]["correction"]["id"], "status_before": "terlambat", "status_after": "hadir",
            "late_minutes_before": 5, "late_minutes_after": 0, "reason": "Jam gerbang salah", "corrected_by": teacher,
            "created_at": t.app.now().to_rfc3339_micros(),
        });
        let mut corrected = record.clone();
        corrected["status"] = json!("hadir");
        corrected["late_minutes"] = json!(0);
        corrected["correction"] = correction.clone();
        let expected = json!({"success": true, "message": "Absensi berhasil dikoreksi", "data": corrected});
        assert_eq!(made.parts(), (201, &expected), "{}", t.on);
        assert_eq!(latest(&t, "1001").await, corrected, "{}", t.on);
        assert_eq!(seen().await, (true, [1, 0, 0], [1, 0], json!("hadir")), "{}", t.on);

        let ill = json!({"status": "sakit", "reason": "Dipulangkan UKS"});
        assert_eq!(t.post(&path, Some(&school.admin), ill).await.status, 201);
        assert_eq!(seen().await, (false, [0, 0, 1], [0, 0], json!("sakit")), "{}", t.on);
        let listed = t.get(&format!("/api/attendance/{}/corrections", record["id"]), Some(&token)).await;
        assert_eq!(listed.status, 200);
        assert_eq!(listed.body["data"][0]["status_before"], "hadir", "the last first");
        assert_eq!(listed.body["data"][1], correction);

        let kept = "SELECT COUNT(*) FROM attendance WHERE institution_id = $1 AND status = 'terlambat' AND late_minutes = 5";
        assert_eq!(count(&t, kept, &school).await, 1, "the record stays");
        let mut tx = t.app.db.read(school.id).await.unwrap();
        let audited: Vec<(Json<Value>, Json<Value>)> = tx
            .query("SELECT before, after FROM audit_log WHERE institution_id = $1 AND action = 'attendance.correct' ORDER BY id")
            .bind(school.id.0)
            .all()
            .await
            .unwrap();
        let (before, after) = &audited[0];
        assert_eq!(audited.len(), 2, "{}", t.on);
        assert_eq!(before.0, json!({"status": "terlambat", "late_minutes": 5}));
        assert_eq!(after.0, correction);
    })
    .await;
}

#[tokio::test]
async fn it_outlives_a_record_that_comes_later() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        let (one, two) = (student(&t, &school, room, "1001").await, student(&t, &school, room, "1002").await);
        night(&t).await;
        let absence = latest(&t, "1001").await;
        let path = format!("/api/attendance/{}/correct", absence["id"]);
        let ill = json!({"status": "sakit", "reason": "Surat dokter"});
        assert_eq!(t.post(&path, Some(&school.admin), ill).await.status, 201, "{}", t.on);
        let before = latest(&t, "1002").await;
        let late = |user| json!({"user_id": user, "type": "checkin", "timestamp": "2025-11-21 07:05:00"});
        let sent = json!({"attendances": [late(one), late(two)]});
        t.post("/api/offline-sync/process-attendance", Some(&school.admin), sent).await;
        let came = latest(&t, "1001").await;
        assert_ne!(came["id"], absence["id"], "{}: the check-in is what is shown", t.on);
        assert_eq!(
            (&came["status"], &came["correction"]["reason"]),
            (&json!("sakit"), &json!("Surat dokter"))
        );

        // Who looks at an absence that is superseded by now corrects what superseded it.
        let path = format!("/api/attendance/{}/correct", before["id"]);
        let permitted =
            t.post(&path, Some(&school.admin), json!({"status": "izin", "reason": "Izin lisan"})).await;
        assert_eq!(permitted.status, 201, "{}", permitted.body);
        assert_ne!(permitted.body["data"]["id"], before["id"], "{}", t.on);
        assert_eq!(permitted.body["data"]["correction"]["status_before"], "hadir");
        assert_eq!(latest(&t, "1002").await["status"], "izin");
    })
    .await;
}

#[tokio::test]
async fn of_two_at_once_both_stand_and_the_second_has_seen_the_first() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        student(&t, &school, room, "1001").await;
        let record = scan(&t, &school, "1001").await;
        let path = format!("/api/attendance/{}/correct", record["id"]);
        let body = json!({"status": "terlambat", "late_minutes": 10, "reason": "Terlambat masuk kelas"});
        let (a, b) = tokio::join!(
            t.post(&path, Some(&school.admin), body.clone()),
            t.post(&path, Some(&school.admin), body)
        );
        assert_eq!((a.status.as_u16(), b.status.as_u16()), (201, 201), "{} {} {}", t.on, a.body, b.body);
        let listed =
            t.get(&format!("/api/attendance/{}/corrections", record["id"]), Some(&school.admin)).await;
        let found: Vec<_> =
            listed.body["data"].as_array().unwrap().iter().map(|one| &one["status_before"]).collect();
        assert_eq!(found, ["terlambat", "hadir"], "{}", t.on);
        assert_eq!(latest(&t, "1001").await["late_minutes"], 10);
    })
    .await;
}

#[tokio::test]
async fn an_absence_and_the_check_in_beside_it_are_held_as_one() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        let pupil = student(&t, &school, room, "1001").await;
        night(&t).await;
        let absence = latest(&t, "1001").await["id"].clone();
        let came = json!({"attendances": [{"user_id": pupil, "type": "checkin", "timestamp": "2025-11-21 07:05:00"}]});
        t.post("/api/offline-sync/process-attendance", Some(&school.admin), came).await;
        let arrival = latest(&t, "1001").await["id"].clone();
        assert_ne!(absence, arrival, "{}", t.on);
        let correct = async |id: &Value, minutes: i64| {
            let body = json!({"status": "terlambat", "late_minutes": minutes, "reason": "Terlambat masuk kelas"});
            let path = format!("/api/attendance/{id}/correct");
            assert_eq!(t.post(&path, Some(&school.admin), body).await.status, 201, "{}", t.on);
        };
        tokio::join!(
            correct(&absence, 1),
            correct(&arrival, 2),
            correct(&absence, 3),
            correct(&arrival, 4),
            correct(&absence, 5),
            correct(&arrival, 6)
        );
        let listed = t.get(&format!("/api/attendance/{arrival}/corrections"), Some(&school.admin)).await;
        let listed = listed.body["data"].as_array().unwrap();
        assert_eq!(listed.len(), 6, "{}", t.on);
        for pair in listed.windows(2) {
            assert_eq!(pair[0]["late_minutes_before"], pair[1]["late_minutes_after"], "{}", t.on);
        }
    })
    .await;
}

#[tokio::test]
async fn t08_a_teacher_corrects_his_own_classes_an_administrator_everybody_others_nobody() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = crate::attendance::tests::school(&t, "B", "5101").await;
        let (teacher, own) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (_, colleague) = t.signed_in(school.id, "2002", seed::TEACHER).await;
        let room = class(&t, &school, "X", Some(teacher)).await;
        student(&t, &school, room, "1001").await;
        let record = scan(&t, &school, "1001").await;
        let qr = shown(&t, &school, t.app.now()).await;
        let staff_record = t.post("/api/attendance/checkin", Some(&colleague), punch(&qr, HERE)).await;
        let staff_path = format!("/api/attendance/{}/correct", staff_record.body["data"]["id"]);
        let path = format!("/api/attendance/{}/correct", record["id"]);
        let list = format!("/api/attendance/{}/corrections", record["id"]);
        let body = json!({"status": "hadir", "reason": "Diperiksa ulang"});
        for token in [&own, &school.admin] {
            assert_eq!(t.post(&path, Some(token), body.clone()).await.status, 201, "{}", t.on);
            assert_eq!(t.get(&list, Some(token)).await.status, 200, "{}", t.on);
        }
        assert_eq!(t.post(&staff_path, Some(&school.admin), body.clone()).await.status, 201);
        let text = "Anda hanya dapat mengoreksi absensi siswa di kelas perwalian Anda";
        let denied = json!({"success": false, "message": text});
        for (path, token) in [(&path, &colleague), (&staff_path, &colleague), (&staff_path, &own)] {
            assert_eq!(
                t.post(path, Some(token), body.clone()).await.parts(),
                (403, &denied),
                "{} {path}",
                t.on
            );
        }
        assert_eq!(t.get(&list, Some(&colleague)).await.parts(), (403, &denied));
        let denied =
            json!({"success": false, "message": "Anda tidak memiliki izin untuk mengoreksi absensi"});
        for (number, role) in [("1009", seed::STUDENT), ("3001", seed::STAFF), ("4001", seed::PRINCIPAL)] {
            let (_, token) = t.signed_in(school.id, number, role).await;
            assert_eq!(t.post(&path, Some(&token), body.clone()).await.parts(), (403, &denied), "{number}");
            assert_eq!(t.get(&list, Some(&token)).await.parts(), (403, &denied), "{number}");
        }
        let unknown = json!({"success": false, "message": "Data absensi tidak ditemukan"});
        assert_eq!(
            t.post(&path, Some(&other.admin), body.clone()).await.parts(),
            (404, &unknown),
            "{}",
            t.on
        );
        assert_eq!(t.get(&list, Some(&other.admin)).await.parts(), (404, &unknown));
        for id in ["0", "-1", "9223372036854775807"] {
            let path = format!("/api/attendance/{id}/correct");
            assert_eq!(
                t.post(&path, Some(&school.admin), body.clone()).await.parts(),
                (404, &unknown),
                "{id}"
            );
        }
        assert_eq!(t.post(&path, None, body).await.status, 401);
        let rows = "SELECT COUNT(*) FROM attendance_corrections WHERE institution_id = $1";
        assert_eq!(count(&t, rows, &school).await, 3, "{}: what was refused left nothing", t.on);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_correction() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        student(&t, &school, room, "1001").await;
        let record = scan(&t, &school, "1001").await;
        let path = format!("/api/attendance/{}/correct", record["id"]);
        refuses_what_is_no_body(&t, "POST", &path, &school.admin, "reason").await;
        for (body, field) in [
            (json!({"reason": "Salah catat"}), "status"),
            (json!({"status": "bolos", "reason": "Salah catat"}), "status"),
            (json!({"status": "hadir"}), "reason"),
            (json!({"status": "hadir", "reason": " ab "}), "reason"),
            (json!({"status": "hadir", "reason": "a".repeat(501)}), "reason"),
            (json!({"status": "hadir", "reason": "Salah catat", "late_minutes": 5}), "late_minutes"),
            (json!({"status": "terlambat", "reason": "Salah catat"}), "late_minutes"),
            (json!({"status": "terlambat", "reason": "Salah catat", "late_minutes": 0}), "late_minutes"),
            (json!({"status": "terlambat", "reason": "Salah catat", "late_minutes": -1}), "late_minutes"),
            (json!({"status": "terlambat", "reason": "Salah catat", "late_minutes": 1441}), "late_minutes"),
        ] {
            let answer = t.post(&path, Some(&school.admin), body.clone()).await;
            assert_eq!(answer.status, 422, "{} {body} {}", t.on, answer.body);
            assert!(answer.body["errors"][field].is_array(), "{body} {}", answer.body);
        }
        let out =
            json!({"nisn_nip_nik": "1001", "type": "checkout", "latitude": HERE.0, "longitude": HERE.1});
        let out = t.post("/api/student-attendance/scan-qr", Some(&school.admin), out).await;
        let path = format!("/api/attendance/{}/correct", out.body["data"]["id"]);
        let answer =
            t.post(&path, Some(&school.admin), json!({"status": "hadir", "reason": "Salah catat"})).await;
        let text = json!({"success": false, "message": "Hanya absen masuk yang dapat dikoreksi"});
        assert_eq!(answer.parts(), (400, &text), "{}", t.on);
        let rows = "SELECT COUNT(*) FROM attendance_corrections WHERE institution_id = $1";
        assert_eq!(count(&t, rows, &school).await, 0);
    })
    .await;
}

/// H, S, I and A of a student's November.
async fn sums(t: &TestApp, school: &School, room: ClassId, number: &str) -> [i64; 4] {
    let recap = t.get(&format!("/api/recap/class/{room}?month=2025-11"), Some(&school.admin)).await;
    let students = recap.body["data"]["students"].as_array().unwrap_or_else(|| panic!("{}", recap.body));
    let own = students.iter().find(|one| one["nisn_nip_nik"] == number).unwrap();
    ["H", "S", "I", "A"].map(|letter| own["sums"][letter].as_i64().unwrap())
}

const CORRECT: &str = "/api/attendance/correct";
const ALPHA: &str = "SELECT COUNT(*) FROM attendance WHERE institution_id = $1 AND status = 'alpha'";

#[tokio::test]
async fn a_day_of_which_nothing_was_recorded_is_corrected_too() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (teacher, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let room = class(&t, &school, "X", Some(teacher)).await;
        let pupil = student(&t, &school, room, "1001").await;
        let [h, s, i, a] = sums(&t, &school, room, "1001").await;
        let body = json!({"user_id": pupil, "date": "2025-11-20", "status": "sakit", "reason": "Surat dokter"});
        let made = t.post(CORRECT, Some(&token), body).await;
        assert_eq!(made.status, 201, "{} {}", t.on, made.body);
        let record = &made.body["data"];
        assert_eq!((&record["date_only"], &record["status"]), (&json!("2025-11-20"), &json!("sakit")));
        assert_eq!(record["qr_token_used"], "ALPHA");
        let correction = &record["correction"];
        assert_eq!(
            (&correction["status_before"], &correction["corrected_by"]),
            (&json!("alpha"), &json!(teacher))
        );
        assert_eq!(sums(&t, &school, room, "1001").await, [h, s + 1, i, a - 1], "{}", t.on);
        assert_eq!(latest(&t, "1001").await["status"], "sakit", "{}", t.on);

        // A second one finds the first; the day has one absence, with the class of that day.
        let late = json!({"user_id": pupil, "date": "2025-11-20", "status": "terlambat", "late_minutes": 5, "reason": "Datang juga"});
        let (one, two) =
            tokio::join!(t.post(CORRECT, Some(&token), late.clone()), t.post(CORRECT, Some(&school.admin), late));
        assert_eq!((one.status.as_u16(), two.status.as_u16()), (201, 201), "{} {} {}", t.on, one.body, two.body);
        assert_eq!(one.body["data"]["id"], record["id"], "{}", t.on);
        assert_eq!(sums(&t, &school, room, "1001").await, [h + 1, s, i, a - 1], "{}", t.on);
        let of_class = "SELECT COUNT(*) FROM attendance WHERE institution_id = $1 AND status = 'alpha' AND class_id IS NOT NULL";
        assert_eq!(count(&t, of_class, &school).await, 1, "{}", t.on);
        let audited = "SELECT COUNT(*) FROM audit_log WHERE institution_id = $1 AND action = 'attendance.correct'";
        assert_eq!(count(&t, audited, &school).await, 3, "{}", t.on);

        // Two at once on a day that has nothing yet.
        let body = json!({"user_id": pupil, "date": "2025-11-19", "status": "izin", "reason": "Izin lisan"});
        let (one, two) =
            tokio::join!(t.post(CORRECT, Some(&token), body.clone()), t.post(CORRECT, Some(&school.admin), body));
        assert_eq!((one.status.as_u16(), two.status.as_u16()), (201, 201), "{} {} {}", t.on, one.body, two.body);
        assert_eq!(one.body["data"]["id"], two.body["data"]["id"], "{}", t.on);
        assert_eq!(count(&t, ALPHA, &school).await, 2, "{}", t.on);
        assert_eq!(sums(&t, &school, room, "1001").await, [h + 1, s, i + 1, a - 2], "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_day_with_an_arrival_is_corrected_as_that_arrival() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        let pupil = student(&t, &school, room, "1001").await;
        let record = scan(&t, &school, "1001").await;
        let body =
            json!({"user_id": pupil, "date": "2025-11-21", "status": "sakit", "reason": "Dipulangkan UKS"});
        let made = t.post(CORRECT, Some(&school.admin), body).await;
        assert_eq!(
            (made.status.as_u16(), &made.body["data"]["id"]),
            (201, &record["id"]),
            "{} {}",
            t.on,
            made.body
        );
        assert_eq!(made.body["data"]["correction"]["status_before"], "hadir");
        assert_eq!(count(&t, ALPHA, &school).await, 0, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_day_that_is_nobodys_to_correct() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = crate::attendance::tests::school(&t, "B", "5101").await;
        let (teacher, own) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (_, colleague) = t.signed_in(school.id, "2002", seed::TEACHER).await;
        let room = class(&t, &school, "X", Some(teacher)).await;
        let pupil = student(&t, &school, room, "1001").await;
        let loose = t.user(school.id, "1002", seed::STUDENT).await;
        let off = json!({"date": "2025-11-19", "name": "Hari jadi"});
        assert_eq!(t.post("/api/holidays", Some(&school.admin), off).await.status, 201);
        let body = |user: UserId, date: &str| json!({"user_id": user, "date": date, "status": "hadir", "reason": "Ada di kelas"});
        for (wrong, field, why) in [
            (body(pupil, "2025-11-22"), "date", "tomorrow"),
            (body(pupil, "2025-11-16"), "date", "a Sunday"),
            (body(pupil, "2025-11-19"), "date", "a holiday"),
            (body(pupil, "2025-07-11"), "user_id", "before he came"),
            (body(loose, "2025-11-20"), "user_id", "in no class"),
            (body(teacher, "2025-11-20"), "user_id", "no student"),
            (json!({"date": "2025-11-20", "status": "hadir", "reason": "Ada"}), "user_id", "nobody named"),
            (json!({"user_id": pupil, "status": "hadir", "reason": "Ada"}), "date", "no day named"),
            (
                json!({"user_id": pupil, "date": "2025-11-20", "status": "terlambat", "reason": "Ada"}),
                "late_minutes",
                "nobody knows how late",
            ),
        ] {
            let answer = t.post(CORRECT, Some(&school.admin), wrong).await;
            assert_eq!(answer.status, 422, "{} {why}: {}", t.on, answer.body);
            assert!(answer.body["errors"][field].is_array(), "{why}: {}", answer.body);
        }
        let denied = json!({"success": false, "message": "Anda hanya dapat mengoreksi absensi siswa di kelas perwalian Anda"});
        for (user, token) in [(pupil, &colleague), (loose, &own), (teacher, &own)] {
            let answer = t.post(CORRECT, Some(token), body(user, "2025-11-20")).await;
            assert_eq!(answer.parts(), (403, &denied), "{}", t.on);
        }
        let unknown = json!({"success": false, "message": "Pengguna tidak ditemukan"});
        for user in [pupil, UserId(0), UserId(i64::MAX)] {
            let answer = t.post(CORRECT, Some(&other.admin), body(user, "2025-11-20")).await;
            assert_eq!(answer.parts(), (404, &unknown), "{}", t.on);
        }
        assert_eq!(count(&t, ALPHA, &school).await, 0, "{}: what was refused left nothing", t.on);
        let made = t.post(CORRECT, Some(&own), body(pupil, "2025-11-20")).await;
        assert_eq!(made.status, 201, "{} {}", t.on, made.body);
    })
    .await;
}

#[test]
fn minutes_are_of_who_came_late() {
    let cases = [
        (Status::Terlambat, Some(7), 5, Some(7), "said"),
        (Status::Terlambat, None, 5, Some(5), "as they stand"),
        (Status::Terlambat, None, 0, None, "nobody knows"),
        (Status::Terlambat, Some(0), 5, None, "late by nothing"),
        (Status::Hadir, None, 5, Some(0), "not late after all"),
        (Status::Hadir, Some(0), 5, Some(0), "said to be nothing"),
        (Status::Alpha, Some(5), 0, None, "late and not there"),
    ];
    for (status, said, standing, expected, why) in cases {
        assert_eq!(lateness(status, said, standing).ok(), expected, "{why}");
    }
}

use hadir_shared::{
    card::Card,
    ids::{ClassId, UserId},
    sign::SecretKey,
};
use serde_json::{Value, json};

use crate::{
    attendance::{
        roster,
        tests::{FAR, HERE, School, both, choose, class, count, picture, school, student},
    },
    db::Cloud,
    identity::seed,
    testing::{START, TestApp},
};

const ROWS: &str = "SELECT COUNT(*) FROM attendance WHERE institution_id = $1";

fn at(mut body: Value, (latitude, longitude): (f64, f64)) -> Value {
    body["latitude"] = latitude.into();
    body["longitude"] = longitude.into();
    body
}

async fn scan(t: &TestApp, token: &str, body: Value) -> (u16, Value) {
    let answer = t.post("/api/student-attendance/scan-qr", Some(token), body).await;
    (answer.status.as_u16(), answer.body)
}

async fn card(t: &TestApp, school: &School, student: UserId) -> Value {
    let body = json!({ "student_id": student });
    let made = t.post("/api/student-qr-cards/generate", Some(&school.admin), body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["data"].clone()
}

fn refusal(message: &str) -> Value {
    json!({"success": false, "message": message})
}

struct Gate {
    school: School,
    room: ClassId,
    pupil: UserId,
    teacher: String,
}

async fn gate(t: &TestApp) -> Gate {
    let school = school(t, "A", "5001").await;
    let room = class(t, &school, "X IPA 1", None).await;
    let pupil = student(t, &school, room, "1001").await;
    let (_, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
    Gate { school, room, pupil, teacher }
}

#[tokio::test]
async fn a_card_is_scanned_once_and_the_second_time_tells_the_first() {
    both(async |t| {
        let Gate { school, room, pupil, teacher } = gate(&t).await;
        let card = card(&t, &school, pupil).await;
        let body = at(json!({"qr_code": card["signed_code"], "class_id": room}), HERE);
        let (status, answer) = scan(&t, &teacher, body.clone()).await;
        let named = json!({"id": pupil, "nisn_nip_nik": "1001", "name": "Orang 1001"});
        assert_eq!(
            (status, &answer["success"], &answer["message"], &answer["student"]),
            (200, &json!(true), &json!("Absensi berhasil"), &named)
        );
        assert_eq!(
            (&answer["data"]["status"], &answer["data"]["qr_token_used"]),
            (&json!("hadir"), &json!("1"))
        );

        t.clock.advance_ms(60_000);
        for again in
            [body, at(json!({"qr_code": card["qr_code"]}), HERE), at(json!({"nisn_nip_nik": "1001"}), HERE)]
        {
            let (status, answer) = scan(&t, &teacher, again).await;
            assert_eq!(
                (status, &answer["success"], &answer["message"]),
                (400, &json!(false), &json!("Sudah absen hari ini")),
                "{}",
                t.on
            );
            assert_eq!(answer["data"]["timestamp"], START.to_rfc3339_micros(), "the earlier time");
            assert_eq!(answer["data"]["student"], named);
        }
        let leaves = at(json!({"nisn_nip_nik": "1001", "type": "checkout"}), HERE);
        let (status, answer) = scan(&t, &teacher, leaves.clone()).await;
        assert_eq!((status, &answer["data"]["type"]), (200, &json!("checkout")));
        assert_eq!(scan(&t, &teacher, leaves).await.0, 400);
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let (class_id, operator): (i64, Option<i64>) = tx
            .query("SELECT class_id, operator_id FROM attendance WHERE institution_id = $1")
            .bind(school.id.0)
            .one()
            .await
            .unwrap();
        assert_eq!(class_id, room.0);
        assert!(operator.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_number_wins_over_a_card_and_any_class_will_do_at_a_gate() {
    both(async |t| {
        let Gate { school, room, pupil, teacher } = gate(&t).await;
        let second = student(&t, &school, room, "1002").await;
        let card = card(&t, &school, pupil).await;
        let both = at(json!({"nisn_nip_nik": "1002", "qr_code": card["qr_code"]}), HERE);
        let (status, answer) = scan(&t, &teacher, both).await;
        assert_eq!((status, &answer["student"]["id"]), (200, &json!(second)));
        assert_eq!(answer["data"]["qr_token_used"], "MANUAL:1002");
        let lower = card["qr_code"].as_str().unwrap().to_lowercase();
        let (status, answer) = scan(&t, &teacher, at(json!({"qr_code": lower}), HERE)).await;
        assert_eq!((status, &answer["student"]["id"]), (200, &json!(pupil)), "a scanner without Caps Lock");
        let nobody_s_class = t.user(school.id, "1003", seed::STUDENT).await;
        let (status, answer) = scan(&t, &teacher, at(json!({"nisn_nip_nik": "1003"}), HERE)).await;
        assert_eq!((status, &answer["student"]["id"]), (200, &json!(nobody_s_class)));
        let photo = at(json!({"nisn_nip_nik": "1004", "photo": picture(8)}), HERE);
        student(&t, &school, room, "1004").await;
        let (status, answer) = scan(&t, &teacher, photo).await;
        assert_eq!(status, 200);
        assert!(answer["data"]["photo_path"].as_str().unwrap().starts_with("/files/"));
    })
    .await;
}

#[tokio::test]
async fn cards_that_let_nobody_in() {
    both(async |t| {
        let Gate { school, room, pupil, teacher } = gate(&t).await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        let theirs = class(&t, &other, "VII A", None).await;
        let stranger = student(&t, &other, theirs, "1301").await;
        let foreign = card(&t, &other, stranger).await;
        let old = card(&t, &school, pupil).await;
        card(&t, &school, pupil).await;
        let forged = Card { institution: school.id, student: pupil, serial: 9, epoch: 0 };
        let forged = forged.sign(&SecretKey::from_seed(&[9; 32])).unwrap();
        for (code, message) in [
            (json!("NOBODYS123"), "QR code tidak valid"),
            (json!("https://example.org/"), "QR code tidak valid"),
            (json!("HC1.AAAA"), "QR code tidak valid"),
            (json!(forged), "QR code tidak valid"),
            (foreign["signed_code"].clone(), "Kartu sekolah lain"),
            (foreign["qr_code"].clone(), "QR code tidak valid"),
            (old["signed_code"].clone(), "Kartu sudah dicabut"),
            (old["qr_code"].clone(), "Kartu sudah dicabut"),
        ] {
            let refused = scan(&t, &teacher, at(json!({"qr_code": code}), HERE)).await;
            assert_eq!(refused, (400, refusal(message)), "{} {code}", t.on);
        }
        for number in ["1301", "2001", "9999"] {
            let refused = scan(&t, &teacher, at(json!({"nisn_nip_nik": number}), HERE)).await;
            assert_eq!(
                refused,
                (404, refusal("Siswa dengan NISN/NIP/NIK tersebut tidak ditemukan.")),
                "{number}"
            );
        }
        let empty = class(&t, &school, "X IPA 2", None).await;
        let elsewhere =
            scan(&t, &teacher, at(json!({"nisn_nip_nik": "1001", "class_id": empty}), HERE)).await;
        assert_eq!(elsewhere, (400, refusal("Siswa tidak terdaftar di kelas ini")));
        let unknown = scan(&t, &teacher, at(json!({"nisn_nip_nik": "1001", "class_id": theirs}), HERE)).await;
        assert_eq!(unknown, (404, refusal("Kelas tidak ditemukan")));
        assert_eq!((count(&t, ROWS, &school).await, count(&t, ROWS, &other).await), (0, 0));

        let mut tx = t.app.db.write(Cloud).await.unwrap();
        let (epoch, key) = roster::card_key(&mut tx, &t.app, school.id).await.unwrap();
        drop(tx);
        let unheard_of =
            Card { institution: school.id, student: pupil, serial: 200, epoch }.sign(&key).unwrap();
        let (status, _) =
            scan(&t, &teacher, at(json!({"qr_code": unheard_of, "class_id": room}), HERE)).await;
        assert_eq!(status, 200, "its signature is enough");
    })
    .await;
}

#[tokio::test]
async fn one_scan_at_two_gates_at_once_is_one_record() {
    both(async |t| {
        let Gate { school, pupil, teacher, .. } = gate(&t).await;
        let (_, second) = t.signed_in(school.id, "2002", seed::TEACHER).await;
        let code = card(&t, &school, pupil).await["signed_code"].clone();
        let tasks: Vec<_> = (0..8)
            .map(|i| {
                let (t, code) = (t.clone(), code.clone());
                let token = if i % 2 == 0 { teacher.clone() } else { second.clone() };
                tokio::spawn(async move { scan(&t, &token, at(json!({"qr_code": code}), HERE)).await.0 })
            })
            .collect();
        let mut statuses = Vec::new();
        for task in tasks {
            statuses.push(task.await.unwrap());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400, 400, 400, 400, 400, 400, 400], "{}", t.on);
        assert_eq!(count(&t, ROWS, &school).await, 1);
    })
    .await;
}

#[tokio::test]
async fn who_may_scan_and_what_makes_no_sense() {
    both(async |t| {
        let Gate { school, pupil, teacher, .. } = gate(&t).await;
        let pupil_token = t.login("1001").await;
        let (_, principal) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        let (_, staff) = t.signed_in(school.id, "3001", seed::STAFF).await;
        let denied = refusal("Hanya guru yang dapat melakukan absensi siswa");
        for who in [&pupil_token, &principal] {
            assert_eq!(scan(&t, who, at(json!({"nisn_nip_nik": "1001"}), HERE)).await, (403, denied.clone()));
            assert_eq!(
                t.post("/api/student-attendance/bulk", Some(who), json!({"class_id": 1})).await.parts(),
                (403, &denied)
            );
            assert_eq!(
                t.get("/api/student-attendance/class-status/1", Some(who)).await.parts(),
                (403, &denied)
            );
        }
        for (body, field) in [
            (at(json!({}), HERE), "qr_code"),
            (json!({"nisn_nip_nik": "1001"}), "latitude"),
            (json!({"nisn_nip_nik": "1001", "latitude": 1}), "longitude"),
            (at(json!({"nisn_nip_nik": 1001}), HERE), "nisn_nip_nik"),
            (at(json!({"nisn_nip_nik": "1001", "class_id": "X"}), HERE), "class_id"),
            (at(json!({"qr_code": "x".repeat(1_000)}), HERE), "qr_code"),
            (at(json!({"nisn_nip_nik": "1001", "type": "masuk"}), HERE), "type"),
            (at(json!({"nisn_nip_nik": "1001", "photo": "x"}), HERE), "photo"),
        ] {
            let (status, answer) = scan(&t, &teacher, body.clone()).await;
            assert_eq!(status, 422, "{body}");
            assert!(answer["errors"][field].is_array(), "{body}: {answer}");
        }
        let leaves = scan(&t, &teacher, at(json!({"nisn_nip_nik": "1001", "type": "checkout"}), HERE)).await;
        assert_eq!(leaves, (400, refusal("Anda belum melakukan absen masuk hari ini")));
        choose(&t, &school, "geofence_policy", "block").await;
        let outside = scan(&t, &teacher, at(json!({"nisn_nip_nik": "1001"}), FAR)).await;
        assert_eq!(outside, (400, refusal("Anda berada di luar area sekolah")));
        assert_eq!(count(&t, ROWS, &school).await, 0);
        let (status, answer) = scan(&t, &staff, at(json!({"nisn_nip_nik": "1001"}), HERE)).await;
        assert_eq!((status, &answer["student"]["id"]), (200, &json!(pupil)), "gate duty");
    })
    .await;
}

#[tokio::test]
async fn a_whole_class_is_marked_but_for_those_who_came() {
    both(async |t| {
        let Gate { school, room, pupil, teacher } = gate(&t).await;
        let second = student(&t, &school, room, "1002").await;
        choose(&t, &school, "checkin_end", "07:15:00").await;
        let teacher_id = t.get("/api/user", Some(&teacher)).await.body["data"]["user"]["id"].clone();
        scan(&t, &teacher, at(json!({"nisn_nip_nik": "1001"}), HERE)).await;
        let one = |id: UserId, number: &str, attended: bool| {
            json!({"id": id, "nisn_nip_nik": number, "name": format!("Orang {number}"), "attended": attended})
        };
        let path = format!("/api/student-attendance/class-status/{room}");
        let before = t.get(&path, Some(&teacher)).await;
        let body = json!({"success": true, "data": [one(pupil, "1001", true), one(second, "1002", false)]});
        assert_eq!(before.parts(), (200, &body), "{}", t.on);

        let bulk = |body: Value| t.post("/api/student-attendance/bulk", Some(&teacher), body);
        let marked = bulk(json!({"class_id": room})).await;
        let body = json!({
            "success": true, "message": "Absensi massal berhasil diproses",
            "data": {
                "class_id": room, "date": "2025-11-21", "total_students": 2, "already_attended": 1, "newly_attended": 1,
                "processed_students": [one(pupil, "1001", true), one(second, "1002", false)],
            },
        });
        assert_eq!(marked.parts(), (200, &body), "{}", t.on);
        let again = bulk(json!({"class_id": room})).await;
        assert_eq!((&again.body["data"]["already_attended"], &again.body["data"]["newly_attended"]), (&json!(2), &json!(0)));
        let after = t.get(&path, Some(&teacher)).await;
        assert_eq!(after.body["data"][1]["attended"], true);
        let yesterday = t.get(&format!("{path}?date=2025-11-20"), Some(&teacher)).await;
        assert_eq!(yesterday.body["data"][0]["attended"], false);

        t.clock.advance_ms(3_600_000);
        let own = t.login("1002").await;
        let history = t.get("/api/attendance/history", Some(&own)).await;
        let record = &history.body["data"]["data"][0];
        assert_eq!(record["timestamp"], "2025-11-21T00:15:00.000000Z", "the end of check-in, 07:15 in Jakarta");
        assert_eq!((&record["status"], &record["qr_token_used"]), (&json!("hadir"), &json!(format!("BULK:{teacher_id}"))));
        assert_eq!(bulk(json!({"class_id": room, "date": "2025-11-20"})).await.body["data"]["newly_attended"], 2);

        for day in ["-5000-01-01", "+262142-12-31"] {
            assert_eq!(bulk(json!({"class_id": room, "date": day})).await.status, 422, "{} {day}", t.on);
            let shown = t.get(&format!("{path}?date={}", day.replace('+', "%2B")), Some(&teacher)).await;
            assert_eq!(shown.status, 422, "{} {day}", t.on);
        }

        let empty = class(&t, &school, "X IPA 2", None).await;
        let none = bulk(json!({"class_id": empty})).await;
        assert_eq!(none.parts(), (400, &refusal("Tidak ada siswa terdaftar di kelas ini")));
        let other = super::super::tests::school(&t, "B", "5101").await;
        let theirs = class(&t, &other, "VII A", None).await;
        student(&t, &other, theirs, "1301").await;
        let foreign = bulk(json!({"class_id": theirs})).await;
        assert_eq!(foreign.parts(), (404, &refusal("Kelas tidak ditemukan")));
        let foreign = t.get(&format!("/api/student-attendance/class-status/{theirs}"), Some(&teacher)).await;
        assert_eq!(foreign.parts(), (404, &refusal("Kelas tidak ditemukan")));
        assert_eq!(count(&t, ROWS, &other).await, 0);
        for wrong in [json!({}), json!({"class_id": room, "date": "tomorrow"}), json!({"class_id": room, "date": "2025-11-22"})] {
            assert_eq!(bulk(wrong.clone()).await.status, 422, "{wrong}");
        }
        assert_eq!(t.get(&format!("{path}?date=x"), Some(&teacher)).await.status, 422);
        assert_eq!(t.get("/api/student-attendance/class-status/x", Some(&teacher)).await.status, 404);
    })
    .await;
}

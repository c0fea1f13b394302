use std::process::Command;

use axum::body::Body;
use chrono::NaiveDate;
use hadir_shared::ids::{ClassId, UserId};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Known, paper, slug};
use crate::{
    attendance::{
        absences, classes,
        tests::{School, both, choose, class, join, school, student},
    },
    db::Cloud,
    identity::seed,
    sheet,
    testing::{START, TestApp, request},
};

const DAY_MS: i64 = 24 * 3_600_000;

/// A row of the books.
async fn record(t: &TestApp, school: &School, student: UserId, day: &str, status: &str, late: i64) -> i64 {
    let now = t.app.now();
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let (id,): (i64,) = tx
        .query(
            "INSERT INTO attendance (institution_id, user_id, day, type, status, late_minutes, early_minutes, claimed_at,
                trusted_at, time_grade, qr_token_used, rules_version, event_id, created_at)
             VALUES ($1, $2, $3, 'checkin', $4, $5, 0, $6, $6, 'anchored', 'QR', 1, $7, $6) RETURNING id",
        )
        .bind(school.id.0)
        .bind(student.0)
        .bind(day.parse::<NaiveDate>().unwrap())
        .bind(status)
        .bind(late)
        .bind(now.0)
        .bind(t.app.ids.uuid(now))
        .one()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    id
}

async fn recap(t: &TestApp, token: &str, what: &str) -> Value {
    let answer = t.get(&format!("/api/recap/{what}"), Some(token)).await;
    assert_eq!(answer.status, 200, "{} {what} {}", t.on, answer.body);
    answer.body["data"].clone()
}

/// Name, media type and bytes of a file.
async fn file(t: &TestApp, token: &str, path: &str) -> (String, String, Vec<u8>) {
    let request = request("GET", &format!("/api/recap/{path}"), Some(token)).body(Body::empty()).unwrap();
    let response = t.router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200, "{} {path}", t.on);
    let text = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let (name, media) = (text("content-disposition"), text("content-type"));
    let bytes = axum::body::to_bytes(response.into_body(), 16 << 20).await.unwrap().to_vec();
    (name, media, bytes)
}

/// The marks of a student in the order of his days, and his sums H, S, I, A.
fn line(recap: &Value, student: UserId) -> (String, [i64; 4]) {
    let students = recap["students"].as_array().unwrap();
    let own = students.iter().find(|one| one["id"] == student.0).expect("a line of his own");
    let marks = own["marks"].as_array().unwrap().iter().map(|mark| mark["mark"].as_str().unwrap()).collect();
    (marks, ["H", "S", "I", "A"].map(|letter| own["sums"][letter].as_i64().unwrap()))
}

async fn called(t: &TestApp, school: &School, path: &str, body: Value) -> Value {
    let answer = t.post(path, Some(&school.admin), body).await;
    assert!(answer.status.is_success(), "{} {path} {}", t.on, answer.body);
    answer.body["data"].clone()
}

async fn away(t: &TestApp, school: &School, number: &str, kind: &str, first: &str, last: &str) {
    let token = t.login(number).await;
    let body = json!({"leave_type": kind, "start_date": first, "end_date": last, "reason": "Keluarga"});
    let leave = t.post("/api/leaves", Some(&token), body).await;
    assert_eq!(leave.status, 201, "{}", leave.body);
    let path = format!("/api/leaves/{}", leave.body["data"]["id"]);
    let decided = t.put(&path, Some(&school.admin), json!({"status": "disetujui"})).await;
    assert_eq!(decided.status, 200, "{}", decided.body);
}

#[tokio::test]
async fn what_each_day_was_and_the_sums() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (teacher, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let principal = t.user(school.id, "4001", seed::PRINCIPAL).await;
        let room = class(&t, &school, "X IPA 1", Some(teacher)).await;
        let (siti, budi) =
            (student(&t, &school, room, "1002").await, student(&t, &school, room, "1001").await);
        called(&t, &school, "/api/holidays", json!({"date": "2025-11-10", "name": "Hari Pahlawan"})).await;
        // Saturday the 1st to Thursday the 20th, without Sundays and the holiday, is 16 days.
        record(&t, &school, siti, "2025-11-01", "hadir", 0).await;
        record(&t, &school, siti, "2025-11-03", "terlambat", 12).await;
        record(&t, &school, siti, "2025-11-09", "hadir", 0).await;
        record(&t, &school, siti, "2025-11-10", "hadir", 0).await;
        record(&t, &school, siti, "2025-11-21", "hadir", 0).await;
        away(&t, &school, "1002", "sakit", "2025-11-04", "2025-11-05").await;
        away(&t, &school, "1002", "cuti", "2025-11-18", "2025-11-25").await;

        let seen = recap(&t, &token, &format!("class/{room}")).await;
        assert_eq!(line(&seen, siti), ("HHSSAAAAAAAAAIII".into(), [2, 2, 3, 9]), "{}", t.on);
        assert_eq!(line(&seen, budi).1, [0, 0, 0, 16], "{}", t.on);
        let numbers: Vec<_> =
            seen["students"].as_array().unwrap().iter().map(|one| &one["nisn_nip_nik"]).collect();
        assert_eq!(numbers, ["1001", "1002"], "by name");
        let second = &seen["students"][1]["marks"][1];
        assert_eq!(second, &json!({"day": "2025-11-03", "mark": "H", "late_minutes": 12}));
        let sums = json!({
            "H": 2, "S": 2, "I": 3, "A": 9, "late": 1, "late_minutes": 12, "effective_days": 16, "percentage": 12.5,
        });
        assert_eq!(seen["students"][1]["sums"], sums, "{}", t.on);
        let total = json!({
            "H": 2, "S": 2, "I": 3, "A": 25, "late": 1, "late_minutes": 12, "effective_days": 32, "percentage": 6.3,
        });
        assert_eq!(seen["total"], total, "{}: 6.25 rounds up", t.on);
        assert_eq!(
            [&seen["school"], &seen["month"], &seen["through"], &seen["effective_days"], &seen["class"]],
            [&json!("A"), &json!("2025-11"), &json!("2025-11-20"), &json!(16), &json!({"id": room, "name": "X IPA 1"})],
        );
        let named = |id: UserId, number: &str| json!({"id": id, "nisn_nip_nik": number, "name": format!("Orang {number}")});
        assert_eq!(seen["homeroom_teacher"], named(teacher, "2001"));
        assert_eq!(seen["principal"], named(principal, "4001"));
        assert_eq!(seen["days"].as_array().unwrap().len(), 30);
        let off = json!({"day": "2025-11-10", "weekday": 1, "counted": false, "holiday": "Hari Pahlawan", "sums": null});
        assert_eq!(seen["days"][9], off);
        adds_up(&seen);

        // Today counts once it is over.
        t.clock.set(START.plus_millis(7 * 3_600_000 + 15 * 60_000));
        let later = recap(&t, &token, &format!("class/{room}")).await;
        assert_eq!((&later["through"], line(&later, siti).1), (&json!("2025-11-21"), [3, 2, 3, 9]), "{}", t.on);

        let next = recap(&t, &token, &format!("class/{room}?month=2025-12")).await;
        assert_eq!((line(&next, siti), &next["through"]), ((String::new(), [0; 4]), &Value::Null), "{}", t.on);
        assert_eq!(next["students"][0]["sums"]["percentage"], Value::Null);
        file(&t, &token, &format!("class/{room}?month=2025-12&format=xlsx")).await;
        file(&t, &token, &format!("class/{room}?month=2025-12&format=pdf")).await;
    })
    .await;
}

/// What H, S, I and A say in the lines is what they say in the columns and in the total.
fn adds_up(recap: &Value) {
    let sums_of = |lines: &Value| {
        let sum = |letter: &str| {
            let counts =
                lines.as_array().unwrap().iter().map(|line| line["sums"][letter].as_i64().unwrap_or(0));
            counts.sum::<i64>()
        };
        ["H", "S", "I", "A", "late", "late_minutes", "effective_days"].map(sum)
    };
    let total = ["H", "S", "I", "A", "late", "late_minutes", "effective_days"]
        .map(|name| recap["total"][name].as_i64().unwrap());
    assert_eq!((sums_of(&recap["students"]), sums_of(&recap["days"])), (total, total));
    for student in recap["students"].as_array().unwrap() {
        let sums = ["H", "S", "I", "A"].map(|letter| student["sums"][letter].as_i64().unwrap());
        assert_eq!(sums.iter().sum::<i64>(), student["sums"]["effective_days"].as_i64().unwrap());
        assert_eq!(
            student["marks"].as_array().unwrap().len(),
            usize::try_from(sums.iter().sum::<i64>()).unwrap()
        );
    }
}

#[tokio::test]
async fn what_becomes_known_later_is_counted() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X IPA 1", None).await;
        let siti = student(&t, &school, room, "1001").await;
        let path = format!("class/{room}");
        let sums = async || line(&recap(&t, &school.admin, &path).await, siti).1;
        // Nobody came on Friday; the absence is marked in the night.
        t.clock.set(START.plus_millis(DAY_MS));
        assert_eq!(sums().await, [0, 0, 0, 18], "{}: without the nightly mark", t.on);
        absences::mark(&t.app).await.unwrap();
        assert_eq!(sums().await, [0, 0, 0, 18], "{}: and with it", t.on);
        away(&t, &school, "1001", "sakit", "2025-11-21", "2025-11-21").await;
        assert_eq!(sums().await, [0, 1, 0, 17], "{}: a leave, approved afterwards", t.on);
        let id = record(&t, &school, siti, "2025-11-21", "hadir", 0).await;
        assert_eq!(sums().await, [1, 0, 0, 17], "{}: the box delivered its check-in", t.on);
        let correct = format!("/api/attendance/{id}/correct");
        called(&t, &school, &correct, json!({"status": "izin", "reason": "Pulang"})).await;
        assert_eq!(sums().await, [0, 0, 1, 17], "{}: corrected", t.on);
        called(&t, &school, &correct, json!({"status": "alpha", "reason": "Kartu dititipkan"})).await;
        assert_eq!(sums().await, [0, 0, 0, 18], "{}: corrected again", t.on);
        called(&t, &school, "/api/holidays", json!({"date": "2025-11-21", "name": "Libur"})).await;
        assert_eq!(sums().await, [0, 0, 0, 17], "{}: declared a day off", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_move_leaves_the_months_before_it_as_they_were_to_the_byte() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (room, other) =
            (class(&t, &school, "X IPA 1", None).await, class(&t, &school, "X IPA 2", None).await);
        let pupils = [student(&t, &school, room, "1001").await, student(&t, &school, room, "1002").await];
        for (n, day) in ["2025-10-01", "2025-10-02", "2025-10-06"].into_iter().enumerate() {
            record(&t, &school, pupils[n % 2], day, "terlambat", 7).await;
        }
        let october = async |room: ClassId| {
            let class = |format: &str| format!("class/{room}?month=2025-10{format}");
            let json = recap(&t, &school.admin, &class("")).await;
            let xlsx = file(&t, &school.admin, &class("&format=xlsx")).await;
            let pdf = file(&t, &school.admin, &class("&format=pdf")).await;
            (json.to_string(), xlsx, pdf)
        };
        let before = (october(room).await, october(other).await);
        let group = json!({"student_ids": [pupils[0]], "academic_year": 2025});
        called(&t, &school, &format!("/api/classes/{room}/remove-students"), group.clone()).await;
        called(&t, &school, &format!("/api/classes/{other}/assign-students"), group).await;
        t.clock.set(START.plus_millis(3 * DAY_MS));
        assert!(before == (october(room).await, october(other).await), "{}", t.on);

        // In the month of the move he has his days in both, each once: the 22nd is the second in the new class.
        let moved = |recap: &Value| line(recap, pupils[0]).1.iter().sum::<i64>();
        let (old, new) = (
            recap(&t, &school.admin, &format!("class/{room}")).await,
            recap(&t, &school.admin, &format!("class/{other}")).await,
        );
        assert_eq!((moved(&old), moved(&new)), (17, 2), "{}", t.on);
        let all = recap(&t, &school.admin, "school").await;
        assert_eq!((&all["students"], &all["total"]["effective_days"]), (&json!(2), &json!(38)), "{}", t.on);
        let names: Vec<_> =
            all["classes"].as_array().unwrap().iter().map(|line| &line["class"]["name"]).collect();
        assert_eq!(names, ["X IPA 1", "X IPA 2"]);
        let lines = all["classes"].as_array().unwrap();
        assert_eq!([&lines[0]["students"], &lines[1]["students"]], [2, 1], "who moved is in both");
        assert_eq!(lines[0]["sums"], old["total"]);
        let sums = |name: &str| lines.iter().map(|line| line["sums"][name].as_i64().unwrap()).sum::<i64>();
        assert_eq!(Value::from(sums("A")), all["total"]["A"]);
    })
    .await;
}

#[tokio::test]
async fn who_is_in_two_classes_counts_in_the_one_he_came_to_last() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (room, other) =
            (class(&t, &school, "X IPA 1", None).await, class(&t, &school, "X IPA 2", None).await);
        let pupils = [student(&t, &school, room, "1001").await, student(&t, &school, room, "1002").await];
        record(&t, &school, pupils[0], "2025-11-04", "hadir", 0).await;
        record(&t, &school, pupils[0], "2025-11-18", "hadir", 0).await;
        // Nobody took the first out of his old class. The 17th is the 14th school day of the month.
        let twice =
            json!({"student_ids": [pupils[0]], "academic_year": 2025, "effective_from": "2025-11-17"});
        called(&t, &school, &format!("/api/classes/{other}/assign-students"), twice).await;
        let old = recap(&t, &school.admin, &format!("class/{room}")).await;
        let new = recap(&t, &school.admin, &format!("class/{other}")).await;
        assert_eq!(line(&old, pupils[0]).1, [1, 0, 0, 12], "{}", t.on);
        assert_eq!(line(&new, pupils[0]).1, [1, 0, 0, 3], "{}", t.on);
        assert_eq!(line(&old, pupils[1]).1, [0, 0, 0, 17], "{}", t.on);
        let all = recap(&t, &school.admin, "school").await;
        for day in all["days"].as_array().unwrap().iter().filter(|day| day["counted"] == true) {
            assert_eq!(day["sums"]["effective_days"], all["students"], "{} {day}", t.on);
        }
        assert_eq!((&all["students"], &all["total"]["effective_days"]), (&json!(2), &json!(34)), "{}", t.on);
        assert_eq!(all["total"]["H"], 2, "{}: each coming once", t.on);
        let lines = all["classes"].as_array().unwrap();
        assert_eq!([&lines[0]["sums"], &lines[1]["sums"]], [&old["total"], &new["total"]], "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn an_eastern_school_ends_its_day_two_hours_earlier() {
    both(async |t| {
        let east = school(&t, "TIMUR", "5101").await;
        choose(&t, &east, "timezone", "Asia/Jayapura").await;
        let room = class(&t, &east, "VII A", None).await;
        let pupil = student(&t, &east, room, "1301").await;
        let days = async || line(&recap(&t, &east.admin, &format!("class/{room}")).await, pupil).1[3];
        // 11:59 and 12:00 in Jakarta.
        t.clock.set(START.plus_millis((5 * 60 + 14) * 60_000));
        assert_eq!(days().await, 17, "{}", t.on);
        t.clock.set(START.plus_millis((5 * 60 + 15) * 60_000));
        assert_eq!(days().await, 18, "{}", t.on);
        // 22:30 on the last day in Jakarta is the next month in Jayapura.
        t.clock.set(START.plus_millis(9 * DAY_MS + (15 * 60 + 45) * 60_000));
        let next = recap(&t, &east.admin, &format!("class/{room}")).await;
        assert_eq!(next["month"], "2025-12", "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn who_sees_what_and_what_is_no_month() {
    both(async |t| {
        let (home, away) = (school(&t, "A", "5001").await, school(&t, "B", "5101").await);
        let (teacher, leading) = t.signed_in(home.id, "2001", seed::TEACHER).await;
        let (_, colleague) = t.signed_in(home.id, "2002", seed::TEACHER).await;
        let (_, principal) = t.signed_in(home.id, "4001", seed::PRINCIPAL).await;
        let (_, staff) = t.signed_in(home.id, "3001", seed::STAFF).await;
        let room = class(&t, &home, "X IPA 1", Some(teacher)).await;
        let foreign = class(&t, &away, "X IPA 1", None).await;
        student(&t, &home, room, "1001").await;
        let pupil = t.login("1001").await;
        let own = format!("/api/recap/class/{room}");
        let status = async |path: &str, token: &str| t.get(path, Some(token)).await.status.as_u16();
        for (who, token, class, of_school) in [
            ("teacher", &leading, 200, 403),
            ("colleague", &colleague, 403, 403),
            ("principal", &principal, 200, 200),
            ("admin", &home.admin, 200, 200),
            ("staff", &staff, 403, 403),
            ("student", &pupil, 403, 403),
            ("another school's admin", &away.admin, 404, 200),
        ] {
            assert_eq!(status(&own, token).await, class, "{} {who}", t.on);
            assert_eq!(status("/api/recap/school", token).await, of_school, "{} {who}", t.on);
        }
        assert_eq!(t.get(&own, None).await.status, 401);
        assert_eq!(status(&format!("/api/recap/class/{foreign}"), &home.admin).await, 404);
        let theirs = recap(&t, &away.admin, "school").await;
        assert_eq!((&theirs["classes"], &theirs["students"]), (&json!([]), &json!(0)), "{}", t.on);
        for rubbish in ["2025-13", "2025-1", "2025", "November", "2025-11-01", "-2025-11", "0000-01"] {
            let refused = t.get(&format!("{own}?month={rubbish}"), Some(&leading)).await;
            assert_eq!(
                (refused.status.as_u16(), refused.body["errors"]["month"].is_array()),
                (422, true),
                "{rubbish}"
            );
        }
        assert_eq!(status(&format!("{own}?format=csv"), &leading).await, 422);
        for edge in ["0001-01", "9999-12"] {
            recap(&t, &leading, &format!("class/{room}?month={edge}")).await;
            file(&t, &leading, &format!("class/{room}?month={edge}&format=xlsx")).await;
            file(&t, &leading, &format!("class/{room}?month={edge}&format=pdf")).await;
        }
    })
    .await;
}

/// A class of forty with names of every kind, and the files' tables.
#[tokio::test]
async fn the_files_say_what_the_answer_says() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        choose(&t, &school, "school_name", "SMA Negeri 1 Hadir").await;
        let (teacher, _) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let room = class(&t, &school, "X IPA 1", Some(teacher)).await;
        called(&t, &school, "/api/holidays", json!({"date": "2025-10-10", "name": "Libur sekolah"})).await;
        let week =
            json!({"start_date": "2025-10-21", "end_date": "2025-10-23", "name": "Kegiatan tengah semester"});
        called(&t, &school, "/api/holidays", week).await;
        for n in 0..40 {
            let pupil = t.user(school.id, &format!("{}", 1001 + n), seed::STUDENT).await;
            join(&t, &school, room, pupil).await;
            for day in 1..=31_i64 {
                let status = match (n + day) % 9 {
                    0 => continue,
                    1 => "terlambat",
                    2 => "sakit",
                    3 => "izin",
                    _ => "hadir",
                };
                record(
                    &t,
                    &school,
                    pupil,
                    &format!("2025-10-{day:02}"),
                    status,
                    i64::from(status == "terlambat") * n,
                )
                .await;
            }
        }
        let names =
            ["=SUM(A1:A9)", "张 Wei", "Muhammad Fadhil Ramadhan Al-Ghifari Kusumawardhana Putra Pratama"];
        for (number, name) in ["1001", "1002", "1003"].into_iter().zip(names) {
            let found = t.get(&format!("/api/users?search={number}"), Some(&school.admin)).await;
            let path = format!("/api/users/{}", found.body["data"]["data"][0]["id"]);
            assert_eq!(t.put(&path, Some(&school.admin), json!({"name": name})).await.status, 200);
        }

        let seen = recap(&t, &school.admin, &format!("class/{room}?month=2025-10")).await;
        adds_up(&seen);
        let sheet = {
            let mut tx = t.app.db.read(school.id).await.unwrap();
            let month = Some("2025-10".parse().unwrap());
            let known = Known::load(&mut tx, &t.app, school.id, month, Some(room)).await.unwrap();
            let class = classes::find(&mut tx, school.id, room).await.unwrap();
            paper::of_class(&known.class(class, &std::collections::HashMap::new()))
        };
        let expected: Vec<Vec<String>> =
            (1..).zip(seen["students"].as_array().unwrap()).map(|(no, one)| expected(no, one)).collect();
        let filled = |cells: &[paper::Cell]| -> Vec<String> {
            cells.iter().map(paper::Cell::text).filter(|text| !text.is_empty()).collect()
        };
        assert_eq!(sheet.rows.iter().map(|row| filled(row)).collect::<Vec<_>>(), expected, "{}", t.on);

        let path = |format: &str| format!("class/{room}?month=2025-10&format={format}");
        let (name, media, xlsx) = file(&t, &school.admin, &path("xlsx")).await;
        assert_eq!(name, "attachment; filename=\"rekap-x-ipa-1-2025-10.xlsx\"");
        assert_eq!(media, sheet::Format::Xlsx.media());
        let table = sheet::read(xlsx.clone()).await.unwrap().unwrap();
        let lines: Vec<Vec<String>> =
            table.lines.iter().map(|line| line.cells().map(|(_, text)| text.to_owned()).collect()).collect();
        for row in &expected {
            let mut as_number = row.clone();
            let percentage = as_number.last_mut().unwrap();
            *percentage = percentage.replace(',', ".").trim_end_matches(".0").to_owned();
            assert!(lines.contains(&as_number), "{} {as_number:?}", t.on);
        }
        assert!(lines.contains(&vec!["REKAP ABSENSI SISWA".to_owned()]));
        assert!(lines.contains(&vec!["SMA Negeri 1 Hadir".to_owned()]));
        assert!(
            lines
                .concat()
                .iter()
                .any(|text| text == "Hari libur: 10 Libur sekolah; 21–23 Kegiatan tengah semester.")
        );

        let (name, media, pdf) = file(&t, &school.admin, &path("pdf")).await;
        assert_eq!(
            (name.as_str(), media.as_str()),
            ("attachment; filename=\"rekap-x-ipa-1-2025-10.pdf\"", "application/pdf")
        );
        says(&pdf, &expected);
        let of_school = file(&t, &school.admin, "school?month=2025-10&format=pdf").await.2;
        let all = recap(&t, &school.admin, "school?month=2025-10").await;
        let line = &all["classes"][0];
        let mut cells = vec!["1".to_owned(), "X IPA 1".into(), "Orang 2001".into(), "40".into()];
        cells.extend(sums(&line["sums"]));
        says(&of_school, &[cells]);
        file(&t, &school.admin, "school?month=2025-10&format=xlsx").await;
    })
    .await;
}

/// A student's line as it must stand in the files.
fn expected(no: usize, student: &Value) -> Vec<String> {
    let mut cells = vec![no.to_string()];
    cells.extend(["nisn_nip_nik", "name"].map(|field| student[field].as_str().unwrap().to_owned()));
    cells.extend(
        student["marks"].as_array().unwrap().iter().map(|mark| mark["mark"].as_str().unwrap().to_owned()),
    );
    cells.extend(sums(&student["sums"]));
    cells
}

fn sums(sums: &Value) -> Vec<String> {
    let mut cells: Vec<String> =
        ["H", "S", "I", "A", "late_minutes"].map(|name| sums[name].to_string()).into();
    cells.push(format!("{:.1}", sums["percentage"].as_f64().unwrap()).replace('.', ","));
    cells
}

/// Where poppler is installed, a PDF's text is compared with what it must say.
fn says(pdf: &[u8], lines: &[Vec<String>]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recap.pdf");
    std::fs::write(&path, pdf).unwrap();
    let Ok(output) = Command::new("pdftotext").args(["-layout", "-nopgbrk"]).arg(&path).arg("-").output()
    else {
        eprintln!("pdftotext is not installed: the PDF's text was not read");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let said: Vec<String> = text.lines().map(words).collect();
    for line in lines {
        let line = words(&line.join(" ")).replace('张', "[U+5F20]");
        assert!(said.contains(&line), "{line}\n{text}");
    }
}

#[test]
fn a_files_name_is_plain() {
    assert_eq!(slug("XI IPS/2 \"Ñ\"\r\n"), "xi-ips-2------");
}

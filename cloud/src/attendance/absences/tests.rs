use hadir_shared::{ids::UserId, time::Millis};
use serde_json::{Value, json};

use super::{due, mark};
use crate::{
    attendance::{
        books,
        tests::{HERE, School, both, choose, class, count, school, student},
    },
    identity::seed,
    jobs::Occasion,
    testing::{START, TestApp},
};

const ALPHA: &str = "SELECT COUNT(*) FROM attendance WHERE institution_id = $1 AND status = 'alpha'";
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// One in the morning of the next day in Jakarta.
const NIGHT: Millis = Millis(START.0 + 18 * HOUR_MS + HOUR_MS / 4);

async fn run(t: &TestApp) {
    mark(&t.app).await.unwrap();
}

async fn scan(t: &TestApp, school: &School, number: &str) -> Value {
    let body = json!({"nisn_nip_nik": number, "latitude": HERE.0, "longitude": HERE.1});
    let answer = t.post("/api/student-attendance/scan-qr", Some(&school.admin), body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["data"].clone()
}

/// Delivered days later.
async fn deliver(t: &TestApp, school: &School, student: UserId, timestamp: &str) {
    let item = json!({"user_id": student, "type": "checkin", "timestamp": timestamp});
    let path = "/api/offline-sync/process-attendance";
    let answer = t.post(path, Some(&school.admin), json!({"attendances": [item]})).await;
    assert_eq!(answer.body["data"]["processed_count"], 1, "{} {}", t.on, answer.body);
}

async fn excuse(t: &TestApp, school: &School, number: &str, kind: &str, day: &str) {
    let leave = json!({"leave_type": kind, "start_date": day, "end_date": day, "reason": "Demam"});
    let asked = t.post("/api/leaves", Some(&t.login(number).await), leave).await;
    let path = format!("/api/leaves/{}", asked.body["data"]["id"]);
    let approved = t.put(&path, Some(&school.admin), json!({"status": "disetujui"})).await;
    assert_eq!(approved.status, 200, "{}", approved.body);
}

async fn history(t: &TestApp, number: &str) -> Vec<Value> {
    let answer = t.get("/api/attendance/history", Some(&t.login(number).await)).await;
    let rows = answer.body["data"]["data"].as_array().unwrap().clone();
    assert_eq!(answer.body["data"]["total"], rows.len(), "{} {}", t.on, answer.body);
    rows
}

#[tokio::test]
async fn who_neither_came_nor_was_excused_is_marked_once_and_on_school_days_only() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        for number in ["1001", "1002", "1003"] {
            student(&t, &school, room, number).await;
        }
        let late_comer = t.user(school.id, "1004", seed::STUDENT).await;
        let group = json!({"student_ids": [late_comer], "academic_year": 2025, "effective_from": "2025-11-22"});
        t.post(&format!("/api/classes/{room}/assign-students"), Some(&school.admin), group).await;
        let gone = student(&t, &school, room, "1005").await;
        t.put(&format!("/api/users/{gone}"), Some(&school.admin), json!({"is_active": false})).await;
        t.user(school.id, "2001", seed::TEACHER).await;
        scan(&t, &school, "1001").await;
        excuse(&t, &school, "1002", "sakit", "2025-11-21").await;

        t.clock.set(NIGHT);
        run(&t).await;
        assert_eq!(count(&t, ALPHA, &school).await, 1, "{}: 1003", t.on);
        let row = &history(&t, "1003").await[0];
        let at = "2025-11-21T00:30:00.000000Z";
        let expected = json!({
            "id": row["id"], "user_id": row["user_id"], "type": "checkin", "latitude": null, "longitude": null,
            "accuracy": null, "photo_path": null, "qr_token_used": "ALPHA", "status": "alpha", "timestamp": at,
            "date_only": "2025-11-21", "synced": true, "created_at": NIGHT.to_rfc3339_micros(), "late_minutes": 0,
            "early_minutes": 0, "fence": null, "gate": null, "correction": null,
        });
        assert_eq!(row, &expected, "{}", t.on);

        run(&t).await;
        let (a, b) = (t.clone(), t.another_node().await);
        let (a, b) = (tokio::spawn(async move { run(&a).await }), tokio::spawn(async move { run(&b).await }));
        a.await.unwrap();
        b.await.unwrap();
        assert_eq!(count(&t, ALPHA, &school).await, 1, "{}: twice, and at two nodes", t.on);

        // Saturday is a school day, Sunday is none, Monday is a holiday.
        let holiday = json!({"date": "2025-11-24", "name": "Hari jadi sekolah"});
        assert_eq!(t.post("/api/holidays", Some(&school.admin), holiday).await.status, 201);
        t.clock.advance_ms(3 * DAY_MS);
        run(&t).await;
        assert_eq!(count(&t, ALPHA, &school).await, 5, "{}: all four on Saturday", t.on);
        let days: Vec<_> = history(&t, "1004").await.iter().map(|row| row["date_only"].clone()).collect();
        assert_eq!(days, ["2025-11-22"], "{}: never before he came", t.on);
    })
    .await;
}

#[tokio::test]
async fn two_nodes_that_mark_the_same_night_mark_it_once() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        for number in 0..20 {
            student(&t, &school, room, &format!("s{number}")).await;
        }
        t.clock.set(NIGHT);
        let (a, b) = (t.clone(), t.another_node().await);
        let (a, b) = (tokio::spawn(async move { run(&a).await }), tokio::spawn(async move { run(&b).await }));
        a.await.unwrap();
        b.await.unwrap();
        assert_eq!(count(&t, ALPHA, &school).await, 20, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn what_makes_an_absence_untrue_is_seen_before_it() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        let came = student(&t, &school, room, "1001").await;
        student(&t, &school, room, "1002").await;
        t.clock.set(NIGHT);
        run(&t).await;
        assert_eq!(count(&t, ALPHA, &school).await, 2, "{}", t.on);
        let attended = async || {
            let path = format!("/api/student-attendance/class-status/{room}?date=2025-11-21");
            let answer = t.get(&path, Some(&school.admin)).await;
            answer.body["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["attended"] == true)
                .collect::<Vec<_>>()
        };
        assert_eq!(attended().await, [false, false], "{}", t.on);

        deliver(&t, &school, came, "2025-11-21 07:05:00").await;
        assert_eq!(attended().await, [true, false], "{}", t.on);
        let rows = history(&t, "1001").await;
        assert_eq!(rows.len(), 1, "{} {rows:?}", t.on);
        assert_eq!(rows[0]["status"], "hadir");
        assert_eq!(count(&t, ALPHA, &school).await, 2, "nothing was taken back");
        let again = json!([{"user_id": came, "type": "checkin", "timestamp": "2025-11-21 07:05:00"}]);
        let path = "/api/offline-sync/process-attendance";
        let again = t.post(path, Some(&school.admin), json!({"attendances": again})).await;
        assert_eq!(again.body["data"]["failed_count"], 1, "{}: once, as ever", t.on);
        let mut tx = t.app.db.read(school.id).await.unwrap();
        assert_eq!(books::recompute(&mut tx, school.id).await.unwrap(), [], "{}", t.on);
        drop(tx);

        excuse(&t, &school, "1002", "sakit", "2025-11-21").await;
        assert_eq!(history(&t, "1002").await[0]["status"], "sakit", "{}: excused afterwards", t.on);

        let holiday = json!({"date": "2025-11-21", "name": "Banjir"});
        let holiday = t.post("/api/holidays", Some(&school.admin), holiday).await;
        assert_eq!(history(&t, "1002").await, Vec::<Value>::new(), "{}: declared afterwards", t.on);
        assert_eq!(history(&t, "1001").await.len(), 1, "he did come");
        let path = format!("/api/holidays/{}", holiday.body["data"][0]["id"]);
        assert_eq!(t.delete(&path, Some(&school.admin)).await.status, 200);
        assert_eq!(history(&t, "1002").await.len(), 1, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_day_that_turns_out_to_be_a_school_day_is_marked_when_it_is_over_already() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        student(&t, &school, room, "1001").await;
        let off = async |day: &str| {
            let made =
                t.post("/api/holidays", Some(&school.admin), json!({"date": day, "name": "Libur"})).await;
            format!("/api/holidays/{}", made.body["data"][0]["id"])
        };
        let (today, tomorrow) = (off("2025-11-21").await, off("2025-11-22").await);
        t.clock.set(NIGHT);
        run(&t).await;
        assert_eq!(count(&t, ALPHA, &school).await, 0, "{}", t.on);
        t.delete(&tomorrow, Some(&school.admin)).await;
        assert_eq!(count(&t, ALPHA, &school).await, 0, "{}: it has not been", t.on);
        let moved = t.put(&today, Some(&school.admin), json!({"date": "2025-11-20"})).await;
        assert_eq!(moved.status, 200, "{}", moved.body);
        assert_eq!(count(&t, ALPHA, &school).await, 1, "{}: it has", t.on);
        t.clock.advance_ms(DAY_MS);
        run(&t).await;
        assert_eq!(count(&t, ALPHA, &school).await, 2, "{}", t.on);
    })
    .await;
}

/// As a damaged table would: no way of the program's writes this.
async fn spoil_settings(t: &TestApp, school: &School) {
    let mut tx = t.app.db.write(school.id).await.unwrap();
    let spoilt = tx
        .query("UPDATE settings SET value = 'x' WHERE institution_id = $1 AND key_name = 'school_latitude'")
        .bind(school.id.0)
        .run()
        .await
        .unwrap();
    assert_eq!(spoilt, 1, "{}", t.on);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_school_that_fails_stops_no_other_and_fails_the_job() {
    both(async |t| {
        let (spoilt, sound) = (school(&t, "A", "5001").await, school(&t, "B", "5101").await);
        for (school, number) in [(&spoilt, "1001"), (&sound, "1301")] {
            let room = class(&t, school, "X", None).await;
            student(&t, school, room, number).await;
        }
        spoil_settings(&t, &spoilt).await;
        t.clock.set(NIGHT);
        let failed = mark(&t.app).await.unwrap_err();
        assert!(format!("{failed:?}").contains("1 of 2 schools"), "{}: {failed:?}", t.on);
        assert_eq!((count(&t, ALPHA, &spoilt).await, count(&t, ALPHA, &sound).await), (0, 1), "{}", t.on);

        // The clock's occasion is one, and holds no transaction over the schools.
        let entry = crate::TIMETABLE.iter().find(|entry| entry.name == "absences.mark").unwrap();
        t.clock.advance_ms(DAY_MS);
        assert!(entry.occur(&t.app, uuid::Uuid::from_u128(1)).await.is_err(), "{}", t.on);
        assert_eq!((count(&t, ALPHA, &spoilt).await, count(&t, ALPHA, &sound).await), (0, 2), "{}", t.on);
        let again = entry.occur(&t.app, uuid::Uuid::from_u128(1)).await.unwrap();
        assert_eq!(again, Occasion::Before, "{}", t.on);

        mend_settings(&t, &spoilt).await;
        mark(&t.app).await.unwrap();
        assert_eq!(count(&t, ALPHA, &spoilt).await, 1, "{}: mended", t.on);
    })
    .await;
}

async fn mend_settings(t: &TestApp, school: &School) {
    let mut tx = t.app.db.write(school.id).await.unwrap();
    tx.query("UPDATE settings SET value = '-6.2' WHERE institution_id = $1 AND key_name = 'school_latitude'")
        .bind(school.id.0)
        .run()
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_day_is_over_when_it_is_over_in_the_schools_zone() {
    both(async |t| {
        let (west, east) = (school(&t, "A", "5001").await, school(&t, "B", "5101").await);
        choose(&t, &east, "timezone", "Asia/Jayapura").await;
        for (school, number) in [(&west, "1001"), (&east, "1301")] {
            let room = class(&t, school, "X", None).await;
            student(&t, school, room, number).await;
        }
        // Half an hour into Saturday in Jayapura, half past ten on Friday evening in Jakarta.
        t.clock.set(START.plus_seconds(15 * 3600 + 45 * 60));
        run(&t).await;
        assert_eq!(history(&t, "1001").await[0]["date_only"], "2025-11-20", "{}", t.on);
        assert_eq!(history(&t, "1301").await[0]["date_only"], "2025-11-21", "{}", t.on);
        assert_eq!(
            history(&t, "1301").await[0]["timestamp"],
            "2025-11-20T22:30:00.000000Z",
            "half past seven there"
        );
    })
    .await;
}

#[test]
fn what_is_due_begins_after_what_was_marked_and_reaches_back_a_month_at_most() {
    let day = |text: &str| text.parse().unwrap();
    let today = day("2025-11-21");
    let cases = [
        (None, Some("2025-11-20"), 1, "never marked"),
        (Some("2025-11-20"), None, 0, "up to date"),
        (Some("2025-11-21"), None, 0, "ahead: a clock went back"),
        (Some("2025-11-17"), Some("2025-11-18"), 3, "three nights off"),
        (Some("2025-01-01"), Some("2025-10-21"), 31, "off for long"),
    ];
    for (marked, first, days, why) in cases {
        let due = due(marked.map(day), today);
        assert_eq!((due.first().copied(), due.len()), (first.map(day), days), "{why}");
        assert!(due.iter().all(|day| *day < today), "{why}");
    }
}

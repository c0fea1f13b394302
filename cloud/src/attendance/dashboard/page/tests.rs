use serde_json::json;

use crate::{
    attendance::tests::{HERE, both, choose, class, school, student},
    console::tests::Tab,
    db::Cloud,
    identity::seed,
    testing::TestApp,
};

async fn scan(t: &TestApp, token: &str, number: &str) {
    let body = json!({"nisn_nip_nik": number, "latitude": HERE.0, "longitude": HERE.1});
    let scanned = t.post("/api/student-attendance/scan-qr", Some(token), body).await;
    assert_eq!(scanned.status, 200, "{} {}", t.on, scanned.body);
}

/// What stands in the element with this id, up to the next section.
fn part<'p>(page: &'p str, id: &str) -> &'p str {
    let from = page.split(&format!("id=\"{id}\"")).nth(1).unwrap_or_else(|| panic!("no {id} in {page}"));
    from.split("<section").next().unwrap()
}

#[tokio::test]
async fn it_counts_by_class_who_came_who_was_late_and_who_is_missing() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (lead, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        t.user(school.id, "4001", seed::PRINCIPAL).await;
        let room = class(&t, &school, "X IPA 1", Some(lead)).await;
        let other = class(&t, &school, "X IPA 2", None).await;
        for number in ["1001", "1002", "1003"] {
            student(&t, &school, room, number).await;
        }
        student(&t, &school, other, "1004").await;
        t.user(school.id, "1009", seed::STUDENT).await;
        let away = t.login("1003").await;
        let leave = json!({"leave_type": "sakit", "start_date": "2025-11-21", "end_date": "2025-11-21", "reason": "Demam"});
        let asked = t.post("/api/leaves", Some(&away), leave).await;
        let id = &asked.body["data"]["id"];
        t.put(&format!("/api/leaves/{id}"), Some(&school.admin), json!({"status": "disetujui"})).await;
        scan(&t, &teacher, "1001").await;
        choose(&t, &school, "checkin_end", "06:40:00").await;
        scan(&t, &teacher, "1002").await;

        let at = format!("/console/{}", school.id);
        for number in ["5001", "4001"] {
            let page = Tab::of(&t, number).await.page(&at).await;
            let came = part(&page, "students-came").split("</dd>").next().unwrap().to_owned();
            assert!(came.starts_with(">2<") && came.contains("/ 5"), "{} {came}", t.on);
            assert!(part(&page, "staff-came").contains("/ 2"), "{page}");
            let line = part(&page, &format!("class-{room}")).split("</tr>").next().unwrap().to_owned();
            assert!(line.contains("1 tepat waktu") || line.contains("1 hadir, 1 terlambat, 1 izin atau sakit, 0 belum hadir"), "{line}");
            assert!(line.contains(">2 / 3<"), "{line}");
            let missing = part(&page, "missing").to_owned();
            assert!(missing.contains("Orang 1004") && !missing.contains("Orang 1003"), "{missing}");
            assert!(part(&page, "late").contains("Orang 1002"), "{page}");
            assert!(part(&page, "recent").contains("Orang 1001"), "{page}");
            assert!(part(&page, "trend").contains("<svg"), "{page}");
        }
        // Of the four who are in a class two came: 50 %. Friday is the last of the trend.
        let page = Tab::of(&t, "5001").await.page(&at).await;
        assert!(page.contains("21 Nov: 50%"), "{}", part(&page, "trend"));

        let own = Tab::of(&t, "2001").await.page(&at).await;
        assert!(own.contains("X IPA 1") && !own.contains("X IPA 2") && !own.contains("staff-came"), "{own}");
        assert!(own.contains("21 Nov: 67%") && !own.contains("Orang 1004"), "{own}");
    })
    .await;
}

#[tokio::test]
async fn a_correction_counts_and_a_day_off_says_so() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X IPA 1", None).await;
        let pupil = student(&t, &school, room, "1001").await;
        scan(&t, &school.admin, "1001").await;
        let at = format!("/console/{}", school.id);
        let tab = Tab::of(&t, "5001").await;
        assert!(tab.page(&at).await.contains("21 Nov: 100%"));
        let correct =
            json!({"user_id": pupil, "date": "2025-11-21", "status": "alpha", "reason": "Titip kartu"});
        let corrected = t.post("/api/attendance/correct", Some(&school.admin), correct).await;
        assert_eq!(corrected.status, 201, "{}", corrected.body);
        let page = tab.page(&at).await;
        assert!(page.contains("21 Nov: 0%"), "{}", part(&page, "trend"));
        assert!(part(&page, "missing").contains("Orang 1001"));
        t.post("/api/holidays", Some(&school.admin), json!({"date": "2025-11-21", "name": "Libur"})).await;
        let page = tab.page(&at).await;
        assert!(page.contains("bukan hari sekolah") && !page.contains("21 Nov:"), "{page}");
    })
    .await;
}

#[tokio::test]
async fn what_a_gate_took_back_counts_for_nothing() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X IPA 1", None).await;
        student(&t, &school, room, "1001").await;
        scan(&t, &school.admin, "1001").await;
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        let void = "INSERT INTO attendance_voids (institution_id, attendance_id, device_id, scan_event, event_id, user_id, day,
                type, reason, gate, trusted_at, created_at)
             SELECT institution_id, id, event_id, event_id, event_id, user_id, day, type, 'salah', 'Gerbang 1', $2, $2
             FROM attendance WHERE institution_id = $1";
        tx.query(void).bind(school.id.0).bind(t.app.now().0).run().await.unwrap();
        tx.commit().await.unwrap();
        let page = Tab::of(&t, "5001").await.page(&format!("/console/{}", school.id)).await;
        assert!(page.contains("21 Nov: 0%"), "{}", part(&page, "trend"));
        assert!(part(&page, "missing").contains("Orang 1001"), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_school_that_is_new_is_told_what_to_do_and_no_name_gets_out_of_its_place() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        t.user(school.id, "2001", seed::TEACHER).await;
        let at = format!("/console/{}", school.id);
        let tab = Tab::of(&t, "5001").await;
        assert!(tab.page(&at).await.contains(&format!("href=\"{at}/import\"")));
        let teacher = Tab::of(&t, "2001").await.page(&at).await;
        assert!(!teacher.contains(&format!("href=\"{at}/import\"")) && teacher.contains("Belum ada kelas"));

        let evil = "<script>alert(1)</script>";
        let room = class(&t, &school, evil, None).await;
        let pupil = student(&t, &school, room, "1001").await;
        t.put(&format!("/api/users/{pupil}"), Some(&school.admin), json!({"name": evil})).await;
        scan(&t, &school.admin, "1001").await;
        let student_page = format!("/people/{pupil}");
        let class_page = format!("/classes/{room}");
        let cards = format!("/cards?class_id={room}");
        for path in
            ["", "/people", "/classes", "/classes/promote", "/cards", &*student_page, &*class_page, &*cards]
        {
            let page = tab.page(&format!("{at}{path}")).await;
            assert!(!page.contains("<script>alert"), "{path}");
            assert!(page.contains("alert(1)"), "{path} does not show it at all");
        }
    })
    .await;
}

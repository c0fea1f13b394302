use hadir_shared::ids::{ClassId, UserId};
use serde_json::json;

use crate::{
    attendance::tests::{School, both, class, school, student},
    console::tests::Tab,
    identity::seed,
    testing::TestApp,
};

/// A class of two led by 2001, and nobody there so far.
async fn room(t: &TestApp) -> (School, ClassId, UserId) {
    let school = school(t, "A", "5001").await;
    let teacher = t.user(school.id, "2001", seed::TEACHER).await;
    let room = class(t, &school, "X IPA 1", Some(teacher)).await;
    let pupil = student(t, &school, room, "1001").await;
    student(t, &school, room, "1002").await;
    (school, room, pupil)
}

/// The letters of a line, where they lead, in the order of the days.
fn letters(page: &str, student: UserId) -> String {
    let of = format!("at={student}-");
    page.split(&of).skip(1).map(|rest| rest.split('>').nth(1).unwrap().split('<').next().unwrap()).collect()
}

#[tokio::test]
async fn the_sheet_is_shown_and_a_letter_leads_to_its_day() {
    both(async |t| {
        let (school, room, pupil) = room(&t).await;
        let tab = Tab::of(&t, "5001").await;
        let at = format!("/console/{}/recap/{room}", school.id.0);
        let page = tab.page(&format!("{at}?month=2025-11")).await;
        // The 1st to the 20th, Mondays to Saturdays.
        assert_eq!(letters(&page, pupil), "A".repeat(17), "{}", t.on);
        for part in [
            "REKAP ABSENSI SISWA",
            "X IPA 1",
            "November 2025",
            "Hari efektif",
            "Wali Kelas",
            "NIP 2001",
            "Kepala Sekolah",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert_eq!(
            page.matches("<th scope=\"col\" class=\"off\">").count(),
            2 * (5 + 8),
            "Sundays, and what is to come"
        );

        let day = tab.page(&format!("{at}?month=2025-11&at={pupil}-20")).await;
        assert!(day.contains("Kamis, 20 November 2025") && day.contains("A · Alpa"), "{day}");
        assert!(
            day.contains("Tidak ada catatan pada hari ini") && day.contains("data-api=\"POST\""),
            "{day}"
        );
        for nobody in [
            "0-20",
            "999999-20",
            "1001",
            "x-y",
            &format!("{pupil}-0"),
            &format!("{pupil}-31"),
            &format!("{pupil}-23"),
        ] {
            let answer = tab.get(&format!("{at}?month=2025-11&at={nobody}")).await;
            assert_eq!(answer.status, 404, "{} {nobody}", t.on);
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_corrected_from_a_letter_stands_in_the_sheet_and_beside_the_record() {
    both(async |t| {
        let (school, room, pupil) = room(&t).await;
        let tab = Tab::of(&t, "2001").await;
        let at = format!("/console/{}/recap/{room}?month=2025-11", school.id.0);
        let body = json!({"user_id": pupil, "date": "2025-11-20", "status": "sakit", "reason": "Surat <b>dokter</b>"});
        let api = format!("/console/{}/api/attendance/correct", school.id.0);
        let made = tab.call("POST", &api, &body).await;
        assert_eq!(made.status, 201, "{} {}", t.on, made.body);
        let page = tab.page(&at).await;
        assert!(letters(&page, pupil).ends_with("AAS"), "{} {}", t.on, letters(&page, pupil));
        let day = tab.page(&format!("{at}&at={pupil}-20")).await;
        assert!(day.contains("Surat &#60;b&#62;dokter&#60;/b&#62;") && !day.contains("<b>dokter"), "{day}");
        assert!(day.contains("Alpa → <b>Sakit</b>") && day.contains("Orang 2001"), "{day}");
    })
    .await;
}

#[tokio::test]
async fn who_sees_which_recap() {
    both(async |t| {
        let (school, room, pupil) = room(&t).await;
        let other = crate::attendance::tests::school(&t, "B", "5101").await;
        let theirs = class(&t, &other, "Kelas lain", None).await;
        let unled = class(&t, &school, "X IPS 9", None).await;
        t.user(school.id, "2002", seed::TEACHER).await;
        t.user(school.id, "4001", seed::PRINCIPAL).await;
        let at = |path: &str| format!("/console/{}/recap{path}", school.id.0);

        let teacher = Tab::of(&t, "2001").await;
        let list = teacher.page(&at("")).await;
        assert!(
            list.contains("X IPA 1") && !list.contains("X IPS 9") && !list.contains("REKAP ABSENSI SEKOLAH"),
            "{list}"
        );
        assert_eq!(teacher.get(&at(&format!("/{unled}"))).await.status, 403);
        assert_eq!(teacher.get(&at(&format!("/{theirs}"))).await.status, 404);
        assert_eq!(teacher.get(&at("/999")).await.status, 404);
        assert_eq!(teacher.get(&at("/x")).await.status, 404);
        assert_eq!(teacher.get(&at(&format!("/{room}?month=2025-13"))).await.status, 422);
        assert!(Tab::of(&t, "2002").await.page(&at("")).await.contains("Anda bukan wali kelas"));

        let principal = Tab::of(&t, "4001").await;
        let list = principal.page(&at("?month=2025-11")).await;
        assert!(
            list.contains("REKAP ABSENSI SEKOLAH")
                && list.contains("X IPS 9")
                && !list.contains("Kelas lain"),
            "{list}"
        );
        let chosen = principal.get(&at(&format!("?class={room}&month=2025-11"))).await;
        assert_eq!(chosen.status, 303);
        assert_eq!(chosen.headers["location"], at(&format!("/{room}?month=2025-11")));
        let day = principal.page(&at(&format!("/{room}?month=2025-11&at={pupil}-20"))).await;
        assert!(!day.contains("attendance/correct"), "the principal reads: {day}");
    })
    .await;
}

#[tokio::test]
async fn a_name_is_text() {
    both(async |t| {
        let (school, room, pupil) = room(&t).await;
        let body = json!({"name": "<script>alert(1)</script>"});
        let changed = t.put(&format!("/api/users/{pupil}"), Some(&school.admin), body).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        let tab = Tab::of(&t, "5001").await;
        for path in [format!("/{room}"), format!("/{room}?month=2025-11&at={pupil}-20")] {
            let page = tab.page(&format!("/console/{}/recap{path}", school.id.0)).await;
            assert!(page.contains("&#60;script&#62;alert(1)") && !page.contains("<script>alert"), "{page}");
        }
    })
    .await;
}

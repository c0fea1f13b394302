use serde_json::json;

use crate::{
    attendance::tests::{HERE, both, class, picture, school, student},
    console::tests::Tab,
    identity::seed,
};

#[tokio::test]
async fn the_list_is_searched_and_filtered_and_keeps_to_the_school() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::super::tests::school(&t, "B", "5101").await;
        let room = class(&t, &school, "X IPA 1", None).await;
        for number in ["1001", "1002"] {
            student(&t, &school, room, number).await;
        }
        t.user(school.id, "1003", seed::STUDENT).await;
        t.user(school.id, "2001", seed::TEACHER).await;
        t.user(other.id, "1101", seed::STUDENT).await;
        let gone = t.user(school.id, "1009", seed::STUDENT).await;
        t.put(&format!("/api/users/{gone}"), Some(&school.admin), json!({"is_active": false})).await;
        let tab = Tab::of(&t, "5001").await;
        let at = format!("/console/{}/people", school.id);
        let class_filter = format!("?class_id={room}");
        for (query, seen, unseen) in [
            ("", vec!["1001", "1002", "1003", "2001", "5001"], vec!["1009", "1101"]),
            ("?q=ORANG+1002", vec!["1002"], vec!["1001", "2001"]),
            ("?q=2001", vec!["2001"], vec!["1001"]),
            ("?q=%25", vec![], vec!["1001", "2001"]),
            ("?role_id=2", vec!["2001"], vec!["1001", "1003"]),
            (&class_filter, vec!["1001", "1002"], vec!["1003", "2001"]),
            ("?role_id=1&placed=no", vec!["1003"], vec!["1001", "2001"]),
            ("?active=0", vec!["1009"], vec!["1001"]),
            ("?active=all&q=100", vec!["1001", "1009"], vec!["2001"]),
            ("?role_id=77", vec!["1001", "2001"], vec![]),
        ] {
            let page = tab.page(&format!("{at}{query}")).await;
            for number in seen {
                assert!(page.contains(&format!(">Orang {number}<")), "{} {query}: {number}", t.on);
            }
            for number in unseen {
                assert!(!page.contains(&format!(">Orang {number}<")), "{} {query}: {number}", t.on);
            }
        }
        assert_eq!(tab.get(&format!("{at}?page=0")).await.status, 422);
        t.user(school.id, "4001", seed::PRINCIPAL).await;
        for number in ["2001", "4001"] {
            assert_eq!(Tab::of(&t, number).await.get(&at).await.status, 403, "{number}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_person_shows_his_month_his_card_and_his_classes_to_whom_he_concerns() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::super::tests::school(&t, "B", "5101").await;
        let lead = t.user(school.id, "2001", seed::TEACHER).await;
        t.user(school.id, "2002", seed::TEACHER).await;
        t.user(school.id, "4001", seed::PRINCIPAL).await;
        let room = class(&t, &school, "X IPA 1", Some(lead)).await;
        let pupil = student(&t, &school, room, "1001").await;
        let foreign = t.user(other.id, "1101", seed::STUDENT).await;
        let body = json!({"nisn_nip_nik": "1001", "latitude": HERE.0, "longitude": HERE.1});
        t.post("/api/student-attendance/scan-qr", Some(&school.admin), body).await;
        t.post("/api/student-qr-cards/generate", Some(&school.admin), json!({"student_id": pupil})).await;
        t.post(&format!("/api/users/{pupil}/photo"), Some(&school.admin), json!({"photo": picture(40)}))
            .await;
        let at = format!("/console/{}/people/{pupil}", school.id);

        let admin = Tab::of(&t, "5001").await;
        let page = admin.page(&at).await;
        for text in
            ["Orang 1001", "06:45", "X IPA 1", "image.svg", "id=\"save\"", "id=\"reprint\"", "size=thumb"]
        {
            assert!(page.contains(text), "{} {text}", t.on);
        }
        let before = admin.page(&format!("{at}?month=2025-10")).await;
        assert!(before.contains("Oktober 2025") && !before.contains("06:45"), "{before}");
        let ahead = admin.page(&format!("{at}?month=2031-10")).await;
        assert!(ahead.contains("November 2025"), "a month to come is this one");
        let homeroom = Tab::of(&t, "2001").await.page(&at).await;
        assert!(
            homeroom.contains("06:45")
                && !homeroom.contains("id=\"save\"")
                && !homeroom.contains("image.svg")
        );
        let principal = Tab::of(&t, "4001").await.page(&at).await;
        assert!(
            principal.contains("image.svg")
                && !principal.contains("id=\"save\"")
                && !principal.contains("id=\"reprint\"")
        );
        assert_eq!(Tab::of(&t, "2002").await.get(&at).await.status, 404, "no teacher of his");
        for id in [foreign.0, 999_999] {
            assert_eq!(admin.get(&format!("/console/{}/people/{id}", school.id)).await.status, 404, "{id}");
        }
        assert_eq!(admin.get(&format!("/console/{}/people/x", school.id)).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn what_the_forms_send_is_what_the_api_takes() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let tab = Tab::of(&t, "5001").await;
        let api = format!("/console/{}/api", school.id);
        let new = json!({"name": "Siti", "nisn_nip_nik": "1001", "role_id": 1, "password": "Rahasia123!"});
        let made = tab.call("POST", &format!("{api}/users"), &new).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let path = format!("{api}/users/{}", made.body["data"]["id"]);
        for body in [
            json!({"name": "Siti A", "nisn_nip_nik": "1001", "email": null, "phone": "0812345678", "role_id": 1}),
            json!({"password": "Rahasia456!"}),
            json!({"is_active": false}),
            json!({"is_active": true}),
        ] {
            let changed = tab.call("PUT", &path, &body).await;
            assert_eq!(changed.status, 200, "{} {body} {}", t.on, changed.body);
        }
    })
    .await;
}

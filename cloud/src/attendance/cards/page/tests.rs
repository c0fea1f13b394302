use axum::http::header;
use serde_json::json;
use tower::ServiceExt as _;

use crate::{
    attendance::tests::{both, class, count, school, student},
    console::tests::Tab,
    identity::seed,
    testing::request,
};

const ACTIVE: &str = "SELECT COUNT(*) FROM student_cards WHERE institution_id = $1 AND is_active";
const NOTED: &str =
    "SELECT COUNT(*) FROM audit_log WHERE institution_id = $1 AND action = 'card.generate_missing'";

#[tokio::test]
async fn it_shows_how_far_each_class_is_and_whose_card_is_missing() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::super::tests::school(&t, "B", "5101").await;
        t.user(school.id, "2001", seed::TEACHER).await;
        t.user(school.id, "4001", seed::PRINCIPAL).await;
        let room = class(&t, &school, "X IPA 1", None).await;
        let theirs = class(&t, &other, "VII A", None).await;
        let one = student(&t, &school, room, "1001").await;
        student(&t, &school, room, "1002").await;
        t.post("/api/student-qr-cards/generate", Some(&school.admin), json!({"student_id": one})).await;
        let tab = Tab::of(&t, "5001").await;
        let at = format!("/console/{}/cards", school.id);
        let page = tab.page(&at).await;
        assert!(
            page.contains("X IPA 1") && !page.contains("VII A") && page.contains("aria-label=\"1 / 2\""),
            "{page}"
        );
        let page = tab.page(&format!("{at}?class_id={room}")).await;
        assert!(
            page.contains("Orang 1001") && page.contains("Belum ada") && page.contains("data-ask"),
            "{page}"
        );
        let missing = tab.page(&format!("{at}?class_id={room}&state=missing")).await;
        assert!(missing.contains("Orang 1002") && !missing.contains("Orang 1001"));
        let active = tab.page(&format!("{at}?class_id={room}&state=active")).await;
        assert!(active.contains("Orang 1001") && !active.contains("Orang 1002"));
        for id in [theirs.0, 999_999] {
            assert_eq!(tab.get(&format!("{at}?class_id={id}")).await.status, 404);
        }
        assert_eq!(Tab::of(&t, "2001").await.get(&at).await.status, 403);
        let principal = Tab::of(&t, "4001").await.page(&format!("{at}?class_id={room}")).await;
        assert!(
            principal.contains("Orang 1001") && !principal.contains("reprint-"),
            "reads, and changes nothing"
        );
    })
    .await;
}

#[tokio::test]
async fn whoever_has_none_gets_one_and_who_has_one_keeps_it() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::super::tests::school(&t, "B", "5101").await;
        let (room, next) = (class(&t, &school, "X", None).await, class(&t, &school, "XI", None).await);
        let theirs = class(&t, &other, "X", None).await;
        let has = student(&t, &school, room, "1001").await;
        student(&t, &school, room, "1002").await;
        student(&t, &school, next, "1003").await;
        t.user(school.id, "1004", seed::STUDENT).await;
        let path = "/api/student-qr-cards/generate-missing";
        let kept =
            t.post("/api/student-qr-cards/generate", Some(&school.admin), json!({"student_id": has})).await;
        for (generated, remaining) in [(1, 0), (0, 0)] {
            let made = t.post(path, Some(&school.admin), json!({"class_id": room})).await;
            let data = json!({"generated": generated, "remaining": remaining});
            assert_eq!((made.status.as_u16(), &made.body["data"]), (200, &data), "{} {}", t.on, made.body);
        }
        let all = t.post(path, Some(&school.admin), json!({})).await;
        assert_eq!(all.body["data"]["generated"], 1, "who is in no class gets none");
        assert_eq!((count(&t, ACTIVE, &school).await, count(&t, NOTED, &school).await), (3, 2));
        let card = format!("/api/student-qr-cards/{}", kept.body["data"]["id"]);
        assert_eq!(t.get(&card, Some(&school.admin)).await.body["data"]["is_active"], true);
        let foreign = t.post(path, Some(&school.admin), json!({"class_id": theirs})).await;
        assert_eq!(foreign.status, 404, "{}", foreign.body);
    })
    .await;
}

#[tokio::test]
async fn a_choice_of_students_is_printed() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::super::tests::school(&t, "B", "5101").await;
        let room = class(&t, &school, "X", None).await;
        let one = student(&t, &school, room, "1001").await;
        let two = t.user(school.id, "1002", seed::STUDENT).await;
        let teacher = t.user(school.id, "2001", seed::TEACHER).await;
        let foreign = t.user(other.id, "1101", seed::STUDENT).await;
        t.post("/api/student-qr-cards/generate", Some(&school.admin), json!({"student_id": one})).await;
        let path = "/api/student-qr-cards/cards.pdf";
        let asked = request("GET", &format!("{path}?students={one},{two},{one}"), Some(&school.admin));
        let answer = t.router().oneshot(asked.body(axum::body::Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(
            (&answer.headers()[header::CONTENT_TYPE], &answer.headers()["x-without-card"]),
            (&"application/pdf".parse().unwrap(), &"1".parse().unwrap())
        );
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 24).await.unwrap();
        assert!(bytes.starts_with(b"%PDF-"));
        let too_many = (1..=401).map(|n: i64| n.to_string()).collect::<Vec<_>>().join(",");
        for (status, students) in [
            (404, format!("{one},{foreign}")),
            (404, format!("{teacher}")),
            (404, "999999".into()),
            (422, String::new()),
            (422, "1,x".into()),
            (422, too_many),
        ] {
            let refused = t.get(&format!("{path}?students={students}"), Some(&school.admin)).await;
            assert_eq!(refused.status, status, "{students:.20} {}", refused.body);
        }
    })
    .await;
}

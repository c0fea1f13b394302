use serde_json::json;

use crate::{
    attendance::tests::{both, class, school, student},
    console::tests::Tab,
    identity::seed,
};

#[tokio::test]
async fn a_teacher_sees_the_classes_he_leads_and_changes_none() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::super::tests::school(&t, "B", "5101").await;
        let lead = t.user(school.id, "2001", seed::TEACHER).await;
        let own = class(&t, &school, "X IPA 1", Some(lead)).await;
        let next = class(&t, &school, "X IPA 2", None).await;
        let theirs = class(&t, &other, "VII A", None).await;
        for number in ["1001", "1002"] {
            student(&t, &school, own, number).await;
        }
        let at = |path: &str| format!("/console/{}/classes{path}", school.id);
        let teacher = Tab::of(&t, "2001").await;
        let list = teacher.page(&at("")).await;
        assert!(
            list.contains("X IPA 1") && !list.contains("X IPA 2") && !list.contains("new-class"),
            "{list}"
        );
        let page = teacher.page(&at(&format!("/{own}"))).await;
        assert!(
            page.contains("Orang 1002") && !page.contains("student_ids") && !page.contains("edit-class"),
            "{page}"
        );
        assert_eq!(teacher.get(&at(&format!("/{next}"))).await.status, 404);
        assert_eq!(teacher.get(&at("/promote")).await.status, 403);

        let admin = Tab::of(&t, "5001").await;
        let list = admin.page(&at("")).await;
        assert!(list.contains("X IPA 2") && !list.contains("VII A") && list.contains("new-class"), "{list}");
        for path in [format!("/{theirs}"), "/999999".into(), "/x".into()] {
            assert_eq!(admin.get(&at(&path)).await.status, 404, "{path}");
        }
        t.user(school.id, "4001", seed::PRINCIPAL).await;
        let principal = Tab::of(&t, "4001").await.page(&at(&format!("/{next}"))).await;
        assert!(principal.contains("X IPA 2") && !principal.contains("id=\"adds\""));
    })
    .await;
}

#[tokio::test]
async fn students_are_found_to_be_put_into_a_class_and_moved() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let one = class(&t, &school, "X IPA 1", None).await;
        let two = class(&t, &school, "X IPA 2", None).await;
        let moves = student(&t, &school, one, "1001").await;
        let free = t.user(school.id, "1002", seed::STUDENT).await;
        t.user(school.id, "2001", seed::TEACHER).await;
        let tab = Tab::of(&t, "5001").await;
        let at = format!("/console/{}/classes/{two}", school.id);
        let page = tab.page(&format!("{at}?add=1")).await;
        let (first, second) = (page.find("Orang 1002").unwrap(), page.find("Orang 1001").unwrap());
        assert!(first < second, "who is in no class comes first");
        let offered = page.split("id=\"candidates\"").nth(1).unwrap().split("</fieldset>").next().unwrap();
        assert!(offered.contains("pindah dari X IPA 1") && !offered.contains("Orang 2001"), "{offered}");
        assert!(!tab.page(&format!("{at}?q=1002")).await.contains("Orang 1001"));

        let body = json!({"student_ids": [moves, free], "academic_year": 2025, "moves": true, "effective_from": "2025-11-21"});
        let api = format!("/console/{}/api/classes/{two}/assign-students", school.id);
        for _ in 0..2 {
            let put = tab.call("POST", &api, &body).await;
            assert_eq!(put.status, 200, "{} {}", t.on, put.body);
        }
        let page = tab.page(&at).await;
        assert!(page.contains("Orang 1001") && page.contains("Orang 1002"), "{page}");
        assert!(!tab.page(&format!("/console/{}/classes/{one}", school.id)).await.contains("Orang 1001"));
        let history = tab.page(&format!("/console/{}/people/{moves}", school.id)).await;
        assert!(history.contains("21-11-2025") && history.contains("14-07-2025"), "{history}");
    })
    .await;
}

#[tokio::test]
async fn the_step_into_a_new_year_proposes_the_next_class() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let ten = class(&t, &school, "X IPA 1", None).await;
        let eleven = class(&t, &school, "XI IPA 1", None).await;
        let twelve = class(&t, &school, "XII IPA 1", None).await;
        let lonely = class(&t, &school, "XI IPA 9", None).await;
        for (room, number) in [(ten, "1001"), (eleven, "1002"), (twelve, "1003"), (lonely, "1004")] {
            student(&t, &school, room, number).await;
        }
        let page = Tab::of(&t, "5001").await.page(&format!("/console/{}/classes/promote", school.id)).await;
        let line = |class| {
            page.split(&format!("data-line=\"{class}\"")).nth(1).unwrap().split("</tr>").next().unwrap()
        };
        assert!(
            line(ten).contains(&format!("<option value=\"{eleven}\" selected>XI IPA 1")),
            "{}",
            line(ten)
        );
        assert!(line(eleven).contains(&format!("<option value=\"{twelve}\" selected>")));
        assert!(line(twelve).contains("<option value=\"null\" selected>"));
        assert!(line(lonely).contains("data-makes=\"XII IPA 9\""), "{}", line(lonely));
        assert!(page.contains("2025/2026") && page.contains("2026/2027"));
    })
    .await;
}

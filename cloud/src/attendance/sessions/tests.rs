use serde_json::{Value, json};

use crate::{
    attendance::tests::{both, school},
    console::tests::{Tab, super_admin},
    identity::seed,
    testing::TestApp,
};

async fn own(t: &TestApp, token: &str) -> Vec<Value> {
    let answer = t.get("/api/sessions", Some(token)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn one_sees_ones_own_and_ends_one_or_all_others() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, first) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (second, third) = (t.login("2001").await, t.login("2001").await);
        let seen = own(&t, &first).await;
        assert_eq!(seen.len(), 3, "{}", t.on);
        assert_eq!(seen.iter().filter(|one| one["current"] == true).count(), 1, "{seen:?}");
        assert!(
            seen.iter().all(|one| one["client"] == "attendance" && one.get("token").is_none()),
            "{seen:?}"
        );

        let of_second = own(&t, &second).await.into_iter().find(|one| one["current"] == true).unwrap();
        let path = format!("/api/sessions/{}", of_second["id"].as_str().unwrap());
        assert_eq!(t.delete(&path, Some(&school.admin)).await.status, 404, "another's");
        assert_eq!(t.delete(&path, Some(&first)).await.status, 200);
        assert_eq!(t.delete(&path, Some(&first)).await.status, 404, "once");
        assert_eq!(t.get("/api/user", Some(&second)).await.status, 401, "{}: at once", t.on);
        for rubbish in ["x", "1", "00000000-0000-0000-0000-000000000000"] {
            assert_eq!(
                t.delete(&format!("/api/sessions/{rubbish}"), Some(&first)).await.status,
                404,
                "{rubbish}"
            );
        }

        let ended = t.post("/api/sessions/end-others", Some(&first), json!({})).await;
        assert_eq!((ended.status.as_u16(), &ended.body["data"]["ended"]), (200, &json!(1)), "{}", ended.body);
        assert_eq!(t.get("/api/user", Some(&third)).await.status, 401);
        assert_eq!(own(&t, &first).await.len(), 1);
        let again = t.post("/api/sessions/end-others", Some(&first), json!({})).await;
        assert_eq!(again.body["data"]["ended"], 0);
        assert_eq!(t.get("/api/sessions", None).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn an_administrator_ends_those_of_his_people_and_of_nobody_else() {
    both(async |t| {
        let (own_school, other) = (school(&t, "A", "5001").await, school(&t, "B", "5101").await);
        let (teacher, token) = t.signed_in(own_school.id, "2001", seed::TEACHER).await;
        let (stranger, theirs) = t.signed_in(other.id, "2101", seed::TEACHER).await;
        let list = format!("/api/users/{teacher}/sessions");
        let seen = t.get(&list, Some(&own_school.admin)).await;
        let id = seen.body["data"][0]["id"].as_str().unwrap_or_else(|| panic!("{}", seen.body)).to_owned();
        let foreign = t.app.identity.caller(&t.app, &theirs).await.unwrap().session;
        for (path, token, status) in [
            (list.clone(), &token, 403),
            (list.clone(), &other.admin, 404),
            (format!("{list}/{id}"), &token, 403),
            (format!("{list}/{id}"), &other.admin, 404),
            (format!("{list}/{foreign}"), &own_school.admin, 404),
            (format!("/api/users/{stranger}/sessions/{foreign}"), &own_school.admin, 404),
            (format!("/api/users/{stranger}/sessions"), &own_school.admin, 404),
        ] {
            assert_eq!(t.delete(&path, Some(token)).await.status, status, "{} {path}", t.on);
        }
        assert_eq!(t.get("/api/user", Some(&token)).await.status, 200);
        assert_eq!(t.delete(&format!("{list}/{id}"), Some(&own_school.admin)).await.status, 200);
        assert_eq!(t.get("/api/user", Some(&token)).await.status, 401);
        let said = t.get("/api/audit?action=session.revoke", Some(&own_school.admin)).await;
        let row = &said.body["data"]["entries"][0];
        assert_eq!(
            (&row["actor_name"], &row["subject"]),
            (&json!("Orang 5001"), &json!(format!("session:{id}"))),
            "{}: by whom, {row}",
            t.on
        );
        t.login("2001").await;
        t.login("2001").await;
        let all = t.delete(&list, Some(&own_school.admin)).await;
        assert_eq!(all.body["data"]["ended"], 2, "{}", all.body);
    })
    .await;
}

#[tokio::test]
async fn the_page_shows_ones_own_and_to_administrators_the_schools() {
    both(async |t| {
        let (own, other) = (school(&t, "A", "5001").await, school(&t, "B", "5101").await);
        let (teacher, _) = t.signed_in(own.id, "2001", seed::TEACHER).await;
        let at = format!("/console/{}/sessions", own.id.0);
        let tab = Tab::of(&t, "2001").await;
        let page = tab.page(&at).await;
        assert!(page.contains("Sesi ini") && page.contains("Keluar di semua perangkat lain"), "{page}");
        assert!(!page.contains("Orang di sekolah ini") && !page.contains("Orang 5001"), "{page}");
        assert_eq!(tab.get(&format!("/console/{}/sessions", other.id.0)).await.status, 404);

        let admin = Tab::of(&t, "5001").await;
        let page = admin.page(&at).await;
        assert!(
            page.contains("Orang 2001") && page.contains(&format!("/users/{teacher}/sessions/")),
            "{page}"
        );
        assert!(!page.contains("Orang 5101"), "another school's: {page}");
        let found = admin.page(&format!("{at}?q=2001")).await;
        assert!(found.contains("Orang 2001") && found.contains("value=\"2001\""), "{found}");
        assert!(
            admin.page(&format!("{at}?q=%25")).await.contains("Tidak ada sesi"),
            "a sign, not a wildcard"
        );
        assert!(admin.page(&format!("{at}?q=%00%3Cb%3E")).await.contains("value=\"&#60;b&#62;\""));

        let rows = t.get(&format!("/api/users/{teacher}/sessions"), Some(&own.admin)).await;
        let console =
            rows.body["data"].as_array().unwrap().iter().find(|one| one["client"] == "console").unwrap();
        let path =
            format!("/console/{}/api/users/{teacher}/sessions/{}", own.id.0, console["id"].as_str().unwrap());
        assert_eq!(admin.call("DELETE", &path, &json!({})).await.status, 200);
        assert_eq!(tab.get(&at).await.status, 303, "{}: signed out", t.on);
        assert!(super_admin(&t).await.page(&at).await.contains("Orang 2001"));
    })
    .await;
}

use serde_json::json;

use crate::{
    attendance::tests::{both, school},
    console::tests::{Tab, super_admin},
    identity::seed,
};

#[tokio::test]
async fn who_has_which_role_and_what_it_may() {
    both(async |t| {
        let (own, other) = (school(&t, "A", "5001").await, school(&t, "B", "5101").await);
        let teacher = t.user(own.id, "2001", seed::TEACHER).await;
        let at = format!("/console/{}/roles", own.id.0);
        let tab = Tab::of(&t, "5001").await;
        let page = tab.page(&at).await;
        assert!(
            page.contains("Orang 5001") && page.contains("(Anda)") && !page.contains("Orang 5101"),
            "{page}"
        );
        for (_, code, roles) in seed::PERMISSIONS {
            if roles.iter().any(|role| *role <= seed::ADMIN) {
                assert!(!page.contains(&format!(">{code}<")), "{code} has no words");
            }
        }
        assert_eq!(
            page.matches('✓').count(),
            seed::PERMISSIONS.iter().flat_map(|one| one.2).filter(|role| **role <= seed::ADMIN).count()
        );
        let list = tab.page(&format!("{at}?role=2")).await;
        assert!(list.contains("Orang 2001") && list.contains(&format!("/users/{teacher}\"")), "{list}");
        let found = tab.page(&format!("{at}?q=ORANG+20")).await;
        assert!(found.contains("Orang 2001"), "{found}");
        assert!(
            tab.page(&format!("{at}?role=99")).await.contains("Orang 5001"),
            "an unknown role is the usual one"
        );

        let api = format!("/console/{}/api/users/{teacher}", own.id.0);
        assert_eq!(tab.call("PUT", &api, &json!({"role_id": seed::STAFF})).await.status, 200);
        assert!(tab.page(&format!("{at}?role=3")).await.contains("Orang 2001"));
        assert_eq!(tab.get(&format!("/console/{}/roles", other.id.0)).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_school_keeps_an_administrator_whoever_wants_otherwise() {
    both(async |t| {
        let own = school(&t, "A", "5001").await;
        let (second, token) = t.signed_in(own.id, "5002", seed::ADMIN).await;
        let (first,): (i64,) = {
            let mut tx = t.app.db.read(own.id).await.unwrap();
            tx.query("SELECT id FROM users WHERE nisn_nip_nik = '5001'").one().await.unwrap()
        };
        let demote = json!({"role_id": seed::TEACHER});
        let (of_first, of_second) = (format!("/api/users/{first}"), format!("/api/users/{second}"));
        let (a, b) = tokio::join!(
            t.put(&of_second, Some(&own.admin), demote.clone()),
            t.put(&of_first, Some(&token), demote.clone())
        );
        let mut statuses = [a.status.as_u16(), b.status.as_u16()];
        statuses.sort_unstable();
        // Whoever came later met the rule, had lost the permission, or was signed out by then.
        let refused = [401, 403, 422].contains(&statuses[1]);
        assert!(statuses[0] == 200 && refused, "{} {} {}", t.on, a.body, b.body);

        let above = super_admin(&t).await;
        let left = if a.status == 200 { first } else { second.0 };
        let api = format!("/console/{}/api/users/{left}", own.id.0);
        let refused = above.call("PUT", &api, &demote).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        assert_eq!(
            refused.body["errors"]["role_id"][0],
            "Sekolah harus memiliki sedikitnya satu admin aktif"
        );
        let refused = above.call("PUT", &api, &json!({"is_active": false})).await;
        assert!(refused.body["errors"]["is_active"].is_array(), "{}", refused.body);
        assert_eq!(above.call("DELETE", &api, &json!({})).await.status, 400);
        assert_eq!(
            above.call("PUT", &api, &json!({"name": "Nama Lain"})).await.status,
            200,
            "anything else is free"
        );
    })
    .await;
}

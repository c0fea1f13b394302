use serde_json::json;

use crate::{
    attendance::tests::{both, choose, school},
    console::tests::Tab,
    identity::seed,
    testing::START,
};

#[tokio::test]
async fn the_log_is_read_backwards_page_by_page_and_by_every_filter() {
    both(async |t| {
        let (own, other) = (school(&t, "A", "5001").await, school(&t, "B", "5101").await);
        t.user(own.id, "4001", seed::PRINCIPAL).await;
        for (minute, value) in (1..).zip(["110", "120", "130", "140", "150"]) {
            t.clock.set(START.plus_seconds(60 * minute));
            choose(&t, &own, "attendance_radius", value).await;
        }
        choose(&t, &other, "attendance_radius", "999").await;
        let token = t.login("4001").await;
        let get = async |query: &str| {
            let answer = t.get(&format!("/api/audit?{query}"), Some(&token)).await;
            assert_eq!(answer.status, 200, "{query} {}", answer.body);
            answer.body["data"].clone()
        };
        let values = |page: &serde_json::Value| -> Vec<String> {
            let rows = page["entries"].as_array().unwrap();
            rows.iter().map(|row| row["after"]["value"].as_str().unwrap_or("-").to_owned()).collect()
        };
        let first = get("action=setting.update&subject=setting:attendance_radius&limit=2").await;
        assert_eq!(values(&first), ["150", "140"], "{}", t.on);
        assert_eq!(first["entries"][0]["before"]["value"], "140");
        let next = first["next"].as_str().unwrap();
        // One that comes in between moves no page.
        choose(&t, &own, "attendance_radius", "160").await;
        let second =
            get(&format!("action=setting.update&subject=setting:attendance_radius&limit=3&before={next}"))
                .await;
        assert_eq!(
            (values(&second), &second["next"]),
            (vec!["130".into(), "120".into(), "110".into()], &json!(null))
        );

        for (query, is_found) in [
            ("action=setting.&actor=5001", true),
            ("action=setting.&actor=ORANG%205001", true),
            ("action=setting.&actor=system", true),
            ("action=setting.&actor=user:999999", false),
            ("action=setting.&actor=nobody", false),
            ("action=setting.&actor=%25", false),
            ("action=setting.&start_date=2025-11-21&end_date=2025-11-21", true),
            ("action=setting.&end_date=2025-11-20", false),
            ("action=setting.&start_date=2025-11-22", false),
            ("action=_etting", false),
        ] {
            let found = !get(query).await["entries"].as_array().unwrap().is_empty();
            assert_eq!(found, is_found, "{} {query}", t.on);
        }
        let all = get("limit=100").await;
        assert!(!all.to_string().contains("999\""), "another school's");
        for query in [
            "limit=0",
            "limit=101",
            "before=x",
            "before=1-",
            "start_date=x",
            "start_date=2025-11-21&end_date=2025-11-20",
        ] {
            assert_eq!(t.get(&format!("/api/audit?{query}"), Some(&token)).await.status, 422, "{query}");
        }
        let csv = t.get("/api/audit?format=csv&action=setting.update", Some(&token)).await;
        assert!(csv.body.as_str().unwrap().contains("setting:attendance_radius"), "{}", csv.body);
    })
    .await;
}

#[tokio::test]
async fn the_page_says_what_changed_in_words() {
    both(async |t| {
        let (own, other) = (school(&t, "A", "5001").await, school(&t, "B", "5101").await);
        t.user(own.id, "2001", seed::TEACHER).await;
        choose(&t, &own, "app_name", "<script>alert(1)</script>").await;
        let at = format!("/console/{}/audit", own.id.0);
        let admin = Tab::of(&t, "5001").await;
        let page = admin.page(&format!("{at}?action=setting.update")).await;
        assert!(page.contains("Pengaturan: diubah") && page.contains("Orang 5001"), "{page}");
        assert!(page.contains("<del>Hadir</del> → <ins>&#60;script&#62;alert(1)"), "{page}");
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(admin.page(&format!("{at}?actor=nobody")).await.contains("Tidak ada catatan"));
        assert_eq!(admin.get(&format!("{at}?before=rubbish")).await.status, 422);
        assert_eq!(admin.get(&format!("/console/{}/audit", other.id.0)).await.status, 404);
        assert_eq!(Tab::of(&t, "2001").await.get(&at).await.status, 403);
        for n in 0..3 {
            choose(&t, &own, "app_name", &format!("Hadir {n}")).await;
        }
        let first = admin.page(&format!("{at}?action=setting.update&limit=2")).await;
        assert!(
            first.contains("Hadir 2") && first.contains("Lebih lama") && !first.contains("Terbaru"),
            "{first}"
        );
    })
    .await;
}

use serde_json::json;

use crate::{
    attendance::tests::{both, choose, school},
    console::tests::Tab,
    identity::seed,
};

#[tokio::test]
async fn a_month_is_shown_with_what_is_off_in_it() {
    both(async |t| {
        let (own, other) = (school(&t, "A", "5001").await, school(&t, "B", "5101").await);
        t.user(own.id, "2001", seed::TEACHER).await;
        let at = format!("/console/{}/calendar", own.id.0);
        let tab = Tab::of(&t, "5001").await;
        let empty = tab.page(&format!("{at}?month=2025-12")).await;
        assert!(empty.contains("Belum ada hari libur") && empty.contains("27 hari sekolah"), "{empty}");
        let api = format!("/console/{}/api/holidays", own.id.0);
        let body =
            json!({"start_date": "2025-12-22", "end_date": "2025-12-24", "name": "Libur <b>semester</b>"});
        assert_eq!(tab.call("POST", &api, &body).await.status, 201);
        let page = tab.page(&format!("{at}?month=2025-12")).await;
        assert!(page.contains("24 hari sekolah") && page.contains("Desember 2025"), "{page}");
        // Three in the grid, three in the list, and as many forms that begin with it.
        assert_eq!(page.matches("Libur &#60;b&#62;semester").count(), 3 + 3 + 6, "{page}");
        assert!(
            !page.contains("<b>semester") && page.contains("month=2025-11") && page.contains("month=2026-01"),
            "{page}"
        );
        choose(&t, &own, "school_days", "1-5").await;
        let shorter = tab.page(&format!("{at}?month=2025-12")).await;
        assert!(shorter.contains("20 hari sekolah"), "{shorter}");

        let teacher = Tab::of(&t, "2001").await;
        let seen = teacher.page(&at).await;
        assert!(seen.contains("November 2025") && !seen.contains("<dialog id=\"add\""), "he reads: {seen}");
        assert_eq!(teacher.call("POST", &api, &body).await.status, 403);
        assert_eq!(tab.get(&format!("/console/{}/calendar", other.id.0)).await.status, 404);
        for rubbish in ["2025-13", "x", "0000-01"] {
            assert_eq!(tab.get(&format!("{at}?month={rubbish}")).await.status, 422, "{rubbish}");
        }
        for edge in ["0001-01", "9999-12"] {
            let status = tab.get(&format!("{at}?month={edge}")).await.status.as_u16();
            assert!(status < 500, "{edge}: {status}");
        }
    })
    .await;
}

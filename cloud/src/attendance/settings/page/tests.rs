use serde_json::json;

use crate::{
    attendance::tests::{both, choose, school},
    console::tests::Tab,
    identity::seed,
};

#[tokio::test]
async fn everything_there_is_to_choose_stands_on_the_page() {
    both(async |t| {
        let (own, other) = (school(&t, "A", "5001").await, school(&t, "B", "5101").await);
        t.user(own.id, "4001", seed::PRINCIPAL).await;
        choose(&t, &own, "app_name", "\"><script>alert(1)</script>").await;
        choose(&t, &own, "weekday_hours", "5=07:00-11:30").await;
        let at = format!("/console/{}/settings", own.id.0);
        let tab = Tab::of(&t, "5001").await;
        let page = tab.page(&at).await;
        for setting in hadir_shared::settings::ALL {
            assert!(page.contains(&format!("name=\"{}\"", setting.key)), "{}", setting.key);
        }
        assert!(page.contains("&#34;&#62;&#60;script&#62;") && !page.contains("<script>alert"), "{page}");
        let friday = page.split("data-weekday=\"5\"").nth(1).unwrap().split("</tr>").next().unwrap();
        assert!(
            friday.contains("value=\"07:00\"")
                && friday.contains("value=\"11:30\"")
                && friday.contains(" checked"),
            "{friday}"
        );
        let sunday = page.split("data-weekday=\"7\"").nth(1).unwrap().split("</tr>").next().unwrap();
        assert!(sunday.contains("value=\"\"") && !sunday.contains(" checked"), "{sunday}");
        assert_eq!(Tab::of(&t, "4001").await.get(&at).await.status, 403);
        assert_eq!(tab.get(&format!("/console/{}/settings", other.id.0)).await.status, 404);

        let api = format!("/console/{}/api/settings/bulk-update", own.id.0);
        let body = json!({"settings": [{"key": "weekday_hours", "value": "5=11:30-07:00"}]});
        let refused = tab.call("PUT", &api, &body).await;
        assert_eq!(refused.status, 422);
        assert!(
            refused.body["errors"]["settings.0.value"][0].as_str().unwrap().contains("5=07:00-11:30"),
            "{}",
            refused.body
        );
    })
    .await;
}

#[tokio::test]
async fn a_point_is_tried_against_the_fence_without_a_script() {
    both(async |t| {
        let own = school(&t, "A", "5001").await;
        let at = format!("/console/{}/settings", own.id.0);
        let tab = Tab::of(&t, "5001").await;
        // 100 metres around -6.2, 106.8166; a thousandth of a degree is 111 metres.
        let cases = [
            ("latitude=-6.2&longitude=106.8166&accuracy=10", "badge good\">Di dalam area", "diterima."),
            ("latitude=-6.2009&longitude=106.8166&accuracy=30", "badge warn\">Tidak pasti", "diterima."),
            (
                "latitude=-6,21&longitude=106,8166&accuracy=10",
                "badge bad\">Di luar area",
                "diterima dan ditandai.",
            ),
        ];
        for (query, verdict, consequence) in cases {
            let page = tab.page(&format!("{at}?{query}")).await;
            assert!(page.contains(verdict) && page.contains(consequence), "{} {query}: {page}", t.on);
            assert!(page.contains("<circle class=\"fence\"") && page.contains("m</text>"), "{page}");
        }
        choose(&t, &own, "geofence_policy", "block").await;
        let page = tab.page(&format!("{at}?latitude=-6.21&longitude=106.8166")).await;
        assert!(page.contains("Absensi dari titik ini ditolak."), "{page}");
        for rubbish in
            ["latitude=95&longitude=0", "latitude=x&longitude=%22%3E%3Cb%3E", "latitude=NaN&longitude=1"]
        {
            let page = tab.page(&format!("{at}?{rubbish}")).await;
            assert!(page.contains("Bukan koordinat") && !page.contains("\"><b>"), "{rubbish}: {page}");
        }
        choose(&t, &own, "school_area", "-6.2,106.8; -6.2,106.81; -6.21,106.81").await;
        assert!(tab.page(&at).await.contains("<polygon class=\"fence\""));
        choose(&t, &own, "school_area", "").await;
        choose(&t, &own, "school_latitude", "").await;
        assert!(tab.page(&at).await.contains("Belum ada pagar"));
    })
    .await;
}

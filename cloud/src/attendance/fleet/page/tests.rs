//! The pages of the boxes, on both databases.

use serde_json::json;

use crate::{
    attendance::fleet::hand::HandBox,
    console::tests::Tab,
    identity::seed,
    testing::{START, TestApp},
};

#[tokio::test]
async fn a_box_is_shown_with_how_it_is_and_what_is_wrong_with_it() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        t.user(school, "5001", seed::ADMIN).await;
        let pupil = t.user(school, "1001", seed::STUDENT).await;
        let tab = Tab::of(&t, "5001").await;
        let fleet = format!("/console/{}/fleet", school.0);
        assert!(tab.page(&fleet).await.contains("Belum ada kotak"));
        let mut own = HandBox::enrol(&t, school).await;
        let mut batch = own.batch(&t, vec![HandBox::scan(&t, pupil, START.plus_seconds(-90))]);
        (batch.acked_view, batch.health.pending) = (0, 1);
        own.deliver(&t, &batch).await;
        let page = tab.page(&fleet).await;
        for said in
            ["Gerbang 1", "Baik", "tercatat 1 = diterima 1", "✓ kepala rantai sama", "+1,5 detik", "1.0.0"]
        {
            assert!(page.contains(said), "{} {said}: {page}", t.on);
        }
        let one = tab.page(&format!("{fleet}/{}", own.device)).await;
        // How late its record came, and the rest.
        for said in ["1 menit", &own.log.to_string(), "<svg class=\"chart\"", "Cabut"] {
            assert!(one.contains(said), "{} {said}: {one}", t.on);
        }
        assert!(tab.page(&format!("{fleet}/{}?range=7d", own.device)).await.contains("<svg class=\"chart\""));

        // Half an hour and more of silence, on a school day that has begun.
        t.clock.advance_ms(40 * 60_000);
        let silent = tab.page(&fleet).await;
        assert!(silent.contains("Gerbang 1 tidak terdengar sejak 40 menit lalu"), "{silent}");
        assert!(silent.contains(&format!("/fleet/{}", own.device)), "{silent}");
        let mut late = own.batch(&t, vec![]);
        late.t1.wall = t.app.now().plus_millis(-90_000);
        own.deliver(&t, &late).await;
        let off = tab.page(&fleet).await;
        assert!(off.contains("Jam Gerbang 1 1 menit terlambat") && !off.contains("tidak terdengar"), "{off}");
    })
    .await;
}

#[tokio::test]
async fn quarantine_forks_and_revocation_stand_on_a_boxs_page() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        t.user(school, "5001", seed::ADMIN).await;
        let tab = Tab::of(&t, "5001").await;
        let mut own = HandBox::enrol(&t, school).await;
        let batch = own.batch(&t, vec!["{\"v\":9}".into()]);
        own.deliver(&t, &batch).await;
        let mut twin = own.clone();
        twin.log = hadir_shared::ids::LogId(t.app.ids.random_uuid());
        twin.head = hadir_shared::chain::Head::genesis(twin.log);
        let beat = twin.batch(&t, vec![]);
        twin.deliver(&t, &beat).await;
        let path = format!("/console/{}/fleet/{}", school.0, own.device);
        let page = tab.page(&path).await;
        assert!(page.contains("lebih dari satu riwayat"), "{page}");
        assert!(
            page.contains(&format!("process-{}", own.log))
                && !page.contains(&format!("process-{}", twin.log))
        );
        let choose = format!("/console/{}/api/edge-devices/{}/logs/{}/choose", school.0, own.device, own.log);
        let chosen = tab.call("POST", &choose, &json!({"reason": "yang asli"})).await;
        assert_eq!(chosen.status, 200, "{}", chosen.body);
        assert_eq!(
            tab.page(&path).await.matches("ditutup").count(),
            2,
            "one log, and the sentence about choosing"
        );
        let revoke = format!("/console/{}/api/edge-devices/{}/revoke", school.0, own.device);
        assert_eq!(tab.call("POST", &revoke, &json!({})).await.status, 200);
        let after = tab.page(&path).await;
        assert!(after.contains("Kotak ini dicabut pada") && !after.contains("id=\"revoke\""), "{after}");
    })
    .await;
}

#[tokio::test]
async fn a_name_runs_nowhere_and_a_box_is_of_its_school_alone() {
    TestApp::both(async |t| {
        let (school, other) = (t.institution("A").await, t.institution("B").await);
        for (at, number, role) in [
            (school, "5001", seed::ADMIN),
            (school, "4001", seed::PRINCIPAL),
            (school, "2001", seed::TEACHER),
            (other, "5101", seed::ADMIN),
        ] {
            t.user(at, number, role).await;
        }
        let own = HandBox::enrol(&t, school).await;
        let tab = Tab::of(&t, "5001").await;
        let (list, one) = (format!("/console/{}/fleet", school.0), format!("/fleet/{}", own.device));
        let rename = format!("/console/{}/api/edge-devices/{}", school.0, own.device);
        let hostile = json!({"name": "<script>alert(1)</script>\"'"});
        assert_eq!(tab.call("PUT", &rename, &hostile).await.status, 200);
        for path in
            [list.clone(), format!("/console/{}{one}", school.0), format!("/console/{}/log", school.0)]
        {
            let page = tab.page(&path).await;
            assert!(!page.contains("<script>alert") && page.contains("alert(1)"), "{path}");
        }
        let principal = Tab::of(&t, "4001").await;
        let read = principal.page(&format!("/console/{}{one}", school.0)).await;
        assert!(!read.contains("id=\"rename\"") && !read.contains("id=\"revoke\""), "reads only");
        assert!(!principal.page(&list).await.contains("new-code"));
        assert_eq!(Tab::of(&t, "2001").await.get(&list).await.status, 403);
        let stranger = Tab::of(&t, "5101").await;
        assert_eq!(stranger.get(&format!("/console/{}{one}", other.0)).await.status, 404, "{}", t.on);
        assert!(stranger.page(&format!("/console/{}/fleet", other.0)).await.contains("Belum ada kotak"));
    })
    .await;
}

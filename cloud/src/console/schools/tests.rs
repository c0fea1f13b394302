//! The list of all schools, on both databases.

use hadir_shared::ids::InstitutionId;

use crate::{
    attendance::fleet::hand::HandBox,
    console::tests::{Tab, super_admin},
    identity::seed,
    testing::{START, TestApp},
};

/// The row of a school, from its link to the next one's.
fn row(page: &str, school: InstitutionId) -> String {
    let link = format!("<a href=\"/console/{}\">", school.0);
    let rest = page.split(&link).nth(1).unwrap_or_else(|| panic!("{school} is not in {page}"));
    rest.split("</tr>").next().unwrap().to_owned()
}

#[tokio::test]
async fn every_school_is_there_with_its_day_its_boxes_and_what_waits_in_it() {
    TestApp::both(async |t| {
        let (well, ill) = (t.institution("SMAN1").await, t.institution("SMPN2").await);
        let pupil = t.user(well, "1001", seed::STUDENT).await;
        t.user(well, "1002", seed::STUDENT).await;
        let teacher = t.user(well, "2001", seed::TEACHER).await;
        let mut own = HandBox::enrol(&t, well).await;
        let late = START.plus_seconds(3600);
        t.clock.set(late);
        let events = vec![HandBox::scan(&t, pupil, late), HandBox::scan(&t, teacher, START), "{}".into()];
        let batch = own.batch(&t, events);
        own.deliver(&t, &batch).await;
        HandBox::enrol(&t, ill).await;
        t.clock.advance_ms(31 * 60_000);
        let beat = own.batch(&t, vec![]);
        own.deliver(&t, &beat).await;

        let tab = super_admin(&t).await;
        let page = tab.page("/console/schools").await;
        let of_well = row(&page, well);
        assert!(of_well.contains("0 hadir, 1 terlambat dari 2"), "{} students alone: {of_well}", t.on);
        assert!(of_well.contains("✓ 1 baik") && of_well.contains("1 catatan"), "{of_well}");
        assert!(of_well.contains(&format!("/console/{}/log?status=failed", well.0)), "{of_well}");
        let of_ill = row(&page, ill);
        assert!(of_ill.contains("0 hadir, 0 terlambat dari 0") && of_ill.contains("✓ 0"), "{of_ill}");
        assert!(
            of_ill.contains("1 dari 1 bermasalah") && of_ill.contains("tidak terdengar sejak"),
            "{of_ill}"
        );

        let found = tab.page("/console/schools?q=smp").await;
        assert!(row(&found, ill).contains("SMPN2") && !found.contains("SMAN1"), "{found}");
        assert!(tab.page("/console/schools?q=%25").await.contains("Tidak ada sekolah yang cocok"));
        let second = tab.page("/console/schools?per_page=1&page=2").await;
        assert!(row(&second, ill).contains("SMPN2") && !second.contains("SMAN1"), "{second}");
        assert!(second.contains("2 baris"), "{second}");
    })
    .await;
}

#[tokio::test]
async fn it_is_for_those_alone_who_look_after_all_schools() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        for (number, role) in [("5001", seed::ADMIN), ("4001", seed::PRINCIPAL), ("1001", seed::STUDENT)] {
            t.user(school, number, role).await;
            assert_eq!(Tab::of(&t, number).await.get("/console/schools").await.status, 404, "{number}");
        }
        assert_eq!(t.get("/console/schools", None).await.status, 303);
        let tab = super_admin(&t).await;
        let hostile = tab.page("/console/schools?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await;
        assert!(!hostile.contains("<script>alert"), "{hostile}");
        assert_eq!(tab.get("/console/schools?page=0").await.status, 422);
    })
    .await;
}

//! The overview while the school comes in.

use hadir_shared::demo;
use serde_json::json;

use super::{Console, can_run};
use crate::school::on_both;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_counters_move_when_somebody_arrives() {
    if !can_run() {
        return;
    }
    on_both(async |engine| {
        let console = Console::open(engine, "5001").await.unwrap();
        let admin = console.cloud.sign_in("5001").await.unwrap();
        let card = console.cloud.cards("5001").await.unwrap().into_iter().next().unwrap();
        let point = demo::schools()[0].point;
        console.run("window.marked = true").await.unwrap();
        let before = console.browser.text("#students-came").await.unwrap();
        assert!(before.starts_with('0'), "{engine:?}: {before}");
        // What somebody has opened stays open.
        console.run("document.querySelector('#missing details').open = true").await.unwrap();

        let scan = json!({ "qr_code": card.code, "latitude": point.latitude, "longitude": point.longitude });
        let scanned = admin.post("/api/student-attendance/scan-qr", &scan).await.unwrap();
        let name = scanned["data"]["student"]["name"]
            .as_str()
            .or(scanned["student"]["name"].as_str())
            .unwrap()
            .to_owned();
        console
            .browser
            .until("document.getElementById('students-came').innerText.startsWith('1')")
            .await
            .unwrap();
        let shown = console.browser.text("#recent").await.unwrap();
        assert!(shown.contains(&name), "{engine:?}: {shown}");
        let is_there =
            format!("return !document.getElementById('missing').textContent.includes({})", json!(name));
        assert_eq!(console.run(&is_there).await.unwrap(), true, "{engine:?}: he is not missing any more");
        assert_eq!(
            console.run("return window.marked").await.unwrap(),
            true,
            "{engine:?}: the page was loaded anew"
        );
        let open = "return document.querySelector('#missing details').open";
        assert_eq!(console.run(open).await.unwrap(), true, "{engine:?}: what was open was closed");
        assert!(console.browser.complaints().await.unwrap().is_empty());
    })
    .await;
}

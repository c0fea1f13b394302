//! A printed card is read by two readers that know nothing of each other: the box's, and zbar's.

use hadir_tests::{
    cards::{self, Face},
    frames::{self, Shot},
};
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::school::{Card, Cloud, Edge, Engine, on_both};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_printed_card_is_read_by_the_box_and_by_zbar() {
    on_both(two_readers).await;
}

async fn two_readers(engine: Engine) {
    let cloud = Cloud::start(engine, 30).await.unwrap();
    let edge = Edge::enrol(&cloud, &cloud.url()).await.unwrap();
    let folder = TempDir::new().unwrap();
    let mut rng = StdRng::seed_from_u64(7);
    for Card { number, code, .. } in cloud.cards("5001").await.unwrap().into_iter().step_by(18) {
        let face = Face {
            school: "SMA Negeri 1 Hadir".into(),
            name: format!("Siswa {number}"),
            number: number.clone(),
            class: "X IPA 1".into(),
            code: code.clone(),
        };
        let card = cards::draw(&face).unwrap();
        let file = folder.path().join("card.png");
        card.save(&file).unwrap();
        let zbar = Command::new("zbarimg").args(["--quiet", "--raw"]).arg(&file).output().await;
        let zbar = zbar.expect("zbarimg is there (Debian: apt-get install zbar-tools)");
        assert_eq!(String::from_utf8(zbar.stdout).unwrap().trim(), code, "read by zbar");

        // Held straight, in fair light: what a frame has to look like is another test's subject.
        let shot =
            Shot { scale: 0.7, turn: 8.0, offset: (0.0, 0.0), brightness: 0.9, background: 90, noise: 4 };
        let frame = frames::jpeg(&frames::frame(&card, shot, &mut rng)).unwrap();
        let request = edge.client.post(format!("{}/api/scan/frame?direction=checkin", edge.url()));
        let answer = request.header("content-type", "image/jpeg").body(frame).send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        let result = &body["data"]["results"][0];
        let outcome = result["outcome"].as_str().unwrap_or_default();
        assert!(["hadir", "terlambat"].contains(&outcome), "{body}");
        assert_eq!(result["number"], number, "{body}");
    }
    let counted = edge.drained().await.unwrap();
    let (device, _) = crate::school::identity(&counted).unwrap();
    assert_eq!(cloud.books().lines(device).await.unwrap().len(), 10);
}

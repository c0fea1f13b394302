use axum::http::header;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::clean;
use crate::{
    attendance::tests::{HERE, both, class, picture, punch, school, shown, student},
    identity::seed,
    testing::START,
};

#[test]
fn a_picture_is_written_anew_and_anything_else_is_none() {
    let url = picture(40);
    let bare = url.split_once(',').unwrap().1;
    for good in [url.as_str(), bare] {
        let jpeg = clean(good).unwrap();
        assert_eq!(image::guess_format(&jpeg).unwrap(), image::ImageFormat::Jpeg);
    }
    let large = image::load_from_memory(&clean(&picture(2_000)).unwrap()).unwrap();
    assert_eq!((large.width(), large.height()), (1_280, 1_280));
    assert_eq!(clean(&picture(6_001)), None, "more pixels than a phone has");
    // A PNG that says it is 60,000 × 60,000 and holds nothing.
    let mut bomb = STANDARD.decode(bare).unwrap();
    bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    for bad in [
        String::new(),
        "x".into(),
        "data:image/png;base64,".into(),
        "data:text/html,<b>".into(),
        STANDARD.encode("<svg xmlns='http://www.w3.org/2000/svg'/>"),
        STANDARD.encode(bomb),
        bare[..bare.len() / 2 / 4 * 4].to_owned(),
        "A".repeat(3 << 20),
    ] {
        assert_eq!(clean(&bad), None, "{}", &bad[..bad.len().min(40)]);
    }
}

#[test]
fn a_phone_held_upright_makes_an_upright_picture() {
    use image::{ImageEncoder as _, codecs::jpeg::JpegEncoder};
    // A TIFF header and one entry: orientation (0x0112) 6, a quarter turn.
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new(&mut jpeg);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.encode(&[90; 40 * 20 * 3], 40, 20, image::ExtendedColorType::Rgb8).unwrap();
    let kept = image::load_from_memory(&clean(&STANDARD.encode(jpeg)).unwrap()).unwrap();
    assert_eq!((kept.width(), kept.height()), (20, 40));
}

#[tokio::test]
async fn a_photo_is_seen_by_its_owner_and_those_who_lead() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        let (homeroom, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (_, colleague) = t.signed_in(school.id, "2002", seed::TEACHER).await;
        let (_, principal) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        let room = class(&t, &school, "X", Some(homeroom)).await;
        student(&t, &school, room, "1001").await;
        student(&t, &school, room, "1002").await;
        let (pupil, classmate) = (t.login("1001").await, t.login("1002").await);
        let scan =
            json!({"nisn_nip_nik": "1001", "latitude": HERE.0, "longitude": HERE.1, "photo": picture(8)});
        let scanned = t.post("/api/student-attendance/scan-qr", Some(&colleague), scan).await;
        let path = scanned.body["data"]["photo_path"].as_str().unwrap().to_owned();

        let got = t.get(&path, Some(&pupil)).await;
        assert_eq!(got.status, 200, "{}", got.body);
        assert_eq!(got.headers[header::CONTENT_TYPE], "image/jpeg");
        assert_eq!(got.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(
            got.headers[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("inline; filename=\"")
        );
        for who in [&teacher, &principal, &school.admin] {
            assert_eq!(t.get(&path, Some(who)).await.status, 200);
        }
        let unknown = json!({"success": false, "message": "File tidak ditemukan"});
        for who in [&classmate, &colleague, &other.admin] {
            assert_eq!(t.get(&path, Some(who)).await.parts(), (404, &unknown), "{}", t.on);
        }
        assert_eq!(t.get(&path, None).await.status, 401);
        for wrong in
            ["/files/x", "/files/%00", "/files/..%2f..%2fcloud.db", "/files/00000000000000000000000000000000"]
        {
            assert_eq!(t.get(wrong, Some(&school.admin)).await.status, 404, "{wrong}");
        }

        let qr = shown(&t, &school, START).await;
        let mut own = punch(&qr, HERE);
        own["photo"] = picture(8).into();
        let came = t.post("/api/attendance/checkin", Some(&teacher), own.clone()).await;
        let path = came.body["data"]["photo_path"].as_str().unwrap().to_owned();
        assert_eq!(t.get(&path, Some(&teacher)).await.status, 200);
        assert_eq!(t.get(&path, Some(&colleague)).await.status, 404);
        let kept = || std::fs::read_dir(t.app.config.data_dir.join("files")).unwrap().count();
        let before = kept();
        assert_eq!(t.post("/api/attendance/checkin", Some(&teacher), own).await.status, 400);
        assert_eq!(kept(), before, "what was refused leaves no photo");
    })
    .await;
}

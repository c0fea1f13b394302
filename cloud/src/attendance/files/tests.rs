use axum::http::header;
use serde_json::json;

use crate::{
    attendance::tests::{HERE, both, class, picture, punch, school, shown, student},
    identity::seed,
    testing::START,
};

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

        let small = t.get(&format!("{path}?size=thumb"), Some(&pupil)).await;
        assert_eq!(small.parts(), (404, &unknown), "of a check-in there is none");
        assert_eq!(t.get(&format!("{path}?size=huge"), Some(&pupil)).await.status, 422);

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

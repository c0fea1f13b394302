use image::ImageFormat;
use serde_json::json;

use crate::{
    clock::BUILT,
    http::{
        scan::decode::{Frame, codes},
        testing::{Ask, Served, at},
    },
    tls::{Place, Tls},
};

#[tokio::test]
async fn the_token_is_told_with_the_end_of_its_window() {
    let school = Served::at("06:41:03").await;
    let token = school.token("2001").await;
    let answer = school.get("/api/qrcode/dynamic").bearer(&token).await;
    assert_eq!(answer.json()["message"], "Token QR dinamis berhasil diambil");
    let mut data = answer.data();
    assert_eq!(data["code"].take().as_str().map(str::len), Some(6));
    let ends = "2026-11-19T23:41:10.000000Z";
    assert_eq!(data, json!({"token": school.qr(), "code": null, "expires_at": ends}));
}

#[tokio::test]
async fn the_picture_holds_the_address_of_the_token() {
    let school = Served::at("06:41:03").await;
    let token = school.token("4001").await;
    let current = school.get("/api/qrcode/current").bearer(&token).await.data();
    let url = format!("https://kotak.local:8443/c/{}", school.qr());
    assert_eq!((&current["url"], &current["token"]), (&json!(url), &json!(school.qr())));
    assert_eq!(current["shown_until"].as_i64().unwrap() - current["now"].as_i64().unwrap(), 7_000);
    assert_eq!(current["code"].as_str().unwrap().len(), 6);

    let png = school.get("/api/qrcode/current.png").bearer(&token).await;
    assert_eq!(png.headers["content-type"], "image/png");
    assert_eq!(image::guess_format(&png.body).unwrap(), ImageFormat::Png);
    assert_eq!(codes(Frame::Encoded(png.body.clone())).unwrap(), [url]);
    let svg = school.get("/api/qrcode/current.svg").bearer(&token).await;
    assert_eq!(svg.headers["content-type"], "image/svg+xml");
    assert!(svg.text().contains("<svg") && !svg.text().contains("<script"));
}

#[tokio::test]
async fn the_qr_leads_to_where_a_telephone_finds_the_box() {
    let school = Served::at("06:41:03").await;
    let (node, token) = (school.node(), school.token("4001").await);
    let tls = |place| Tls::open(node.config(), node.ids(), place, at("06:41:03"), BUILT).unwrap();
    let addresses = vec!["192.168.1.10".parse().unwrap()];
    let tls = tls(Place { host: None, local: "hadir-1a2b.local".into(), addresses, main: None });
    tls.listens_at(8443);
    node.serves_with(tls);
    let host = axum::http::header::HOST;
    let leads = async |ask: Ask, to: &str| {
        let data = ask.await.data();
        assert_eq!(data["url"], format!("{to}/c/{}", school.qr()));
    };
    let kiosk = |name| school.get("/api/kiosk").bearer(&token).header(host.clone(), name);
    leads(kiosk("192.168.7.7:8443"), "https://192.168.7.7:8443").await;
    leads(kiosk("absensi.sekolah.example"), "https://absensi.sekolah.example").await;
    for not_found in ["hadir-1a2b.local:8443", "localhost:8443", "kotak:8443"] {
        leads(kiosk(not_found), "https://192.168.1.10:8443").await;
    }
    leads(school.get("/api/kiosk").here(), "https://192.168.1.10:8443").await;
}

#[tokio::test]
async fn a_screen_at_the_box_needs_no_login() {
    let school = Served::at("06:41:03").await;
    let kiosk = school.get("/api/kiosk").here().await.data();
    assert_eq!(kiosk["token"], school.qr());
    assert!(kiosk["svg"].as_str().unwrap().contains("<svg"));
    for path in ["/api/kiosk", "/api/qrcode/current", "/api/qrcode/current.svg", "/api/qrcode/current.png"] {
        school.get(path).await.refused(401, "Token tidak valid");
    }
}

#[tokio::test]
async fn verify_passes_for_oneself_and_for_others_only_by_an_admin() {
    let school = Served::at("06:41:03").await;
    let (teacher, admin) = (school.token("2001").await, school.token("5001").await);
    let body =
        |user: &str, way: &str| json!({"user_id": school.id(user), "type": way, "qr_token": school.qr()});
    let own = school.post("/api/qrcode/verify", body("2001", "checkin")).bearer(&teacher).await;
    assert_eq!(own.json()["message"], "Absen masuk berhasil");
    let other = school.post("/api/qrcode/verify", body("2002", "checkin")).bearer(&admin).await;
    assert_eq!(other.data()["user_id"], school.id("2002"));
    let out = school.post("/api/qrcode/verify", body("2002", "checkout")).bearer(&admin).await;
    assert_eq!(out.json()["message"], "Absen keluar berhasil");

    school.post("/api/qrcode/verify", body("2001", "lunch")).bearer(&teacher).await.invalid(&["type"]);
    let untyped = json!({"qr_token": school.qr()});
    school.post("/api/qrcode/verify", untyped).bearer(&teacher).await.invalid(&["type"]);
    let nobody = json!({"user_id": 999_999, "type": "checkin", "qr_token": school.qr()});
    school.post("/api/qrcode/verify", nobody).bearer(&admin).await.refused(404, "User tidak ditemukan");
    let admin_itself = body("5001", "checkin");
    let refused = school.post("/api/qrcode/verify", admin_itself).bearer(&admin).await;
    refused.refused(403, "Anda tidak memiliki izin untuk melakukan absensi mandiri");
}

use std::io::Cursor;

use axum::{body::Bytes, http::HeaderName};
use hadir_shared::{
    card::Card,
    ids::{InstitutionId, UserId},
    sign::SecretKey,
    wire::roster::entity,
};
use image::{GrayImage, ImageFormat, Luma, imageops};
use serde_json::{Value, json};

use crate::http::testing::{Ask, DAY, Served};

/// A camera's frame with these cards side by side.
fn frame(cards: &[&str]) -> GrayImage {
    let mut desk = GrayImage::from_pixel(640, 480, Luma([110]));
    let mut left = 10;
    for card in cards {
        let code = qrcode::QrCode::new(card).unwrap().render::<Luma<u8>>().module_dimensions(5, 5).build();
        imageops::replace(&mut desk, &code, left, 60);
        left += i64::from(code.width()) + 20;
    }
    desk
}

fn encoded(picture: &GrayImage, format: ImageFormat) -> Bytes {
    let mut bytes = Cursor::new(vec![]);
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner().into()
}

fn send(school: &Served, kind: &str, bytes: impl Into<Bytes>) -> Ask {
    school.post("/api/scan/frame", Value::Null).body(kind, bytes.into()).here()
}

fn words(data: &Value) -> Vec<&str> {
    data["results"].as_array().unwrap().iter().map(|r| r["outcome"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_card_before_the_camera_is_recorded_once_and_shown_as_the_page_needs_it() {
    let school = Served::at("07:41:30").await;
    let jpeg = encoded(&frame(&[&school.card("1001").await]), ImageFormat::Jpeg);
    let before = school.recorded();
    let first = send(&school, "image/jpeg", jpeg.clone()).await.data();
    let result = &first["results"][0];
    let name = school.node().roster().person_by_number("1001").unwrap().name.clone();
    for (field, value) in [
        ("outcome", json!("terlambat")),
        ("name", json!(name)),
        ("number", json!("1001")),
        ("class", json!("X IPA 1")),
        ("time", json!("07:41")),
        ("late_minutes", json!(12)),
        ("pending", json!(0)),
        ("again", json!(false)),
        ("direction", json!("checkin")),
    ] {
        assert_eq!(result[field], value, "{field} of {result}");
    }
    // Held there: the same answer, marked, and nothing more.
    for _ in 0..5 {
        school.hands().pass(400);
        let held = send(&school, "image/jpeg", jpeg.clone()).await.data();
        assert_eq!((words(&held), &held["results"][0]["again"]), (vec!["terlambat"], &json!(true)));
    }
    // Away and back.
    school.hands().pass(2_600);
    let back = send(&school, "image/jpeg", jpeg).await.data();
    assert_eq!((words(&back), &back["results"][0]["time"]), (vec!["sudah"], &json!("07:41")));
    assert_eq!(back["results"][0]["gate"], "Gerbang 1");
    assert_eq!(school.recorded() - before, 1);
}

#[tokio::test]
async fn two_cards_in_one_frame_are_both_answered() {
    let school = Served::at("06:41:00").await;
    let data = send(&school, "image/png", encoded(&frame(&["1001", "1002"]), ImageFormat::Png)).await.data();
    assert_eq!(words(&data), ["hadir", "hadir"]);
    let raw = frame(&["1003"]).into_raw();
    let data = send(&school, "application/octet-stream", raw.clone())
        .header(HeaderName::from_static("x-width"), "640")
        .header(HeaderName::from_static("x-height"), "480");
    assert_eq!(words(&data.await.data()), ["hadir"]);
    send(&school, "application/octet-stream", raw).await.invalid(&["x-width"]);
}

#[tokio::test]
async fn no_card_is_an_answer_and_rubbish_is_refused_without_a_trace() {
    let school = Served::at("06:41:00").await;
    let empty = send(&school, "image/png", encoded(&frame(&[]), ImageFormat::Png)).await;
    assert_eq!(empty.json(), json!({"success": true, "data": {"results": []}}));

    let recorded = school.recorded();
    let whole = encoded(&frame(&[&school.card("1001").await]), ImageFormat::Jpeg);
    let mut bomb = encoded(&frame(&[]), ImageFormat::Png).to_vec();
    bomb[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    for (what, bytes) in [
        ("garbage", Bytes::from_static(b"\x00\x01\x02 no picture")),
        ("nothing", Bytes::new()),
        ("half a JPEG", whole.slice(..whole.len() / 2)),
        ("a bomb", bomb.into()),
    ] {
        let refused = send(&school, "image/jpeg", bytes).await;
        assert_eq!(refused.status.as_u16(), 422, "{what}");
        refused.invalid(&["frame"]);
    }
    let sides = |w: &str, h: &str| {
        send(&school, "application/octet-stream", Bytes::new())
            .header(HeaderName::from_static("x-width"), w)
            .header(HeaderName::from_static("x-height"), h)
    };
    sides("0", "0").await.invalid(&["frame"]);
    sides("4294967295", "4294967295").await.invalid(&["frame"]);
    sides("-1", "480").await.invalid(&["x-width"]);
    send(&school, "image/gif", whole.clone()).await.refused(415, "Content-Type tidak didukung");
    send(&school, "image/jpeg", vec![0; 5 << 20]).await.refused(413, "Isi permintaan terlalu besar");
    assert_eq!(school.recorded(), recorded);
    assert_eq!(
        words(&send(&school, "image/jpeg", whole).await.data()),
        ["hadir"],
        "the card itself was good"
    );
}

#[tokio::test]
async fn a_scanner_gets_the_same_words() {
    let school = Served::at("06:41:00").await;
    let foreign = Card { institution: InstitutionId(2), student: UserId(10), serial: 1, epoch: 0 };
    let foreign = foreign.sign(&SecretKey::from_seed(&[9; 32])).unwrap();
    let scan = |body: Value| school.post("/api/scan", body).here();
    let card = school.card("1001").await;
    for (body, outcome) in [
        (json!({"code": card.to_lowercase(), "gate": "Gerbang 2"}), "hadir"),
        (json!({"code": card}), "sudah"),
        (json!({"number": "1002"}), "hadir"),
        (json!({"number": "1001", "direction": "checkout"}), "pulang"),
        (json!({"number": "2001"}), "ditolak"),
        (json!({"number": "9999"}), "tidak_dikenal"),
        (json!({"code": "https://example.com/x"}), "tidak_dikenal"),
        (json!({"code": foreign}), "kartu_sekolah_lain"),
    ] {
        let data = scan(body.clone()).await.data();
        assert_eq!(words(&data), [outcome], "{body}");
        if outcome == "sudah" {
            assert_eq!(data["results"][0]["gate"], "Gerbang 2");
        }
    }
    scan(json!({})).await.invalid(&["code"]);
    scan(json!({"code": "x".repeat(513)})).await.invalid(&["code"]);
    scan(json!({"code": "1001", "gate": "x".repeat(101)})).await.invalid(&["gate"]);
    scan(json!({"code": "1001", "direction": "sideways"})).await.invalid(&["direction"]);
}

#[tokio::test]
async fn a_withdrawn_card_is_named_as_such_and_whose_it_was() {
    let school = Served::at("06:41:00").await;
    let person = json!({
        "id": 9, "uuid": uuid::Uuid::nil(), "number": "1001", "name": "Andi", "role": 1, "active": true,
    });
    let card = json!({"id": 1, "student": 9, "serial": 1, "code": "ABC123XYZ", "active": false});
    school.shows(&[Served::entry(entity::PERSON, 9, &person), Served::entry(entity::CARD, 1, &card)]);
    let data = school.post("/api/scan", json!({"code": "abc123xyz"})).here().await.data();
    assert_eq!((words(&data), &data["results"][0]["name"]), (vec!["kartu_dicabut"], &json!("Andi")));
    assert_eq!(data["results"][0]["message"], "Kartu sudah dicabut");
}

#[tokio::test]
async fn what_is_not_on_disk_is_never_called_saved() {
    let school = Served::at("06:41:00").await;
    let token = school.token("2001").await;
    let png = encoded(&frame(&["1001"]), ImageFormat::Png);
    school.node().stop().await;
    let one = school.post("/api/scan", json!({"number": "1001"})).here().await;
    let seen = send(&school, "image/png", png).await;
    for answer in [one, seen] {
        answer.refused(503, "Belum tersimpan. Silakan ulangi");
        assert_eq!(words(&answer.json()["data"]), ["belum_tersimpan"], "{}", answer.text());
    }
    let scan_qr = school.post("/api/student-attendance/scan-qr", json!({"nisn_nip_nik": "1001"}));
    scan_qr.bearer(&token).await.refused(503, "Belum tersimpan. Silakan ulangi");
}

#[tokio::test]
async fn who_scans_elsewhere_is_named_on_the_record() {
    let school = Served::at("06:41:00").await;
    let token = school.token("2003").await;
    let data = school.post("/api/scan", json!({"number": "1001"})).bearer(&token).await.data();
    assert_eq!(words(&data), ["hadir"]);
    assert_eq!(school.last_record().await["what"]["scan"]["operator"], school.id("2003"));
}

#[tokio::test]
async fn the_gate_sees_its_morning() {
    let school = Served::at("06:41:00").await;
    for number in ["1001", "1002"] {
        school.post("/api/scan", json!({"number": number})).here().await.data();
    }
    let state = school.get("/api/gate").here().await.data();
    assert_eq!(
        (&state["zone"], &state["zone_name"], &state["direction"]),
        (&json!("Asia/Jakarta"), &json!("WIB"), &json!("checkin"))
    );
    assert_eq!((&state["counts"]["checked_in"], &state["counts"]["expected"]), (&json!(2), &json!(180)));
    assert_eq!(state["counts"]["day"], DAY);
    let names: Vec<&str> =
        state["latest"].as_array().unwrap().iter().map(|l| l["number"].as_str().unwrap()).collect();
    assert_eq!(names, ["1002", "1001"]);

    let find = |q: &str| school.get(&format!("/api/gate/find?q={q}")).here();
    assert_eq!(find("100").await.data().as_array().unwrap().len(), 8);
    let name = school.node().roster().person_by_number("1005").unwrap().name.to_lowercase();
    let found = find(&name.replace(' ', "%20")).await.data();
    assert!(found.as_array().unwrap().iter().any(|f| f["number"] == "1005"), "{found}");
    assert_eq!(find("a").await.data(), json!([]), "one letter names nobody");
    assert_eq!(find("2001").await.data(), json!([]), "staff do not pass by card");
}

#[tokio::test]
async fn a_scan_is_taken_back_by_who_may_scan() {
    let school = Served::at("06:41:00").await;
    let event =
        school.post("/api/scan", json!({"number": "1001"})).here().await.data()["results"][0]["event"].take();
    let undo = |body: Value| school.post("/api/gate/undo", body);
    let student = school.token("4001").await;
    undo(json!({"event": event})).await.refused(401, "Token tidak valid");
    undo(json!({"event": event}))
        .bearer(&student)
        .await
        .refused(403, "Hanya guru yang dapat melakukan absensi siswa");
    let teacher = school.token("2001").await;
    let taken = undo(json!({"event": event, "gate": "Gerbang 2"})).bearer(&teacher).await.data();
    assert_eq!(
        (&taken["is_void"], &taken["number"], &taken["time"]),
        (&json!(true), &json!("1001"), &json!("06:41"))
    );
    let void = &school.last_record().await["what"]["void"];
    assert_eq!(
        (&void["scan"], &void["gate"], &void["operator"]),
        (&event, &json!("Gerbang 2"), &json!(school.id("2001")))
    );
    let state = school.get("/api/gate").here().await.data();
    assert_eq!((&state["counts"]["checked_in"], &state["latest"][0]["is_void"]), (&json!(0), &json!(true)));
    assert_eq!(words(&school.post("/api/scan", json!({"number": "1001"})).here().await.data()), ["hadir"]);

    undo(json!({})).here().await.invalid(&["event"]);
    undo(json!({"event": "x"})).here().await.invalid(&["event"]);
    undo(json!({"event": event, "reason": "x".repeat(101)})).here().await.invalid(&["reason"]);
    undo(json!({"event": uuid::Uuid::nil()})).here().await.refused(404, "Catatan tidak ditemukan");
}

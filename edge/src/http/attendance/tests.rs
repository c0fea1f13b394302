use std::{collections::BTreeSet, io::Cursor};

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
use data_encoding::BASE64;
use hadir_shared::{
    demo::PASSWORD,
    wire::roster::{Entry, entity},
};
use image::{GenericImageView as _, ImageFormat, RgbImage};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::http::{
    photos,
    testing::{DAY, Served},
};

const DAY_MS: i64 = 24 * 3600 * 1000;

const AT_SCHOOL: (f64, f64) = (-6.2, 106.8166);

fn body(token: &str) -> Value {
    json!({"qr_token": token, "latitude": AT_SCHOOL.0, "longitude": AT_SCHOOL.1, "accuracy": 12})
}

#[tokio::test]
async fn in_and_out_with_every_field_of_the_contract() {
    let school = Served::at("06:41:00").await;
    let token = school.token("2001").await;
    let qr = school.qr();
    let answer = school.post("/api/attendance/checkin", body(&qr)).bearer(&token).await;
    assert_eq!(answer.json()["message"], "Absen masuk berhasil");
    let mut data = answer.data();
    let event = data["event_id"].take();
    assert_eq!(event.as_str().unwrap().len(), 36);
    assert!(data["id"].take().is_u64());
    assert_eq!(
        data,
        json!({
            "id": null, "user_id": school.id("2001"), "type": "checkin",
            "latitude": "-6.20000000", "longitude": "106.81660000", "accuracy": 12,
            "photo_path": null, "qr_token_used": qr, "status": "hadir",
            "timestamp": "2026-11-19T23:41:00.000000Z", "date_only": DAY, "synced": false,
            "created_at": "2026-11-19T23:41:00.000000Z", "late_minutes": 0, "early_minutes": 0,
            "gate": "Gerbang 1", "fence": "inside", "time_grade": "estimated", "event_id": null,
        })
    );

    school.hands().pass((6 * 3600) * 1000);
    let out = school.post("/api/attendance/checkout", body(&school.qr())).bearer(&token).await;
    assert_eq!(out.json()["message"], "Absen keluar berhasil");
    let data = out.data();
    assert_eq!(
        (&data["type"], &data["status"], &data["early_minutes"]),
        (&json!("checkout"), &json!("hadir"), &json!(79))
    );
}

#[tokio::test]
async fn a_second_time_names_the_first_and_records_nothing() {
    let school = Served::at("06:41:00").await;
    let token = school.token("2001").await;
    let early_out = school.post("/api/attendance/checkout", body(&school.qr())).bearer(&token).await;
    early_out.refused(400, "Anda belum melakukan absen masuk hari ini");
    school.post("/api/attendance/checkin", body(&school.qr())).bearer(&token).await.data();
    let recorded = school.recorded();
    school.hands().pass(600_000);
    let again = school.post("/api/attendance/checkin", body(&school.qr())).bearer(&token).await;
    again.refused(400, "Anda sudah melakukan absen masuk hari ini");
    let earlier = &again.json()["data"];
    assert_eq!(earlier["timestamp"], "2026-11-19T23:41:00.000000Z");
    assert_eq!((&earlier["gate"], &earlier["status"]), (&json!("Gerbang 1"), &json!("hadir")));
    assert_eq!(school.recorded(), recorded);
}

#[tokio::test]
async fn a_token_lives_for_its_own_window_and_the_next() {
    let school = Served::at("06:41:00").await;
    let (old, teachers) = (school.qr(), ["2001", "2002", "2003", "2004"]);
    let mut tokens = vec![];
    for teacher in teachers {
        tokens.push(school.token(teacher).await);
    }
    school.hands().pass(19_000);
    school.post("/api/attendance/checkin", body(&old)).bearer(&tokens[0]).await.data();
    let url = format!("https://kotak.local:8443/c/{old}?x=1");
    school.post("/api/attendance/checkin", body(&url)).bearer(&tokens[1]).await.data();
    school.hands().pass(1000);
    let recorded = school.recorded();
    let stale = school.post("/api/attendance/checkin", body(&old)).bearer(&tokens[2]).await;
    stale.refused(400, "QR token tidak valid atau sudah kadaluarsa");
    let made_up = school.post("/api/attendance/checkin", body(&"0".repeat(32))).bearer(&tokens[2]).await;
    made_up.refused(400, "QR token tidak valid atau sudah kadaluarsa");
    assert_eq!(school.recorded(), recorded);
    let digits = school.node().qr().unwrap().code;
    school.post("/api/attendance/checkin", body(&digits)).bearer(&tokens[3]).await.data();
}

#[tokio::test]
async fn who_had_to_sign_in_first_is_judged_by_the_moment_the_page_was_opened() {
    let school = Served::at("07:29:50").await;
    let token = school.token("2001").await;
    let qr = school.qr();
    let page = school.get(&format!("/c/{qr}")).await.text();
    let ticket = page.split("data-arrival=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    school.hands().pass(90_000);
    let mut late = body(&qr);
    let without = school.post("/api/attendance/checkin", late.clone()).bearer(&token).await;
    without.refused(400, "QR token tidak valid atau sudah kadaluarsa");
    late["arrival"] = ticket.into();
    let data = school.post("/api/attendance/checkin", late).bearer(&token).await.data();
    assert_eq!(
        (&data["status"], &data["timestamp"]),
        (&json!("hadir"), &json!("2026-11-20T00:29:50.000000Z"))
    );
}

#[tokio::test]
async fn forty_people_on_one_token_are_forty_records() {
    let school = Served::at("06:41:00").await;
    school.shows(&staff_room(40));
    let qr = school.qr();
    let before = school.recorded();
    let mut tokens = vec![];
    for n in 0..40 {
        tokens.push(school.token(&(7000 + n).to_string()).await);
    }
    let asks = tokens.iter().map(|token| school.post("/api/attendance/checkin", body(&qr)).bearer(token));
    let all: JoinSet<_> = asks.map(IntoFuture::into_future).collect();
    let people: BTreeSet<_> = all.join_all().await.iter().map(|a| a.data()["user_id"].as_i64()).collect();
    assert_eq!(people.len(), 40);
    assert_eq!(school.recorded() - before, 40);
}

/// A school of teachers 7000, 7001, … whose password takes little work to check.
fn staff_room(size: u32) -> Vec<Entry> {
    let params = Params::new(8, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let verifier = argon2.hash_password_with_salt(PASSWORD.as_bytes(), &[1; 16]).unwrap().to_string();
    let keys = json!({
        "qr": "07".repeat(32), "cards": {}, "cloud": [], "jwks": {"keys": []}, "issuer": "", "audience": "",
    });
    let people = (0..size).map(|n| {
        let (id, number) = (i64::from(n) + 1, (7000 + n).to_string());
        let person = json!({
            "id": id, "uuid": Uuid::from_u128(n.into()), "number": number, "name": format!("Guru {n}"),
            "role": 2, "active": true, "verifier": verifier,
        });
        Served::entry(entity::PERSON, id, &person)
    });
    people.chain([Served::entry(entity::KEYS, "", &keys)]).collect()
}

#[tokio::test]
async fn somebody_elses_id_is_refused() {
    let school = Served::at("06:41:00").await;
    let token = school.token("2001").await;
    let recorded = school.recorded();
    for path in ["/api/attendance/checkin", "/api/attendance/checkout", "/api/qrcode/verify"] {
        let mut other = body(&school.qr());
        other["user_id"] = school.id("2002").into();
        other["type"] = "checkin".into();
        let refused = school.post(path, other).bearer(&token).await;
        refused.refused(403, "Anda tidak memiliki izin untuk mencatat absensi pengguna lain");
    }
    assert_eq!(school.recorded(), recorded);
    let mut own = body(&school.qr());
    own["user_id"] = school.id("2001").into();
    school.post("/api/attendance/checkin", own).bearer(&token).await.data();
}

#[tokio::test]
async fn six_digits_cannot_be_guessed() {
    let school = Served::at("06:41:00").await;
    let (token, colleague) = (school.token("2001").await, school.token("2002").await);
    let digits = school.node().qr().unwrap().code;
    let mut wrong = (0..30).map(|n| format!("{n:06}")).filter(|n| *n != digits);
    let mut guess = |path: &str| {
        let mut guess = body(&format!("https://kotak.local/c/{}?x", wrong.next().unwrap()));
        guess["type"] = "checkin".into();
        school.post(path, guess).bearer(&token)
    };
    let paths = ["/api/attendance/checkin", "/api/attendance/checkout", "/api/qrcode/verify"];
    let recorded = school.recorded();
    for path in paths.iter().cycle().take(10) {
        assert_eq!(guess(path).await.status, 400, "{path}");
    }
    for path in paths {
        let refused = guess(path).await;
        refused.refused(429, "Terlalu banyak percobaan. Silakan coba lagi nanti");
        let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=10).contains(&wait), "{wait}");
    }
    let right = school.post(paths[0], body(&digits)).bearer(&token).await;
    assert_eq!(right.status, 429, "the right digits too, or the count would tell them");
    assert_eq!(school.recorded(), recorded);
    school.post(paths[0], body(&digits)).bearer(&colleague).await.data();
    school.post(paths[0], body(&school.qr())).bearer(&token).await.data();
}

#[tokio::test]
async fn an_admin_who_guesses_for_many_has_one_budget() {
    let school = Served::at("06:41:00").await;
    let admin = school.token("5001").await;
    let digits = school.node().qr().unwrap().code;
    let mut statuses = vec![];
    for (n, code) in (0..13).map(|n| format!("{n:06}")).filter(|code| *code != digits).take(12).enumerate() {
        let mut guess = body(&code);
        guess["type"] = "checkin".into();
        guess["user_id"] = school.id(["2001", "2002", "3001"][n % 3]).into();
        statuses.push(school.post("/api/qrcode/verify", guess).bearer(&admin).await.status.as_u16());
    }
    assert_eq!(statuses, [[400; 10].as_slice(), &[429; 2]].concat());
}

#[tokio::test]
async fn bodies_are_read_strictly_and_the_place_may_be_left_out() {
    let school = Served::at("06:41:00").await;
    let token = school.token("2001").await;
    let recorded = school.recorded();
    let qr = school.qr();
    let cases = [
        (json!({}), "qr_token"),
        (json!({"qr_token": ""}), "qr_token"),
        (json!({"qr_token": 7}), "qr_token"),
        (json!({"qr_token": qr, "latitude": 1.0}), "longitude"),
        (json!({"qr_token": qr, "longitude": 1.0}), "latitude"),
        (json!({"qr_token": qr, "latitude": 91, "longitude": 1}), "latitude"),
        (json!({"qr_token": qr, "latitude": 1, "longitude": -181}), "longitude"),
        (json!({"qr_token": qr, "latitude": "utara", "longitude": 1}), "latitude"),
        (json!({"qr_token": qr, "latitude": 1, "longitude": 1, "accuracy": -1}), "accuracy"),
        (json!({"qr_token": qr, "photo": "not base64"}), "photo"),
        (json!({"qr_token": qr, "photo": "data:image/png;base64,AAAA"}), "photo"),
    ];
    for (body, field) in cases {
        school.post("/api/attendance/checkin", body).bearer(&token).await.invalid(&[field]);
    }
    let ask = || school.post("/api/attendance/checkin", json!({})).bearer(&token);
    ask().body("application/json", "{").await.refused(400, "Isi permintaan bukan JSON yang valid");
    ask().body("text/plain", "{}").await.refused(415, "Content-Type tidak didukung");
    ask().body("application/json", vec![b' '; 9 << 20]).await.refused(413, "Isi permintaan terlalu besar");
    assert_eq!(school.recorded(), recorded);
    let data = school.post("/api/attendance/checkin", json!({"qr_token": qr})).bearer(&token).await.data();
    assert_eq!((&data["latitude"], &data["fence"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_photo_is_written_anew_and_shown_to_who_may_see_it() {
    let school = Served::at("06:41:00").await;
    let token = school.token("2001").await;
    let mut png = Cursor::new(vec![]);
    RgbImage::from_pixel(2000, 1000, image::Rgb([200, 30, 30])).write_to(&mut png, ImageFormat::Png).unwrap();
    let mut with_photo = body(&school.qr());
    with_photo["photo"] = format!("data:image/png;base64,{}", BASE64.encode(png.get_ref())).into();
    let data = school.post("/api/attendance/checkin", with_photo).bearer(&token).await.data();
    let path = data["photo_path"].as_str().unwrap();
    assert!(path.starts_with("/files/"), "{path}");

    let own = school.get(path).bearer(&token).await;
    assert_eq!((own.status.as_u16(), &own.headers["content-type"]), (200, &"image/jpeg".parse().unwrap()));
    assert_eq!(own.headers["x-content-type-options"], "nosniff");
    let picture = image::load_from_memory_with_format(&own.body, ImageFormat::Jpeg).unwrap();
    assert_eq!(picture.dimensions(), (1024, 512));

    school.get(path).await.refused(401, "Token tidak valid");
    let colleague = school.token("2002").await;
    school
        .get(path)
        .bearer(&colleague)
        .await
        .refused(403, "Anda tidak memiliki izin untuk melihat berkas ini");
    let head = school.token("4001").await;
    assert_eq!(school.get(path).bearer(&head).await.status, 200);
    for strange in ["/files/x", "/files/..%2F..%2Fetc%2Fpasswd", "/files/00000000000000000000000000000000"] {
        school.get(strange).bearer(&head).await.refused(404, "Berkas tidak ditemukan");
    }
    let history = school.get("/api/attendance/history").bearer(&token).await.data();
    assert_eq!(history["data"][0]["photo_path"], path);

    school.hands().pass(89 * DAY_MS);
    photos::forget_old(school.node()).await;
    let head = school.token("4001").await;
    assert_eq!(school.get(path).bearer(&head).await.status, 200, "kept for ninety days");
    school.hands().pass(2 * DAY_MS);
    photos::forget_old(school.node()).await;
    let head = school.token("4001").await;
    school.get(path).bearer(&head).await.refused(404, "Berkas tidak ditemukan");
    let left = std::fs::read_dir(school.node().config().data_dir.join("photos")).unwrap();
    assert_eq!(left.filter(|entry| entry.as_ref().unwrap().path().is_file()).count(), 0);
    assert_eq!(school.recorded(), 1, "the record stays");
}

#[tokio::test]
async fn history_is_ones_own_and_paged_as_laravel_does() {
    let school = Served::at("06:41:00").await;
    let token = school.token("2001").await;
    let empty = school.get("/api/attendance/history").bearer(&token).await.data();
    assert_eq!((&empty["total"], &empty["from"], &empty["last_page"]), (&json!(0), &Value::Null, &json!(1)));

    school.post("/api/attendance/checkin", body(&school.qr())).bearer(&token).await.data();
    school.hands().pass((8 * 3600) * 1000);
    school.post("/api/attendance/checkout", body(&school.qr())).bearer(&token).await.data();
    let path = "https://kotak.local:8443/api/attendance/history";
    let mut page = school.get("/api/attendance/history?per_page=1&page=2").bearer(&token).await.data();
    let rows = page["data"].take();
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["type"]), (1, &json!("checkin")));
    assert_eq!(
        page,
        json!({
            "current_page": 2, "data": null, "first_page_url": format!("{path}?per_page=1&page=1"), "from": 2,
            "last_page": 2, "last_page_url": format!("{path}?per_page=1&page=2"), "next_page_url": null,
            "path": path, "per_page": 1, "prev_page_url": format!("{path}?per_page=1&page=1"), "to": 2, "total": 2,
        })
    );
    let none = "/api/attendance/history?start_date=2026-11-01&end_date=2026-11-19";
    assert_eq!(school.get(none).bearer(&token).await.data()["total"], 0);
    let day = format!("/api/attendance/history?start_date={DAY}&end_date={DAY}");
    assert_eq!(school.get(&day).bearer(&token).await.data()["total"], 2);
    for (query, field) in [
        ("start_date=kemarin", "start_date"),
        ("per_page=0", "per_page"),
        ("per_page=101", "per_page"),
        ("page=-1", "page"),
    ] {
        school.get(&format!("/api/attendance/history?{query}")).bearer(&token).await.invalid(&[field]);
    }
    let colleague = school.token("2002").await;
    assert_eq!(school.get("/api/attendance/history").bearer(&colleague).await.data()["total"], 0);
}

#[tokio::test]
async fn a_telephone_learns_before_it_passes_what_its_place_is_taken_for() {
    let school = Served::at("06:41:00").await;
    let (token, admin) = (school.token("2001").await, school.token("5001").await);
    let recorded = school.recorded();
    let ask = |north: f64, accuracy: i64| {
        let body = json!({"latitude": AT_SCHOOL.0 + north, "longitude": AT_SCHOOL.1, "accuracy": accuracy});
        school.post("/api/attendance/place", body)
    };
    for (north, accuracy, fence) in [(0.0, 10, "inside"), (0.0012, 100, "uncertain"), (0.01, 10, "outside")] {
        let judged = ask(north, accuracy).bearer(&token).await.data();
        assert_eq!(judged, json!({"fence": fence, "refused": false}), "{north} ± {accuracy}");
    }
    ask(0.0, 10).await.refused(401, "Token tidak valid");
    ask(0.0, 10)
        .bearer(&admin)
        .await
        .refused(403, "Anda tidak memiliki izin untuk melakukan absensi mandiri");
    ask(100.0, 10).bearer(&token).await.invalid(&["latitude"]);
    school.post("/api/attendance/place", json!({})).bearer(&token).await.invalid(&["latitude"]);
    school.post("/api/attendance/place", json!({"latitude": 1})).bearer(&token).await.invalid(&["longitude"]);
    assert_eq!(school.recorded(), recorded);

    let mut values: Value = serde_json::to_value(hadir_shared::demo::schools()[0].settings()).unwrap();
    values["geofence_policy"] = "block".into();
    let teacher = school.node().roster().person_by_number("2001").unwrap().clone();
    school.shows(&[
        Served::entry(entity::SETTINGS, "", &json!({"version": 1, "values": values})),
        Served::entry(entity::PERSON, teacher.id.0, &serde_json::to_value(&teacher).unwrap()),
    ]);
    let judged = ask(0.01, 10).bearer(&token).await.data();
    assert_eq!(judged, json!({"fence": "outside", "refused": true}));
}

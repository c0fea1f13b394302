use std::time::Duration;

use axum::http::{HeaderName, Method, header};
use hadir_shared::{sign::SecretKey, wire::enrolment::Enrolled};
use serde_json::{Value, json};

use super::{Code, Purpose, new_code};
use crate::{
    http::testing::{Answer, Ask, Served, at},
    membership::{self, Membership},
    testing::TestBox,
};

const UNKNOWN: &str = "Kode pasangan tidak dikenal atau sudah kedaluwarsa";
const NOT_FOR_THAT: &str = "Perangkat ini tidak dipasangkan untuk itu";
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

async fn code(school: &Served, purpose: Purpose) -> String {
    new_code(school.node(), purpose).await.unwrap().0.to_string()
}

/// The cookie of a device that was just paired.
async fn device(school: &Served, purpose: Purpose) -> String {
    let code = code(school, purpose).await;
    let body = json!({"code": code, "name": "Gerbang Timur", "pin": "4821"});
    let paired = school.post("/api/pairing", body).await;
    assert_eq!(paired.status, 201, "{}", paired.text());
    cookie(&paired)
}

fn cookie(answer: &Answer) -> String {
    let whole = answer.headers["set-cookie"].to_str().unwrap();
    whole.split(';').next().unwrap().to_owned()
}

/// As a page of this box sends it.
fn on(ask: Ask, cookie: &str) -> Ask {
    ask.header(header::COOKIE, cookie).header(SITE, "same-origin")
}

async fn scan(school: &Served, cookie: &str, number: &str) -> Answer {
    on(school.post("/api/scan", json!({"number": number})), cookie).await
}

#[tokio::test]
async fn a_gate_is_paired_once_and_scans_under_its_own_name() {
    let school = Served::at("06:41:00").await;
    let teacher = school.token("2001").await;
    let made = school.post("/api/pairing/codes", json!({"purpose": "gate"})).bearer(&teacher).await;
    assert_eq!(
        (made.status.as_u16(), made.json()["message"].as_str()),
        (201, Some("Kode pasangan berhasil dibuat"))
    );
    let shown = made.json()["data"].take();
    let code = shown["code"].as_str().unwrap();
    assert_eq!(shown["expires_at"], at("06:51:00").0);
    let body = json!({"code": code.to_lowercase().replace('-', " "), "name": " Gerbang Timur "});
    let paired = school.post("/api/pairing", body).await;
    let set = paired.headers["set-cookie"].to_str().unwrap();
    for word in ["__Host-hadir-device=device_", "Path=/", "HttpOnly", "Secure", "SameSite=Strict", "Max-Age="]
    {
        assert!(set.contains(word), "{word}: {set}");
    }
    let data = paired.json()["data"].take();
    assert_eq!(data, json!({"id": 1, "name": "Gerbang Timur", "purpose": "gate", "locked": false}));

    let cookie = cookie(&paired);
    let body = json!({"number": "1001", "gate": "Gerbang Palsu"});
    let result = on(school.post("/api/scan", body), &cookie).await.data()["results"][0].take();
    assert_eq!((&result["outcome"], &result["gate"]), (&json!("hadir"), &json!("Gerbang Timur")));
    let state = on(school.get("/api/gate"), &cookie).await.data();
    assert_eq!(state["gate"], "Gerbang Timur");
    let own = on(school.get("/api/pairing"), &cookie).await;
    assert_eq!((&own.data(), own.headers["set-cookie"].to_str().unwrap()), (&data, set), "for another while");
    let stranger = school.get("/api/pairing").await;
    assert_eq!((stranger.data(), stranger.headers.contains_key("set-cookie")), (Value::Null, false));
    let found = on(school.get("/api/gate/find?q=10"), &cookie).await.data();
    assert!(!found.as_array().unwrap().is_empty());
    let by_contract = json!({"nisn_nip_nik": "1002"});
    let by_contract = on(school.post("/api/student-attendance/scan-qr", by_contract), &cookie).await;
    assert_eq!(by_contract.data()["gate"], "Gerbang Timur");

    let again = school.post("/api/pairing", json!({"code": code, "name": "Lain"})).await;
    again.refused(404, UNKNOWN);
}

#[tokio::test]
async fn somebody_signed_in_at_a_paired_gate_is_its_operator() {
    let school = Served::at("06:41:00").await;
    let (cookie, teacher) = (device(&school, Purpose::Gate).await, school.token("2001").await);
    on(school.post("/api/scan", json!({"number": "1001"})), &cookie).bearer(&teacher).await.data();
    let record = school.last_record().await;
    let text = record.to_string();
    assert!(text.contains("Gerbang Timur"), "{text}");
    assert!(text.contains(&format!("\"operator\":{}", school.id("2001"))), "{text}");
    // Neither who may not scan nor a login that ran out stops a gate that was let in.
    let head = school.token("4001").await;
    assert_eq!(on(school.get("/api/gate"), &cookie).bearer(&head).await.status, 200);
    assert_eq!(on(school.get("/api/gate"), &cookie).bearer("old").await.status, 200);
}

#[tokio::test]
async fn a_program_gets_a_token_instead_of_a_cookie() {
    let school = Served::at("06:41:00").await;
    let body = json!({"code": code(&school, Purpose::Gate).await, "name": "Alat", "bearer": true});
    let paired = school.post("/api/pairing", body).await;
    assert!(!paired.headers.contains_key("set-cookie"));
    let token = paired.json()["data"]["token"].as_str().unwrap().to_owned();
    school.post("/api/scan", json!({"number": "1001"})).bearer(&token).await.data();
    for path in ["/api/user", "/api/attendance/history", "/api/qrcode/dynamic", "/api/kiosk", "/api/devices"]
    {
        school.get(path).bearer(&token).await.refused(403, NOT_FOR_THAT);
    }
    school.get("/api/user").bearer("device_made-up").await.refused(401, "Token tidak valid");
    school.get("/api/gate").bearer("device_made-up").await.refused(401, "Token tidak valid");
    let on_disk = school.node().store().read(|conn| {
        conn.query_row("SELECT token_sha256 FROM paired_device", [], |row| row.get::<_, String>(0))
    });
    assert!(!on_disk.await.unwrap().contains(token.trim_start_matches("device_")));
}

#[tokio::test]
async fn a_device_may_what_it_was_paired_for_and_nothing_else() {
    let school = Served::at("06:41:00").await;
    let (gate, kiosk) = (device(&school, Purpose::Gate).await, device(&school, Purpose::Kiosk).await);
    // Method, path, whether a gate may, whether a kiosk may.
    let table = [
        ("POST", "/api/scan", true, false),
        ("POST", "/api/scan/frame", true, false),
        ("GET", "/api/gate", true, false),
        ("GET", "/api/gate/find?q=10", true, false),
        ("POST", "/api/student-attendance/scan-qr", true, false),
        ("GET", "/api/kiosk", false, true),
        ("GET", "/api/qrcode/current", false, true),
        ("GET", "/api/qrcode/current.svg", false, true),
        ("GET", "/api/qrcode/dynamic", false, false),
        ("POST", "/api/student-attendance/bulk", false, false),
        ("GET", "/api/student-attendance/class-status/1", false, false),
        ("POST", "/api/attendance/checkin", false, false),
        ("GET", "/api/attendance/history", false, false),
        ("GET", "/api/user", false, false),
        ("POST", "/api/box/sync", false, false),
        ("GET", "/api/devices", false, false),
        ("POST", "/api/devices/1/revoke", false, false),
        ("POST", "/api/devices/2/pin", false, false),
        ("POST", "/api/pairing/codes", false, false),
    ];
    for (method, path, gate_may, kiosk_may) in table {
        let method: Method = method.parse().unwrap();
        for (cookie, may) in [(&gate, gate_may), (&kiosk, kiosk_may)] {
            // At the box's own screen as well: people walk up to it.
            for ask in [school.ask(method.clone(), path), school.ask(method.clone(), path).here()] {
                let status = on(ask, cookie).await.status.as_u16();
                assert_eq!(status != 401 && status != 403, may, "{method} {path}: {status}");
            }
        }
    }
    on(school.get("/api/gate"), &kiosk).await.refused(403, NOT_FOR_THAT);
    on(school.get("/api/kiosk"), &gate).await.refused(403, NOT_FOR_THAT);
    assert_eq!(super::list(school.node().store()).await.unwrap().len(), 2, "and nothing was done");
}

#[tokio::test]
async fn only_the_boxs_own_pages_speak_with_the_cookie() {
    let school = Served::at("06:41:00").await;
    let cookie = device(&school, Purpose::Gate).await;
    let post = || school.post("/api/scan", json!({"number": "1001"})).header(header::COOKIE, &cookie);
    let recorded = school.recorded();
    for (name, value) in [
        (SITE, "cross-site"),
        (SITE, "same-site"),
        (SITE, "none"),
        (header::ORIGIN, "https://evil.example"),
        (header::ORIGIN, "null"),
        (HeaderName::from_static("x-nothing"), "said"),
    ] {
        post().header(name, value).await.refused(401, "Token tidak valid");
    }
    assert_eq!(school.recorded(), recorded);
    post().header(header::ORIGIN, "https://kotak.local:8443").await.data();
    let get = || school.get("/api/gate").header(header::COOKIE, &format!("a=b; {cookie}; c=d"));
    assert_eq!(get().await.status, 200);
    get().header(SITE, "cross-site").await.refused(401, "Token tidak valid");
}

#[tokio::test]
async fn a_code_that_is_wrong_late_or_of_another_kind_lets_nobody_in() {
    let school = Served::at("06:41:00").await;
    let asks = |body: Value| school.post("/api/pairing", body);
    asks(json!({})).await.invalid(&["code"]);
    asks(json!({"code": "X"})).await.invalid(&["name"]);
    for name in [" ".to_owned(), "x".repeat(61), "a\u{7}b".into()] {
        asks(json!({"code": "X", "name": name})).await.invalid(&["name"]);
    }
    for pin in ["123", "123456789", "12a4", "١٢٣٤"] {
        asks(json!({"code": "X", "name": "K", "pin": pin})).await.invalid(&["pin"]);
    }
    let late = code(&school, Purpose::Gate).await;
    school.hands().pass(10 * 60 * 1000);
    asks(json!({"code": late, "name": "Telat"})).await.refused(404, UNKNOWN);
    asks(json!({"code": "", "name": "Kosong"})).await.refused(404, UNKNOWN);

    let kiosk = code(&school, Purpose::Kiosk).await;
    asks(json!({"code": kiosk, "name": "Kiosk"})).await.invalid(&["pin"]);
    let paired = asks(json!({"code": kiosk, "name": "Kiosk", "pin": "4821"})).await;
    assert_eq!(paired.json()["data"]["locked"], true, "the code was still good");
    school.post("/api/pairing/codes", json!({"purpose": "kitchen"})).here().await.invalid(&["purpose"]);
}

#[tokio::test]
async fn codes_cannot_be_guessed() {
    let school = Served::at("06:41:00").await;
    let right = code(&school, Purpose::Gate).await;
    let guess = |code: &str| school.post("/api/pairing", json!({"code": code, "name": "Tamu"}));
    for n in 0..10 {
        guess(&format!("0000-000{n}")).await.refused(404, UNKNOWN);
    }
    let refused = guess(&right).await;
    refused.refused(429, "Terlalu banyak percobaan. Silakan coba lagi nanti");
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    assert_eq!(guess(&right).here().await.status, 201, "another address has tries of its own");
}

#[tokio::test]
async fn a_code_pairs_one_device_however_many_ask_at_once() {
    let school = Served::at("06:41:00").await;
    let code = code(&school, Purpose::Gate).await;
    let mut asks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let ask = school.post("/api/pairing", json!({"code": code, "name": "Gerbang"}));
        asks.spawn(async move { ask.await.status.as_u16() });
    }
    let mut statuses = asks.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 404, 404, 404, 404, 404, 404, 404]);
}

#[tokio::test]
async fn who_may_let_devices_in_and_shut_them_out() {
    let school = Served::at("06:41:00").await;
    device(&school, Purpose::Kiosk).await;
    let mut tokens = vec![];
    for number in ["2001", "3001", "4001", "5001"] {
        tokens.push(school.token(number).await);
    }
    // guru, pegawai, kepala_sekolah, admin.
    for (method, path, opens) in [
        ("POST", "/api/pairing/codes", [true, false, true, true]),
        ("GET", "/api/devices", [false, false, false, true]),
        ("POST", "/api/devices/9/revoke", [false, false, false, true]),
        ("POST", "/api/devices/1/pin", [false, false, false, true]),
    ] {
        let ask = || school.ask(method.parse().unwrap(), path);
        ask().await.refused(401, "Token tidak valid");
        for (token, opens) in tokens.iter().zip(opens) {
            let status = ask().bearer(token).await.status.as_u16();
            assert_eq!(status != 403 && status != 401, opens, "{method} {path}: {status}");
        }
        if !opens[0] {
            ask().bearer(&tokens[0]).await.refused(403, "Hanya admin yang dapat mengatur perangkat");
        }
        let here = ask().here().await.status.as_u16();
        assert!(here != 401 && here != 403, "{method} {path} at the box: {here}");
    }
}

#[tokio::test]
async fn a_revoked_device_is_a_stranger_at_once() {
    let school = Served::at("06:41:00").await;
    let (cookie, admin) = (device(&school, Purpose::Gate).await, school.token("5001").await);
    scan(&school, &cookie, "1001").await.data();
    let listed = school.get("/api/devices").bearer(&admin).await.data();
    let paired_at = at("06:41:00").0;
    assert_eq!(
        listed,
        json!([{"id": 1, "name": "Gerbang Timur", "purpose": "gate", "paired_at": paired_at, "last_seen_at": paired_at}])
    );
    let revoke = || school.post("/api/devices/1/revoke", json!({})).bearer(&admin);
    assert_eq!(revoke().await.json(), json!({"success": true, "message": "Perangkat berhasil dicabut"}));
    scan(&school, &cookie, "1002").await.refused(401, "Token tidak valid");
    on(school.get("/api/gate"), &cookie).await.refused(401, "Token tidak valid");
    revoke().await.refused(404, "Perangkat tidak ditemukan");
    assert_eq!(school.get("/api/devices").bearer(&admin).await.data(), json!([]));
}

#[tokio::test]
async fn when_a_device_was_seen_is_noted_now_and_then() {
    let school = Served::at("06:41:00").await;
    let cookie = device(&school, Purpose::Gate).await;
    let seen = async || school.get("/api/devices").here().await.data()[0]["last_seen_at"].as_i64().unwrap();
    school.hands().pass(59_000);
    on(school.get("/api/gate"), &cookie).await.data();
    assert_eq!(seen().await, at("06:41:00").0);
    school.hands().pass(1_000);
    on(school.get("/api/gate"), &cookie).await.data();
    for _ in 0..100 {
        if seen().await == at("06:42:00").0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never noted");
}

#[tokio::test]
async fn a_kiosk_opens_with_its_pin_for_a_while_and_the_pin_cannot_be_tried_out() {
    let school = Served::at("06:41:00").await;
    let cookie = device(&school, Purpose::Kiosk).await;
    let exit = |pin: &str| on(school.post("/api/kiosk/exit", json!({"pin": pin})), &cookie);
    let sent_back = async |path: &str| {
        let answer = on(school.get(path), &cookie).await;
        (answer.status == 303 && answer.headers["location"] == "/kiosk", answer.status.as_u16())
    };
    for path in ["/", "/gate", "/status"] {
        assert_eq!(sent_back(path).await, (true, 303), "{path}");
    }
    assert_eq!(sent_back("/kiosk").await, (false, 200));
    let leave = || on(school.ask(Method::DELETE, "/api/pairing"), &cookie);
    leave().await.refused(403, "Kiosk ini terkunci. Masukkan PIN lebih dulu");

    exit("0000").await.refused(403, "PIN salah");
    assert_eq!(exit("4821").await.json()["message"], "Kiosk dibuka");
    assert_eq!(sent_back("/status").await, (false, 200));
    assert_eq!(on(school.get("/api/pairing"), &cookie).await.data()["locked"], false);
    on(school.get("/api/devices"), &cookie).await.refused(403, NOT_FOR_THAT);
    school.hands().pass(5 * 60 * 1000);
    assert_eq!(sent_back("/status").await, (true, 303), "it locks itself");

    for pin in ["0001", "0002", "0003"] {
        exit(pin).await.refused(403, "PIN salah");
    }
    let refused = exit("4821").await;
    refused.refused(429, "Terlalu banyak percobaan. Silakan coba lagi nanti");
    exit("12").await.invalid(&["pin"]);

    // Forgotten: an admin opens it, or gives it another.
    let (admin, teacher) = (school.token("5001").await, school.token("2001").await);
    let by = |token: &str| on(school.post("/api/kiosk/exit", json!({})), &cookie).bearer(token);
    by(&teacher).await.invalid(&["pin"]);
    assert_eq!(by(&admin).await.status, 200);
    assert_eq!(on(school.post("/api/kiosk/lock", json!({})), &cookie).await.status, 200);
    assert_eq!(sent_back("/").await, (true, 303));
    let pin = school.post("/api/devices/1/pin", json!({"pin": "999999"})).bearer(&admin).await;
    assert_eq!(pin.json()["message"], "PIN kiosk berhasil diperbarui");
    assert_eq!(by(&admin).await.status, 200);
    let left = leave().await;
    assert!(left.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    on(school.get("/api/kiosk"), &cookie).await.refused(401, "Token tidak valid");
}

#[tokio::test]
async fn a_restart_keeps_what_was_paired_and_another_school_does_not() {
    let on_disk = TestBox::demo(at("06:41:00")).await;
    let (code, _) = new_code(on_disk.node(), Purpose::Gate).await.unwrap();
    let school = Served::over(on_disk);
    let teacher = school.token("2001").await;
    let paired = school.post("/api/pairing", json!({"code": code.to_string(), "name": "Gerbang"})).await;
    let (cookie, waiting) = (cookie(&paired), new_code(school.node(), Purpose::Gate).await.unwrap().0);

    let school = school.restart().await;
    scan(&school, &cookie, "1001").await.data();
    assert_eq!(school.get("/api/user").bearer(&teacher).await.status, 200);
    let asks = |code: &Code| school.post("/api/pairing", json!({"code": code.to_string(), "name": "Baru"}));
    assert_eq!(asks(&waiting).await.status, 201, "a code too");

    let waiting = new_code(school.node(), Purpose::Gate).await.unwrap().0;
    let enrolled: Enrolled = serde_json::from_value(json!({
        "proto": 1, "device": uuid::Uuid::from_u128(9), "institution": 2, "institution_code": "LAIN",
        "institution_name": "Sekolah Lain", "cloud_key": SecretKey::from_seed(&[1; 32]).public(),
        "time": 0,
    }))
    .unwrap();
    let key = SecretKey::from_seed(&[2; 32]);
    let member = Membership::new("https://cloud.example".into(), "Kotak".into(), &key, enrolled);
    let node = school.node();
    membership::join(node.store(), node.seal(), node.ids(), &member, node.trusted_now().time).await.unwrap();
    scan(&school, &cookie, "1001").await.refused(401, "Token tidak valid");
    school.get("/api/user").bearer(&teacher).await.refused(401, "Token tidak valid");
    asks(&waiting).await.refused(404, UNKNOWN);
}

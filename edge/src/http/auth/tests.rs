use hadir_shared::{demo::PASSWORD, wire::roster::entity};
use serde_json::{Value, json};

use super::token::tests::{NOW, claims, header, keys, signed};
use crate::http::testing::Served;

#[tokio::test]
async fn staff_sign_in_without_the_internet_and_out_again() {
    let school = Served::at("06:40:00").await;
    let login = json!({"nisn_nip_nik": " 2001 ", "password": PASSWORD});
    let answer = school.post("/api/auth/login", login).await;
    assert_eq!(answer.json()["message"], "Login berhasil");
    let data = answer.data();
    assert_eq!((&data["user"]["nisn_nip_nik"], &data["user"]["role_id"]), (&json!("2001"), &json!(2)));
    let fields = ["email", "phone", "photo_path", "created_at", "updated_at"];
    assert!(fields.iter().all(|f| data["user"].get(f) == Some(&Value::Null)), "{data}");
    let token = data["token"].as_str().unwrap();

    let me = school.get("/api/user").bearer(token).await;
    assert_eq!(me.json()["message"], "Data user berhasil diambil");
    assert_eq!(me.data()["user"], data["user"]);

    let out = school.post("/api/auth/logout", json!({})).bearer(token).await;
    assert_eq!(out.json(), json!({"success": true, "message": "Logout berhasil"}));
    school.get("/api/user").bearer(token).await.refused(401, "Token tidak valid");
    school.post("/api/auth/logout", json!({})).bearer(token).await.refused(401, "Token tidak valid");
}

#[tokio::test]
async fn whoever_is_unknown_wrong_or_a_student_hears_the_same() {
    let school = Served::at("06:40:00").await;
    for (number, password) in
        [("2001", "rahasia123!"), ("9999", PASSWORD), ("1001", PASSWORD), ("' OR 1=1 --", PASSWORD)]
    {
        let login = json!({"nisn_nip_nik": number, "password": password});
        school.post("/api/auth/login", login).await.refused(401, "Kredensial tidak valid");
    }
    school.post("/api/auth/login", json!({})).await.invalid(&["nisn_nip_nik", "password"]);
    school
        .post("/api/auth/login", json!({"nisn_nip_nik": 2001, "password": "x"}))
        .await
        .invalid(&["nisn_nip_nik"]);
}

#[tokio::test]
async fn guessing_is_slowed_down_and_told_when_to_come_back() {
    let school = Served::at("06:40:00").await;
    // An empty number of attempts is free: the limit is on what is hashed.
    for _ in 0..20 {
        let wrong = json!({"nisn_nip_nik": "2001", "password": "x".repeat(300)});
        school.post("/api/auth/login", wrong).await.refused(401, "Kredensial tidak valid");
    }
    let right = json!({"nisn_nip_nik": "2001", "password": PASSWORD});
    let refused = school.post("/api/auth/login", right).await;
    refused.refused(429, "Terlalu banyak percobaan. Silakan coba lagi nanti");
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
    school.token("2002").await;
}

#[tokio::test]
async fn a_token_ends_by_itself_and_is_not_on_disk() {
    let school = Served::at("06:40:00").await;
    let token = school.token("2001").await;
    let on_disk = school.node().store().read(|conn| {
        conn.query_row("SELECT token_sha256 FROM web_session", [], |row| row.get::<_, String>(0))
    });
    let on_disk = on_disk.await.unwrap();
    assert!(on_disk.len() == 64 && !on_disk.contains(&token));

    school.hands().pass((30 * 24 * 3600 - 1) * 1000);
    assert_eq!(school.get("/api/user").bearer(&token).await.status, 200);
    school.hands().pass(1000);
    let ended = school.get("/api/user").bearer(&token).await;
    ended.refused(401, "Token sudah kadaluarsa. Silakan login kembali");
    assert_eq!(ended.headers["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn nobody_passes_without_a_token_of_ours() {
    let school = Served::at("06:40:00").await;
    for token in ["", "x", "a.b.c", "18|GYwljnaQN5wdl11RpKDgO08YWJMRSFAxIDsH8bpV66f2ef83"] {
        school.get("/api/user").bearer(token).await.refused(401, "Token tidak valid");
    }
    school.get("/api/user").await.refused(401, "Token tidak valid");
}

#[tokio::test]
async fn a_token_of_the_cloud_opens_the_box_until_it_ends_or_is_signed_out_here() {
    let school = Served::at("06:40:00").await;
    let known = keys();
    let (issuer, audience) = (&known.issuer, &known.audience);
    let keys = json!({
        "qr": "07".repeat(32), "cards": {}, "cloud": [], "jwks": known.jwks, "issuer": issuer, "audience": audience,
    });
    let person = json!({
        "id": 7, "uuid": claims()["sub"], "number": "2001", "name": "Guru", "role": 2, "active": true,
    });
    school.shows(&[Served::entry(entity::KEYS, "", &keys), Served::entry(entity::PERSON, 7, &person)]);
    let now = school.node().trusted_now().time;
    let token = |lives: i64, jti: i64| {
        let mut claims = claims();
        claims["iat"] = ((now.0 / 1000) - 60).into();
        claims["exp"] = ((now.0 / 1000) + lives).into();
        claims["jti"] = jti.into();
        signed(&header(), &claims)
    };
    assert!(now > NOW);
    school
        .get("/api/user")
        .bearer(&token(-1, 1))
        .await
        .refused(401, "Token sudah kadaluarsa. Silakan login kembali");
    let good = token(900, 2);
    assert_eq!(school.get("/api/user").bearer(&good).await.data()["user"]["id"], 7);
    assert_eq!(school.post("/api/auth/logout", json!({})).bearer(&good).await.status, 200);
    school.get("/api/user").bearer(&good).await.refused(401, "Token tidak valid");
    assert_eq!(school.get("/api/user").bearer(&token(900, 3)).await.status, 200);

    let mut left = person.clone();
    left["active"] = false.into();
    school.shows(&[Served::entry(entity::KEYS, "", &keys), Served::entry(entity::PERSON, 7, &left)]);
    school.get("/api/user").bearer(&token(900, 4)).await.refused(401, "Token tidak valid");
}

/// Every protected route, asked by nobody and by every role.
#[tokio::test]
async fn who_may_what_is_the_contracts_table() {
    let school = Served::at("06:40:00").await;
    // guru, pegawai, kepala_sekolah, admin: whether the door opens at all.
    let table: [(&str, &str, [bool; 4]); 14] = [
        ("POST", "/api/attendance/checkin", [true, true, true, false]),
        ("POST", "/api/attendance/checkout", [true, true, true, false]),
        ("GET", "/api/attendance/history", [true, true, true, true]),
        ("GET", "/api/user", [true, true, true, true]),
        ("GET", "/api/qrcode/dynamic", [true, true, true, true]),
        ("GET", "/api/qrcode/current", [true, true, true, true]),
        ("GET", "/api/kiosk", [true, true, true, true]),
        ("POST", "/api/student-attendance/scan-qr", [true, true, false, true]),
        ("POST", "/api/student-attendance/bulk", [true, true, false, true]),
        ("GET", "/api/student-attendance/class-status/1", [true, true, false, true]),
        ("POST", "/api/scan", [true, true, false, true]),
        ("POST", "/api/scan/frame", [true, true, false, true]),
        ("GET", "/api/gate", [true, true, false, true]),
        ("POST", "/api/box/sync", [false, false, false, true]),
    ];
    let mut tokens = vec![];
    for number in ["2001", "3001", "4001", "5001"] {
        tokens.push(school.token(number).await);
    }
    for (method, path, opens) in table {
        let ask = || school.ask(method.parse().unwrap(), path);
        ask().await.refused(401, "Token tidak valid");
        for (token, opens) in tokens.iter().zip(opens) {
            let status = ask().bearer(token).await.status.as_u16();
            assert_eq!(status != 403 && status != 401, opens, "{method} {path}: {status}");
        }
    }
}

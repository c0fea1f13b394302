use serde_json::json;

use crate::{
    db::Cloud,
    identity::seed,
    testing::{PASSWORD, START, TestApp, request},
};

#[tokio::test]
async fn login_answers_as_documented() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let id = t.user(school, "5001", seed::ADMIN).await;
        let answer = t.post("/api/auth/login", None, json!({"nisn_nip_nik": "5001", "password": PASSWORD})).await;
        let token = answer.body["data"]["token"].clone();
        let user = json!({
            "id": id, "nisn_nip_nik": "5001", "name": "Orang 5001", "email": null, "phone": null, "role_id": 5,
            "photo_path": null, "is_active": true,
            "created_at": START.to_rfc3339_micros(), "updated_at": START.to_rfc3339_micros(),
        });
        let body = json!({"success": true, "message": "Login berhasil", "data": {"user": user, "token": token}});
        assert_eq!(answer.parts(), (200, &body), "{}", t.on);

        let token = token.as_str();
        let me = json!({"success": true, "message": "Data user berhasil diambil", "data": {"user": user}});
        assert_eq!(t.get("/api/user", token).await.parts(), (200, &me), "{}", t.on);
        let profile = json!({"success": true, "message": "Data profil berhasil diambil", "data": user});
        assert_eq!(t.get("/api/profile", token).await.parts(), (200, &profile), "{}", t.on);

        let wrong = t.post("/api/auth/login", None, json!({"nisn_nip_nik": "5001", "password": "salah sekali"})).await;
        let refused = json!({"success": false, "message": "Kredensial tidak valid"});
        assert_eq!(wrong.parts(), (401, &refused), "{}", t.on);
        let unknown = t.post("/api/auth/login", None, json!({"nisn_nip_nik": "9999", "password": PASSWORD})).await;
        assert_eq!(unknown.parts(), (401, &refused), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn logout_ends_this_session_at_once() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let (_, token) = t.signed_in(school, "2001", seed::TEACHER).await;
        let other = t.login("2001").await;
        let done = json!({"success": true, "message": "Logout berhasil"});
        assert_eq!(
            t.post("/api/auth/logout", Some(&token), json!({})).await.parts(),
            (200, &done),
            "{}",
            t.on
        );
        let refused = json!({"success": false, "message": "Token tidak valid"});
        assert_eq!(
            t.post("/api/auth/logout", Some(&token), json!({})).await.parts(),
            (401, &refused),
            "{}",
            t.on
        );
        assert_eq!(t.get("/api/user", Some(&token)).await.parts(), (401, &refused), "{}", t.on);
        assert_eq!(t.get("/api/user", Some(&other)).await.status, 200, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn without_a_good_token_nothing_is_told() {
    TestApp::both(async |t| {
        let refused = json!({"success": false, "message": "Token tidak valid"});
        for (method, path) in [
            ("POST", "/api/auth/logout"),
            ("GET", "/api/user"),
            ("GET", "/api/profile"),
            ("PUT", "/api/profile"),
            ("PUT", "/api/profile/password"),
        ] {
            for token in
                [None, Some(""), Some("x"), Some("18|GYwljnaQN5wdl11RpKDgO08YWJMRSFAxIDsH8bpV66f2ef83")]
            {
                let answer = t.json(method, path, token, &json!({"name": "x"})).await;
                assert_eq!(answer.parts(), (401, &refused), "{} {method} {path} {token:?}", t.on);
                assert_eq!(answer.headers["www-authenticate"], "Bearer");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_old_session_says_so() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let (_, token) = t.signed_in(school, "2001", seed::TEACHER).await;
        t.clock.advance_ms(30 * super::DAY_MS);
        let answer = t.get("/api/user", Some(&token)).await;
        let body = json!({"success": false, "message": "Token sudah kadaluarsa. Silakan login kembali"});
        assert_eq!(answer.parts(), (401, &body), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_profile_changes_only_in_what_is_ones_own() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let (siti, token) = t.signed_in(school, "2001", seed::TEACHER).await;
        t.clock.advance_ms(60_000);
        let change = json!({
            "name": " Siti Aminah ", "email": "Siti@Sekolah.sch.id", "phone": "081234567898",
            "role_id": 5, "is_active": false, "id": 1, "nisn_nip_nik": "5001", "institution_id": 99,
        });
        let answer = t.put("/api/profile", Some(&token), change).await;
        let body = json!({"success": true, "message": "Profil berhasil diperbarui", "data": {
            "id": siti, "nisn_nip_nik": "2001", "name": "Siti Aminah", "email": "siti@sekolah.sch.id",
            "phone": "081234567898", "role_id": 2, "photo_path": null, "is_active": true,
            "created_at": START.to_rfc3339_micros(), "updated_at": START.plus_millis(60_000).to_rfc3339_micros(),
        }});
        assert_eq!(answer.parts(), (200, &body), "{}", t.on);

        let (_, other) = t.signed_in(school, "2002", seed::TEACHER).await;
        let answer = t.put("/api/profile", Some(&other), json!({"email": "siti@sekolah.sch.id"})).await;
        let in_use = json!({"success": false, "message": "Validasi gagal", "errors": {"email": ["Email sudah digunakan"]}});
        assert_eq!(answer.parts(), (422, &in_use), "{}", t.on);
        let answer = t.put("/api/profile", Some(&other), json!({"email": "siti", "phone": "1"})).await;
        let invalid = json!({"success": false, "message": "Validasi gagal", "errors": {
            "email": ["email harus berupa alamat email yang valid"], "phone": ["phone minimal 5 karakter"]}});
        assert_eq!(answer.parts(), (422, &invalid), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_new_password_needs_the_old_one_and_ends_the_other_sessions() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let (_, token) = t.signed_in(school, "2001", seed::TEACHER).await;
        let other = t.login("2001").await;
        let change = |current: &str, new: &str, again: &str| {
            json!({"current_password": current, "new_password": new, "new_password_confirmation": again})
        };
        let path = "/api/profile/password";
        let wrong = t.put(path, Some(&token), change("salah sekali", "kunci rumah nenek", "kunci rumah nenek")).await;
        let body = json!({"success": false, "message": "Password saat ini salah"});
        assert_eq!(wrong.parts(), (400, &body), "{}", t.on);
        for (new, again, said) in [
            ("kunci rumah nenek", "kunci rumah kakek", "Konfirmasi new_password tidak cocok"),
            ("pendek", "pendek", "new_password minimal 8 karakter"),
            ("password123", "password123", "Kata sandi ini terlalu umum"),
            ("SMAN1-2025", "SMAN1-2025", "Kata sandi ini memuat nama sekolah atau nama Anda"),
            ("orang2001!", "orang2001!", "Kata sandi ini memuat nama sekolah atau nama Anda"),
        ] {
            let answer = t.put(path, Some(&token), change(PASSWORD, new, again)).await;
            assert_eq!((answer.status.as_u16(), &answer.body["errors"]["new_password"]), (422, &json!([said])), "{}", t.on);
        }
        let done = t.put(path, Some(&token), change(PASSWORD, "kunci rumah nenek", "kunci rumah nenek")).await;
        assert_eq!(done.parts(), (200, &json!({"success": true, "message": "Password berhasil diubah"})), "{}", t.on);
        assert_eq!(t.get("/api/user", Some(&token)).await.status, 200, "{}: this one goes on", t.on);
        assert_eq!(t.get("/api/user", Some(&other)).await.status, 401, "{}: the others end", t.on);
        let login = |password: &str| json!({"nisn_nip_nik": "2001", "password": password});
        assert_eq!(t.post("/api/auth/login", None, login(PASSWORD)).await.status, 401, "{}", t.on);
        assert_eq!(t.post("/api/auth/login", None, login("kunci rumah nenek")).await.status, 200, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn who_has_no_role_in_attendance_is_refused_after_the_password() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "7001", seed::SUPER_ADMIN).await;
        let login = |password: &str| json!({"nisn_nip_nik": "7001", "password": password});
        assert_eq!(t.post("/api/auth/login", None, login("salah sekali")).await.status, 401, "{}", t.on);
        assert_eq!(t.post("/api/auth/login", None, login(PASSWORD)).await.status, 403, "{}", t.on);
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let (sessions,): (i64,) = tx.query("SELECT COUNT(*) FROM sessions").one().await.unwrap();
        assert_eq!(sessions, 0, "{}: no session was made", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_waiting_account_cannot_be_told_and_an_address_that_guesses_is_told_when() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        t.user(school, "2001", seed::TEACHER).await;
        let refused = json!({"success": false, "message": "Kredensial tidak valid"});
        for password in ["a", "b", "c", "d", "e", PASSWORD] {
            let answer =
                t.post("/api/auth/login", None, json!({"nisn_nip_nik": "2001", "password": password})).await;
            assert_eq!(answer.parts(), (401, &refused), "{} {password}", t.on);
            assert!(!answer.headers.contains_key("retry-after"));
        }
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        let full = "UPDATE login_throttles SET blocked_until = $1 WHERE subject = 'address:127.0.0.1'";
        assert_eq!(tx.query(full).bind(START.0 + 90_500).run().await.unwrap(), 1);
        tx.commit().await.unwrap();
        let answer =
            t.post("/api/auth/login", None, json!({"nisn_nip_nik": "2001", "password": PASSWORD})).await;
        let body = json!({"success": false, "message": "Terlalu banyak percobaan. Silakan coba lagi nanti"});
        assert_eq!(answer.parts(), (429, &body), "{}", t.on);
        assert_eq!(answer.headers["retry-after"], "91", "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_spoofed_forwarded_address_gives_no_new_budget() {
    TestApp::both(async |t| {
        let attempt = |t: TestApp, forwarded: &'static str| async move {
            let body = json!({"nisn_nip_nik": "nobody", "password": "x"}).to_string();
            let request = request("POST", "/api/auth/login", None)
                .header("content-type", "application/json")
                .header("x-forwarded-for", forwarded);
            t.send(request.body(body.into()).unwrap()).await
        };
        attempt(t.clone(), "203.0.113.9").await;
        attempt(t.configured(|c| c.trust_proxy = true), "203.0.113.66, 203.0.113.7").await;
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let seen: Vec<(String,)> = tx
            .query("SELECT subject FROM login_throttles WHERE subject LIKE 'address:%' ORDER BY subject")
            .all()
            .await
            .unwrap();
        let seen: Vec<_> = seen.into_iter().map(|(subject,)| subject).collect();
        assert_eq!(
            seen,
            ["address:127.0.0.1", "address:203.0.113.7"],
            "{}: only the trusted proxy's own entry",
            t.on
        );
    })
    .await;
}

#[tokio::test]
async fn a_wrong_method_or_address_is_answered_in_words() {
    TestApp::both(async |t| {
        let answer = t.delete("/api/user", None).await;
        let body = json!({"success": false, "message": "Metode tidak didukung untuk alamat ini"});
        assert_eq!(answer.parts(), (405, &body), "{}", t.on);
        let body = json!({"success": false, "message": "Alamat tidak ditemukan"});
        assert_eq!(t.delete("/api/users_", None).await.parts(), (404, &body), "{}", t.on);
    })
    .await;
}

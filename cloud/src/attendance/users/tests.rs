use serde_json::{Value, json};

use crate::{
    attendance::tests::{
        HERE, School, audited, both, class, count, join, one_page, punch, refuses_pages_that_are_none,
        refuses_what_is_no_body, school, shown, student,
    },
    db::Cloud,
    identity::{Actor, seed, user},
    testing::{PASSWORD, START, TestApp},
};

fn eka() -> Value {
    json!({
        "nisn_nip_nik": "1005", "name": "Eka Putri", "email": "eka@siswa.sch.id", "phone": "081234567899",
        "password": PASSWORD, "role_id": 1, "photo_path": "profiles/eka.jpg", "is_active": true,
    })
}

async fn add(t: &TestApp, school: &School, number: &str, role: i64) -> Value {
    let body = json!({"nisn_nip_nik": number, "name": "Baru", "password": PASSWORD, "role_id": role});
    let made = t.post("/api/users", Some(&school.admin), body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["data"].clone()
}

/// Accounts of a school, and whether one of a number is there.
async fn published(t: &TestApp, school: &School, deleted: bool) -> i64 {
    let sql = if deleted {
        "SELECT COUNT(*) FROM roster_entries WHERE institution_id = $1 AND entity = 'person' AND is_deleted"
    } else {
        "SELECT COUNT(*) FROM roster_entries WHERE institution_id = $1 AND entity = 'person' AND NOT is_deleted"
    };
    count(t, sql, school).await
}

#[tokio::test]
async fn added_changed_listed_and_deleted_as_documented() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let at = START.to_rfc3339_micros();
        let made = t.post("/api/users", Some(&school.admin), eka()).await;
        let id = &made.body["data"]["id"];
        let mut one = json!({
            "id": id, "nisn_nip_nik": "1005", "name": "Eka Putri", "email": "eka@siswa.sch.id", "phone": "081234567899",
            "role_id": 1, "photo_path": null, "is_active": true, "created_at": at, "updated_at": at,
        });
        let expected = json!({"success": true, "message": "Pengguna berhasil ditambahkan", "data": one});
        assert_eq!(made.parts(), (201, &expected), "{}", t.on);
        assert_eq!(published(&t, &school, false).await, 1);
        let path = format!("/api/users/{id}");
        let message = "Data pengguna berhasil diambil";
        let shown = t.get(&path, Some(&school.admin)).await;
        assert_eq!(shown.parts(), (200, &json!({"success": true, "message": message, "data": one})));
        let list = t.get("/api/users?role_id=1", Some(&school.admin)).await;
        let mut page = one_page("/api/users", &json!([one]));
        for url in ["first_page_url", "last_page_url"] {
            page[url] = json!("http://absensi.test/api/users?role_id=1&page=1");
        }
        assert_eq!(list.parts(), (200, &json!({"success": true, "message": message, "data": page})));

        t.clock.advance_ms(60_000);
        let change = json!({
            "name": "Eka Putri - Updated", "email": "eka.updated@siswa.sch.id", "phone": null, "nisn_nip_nik": "1006",
        });
        let changed = t.put(&path, Some(&school.admin), change).await;
        one["name"] = json!("Eka Putri - Updated");
        one["email"] = json!("eka.updated@siswa.sch.id");
        one["phone"] = json!(null);
        one["nisn_nip_nik"] = json!("1006");
        one["updated_at"] = json!(t.app.now().to_rfc3339_micros());
        let expected = json!({"success": true, "message": "Data pengguna berhasil diperbarui", "data": one});
        assert_eq!(changed.parts(), (200, &expected), "{}", t.on);
        let token = t.login("1006").await;

        let deleted = t.delete(&path, Some(&school.admin)).await;
        let done = json!({"success": true, "message": "Pengguna berhasil dihapus"});
        assert_eq!(deleted.parts(), (200, &done), "{}", t.on);
        assert_eq!(t.get("/api/user", Some(&token)).await.status, 401, "out at once");
        let unknown = json!({"success": false, "message": "Pengguna tidak ditemukan"});
        assert_eq!(t.get(&path, Some(&school.admin)).await.parts(), (404, &unknown));
        assert_eq!(t.delete(&path, Some(&school.admin)).await.parts(), (404, &unknown));
        assert_eq!(t.put(&path, Some(&school.admin), json!({})).await.parts(), (404, &unknown));
        assert_eq!((published(&t, &school, false).await, published(&t, &school, true).await), (0, 1));
        assert_eq!(add(&t, &school, "1006", 1).await["nisn_nip_nik"], "1006", "the number is free again");
    })
    .await;
}

#[tokio::test]
async fn who_was_recorded_is_deactivated() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (teacher, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let qr = shown(&t, &school, START).await;
        let entered = t.post("/api/attendance/checkin", Some(&token), punch(&qr, HERE)).await;
        assert_eq!(entered.status, 200, "{}", entered.body);
        let room = class(&t, &school, "X", None).await;
        let pupil = student(&t, &school, room, "1001").await;
        for id in [teacher, pupil] {
            let path = format!("/api/users/{id}");
            let deleted = t.delete(&path, Some(&school.admin)).await;
            let done = json!({"success": true, "message": "Pengguna berhasil dihapus"});
            assert_eq!(deleted.parts(), (200, &done), "{}", t.on);
            let kept = t.get(&path, Some(&school.admin)).await;
            assert_eq!(kept.body["data"]["is_active"], false, "{}", kept.body);
        }
        let open = "SELECT COUNT(*) FROM class_students WHERE institution_id = $1 AND left_on IS NULL";
        assert_eq!(count(&t, open, &school).await, 0, "{}: who is gone is missing in no class", t.on);
        let (before, after) = audited(&t, &school, "class.withdraw").await;
        assert_eq!(before, json!({"class_ids": [room], "deleted": []}), "{}", t.on);
        assert_eq!(
            (&after["ended"][0]["student_id"], &after["left_on"]),
            (&json!(pupil), &json!("2025-11-21"))
        );
        assert_eq!(t.get("/api/user", Some(&token)).await.status, 401);
        let login = json!({"nisn_nip_nik": "2001", "password": PASSWORD});
        assert_eq!(t.post("/api/auth/login", None, login.clone()).await.status, 401);
        let back =
            t.put(&format!("/api/users/{teacher}"), Some(&school.admin), json!({"is_active": true})).await;
        assert_eq!(back.body["data"]["is_active"], true);
        assert_eq!(t.post("/api/auth/login", None, login).await.status, 200);
        assert_eq!(count(&t, "SELECT COUNT(*) FROM attendance WHERE institution_id = $1", &school).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_new_password_role_or_an_end_takes_hold_at_once() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (id, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let path = format!("/api/users/{id}");
        let put = async |body: Value| {
            let changed = t.put(&path, Some(&school.admin), body).await;
            assert_eq!(changed.status, 200, "{} {}", t.on, changed.body);
        };
        put(json!({"name": "Guru Baru"})).await;
        assert_eq!(t.get("/api/user", Some(&token)).await.body["data"]["user"]["name"], "Guru Baru");
        put(json!({"password": "KataSandiLain9"})).await;
        assert_eq!(t.get("/api/user", Some(&token)).await.status, 401, "{}", t.on);
        let old = json!({"nisn_nip_nik": "2001", "password": PASSWORD});
        assert_eq!(t.post("/api/auth/login", None, old).await.status, 401);
        let new = json!({"nisn_nip_nik": "2001", "password": "KataSandiLain9"});
        let login = async || {
            let answer = t.post("/api/auth/login", None, new.clone()).await;
            answer.body["data"]["token"].as_str().unwrap().to_owned()
        };
        let token = login().await;
        put(json!({"role_id": 3})).await;
        assert_eq!(t.get("/api/user", Some(&token)).await.status, 401, "tokens of the old role end");
        let token = login().await;
        assert_eq!(t.get("/api/user", Some(&token)).await.body["data"]["user"]["role_id"], 3);
        put(json!({"is_active": false})).await;
        assert_eq!(t.get("/api/user", Some(&token)).await.status, 401);
        let hashes = "SELECT COUNT(*) FROM audit_log WHERE institution_id = $1 AND CAST(after AS TEXT) LIKE '%argon2%'";
        assert_eq!(count(&t, hashes, &school).await, 0);
        let audited = "SELECT COUNT(*) FROM audit_log WHERE institution_id = $1 AND action = 'user.update'
            AND before IS NOT NULL";
        assert_eq!(count(&t, audited, &school).await, 4);
    })
    .await;
}

#[tokio::test]
async fn what_everybody_in_the_school_knows_is_no_password() {
    both(async |t| {
        let school = school(&t, "SMAN1", "5001").await;
        let known = json!({"password": ["Kata sandi ini memuat nama sekolah atau nama Anda"]});
        let eka = |password: &str| {
            json!({"nisn_nip_nik": "0051234567", "name": "Eka Putri", "email": "puspa@sekolah.sch.id",
                "role_id": 1, "password": password})
        };
        for password in ["SMAN1-2025", "Eka.Putri", "ekaputri99", "0051234567a", "puspa123"] {
            let refused = t.post("/api/users", Some(&school.admin), eka(password)).await;
            assert_eq!((refused.status.as_u16(), &refused.body["errors"]), (422, &known), "{password}");
        }
        let made = t.post("/api/users", Some(&school.admin), eka("kunci rumah nenek")).await;
        assert_eq!(made.status, 201, "{} {}", t.on, made.body);

        let path = format!("/api/users/{}", made.body["data"]["id"]);
        let put = async |body: Value| t.put(&path, Some(&school.admin), body).await;
        for body in [
            json!({"password": "SMAN1-2025"}),
            json!({"password": "ekaputri99"}),
            json!({"name": "Gajah Mada", "password": "gajahmada1"}),
            json!({"email": "melati@sekolah.sch.id", "password": "melati123"}),
        ] {
            let refused = put(body.clone()).await;
            assert_eq!((refused.status.as_u16(), &refused.body["errors"]), (422, &known), "{} {body}", t.on);
        }
        assert_eq!(
            t.get(&path, Some(&school.admin)).await.body["data"]["name"],
            "Eka Putri",
            "nothing changed"
        );
        assert_eq!(
            put(json!({"name": "Gajah Mada", "password": "kuda lari pagi"})).await.status,
            200,
            "{}",
            t.on
        );
    })
    .await;
}

#[tokio::test]
async fn the_filters() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        for (number, role) in [("1001", 1), ("1002", 1), ("2001", 2), ("3001", 3)] {
            t.user(school.id, number, role).await;
        }
        t.user(other.id, "1301", seed::STUDENT).await;
        let first = t.get("/api/users?search=1002", Some(&school.admin)).await;
        let id = &first.body["data"]["data"][0]["id"];
        t.put(&format!("/api/users/{id}"), Some(&school.admin), json!({"is_active": false})).await;
        for (query, total) in [
            ("", 5),
            ("role_id=1", 2),
            ("role_id=4", 0),
            ("is_active=1", 4),
            ("is_active=0", 1),
            ("is_active=false&role_id=1", 1),
            ("search=ORANG", 5),
            ("search=orang%202001", 1),
            ("search=100", 2),
            ("search=%25", 0),
            ("search=1_01", 0),
            ("search=1301", 0),
        ] {
            let list = t.get(&format!("/api/users?{query}"), Some(&school.admin)).await;
            assert_eq!(list.body["data"]["total"], total, "{} {query} {}", t.on, list.body);
        }
        let page = t.get("/api/users?per_page=2&page=3", Some(&school.admin)).await.body["data"].clone();
        assert_eq!(
            (&page["from"], &page["to"], &page["next_page_url"]),
            (&json!(5), &json!(5), &json!(null))
        );
        for (query, field) in
            [("role_id=6", "role_id"), ("role_id=x", "role_id"), ("is_active=2", "is_active")]
        {
            let list = t.get(&format!("/api/users?{query}"), Some(&school.admin)).await;
            assert_eq!(list.status, 422);
            assert!(list.body["errors"][field].is_array(), "{query} {}", list.body);
        }
        refuses_pages_that_are_none(&t, "/api/users", &school.admin).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_no_account() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        refuses_what_is_no_body(&t, "POST", "/api/users", &school.admin, "name").await;
        let missing = t.post("/api/users", Some(&school.admin), json!({})).await;
        let errors = json!({
            "nisn_nip_nik": ["nisn_nip_nik wajib diisi"], "name": ["name wajib diisi"],
            "password": ["password wajib diisi"], "role_id": ["role_id wajib diisi"],
        });
        let expected = json!({"success": false, "message": "Validasi gagal", "errors": errors});
        assert_eq!(missing.parts(), (422, &expected), "{}", t.on);

        t.post("/api/users", Some(&other.admin), eka()).await;
        let made = t.post("/api/users", Some(&school.admin), eka()).await;
        let errors =
            json!({"nisn_nip_nik": ["nisn_nip_nik sudah digunakan"], "email": ["email sudah digunakan"]});
        assert_eq!((made.status.as_u16(), &made.body["errors"]), (422, &errors), "a login names no school");
        let own = add(&t, &school, "1007", 1).await;
        let path = format!("/api/users/{}", own["id"]);
        refuses_what_is_no_body(&t, "PUT", &path, &school.admin, "name").await;
        for (field, value) in [
            ("nisn_nip_nik", json!("1005")),
            ("nisn_nip_nik", json!("10 05")),
            ("nisn_nip_nik", json!(1005)),
            ("nisn_nip_nik", json!("1".repeat(65))),
            ("name", json!("a".repeat(256))),
            ("email", json!("EKA@siswa.sch.id")),
            ("email", json!("eka")),
            ("phone", json!("1")),
            ("password", json!("pendek")),
            ("password", json!("password")),
            ("password", json!("a".repeat(257))),
            ("role_id", json!(0)),
            ("role_id", json!(6)),
            ("role_id", json!(101)),
            ("role_id", json!("5")),
            ("is_active", json!("ya")),
        ] {
            let mut body =
                json!({"nisn_nip_nik": "1009", "name": "Baru", "password": PASSWORD, "role_id": 1});
            body[field] = value.clone();
            let made = t.post("/api/users", Some(&school.admin), body).await;
            assert_eq!(made.status, 422, "{field} {value} {}", made.body);
            assert!(made.body["errors"][field].is_array(), "{field} {value} {}", made.body);
            let changed = t.put(&path, Some(&school.admin), json!({field: value})).await;
            assert_eq!(changed.status, 422, "{field} {value} {}", changed.body);
            assert!(changed.body["errors"][field].is_array(), "{field} {value} {}", changed.body);
        }
        assert_eq!(t.get(&path, Some(&school.admin)).await.body["data"], own, "nothing half-written");
        let mut body = eka();
        body["nisn_nip_nik"] = json!("1008");
        body["email"] = json!(null);
        body["institution_id"] = json!(other.id);
        body["token_version"] = json!(7);
        body["id"] = json!(9999);
        let made = t.post("/api/users", Some(&school.admin), body).await;
        assert_eq!(made.status, 201);
        assert_ne!(made.body["data"]["id"], 9999);
        let theirs = t.get(&format!("/api/users/{}", made.body["data"]["id"]), Some(&other.admin)).await;
        assert_eq!(theirs.status, 404, "the school is the administrator's");
    })
    .await;
}

#[tokio::test]
async fn of_two_alike_at_once_one_is_made() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (a, b) = tokio::join!(
            t.post("/api/users", Some(&school.admin), eka()),
            t.post("/api/users", Some(&school.admin), eka())
        );
        let mut both = [a.status.as_u16(), b.status.as_u16()];
        both.sort_unstable();
        assert_eq!(both, [201, 422], "{} {} {}", t.on, a.body, b.body);
        let lost = if a.status == 422 { a } else { b };
        let errors =
            json!({"nisn_nip_nik": ["nisn_nip_nik sudah digunakan"], "email": ["email sudah digunakan"]});
        assert_eq!(lost.body["errors"], errors);

        let (one, two) = (add(&t, &school, "1", 1).await, add(&t, &school, "2", 1).await);
        let put = async |id: &Value| {
            t.put(&format!("/api/users/{id}"), Some(&school.admin), json!({"email": "x@y.id"})).await
        };
        let (a, b) = tokio::join!(put(&one["id"]), put(&two["id"]));
        let lost = if a.status == 422 { a } else { b };
        assert_eq!(
            lost.body["errors"],
            json!({"email": ["email sudah digunakan"]}),
            "the right field is named"
        );
    })
    .await;
}

#[tokio::test]
async fn whose_account_is_whose() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        let theirs = t.user(other.id, "1301", seed::STUDENT).await;
        let path = format!("/api/users/{theirs}");
        let before = t.get(&path, Some(&other.admin)).await.body;
        let unknown = json!({"success": false, "message": "Pengguna tidak ditemukan"});
        assert_eq!(t.get(&path, Some(&school.admin)).await.parts(), (404, &unknown));
        assert_eq!(t.put(&path, Some(&school.admin), json!({"name": "x"})).await.parts(), (404, &unknown));
        assert_eq!(t.delete(&path, Some(&school.admin)).await.parts(), (404, &unknown));
        assert_eq!(t.get(&path, Some(&other.admin)).await.body, before, "{}", t.on);
        let denied =
            json!({"success": false, "message": "Anda tidak memiliki izin untuk mengelola pengguna"});
        for (number, role) in [
            ("1001", seed::STUDENT),
            ("2001", seed::TEACHER),
            ("3001", seed::STAFF),
            ("4001", seed::PRINCIPAL),
        ] {
            let (id, who) = t.signed_in(school.id, number, role).await;
            let own = format!("/api/users/{id}");
            assert_eq!(t.get("/api/users", Some(&who)).await.parts(), (403, &denied));
            assert_eq!(t.get(&own, Some(&who)).await.parts(), (403, &denied));
            assert_eq!(t.post("/api/users", Some(&who), eka()).await.parts(), (403, &denied));
            assert_eq!(t.put(&own, Some(&who), json!({"role_id": 5})).await.parts(), (403, &denied));
            assert_eq!(t.delete(&own, Some(&who)).await.parts(), (403, &denied));
        }
        assert_eq!(t.get("/api/users", None).await.status, 401);
        assert_eq!(t.post("/api/users", None, eka()).await.status, 401);
        assert_eq!(t.delete(&path, None).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn nobody_locks_himself_out_or_takes_over_the_core() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let me = t.get("/api/user", Some(&school.admin)).await.body["data"]["user"]["id"].clone();
        let path = format!("/api/users/{me}");
        assert_eq!(t.delete(&path, Some(&school.admin)).await.status, 400);
        for (field, value) in [("role_id", json!(1)), ("is_active", json!(false))] {
            let refused = t.put(&path, Some(&school.admin), json!({field: value})).await;
            assert_eq!(refused.status, 422);
            assert!(refused.body["errors"][field].is_array(), "{}", refused.body);
        }
        let same = t.put(&path, Some(&school.admin), json!({"role_id": 5, "is_active": true})).await;
        assert_eq!(same.status, 200);
        assert_eq!(t.get("/api/user", Some(&school.admin)).await.status, 200);

        let above = t.user(school.id, "2009", seed::TEACHER).await;
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        user::set_role(&mut tx, &t.app, Actor::System, above, seed::SUPER_ADMIN).await.unwrap();
        tx.commit().await.unwrap();
        let path = format!("/api/users/{above}");
        let denied = json!({"success": false, "message": "Anda tidak memiliki izin untuk mengubah akun ini"});
        let taken = t.put(&path, Some(&school.admin), json!({"password": "KataSandiLain9"})).await;
        assert_eq!(taken.parts(), (403, &denied), "{}", t.on);
        assert_eq!(t.delete(&path, Some(&school.admin)).await.parts(), (403, &denied));
        t.login("2009").await;

        let teacher = t.user(school.id, "2001", seed::TEACHER).await;
        let room = class(&t, &school, "X", Some(teacher)).await;
        let pupil = t.user(school.id, "1001", seed::STUDENT).await;
        join(&t, &school, room, pupil).await;
        for (id, role, text) in [
            (teacher, 3, "Pengguna ini masih menjadi wali kelas"),
            (pupil, 2, "Pengguna ini masih terdaftar sebagai siswa di kelas"),
        ] {
            let moved =
                t.put(&format!("/api/users/{id}"), Some(&school.admin), json!({"role_id": role})).await;
            assert_eq!((moved.status.as_u16(), &moved.body["errors"]), (422, &json!({"role_id": [text]})));
        }
    })
    .await;
}

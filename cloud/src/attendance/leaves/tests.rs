use axum::{body::Body, http::header};
use serde_json::{Value, json};

use crate::{
    attendance::tests::{
        School, both, class, count, one_page, picture, refuses_pages_that_are_none, refuses_what_is_no_body,
        school, student,
    },
    identity::seed,
    testing::{Answer, START, TestApp, request},
};

fn asked() -> Value {
    json!({
        "leave_type": "izin", "start_date": "2025-08-22", "end_date": "2025-08-22",
        "reason": "Perlu izin untuk keperluan pribadi",
    })
}

/// Asks for a leave and answers its id.
async fn ask(t: &TestApp, token: &str) -> i64 {
    let made = t.post("/api/leaves", Some(token), asked()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["data"]["id"].as_i64().unwrap()
}

async fn upload(t: &TestApp, token: &str, leave: i64, name: &str, bytes: &[u8]) -> Answer {
    let mut form = format!(
        "--x\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nsurat\r\n--x\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"
    )
    .into_bytes();
    form.extend_from_slice(bytes);
    form.extend_from_slice(b"\r\n--x--\r\n");
    let request = request("POST", &format!("/api/leaves/{leave}/attachment"), Some(token));
    t.send(request.header("content-type", "multipart/form-data; boundary=x").body(Body::from(form)).unwrap())
        .await
}

fn png() -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(picture(64).split_once(',').unwrap().1).unwrap()
}

async fn published(t: &TestApp, school: &School) -> i64 {
    let sql = "SELECT COUNT(*) FROM roster_entries WHERE institution_id = $1 AND entity = 'leave' AND NOT is_deleted";
    count(t, sql, school).await
}

#[tokio::test]
async fn asked_for_approved_and_shown_as_documented() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (pupil, token) = t.signed_in(school.id, "1001", seed::STUDENT).await;
        let (principal, leading) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        let at = START.to_rfc3339_micros();
        let made = t.post("/api/leaves", Some(&token), asked()).await;
        let id = &made.body["data"]["id"];
        let mut leave = json!({
            "id": id, "user_id": pupil, "leave_type": "izin", "start_date": "2025-08-22T00:00:00.000000Z",
            "end_date": "2025-08-22T00:00:00.000000Z", "reason": "Perlu izin untuk keperluan pribadi",
            "attachment_path": null, "status": "menunggu", "approved_by": null, "approval_comment": null,
            "approved_at": null, "created_at": at, "updated_at": at,
            "user": {"id": pupil, "nisn_nip_nik": "1001", "name": "Orang 1001"},
        });
        let expected = json!({"success": true, "message": "Pengajuan izin berhasil dibuat", "data": leave});
        assert_eq!(made.parts(), (201, &expected), "{}", t.on);
        assert_eq!(published(&t, &school).await, 0);

        t.clock.advance_ms(60_000);
        let path = format!("/api/leaves/{id}");
        let decided = t
            .put(&path, Some(&leading), json!({"status": "disetujui", "approval_comment": "Disetujui"}))
            .await;
        let later = t.app.now().to_rfc3339_micros();
        leave["status"] = json!("disetujui");
        leave["approved_by"] = json!(principal);
        leave["approval_comment"] = json!("Disetujui");
        leave["approved_at"] = json!(later);
        leave["updated_at"] = json!(later);
        let message = "Status pengajuan izin berhasil diperbarui";
        assert_eq!(
            decided.parts(),
            (200, &json!({"success": true, "message": message, "data": leave})),
            "{}",
            t.on
        );
        assert_eq!(published(&t, &school).await, 1, "the boxes know");
        let audited = "SELECT COUNT(*) FROM audit_log WHERE institution_id = $1 AND action = 'leave.decide'
             AND before IS NOT NULL AND after IS NOT NULL";
        assert_eq!(count(&t, audited, &school).await, 1);

        let message = "Data pengajuan izin berhasil diambil";
        let shown = t.get(&path, Some(&token)).await;
        assert_eq!(shown.parts(), (200, &json!({"success": true, "message": message, "data": leave})));
        let list = t.get("/api/leaves", Some(&token)).await;
        let page = one_page("/api/leaves", &json!([leave]));
        assert_eq!(list.parts(), (200, &json!({"success": true, "message": message, "data": page})));
    })
    .await;
}

#[tokio::test]
async fn who_sees_which() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        let (_, token) = t.signed_in(school.id, "1001", seed::STUDENT).await;
        let (_, mate) = t.signed_in(school.id, "1002", seed::STUDENT).await;
        let (_, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (_, staff) = t.signed_in(school.id, "3001", seed::STAFF).await;
        let (_, principal) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        let id = ask(&t, &token).await;
        ask(&t, &teacher).await;
        let unknown = json!({"success": false, "message": "Pengajuan izin tidak ditemukan"});
        let path = format!("/api/leaves/{id}");
        let approve = json!({"status": "disetujui"});
        for (who, sees, listed, deciding) in [
            (&token, 200, 1, 403),
            (&mate, 404, 0, 403),
            (&teacher, 404, 1, 403),
            (&staff, 404, 0, 403),
            (&other.admin, 404, 0, 404),
            (&principal, 200, 2, 200),
            (&school.admin, 200, 2, 400),
        ] {
            let shown = t.get(&path, Some(who)).await;
            assert_eq!(shown.status, sees, "{}", t.on);
            if sees == 404 {
                assert_eq!(shown.body, unknown);
                assert_eq!(t.delete(&path, Some(who)).await.parts(), (404, &unknown));
                assert_eq!(upload(&t, who, id, "a.png", &png()).await.parts(), (404, &unknown));
                let edited = t.put(&path, Some(who), json!({"reason": "x"})).await;
                assert_eq!(edited.parts(), (404, &unknown));
            }
            assert_eq!(t.get("/api/leaves", Some(who)).await.body["data"]["total"], listed);
            let decided = t.put(&path, Some(who), approve.clone()).await;
            assert_eq!(decided.status, deciding, "{}", decided.body);
            if deciding == 403 {
                let text = "Anda tidak memiliki izin untuk menyetujui atau menolak pengajuan izin";
                assert_eq!(decided.body, json!({"success": false, "message": text}));
            }
        }
        let theirs = t.delete(&path, Some(&school.admin)).await;
        assert_eq!(theirs.status, 403, "nobody deletes another's leave");
        for (method, path) in [
            ("GET", "/api/leaves"),
            ("POST", "/api/leaves"),
            ("GET", &path),
            ("PUT", &path),
            ("DELETE", &path),
        ] {
            let answer = t.send(request(method, path, None).body(Body::empty()).unwrap()).await;
            let none = json!({"success": false, "message": "Token tidak valid"});
            assert_eq!(answer.parts(), (401, &none), "{method} {path}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_filters() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        for (kind, first, last) in [
            ("sakit", "2025-04-01", "2025-04-03"),
            ("cuti", "2025-04-10", "2025-04-20"),
            ("dinas_luar", "2025-05-01", "2025-05-01"),
        ] {
            let body =
                json!({"leave_type": kind, "start_date": first, "end_date": last, "reason": "Keperluan"});
            assert_eq!(t.post("/api/leaves", Some(&token), body).await.status, 201);
        }
        let newest = t.get("/api/leaves?per_page=1", Some(&token)).await;
        assert_eq!(newest.body["data"]["data"][0]["leave_type"], "dinas_luar");
        assert_eq!(newest.body["data"]["last_page"], 3);
        let id = &newest.body["data"]["data"][0]["id"];
        let refused =
            t.put(&format!("/api/leaves/{id}"), Some(&school.admin), json!({"status": "ditolak"})).await;
        assert_eq!(refused.body["data"]["status"], "ditolak");
        assert_eq!(published(&t, &school).await, 0, "a refused one is nobody's business");
        for (query, total) in [
            ("", 3),
            ("status=", 3),
            ("status=menunggu", 2),
            ("status=ditolak", 1),
            ("leave_type=cuti", 1),
            ("leave_type=izin", 0),
            ("start_date=2025-04-03&end_date=2025-04-10", 2),
            ("start_date=2025-04-04&end_date=2025-04-09", 0),
            ("start_date=2025-04-15", 2),
            ("end_date=2025-04-09", 1),
            ("status=menunggu&leave_type=sakit&start_date=2025-01-01&end_date=2025-12-31", 1),
        ] {
            let list = t.get(&format!("/api/leaves?{query}"), Some(&token)).await;
            assert_eq!(list.body["data"]["total"], total, "{} {query} {}", t.on, list.body);
        }
        for (query, field) in [
            ("status=lulus", "status"),
            ("leave_type=libur", "leave_type"),
            ("start_date=kemarin", "start_date"),
            ("end_date=2025-02-30", "end_date"),
            ("end_date=%2B262142-01-01", "end_date"),
        ] {
            let list = t.get(&format!("/api/leaves?{query}"), Some(&token)).await;
            assert_eq!(list.status, 422, "{query}");
            assert!(list.body["errors"][field].is_array(), "{query} {}", list.body);
        }
        refuses_pages_that_are_none(&t, "/api/leaves", &token).await;
    })
    .await;
}

#[tokio::test]
async fn the_owner_changes_it_while_it_waits() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, token) = t.signed_in(school.id, "1001", seed::STUDENT).await;
        let id = ask(&t, &token).await;
        let path = format!("/api/leaves/{id}");
        let change = json!({"leave_type": "sakit", "end_date": "2025-08-25", "reason": "Demam"});
        let changed = t.put(&path, Some(&token), change).await;
        assert_eq!(changed.status, 200, "{} {}", t.on, changed.body);
        let data = &changed.body["data"];
        assert_eq!(data["end_date"], "2025-08-25T00:00:00.000000Z");
        assert_eq!(
            (&data["leave_type"], &data["reason"], &data["status"]),
            (&json!("sakit"), &json!("Demam"), &json!("menunggu"))
        );
        for bad in [json!({"start_date": "2025-08-26"}), json!({"end_date": "2027-01-01"})] {
            let refused = t.put(&path, Some(&token), bad).await;
            assert!(refused.body["errors"]["end_date"].is_array(), "{}", refused.body);
        }
        assert_eq!(t.get(&path, Some(&token)).await.body["data"], *data, "nothing half-written");
        let undecided = t.put(&path, Some(&school.admin), json!({"reason": "x"})).await;
        assert_eq!(undecided.body["errors"], json!({"status": ["status wajib diisi"]}));
        let odd = t.put(&path, Some(&school.admin), json!({"status": "menunggu"})).await;
        assert_eq!(odd.status, 422);

        assert_eq!(t.put(&path, Some(&school.admin), json!({"status": "ditolak"})).await.status, 200);
        let text = "Pengajuan izin tidak dapat diubah karena sudah diproses";
        let processed = json!({"success": false, "message": text});
        let late = t.put(&path, Some(&token), json!({"reason": "x"})).await;
        assert_eq!(late.parts(), (400, &processed));
        assert_eq!(t.delete(&path, Some(&token)).await.parts(), (400, &processed));
        assert_eq!(upload(&t, &token, id, "a.png", &png()).await.parts(), (400, &processed));
        let again = t.put(&path, Some(&school.admin), json!({"status": "disetujui"})).await;
        assert_eq!(again.parts(), (400, &processed));

        let second = format!("/api/leaves/{}", ask(&t, &token).await);
        let deleted = t.delete(&second, Some(&token)).await;
        let done = json!({"success": true, "message": "Pengajuan izin berhasil dihapus"});
        assert_eq!(deleted.parts(), (200, &done));
        assert_eq!(t.get(&second, Some(&token)).await.status, 404);
        assert_eq!(t.delete(&second, Some(&token)).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_decision_is_taken_back_by_who_says_why() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, token) = t.signed_in(school.id, "1001", seed::STUDENT).await;
        let (principal, leading) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        let path = format!("/api/leaves/{}", ask(&t, &token).await);
        let decide = async |status: &str, comment: Value| {
            let body = json!({"status": status, "approval_comment": comment});
            t.put(&path, Some(&leading), body).await
        };
        assert_eq!(decide("disetujui", Value::Null).await.status, 200);
        let text = "Pengajuan izin tidak dapat diubah karena sudah diproses";
        let processed = json!({"success": false, "message": text});
        for (status, comment) in
            [("disetujui", json!("Sekali lagi")), ("ditolak", Value::Null), ("ditolak", json!("  "))]
        {
            assert_eq!(decide(status, comment).await.parts(), (400, &processed), "{}", t.on);
        }
        assert_eq!(decide("menunggu", json!("Nanti")).await.status, 422);
        assert_eq!(published(&t, &school).await, 1);

        let refused = decide("ditolak", json!("Surat dokter palsu")).await;
        assert_eq!(refused.status, 200, "{} {}", t.on, refused.body);
        assert_eq!(refused.body["message"], "Status pengajuan izin berhasil diperbarui");
        let data = &refused.body["data"];
        assert_eq!((&data["status"], &data["approved_by"]), (&json!("ditolak"), &json!(principal)));
        assert_eq!(data["approval_comment"], "Surat dokter palsu");
        assert_eq!(published(&t, &school).await, 0, "{}: the boxes forget it", t.on);
        let late = t.put(&path, Some(&token), json!({"reason": "x"})).await;
        assert_eq!(late.parts(), (400, &processed), "{}", t.on);
        assert_eq!(t.delete(&path, Some(&token)).await.parts(), (400, &processed));

        assert_eq!(decide("disetujui", json!("Suratnya asli")).await.status, 200);
        assert_eq!(published(&t, &school).await, 1, "{}: and know it again", t.on);
        let audited = "SELECT COUNT(*) FROM audit_log WHERE institution_id = $1 AND action = 'leave.decide'
             AND before IS NOT NULL AND after IS NOT NULL";
        assert_eq!(count(&t, audited, &school).await, 3);
    })
    .await;
}

#[tokio::test]
async fn nobody_decides_his_own() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, principal) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        let text = "Anda tidak dapat memutuskan pengajuan izin sendiri";
        let refusal = json!({"success": false, "message": text});
        for (own, other) in [(&principal, &school.admin), (&school.admin, &principal)] {
            let path = format!("/api/leaves/{}", ask(&t, own).await);
            let why = json!({"status": "ditolak", "approval_comment": "Tidak jadi"});
            for body in [json!({"status": "disetujui"}), why.clone()] {
                assert_eq!(t.put(&path, Some(own), body).await.parts(), (403, &refusal), "{}", t.on);
            }
            assert_eq!(t.put(&path, Some(own), json!({"reason": "Keluarga"})).await.status, 200);
            assert_eq!(t.put(&path, Some(other), json!({"status": "disetujui"})).await.status, 200);
            assert_eq!(
                t.put(&path, Some(own), why).await.parts(),
                (403, &refusal),
                "{}: nor undoes it",
                t.on
            );
        }
    })
    .await;
}

#[tokio::test]
async fn of_two_decisions_at_once_one_is_made() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, token) = t.signed_in(school.id, "1001", seed::STUDENT).await;
        let (_, principal) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        for _ in 0..5 {
            let id = ask(&t, &token).await;
            let path = format!("/api/leaves/{id}");
            let (a, b, c) = tokio::join!(
                t.put(&path, Some(&principal), json!({"status": "disetujui"})),
                t.put(&path, Some(&school.admin), json!({"status": "ditolak"})),
                t.delete(&path, Some(&token)),
            );
            let mut won = [a.status.as_u16(), b.status.as_u16(), c.status.as_u16()];
            won.sort_unstable();
            assert_eq!(won[0], 200, "{} {won:?}", t.on);
            assert!(won[1..].iter().all(|status| [400, 404].contains(status)), "{} {won:?}", t.on);
            if c.status == 200 {
                assert_eq!(t.get(&path, Some(&token)).await.status, 404);
                continue;
            }
            let kept = t.get(&path, Some(&token)).await;
            let winner = if a.status == 200 { a } else { b };
            assert_eq!(kept.body["data"], winner.body["data"]);
        }
        let sql = "SELECT COUNT(*) FROM leaves WHERE institution_id = $1 AND status = 'disetujui'";
        assert_eq!(count(&t, sql, &school).await, published(&t, &school).await, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_leave() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, token) = t.signed_in(school.id, "1001", seed::STUDENT).await;
        refuses_what_is_no_body(&t, "POST", "/api/leaves", &token, "reason").await;
        let id = ask(&t, &token).await;
        refuses_what_is_no_body(&t, "PUT", &format!("/api/leaves/{id}"), &token, "reason").await;
        let missing = t.post("/api/leaves", Some(&token), json!({})).await;
        let errors = json!({
            "leave_type": ["leave_type wajib diisi"], "start_date": ["start_date wajib diisi"],
            "end_date": ["end_date wajib diisi"], "reason": ["reason wajib diisi"],
        });
        let expected = json!({"success": false, "message": "Validasi gagal", "errors": errors});
        assert_eq!(missing.parts(), (422, &expected));
        for (field, value) in [
            ("leave_type", json!("libur")),
            ("leave_type", json!("")),
            ("leave_type", json!(7)),
            ("start_date", json!("22-08-2025")),
            ("start_date", json!("0001-01-01")),
            ("end_date", json!("2025-08-21")),
            ("end_date", json!("2026-09-01")),
            ("reason", json!("  ")),
            ("reason", json!("a".repeat(2_001))),
            ("reason", json!("nul\u{0}")),
            ("attachment_path", json!("leaves/surat.pdf")),
            ("attachment_path", json!("../../etc/passwd")),
            ("attachment_path", json!("/files/00000000000000000000000000000000")),
        ] {
            let mut body = asked();
            body[field] = value.clone();
            let answer = t.post("/api/leaves", Some(&token), body).await;
            assert_eq!(answer.status, 422, "{field} {value} {}", answer.body);
            assert!(answer.body["errors"][field].is_array(), "{field} {value} {}", answer.body);
        }
        let mut body = asked();
        body["status"] = json!("disetujui");
        body["user_id"] = json!(1);
        let made = t.post("/api/leaves", Some(&token), body).await;
        assert_eq!(made.body["data"]["status"], "menunggu", "nobody approves by asking");
        assert_eq!(count(&t, "SELECT COUNT(*) FROM leaves WHERE institution_id = $1", &school).await, 2);
        for path in ["/api/leaves/0", "/api/leaves/-1", "/api/leaves/x", "/api/leaves/99999999999999999999"] {
            assert_eq!(t.get(path, Some(&token)).await.status, 404, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn letters() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (homeroom, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let room = class(&t, &school, "X", Some(homeroom)).await;
        student(&t, &school, room, "1001").await;
        student(&t, &school, room, "1002").await;
        let (token, mate) = (t.login("1001").await, t.login("1002").await);
        let id = ask(&t, &token).await;
        let pdf = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n";
        for (name, bytes, media, shown) in [
            ("surat.pdf", pdf.to_vec(), "application/pdf", "attachment; filename=\""),
            ("../../surat.exe", png(), "image/jpeg", "inline; filename=\""),
        ] {
            let attached = upload(&t, &token, id, name, &bytes).await;
            assert_eq!(attached.status, 200, "{} {}", t.on, attached.body);
            assert_eq!(attached.body["message"], "Lampiran berhasil diunggah");
            let path = attached.body["data"]["attachment_path"].as_str().unwrap().to_owned();
            let got = t.get(&path, Some(&token)).await;
            assert_eq!(got.headers[header::CONTENT_TYPE], media);
            assert_eq!(got.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert!(got.headers[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with(shown));
            for (who, status) in [(&teacher, 200), (&school.admin, 200), (&mate, 404)] {
                assert_eq!(t.get(&path, Some(who)).await.status, status);
            }
            let mut body = asked();
            body["attachment_path"] = json!(path);
            let stolen = t.post("/api/leaves", Some(&mate), body.clone()).await;
            let none = json!({"attachment_path": ["attachment_path tidak ditemukan"]});
            assert_eq!((stolen.status.as_u16(), &stolen.body["errors"]), (422, &none));
            let own = t.post("/api/leaves", Some(&token), body).await;
            assert_eq!(own.body["data"]["attachment_path"], json!(path), "{}", own.body);
        }
        let files = "SELECT COUNT(*) FROM files WHERE institution_id = $1 AND kind = 'leave'";
        assert_eq!(count(&t, files, &school).await, 2);

        for bytes in [
            b"".to_vec(),
            b"<svg/>".to_vec(),
            b"%PDF-1.4 torn".to_vec(),
            b"MZ".to_vec(),
            png()[..40].to_vec(),
        ] {
            let refused = upload(&t, &token, id, "surat.pdf", &bytes).await;
            let text = json!({"attachment": ["attachment harus berupa PDF, JPEG, PNG atau WebP"]});
            assert_eq!((refused.status.as_u16(), &refused.body["errors"]), (422, &text));
        }
        let mut large = b"%PDF-1.4\n".to_vec();
        large.resize(5 * 1024 * 1024, b' ');
        large.extend_from_slice(b"%%EOF");
        assert_eq!(upload(&t, &token, id, "surat.pdf", &large).await.status, 413);
        large.resize(7 * 1024 * 1024, b' ');
        assert_eq!(upload(&t, &token, id, "surat.pdf", &large).await.status, 413);
        let path = format!("/api/leaves/{id}/attachment");
        assert_eq!(t.post(&path, Some(&token), json!({})).await.status, 422, "no form");
        let torn =
            request("POST", &path, Some(&token)).header("content-type", "multipart/form-data; boundary=x");
        let torn = t.send(torn.body(Body::from("--x\r\ncontent-disp")).unwrap()).await;
        assert_eq!(torn.status, 400, "{}", torn.body);
        let empty =
            request("POST", &path, Some(&token)).header("content-type", "multipart/form-data; boundary=x");
        let empty = t.send(empty.body(Body::from("--x--\r\n")).unwrap()).await;
        assert_eq!(empty.body["errors"], json!({"attachment": ["attachment wajib diisi"]}));
        assert_eq!(count(&t, files, &school).await, 2, "what was refused is in no book");
        let kept = || std::fs::read_dir(t.app.config.data_dir.join("files")).unwrap().count();
        let before = kept();
        let replaced = upload(&t, &token, id, "a.png", &png()).await.body["data"].clone();
        assert_eq!(kept(), before + 1, "another leave still names the one before");
        let path = replaced["attachment_path"].as_str().unwrap();
        assert_eq!(upload(&t, &token, id, "a.png", &png()).await.status, 200);
        assert_eq!(t.get(path, Some(&token)).await.status, 404, "nothing names it any more");
        assert_eq!(kept(), before + 1);
        assert_eq!(t.delete(&format!("/api/leaves/{id}"), Some(&token)).await.status, 200);
        assert_eq!((kept(), count(&t, files, &school).await), (before, 2), "{}", t.on);
    })
    .await;
}

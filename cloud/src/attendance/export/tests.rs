use axum::{body::Body, http::HeaderMap};
use serde_json::json;
use tower::ServiceExt as _;

use crate::{
    attendance::tests::{HERE, School, both, class, punch, school, shown, student},
    identity::seed,
    sheet,
    testing::{START, TestApp, request},
};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

async fn fetch(t: &TestApp, path: &str, token: &str) -> (u16, HeaderMap, Vec<u8>) {
    let request = request("GET", path, Some(token)).body(Body::empty()).unwrap();
    let answer = t.router().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    (parts.status.as_u16(), parts.headers, axum::body::to_bytes(body, 16 << 20).await.unwrap().into())
}

/// The rows of a list as a file, headings first.
async fn rows(t: &TestApp, path: &str, token: &str) -> Vec<Vec<String>> {
    let (status, _, bytes) = fetch(t, path, token).await;
    assert_eq!(status, 200, "{path} {}", String::from_utf8_lossy(&bytes));
    let table = sheet::read(bytes).await.unwrap().unwrap();
    table.lines.iter().map(|line| line.cells().map(|(_, text)| text.to_owned()).collect()).collect()
}

/// A school with one of everything that is listed.
async fn full(t: &TestApp) -> (School, String) {
    let school = school(t, "A", "5001").await;
    let (teacher, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
    let room = class(t, &school, "=X IPA 1", Some(teacher)).await;
    let pupil = student(t, &school, room, "1001").await;
    let admin = Some(school.admin.as_str());
    let qr = shown(t, &school, START).await;
    let day = "2025-11-24";
    for (path, token, body) in [
        ("/api/attendance/checkin", Some(token.as_str()), punch(&qr, HERE)),
        ("/api/student-qr-cards/generate", admin, json!({"student_id": pupil})),
        ("/api/announcements", admin, json!({"title": "@Libur", "content": "Besok;\n\"libur\""})),
        (
            "/api/leaves",
            Some(&token),
            json!({"leave_type": "izin", "start_date": day, "end_date": day, "reason": "-1+2"}),
        ),
        (
            "/api/offline-sync/process-attendance",
            Some(&token),
            json!({"attendances": [{"type": "checkin", "timestamp": "2025-11-20 06:45:00", "latitude": HERE.0, "longitude": HERE.1}]}),
        ),
    ] {
        let made = t.post(path, token, body).await;
        assert!(made.status.is_success(), "{path} {}", made.body);
    }
    (school, token)
}

#[tokio::test]
async fn every_list_is_a_file_too() {
    both(async |t| {
        let (a, teacher) = full(&t).await;
        let b = school(&t, "B", "5101").await;
        t.user(b.id, "1301", seed::STUDENT).await;
        class(&t, &b, "Kelas lain", None).await;
        let classes = t.get("/api/classes", Some(&a.admin)).await;
        let room = &classes.body["data"][0]["id"];
        let pupils = format!("/api/classes/{room}/students");
        let there = format!("/api/student-attendance/class-status/{room}");
        for (path, token, name, first, cells) in [
            ("/api/users", &a.admin, "pengguna", "NISN/NIP/NIK", &["5001", "2001", "1001"][..]),
            ("/api/classes", &a.admin, "kelas", "Nama", &["=X IPA 1"]),
            ("/api/student-qr-cards", &a.admin, "kartu-siswa", "NISN/NIP/NIK", &["1001"]),
            ("/api/announcements", &a.admin, "pengumuman", "Judul", &["@Libur"]),
            ("/api/leaves", &a.admin, "izin", "NISN/NIP/NIK", &["2001"]),
            ("/api/settings", &a.admin, "pengaturan", "Kunci", &[]),
            ("/api/attendance/history", &teacher, "riwayat-absensi", "Tanggal", &[]),
            ("/api/offline-sync", &a.admin, "log-sinkronisasi", "ID", &[]),
            ("/api/edge-devices", &a.admin, "perangkat", "Nama", &[]),
            ("/api/holidays", &teacher, "hari-libur", "Tanggal", &[]),
            (&pupils, &teacher, "siswa-kelas", "NISN", &["1001"]),
            (&there, &teacher, "kehadiran-kelas", "NISN", &["1001"]),
        ] {
            for (format, media) in [("csv", "text/csv; charset=utf-8"), ("xlsx", XLSX)] {
                let url = format!("{path}?format={format}");
                let (status, headers, bytes) = fetch(&t, &url, token).await;
                assert_eq!(status, 200, "{} {url} {}", t.on, String::from_utf8_lossy(&bytes));
                assert_eq!(headers["content-type"], media);
                let disposition = format!("attachment; filename=\"{name}-2025-11-21.{format}\"");
                assert_eq!(headers["content-disposition"], disposition.as_str());
                let rows = rows(&t, &url, token).await;
                assert_eq!(rows[0][0], first, "{url}");
                let column: Vec<&str> = rows[1..].iter().map(|row| row[0].as_str()).collect();
                if !cells.is_empty() {
                    assert_eq!(column, cells, "{} {url}", t.on);
                }
                let all = rows.concat().join(" ");
                assert!(
                    !all.contains("1301") && !all.contains("Kelas lain") && !all.contains("5101"),
                    "{url} {all}"
                );
                assert_eq!(t.get(&url, None).await.status, 401, "{url}");
            }
            let odd = t.get(&format!("{path}?format=pdf"), Some(token)).await;
            let errors = json!({"format": ["format harus salah satu dari: csv, xlsx"]});
            assert_eq!((odd.status.as_u16(), &odd.body["errors"]), (422, &errors), "{path}");
        }
        for path in
            ["/api/users", "/api/settings", "/api/student-qr-cards", "/api/edge-devices", "/api/offline-sync"]
        {
            assert_eq!(t.get(&format!("{path}?format=csv"), Some(&teacher)).await.status, 403, "{path}");
        }
        let history = rows(&t, "/api/attendance/history?format=csv", &teacher).await;
        assert!(
            history.concat().contains(&"2025-11-21 06:45:00".to_owned()),
            "by the school's clocks: {history:?}"
        );
        let none = rows(&t, "/api/attendance/history?format=csv&start_date=2030-01-01", &teacher).await;
        assert_eq!(none.len(), 1, "the filters hold");
        let log = rows(&t, "/api/offline-sync?format=xlsx", &a.admin).await;
        assert!(log[1].contains(&"Orang 2001".to_owned()), "{log:?}");
    })
    .await;
}

#[tokio::test]
async fn nothing_in_a_file_runs() {
    both(async |t| {
        let (a, _) = full(&t).await;
        let (_, _, classes) = fetch(&t, "/api/classes?format=csv", &a.admin).await;
        let classes = String::from_utf8(classes).unwrap();
        assert!(classes.starts_with("\u{feff}Nama;Wali kelas;"), "{classes}");
        assert!(classes.contains("\n'=X IPA 1;"), "{classes}");
        let (_, _, news) = fetch(&t, "/api/announcements?format=csv", &a.admin).await;
        let news = String::from_utf8(news).unwrap();
        assert!(news.contains("\n'@Libur;\"Besok;\n\"\"libur\"\"\";ya;2025-11-21 06:45:00;"), "{news}");
        let (_, _, leaves) = fetch(&t, "/api/leaves?format=csv", &a.admin).await;
        assert!(String::from_utf8(leaves).unwrap().contains(";'-1+2;"));
    })
    .await;
}

#[tokio::test]
async fn all_rows_and_not_a_page_of_them() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        for n in 0..120 {
            t.user(school.id, &format!("{}", 1000 + n), seed::STUDENT).await;
        }
        let all = rows(&t, "/api/users?format=csv&per_page=5&page=2&role_id=1", &school.admin).await;
        assert_eq!(all.len(), 121, "with the headings");
    })
    .await;
}

#[tokio::test]
async fn what_is_exported_is_imported_and_changes_nothing() {
    both(async |t| {
        let (a, _) = full(&t).await;
        let body = json!({"nisn_nip_nik": "0012345678", "name": "=Siti", "email": "s@a.id", "phone": "+62812345678", "password": "KunciRumah7", "role_id": 3});
        assert_eq!(t.post("/api/users", Some(&a.admin), body).await.status, 201);
        for format in ["csv", "xlsx"] {
            let (_, _, file) = fetch(&t, &format!("/api/users?format={format}"), &a.admin).await;
            let mut form = b"--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n".to_vec();
            form.extend(file);
            form.extend(b"\r\n--x--\r\n");
            let request = request("POST", "/api/users/import", Some(&a.admin));
            let request = request.header("content-type", "multipart/form-data; boundary=x").body(form.into()).unwrap();
            let done = t.send(request).await;
            let data = &done.body["data"];
            assert_eq!((done.status.as_u16(), &data["unchanged"], &data["total"]), (200, &json!(4), &json!(4)), "{} {}", t.on, done.body);
        }
    })
    .await;
}

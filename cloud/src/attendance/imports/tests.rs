use std::fmt::Write as _;

use axum::body::Body;
use rust_xlsxwriter::{Format, Workbook};
use serde_json::{Value, json};

use crate::{
    attendance::tests::{School, both, class, count, school, student},
    identity::seed,
    testing::{Answer, TestApp, request},
};

const USERS: &str = "SELECT COUNT(*) FROM users WHERE institution_id = $1";
const MEMBERS: &str = "SELECT COUNT(*) FROM class_students WHERE institution_id = $1 AND left_on IS NULL";
const PEOPLE_AT_BOXES: &str =
    "SELECT COUNT(*) FROM roster_entries WHERE institution_id = $1 AND entity = 'person' AND NOT is_deleted";
const AUDITED: &str = "SELECT COUNT(*) FROM audit_log WHERE institution_id = $1 AND action = 'user.import'";

/// Sends a file and fields as a browser does.
async fn upload(
    t: &TestApp,
    token: Option<&str>,
    query: &str,
    file: &[u8],
    fields: &[(&str, &str)],
) -> Answer {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(
            format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes(),
        );
    }
    body.extend(b"--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n");
    body.extend(file);
    body.extend(b"\r\n--x--\r\n");
    let request = request("POST", &format!("/api/users/import{query}"), token);
    t.send(request.header("content-type", "multipart/form-data; boundary=x").body(Body::from(body)).unwrap())
        .await
}

async fn import(t: &TestApp, school: &School, file: &[u8]) -> Answer {
    upload(t, Some(&school.admin), "?create_classes=1", file, &[]).await
}

/// Created, updated, unchanged, refused.
fn counts(answer: &Answer) -> [i64; 4] {
    ["created", "updated", "unchanged", "refused"].map(|name| answer.body["data"][name].as_i64().unwrap())
}

async fn found(t: &TestApp, school: &School, number: &str) -> Value {
    let list = t.get(&format!("/api/users?search={number}"), Some(&school.admin)).await;
    list.body["data"]["data"][0].clone()
}

const LIST: &str = "NISN/NIP/NIK;Nama;Email;No. HP;Peran;Kelas;Kata Sandi\n\
    1001;Siti Aminah;Siti@Siswa.sch.id;081234567890;;X IPA 1;\n\
    1002;Budi;;;siswa;x  ipa 1;KunciRumah7\n\
    2001;Pak Guru;;;Guru;;KunciKantor8\n";

#[tokio::test]
async fn a_list_is_previewed_and_imported_and_the_same_again_changes_nothing() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let preview = upload(&t, Some(&school.admin), "", LIST.as_bytes(), &[("dry_run", "true"), ("create_classes", "1")]).await;
        let row = |row: i64, number: &str, name: &str| json!({"row": row, "action": "created", "nisn_nip_nik": number, "name": name});
        let mut report = json!({
            "dry_run": true, "total": 3, "created": 3, "updated": 0, "unchanged": 0, "refused": 0,
            "classes_created": ["X IPA 1"], "rows_left_out": 0,
            "rows": [row(2, "1001", "Siti Aminah"), row(3, "1002", "Budi"), row(4, "2001", "Pak Guru")],
        });
        let message = "Pratinjau impor; tidak ada yang disimpan";
        assert_eq!(preview.parts(), (200, &json!({"success": true, "message": message, "data": report})), "{}", t.on);
        assert_eq!((count(&t, USERS, &school).await, count(&t, AUDITED, &school).await), (1, 0), "nothing written");

        let done = import(&t, &school, LIST.as_bytes()).await;
        report["dry_run"] = json!(false);
        let message = "Impor selesai: 3 baru, 0 diperbarui";
        assert_eq!(done.parts(), (200, &json!({"success": true, "message": message, "data": report})), "{}", t.on);
        let siti = found(&t, &school, "1001").await;
        assert_eq!((&siti["email"], &siti["phone"], &siti["role_id"]), (&json!("siti@siswa.sch.id"), &json!("081234567890"), &json!(1)));
        assert_eq!(found(&t, &school, "2001").await["role_id"], 2);
        assert_eq!(count(&t, MEMBERS, &school).await, 2);
        assert_eq!(count(&t, PEOPLE_AT_BOXES, &school).await, 3, "boxes know the new ones");
        assert_eq!(count(&t, AUDITED, &school).await, 1);
        let login = async |number: &str, password: &str| {
            t.post("/api/auth/login", None, json!({"nisn_nip_nik": number, "password": password})).await.status.as_u16()
        };
        assert_eq!((login("1002", "KunciRumah7").await, login("2001", "KunciKantor8").await), (200, 200));
        assert_eq!(login("1001", "KunciRumah7").await, 401, "a password nobody knows");

        let again = import(&t, &school, LIST.as_bytes()).await;
        assert_eq!((again.status.as_u16(), counts(&again)), (200, [0, 0, 3, 0]), "{} {}", t.on, again.body);
        assert_eq!(again.body["data"]["rows"], json!([]));
        let hashes = "SELECT COUNT(*) FROM audit_log WHERE institution_id = $1 AND CAST(after AS TEXT) LIKE '%argon2%'";
        assert_eq!(count(&t, hashes, &school).await, 0);
    })
    .await;
}

#[tokio::test]
async fn who_is_there_is_known_by_his_number_and_keeps_what_the_file_leaves_blank() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        import(&t, &school, LIST.as_bytes()).await;
        let old = class(&t, &school, "XI IPS 2", None).await;
        let pupil = student(&t, &school, old, "1003").await;
        t.clock.advance_ms(24 * 3600 * 1000);
        let list = "Rombel,Name,NISN,E-mail,Password\n\
            X IPA 1,Siti A.,1001,,RahasiaBaru9\n,Budi,1002,budi@siswa.sch.id,\nX IPA 1,Orang 1003,1003,,\n";
        let changed = upload(&t, Some(&school.admin), "", list.as_bytes(), &[]).await;
        assert_eq!(
            (changed.status.as_u16(), counts(&changed)),
            (200, [0, 3, 0, 0]),
            "{} {}",
            t.on,
            changed.body
        );
        let siti = found(&t, &school, "1001").await;
        assert_eq!((&siti["name"], &siti["email"]), (&json!("Siti A."), &json!("siti@siswa.sch.id")));
        assert_eq!(found(&t, &school, "1002").await["email"], "budi@siswa.sch.id");
        let login = json!({"nisn_nip_nik": "1001", "password": "RahasiaBaru9"});
        assert_eq!(t.post("/api/auth/login", None, login).await.status, 401, "no import changes a password");
        assert_eq!(count(&t, MEMBERS, &school).await, 3, "1003 moved");
        let gone = t.get(&format!("/api/classes/{old}/students"), Some(&school.admin)).await;
        assert_eq!(gone.body["data"]["students"], json!([]), "{}", gone.body);
        let kept = "SELECT COUNT(*) FROM class_students WHERE institution_id = $1 AND left_on IS NOT NULL";
        assert_eq!(count(&t, kept, &school).await, 1, "and was in the other until then");
        assert_eq!(pupil.0, found(&t, &school, "1003").await["id"].as_i64().unwrap());
    })
    .await;
}

/// As Dapodik writes "Daftar Peserta Didik": titles, two lines of headings, numbers that are numbers.
fn dapodik() -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (row, title) in
        [(0, "Daftar Peserta Didik"), (1, "SMA NEGERI 1 HADIR"), (3, "Tanggal Unduh: 2025-07-14 08:00:00")]
    {
        sheet.write_string(row, 0, title).unwrap();
    }
    let headings = [
        "No",
        "Nama",
        "NIPD",
        "JK",
        "NISN",
        "Tempat Lahir",
        "Tanggal Lahir",
        "NIK",
        "Telepon",
        "HP",
        "E-Mail",
        "Data Ayah",
        "",
        "Rombel Saat Ini",
    ];
    for (column, heading) in (0..).zip(headings) {
        sheet.write_string(4, column, heading).unwrap();
    }
    sheet.merge_range(4, 11, 4, 12, "Data Ayah", &Format::new()).unwrap();
    sheet.write_string(5, 11, "Nama").unwrap();
    sheet.write_string(5, 12, "NIK").unwrap();
    for (row, name, nisn) in [(6, "AHMAD FAUZI", 51_234_567.0), (7, "CITRA DEWI", 101_234_568.0)] {
        sheet.write_number(row, 0, f64::from(row - 5)).unwrap();
        sheet.write_string(row, 1, name).unwrap();
        sheet.write_number(row, 4, nisn).unwrap();
        sheet.write_number(row, 7, 3_201_234_567_890_123.0).unwrap();
        sheet.write_string(row, 8, "021555123").unwrap();
        sheet.write_number(row, 9, 81_234_567_890.0 + f64::from(row)).unwrap();
        sheet.write_string(row, 11, "BAPAK").unwrap();
        sheet
            .write_formula(row, 13, rust_xlsxwriter::Formula::new("\"X\"&\" IPA 1\"").set_result("X IPA 1"))
            .unwrap();
    }
    book.save_to_buffer().unwrap()
}

#[tokio::test]
async fn a_list_of_dapodik() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let done = import(&t, &school, &dapodik()).await;
        assert_eq!((done.status.as_u16(), counts(&done)), (200, [2, 0, 0, 0]), "{} {}", t.on, done.body);
        assert_eq!(done.body["data"]["rows"][0]["row"], 7, "as the spreadsheet counts");
        assert_eq!(done.body["data"]["classes_created"], json!(["X IPA 1"]));
        let ahmad = found(&t, &school, "0051234567").await;
        assert_eq!(
            (&ahmad["name"], &ahmad["phone"], &ahmad["role_id"]),
            (&json!("AHMAD FAUZI"), &json!("081234567896"), &json!(1))
        );
        assert_eq!(found(&t, &school, "0101234568").await["name"], "CITRA DEWI");
        assert_eq!(counts(&import(&t, &school, &dapodik()).await), [0, 0, 2, 0]);
    })
    .await;
}

#[tokio::test]
async fn one_row_that_is_refused_refuses_the_file() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = super::super::tests::school(&t, "B", "5101").await;
        let theirs = upload(&t, Some(&other.admin), "", b"NIP;Nama;Email\n1301;Orang Lain;lain@b.sch.id\n", &[]).await;
        assert_eq!(theirs.status, 200);
        t.user(school.id, "2001", seed::TEACHER).await;
        let before = t.get("/api/users", Some(&other.admin)).await.body;
        let list = "NISN;Nama;Email;HP;Role;Kelas;Password\n\
            1001;Baik;;;;;\n;Tanpa Nomor;;;;;\n1002;;;;;;\n1003;Salah;bukan-email;12;rektor;;pendek\n1001;Lagi;;;;;\n\
            1301;Direbut;;;;;\n1004;Email;lain@b.sch.id;;;;\n1005;Kelas;;;;XII A;\n1006;Guru;;;2;X;\n2001;Orang 2001;;;1;;\n";
        let mut expected = json!({
            "rows.3.nisn_nip_nik": ["nisn_nip_nik wajib diisi"],
            "rows.4.name": ["name wajib diisi"],
            "rows.5.email": ["email harus berupa alamat email yang valid"],
            "rows.5.phone": ["phone minimal 5 karakter"],
            "rows.5.role": ["role harus salah satu dari: siswa, guru, pegawai, kepala_sekolah, admin"],
            "rows.5.password": ["password minimal 8 karakter"],
            "rows.6.nisn_nip_nik": ["nisn_nip_nik sama dengan baris 2"],
            "rows.7.nisn_nip_nik": ["nisn_nip_nik sudah digunakan"],
            "rows.8.email": ["email sudah digunakan"],
            "rows.9.class": ["class tidak ditemukan"],
            "rows.10.class": ["class tidak ditemukan", "hanya siswa yang dapat dimasukkan ke kelas"],
            "rows.11.role": ["peran akun yang sudah ada tidak diubah oleh impor"],
        });
        let refused = upload(&t, Some(&school.admin), "", list.as_bytes(), &[]).await;
        assert_eq!((refused.status.as_u16(), &refused.body["message"]), (422, &json!("Validasi gagal")));
        assert_eq!(refused.body["errors"], expected, "{}", t.on);
        assert_eq!(counts(&refused), [1, 0, 0, 9]);
        assert_eq!(refused.body["data"]["rows"][1]["errors"], json!({"name": ["name wajib diisi"]}));
        assert!(!refused.body.to_string().contains("Orang Lain"), "nothing of the other school");
        let preview = upload(&t, Some(&school.admin), "?dry_run=1", list.as_bytes(), &[]).await;
        assert_eq!((preview.status.as_u16(), counts(&preview)), (200, [1, 0, 0, 9]));
        assert_eq!(preview.body["data"]["rows"], refused.body["data"]["rows"]);

        let with_classes = import(&t, &school, list.as_bytes()).await;
        expected.as_object_mut().unwrap().remove("rows.9.class");
        expected["rows.10.class"] = json!(["hanya siswa yang dapat dimasukkan ke kelas"]);
        assert_eq!((with_classes.status.as_u16(), &with_classes.body["errors"]), (422, &expected));
        let classes = "SELECT COUNT(*) FROM classes WHERE institution_id = $1";
        assert_eq!((count(&t, USERS, &school).await, count(&t, classes, &school).await), (2, 0), "nothing written");
        assert_eq!(t.get("/api/users", Some(&other.admin)).await.body, before, "{}", t.on);

        let mut long = "NISN;Nama\n".to_owned();
        (0..300).for_each(|_| long.push_str(";Tanpa Nomor\n"));
        let refused = import(&t, &school, long.as_bytes()).await;
        let data = &refused.body["data"];
        assert_eq!((data["rows"].as_array().unwrap().len(), &data["rows_left_out"]), (200, &json!(100)));
        assert_eq!(refused.body["errors"].as_object().unwrap().len(), 200);
    })
    .await;
}

#[tokio::test]
async fn what_everybody_in_the_school_knows_is_no_password() {
    both(async |t| {
        let school = school(&t, "SMAN1", "5001").await;
        let list = "NISN;Nama;Email;Kata Sandi\n1001;Budi;;SMAN1-2025\n1002;Eka Putri;;ekaputri99\n\
            0051234567;Siti;;0051234567a\n1003;Siti;puspa@sekolah.sch.id;puspa123\n1004;Siti;;kunci rumah nenek\n";
        let refused = import(&t, &school, list.as_bytes()).await;
        let known = json!(["Kata sandi ini memuat nama sekolah atau nama Anda"]);
        let rows = json!({"rows.2.password": known, "rows.3.password": known, "rows.4.password": known,
            "rows.5.password": known});
        assert_eq!((refused.status.as_u16(), &refused.body["errors"]), (422, &rows), "{}", t.on);
        let list = "NISN;Nama;Kata Sandi\n1004;Siti;kunci rumah nenek\n";
        assert_eq!(import(&t, &school, list.as_bytes()).await.status, 200, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_import() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let refused = async |file: &[u8]| {
            let answer = import(&t, &school, file).await;
            assert_eq!(answer.status, 422, "{}", answer.body);
            answer.body["errors"]["file"][0].as_str().unwrap_or_default().to_owned()
        };
        let no_table = "file harus berupa CSV atau XLSX yang utuh";
        assert_eq!(refused(b"\x89PNG\r\n\x1a\n\0\0\0").await, no_table);
        assert_eq!(refused(b"NISN;Nama\n1;a\0b").await, no_table);
        let book = dapodik();
        assert_eq!(refused(&book[..book.len() / 2]).await, no_table);
        assert_eq!(
            refused(b"\xd0\xcf\x11\xe0....").await,
            "file .xls tidak didukung; simpan sebagai .xlsx atau .csv"
        );
        assert_eq!(refused(&b"1;a\n".repeat(1_000_000)).await, "file berisi lebih dari 20000 baris");
        assert_eq!(
            refused(&[b"NISN;Nama\n1;".as_slice(), &vec![b'x'; 1 << 20]].concat()).await,
            "baris 2 berisi sel yang terlalu panjang"
        );
        assert_eq!(refused(b"Nama;Kelas\nBudi;X").await, "judul kolom NISN/NIP/NIK dan Nama tidak ditemukan");
        assert_eq!(refused(b"NISN;Nama\n").await, "file tidak berisi data");
        assert_eq!(refused(b"").await, "file wajib diisi");
        let mut many = "NISN;Nama;Password\n".to_owned();
        (0..501).for_each(|n| writeln!(many, "{n};Nama;KunciRumah7").unwrap());
        assert_eq!(refused(many.as_bytes()).await, "file berisi lebih dari 500 kata sandi");
        assert_eq!(import(&t, &school, &vec![b'a'; 6 << 20]).await.status, 413);

        let file = LIST.as_bytes();
        let odd = upload(&t, Some(&school.admin), "?dry_run=mungkin", file, &[]).await;
        assert_eq!(
            (odd.status.as_u16(), odd.body["errors"]["dry_run"].is_array()),
            (422, true),
            "{}",
            odd.body
        );
        let json = t.post("/api/users/import", Some(&school.admin), json!({"file": "x"})).await;
        assert_eq!(
            (json.status.as_u16(), json.body["errors"]["file"].is_array()),
            (422, true),
            "{}",
            json.body
        );
        assert_eq!(upload(&t, None, "", file, &[]).await.status, 401);
        for (number, role) in
            [("1", seed::STUDENT), ("2", seed::TEACHER), ("3", seed::STAFF), ("4", seed::PRINCIPAL)]
        {
            let (_, who) = t.signed_in(school.id, number, role).await;
            assert_eq!(upload(&t, Some(&who), "", file, &[]).await.status, 403);
        }
        assert_eq!((count(&t, USERS, &school).await, count(&t, AUDITED, &school).await), (5, 0), "{}", t.on);
    })
    .await;
}

/// A limit of thirty seconds stands over every request, and a checked build is the slowest there is.
#[tokio::test]
async fn a_whole_school_twice_at_once() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let mut list = "NISN\tNama\tKelas\n".to_owned();
        (0..2_000).for_each(|n| writeln!(list, "{:010}\tSiswa {n}\tX {}", 50_000_000 + n, n % 50).unwrap());
        let (a, b) = tokio::join!(import(&t, &school, list.as_bytes()), import(&t, &school, list.as_bytes()));
        let mut outcomes = [counts(&a), counts(&b)];
        outcomes.sort_unstable();
        assert_eq!(outcomes, [[0, 0, 2_000, 0], [2_000, 0, 0, 0]], "{} {} {}", t.on, a.body, b.body);
        assert_eq!((count(&t, USERS, &school).await, count(&t, MEMBERS, &school).await), (2_001, 2_000));
        assert_eq!(count(&t, PEOPLE_AT_BOXES, &school).await, 2_000);
        assert_eq!(count(&t, AUDITED, &school).await, 2, "one row for each import");
    })
    .await;
}

/// Whoever takes a number or an address between the check and the write makes the import fail, and nothing is left of it.
#[tokio::test]
async fn of_two_schools_that_import_the_same_one_wins() {
    both(async |t| {
        let (a, b) = (school(&t, "A", "5001").await, school(&t, "B", "5101").await);
        let list = b"NISN;Nama\n1001;Siapa\n1002;Juga\n";
        let (one, two) = tokio::join!(import(&t, &a, list), import(&t, &b, list));
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert!(statuses == [200, 409] || statuses == [200, 422], "{} {} {}", t.on, one.body, two.body);
        let mut people = [count(&t, USERS, &a).await, count(&t, USERS, &b).await];
        people.sort_unstable();
        assert_eq!(people, [1, 3]);
    })
    .await;
}

#[tokio::test]
async fn who_is_not_active_comes_to_no_class() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        class(&t, &school, "X IPA 1", None).await;
        let gone = t.user(school.id, "1001", seed::STUDENT).await;
        let off = json!({"is_active": false});
        assert_eq!(t.put(&format!("/api/users/{gone}"), Some(&school.admin), off).await.status, 200);
        let refused = import(&t, &school, b"NISN;Nama;Kelas\n1001;Siti;X IPA 1\n").await;
        assert_eq!(refused.status, 422, "{}", t.on);
        assert_eq!(refused.body["errors"], json!({"rows.2.class": ["akun ini tidak aktif"]}), "{}", t.on);
        assert_eq!(count(&t, MEMBERS, &school).await, 0, "{}", t.on);
        let named = import(&t, &school, b"NISN;Nama;Kelas\n1001;Siti;\n").await;
        assert_eq!((named.status.as_u16(), counts(&named)), (200, [0, 1, 0, 0]), "{} {}", t.on, named.body);
    })
    .await;
}

#[tokio::test]
async fn the_sample_is_a_list_that_can_be_imported() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (_, teacher) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let path = "/api/users/import/template";
        for (query, kind) in
            [("", "openxmlformats"), ("?format=xlsx", "openxmlformats"), ("?format=csv", "text/csv")]
        {
            use tower::ServiceExt as _;
            let asked =
                request("GET", &format!("{path}{query}"), Some(&school.admin)).body(Body::empty()).unwrap();
            let answer = t.router().oneshot(asked).await.unwrap();
            assert_eq!(answer.status(), 200);
            assert!(answer.headers()["content-type"].to_str().unwrap().contains(kind), "{query}");
            let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
            let dry = upload(&t, Some(&school.admin), "?create_classes=1&dry_run=1", &bytes, &[]).await;
            assert_eq!((dry.status.as_u16(), counts(&dry)), (200, [2, 0, 0, 0]), "{} {}", t.on, dry.body);
        }
        assert_eq!(t.get(&format!("{path}?format=pdf"), Some(&school.admin)).await.status, 422);
        assert_eq!(t.get(path, Some(&teacher)).await.status, 403);
        assert_eq!(t.get(path, None).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn the_page_names_the_file_field_and_is_for_administrators() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        t.user(school.id, "4001", seed::PRINCIPAL).await;
        let at = format!("/console/{}/import", school.id);
        let page = crate::console::tests::Tab::of(&t, "5001").await.page(&at).await;
        for text in ["name=\"file\"", "import.js", "users/import/template", "id=\"create_classes\""] {
            assert!(page.contains(text), "{text}");
        }
        assert_eq!(crate::console::tests::Tab::of(&t, "4001").await.get(&at).await.status, 403);
    })
    .await;
}

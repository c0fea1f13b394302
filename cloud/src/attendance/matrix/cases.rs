//! The smallest request of each route that means something, with the ids of one school in it.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{Case, Content, Operation, world::School};
use crate::testing::PASSWORD;

/// A number is one person's: each new account has its own.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A route that is not in here fails the matrix.
pub fn case(operation: &Operation, s: &School) -> Case {
    let (ids, content) = parts(operation, s);
    Case::of(operation, &ids, content)
}

/// What stands in the path (several with a slash between), and the body.
fn parts(operation: &Operation, s: &School) -> (String, Content) {
    let nothing = || (String::new(), Content::None);
    let of = |id: i64| (id.to_string(), Content::None);
    let json = |body: Value| (String::new(), Content::Json(body));
    let to = |id: i64, body: Value| (id.to_string(), Content::Json(body));
    let key = |id: &str| (id.to_owned(), Content::None);
    let punch = json!({"qr_token": s.qr_token, "latitude": -6.2, "longitude": 106.8166, "accuracy": 5});
    match (operation.method.as_str(), operation.path.as_str()) {
        ("POST", "/api/auth/login") => json(json!({"nisn_nip_nik": "nobody", "password": "nothing at all"})),
        (
            "GET",
            "/api/user"
            | "/api/profile"
            | "/api/qrcode/dynamic"
            | "/api/attendance/history"
            | "/api/leaves"
            | "/api/announcements"
            | "/api/classes"
            | "/api/student-qr-cards"
            | "/api/offline-sync"
            | "/api/settings"
            | "/api/second-factor"
            | "/api/dashboard"
            | "/api/audit"
            | "/api/jobs"
            | "/api/messages"
            | "/api/sessions"
            | "/api/users"
            | "/api/edge-devices"
            | "/api/offline-sync/roster"
            | "/api/offline-sync/roster/snapshot",
        )
        | (
            "POST",
            "/api/auth/logout"
            | "/api/sessions/end-others"
            | "/api/edge-devices/codes"
            | "/api/offline-sync/batches"
            | "/api/offline-sync/quarantine",
        ) => nothing(),
        ("PUT", "/api/profile") => json(json!({"name": "Nama Baru"})),
        ("PUT", "/api/profile/password") => json(json!({
            "current_password": PASSWORD, "new_password": "Rahasia456!", "new_password_confirmation": "Rahasia456!",
        })),
        ("POST", "/api/qrcode/verify") => {
            let mut body = punch;
            body["user_id"] = json!(s.siswa);
            body["type"] = json!("checkin");
            json(body)
        }
        ("POST", "/api/attendance/checkin" | "/api/attendance/checkout") => json(punch),
        ("POST", "/api/attendance/{id}/correct") => {
            to(s.attendance, json!({"status": "sakit", "reason": "Surat dokter"}))
        }
        ("POST", "/api/attendance/correct") => json(
            json!({"user_id": s.siswa, "date": "2025-11-20", "status": "sakit", "reason": "Surat dokter"}),
        ),
        ("GET", "/api/attendance/{id}/corrections") => of(s.attendance),
        ("POST", "/api/holidays") => json(json!({"date": "2025-12-24", "name": "Cuti"})),
        ("POST", "/api/holidays/prefill") => json(json!({"year": 2026})),
        ("PUT", "/api/holidays/{id}") => to(s.holiday, json!({"name": "Cuti bersama Natal"})),
        ("DELETE", "/api/holidays/{id}") => of(s.holiday),
        ("GET", "/api/recap/class/{id}") => of(s.class),
        ("GET", "/api/holidays" | "/api/recap/school" | "/api/offline-sync/logs") => nothing(),
        ("GET", "/api/offline-sync/logs/{log}/records") => key(&s.log.to_string()),
        ("POST", "/api/student-attendance/scan-qr") => json(
            json!({"nisn_nip_nik": "1103", "class_id": s.class, "latitude": -6.2, "longitude": 106.8166}),
        ),
        ("POST", "/api/student-attendance/bulk") => json(json!({"class_id": s.class, "date": "2025-11-20"})),
        ("GET", "/api/student-attendance/class-status/{class}") => of(s.class),
        ("POST", "/api/leaves") => json(json!({
            "leave_type": "izin", "start_date": "2025-12-01", "end_date": "2025-12-01", "reason": "Keluarga",
            "attachment_path": format!("/files/{}", s.file),
        })),
        ("GET", "/api/leaves/{id}") => of(s.leave),
        ("PUT", "/api/leaves/{id}") => {
            to(s.leave, json!({"reason": "Keluarga besar", "attachment_path": format!("/files/{}", s.file)}))
        }
        ("DELETE", "/api/leaves/{id}") => of(s.spare_leave),
        ("POST", "/api/leaves/{id}/attachment") => (s.leave.to_string(), Content::Form(form())),
        ("POST", "/api/announcements") => {
            json(json!({"title": "Rapat", "content": "Jumat siang", "is_published": true}))
        }
        ("GET", "/api/announcements/{id}") => of(s.announcement),
        ("PUT", "/api/announcements/{id}") => to(s.announcement, json!({"title": "Upacara bendera"})),
        ("DELETE", "/api/announcements/{id}") => of(s.spare_announcement),
        ("POST", "/api/classes") => json(json!({"name": "XII IPS 3", "homeroom_teacher_id": s.guru})),
        ("GET", "/api/classes/{id}" | "/api/classes/{id}/students") => of(s.class),
        ("PUT", "/api/classes/{id}") => {
            to(s.class, json!({"name": "X IPA 1 A", "homeroom_teacher_id": s.guru}))
        }
        ("DELETE", "/api/classes/{id}") => of(s.empty_class),
        ("POST", "/api/classes/{id}/assign-students") => {
            to(s.class, json!({"student_ids": [s.newcomer], "academic_year": 2025}))
        }
        ("POST", "/api/classes/{id}/remove-students") => {
            to(s.class, json!({"student_ids": [s.newcomer], "academic_year": 2025}))
        }
        ("POST", "/api/classes/promote") => json(json!({
            "from_year": 2025, "moves": [{"class_id": s.class, "to_class_id": s.empty_class}], "dry_run": true,
        })),
        ("POST", "/api/student-qr-cards/generate-missing") => json(json!({"class_id": s.class})),
        ("GET", "/api/student-qr-cards/cards.pdf") => {
            (String::new(), Content::Query(format!("students={}", s.siswa)))
        }
        ("GET", "/api/users/import/template") => nothing(),
        ("POST", "/api/student-qr-cards/generate") => json(json!({"student_id": s.siswa})),
        ("GET", "/api/student-qr-cards/{id}") => of(s.card),
        ("PUT", "/api/student-qr-cards/{id}/status") => to(s.card, json!({"is_active": true})),
        ("GET", "/api/offline-sync/{id}") | ("POST", "/api/offline-sync/{id}/retry") => of(s.records[0]),
        ("POST", "/api/offline-sync/{id}/map") => {
            to(s.records[5], json!({"user_id": s.newcomer, "reason": "Salah orang"}))
        }
        ("POST", "/api/offline-sync/{id}/accept") => to(s.records[2], json!({"reason": "Saksi guru piket"})),
        ("POST", "/api/offline-sync/{id}/discard" | "/api/offline-sync/{id}/reopen") => {
            to(s.records[3], json!({"reason": "Uji coba"}))
        }
        ("POST", "/api/offline-sync/retry") => json(json!({"ids": [s.records[4]]})),
        ("GET", "/api/offline-sync/retries/{id}") => of(s.retry),
        ("POST", "/api/offline-sync/quarantine/{device}/{log}/process") => {
            (format!("{}/{}", s.device, s.log), Content::Json(json!({"reason": "Perangkat lama"})))
        }
        ("GET", "/api/offline-sync/photos/{key}") => key(&s.file),
        ("GET", "/api/student-qr-cards/{id}/image.png" | "/api/student-qr-cards/{id}/image.svg") => {
            of(s.card)
        }
        ("GET", "/api/classes/{id}/cards.pdf") => of(s.class),
        ("POST", "/api/profile/photo") => json(json!({"photo": crate::attendance::tests::picture(32)})),
        ("DELETE", "/api/profile/photo") => nothing(),
        ("POST", "/api/users/{id}/photo") => {
            to(s.sibling, json!({"photo": crate::attendance::tests::picture(32)}))
        }
        ("DELETE", "/api/users/{id}/photo") => of(s.sibling),
        ("POST", "/api/users/import") => (String::new(), Content::Form(people(s))),
        ("POST", "/api/offline-sync/process-attendance") => json(json!({
            "attendances": [{"user_id": s.siswa, "type": "checkin", "timestamp": "2025-11-18 06:40:00"}],
        })),
        ("POST", "/api/offline-sync/enrolments") => json(json!({
            "proto": 1, "code": "NO-SUCH-CODE", "public_key": "0".repeat(64), "name": "Gerbang", "version": "1",
        })),
        ("GET", "/api/offline-sync/roster/chunks/{hash}") => key(&"0".repeat(64)),
        ("PUT", "/api/edge-devices/{id}") => {
            (s.device.to_string(), Content::Json(json!({"name": "Gerbang Utara"})))
        }
        ("POST", "/api/edge-devices/{id}/revoke") => key(&s.device.to_string()),
        ("PUT", "/api/second-factor") => json(json!({"pegawai": false})),
        ("POST", "/api/edge-devices/{id}/logs/{log}/choose") => {
            (format!("{}/{}", s.device, s.log), Content::Json(json!({"reason": "Kotak kembar"})))
        }
        ("GET", "/api/settings/{key}") => key("attendance_radius"),
        ("PUT", "/api/settings/{key}") => {
            ("attendance_radius".into(), Content::Json(json!({"value": "150"})))
        }
        ("PUT", "/api/settings/bulk-update") => {
            json(json!({"settings": [{"key": "checkin_end", "value": "07:45:00"}]}))
        }
        ("POST", "/api/users") => json(json!({
            "nisn_nip_nik": format!("baru{}", NEXT.fetch_add(1, Ordering::Relaxed)), "name": "Orang Baru",
            "password": PASSWORD, "role_id": 3, "photo_path": s.claim,
        })),
        ("GET", "/api/users/{id}") => of(s.sibling),
        ("PUT", "/api/users/{id}") => to(s.sibling, json!({"name": "Nama Lain", "photo_path": s.photo})),
        ("DELETE", "/api/users/{id}") => of(s.newcomer),
        ("DELETE", "/api/sessions/{id}") => key(&s.spare_sessions[0].to_string()),
        ("GET" | "DELETE", "/api/users/{id}/sessions") => of(s.sibling),
        ("DELETE", "/api/users/{id}/sessions/{session}") => {
            key(&format!("{}/{}", s.siswa, s.spare_sessions[1]))
        }
        ("POST", "/api/jobs/{id}/retry") => of(s.job),
        ("POST", "/api/messages/{id}/retry") => of(s.message),
        ("GET", "/files/{key}") => key(&s.file),
        _ => panic!("{operation}: say in cases.rs what is sent to it"),
    }
}

/// A form with a small PDF in it.
pub fn form() -> Vec<u8> {
    b"--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"surat.pdf\"\r\n\r\n%PDF-1.4\n%%EOF\n\r\n--x--\r\n".to_vec()
}

/// A form with a table of people in it.
fn people(s: &School) -> Vec<u8> {
    let table = format!("nisn;nama;peran\n77{};Orang Impor;siswa\n", s.id);
    format!(
        "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n{table}\r\n--x--\r\n"
    )
    .into_bytes()
}

//! Who may do what, written down from the table of `contracts/attendance.md`: neither from the seed nor from the code.

use super::Operation;
use crate::http::describe::{DEVICE, PUBLIC, SESSION};

/// Every role of the module.
pub const ALL: &[&str] = &["siswa", "guru", "pegawai", "kepala_sekolah", "admin"];

const NOT_ALLOWED: &str = "Anda tidak memiliki izin untuk ";

/// The roles that have a permission, and what the others read.
pub fn expected(permission: &str) -> (&'static [&'static str], &'static str) {
    match permission {
        "attendance.use" => (ALL, NOT_ALLOWED),
        "attendance.own.check" => (&["guru", "pegawai", "kepala_sekolah"], NOT_ALLOWED),
        "attendance.qr.show" => (&["guru", "pegawai", "kepala_sekolah", "admin"], NOT_ALLOWED),
        "attendance.students.scan" => {
            (&["guru", "pegawai", "admin"], "Hanya guru yang dapat melakukan absensi siswa")
        }
        "attendance.records.correct" => (&["guru", "admin"], NOT_ALLOWED),
        "attendance.recap.read" => (&["guru", "kepala_sekolah", "admin"], NOT_ALLOWED),
        "attendance.recap.school" => {
            (&["kepala_sekolah", "admin"], "Hanya kepala sekolah atau admin yang dapat melihat rekap sekolah")
        }
        "attendance.holidays.write" => (&["admin"], NOT_ALLOWED),
        "attendance.leaves.decide" | "attendance.announcements.write" => {
            (&["kepala_sekolah", "admin"], NOT_ALLOWED)
        }
        "attendance.classes.read" => (&["guru", "kepala_sekolah", "admin"], NOT_ALLOWED),
        "attendance.classes.write"
        | "attendance.cards.write"
        | "attendance.users.write"
        | "attendance.devices.write"
        | "attendance.others.record" => (&["admin"], NOT_ALLOWED),
        "attendance.cards.read" | "attendance.devices.read" => (&["kepala_sekolah", "admin"], NOT_ALLOWED),
        "attendance.sync.read" => (
            &["kepala_sekolah", "admin"],
            "Hanya admin atau kepala sekolah yang dapat mengakses log sinkronisasi",
        ),
        "attendance.sync.retry" => (&["admin"], "Hanya admin yang dapat mencoba ulang sinkronisasi"),
        "attendance.sync.process" => (&["guru", "pegawai", "kepala_sekolah", "admin"], NOT_ALLOWED),
        "attendance.settings.write" => (&["admin"], "Hanya admin yang dapat mengakses pengaturan sistem"),
        "attendance.audit.read" => {
            (&["kepala_sekolah", "admin"], "Hanya kepala sekolah atau admin yang dapat melihat jejak audit")
        }
        "attendance.jobs.read" => (&["admin"], "Hanya admin yang dapat melihat pekerjaan latar"),
        "attendance.jobs.retry" => (&["admin"], "Hanya admin yang dapat mencoba ulang pekerjaan latar"),
        unknown => panic!("say in the matrix who has `{unknown}`"),
    }
}

/// What a route has to ask for. A weaker check in the code would declare itself, and be believed, without this.
pub fn asks(operation: &Operation) -> &'static str {
    let path = operation.path.as_str();
    let starts = |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}/"));
    let box_s = ["batches", "logs", "photos", "roster"]
        .iter()
        .any(|part| starts(&format!("/api/offline-sync/{part}")));
    match (operation.method.as_str(), path) {
        (_, "/api/auth/login" | "/api/offline-sync/enrolments") => PUBLIC,
        (_, "/api/auth/logout") => SESSION,
        (_, "/api/offline-sync/quarantine") => DEVICE,
        _ if box_s => DEVICE,
        (_, "/api/offline-sync/process-attendance") => "attendance.sync.process",
        ("GET", _) if starts("/api/offline-sync") => "attendance.sync.read",
        (_, _) if starts("/api/offline-sync") => "attendance.sync.retry",
        (_, "/api/attendance/checkin" | "/api/attendance/checkout") => "attendance.own.check",
        (
            _,
            "/api/attendance/correct" | "/api/attendance/{id}/correct" | "/api/attendance/{id}/corrections",
        ) => "attendance.records.correct",
        ("GET", "/api/qrcode/dynamic") => "attendance.qr.show",
        (_, "/api/recap/class/{id}") => "attendance.recap.read",
        (_, "/api/recap/school") => "attendance.recap.school",
        // Printed cards are cards, whosever page they are on.
        ("GET", "/api/classes/{id}/cards.pdf") => "attendance.cards.read",
        ("GET", _) if starts("/api/student-qr-cards") => "attendance.cards.read",
        (_, _) if starts("/api/student-qr-cards") => "attendance.cards.write",
        ("GET", _) if starts("/api/classes") => "attendance.classes.read",
        (_, _) if starts("/api/classes") => "attendance.classes.write",
        ("GET", _) if starts("/api/edge-devices") => "attendance.devices.read",
        (_, _) if starts("/api/edge-devices") => "attendance.devices.write",
        (_, _) if starts("/api/student-attendance") => "attendance.students.scan",
        (_, _) if starts("/api/settings") || starts("/api/second-factor") => "attendance.settings.write",
        (_, _) if starts("/api/users") => "attendance.users.write",
        ("POST" | "PUT" | "DELETE", _) if starts("/api/announcements") => "attendance.announcements.write",
        ("POST" | "PUT" | "DELETE", _) if starts("/api/holidays") => "attendance.holidays.write",
        ("GET", "/api/audit") => "attendance.audit.read",
        ("GET", "/api/jobs" | "/api/messages") => "attendance.jobs.read",
        (_, "/api/jobs/{id}/retry" | "/api/messages/{id}/retry") => "attendance.jobs.retry",
        ("GET", "/api/user" | "/api/dashboard" | "/api/attendance/history" | "/files/{key}")
        | ("POST", "/api/qrcode/verify") => "attendance.use",
        ("GET", _) if starts("/api/announcements") || starts("/api/holidays") => "attendance.use",
        (_, _) if starts("/api/profile") || starts("/api/leaves") || starts("/api/sessions") => {
            "attendance.use"
        }
        _ => panic!("{operation}: say in roles.rs who may call it"),
    }
}

//! Who has which permission, written down from the table of `contracts/attendance.md` and not from the seed.

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
        unknown => panic!("say in the matrix who has `{unknown}`"),
    }
}

//! What may be done in attendance, each with the words somebody reads who may not. Which role has which permission stands
//! in the database, seeded from `identity/seed.rs`.

use crate::http::Permission;

/// Has a role in attendance at all, in a school that has the service.
#[derive(Debug)]
pub struct Use;

impl Permission for Use {
    const CODE: &'static str = "attendance.use";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk menggunakan absensi";
}

/// Opens the console at all: what whoever may do so sees of the school.
#[derive(Debug)]
pub struct UseConsole;

impl Permission for UseConsole {
    const CODE: &'static str = crate::console::USE;
    const REFUSAL: &'static str = "Akun ini tidak memakai konsol";
}

/// Records one's own arrival and departure with the rotating QR.
#[derive(Debug)]
pub struct CheckOneself;

impl Permission for CheckOneself {
    const CODE: &'static str = "attendance.own.check";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk melakukan absensi mandiri";
}

/// Shows the rotating QR.
#[derive(Debug)]
pub struct ShowQr;

impl Permission for ShowQr {
    const CODE: &'static str = "attendance.qr.show";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk menampilkan QR code";
}

/// Records attendance in somebody else's name.
#[derive(Debug)]
pub struct RecordOthers;

impl Permission for RecordOthers {
    const CODE: &'static str = "attendance.others.record";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk mencatat absensi pengguna lain";
}

/// Corrects how somebody came: a teacher for the students of his own classes.
#[derive(Debug)]
pub struct CorrectRecords;

impl Permission for CorrectRecords {
    const CODE: &'static str = "attendance.records.correct";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk mengoreksi absensi";
}

/// Beside [`CorrectRecords`]: for everybody of the school.
#[derive(Debug)]
pub struct CorrectAnybody;

impl Permission for CorrectAnybody {
    const CODE: &'static str = "attendance.records.correct_all";
    const REFUSAL: &'static str = "Anda hanya dapat mengoreksi absensi siswa di kelas perwalian Anda";
}

/// Changes the school's calendar.
#[derive(Debug)]
pub struct WriteHolidays;

impl Permission for WriteHolidays {
    const CODE: &'static str = "attendance.holidays.write";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk mengelola hari libur";
}

/// Scans students' cards, marks a class, sees who is there.
#[derive(Debug)]
pub struct ScanStudents;

impl Permission for ScanStudents {
    const CODE: &'static str = "attendance.students.scan";
    const REFUSAL: &'static str = "Hanya guru yang dapat melakukan absensi siswa";
}

/// Reads classes and who is in them.
#[derive(Debug)]
pub struct ReadClasses;

impl Permission for ReadClasses {
    const CODE: &'static str = "attendance.classes.read";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk melihat data kelas";
}

/// Reads students' cards.
#[derive(Debug)]
pub struct ReadCards;

impl Permission for ReadCards {
    const CODE: &'static str = "attendance.cards.read";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk melihat kartu siswa";
}

/// Makes and revokes students' cards.
#[derive(Debug)]
pub struct WriteCards;

impl Permission for WriteCards {
    const CODE: &'static str = "attendance.cards.write";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk mengelola kartu siswa";
}

/// Reads the log of what boxes and clients sent.
#[derive(Debug)]
pub struct ReadSyncLog;

impl Permission for ReadSyncLog {
    const CODE: &'static str = "attendance.sync.read";
    const REFUSAL: &'static str = "Hanya admin atau kepala sekolah yang dapat mengakses log sinkronisasi";
}

/// Has a refused record decided again.
#[derive(Debug)]
pub struct RetrySync;

impl Permission for RetrySync {
    const CODE: &'static str = "attendance.sync.retry";
    const REFUSAL: &'static str = "Hanya admin yang dapat mencoba ulang sinkronisasi";
}

/// Sends attendance that was collected offline.
#[derive(Debug)]
pub struct ProcessOffline;

impl Permission for ProcessOffline {
    const CODE: &'static str = "attendance.sync.process";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk memproses absensi offline";
}

/// Reads and changes the school's settings.
#[derive(Debug)]
pub struct WriteSettings;

impl Permission for WriteSettings {
    const CODE: &'static str = "attendance.settings.write";
    const REFUSAL: &'static str = "Hanya admin yang dapat mengakses pengaturan sistem";
}

/// Sees the school's boxes and how they are.
#[derive(Debug)]
pub struct ReadDevices;

impl Permission for ReadDevices {
    const CODE: &'static str = "attendance.devices.read";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk melihat perangkat sekolah";
}

/// Lets boxes in and shuts them out.
#[derive(Debug)]
pub struct WriteDevices;

impl Permission for WriteDevices {
    const CODE: &'static str = "attendance.devices.write";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk mengelola perangkat sekolah";
}

/// Approves and refuses leaves, and so sees those of the whole school.
#[derive(Debug)]
pub struct DecideLeaves;

impl Permission for DecideLeaves {
    const CODE: &'static str = "attendance.leaves.decide";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk menyetujui atau menolak pengajuan izin";
}

const WRITE_ANNOUNCEMENTS: &str = "attendance.announcements.write";

/// One permission, refused in three ways.
#[derive(Debug)]
pub struct CreateAnnouncement;

impl Permission for CreateAnnouncement {
    const CODE: &'static str = WRITE_ANNOUNCEMENTS;
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk membuat pengumuman";
}

/// See [`CreateAnnouncement`].
#[derive(Debug)]
pub struct ChangeAnnouncement;

impl Permission for ChangeAnnouncement {
    const CODE: &'static str = WRITE_ANNOUNCEMENTS;
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk mengubah pengumuman";
}

/// See [`CreateAnnouncement`].
#[derive(Debug)]
pub struct DeleteAnnouncement;

impl Permission for DeleteAnnouncement {
    const CODE: &'static str = WRITE_ANNOUNCEMENTS;
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk menghapus pengumuman";
}

/// Makes classes, and says who is in them.
#[derive(Debug)]
pub struct WriteClasses;

impl Permission for WriteClasses {
    const CODE: &'static str = "attendance.classes.write";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk mengelola kelas";
}

/// Reads and changes the accounts of the school.
#[derive(Debug)]
pub struct WriteUsers;

impl Permission for WriteUsers {
    const CODE: &'static str = "attendance.users.write";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk mengelola pengguna";
}

/// Reads the recaps of the classes one leads.
#[derive(Debug)]
pub struct ReadRecap;

impl Permission for ReadRecap {
    const CODE: &'static str = "attendance.recap.read";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk melihat rekap absensi";
}

/// Reads the recap of the school, and of every class.
#[derive(Debug)]
pub struct ReadSchoolRecap;

impl Permission for ReadSchoolRecap {
    const CODE: &'static str = "attendance.recap.school";
    const REFUSAL: &'static str = "Hanya kepala sekolah atau admin yang dapat melihat rekap sekolah";
}

/// Reads who changed what in the school.
#[derive(Debug)]
pub struct ReadAudit;

impl Permission for ReadAudit {
    const CODE: &'static str = "attendance.audit.read";
    const REFUSAL: &'static str = "Hanya kepala sekolah atau admin yang dapat melihat jejak audit";
}

/// Sees the work that is done in the background.
#[derive(Debug)]
pub struct ReadJobs;

impl Permission for ReadJobs {
    const CODE: &'static str = "attendance.jobs.read";
    const REFUSAL: &'static str = "Hanya admin yang dapat melihat pekerjaan latar";
}

/// Has work tried again that failed.
#[derive(Debug)]
pub struct RetryJobs;

impl Permission for RetryJobs {
    const CODE: &'static str = "attendance.jobs.retry";
    const REFUSAL: &'static str = "Hanya admin yang dapat mencoba ulang pekerjaan latar";
}

//! The page of roles: what each may, who has it, and another one for somebody.

use askama::Template;
use axum::{extract::State, response::Response};
use serde::Deserialize;

use super::{Filter, WriteUsers, store};
use crate::{
    app::App,
    attendance::people::Person,
    console::{Pages, Shell, Visit, html},
    fail::Fail,
    http::{Page, Params},
    identity::{seed, user},
};

#[cfg(test)]
mod tests;

/// In the order in which they may more.
const ROLES: &[i64] = &[seed::STUDENT, seed::STAFF, seed::TEACHER, seed::PRINCIPAL, seed::ADMIN];
const SEARCH_MAX: usize = 100;

pub fn pages() -> Pages {
    Pages::default().page("/roles", list)
}

#[derive(Deserialize)]
struct Asked {
    role: Option<i64>,
    q: Option<String>,
}

/// A role, how many have it, and the codes of what it may.
struct Held {
    id: i64,
    people: i64,
    permissions: Vec<String>,
}

#[derive(Template)]
#[template(path = "console/roles.html")]
struct RolesPage {
    shell: Shell,
    roles: Vec<Held>,
    /// Every code that any of them has.
    codes: Vec<String>,
    role: i64,
    q: String,
    people: Vec<Person>,
    page: i64,
    last: i64,
    total: i64,
}

async fn list(
    State(app): State<App>,
    visit: Visit<WriteUsers>,
    Params(asked): Params<Asked>,
    page: Page,
) -> Result<Response, Fail> {
    let role = asked.role.filter(|role| ROLES.contains(role)).unwrap_or(seed::ADMIN);
    let q: String =
        asked.q.unwrap_or_default().trim().chars().filter(|c| !c.is_control()).take(SEARCH_MAX).collect();
    let part = Some(q.to_lowercase()).filter(|part| !part.is_empty());
    // Who looks for somebody looks among all.
    let filter = Filter {
        role: Some(role).filter(|_| part.is_none()),
        active: Some(true),
        part,
        class: None,
        unplaced: false,
        today: visit.shell.today(),
        by_name: true,
    };
    let mut tx = app.db.read(visit.institution).await?;
    let counts = store::by_role(&mut tx, visit.institution).await?;
    let mut roles = Vec::new();
    for id in ROLES.iter().copied() {
        let people = counts.iter().find(|(role, _)| *role == id).map_or(0, |(_, count)| *count);
        roles.push(Held { id, people, permissions: user::role_permissions(&mut tx, id).await? });
    }
    let mut codes: Vec<String> = roles.iter().flat_map(|held| held.permissions.clone()).collect();
    codes.sort_by_key(|code| (place(code), code.clone()));
    codes.dedup();
    let total = store::count(&mut tx, visit.institution, &filter).await?;
    let people = store::page(&mut tx, visit.institution, &filter, &page).await?;
    html(&RolesPage {
        shell: visit.shell,
        roles,
        codes,
        role,
        q,
        people,
        page: page.page,
        last: page.last(total),
        total,
    })
}

/// Where it stands in the table below.
fn place(code: &str) -> usize {
    WORDS.iter().position(|word| word.0 == code).unwrap_or(WORDS.len())
}

impl RolesPage {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template hands in references")]
    fn role_word(&self, id: &i64) -> &'static str {
        match *id {
            seed::STUDENT => self.shell.t("Siswa", "Student"),
            seed::TEACHER => self.shell.t("Guru", "Teacher"),
            seed::STAFF => self.shell.t("Pegawai", "Staff"),
            seed::PRINCIPAL => self.shell.t("Kepala sekolah", "Principal"),
            _ => self.shell.t("Admin", "Administrator"),
        }
    }

    fn permission_word(&self, code: &str) -> String {
        let word = WORDS.iter().find(|word| word.0 == code);
        word.map_or_else(|| code.to_owned(), |word| self.shell.t(word.1, word.2).to_owned())
    }
}

/// Code, Indonesian, English.
const WORDS: &[(&str, &str, &str)] = &[
    (
        "attendance.use",
        "Profil, riwayat dan izin sendiri, pengumuman, kalender",
        "One's own profile, history and leaves; announcements; the calendar",
    ),
    ("attendance.own.check", "Absen masuk dan pulang sendiri", "Check in and out oneself"),
    ("attendance.qr.show", "Menampilkan QR yang berganti", "Show the rotating QR"),
    (
        "attendance.students.scan",
        "Memindai kartu siswa, menandai satu kelas",
        "Scan students' cards, mark a class",
    ),
    ("attendance.sync.process", "Mengirim absensi yang terkumpul offline", "Send what was collected offline"),
    ("attendance.console.use", "Membuka konsol ini", "Open this console"),
    ("attendance.classes.read", "Melihat kelas", "See classes"),
    ("attendance.recap.read", "Melihat rekap kelas perwalian", "See the recap of the classes one leads"),
    (
        "attendance.records.correct",
        "Mengoreksi absensi siswa perwalian",
        "Correct the students of the classes one leads",
    ),
    ("attendance.leaves.decide", "Memutuskan izin", "Decide leaves"),
    ("attendance.announcements.write", "Menulis pengumuman", "Write announcements"),
    (
        "attendance.recap.school",
        "Melihat rekap semua kelas dan sekolah",
        "See the recap of every class and the school",
    ),
    ("attendance.cards.read", "Melihat kartu", "See cards"),
    ("attendance.sync.read", "Melihat log sinkronisasi", "See the sync log"),
    ("attendance.devices.read", "Melihat kotak sekolah", "See the boxes"),
    ("attendance.audit.read", "Melihat jejak audit", "See the audit log"),
    ("attendance.records.correct_all", "Mengoreksi absensi siapa pun", "Correct everybody's attendance"),
    (
        "attendance.others.record",
        "Mencatat absensi atas nama orang lain",
        "Record attendance in another's name",
    ),
    ("attendance.classes.write", "Mengelola kelas", "Manage classes"),
    ("attendance.cards.write", "Membuat dan mencabut kartu", "Make and revoke cards"),
    ("attendance.users.write", "Mengelola akun, peran, dan sesi", "Manage accounts, roles and sessions"),
    ("attendance.holidays.write", "Mengelola kalender", "Manage the calendar"),
    ("attendance.settings.write", "Mengubah pengaturan", "Change settings"),
    ("attendance.devices.write", "Mengelola kotak sekolah", "Manage the boxes"),
    ("attendance.sync.retry", "Menyelesaikan catatan yang ditolak", "Mend refused records"),
    ("attendance.jobs.read", "Melihat pekerjaan latar", "See the work in the background"),
    ("attendance.jobs.retry", "Mencoba ulang pekerjaan yang gagal", "Have failed work tried again"),
];

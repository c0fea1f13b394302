//! The audit log as a page.

use askama::Template;
use axum::{extract::State, response::Response};

use super::{Asked, ReadAudit, Shown, diff, filter, page_of};
use crate::{
    app::App,
    console::{Pages, Shell, Visit, html},
    fail::Fail,
    http::Params,
};

pub fn pages() -> Pages {
    Pages::default().page("/audit", list)
}

#[derive(Template)]
#[template(path = "console/audit.html")]
struct AuditPage {
    shell: Shell,
    actor: String,
    action: String,
    subject: String,
    first: String,
    last: String,
    rows: Vec<Shown>,
    next: Option<String>,
    is_later: bool,
}

async fn list(
    State(app): State<App>,
    visit: Visit<ReadAudit>,
    Params(asked): Params<Asked>,
) -> Result<Response, Fail> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (actor, action, subject) = (text(&asked.actor), text(&asked.action), text(&asked.subject));
    let (first, last) = (asked.start_date, asked.end_date);
    let is_later = asked.before.is_some();
    let mut tx = app.db.read(visit.institution).await?;
    let filter = filter(&mut tx, visit.institution, asked).await?;
    let (rows, next) = page_of(&mut tx, visit.institution, filter).await?;
    html(&AuditPage {
        shell: visit.shell,
        actor,
        action,
        subject,
        first: first.map(|day| day.to_string()).unwrap_or_default(),
        last: last.map(|day| day.to_string()).unwrap_or_default(),
        rows,
        next,
        is_later,
    })
}

impl AuditPage {
    fn changes(row: &Shown) -> Vec<diff::Change> {
        diff::between(row.before.as_ref(), row.after.as_ref())
    }

    fn actor_word(&self, row: &Shown) -> String {
        match &row.actor_name {
            Some(name) => name.clone(),
            None if row.actor == "system" => self.shell.t("Hadir sendiri", "Hadir itself").to_owned(),
            None if row.actor.starts_with("device:") => self.shell.t("Kotak sekolah", "A box").to_owned(),
            None => self.shell.t("Pengelola pusat", "Central administration").to_owned(),
        }
    }

    /// `Pengaturan: diubah`. What has no words here is shown by its code alone.
    fn action_word(&self, action: &str) -> Option<String> {
        let (thing, verb) = action.split_once('.')?;
        let find = |words: &[(&str, &'static str, &'static str)], code: &str| {
            words.iter().find(|word| word.0 == code).map(|word| self.shell.t(word.1, word.2))
        };
        Some(format!("{}: {}", find(THINGS, thing)?, find(VERBS, verb)?))
    }
}

const THINGS: &[(&str, &str, &str)] = &[
    ("announcement", "Pengumuman", "Announcement"),
    ("attendance", "Absensi", "Attendance"),
    ("card", "Kartu", "Card"),
    ("class", "Kelas", "Class"),
    ("device", "Kotak sekolah", "Box"),
    ("enrolment_code", "Kode pendaftaran kotak", "Enrolment code"),
    ("file", "Berkas", "File"),
    ("holiday", "Hari libur", "Day off"),
    ("job", "Pekerjaan", "Job"),
    ("leave", "Izin", "Leave"),
    ("message", "Pesan", "Message"),
    ("photo", "Foto", "Photo"),
    ("session", "Sesi", "Session"),
    ("setting", "Pengaturan", "Setting"),
    ("sync", "Catatan offline", "Offline record"),
    ("user", "Akun", "Account"),
];

const VERBS: &[(&str, &str, &str)] = &[
    ("active", "aktif/nonaktif", "active or not"),
    ("accept", "diterima", "accepted"),
    ("attach", "dilampiri", "given an attachment"),
    ("assign", "ditetapkan", "assigned"),
    ("bulk", "banyak diputuskan", "many decided"),
    ("correct", "dikoreksi", "corrected"),
    ("create", "dibuat", "made"),
    ("deactivate", "dinonaktifkan", "deactivated"),
    ("decide", "diputuskan", "decided"),
    ("delete", "dihapus", "deleted"),
    ("discard", "dibuang", "discarded"),
    ("enrol", "didaftarkan", "enrolled"),
    ("generate", "dibuat", "made"),
    ("import", "diimpor", "imported"),
    ("map", "dipetakan", "mapped"),
    ("open", "dibuka", "opened"),
    ("password", "kata sandi diganti", "password set"),
    ("photo", "foto diganti", "photo changed"),
    ("prefill", "diisi", "filled in"),
    ("remove", "dikeluarkan", "removed"),
    ("reopen", "dibuka lagi", "opened again"),
    ("refresh_reuse", "diakhiri: token lama dipakai lagi", "ended: a spent token came again"),
    ("retry", "dicoba lagi", "tried again"),
    ("revoke", "diakhiri", "ended"),
    ("revoke_all", "semua diakhiri", "all ended"),
    ("role", "peran diubah", "role changed"),
    ("status", "keadaan diubah", "state changed"),
    ("update", "diubah", "changed"),
    ("withdraw", "dikeluarkan", "taken out"),
];

//! The log's codes in plain words, in both languages, and what is to be done about each.

use hadir_shared::wire::batch::Reason;

use crate::console::Lang;

/// A word with the class that colours it.
pub type Word = (&'static str, &'static str);

/// One of the four words, or that somebody let it be.
pub fn state(lang: Lang, verdict: &str) -> Word {
    match verdict {
        "stored" | "duplicate" | "corrected" => ("good", lang.t("Terkirim", "Delivered")),
        "refused" => ("bad", lang.t("Ditolak", "Refused")),
        "conflict" => ("warn", lang.t("Bentrok", "Conflict")),
        "quarantined" => ("calm", lang.t("Menunggu", "Waiting")),
        _ => ("calm", lang.t("Diabaikan", "Discarded")),
    }
}

pub fn verdict(lang: Lang, verdict: &str) -> &'static str {
    match verdict {
        "stored" => lang.t("masuk buku", "in the books"),
        "duplicate" => lang.t("sudah tercatat sebelumnya", "recorded before"),
        "corrected" => lang.t("masuk sebagai koreksi", "in as a correction"),
        "refused" => lang.t("ditolak aturan", "refused by a rule"),
        "conflict" => lang.t("bertentangan dengan buku", "against the books"),
        "quarantined" => lang.t("dikarantina", "in quarantine"),
        _ => lang.t("diabaikan", "discarded"),
    }
}

pub fn action(lang: Lang, action: &str) -> &'static str {
    match action {
        "attendance" => lang.t("Absensi", "Attendance"),
        "void" => lang.t("Pembatalan", "Taken back"),
        "unknown_card" => lang.t("Kartu tak dikenal", "Unknown card"),
        "boot" => lang.t("Kotak menyala", "Box started"),
        "clock" => lang.t("Jam", "Clock"),
        "key" => lang.t("Kunci", "Key"),
        _ => lang.t("Tidak terbaca", "Unreadable"),
    }
}

/// The kinds there are to choose from.
pub const ACTIONS: &[&str] = &["attendance", "void", "unknown_card", "boot", "clock", "key", "unknown"];

pub fn direction(lang: Lang, kind: Option<&str>) -> &'static str {
    match kind {
        Some("checkin") => lang.t("Masuk", "In"),
        Some("checkout") => lang.t("Pulang", "Out"),
        _ => "",
    }
}

/// Why a record is not simply in the books.
pub const fn why(lang: Lang, reason: Reason) -> &'static str {
    match reason {
        Reason::AlreadyRecorded => lang.t("Absensi yang sama sudah ada", "The same is recorded already"),
        Reason::Contradicts => {
            lang.t("Absensi lain sudah tercatat untuk hari itu", "Something else is recorded for that day")
        }
        Reason::UnknownPerson => lang.t("Orangnya tidak dikenal", "Nobody of that number is known"),
        Reason::InactivePerson => lang.t("Orangnya tidak aktif", "The person is not active"),
        Reason::RoleNotAllowed => {
            lang.t("Perannya tidak ikut absensi", "The person's role takes no part in attendance")
        }
        Reason::UnknownCard => lang.t("Kartu tidak dikenal", "The card is not known"),
        Reason::UnknownClass => lang.t("Kelasnya tidak ditemukan", "The class is not there"),
        Reason::ImpossibleTime => lang.t("Waktunya tidak masuk akal", "The time cannot be"),
        Reason::BadSchema => lang.t("Isinya tidak dapat dibaca", "It cannot be read"),
        Reason::RevokedDevice => lang.t("Kotaknya sudah dicabut", "The box is revoked"),
        Reason::NotAllowed => {
            lang.t("Tidak berwenang mencatat orang lain", "Who sent it may not record others")
        }
        Reason::OutsideArea => lang.t("Di luar area sekolah", "Outside the school's ground"),
        Reason::TakenBack => lang.t("Dibatalkan di gerbang", "Taken back at the gate"),
        Reason::DecidedSince => {
            lang.t("Harinya sudah diputuskan orang setelah itu", "Somebody has decided about that day since")
        }
    }
}

/// What mends it.
pub const fn advice(lang: Lang, reason: Reason) -> &'static str {
    match reason {
        Reason::UnknownPerson | Reason::UnknownCard => lang.t(
            "Petakan ke orangnya. Bila kartunya baru didaftarkan, cukup coba ulang.",
            "Give it to its person. If the card was registered meanwhile, trying again is enough.",
        ),
        Reason::InactivePerson => lang.t(
            "Bila orangnya memang hadir, terima dengan alasan; atau aktifkan akunnya lalu coba ulang.",
            "If the person was there, accept it with a reason; or activate the account and try again.",
        ),
        Reason::RoleNotAllowed => {
            lang.t("Perbaiki peran orang ini, lalu coba ulang.", "Mend the person's role, then try again.")
        }
        Reason::Contradicts => lang.t(
            "Periksa yang sudah tercatat. Bila catatan ini yang benar, terima: buku mendapat koreksi.",
            "Look at what is recorded. If this one is right, accept it: the books get a correction.",
        ),
        Reason::AlreadyRecorded | Reason::UnknownClass => lang.t("Cukup coba ulang.", "Try it again."),
        Reason::ImpossibleTime => lang.t(
            "Terima dengan waktu yang benar, atau abaikan.",
            "Accept it with the right time, or discard it.",
        ),
        Reason::BadSchema => lang.t(
            "Data yang tidak dapat dibaca hanya dapat diabaikan.",
            "What cannot be read can only be discarded.",
        ),
        Reason::RevokedDevice => lang.t(
            "Bila kotaknya memang masih dipakai saat itu, terima; atau proses seluruh karantina di halaman kotak.",
            "If the box was still in use then, accept it; or process the whole quarantine on the box's page.",
        ),
        Reason::NotAllowed | Reason::OutsideArea => lang.t(
            "Bila benar adanya, terima dengan alasan; bila tidak, abaikan.",
            "If it is true, accept it with a reason; if not, discard it.",
        ),
        Reason::TakenBack | Reason::DecidedSince => lang.t(
            "Koreksi absensi hari itu di rekap, lalu abaikan catatan ini.",
            "Correct that day in the recap, then discard this record.",
        ),
    }
}

/// What a decision was.
pub fn decision(lang: Lang, action: &str) -> &'static str {
    match action {
        "retry" => lang.t("Dicoba ulang", "Tried again"),
        "map" => lang.t("Dipetakan", "Given to a person"),
        "accept" => lang.t("Diterima", "Accepted"),
        "discard" => lang.t("Diabaikan", "Discarded"),
        "reopen" => lang.t("Dibuka kembali", "Taken up again"),
        _ => lang.t("Diproses dari karantina", "Processed from quarantine"),
    }
}

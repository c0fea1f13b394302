//! How the box answers: `{success: true, message?, data?}`, and `{success: false, message, errors?}`, as the attendance
//! module of the cloud does. The only place that words anything for a client of the API.

#![expect(clippy::disallowed_types, reason = "the one place that builds an envelope")]

use std::collections::BTreeMap;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hadir_shared::{
    rules::{fence::Verdict, status::Direction, undo::Stays},
    time::Millis,
    wire::roster::{Person, Role},
};
use serde::{Serialize, Serializer};
use serde_json::json;

use super::{
    extract::Page,
    fail::{Fail, Flaw, NoSession, Problem},
};
use crate::attendance::{AttendanceRow, Refused};

/// 200 with a message and data.
#[derive(Debug)]
pub struct Said<T>(pub &'static str, pub T);

impl<T: Serialize> IntoResponse for Said<T> {
    fn into_response(self) -> Response {
        Json(json!({ "success": true, "message": self.0, "data": self.1 })).into_response()
    }
}

/// 201 with a message and data.
#[derive(Debug)]
pub struct Created<T>(pub &'static str, pub T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Said(self.0, self.1)).into_response()
    }
}

/// 200 with data and no message.
#[derive(Debug)]
pub struct Data<T>(pub T);

impl<T: Serialize> IntoResponse for Data<T> {
    fn into_response(self) -> Response {
        Json(json!({ "success": true, "data": self.0 })).into_response()
    }
}

/// 200 with a message and no data.
#[derive(Debug)]
pub struct Done(pub &'static str);

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        Json(json!({ "success": true, "message": self.0 })).into_response()
    }
}

/// 503 with what was asked about: something of it is not on disk.
#[derive(Debug)]
pub struct Unsaved<T>(pub T);

impl<T: Serialize> IntoResponse for Unsaved<T> {
    fn into_response(self) -> Response {
        let body = json!({ "success": false, "message": NOT_SAVED, "data": self.0 });
        (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
    }
}

const NOT_SAVED: &str = "Belum tersimpan. Silakan ulangi";

/// 200 after a student was scanned: the student stands beside the data.
#[derive(Debug)]
pub struct Passed {
    pub student: Student,
    pub message: &'static str,
    pub data: Attendance,
}

impl IntoResponse for Passed {
    fn into_response(self) -> Response {
        let Self { student, message, data } = self;
        Json(json!({ "success": true, "student": student, "message": message, "data": data })).into_response()
    }
}

/// The `data` of a list: Laravel's paginator, in full.
#[derive(Debug, Serialize)]
pub struct Paginated<T> {
    current_page: u32,
    data: Vec<T>,
    first_page_url: String,
    from: Option<u64>,
    last_page: u64,
    last_page_url: String,
    next_page_url: Option<String>,
    path: String,
    per_page: u32,
    prev_page_url: Option<String>,
    to: Option<u64>,
    total: u64,
}

impl<T> Paginated<T> {
    /// `rows` are those of the page, `total` is the length of the whole list.
    pub fn new(page: &Page, rows: Vec<T>, total: u64) -> Self {
        let current = u64::from(page.page);
        let last = total.div_ceil(u64::from(page.per_page)).max(1);
        let count = rows.len() as u64;
        let from = (count > 0).then(|| page.offset() + 1);
        Self {
            current_page: page.page,
            first_page_url: page.url(1),
            from,
            last_page: last,
            last_page_url: page.url(last),
            next_page_url: (current < last).then(|| page.url(current + 1)),
            path: page.path.clone(),
            per_page: page.per_page,
            prev_page_url: (current > 1).then(|| page.url(current - 1)),
            to: from.map(|from| from + count - 1),
            total,
            data: rows,
        }
    }
}

/// A record of somebody's passage, with every field of the contract and what the box knows beside it.
#[derive(Debug, Serialize)]
pub struct Attendance {
    id: u64,
    user_id: i64,
    #[serde(rename = "type")]
    direction: Direction,
    /// With eight decimals, as text: the contract has them so.
    latitude: Option<String>,
    longitude: Option<String>,
    accuracy: Option<serde_json::Number>,
    photo_path: Option<String>,
    qr_token_used: String,
    status: &'static str,
    #[serde(serialize_with = "instant")]
    timestamp: Millis,
    date_only: String,
    /// Whether the cloud has acknowledged it.
    synced: bool,
    #[serde(serialize_with = "instant")]
    created_at: Millis,
    late_minutes: i64,
    early_minutes: i64,
    gate: String,
    fence: Option<&'static str>,
    time_grade: &'static str,
    event_id: String,
}

impl Attendance {
    pub fn new(row: &AttendanceRow, photo_path: Option<String>) -> Self {
        let degrees = |d: f64| format!("{d:.8}");
        Self {
            id: row.seq,
            user_id: row.user.0,
            direction: row.direction,
            latitude: row.position.map(|p| degrees(p.latitude)),
            longitude: row.position.map(|p| degrees(p.longitude)),
            accuracy: row.position.and_then(|p| p.accuracy).and_then(metres),
            photo_path,
            qr_token_used: row.token.clone(),
            status: row.decision.status.as_str(),
            timestamp: row.trusted,
            date_only: row.day.to_string(),
            synced: row.synced,
            created_at: row.claimed,
            late_minutes: row.decision.late_minutes,
            early_minutes: row.decision.early_minutes,
            gate: row.gate.clone(),
            fence: row.fence.map(Verdict::as_str),
            time_grade: row.grade.as_str(),
            event_id: row.event.to_string(),
        }
    }
}

/// Whole metres as a whole number, as the contract shows them.
fn metres(accuracy: f64) -> Option<serde_json::Number> {
    if accuracy.fract() != 0.0 {
        return serde_json::Number::from_f64(accuracy);
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole; past 2^63 metres it is no accuracy")]
    let whole = accuracy as i64;
    Some(whole.into())
}

/// A person, as login and profile show one. The roster has no mail address, telephone or portrait: those stay in the cloud.
#[derive(Debug, Serialize)]
pub struct User {
    id: i64,
    nisn_nip_nik: String,
    name: String,
    email: Option<String>,
    phone: Option<String>,
    role_id: i64,
    photo_path: Option<String>,
    is_active: bool,
    created_at: Option<String>,
    updated_at: Option<String>,
}

impl From<&Person> for User {
    fn from(person: &Person) -> Self {
        Self {
            id: person.id.0,
            nisn_nip_nik: person.number.clone(),
            name: person.name.clone(),
            email: None,
            phone: None,
            role_id: person.role.id(),
            photo_path: None,
            is_active: person.active,
            created_at: None,
            updated_at: None,
        }
    }
}

/// `#[serde(serialize_with = "dialect::instant")]`: `2025-08-21T08:54:57.000000Z`.
pub fn instant<S: Serializer>(at: &Millis, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&at.to_rfc3339_micros())
}

/// What a successful passage is called.
pub const fn passed(direction: Direction) -> &'static str {
    match direction {
        Direction::CheckIn => "Absen masuk berhasil",
        Direction::CheckOut => "Absen keluar berhasil",
    }
}

/// Turns a response that carries a failure into the words for it.
pub fn word(response: Response) -> Response {
    let fail = match response.extensions().get::<Fail>() {
        Some(fail) => fail.clone(),
        // A content encoding that nobody here decodes is refused by the decompression layer, with no body.
        None if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE
            && !response.headers().contains_key(header::CONTENT_TYPE) =>
        {
            Fail::WrongContentType
        }
        None => return response,
    };
    match &fail {
        Fail::Internal(e) => tracing::error!("{e:#}"),
        Fail::Refused(refused) if matches!(**refused, Refused::NotSaved(_)) => tracing::error!("{refused}"),
        _ => {}
    }
    let mut worded = failure(&fail);
    let headers = worded.headers_mut();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        headers.insert(header::ALLOW, allow.clone());
    }
    if let Some(wait) = fail.retry_after() {
        headers.insert(header::RETRY_AFTER, wait.as_secs().max(1).into());
    }
    if let Fail::Unauthenticated(_) = fail {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    worded
}

/// The words of every failure.
fn failure(fail: &Fail) -> Response {
    let message = match fail {
        Fail::Unauthenticated(NoSession::Missing | NoSession::Invalid) => "Token tidak valid",
        Fail::Unauthenticated(NoSession::Expired) => "Token sudah kadaluarsa. Silakan login kembali",
        Fail::BadCredentials => "Kredensial tidak valid",
        Fail::Denied(text) | Fail::NotFound(text) => text,
        Fail::InClear => "Sambungan ini tidak terenkripsi. Gunakan alamat https:// kotak ini",
        Fail::NoRoute => "Alamat tidak ditemukan",
        Fail::WrongMethod => "Metode tidak didukung untuk alamat ini",
        Fail::Invalid(problems) => return invalid(problems),
        Fail::Malformed(_) => "Isi permintaan bukan JSON yang valid",
        Fail::WrongContentType => "Content-Type tidak didukung",
        Fail::TooLarge => "Isi permintaan terlalu besar",
        Fail::TooMany(_) => "Terlalu banyak percobaan. Silakan coba lagi nanti",
        Fail::Busy(_) | Fail::TimedOut => "Kotak sedang sibuk. Silakan coba lagi",
        Fail::Refused(refused) => return refusal(fail.status(), refused),
        Fail::Internal(_) => "Terjadi kesalahan pada kotak",
    };
    (fail.status(), Json(json!({ "success": false, "message": message }))).into_response()
}

fn refusal(status: StatusCode, refused: &Refused) -> Response {
    let message = reason(refused);
    let body = match refused {
        Refused::AlreadyRecorded { person, earlier } => json!({
            "success": false,
            "message": message,
            "data": {
                "student": Student::from(&**person),
                "type": earlier.direction,
                "status": earlier.decision.status,
                "timestamp": earlier.trusted.to_rfc3339_micros(),
                "gate": earlier.gate,
            },
        }),
        _ => json!({ "success": false, "message": message }),
    };
    (status, Json(body)).into_response()
}

/// Why the attendance rules refused, in a sentence.
pub fn reason(refused: &Refused) -> &'static str {
    match refused {
        Refused::AlreadyRecorded { person, earlier } => match (person.role, earlier.direction) {
            (Role::Siswa, _) => "Sudah absen hari ini",
            (_, Direction::CheckIn) => "Anda sudah melakukan absen masuk hari ini",
            (_, Direction::CheckOut) => "Anda sudah melakukan absen keluar hari ini",
        },
        Refused::NotCheckedIn => "Anda belum melakukan absen masuk hari ini",
        Refused::UnknownCode | Refused::NotACard => "QR code tidak valid",
        Refused::RevokedCard { .. } => "Kartu sudah dicabut",
        Refused::OtherSchool => "Kartu sekolah lain",
        Refused::UnknownNumber => "Siswa dengan NISN/NIP/NIK tersebut tidak ditemukan.",
        Refused::NotInClass { .. } => "Siswa tidak terdaftar di kelas ini",
        Refused::NoStudents => "Tidak ada siswa terdaftar di kelas ini",
        Refused::NotAStudent => "Hanya siswa yang dapat diabsen dengan kartu",
        Refused::StaleToken => "QR token tidak valid atau sudah kadaluarsa",
        Refused::OutsideArea => "Anda berada di luar area sekolah",
        Refused::RoleNotAllowed => "Anda tidak memiliki izin untuk melakukan absensi",
        Refused::Inactive => "Akun ini tidak aktif",
        Refused::UnknownClass => "Kelas tidak ditemukan",
        Refused::FutureDay => "Tanggal belum tiba",
        Refused::NoSuchScan => "Catatan tidak ditemukan",
        Refused::Stays(Stays::TooLate) => "Sudah lewat 10 menit. Koreksi lewat cloud",
        Refused::Stays(Stays::NotOfTheGate) => "Hanya absensi siswa yang dapat dibatalkan di gerbang",
        Refused::Stays(Stays::CheckedOut) => "Sudah absen pulang. Batalkan absen pulang dahulu",
        Refused::NotSaved(_) => NOT_SAVED,
    }
}

/// A student as scan, bulk and class status show one.
#[derive(Debug, Clone, Serialize)]
pub struct Student {
    id: i64,
    nisn_nip_nik: String,
    name: String,
}

impl From<&Person> for Student {
    fn from(person: &Person) -> Self {
        Self { id: person.id.0, nisn_nip_nik: person.number.clone(), name: person.name.clone() }
    }
}

fn invalid(problems: &[Problem]) -> Response {
    let mut errors: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for problem in problems {
        let field = if problem.field.is_empty() { "body" } else { &problem.field };
        errors.entry(field).or_default().push(flaw(field, problem.flaw));
    }
    let body = json!({ "success": false, "message": "Validasi gagal", "errors": errors });
    (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
}

fn flaw(field: &str, flaw: Flaw) -> String {
    match flaw {
        Flaw::Missing => format!("{field} wajib diisi"),
        Flaw::Unreadable => format!("{field} tidak valid"),
        Flaw::TooLong(most) => format!("{field} maksimal {most} karakter"),
        Flaw::OutOfRange(least, most) => format!("{field} harus antara {least} dan {most}"),
        Flaw::NotOneOf(words) => format!("{field} harus salah satu dari: {}", words.join(", ")),
        Flaw::NotAPin => format!("{field} harus 4 sampai 8 angka"),
        Flaw::NotAPicture => format!("{field} harus berupa gambar PNG atau JPEG yang valid"),
    }
}

//! Students, recorded by those who may: one by card or number, a class at once, a class to look at.

#[cfg(test)]
mod tests;

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    routing::{get, post},
};
use hadir_shared::{ids::ClassId, rules::status::Direction, time::SchoolDay};
use serde::{Deserialize, Serialize};

use super::{
    Web,
    attendance::position,
    auth::{Allowed, AtGate, ScanStudents},
    dialect::{Attendance, Data, Passed, Said, Student},
    extract::{Body, Params, Segment},
    fail::{Fail, Flaw},
    photos::{self, Photo},
};
use crate::attendance::{BulkRequest, Code, ScanRequest, StudentStatus};

pub fn routes() -> Router<Web> {
    Router::new()
        .route("/student-attendance/scan-qr", post(scan))
        .layer(DefaultBodyLimit::max(photos::BODY_BYTES))
        .route("/student-attendance/bulk", post(bulk))
        .route("/student-attendance/class-status/{class}", get(class_status))
}

#[derive(Deserialize)]
struct Scan {
    qr_code: Option<String>,
    nisn_nip_nik: Option<String>,
    class_id: Option<i64>,
    /// Beyond the contract: `checkout` when students leave; an arrival when it is left out.
    #[serde(rename = "type")]
    direction: Option<Direction>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    accuracy: Option<f64>,
    photo: Option<String>,
}

async fn scan(State(web): State<Web>, gate: AtGate, Body(scan): Body<Scan>) -> Result<Passed, Fail> {
    let request = ScanRequest {
        code: code(scan.qr_code, scan.nisn_nip_nik)?,
        direction: Some(scan.direction.unwrap_or(Direction::CheckIn)),
        class: scan.class_id.map(ClassId),
        position: position(scan.latitude, scan.longitude, scan.accuracy)?,
        gate: gate.name.unwrap_or_else(|| web.node.config().gate_name.clone()),
        operator: gate.operator,
    };
    let photo = Photo::read(&web, scan.photo).await?;
    let scanned = web.node.scan(request).await?;
    let path = match photo {
        Some(photo) => photo.keep(&web, &scanned.row).await,
        None => None,
    };
    let data = Attendance::new(&scanned.row, path);
    Ok(Passed { student: (&scanned.person).into(), message: "Absensi berhasil", data })
}

/// The number wins when both are given: somebody typed it because the card did not work.
fn code(qr_code: Option<String>, number: Option<String>) -> Result<Code, Fail> {
    let given = |text: Option<String>| text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
    given(number)
        .map(Code::Number)
        .or_else(|| given(qr_code).map(Code::Scanned))
        .ok_or_else(|| Fail::invalid("qr_code", Flaw::Missing))
}

#[derive(Deserialize)]
struct Whole {
    class_id: Option<i64>,
    date: Option<SchoolDay>,
}

#[derive(Serialize)]
struct Marked {
    class_id: ClassId,
    date: String,
    total_students: usize,
    already_attended: u64,
    newly_attended: u64,
    processed_students: Vec<Line>,
}

/// A student of a class; `attended` is the contract's, the rest is what a list wants to show.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    student: Student,
    attended: bool,
    status: Option<&'static str>,
    late_minutes: Option<i64>,
    checkin_at: Option<String>,
    checkout_at: Option<String>,
}

impl From<&StudentStatus> for Line {
    fn from(of: &StudentStatus) -> Self {
        Self {
            student: (&of.person).into(),
            attended: of.attended,
            status: of.check_in.as_ref().map(|row| row.decision.status.as_str()),
            late_minutes: of.check_in.as_ref().map(|row| row.decision.late_minutes),
            checkin_at: of.check_in.as_ref().map(|row| row.trusted.to_rfc3339_micros()),
            checkout_at: of.check_out.as_ref().map(|row| row.trusted.to_rfc3339_micros()),
        }
    }
}

async fn bulk(
    State(web): State<Web>,
    teacher: Allowed<ScanStudents>,
    Body(whole): Body<Whole>,
) -> Result<Said<Marked>, Fail> {
    let class = whole.class_id.ok_or_else(|| Fail::invalid("class_id", Flaw::Missing))?;
    let gate = web.node.config().gate_name.clone();
    let request = BulkRequest { class: ClassId(class), day: whole.date, operator: teacher.id, gate };
    let done = web.node.bulk(request).await?;
    let marked = Marked {
        class_id: done.class,
        date: done.day.to_string(),
        total_students: done.students.len(),
        already_attended: done.already_attended,
        newly_attended: done.newly_attended,
        processed_students: done.students.iter().map(Line::from).collect(),
    };
    Ok(Said("Absensi massal berhasil diproses", marked))
}

#[derive(Deserialize)]
struct On {
    date: Option<SchoolDay>,
}

async fn class_status(
    State(web): State<Web>,
    _: Allowed<ScanStudents>,
    Segment(class): Segment<ClassId>,
    Params(on): Params<On>,
) -> Result<Data<Vec<Line>>, Fail> {
    let today = || web.node.roster().day(web.node.trusted_now().time);
    let students = web.node.class_status(class, on.date.unwrap_or_else(today)).await?;
    Ok(Data(students.iter().map(Line::from).collect()))
}

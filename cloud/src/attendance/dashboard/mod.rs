//! The first page of everybody, by role. Section 12 of the contract.
//!
//! What always holds: it is about today, in the school's own zone; `present` are those who checked in on time, `late` those who
//! came later, as corrected; only active people are counted.

use aide::axum::{ApiRouter, routing::get_with};
use axum::extract::State;
use hadir_shared::{ids::InstitutionId, time::SchoolDay, wire::roster::Role};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    announcements::{self, Announcement},
    classes::{self, Class},
    dialect::Data,
    leaves::{self, Leave},
    people::{self, Person},
    permits::Use,
    settings,
};
use crate::{
    app::App,
    db::Tx,
    fail::Fail,
    http::{Allowed, Member, describe::says},
};

pub mod page;
mod roll;
mod store;
#[cfg(test)]
mod tests;
mod trend;

use store::Count;

const ANNOUNCEMENTS: i64 = 5;
const RECENT_LEAVES: i64 = 5;
const PENDING_LEAVES: i64 = 10;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new().api_route("/dashboard", get_with(show, says("What matters to the caller today")))
}

#[derive(Serialize, JsonSchema)]
struct Dashboard {
    user: Person,
    recent_announcements: Vec<Announcement>,
    #[serde(flatten)]
    part: Part,
}

/// What each role sees besides.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Part {
    /// Students and staff.
    Own {
        attendance_status: String,
        recent_leaves: Vec<Leave>,
    },
    Teacher {
        classes: Vec<Class>,
        attendance_statistics: OfHomeroom,
        recent_leaves: Vec<Leave>,
    },
    Principal {
        user_statistics: Users,
        attendance_statistics: Attendance,
        pending_leaves: Vec<Leave>,
    },
    Admin {
        system_statistics: System,
        attendance_statistics: Came,
        pending_leaves: Vec<Leave>,
    },
}

#[derive(Serialize, JsonSchema)]
struct OfHomeroom {
    total_students: i64,
    present: i64,
    late: i64,
    /// Neither on time nor late.
    absent: i64,
}

#[derive(Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the contract's names")]
struct Users {
    total_students: i64,
    total_teachers: i64,
    total_staff: i64,
}

#[derive(Serialize, JsonSchema)]
struct Attendance {
    students: Group,
    teachers: Group,
}

#[derive(Serialize, JsonSchema)]
struct Group {
    present: i64,
    late: i64,
    total: i64,
}

#[derive(Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the contract's names")]
struct System {
    total_users: i64,
    total_students: i64,
    total_teachers: i64,
    total_staff: i64,
    total_classes: i64,
}

#[derive(Serialize, JsonSchema)]
struct Came {
    present_students: i64,
    present_teachers: i64,
    late_students: i64,
    late_teachers: i64,
}

async fn show(State(app): State<App>, who: Allowed<Use>) -> Result<Data<Dashboard>, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    let user = people::by_id(&mut tx, who.institution, who.user).await?;
    let user = user.ok_or_else(|| Fail::not_found("User tidak ditemukan"))?;
    let today = settings::load(&mut tx, who.institution).await?.schedule.zone.day(app.now());
    let part = match user.role() {
        Some(Role::Siswa | Role::Pegawai) => own(&mut tx, &who, today).await?,
        Some(Role::Guru) => teacher(&mut tx, &who, today).await?,
        Some(Role::KepalaSekolah) => principal(&mut tx, who.institution, today).await?,
        Some(Role::Admin) => admin(&mut tx, who.institution, today).await?,
        None => return Err(Fail::bad_request("Peran pengguna tidak dikenali")),
    };
    let recent_announcements =
        announcements::newest(&mut tx, who.institution, app.now(), ANNOUNCEMENTS).await?;
    Ok(Data(Dashboard { user, recent_announcements, part }))
}

async fn own(tx: &mut Tx, who: &Member, today: SchoolDay) -> Result<Part, Fail> {
    let status = store::status(tx, who.institution, who.user, today).await?;
    Ok(Part::Own {
        attendance_status: status.unwrap_or_else(|| "belum_absen".into()),
        recent_leaves: leaves::newest_of(tx, who.institution, who.user, RECENT_LEAVES).await?,
    })
}

async fn teacher(tx: &mut Tx, who: &Member, today: SchoolDay) -> Result<Part, Fail> {
    let (institution, teacher) = (who.institution, who.user);
    let count = store::of_homeroom(tx, institution, teacher, today).await?;
    Ok(Part::Teacher {
        classes: classes::of_teacher(tx, institution, teacher).await?,
        attendance_statistics: OfHomeroom {
            total_students: count.total,
            present: count.present,
            late: count.late,
            absent: count.total - count.present - count.late,
        },
        recent_leaves: leaves::newest_of_homeroom(tx, institution, teacher, today, RECENT_LEAVES).await?,
    })
}

async fn principal(tx: &mut Tx, institution: InstitutionId, today: SchoolDay) -> Result<Part, Fail> {
    let roles = store::by_role(tx, institution, today).await?;
    let group = |role| {
        let Count { present, late, total, .. } = of(&roles, role);
        Group { present, late, total }
    };
    Ok(Part::Principal {
        user_statistics: Users {
            total_students: of(&roles, Role::Siswa).total,
            total_teachers: of(&roles, Role::Guru).total,
            total_staff: of(&roles, Role::Pegawai).total,
        },
        attendance_statistics: Attendance { students: group(Role::Siswa), teachers: group(Role::Guru) },
        pending_leaves: leaves::newest_waiting(tx, institution, PENDING_LEAVES).await?,
    })
}

async fn admin(tx: &mut Tx, institution: InstitutionId, today: SchoolDay) -> Result<Part, Fail> {
    let roles = store::by_role(tx, institution, today).await?;
    let (students, teachers) = (of(&roles, Role::Siswa), of(&roles, Role::Guru));
    Ok(Part::Admin {
        system_statistics: System {
            total_users: roles.iter().map(|(_, count)| count.total).sum(),
            total_students: students.total,
            total_teachers: teachers.total,
            total_staff: of(&roles, Role::Pegawai).total,
            total_classes: store::classes(tx, institution).await?,
        },
        attendance_statistics: Came {
            present_students: students.present,
            present_teachers: teachers.present,
            late_students: students.late,
            late_teachers: teachers.late,
        },
        pending_leaves: leaves::newest_waiting(tx, institution, PENDING_LEAVES).await?,
    })
}

fn of(roles: &[(i64, Count)], role: Role) -> Count {
    roles.iter().find(|(id, _)| *id == i64::from(role)).map(|(_, count)| *count).unwrap_or_default()
}

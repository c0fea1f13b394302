//! The services, roles and permissions every cloud has. Written at each `migrate`; adds what is missing, takes nothing away.

use hadir_shared::time::Millis;

use super::store;
use crate::{
    db::Cloud,
    {clock::Ids, db::Db},
};

/// Code and name.
pub const SERVICES: &[(&str, &str)] = &[
    ("SSO", "Single Sign-On"),
    ("ATTENDANCE", "Absensi"),
    ("QMS", "Manajemen Sekolah"),
    ("ACADEMY", "Academy"),
    ("SCHEMES", "LMS"),
    ("SCHOLARSHIP", "Beasiswa"),
];

/// The attendance contract fixes the ids 1 to 5; other services count from a hundred of their own.
pub const STUDENT: i64 = 1;
pub const TEACHER: i64 = 2;
pub const STAFF: i64 = 3;
pub const PRINCIPAL: i64 = 4;
pub const ADMIN: i64 = 5;
pub const SUPER_ADMIN: i64 = 101;

/// Id, service, code, name.
pub const ROLES: &[(i64, &str, &str, &str)] = &[
    (STUDENT, "ATTENDANCE", "siswa", "Siswa"),
    (TEACHER, "ATTENDANCE", "guru", "Guru"),
    (STAFF, "ATTENDANCE", "pegawai", "Pegawai"),
    (PRINCIPAL, "ATTENDANCE", "kepala_sekolah", "Kepala Sekolah"),
    (ADMIN, "ATTENDANCE", "admin", "Admin"),
    (SUPER_ADMIN, "SSO", "SUPER-ADMIN", "Super Admin"),
    (102, "SSO", "HOST", "Host"),
    (103, "SSO", "COMPANY_ADMIN", "Company Admin"),
    (104, "SSO", "USER", "User"),
];

const EVERYBODY: &[i64] = &[STUDENT, TEACHER, STAFF, PRINCIPAL, ADMIN];

/// Service, permission, roles that have it: the table of `contracts/attendance.md`.
pub const PERMISSIONS: &[(&str, &str, &[i64])] = &[
    ("ATTENDANCE", "attendance.use", EVERYBODY),
    ("ATTENDANCE", "attendance.own.check", &[TEACHER, STAFF, PRINCIPAL]),
    ("ATTENDANCE", "attendance.qr.show", &[TEACHER, STAFF, PRINCIPAL, ADMIN]),
    ("ATTENDANCE", "attendance.students.scan", &[TEACHER, STAFF, ADMIN]),
    ("ATTENDANCE", "attendance.records.correct", &[TEACHER, ADMIN]),
    ("ATTENDANCE", "attendance.records.correct_all", &[ADMIN]),
    ("ATTENDANCE", "attendance.holidays.write", &[ADMIN]),
    ("ATTENDANCE", "attendance.leaves.decide", &[PRINCIPAL, ADMIN]),
    ("ATTENDANCE", "attendance.announcements.write", &[PRINCIPAL, ADMIN]),
    ("ATTENDANCE", "attendance.classes.read", &[TEACHER, PRINCIPAL, ADMIN]),
    ("ATTENDANCE", "attendance.classes.write", &[ADMIN]),
    ("ATTENDANCE", "attendance.cards.read", &[PRINCIPAL, ADMIN]),
    ("ATTENDANCE", "attendance.cards.write", &[ADMIN]),
    ("ATTENDANCE", "attendance.sync.read", &[PRINCIPAL, ADMIN]),
    ("ATTENDANCE", "attendance.sync.retry", &[ADMIN]),
    ("ATTENDANCE", "attendance.sync.process", &[TEACHER, STAFF, PRINCIPAL, ADMIN]),
    ("ATTENDANCE", "attendance.others.record", &[ADMIN]),
    ("ATTENDANCE", "attendance.devices.read", &[PRINCIPAL, ADMIN]),
    ("ATTENDANCE", "attendance.devices.write", &[ADMIN]),
    ("ATTENDANCE", "attendance.recap.read", &[TEACHER, PRINCIPAL, ADMIN]),
    ("ATTENDANCE", "attendance.recap.school", &[PRINCIPAL, ADMIN]),
    ("ATTENDANCE", "attendance.settings.write", &[ADMIN]),
    ("ATTENDANCE", "attendance.users.write", &[ADMIN]),
    ("ATTENDANCE", "attendance.console.use", &[TEACHER, PRINCIPAL, ADMIN]),
    ("ATTENDANCE", "attendance.audit.read", &[PRINCIPAL, ADMIN]),
    ("ATTENDANCE", "attendance.jobs.read", &[ADMIN]),
    ("SSO", "sso.institutions.write", &[SUPER_ADMIN]),
    ("SSO", "sso.clients.write", &[SUPER_ADMIN]),
];

/// Idempotent, and safe when several nodes do it at once.
pub async fn seed(db: &Db, now: Millis, ids: &Ids) -> anyhow::Result<()> {
    let mut tx = db.write(Cloud).await?;
    for (code, name) in SERVICES {
        store::insert_service(&mut tx, ids.uuid(now), code, name, now).await?;
    }
    for (id, service, code, name) in ROLES {
        store::insert_role(&mut tx, *id, service, code, name).await?;
    }
    for (service, permission, roles) in PERMISSIONS {
        store::insert_permission(&mut tx, service, permission).await?;
        for role in *roles {
            store::grant(&mut tx, *role, permission).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

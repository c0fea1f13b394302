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
/// Operates the cloud: sees every institution, registers services.
pub const HOST: i64 = 102;
pub const COMPANY_ADMIN: i64 = 103;
pub const USER: i64 = 104;
/// Roles from here on were made by people; those below cannot be changed or deleted.
pub const FIRST_MADE_ROLE: i64 = 1001;

/// Id, service, code, name, description.
pub const ROLES: &[(i64, &str, &str, &str, &str)] = &[
    (STUDENT, "ATTENDANCE", "siswa", "Siswa", "Siswa sekolah"),
    (TEACHER, "ATTENDANCE", "guru", "Guru", "Guru dan wali kelas"),
    (STAFF, "ATTENDANCE", "pegawai", "Pegawai", "Pegawai sekolah"),
    (PRINCIPAL, "ATTENDANCE", "kepala_sekolah", "Kepala Sekolah", "Kepala sekolah"),
    (ADMIN, "ATTENDANCE", "admin", "Admin", "Administrator sekolah"),
    (SUPER_ADMIN, "SSO", "SUPER-ADMIN", "SUPER-ADMIN", "Administrator"),
    (HOST, "SSO", "HOST", "HOST", "Developers"),
    (COMPANY_ADMIN, "SSO", "COMPANY_ADMIN", "COMPANY_ADMIN", "Administrator institusi"),
    (USER, "SSO", "USER", "USER", "Pengguna"),
];

const EVERYBODY: &[i64] = &[STUDENT, TEACHER, STAFF, PRINCIPAL, ADMIN];
/// Who operates the cloud, of no institution.
const OPERATORS: &[i64] = &[SUPER_ADMIN, HOST];
const OPERATORS_AND_COMPANY: &[i64] = &[SUPER_ADMIN, HOST, COMPANY_ADMIN];

/// Service, permission, roles that have it: the tables of `contracts/attendance.md` and `contracts/sso.md`.
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
    ("ATTENDANCE", "attendance.jobs.retry", &[ADMIN]),
    ("SSO", "sso.institutions.all", OPERATORS),
    ("SSO", "sso.institutions.read", OPERATORS_AND_COMPANY),
    ("SSO", "sso.institutions.write", &[SUPER_ADMIN]),
    ("SSO", "sso.clients.write", &[SUPER_ADMIN]),
    ("SSO", "sso.institutions.update", &[SUPER_ADMIN, COMPANY_ADMIN]),
    ("SSO", "sso.services.read", OPERATORS_AND_COMPANY),
    ("SSO", "sso.services.write", OPERATORS),
    ("SSO", "sso.roles.read", OPERATORS_AND_COMPANY),
    ("SSO", "sso.roles.write", &[SUPER_ADMIN]),
    ("SSO", "sso.roles.grant", &[SUPER_ADMIN, COMPANY_ADMIN]),
    ("SSO", "sso.roles.grant_any", &[SUPER_ADMIN]),
    ("SSO", "sso.permissions.read", OPERATORS_AND_COMPANY),
    ("SSO", "sso.permissions.write", OPERATORS),
    ("SSO", "sso.role_permissions.write", &[SUPER_ADMIN]),
    ("SSO", "sso.users.read", OPERATORS_AND_COMPANY),
    ("SSO", "sso.users.write", &[SUPER_ADMIN, COMPANY_ADMIN]),
];

/// Idempotent, and safe when several nodes do it at once.
pub async fn seed(db: &Db, now: Millis, ids: &Ids) -> anyhow::Result<()> {
    let mut tx = db.write(Cloud).await?;
    for (code, name) in SERVICES {
        store::insert_service(&mut tx, ids.uuid(now), code, name, now).await?;
    }
    for (id, service, code, name, description) in ROLES {
        store::insert_role(&mut tx, *id, service, code, name, description).await?;
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

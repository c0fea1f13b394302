//! What a route may ask for. The codes are those of `identity::seed`; the texts are part of the contract.

use crate::http::Permission;

/// Reaches every institution. Asked for by [`super::Reach`], not by a route.
pub const EVERYWHERE: &str = "sso.institutions.all";
/// Gives roles that may do what the giver may not.
pub const GRANT_ANY: &str = "sso.roles.grant_any";

/// Reads institutions.
#[derive(Debug)]
pub struct ReadCompanies;

impl Permission for ReadCompanies {
    const CODE: &'static str = "sso.institutions.read";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk melihat data institusi";
}

/// Makes institutions, and says which services they have.
#[derive(Debug)]
pub struct WriteCompanies;

impl Permission for WriteCompanies {
    const CODE: &'static str = "sso.institutions.write";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk mengelola institusi";
}

/// Changes what an institution says of itself.
#[derive(Debug)]
pub struct UpdateCompany;

impl Permission for UpdateCompany {
    const CODE: &'static str = "sso.institutions.update";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk memperbarui institusi";
}

/// Reads the services there are.
#[derive(Debug)]
pub struct ReadServices;

impl Permission for ReadServices {
    const CODE: &'static str = "sso.services.read";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk melihat penyedia layanan";
}

/// Registers services.
#[derive(Debug)]
pub struct WriteServices;

impl Permission for WriteServices {
    const CODE: &'static str = "sso.services.write";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk mengelola penyedia layanan";
}

/// Reads the roles there are.
#[derive(Debug)]
pub struct ReadRoles;

impl Permission for ReadRoles {
    const CODE: &'static str = "sso.roles.read";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk melihat peran";
}

/// Makes roles, of every institution.
#[derive(Debug)]
pub struct WriteRoles;

impl Permission for WriteRoles {
    const CODE: &'static str = "sso.roles.write";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk mengelola peran";
}

/// Gives people roles.
#[derive(Debug)]
pub struct GrantRoles;

impl Permission for GrantRoles {
    const CODE: &'static str = "sso.roles.grant";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk mengatur peran pengguna";
}

/// Reads permissions, and which roles have them.
#[derive(Debug)]
pub struct ReadPermissions;

impl Permission for ReadPermissions {
    const CODE: &'static str = "sso.permissions.read";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk melihat daftar izin";
}

/// Registers permissions of services.
#[derive(Debug)]
pub struct WritePermissions;

impl Permission for WritePermissions {
    const CODE: &'static str = "sso.permissions.write";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk mengelola daftar izin";
}

/// Says which roles have which permissions.
#[derive(Debug)]
pub struct WriteRolePermissions;

impl Permission for WriteRolePermissions {
    const CODE: &'static str = "sso.role_permissions.write";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk mengatur izin peran";
}

/// Reads accounts.
#[derive(Debug)]
pub struct ReadUsers;

impl Permission for ReadUsers {
    const CODE: &'static str = "sso.users.read";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk melihat pengguna";
}

/// Makes and changes accounts.
#[derive(Debug)]
pub struct WriteUsers;

impl Permission for WriteUsers {
    const CODE: &'static str = "sso.users.write";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk mengelola pengguna";
}

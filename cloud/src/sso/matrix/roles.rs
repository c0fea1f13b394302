//! Who may do what, written down from the table of `contracts/sso.md`: neither from the seed nor from the code.

use super::Operation;
use crate::http::describe::{PUBLIC, SESSION};

/// Every role of the module.
pub const ALL: &[&str] = &["super_admin", "host", "company_admin", "user"];

const NOT_ALLOWED: &str = "Anda tidak memiliki izin untuk ";

/// The roles that have a permission, and what the others read.
pub fn expected(permission: &str) -> (&'static [&'static str], &'static str) {
    let roles: &[&str] = match permission {
        "sso.institutions.read"
        | "sso.services.read"
        | "sso.roles.read"
        | "sso.permissions.read"
        | "sso.users.read" => &["super_admin", "host", "company_admin"],
        "sso.institutions.write" | "sso.roles.write" | "sso.role_permissions.write" => &["super_admin"],
        "sso.services.write" | "sso.permissions.write" => &["super_admin", "host"],
        "sso.institutions.update" | "sso.roles.grant" | "sso.users.write" => {
            &["super_admin", "company_admin"]
        }
        unknown => panic!("say in the matrix who has `{unknown}`"),
    };
    (roles, NOT_ALLOWED)
}

/// What a route has to ask for.
pub fn asks(operation: &Operation) -> &'static str {
    let path = operation.path.as_str();
    let starts = |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}/"));
    match (operation.method.as_str(), path) {
        (_, "/sso/auth" | "/sso/auth/register" | "/sso/auth/forgot-password" | "/sso/install") => PUBLIC,
        ("GET", "/sso/.well-known/jwks.json") => PUBLIC,
        (_, "/sso/auth/add-new-institution") => "sso.institutions.write",
        (_, "/sso/auth/set-user-role/{uuid}") => "sso.roles.grant",
        // What of somebody else's account is changed asks for more, inside.
        (_, _) if starts("/sso/auth") || starts("/sso/pictures") => SESSION,
        ("POST", "/sso/company") => "sso.institutions.update",
        ("GET", _) if starts("/sso/company") || starts("/sso/companies") => "sso.institutions.read",
        ("GET", _) if starts("/sso/company-service-providers") => "sso.institutions.read",
        (_, _) if starts("/sso/company-service-providers") => "sso.institutions.write",
        ("GET", _) if starts("/sso/service-providers") => "sso.services.read",
        (_, _) if starts("/sso/service-providers") => "sso.services.write",
        ("GET", _) if starts("/sso/roles") => "sso.roles.read",
        (_, _) if starts("/sso/roles") => "sso.roles.write",
        ("GET", _) if starts("/sso/permissions") || starts("/sso/role-permissions") => "sso.permissions.read",
        (_, _) if starts("/sso/permissions") => "sso.permissions.write",
        (_, _) if starts("/sso/role-permissions") => "sso.role_permissions.write",
        ("GET", _) if starts("/sso/users") => "sso.users.read",
        (_, _) if starts("/sso/users") => "sso.users.write",
        _ => panic!("{operation}: say in roles.rs who may call it"),
    }
}

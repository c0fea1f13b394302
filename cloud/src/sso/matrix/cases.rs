//! The smallest request of each route that means something, with the ids of one institution in it. What anybody may send is
//! something that is refused: it has to leave nothing behind.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{
    super::tests::{Part, form},
    Operation,
    world::School,
};
use crate::testing::matrix::{Case, Content};

/// What may be there once is new each time.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A route that is not in here fails the matrix.
pub fn case(operation: &Operation, s: &School) -> Case {
    let (ids, content) = parts(operation, s);
    Case::of(operation, &ids, content)
}

/// What stands in the path (several with a slash between), and the body.
fn parts(operation: &Operation, s: &School) -> (String, Content) {
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let nothing = || (String::new(), Content::None);
    let json = |body: Value| (String::new(), Content::Json(body));
    let of = |id: i64| (id.to_string(), Content::None);
    let texts = |id: String, texts: &[(&str, &str)]| {
        let parts: Vec<_> = texts.iter().map(|(name, text)| Part::Text(name, text)).collect();
        (id, Content::Form(form(&parts)))
    };
    let (username, email) = (format!("baru{n}"), format!("baru{n}@sekolah.sch.id"));
    let account = [
        ("username", username.as_str()),
        ("email", email.as_str()),
        ("password", "gajah di pagi buta"),
        ("name", "Orang Baru"),
    ];
    match (operation.method.as_str(), operation.path.as_str()) {
        ("POST", "/sso/auth") => json(json!({"username": "nobody", "password": "nothing at all"})),
        ("POST", "/sso/auth/register") => texts(String::new(), &[("username", "x")]),
        (_, "/sso/auth/forgot-password") => json(json!({"email": "nobody"})),
        ("GET", "/sso/install" | "/sso/.well-known/jwks.json") => nothing(),
        ("GET", "/sso/auth/me" | "/sso/auth/logout") | ("POST", "/sso/auth/verify-token") => nothing(),
        ("POST", "/sso/auth/verify-email") => json(json!({})),
        ("POST", "/sso/auth/verify-phone") => json(json!({"otp": "123456"})),
        ("POST", "/sso/auth/{uuid}") => texts(s.spare.to_string(), &[("first_name", "Nama Baru")]),
        ("POST", "/sso/auth/set-user-role/{uuid}") => {
            (s.spare.to_string(), Content::Json(json!({"role_id": 104})))
        }
        ("POST", "/sso/auth/add-new-institution") => {
            let code = format!("BARU{n}");
            let all = [
                account.as_slice(),
                &[("institution_name", "Pesantren"), ("institution_code", code.as_str())],
            ];
            texts(String::new(), &all.concat())
        }
        (
            "GET",
            "/sso/company"
            | "/sso/companies"
            | "/sso/service-providers"
            | "/sso/roles"
            | "/sso/permissions"
            | "/sso/users"
            | "/sso/users/",
        ) => nothing(),
        ("POST", "/sso/company") => json(json!({"institution_id": s.id, "address1": "Jl. Merdeka No. 1"})),
        ("GET", "/sso/companies/{id}" | "/sso/company-service-providers/{id}") => of(s.id.0),
        ("POST", "/sso/company-service-providers") => {
            json(json!({"company_id": s.id, "service_provider_id": s.free_service}))
        }
        ("DELETE", "/sso/company-service-providers/{id}") => of(s.link),
        ("POST", "/sso/service-providers") => json(json!({"name": format!("MATRIX-{n}")})),
        ("GET", "/sso/service-providers/{service}") => ("QMS".into(), Content::None),
        ("POST", "/sso/roles") => json(json!({
            "reference_code": format!("R{n}"), "name": "Peran", "service_provider_id": "SSO",
        })),
        ("GET", "/sso/roles/{id}") => of(s.role),
        ("PUT", "/sso/roles/{id}") => (s.role.to_string(), Content::Json(json!({"name": "Pemeriksa"}))),
        ("DELETE", "/sso/roles/{id}") => of(s.spare_role),
        ("GET", "/sso/permissions/{service}/service") => ("SSO".into(), Content::None),
        ("POST", "/sso/permissions/{service}/service") => {
            ("QMS".into(), Content::Json(json!({"permission_name": format!("matrix.{n}")})))
        }
        ("POST", "/sso/role-permissions") => {
            json(json!({"role_id": s.role, "permission_id": s.free_permission}))
        }
        ("DELETE", "/sso/role-permissions/{permission}/role/{role}")
        | ("GET", "/sso/role-permissions/{permission}/role/{role}/user") => {
            (format!("{}/{}", s.permission, s.role), Content::None)
        }
        ("POST", "/sso/users" | "/sso/users/") => texts(String::new(), &account),
        ("GET", "/sso/users/{uuid}") => (s.spare.to_string(), Content::None),
        ("GET", "/sso/pictures/{key}") => (s.picture.clone(), Content::None),
        _ => panic!("{operation}: say in cases.rs what is sent to it"),
    }
}

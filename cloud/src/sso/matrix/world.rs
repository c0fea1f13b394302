//! Two institutions with one of everything, and who operates the cloud.

use hadir_shared::ids::InstitutionId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::tests::{Operators, Part, company, operators, person, png, send};
use crate::{identity::seed, testing::TestApp};

pub struct World {
    pub a: School,
    pub b: School,
    /// Ids of the right shape that nothing has.
    pub unknown: School,
    pub operators: Operators,
    /// The token of a company's administrator who has no company.
    pub stray: String,
}

/// An institution, and the ids of what is in it.
pub struct School {
    pub id: InstitutionId,
    pub admin: String,
    pub user: String,
    /// Somebody of it whose token nobody needs.
    pub spare: Uuid,
    /// The user's.
    pub picture: String,
    /// The link of a service, to be taken away.
    pub link: i64,
    /// One it does not have.
    pub free_service: i64,
    /// Roles and a permission of the whole cloud: one to be deleted, one that has the permission.
    pub spare_role: i64,
    pub role: i64,
    pub permission: i64,
    /// One the role does not have yet.
    pub free_permission: i64,
}

impl World {
    pub async fn new(t: &TestApp) -> Self {
        let operators = operators(t).await;
        let a = School::new(t, &operators.admin.token, "SMAN1").await;
        let b = School::new(t, &operators.admin.token, "SMAN2").await;
        let stray = person(t, None, "stray", Some(seed::COMPANY_ADMIN)).await.token;
        Self { a, b, unknown: School::unknown(), operators, stray }
    }
}

impl School {
    async fn new(t: &TestApp, operator: &str, code: &str) -> Self {
        let company = company(t, code).await;
        let name = code.to_lowercase();
        let spare = person(t, Some(company.id), &format!("{name}.spare"), Some(seed::USER)).await;
        let path = format!("/sso/auth/{}", company.user.uuid);
        let hung = send(t, &path, Some(&company.user.token), &[Part::File("avatar", &png(16))]).await;
        let picture =
            hung.body["data"]["avatar"].as_str().unwrap_or_else(|| panic!("{}", hung.body)).to_owned();
        let links = t.get(&format!("/sso/company-service-providers/{}", company.id), Some(operator)).await;
        let link = links.body["data"].as_array().unwrap().last().unwrap()["id"].as_i64().unwrap();
        let made = async |path: &str, body: Value| {
            let answer = t.post(path, Some(operator), body).await;
            assert_eq!(answer.status, 201, "{path} {}", answer.body);
            answer.body["data"].clone()
        };
        let free = made("/sso/service-providers", json!({"name": format!("{code}-FREE")})).await;
        let role = async |code: String| {
            let made = made("/sso/roles", json!({"reference_code": code, "name": code})).await;
            made["id"].as_i64().unwrap()
        };
        let permission = async |code: String| {
            let made = made("/sso/permissions/SSO/service", json!({ "permission_name": code })).await;
            made["id"].as_i64().unwrap()
        };
        let (spare_role, kept) = (role(format!("{code}-SPARE")).await, role(format!("{code}-ROLE")).await);
        let given = permission(format!("extra.{name}.read")).await;
        let free_permission = permission(format!("extra.{name}.write")).await;
        made("/sso/role-permissions", json!({"role_id": kept, "permission_id": given})).await;
        Self {
            id: company.id,
            admin: company.admin.token,
            user: company.user.token,
            spare: spare.uuid,
            picture: picture.rsplit('/').next().unwrap().to_owned(),
            link,
            free_service: free["id"].as_i64().unwrap(),
            spare_role,
            role: kept,
            permission: given,
            free_permission,
        }
    }

    fn unknown() -> Self {
        let id = |n: i64| 8_000_000 + n;
        Self {
            id: InstitutionId(id(0)),
            admin: String::new(),
            user: String::new(),
            spare: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001),
            picture: "0123456789abcdef0123456789abcdef".into(),
            link: id(1),
            free_service: id(6),
            spare_role: id(2),
            role: id(3),
            permission: id(4),
            free_permission: id(5),
        }
    }
}

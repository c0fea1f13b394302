//! The matrix of `testing/matrix` over the routes of this module.

use hadir_shared::ids::InstitutionId;
use serde_json::Value;

use super::tests::{Operators, both};
use crate::testing::matrix::{
    Case, Operation, World as Subject, assert_refused, hostile, nobody_gets_what_is_not_his,
};

#[expect(clippy::match_same_arms, reason = "a table: an arm for each route")]
mod cases;
#[expect(clippy::match_same_arms, reason = "a table: an arm for each permission")]
mod roles;
mod world;

use world::{School, World};

impl Subject for World {
    const MODULE: &'static str = "sso";
    const ROLES: &'static [&'static str] = roles::ALL;
    const NOBODY: &'static str = "Token";
    type School = School;

    fn schools(&self) -> [&School; 3] {
        [&self.a, &self.b, &self.unknown]
    }

    fn id(school: &School) -> InstitutionId {
        school.id
    }

    fn token<'s>(&'s self, school: &'s School, role: &str) -> &'s str {
        let Operators { admin, host } = &self.operators;
        match role {
            "super_admin" => &admin.token,
            "host" => &host.token,
            "company_admin" => &school.admin,
            _ => &school.user,
        }
    }

    fn is_of_a_school(role: &str) -> bool {
        role.starts_with("company") || role == "user"
    }

    fn outsider(&self) -> Option<(&str, &'static str)> {
        None
    }

    fn case(operation: &Operation, school: &School) -> Case {
        cases::case(operation, school)
    }

    fn expected(permission: &str) -> (&'static [&'static str], &'static str) {
        roles::expected(permission)
    }

    fn asks(operation: &Operation) -> &'static str {
        roles::asks(operation)
    }

    fn is_refusal(body: &Value) -> bool {
        body["errorCode"].is_string() && body["statusCode"].as_u64().is_some_and(|status| status >= 400)
    }

    fn last(operation: &Operation) -> u8 {
        match (operation.method.as_str(), operation.path.as_str()) {
            (_, "/sso/auth/logout") => 3,
            ("DELETE", _) => 1,
            _ => 0,
        }
    }

    fn sender(operation: &Operation) -> &'static str {
        if operation.path.starts_with("/sso/auth/verify") { "user" } else { "super_admin" }
    }

    /// Roles, permissions and services are the whole cloud's.
    fn names_a_thing(operation: &Operation) -> bool {
        let path = operation.path.as_str();
        path.contains('{')
            && !["/sso/roles/", "/sso/permissions/", "/sso/role-permissions/", "/sso/service-providers/"]
                .iter()
                .any(|shared| path.starts_with(shared))
    }

    /// Nobody here has a telephone.
    fn refuses_everybody(operation: &Operation) -> Option<u16> {
        (operation.path == "/sso/auth/verify-phone").then_some(400)
    }

    fn only(operation: &Operation) -> Option<&'static str> {
        (operation.path == "/sso/auth/logout").then_some("user")
    }
}

#[tokio::test]
async fn t01_nobody_gets_what_is_not_his_here() {
    both(async |t| {
        let world = World::new(&t).await;
        nobody_gets_what_is_not_his(&t, &world, async |client, world| {
            // Who administers an institution that he does not have reaches nothing, not everything.
            for (method, path) in [
                ("GET", "/sso/companies"),
                ("GET", "/sso/users"),
                ("POST", "/sso/company"),
                ("GET", "/sso/company-service-providers/1"),
            ] {
                let case = Case { path: path.into(), content: crate::testing::matrix::Content::None };
                let answer = client.send(&case, method, Some(&world.stray)).await;
                assert_refused::<World>(&answer, 403, "Akun ini tidak terhubung", path);
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn t35_nothing_that_comes_in_is_our_fault() {
    both(async |t| {
        let world = World::new(&t).await;
        hostile::nothing_that_comes_in_is_our_fault(&t, &world).await;
    })
    .await;
}

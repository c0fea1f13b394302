//! The matrix of `testing/matrix` over the routes of this module.

use hadir_shared::ids::InstitutionId;
use serde_json::{Value, json};

use crate::testing::matrix::{
    Case, Client, Content, Operation, World as Subject, assert_refused, hostile, nobody_gets_what_is_not_his,
};

#[expect(clippy::match_same_arms, clippy::too_many_lines, reason = "a table: an arm for each route")]
mod cases;
#[expect(clippy::match_same_arms, reason = "a table: an arm for each permission")]
mod roles;
mod world;

use world::{School, World};

const NO_SCHOOL: &str = "Akun ini tidak terhubung dengan sekolah mana pun";

impl Subject for World {
    const MODULE: &'static str = "attendance";
    const ROLES: &'static [&'static str] = roles::ALL;
    const NOBODY: &'static str = "Token tidak valid";
    type School = School;

    fn schools(&self) -> [&School; 3] {
        [&self.a, &self.b, &self.unknown]
    }

    fn id(school: &School) -> InstitutionId {
        school.id
    }

    fn token<'s>(&'s self, school: &'s School, role: &str) -> &'s str {
        school.token(role)
    }

    fn is_of_a_school(_: &str) -> bool {
        true
    }

    fn outsider(&self) -> Option<(&str, &'static str)> {
        Some((&self.super_admin, NO_SCHOOL))
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
        body["success"] == json!(false)
    }

    fn last(operation: &Operation) -> u8 {
        match (operation.method.as_str(), operation.path.as_str()) {
            (_, "/api/auth/logout") => 3,
            (_, "/api/profile/password" | "/api/sessions/end-others") => 2,
            ("DELETE", _) | (_, "/api/edge-devices/{id}/revoke" | "/api/classes/{id}/remove-students") => 1,
            _ => 0,
        }
    }

    fn sender(operation: &Operation) -> &'static str {
        if operation.permission == "attendance.own.check" { "guru" } else { "admin" }
    }

    fn names_a_thing(operation: &Operation) -> bool {
        operation.path.contains('{') && !operation.path.ends_with("/settings/{key}")
    }

    /// Signing out and a new password end sessions: once is enough.
    fn only(operation: &Operation) -> Option<&'static str> {
        ["/api/auth/logout", "/api/profile/password"].contains(&operation.path.as_str()).then_some("siswa")
    }

    /// What was in the record's way still is; `offline_sync` tests what comes of one that is free.
    fn refuses_everybody(operation: &Operation) -> Option<u16> {
        (operation.path == "/api/offline-sync/{id}/retry").then_some(400)
    }
}

#[tokio::test]
async fn nobody_gets_what_is_not_his_here() {
    super::tests::both(async |t| {
        let world = World::new(&t).await;
        nobody_gets_what_is_not_his(&t, &world, keep_to_oneself).await;
    })
    .await;
}

#[tokio::test]
async fn nothing_that_comes_in_is_our_fault() {
    super::tests::both(async |t| {
        let world = World::new(&t).await;
        hostile::nothing_that_comes_in_is_our_fault(&t, &world).await;
    })
    .await;
}

/// What is another person's of the same school.
async fn keep_to_oneself(client: &Client, world: &World) {
    let (a, student) = (&world.a, Some(world.a.token("siswa")));
    for (method, path) in [
        ("GET", format!("/api/leaves/{}", a.sibling_leave)),
        ("PUT", format!("/api/leaves/{}", a.sibling_leave)),
        ("DELETE", format!("/api/leaves/{}", a.sibling_leave)),
        ("GET", format!("/files/{}", a.sibling_file)),
    ] {
        let answer = client.send(&Case { path, content: Content::None }, method, student).await;
        assert_refused::<World>(&answer, 404, "", &format!("{method} of a classmate's"));
    }
    let claim = |user: i64| json!({"user_id": user, "type": "checkin", "qr_token": "0", "latitude": -6.2, "longitude": 106.8});
    for role in ["guru", "pegawai", "kepala_sekolah"] {
        let case = Case { path: "/api/qrcode/verify".into(), content: Content::Json(claim(a.siswa)) };
        let answer = client.send(&case, "POST", Some(a.token(role))).await;
        assert_refused::<World>(
            &answer,
            403,
            "Anda tidak memiliki izin untuk",
            &format!("verify for a student by a {role}"),
        );
        let item = json!({"user_id": a.siswa, "type": "checkin", "timestamp": "2025-11-20 06:40:00"});
        let case = Case {
            path: "/api/offline-sync/process-attendance".into(),
            content: Content::Json(json!({"attendances": [item]})),
        };
        let answer = client.send(&case, "POST", Some(a.token(role))).await;
        let error = &answer.body["data"]["failed"][0]["error"];
        assert_eq!(
            error, "Anda tidak memiliki izin untuk mencatat absensi pengguna lain",
            "{role}: {}",
            answer.body
        );
    }
}

use serde_json::json;

use super::super::tests::{audited, both, company, operators, person, refusal};
use crate::identity::seed;

#[tokio::test]
async fn roles_are_made_changed_and_deleted_by_who_operates_the_cloud() {
    both(async |t| {
        let (op, a) = (operators(&t).await, company(&t, "SMAN1").await);
        let new = json!({"reference_code": "AUDITOR", "name": "Auditor", "description": "reads", "id": 1});
        for who in [&op.host.token, &a.admin.token, &a.user.token] {
            assert_eq!(t.post("/sso/roles", Some(who), new.clone()).await.status, 403);
        }
        let made = t.post("/sso/roles", Some(&op.admin.token), new.clone()).await;
        assert_eq!(
            (made.status.as_u16(), &made.body["data"]["id"]),
            (201, &json!(seed::FIRST_MADE_ROLE)),
            "{} {}",
            t.on,
            made.body
        );
        let again = t.post("/sso/roles", Some(&op.admin.token), new).await;
        assert_eq!((again.status.as_u16(), &again.body["data"][0]["field"]), (409, &json!("reference_code")));
        let other = json!({"reference_code": "AUDITOR", "name": "Auditor", "service_provider_id": "QMS"});
        let other = t.post("/sso/roles", Some(&op.admin.token), other).await;
        assert_eq!(
            (&other.body["data"]["service"], &other.body["data"]["id"]),
            (&json!("QMS"), &json!(seed::FIRST_MADE_ROLE + 1)),
            "{}",
            other.body
        );
        for bad in [
            json!({}),
            json!({"reference_code": "A B", "name": "x y"}),
            json!({"reference_code": "AB", "name": "a\nb"}),
        ] {
            assert_eq!(t.post("/sso/roles", Some(&op.admin.token), bad.clone()).await.status, 422, "{bad}");
        }
        let one = format!("/sso/roles/{}", seed::FIRST_MADE_ROLE);
        let changed =
            t.put(&one, Some(&op.admin.token), json!({"name": "Pemeriksa", "reference_code": "X"})).await;
        assert_eq!(
            (&changed.body["data"]["name"], &changed.body["data"]["reference_code"]),
            (&json!("Pemeriksa"), &json!("AUDITOR"))
        );
        assert_eq!(t.put(&one, Some(&a.admin.token), json!({"name": "Xx"})).await.status, 403);
        for seeded in [seed::USER, seed::SUPER_ADMIN, seed::ADMIN] {
            let path = format!("/sso/roles/{seeded}");
            assert_eq!(t.put(&path, Some(&op.admin.token), json!({"name": "Xx"})).await.status, 409);
            assert_eq!(t.delete(&path, Some(&op.admin.token)).await.status, 409);
        }
        let member = person(&t, Some(a.id), "auditor", Some(seed::FIRST_MADE_ROLE)).await;
        assert_eq!(t.delete(&one, Some(&op.admin.token)).await.status, 409, "somebody has it");
        let give = format!("/sso/auth/set-user-role/{}", member.uuid);
        t.post(&give, Some(&op.admin.token), json!({"role_id": seed::USER})).await;
        assert_eq!(t.delete(&one, Some(&a.admin.token)).await.status, 403);
        assert_eq!(t.delete(&one, Some(&op.admin.token)).await.status, 200);
        assert_eq!(t.delete(&one, Some(&op.admin.token)).await.status, 404);
        assert_eq!(
            t.get(&one, Some(&a.admin.token)).await.parts(),
            (404, &refusal(404, "NOT_FOUND", "Peran tidak ditemukan"))
        );
        assert_eq!(
            t.get("/sso/roles?search=super&limit=5", Some(&a.admin.token)).await.body["data"][0]["name"],
            "SUPER-ADMIN"
        );
        assert_eq!(t.get("/sso/roles", Some(&a.user.token)).await.status, 403);
        assert_eq!(
            (
                audited(&t, "role.create").await,
                audited(&t, "role.update").await,
                audited(&t, "role.delete").await
            ),
            (2, 1, 1)
        );
    })
    .await;
}

#[tokio::test]
async fn t13_nobody_gives_what_he_does_not_have() {
    both(async |t| {
        let (op, a, b) = (operators(&t).await, company(&t, "SMAN1").await, company(&t, "SMAN2").await);
        let give = async |by: &str, whom: uuid::Uuid, role: serde_json::Value| {
            t.post(&format!("/sso/auth/set-user-role/{whom}"), Some(by), json!({"role_id": role})).await
        };
        for role in [seed::SUPER_ADMIN, seed::HOST, seed::ADMIN, seed::TEACHER] {
            let refused = give(&a.admin.token, a.user.uuid, json!(role)).await;
            assert_eq!(
                (refused.status.as_u16(), &refused.body["errorCode"]),
                (403, &json!("FORBIDDEN")),
                "{role}"
            );
        }
        for who in [&a.user.token, &op.host.token] {
            assert_eq!(give(who, a.user.uuid, json!(seed::COMPANY_ADMIN)).await.status, 403);
        }
        let done = give(&a.admin.token, a.user.uuid, json!(seed::COMPANY_ADMIN)).await;
        assert_eq!(
            (done.status.as_u16(), &done.body["data"]["role"]["reference_code"]),
            (200, &json!("COMPANY_ADMIN")),
            "{}",
            done.body
        );
        assert_eq!(
            t.get("/sso/auth/me", Some(&a.user.token)).await.status,
            401,
            "T20: tokens of the old role have ended"
        );
        assert_eq!(give(&a.admin.token, a.user.uuid, json!("104")).await.status, 200, "an id may be a text");
        assert_eq!(give(&a.admin.token, a.admin.uuid, json!(seed::USER)).await.status, 400, "his own");
        assert_eq!(
            give(&op.admin.token, op.admin.uuid, json!(seed::USER)).await.status,
            400,
            "the last one stays"
        );
        let foreign = give(&a.admin.token, b.user.uuid, json!(seed::USER)).await;
        let unknown = give(&a.admin.token, uuid::Uuid::from_u128(7), json!(seed::USER)).await;
        assert_eq!((foreign.status.as_u16(), &foreign.body), (404, &unknown.body), "T01");
        let above = person(&t, Some(a.id), "above", Some(seed::SUPER_ADMIN)).await;
        assert_eq!(give(&a.admin.token, above.uuid, json!(seed::USER)).await.status, 403, "he may do more");
        assert_eq!(
            give(&op.admin.token, a.user.uuid, json!(seed::ADMIN)).await.status,
            200,
            "of another service"
        );
        for (bad, status) in [
            (json!(null), 422),
            (json!("x"), 422),
            (json!(999_999), 404),
            (json!([101]), 422),
            (json!({}), 422),
        ] {
            assert_eq!(give(&op.admin.token, a.user.uuid, bad.clone()).await.status, status, "{bad}");
        }
        // An administrator of attendance as well gives roles of attendance.
        let both = person(&t, Some(a.id), "both", Some(seed::ADMIN)).await;
        give(&op.admin.token, both.uuid, json!(seed::COMPANY_ADMIN)).await;
        let both = super::super::tests::sign_in(&t, "both", crate::testing::PASSWORD).await;
        assert_eq!(give(&both, a.user.uuid, json!(seed::TEACHER)).await.status, 200);
        assert_eq!(give(&both, a.user.uuid, json!(seed::SUPER_ADMIN)).await.status, 403);
    })
    .await;
}

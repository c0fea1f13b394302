use serde_json::{Value, json};

use super::super::tests::{audited, both, company, operators, person};
use crate::identity::seed;

#[tokio::test]
async fn permissions_are_registered_given_and_taken() {
    both(async |t| {
        let (op, a, b) = (operators(&t).await, company(&t, "SMAN1").await, company(&t, "SMAN2").await);
        let masters = "/sso/permissions/QMS/service";
        let new = json!({"permission_name": "create_service_resource", "description": "Izin", "resource_type": "service", "action": "create"});
        for who in [&a.admin.token, &a.user.token] {
            assert_eq!(t.post(masters, Some(who), new.clone()).await.status, 403);
        }
        let made = t.post(masters, Some(&op.host.token), new.clone()).await;
        assert_eq!((made.status.as_u16(), &made.body["data"]["service"]), (201, &json!("QMS")), "{} {}", t.on, made.body);
        let again = t.post(masters, Some(&op.admin.token), json!({"name": "create_service_resource"})).await;
        assert_eq!((again.status.as_u16(), &again.body["data"][0]["field"]), (409, &json!("permission_name")));
        let twin = t.post("/sso/permissions/QMS/service", Some(&op.host.token), json!({"name": "sso.institutions.write"})).await;
        assert_eq!(twin.status, 409, "a code of another service would be believed there: {}", twin.body);
        assert_eq!(t.post("/sso/permissions/nothing/service", Some(&op.host.token), new).await.status, 404);
        assert_eq!(t.post(masters, Some(&op.host.token), json!({})).await.status, 422);
        assert_eq!(t.get(masters, Some(&a.admin.token)).await.body["meta"]["totalItems"], 1);
        assert_eq!(t.get("/sso/permissions?search=institutions&sort=-name", Some(&a.admin.token)).await.body["data"][0]["permission_name"], "sso.institutions.write");

        let role = t.post("/sso/roles", Some(&op.admin.token), json!({"reference_code": "QC", "name": "QC", "service_provider_id": "QMS"})).await;
        let (role, permission) = (role.body["data"]["id"].clone(), made.body["data"]["id"].clone());
        let give = async |by: &str, role: Value, permission: Value| {
            t.post("/sso/role-permissions", Some(by), json!({"role_id": role, "permission_id": permission})).await
        };
        for who in [&op.host.token, &a.admin.token, &a.user.token] {
            assert_eq!(give(who, role.clone(), permission.clone()).await.status, 403, "T13");
        }
        let given = give(&op.admin.token, json!(role.to_string()), json!(permission.to_string())).await;
        assert_eq!(given.status, 201, "{}", given.body);
        assert_eq!(give(&op.admin.token, role.clone(), permission.clone()).await.status, 409);
        assert_eq!(give(&op.admin.token, json!(seed::USER), permission.clone()).await.status, 409, "of another service");
        for (bad_role, bad, status) in [(json!(999_999), permission.clone(), 404), (role.clone(), json!(999_999), 404), (json!("x"), permission.clone(), 422), (json!(null), json!(null), 422)] {
            assert_eq!(give(&op.admin.token, bad_role, bad.clone()).await.status, status, "{bad}");
        }

        let near = person(&t, Some(a.id), "near", None).await;
        let far = person(&t, Some(b.id), "far", None).await;
        for whom in [&near, &far] {
            let path = format!("/sso/auth/set-user-role/{}", whom.uuid);
            assert_eq!(t.post(&path, Some(&op.admin.token), json!({"role_id": role})).await.status, 200);
        }
        let one = format!("/sso/role-permissions/{permission}/role/{role}");
        let holders = async |by: &str| t.get(&format!("{one}/user"), Some(by)).await.body["data"]["users"].clone();
        assert_eq!(holders(&op.host.token).await.as_array().unwrap().len(), 2);
        let own = holders(&a.admin.token).await;
        assert_eq!((own.as_array().unwrap().len(), &own[0]["uuid"]), (1, &json!(near.uuid)), "T04");
        let mismatch = t.get(&format!("/sso/role-permissions/{permission}/role/{}/user", seed::USER), Some(&op.admin.token)).await;
        assert_eq!(mismatch.status, 404, "T02 {}", mismatch.body);
        assert_eq!(t.get(&format!("{one}/user"), Some(&a.user.token)).await.status, 403);

        assert_eq!(t.delete(&one, Some(&op.host.token)).await.status, 403);
        assert_eq!(t.delete(&one, Some(&op.admin.token)).await.status, 200);
        assert_eq!(t.delete(&one, Some(&op.admin.token)).await.status, 404);
        let all = t.get("/sso/permissions?search=sso.roles.write", Some(&op.admin.token)).await;
        let pillar = format!("/sso/role-permissions/{}/role/{}", all.body["data"][0]["id"], seed::SUPER_ADMIN);
        assert_eq!(t.delete(&pillar, Some(&op.admin.token)).await.status, 409, "nobody saws off his branch");
        assert_eq!((audited(&t, "role.permission_given").await, audited(&t, "role.permission_taken").await, audited(&t, "permission.create").await), (1, 1, 1));
    })
    .await;
}

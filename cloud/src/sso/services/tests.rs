use serde_json::json;

use super::super::tests::{audited, both, company, operators};

#[tokio::test]
async fn services_are_registered_once_listed_searched_and_sorted() {
    both(async |t| {
        let (op, a) = (operators(&t).await, company(&t, "SMAN1").await);
        let path = "/sso/service-providers";
        let new = json!({"name": "ORDERDOM-SERVICEX", "description": "SERVICE ORDERDOM APPS", "id": 1, "code": "SSO"});
        for (who, status) in [(&a.admin.token, 403), (&a.user.token, 403)] {
            assert_eq!(t.post(path, Some(who), new.clone()).await.status, status);
        }
        assert_eq!(t.post(path, None, new.clone()).await.status, 401);
        let made = t.post(path, Some(&op.host.token), new.clone()).await;
        assert_eq!(made.status, 201, "{} {}", t.on, made.body);
        assert_eq!(made.body["data"]["reference_code"], "ORDERDOM-SERVICEX");
        let again = t.post(path, Some(&op.admin.token), new).await;
        assert_eq!((again.status.as_u16(), &again.body["data"][0]["field"]), (409, &json!("name")));
        assert_eq!(audited(&t, "service.create").await, 1, "what was refused left nothing");
        for bad in [json!({}), json!({"name": "x"}), json!({"name": "a\nb"}), json!({"name": 7}), json!({"name": "x".repeat(65)})] {
            assert_eq!(t.post(path, Some(&op.admin.token), bad.clone()).await.status, 422, "{bad}");
        }

        let list = async |query: &str| t.get(&format!("{path}{query}"), Some(&a.admin.token)).await;
        let all = list("?limit=100").await;
        assert_eq!(all.body["meta"]["totalItems"], 7);
        let found = list("?search=orderdom&page=1&limit=10&sort=name").await;
        assert_eq!((&found.body["meta"]["itemCount"], &found.body["data"][0]["id"]), (&json!(1), &made.body["data"]["id"]));
        let names = |answer: &crate::testing::Answer| {
            answer.body["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_lowercase()).collect::<Vec<_>>()
        };
        let (up, down) = (names(&list("?sort=name:asc").await), names(&list("?sort=name:desc").await));
        assert!(up.is_sorted() && up.iter().rev().eq(down.iter()), "{up:?} {down:?}");
        assert_eq!(list("?sort=-id&limit=1").await.body["data"][0]["name"], "ORDERDOM-SERVICEX");
        let show = async |name: &str| t.get(&format!("{path}/{name}"), Some(&a.admin.token)).await.status.as_u16();
        let (id, uuid) = (made.body["data"]["id"].to_string(), made.body["data"]["uuid"].as_str().unwrap());
        assert_eq!((show(&id).await, show(uuid).await, show("orderdom-servicex").await, show("nothing").await), (200, 200, 200, 404));
        assert_eq!(t.get(path, Some(&a.user.token)).await.status, 403);
    })
    .await;
}

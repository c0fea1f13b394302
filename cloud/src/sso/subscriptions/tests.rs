use std::time::{Duration, Instant};

use serde_json::json;

use super::super::tests::{audited, both, company, operators, refusal};
use crate::identity::{CACHE_MS, seed};

#[tokio::test]
async fn services_are_given_and_taken() {
    both(async |t| {
        let (op, a, b) = (operators(&t).await, company(&t, "SMAN1").await, company(&t, "SMAN2").await);
        let path = "/sso/company-service-providers";
        let list = async |by: &str, id: &str| t.get(&format!("{path}/{id}"), Some(by)).await;
        let own = list(&a.admin.token, &a.id.to_string()).await;
        assert_eq!(own.body["data"].as_array().unwrap().len(), 6, "{} {}", t.on, own.body);
        let foreign = list(&a.admin.token, &b.id.to_string()).await;
        assert_eq!(
            (foreign.status.as_u16(), &foreign.body),
            (404, &list(&a.admin.token, "999999").await.body),
            "T02"
        );
        assert_eq!(list(&a.user.token, &a.id.to_string()).await.status, 403);
        assert_eq!(list(&op.host.token, &b.id.to_string()).await.status, 200);

        let link =
            own.body["data"].as_array().unwrap().iter().find(|link| link["service_code"] == "QMS").unwrap();
        let (one, service) = (format!("{path}/{}", link["id"]), link["service_provider_id"].clone());
        for who in [&a.admin.token, &b.admin.token, &op.host.token, &a.user.token] {
            assert_eq!(t.delete(&one, Some(who)).await.status, 403, "T02");
        }
        assert_eq!(t.delete(&one, Some(&op.admin.token)).await.status, 200);
        let gone = t.delete(&one, Some(&op.admin.token)).await;
        assert_eq!(gone.parts(), (404, &refusal(404, "NOT_FOUND", "Layanan institusi tidak ditemukan")));
        let new = json!({"company_id": a.id, "service_provider_id": service});
        assert_eq!(t.post(path, Some(&a.admin.token), new.clone()).await.status, 403);
        assert_eq!(t.post(path, Some(&op.host.token), new.clone()).await.status, 403);
        let made = t.post(path, Some(&op.admin.token), new.clone()).await;
        assert_eq!(
            (made.status.as_u16(), &made.body["data"]["service_code"]),
            (201, &json!("QMS")),
            "{}",
            made.body
        );
        assert_eq!(t.post(path, Some(&op.admin.token), new).await.status, 409);
        for (bad, status) in [
            (json!({}), 422),
            (json!({"company_id": a.id}), 422),
            (json!({"company_id": 999_999, "service_provider_id": service}), 404),
            (json!({"company_id": a.id, "service_provider_id": 999_999}), 404),
            (json!({"company_id": [1], "service_provider_id": 1}), 422),
        ] {
            assert_eq!(t.post(path, Some(&op.admin.token), bad.clone()).await.status, status, "{bad}");
        }
        assert_eq!(
            (audited(&t, "institution.service_off").await, audited(&t, "institution.service_on").await),
            (1, 1)
        );
    })
    .await;
}

#[tokio::test]
async fn t10_a_module_that_is_switched_off_is_off_on_every_node_within_a_second() {
    const { assert!(CACHE_MS < 1_000) };
    both(async |t| {
        operators(&t).await;
        let a = company(&t, "SMAN1").await;
        // Real time, because it is what is promised.
        let t = t.in_real_time();
        let (_, teacher) = t.signed_in(a.id, "2001", seed::TEACHER).await;
        let other = t.another_node().await;
        let path = format!("/sso/company-service-providers/{}", a.id);
        let links = t.get(&path, Some(&operator(&t).await)).await;
        let link = links.body["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|link| link["service_code"] == "ATTENDANCE")
            .unwrap();
        let one = format!("/sso/company-service-providers/{}", link["id"]);
        let ask =
            async |t: &crate::testing::TestApp| t.get("/api/user", Some(&teacher)).await.status.as_u16();
        assert_eq!((ask(&t).await, ask(&other).await), (200, 200), "both know him now");
        assert_eq!(t.delete(&one, Some(&operator(&t).await)).await.status, 200);
        let off = Instant::now();
        assert_eq!(ask(&t).await, 403, "here at once");
        while ask(&other).await != 403 {
            assert!(off.elapsed() < Duration::from_secs(1), "{}: still on after {:?}", t.on, off.elapsed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        println!("{}: off on the other node after {:?}", t.on, off.elapsed());
    })
    .await;
}

/// The operator signs in by the clock of the test.
async fn operator(t: &crate::testing::TestApp) -> String {
    super::super::tests::sign_in(t, "super_admin", crate::testing::PASSWORD).await
}

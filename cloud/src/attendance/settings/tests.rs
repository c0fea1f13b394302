use hadir_shared::{ids::InstitutionId, settings::ALL};
use serde_json::{Value, json};

use crate::{
    attendance::roster,
    db::Cloud,
    identity::seed,
    testing::{START, TestApp},
};

/// A school with its keys, and its administrator's token.
async fn school(t: &TestApp, code: &str, number: &str) -> (InstitutionId, String) {
    let school = t.institution(code).await;
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    roster::ensure_keys(&mut tx, &t.app, school).await.unwrap();
    tx.commit().await.unwrap();
    let (_, token) = t.signed_in(school, number, seed::ADMIN).await;
    (school, token)
}

async fn version(t: &TestApp, school: InstitutionId) -> i64 {
    super::load(&mut t.app.db.read(Cloud).await.unwrap(), school).await.unwrap().schedule.version
}

fn value_of(body: &Value, key: &str) -> String {
    let all = body["data"].as_array().unwrap();
    all.iter().find(|one| one["key_name"] == key).unwrap()["value"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_key_is_listed_and_one_is_changed_with_its_description() {
    TestApp::both(async |t| {
        let (school, admin) = school(&t, "A", "5001").await;
        let list = t.get("/api/settings", Some(&admin)).await;
        assert_eq!(list.status, 200);
        assert_eq!(list.body["data"].as_array().unwrap().len(), ALL.len());
        assert_eq!(value_of(&list.body, "checkin_end"), "07:30:00", "the default");
        assert_eq!(version(&t, school).await, 0);

        t.clock.advance_ms(60_000);
        let changed = t.put("/api/settings/attendance_radius", Some(&admin), json!({"value": "150"})).await;
        let shown = json!({
            "key_name": "attendance_radius", "value": "150", "description": "Radius absensi dalam meter",
            "updated_at": START.plus_seconds(60).to_rfc3339_micros(),
        });
        let body = json!({"success": true, "message": "Pengaturan berhasil diperbarui", "data": shown});
        assert_eq!(changed.parts(), (200, &body), "{}", t.on);
        assert_eq!(version(&t, school).await, 1);

        let described = json!({"value": "160", "description": "Jarak"});
        t.put("/api/settings/attendance_radius", Some(&admin), described).await;
        t.put("/api/settings/attendance_radius", Some(&admin), json!({"value": "170"})).await;
        let one = t.get("/api/settings/attendance_radius", Some(&admin)).await;
        assert_eq!(one.body["success"], true);
        assert_eq!(
            (&one.body["data"]["value"], &one.body["data"]["description"]),
            (&json!("170"), &json!("Jarak"))
        );
        assert_eq!(version(&t, school).await, 3);
    })
    .await;
}

#[tokio::test]
async fn a_bulk_update_is_all_or_nothing_and_is_not_taken_for_a_key() {
    TestApp::both(async |t| {
        let (school, admin) = school(&t, "A", "5001").await;
        let bulk = |settings: Value| t.put("/api/settings/bulk-update", Some(&admin), json!({"settings": settings}));
        let good = bulk(json!([{"key": "attendance_radius", "value": "150"}, {"key": "checkin_end", "value": "08:00:00"}])).await;
        assert_eq!(good.status, 200, "{}", good.body);
        assert_eq!(good.body["message"], "Pengaturan berhasil diperbarui");
        assert_eq!(good.body["data"].as_array().unwrap().len(), 2);
        assert_eq!(value_of(&good.body, "checkin_end"), "08:00:00");
        assert_eq!(version(&t, school).await, 1, "one change, one version");

        let half = bulk(json!([{"key": "attendance_radius", "value": "500"}, {"key": "checkin_end", "value": "noon"}])).await;
        assert_eq!(half.status, 422);
        assert_eq!(half.body["message"], "Validasi gagal");
        assert!(half.body["errors"]["settings.1.value"][0].as_str().unwrap().contains("checkin_end"), "{}", half.body);
        let unknown = bulk(json!([{"key": "attendance_radius", "value": "500"}, {"key": "colour", "value": "red"}])).await;
        let body = json!({"success": false, "message": "Pengaturan dengan key tersebut tidak ditemukan"});
        assert_eq!(unknown.parts(), (404, &body));
        for (wrong, field) in [
            (json!([]), "settings"),
            (json!([{"key": "app_name"}]), "settings.0.value"),
            (json!([{"value": "x"}]), "settings.0.key"),
            (json!([{"key": "app_name", "value": "a"}, {"key": "app_name", "value": "b"}]), "settings.1.key"),
            (json!("x"), "settings"),
            (json!([{"key": "app_name", "value": "x".repeat(5_000)}]), "settings.0.value"),
        ] {
            let refused = bulk(wrong.clone()).await;
            assert_eq!(refused.status, 422, "{wrong}");
            assert!(refused.body["errors"][field].is_array(), "{wrong}: {}", refused.body);
        }
        let now = t.get("/api/settings", Some(&admin)).await;
        assert_eq!(value_of(&now.body, "attendance_radius"), "150", "nothing of the refused ones");
        assert_eq!(version(&t, school).await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_refused() {
    TestApp::both(async |t| {
        let (school, admin) = school(&t, "A", "5001").await;
        for (key, body, status) in [
            ("colour", json!({"value": "red"}), 404),
            ("attendance_radius", json!({"value": "-1"}), 422),
            ("attendance_radius", json!({"value": 150}), 422),
            ("attendance_radius", json!({}), 422),
            ("timezone", json!({"value": "WIB"}), 422),
            ("school_name", json!({"value": "a\u{0}b"}), 422),
            ("school_name", json!({"value": "x".repeat(201)}), 422),
        ] {
            let refused = t.put(&format!("/api/settings/{key}"), Some(&admin), body.clone()).await;
            assert_eq!(refused.status, status, "{key} {body}: {}", refused.body);
        }
        for (number, role) in [
            ("1001", seed::STUDENT),
            ("2001", seed::TEACHER),
            ("3001", seed::STAFF),
            ("4001", seed::PRINCIPAL),
        ] {
            let (_, token) = t.signed_in(school, number, role).await;
            let body =
                json!({"success": false, "message": "Hanya admin yang dapat mengakses pengaturan sistem"});
            assert_eq!(t.get("/api/settings", Some(&token)).await.parts(), (403, &body));
            assert_eq!(
                t.put("/api/settings/app_name", Some(&token), json!({"value": "x"})).await.status,
                403
            );
            assert_eq!(
                t.put("/api/settings/bulk-update", Some(&token), json!({"settings": []})).await.status,
                403
            );
        }
        assert_eq!(t.get("/api/settings", None).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn a_school_changes_its_own_settings_only_and_leaves_a_trace() {
    TestApp::both(async |t| {
        let (own, admin) = school(&t, "A", "5001").await;
        let (other, other_admin) = school(&t, "B", "5101").await;
        t.put("/api/settings/app_name", Some(&admin), json!({"value": "Absen A"})).await;
        let theirs = t.get("/api/settings/app_name", Some(&other_admin)).await;
        assert_eq!(theirs.body["data"]["value"], "Hadir");
        assert_eq!((version(&t, own).await, version(&t, other).await), (1, 0));
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let (count,): (i64,) = tx
            .query("SELECT COUNT(*) FROM audit_log WHERE institution_id = $1 AND action = 'setting.update' AND subject = 'setting:app_name'")
            .bind(own.0)
            .one()
            .await
            .unwrap();
        assert_eq!(count, 1);
    })
    .await;
}

#[tokio::test]
async fn ten_changes_at_once_are_ten_versions() {
    TestApp::both(async |t| {
        let (school, admin) = school(&t, "A", "5001").await;
        let changes = (0..10).map(|i| {
            let (t, admin) = (t.clone(), admin.clone());
            tokio::spawn(async move {
                t.put(
                    "/api/settings/attendance_radius",
                    Some(&admin),
                    json!({"value": (100 + i).to_string()}),
                )
                .await
                .status
            })
        });
        for change in changes.collect::<Vec<_>>() {
            assert_eq!(change.await.unwrap(), 200, "{}", t.on);
        }
        assert_eq!(version(&t, school).await, 10, "{}", t.on);
    })
    .await;
}

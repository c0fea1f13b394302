//! Joining, the list, and being shut out, through the router, on both databases.

use hadir_shared::{ids::DeviceId, time::Millis, wire::enrolment::Enrolled};
use serde_json::{Value, json};

use super::hand::{HandBox, ask, code, new_key};
use crate::{
    db::Cloud,
    identity::{Actor, keys::turn, seed},
    testing::{Answer, START, TestApp},
};

const DAY_MS: i64 = 24 * 3600 * 1000;

fn said(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.body["message"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_code_lets_one_box_in_and_tells_it_again_what_it_told() {
    TestApp::both(async |t| {
        let school = t.institution("SMAN1").await;
        let (key, code) = (new_key(&t).public(), code(&t, school).await);
        let first = ask(&t, &code.to_lowercase().replace('-', " "), &key).await;
        assert_eq!(first.status, 200, "{} {}", t.on, first.body);
        let enrolled: Enrolled = serde_json::from_value(first.body.clone()).unwrap();
        assert_eq!((enrolled.institution, enrolled.institution_code.as_str()), (school, "SMAN1"));
        assert_eq!((enrolled.cloud_key, enrolled.time), (t.app.sync.key().public(), START));
        assert_eq!(ask(&t, &code, &key).await.body, first.body, "{} the answer was lost", t.on);

        let other = new_key(&t).public();
        let used = (410, "Kode pendaftaran sudah digunakan");
        assert_eq!(said(&ask(&t, &code, &other).await), used, "{}", t.on);
        let unknown = (404, "Kode pendaftaran tidak dikenal");
        assert_eq!(said(&ask(&t, "AAAAA-AAAAA", &other).await), unknown);
        t.clock.set(START.plus_millis(2 * DAY_MS));
        assert_eq!(ask(&t, &code, &key).await.status, 200, "{} even when it is late", t.on);
    })
    .await;
}

#[tokio::test]
async fn codes_expire_keys_belong_to_one_school_and_protocols_are_named() {
    TestApp::both(async |t| {
        let (school, other) = (t.institution("A").await, t.institution("B").await);
        let (first, late) = (code(&t, school).await, code(&t, school).await);
        let key = new_key(&t).public();
        assert_eq!(ask(&t, &first, &key).await.status, 200);
        t.clock.set(START.plus_millis(DAY_MS));
        let expired = (410, "Kode pendaftaran sudah kedaluwarsa");
        assert_eq!(said(&ask(&t, &late, &new_key(&t).public()).await), expired, "{}", t.on);

        let elsewhere = code(&t, other).await;
        let taken = (409, "Kunci perangkat ini sudah terdaftar");
        assert_eq!(said(&ask(&t, &elsewhere, &key).await), taken, "{}", t.on);
        let anew = code(&t, school).await;
        assert_eq!(ask(&t, &anew, &key).await.status, 200, "a box that lost all its answers");
        assert_eq!(said(&ask(&t, &anew, &new_key(&t).public()).await).0, 410, "and that code is used");

        let path = "/api/offline-sync/enrolments";
        let body = |proto: u16, name: &str| {
            json!({"proto": proto, "code": elsewhere, "public_key": new_key(&t).public(), "name": name, "version": "1"})
        };
        assert_eq!(t.post(path, None, body(9, "Gerbang")).await.body["refusal"]["error"], "upgrade");
        let unnamed = t.post(path, None, body(1, "  ")).await;
        assert_eq!((unnamed.status.as_u16(), &unnamed.body["errors"]["name"][0]), (422, &json!("name wajib diisi")));
    })
    .await;
}

#[tokio::test]
async fn of_two_boxes_with_one_code_one_gets_in() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        for _ in 0..8 {
            let code = code(&t, school).await;
            let (one, two) = (new_key(&t).public(), new_key(&t).public());
            let (one, two) = tokio::join!(ask(&t, &code, &one), ask(&t, &code, &two));
            let mut statuses = [one.status.as_u16(), two.status.as_u16()];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 410], "{}", t.on);
        }
    })
    .await;
}

#[tokio::test]
async fn who_tries_codes_is_slowed_down() {
    TestApp::both(async |t| {
        let key = new_key(&t).public();
        let mut refused = None;
        for _ in 0..30 {
            let answer = ask(&t, "BBBBB-BBBBB", &key).await;
            if answer.status == 429 {
                refused = Some(answer);
                break;
            }
        }
        let refused = refused.expect("thirty tries in one breath");
        assert!(refused.headers.contains_key("retry-after"), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn the_fleet_is_seen_by_those_who_lead_the_school_and_ruled_by_its_admin() {
    TestApp::both(async |t| {
        let (school, other) = (t.institution("A").await, t.institution("B").await);
        let (_, admin) = t.signed_in(school, "5001", seed::ADMIN).await;
        let (_, principal) = t.signed_in(school, "4001", seed::PRINCIPAL).await;
        let (_, teacher) = t.signed_in(school, "2001", seed::TEACHER).await;
        let (_, stranger) = t.signed_in(other, "5101", seed::ADMIN).await;
        let mut own = HandBox::enrol(&t, school).await;
        HandBox::enrol(&t, other).await;
        let beat = own.batch(&t, vec![]);
        own.deliver(&t, &beat).await;

        let list = t.get("/api/edge-devices", Some(&principal)).await;
        let rows = list.body["data"]["data"].as_array().unwrap();
        assert_eq!((rows.len(), &list.body["data"]["total"]), (1, &json!(1)), "{} only the own", t.on);
        assert_eq!(rows[0]["id"], json!(own.device));
        let shown =
            ["last_seen_at", "clock_offset_ms", "pending", "revoked_at"].map(|field| rows[0][field].clone());
        let at = json!(START.to_rfc3339_micros());
        assert_eq!(shown, [at.clone(), json!(1_500), json!(3), Value::Null], "{}", t.on);
        assert_eq!(t.get("/api/edge-devices", Some(&teacher)).await.status, 403);
        assert_eq!(t.get("/api/edge-devices", None).await.status, 401);

        let revoke = |device: DeviceId| format!("/api/edge-devices/{device}/revoke");
        assert_eq!(t.post(&revoke(own.device), Some(&principal), json!({})).await.status, 403);
        assert_eq!(t.post(&revoke(own.device), Some(&stranger), json!({})).await.status, 404, "{}", t.on);
        assert!(own.get(&t, "/api/offline-sync/roster/snapshot").await.status == 200, "nothing happened");
        let done = t.post(&revoke(own.device), Some(&admin), json!({})).await;
        assert_eq!(
            (said(&done), &done.body["data"]["revoked_at"]),
            ((200, "Perangkat berhasil dicabut"), &at)
        );
        t.clock.set(Millis(START.0 + 5));
        let again = t.post(&revoke(own.device), Some(&admin), json!({})).await;
        assert_eq!(again.body["data"]["revoked_at"], at, "{} once is enough", t.on);
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let audited = "SELECT COUNT(*) FROM audit_log WHERE action = 'device.revoke' AND institution_id = $1";
        let (rows,): (i64,) = tx.query(audited).bind(school.0).one().await.unwrap();
        assert_eq!(rows, 1, "{}", t.on);
        drop(tx);

        let made = t.post("/api/edge-devices/codes", Some(&admin), json!({})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let fresh = ask(&t, made.body["data"]["code"].as_str().unwrap(), &new_key(&t).public()).await;
        assert_eq!(fresh.body["institution"], json!(school), "{}", t.on);
        assert_eq!(t.post("/api/edge-devices/codes", Some(&teacher), json!({})).await.status, 403);
    })
    .await;
}

#[tokio::test]
async fn the_clouds_key_and_the_stores_name_outlive_a_restart_and_are_no_web_key() {
    TestApp::both(async |t| {
        let again = t.another_node().await;
        assert_eq!(again.app.sync.key().public(), t.app.sync.key().public(), "{}", t.on);
        assert_eq!(again.app.sync.store(), t.app.sync.store());
        let public = t.app.sync.key().public().to_string();
        assert!(!t.app.identity.keys().jwks().to_string().contains(&public), "{}", t.on);
        turn::rotate(&t.app, Actor::System, turn::Reason::Compromised).await.unwrap();
        let after = t.another_node().await;
        assert_eq!(
            after.app.sync.key().public(),
            t.app.sync.key().public(),
            "tokens' keys are changed alone"
        );
    })
    .await;
}

#[tokio::test]
async fn a_box_is_given_another_name_by_its_own_admin() {
    TestApp::both(async |t| {
        let (school, other) = (t.institution("A").await, t.institution("B").await);
        let (_, admin) = t.signed_in(school, "5001", seed::ADMIN).await;
        let (_, principal) = t.signed_in(school, "4001", seed::PRINCIPAL).await;
        let (_, stranger) = t.signed_in(other, "5101", seed::ADMIN).await;
        let own = HandBox::enrol(&t, school).await;
        let path = format!("/api/edge-devices/{}", own.device);
        let body = json!({"name": "  Gerbang Utara "});
        assert_eq!(t.put(&path, None, body.clone()).await.status, 401);
        assert_eq!(t.put(&path, Some(&principal), body.clone()).await.status, 403);
        assert_eq!(t.put(&path, Some(&stranger), body.clone()).await.status, 404, "{}", t.on);
        for name in [json!(null), json!(" "), json!("x".repeat(101)), json!("a\u{0}b")] {
            let refused = t.put(&path, Some(&admin), json!({ "name": name })).await;
            assert_eq!(refused.status, 422, "{name}");
        }
        for _ in 0..2 {
            let done = t.put(&path, Some(&admin), body.clone()).await;
            assert_eq!((done.status.as_u16(), &done.body["data"]["name"]), (200, &json!("Gerbang Utara")));
        }
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let audited = "SELECT COUNT(*) FROM audit_log WHERE action = 'device.rename' AND institution_id = $1";
        let (rows,): (i64,) = tx.query(audited).bind(school.0).one().await.unwrap();
        assert_eq!(rows, 1, "{} the second changed nothing", t.on);
    })
    .await;
}

#[tokio::test]
async fn recorded_equals_acknowledged_when_both_end_with_the_same_record() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let (_, admin) = t.signed_in(school, "5001", seed::ADMIN).await;
        let pupil = t.user(school, "1001", seed::STUDENT).await;
        let mut own = HandBox::enrol(&t, school).await;
        let heads = async || {
            let list = t.get("/api/edge-devices", Some(&admin)).await;
            let row = list.body["data"]["data"][0].clone();
            ["recorded", "acknowledged", "heads_equal", "logs"].map(|field| row[field].clone())
        };
        assert_eq!(heads().await, [Value::Null, Value::Null, Value::Null, json!(0)], "{}", t.on);
        // Three records are in its log, and one of them is on its way.
        let first = own.batch(&t, vec![HandBox::scan(&t, pupil, START)]);
        own.deliver(&t, &first).await;
        assert_eq!(heads().await, [json!(3), json!(1), Value::Null, json!(1)], "{}", t.on);
        let mut last = own.batch(&t, vec![HandBox::scan(&t, pupil, START), HandBox::scan(&t, pupil, START)]);
        (last.acked_view, last.health.pending) = (1, 2);
        own.deliver(&t, &last).await;
        assert_eq!(heads().await, [json!(3), json!(3), json!(true), json!(1)], "{}", t.on);
        // A box that was put back to an older state of itself: it knows of fewer, and of others.
        let mut older = own.clone();
        older.head = hadir_shared::chain::Head { seq: 1, hash: first.last_hash };
        let mut other = older.batch(&t, vec![HandBox::scan(&t, pupil, START.plus_seconds(1))]);
        (other.acked_view, other.health.pending) = (1, 1);
        assert_eq!(older.send(&t, &other).await.status, 409);
        assert_eq!(heads().await, [json!(2), json!(3), json!(false), json!(1)], "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn of_two_logs_the_one_that_is_chosen_counts_and_the_other_is_kept() {
    TestApp::both(async |t| {
        let (school, other) = (t.institution("A").await, t.institution("B").await);
        let (_, admin) = t.signed_in(school, "5001", seed::ADMIN).await;
        let (_, principal) = t.signed_in(school, "4001", seed::PRINCIPAL).await;
        let (_, stranger) = t.signed_in(other, "5101", seed::ADMIN).await;
        let pupil = t.user(school, "1001", seed::STUDENT).await;
        let mut own = HandBox::enrol(&t, school).await;
        let mut twin = own.clone();
        twin.log = hadir_shared::ids::LogId(t.app.ids.random_uuid());
        twin.head = hadir_shared::chain::Head::genesis(twin.log);
        for sender in [&mut own, &mut twin] {
            let beat = sender.batch(&t, vec![]);
            sender.deliver(&t, &beat).await;
        }
        let path =
            |log: hadir_shared::ids::LogId| format!("/api/edge-devices/{}/logs/{log}/choose", own.device);
        let (chosen, left, because) = (path(own.log), path(twin.log), json!({"reason": "kotak kembar"}));
        assert_eq!(t.post(&chosen, None, because.clone()).await.status, 401);
        assert_eq!(t.post(&chosen, Some(&principal), because.clone()).await.status, 403);
        assert_eq!(t.post(&chosen, Some(&stranger), because.clone()).await.status, 404, "{}", t.on);
        assert_eq!(t.post(&chosen, Some(&admin), json!({})).await.status, 422);
        let unknown = path(hadir_shared::ids::LogId(uuid::Uuid::nil()));
        assert_eq!(t.post(&unknown, Some(&admin), because.clone()).await.status, 404, "{}", t.on);
        for _ in 0..2 {
            assert_eq!(t.post(&chosen, Some(&admin), because.clone()).await.status, 200, "{}", t.on);
        }
        let verdicts = async |sender: &mut HandBox, at: Millis| {
            let batch = sender.batch(&t, vec![HandBox::scan(&t, pupil, at)]);
            sender.deliver(&t, &batch).await.verdicts.iter().map(|v| v.verdict.as_str()).collect::<Vec<_>>()
        };
        let day = |n: i64| START.plus_seconds(-n * 24 * 3600);
        assert_eq!(verdicts(&mut twin, day(1)).await, ["quarantined"], "{}", t.on);
        assert_eq!(verdicts(&mut own, day(1)).await, [""; 0], "{}", t.on);
        // Chosen the other way.
        assert_eq!(t.post(&left, Some(&admin), because).await.status, 200);
        assert_eq!(verdicts(&mut own, day(2)).await, ["quarantined"], "{}", t.on);
        assert_eq!(verdicts(&mut twin, day(3)).await, [""; 0], "{}", t.on);
    })
    .await;
}

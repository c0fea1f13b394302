use hadir_shared::{chain::Head, ids::LogId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    attendance::books::recompute,
    attendance::tests::{FAR, HERE, School, both, choose, class, count, school, student},
    db::Cloud,
    identity::seed,
    testing::{START, TestApp},
};

mod bulk;
mod page;
mod resolve;

const ROWS: &str = "SELECT COUNT(*) FROM attendance WHERE institution_id = $1";
const LOG: &str = "SELECT COUNT(*) FROM sync_records WHERE institution_id = $1";

fn item(user: impl serde::Serialize, kind: &str, timestamp: &str) -> Value {
    json!({"user_id": user, "type": kind, "timestamp": timestamp})
}

async fn send(t: &TestApp, token: &str, items: Value) -> Value {
    let sent =
        t.post("/api/offline-sync/process-attendance", Some(token), json!({"attendances": items})).await;
    assert_eq!(sent.status, 200, "{} {}", t.on, sent.body);
    assert_eq!(sent.body["message"], "Proses sinkronisasi data absensi selesai");
    sent.body["data"].clone()
}

async fn log(t: &TestApp, school: &School, query: &str) -> Value {
    let list = t.get(&format!("/api/offline-sync?{query}"), Some(&school.admin)).await;
    assert_eq!(list.status, 200, "{} {query}: {}", t.on, list.body);
    list.body["data"].clone()
}

fn refusal(message: &str) -> Value {
    json!({"success": false, "message": message})
}

#[tokio::test]
async fn every_item_gets_its_own_answer_and_its_own_line_in_the_log() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        let pupil = student(&t, &school, room, "1001").await;
        let (teacher, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let mut first = item(teacher, "checkin", "2025-11-20 07:25:30");
        first["latitude"] = HERE.0.into();
        first["longitude"] = HERE.1.into();
        first["accuracy"] = 5.5.into();
        first["photo_path"] = "../../etc/passwd".into();
        let others = item(pupil, "checkin", "2025-11-20 07:25:30");
        let bad = item(teacher, "masuk", "2025-11-20 07:25:30");
        let second = item(teacher, "checkin", "2025-11-20 07:26:00");
        let late = item(teacher, "checkin", "2025-11-20 08:00:00");
        let out = item(Value::Null, "checkout", "2025-11-20 14:05:00");
        let done = send(&t, &token, json!([first, others, bad, second, late, out])).await;
        let at = START.to_rfc3339_micros();
        let entered = |id: &Value, kind: &str, place: [Value; 3], fence: Value, timestamp: &str| {
            json!({
                "id": id, "user_id": teacher, "type": kind, "latitude": place[0], "longitude": place[1], "accuracy": place[2],
                "photo_path": null, "qr_token_used": "OFFLINE", "status": "hadir", "timestamp": timestamp,
                "date_only": "2025-11-20", "synced": true, "created_at": at, "late_minutes": 0, "early_minutes": 0, "fence": fence,
            })
        };
        let (one, two) = (&done["processed"][0]["id"], &done["processed"][1]["id"]);
        assert_eq!(
            done,
            json!({
                "processed": [
                    entered(one, "checkin", [json!(HERE.0), json!(HERE.1), json!(5.5)], json!("inside"), "2025-11-20 07:25:30"),
                    entered(two, "checkout", [Value::Null, Value::Null, Value::Null], Value::Null, "2025-11-20 14:05:00"),
                ],
                "failed": [
                    {"data": others, "error": "Anda tidak memiliki izin untuk mencatat absensi pengguna lain"},
                    {"data": bad, "error": "type harus salah satu dari: checkin, checkout"},
                    {"data": second, "error": "Absensi dengan timestamp yang sama sudah ada"},
                    {"data": late, "error": "Absensi lain dengan isi berbeda sudah tercatat untuk hari ini"},
                ],
                "processed_count": 2,
                "failed_count": 4,
            }),
            "{}",
            t.on
        );

        let all = log(&t, &school, "").await;
        assert_eq!(all["total"], 6);
        let line = &all["data"][5];
        let shown = json!({
            "id": line["id"], "user_id": teacher, "action_type": "attendance",
            "data": {
                "type": "checkin", "timestamp": "2025-11-20 07:25:30", "latitude": HERE.0, "longitude": HERE.1, "accuracy": 5.5,
                "method": "offline", "qr_token_used": "OFFLINE", "gate": "", "class_id": null, "operator_id": null,
            },
            "synced_at": "2025-11-21 06:45:00", "status": "success", "error_message": null, "user": line["user"],
            "event_id": line["event_id"], "device_id": line["device_id"], "log_id": line["device_id"], "seq": 1,
            "claimed_at": "2025-11-20T00:25:30.000000Z", "trusted_at": "2025-11-20T00:25:30.000000Z", "received_at": at,
            "verdict": "stored", "reason": null, "tries": 1,
        });
        assert_eq!(*line, shown);
        assert_eq!(line["user"]["name"], "Orang 2001");
        let one = t.get(&format!("/api/offline-sync/{}", line["id"]), Some(&school.admin)).await;
        let mut detail = shown.clone();
        detail["decisions"] = json!([]);
        assert_eq!(one.parts(), (200, &json!({"success": true, "data": detail})));
        let statuses: Vec<(&str, &str)> = all["data"].as_array().unwrap().iter().rev()
            .map(|line| (line["status"].as_str().unwrap(), line["verdict"].as_str().unwrap())).collect();
        let expected = [
            ("success", "stored"), ("failed", "refused"), ("failed", "quarantined"), ("success", "duplicate"),
            ("failed", "conflict"), ("success", "stored"),
        ];
        assert_eq!(statuses, expected);
        assert_eq!(all["data"][3]["data"], bad, "what could not be read is shown as it came");
    })
    .await;
}

#[tokio::test]
async fn the_senders_log_is_a_chain_without_gaps() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (user, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let tasks: Vec<_> = (10..16)
            .map(|day| {
                let (t, token) = (t.clone(), token.clone());
                let items = json!([
                    item(user, "checkin", &format!("2025-11-{day} 07:00:00")),
                    7,
                    item(user, "checkout", &format!("2025-11-{day} 14:30:00")),
                ]);
                tokio::spawn(async move { send(&t, &token, items).await["processed_count"].clone() })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 2, "{}", t.on);
        }
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let rows: Vec<(i64, Uuid, String, String)> = tx
            .query("SELECT seq, log_id, body, hash FROM sync_records WHERE institution_id = $1 ORDER BY seq")
            .bind(school.id.0)
            .all()
            .await
            .unwrap();
        assert_eq!(rows.len(), 18);
        let log = LogId(rows[0].1);
        let mut head = Head::genesis(log);
        for (seq, _, body, hash) in &rows {
            head = head.append(log, body.as_bytes());
            assert_eq!((head.seq, head.hash.to_string()), (seq.cast_unsigned(), hash.clone()), "{}", t.on);
        }
        let (high, hash): (i64, String) = tx
            .query("SELECT high_seq, high_hash FROM device_logs WHERE institution_id = $1")
            .bind(school.id.0)
            .one()
            .await
            .unwrap();
        assert_eq!((high, hash), (18, head.hash.to_string()));
        assert_eq!(recompute(&mut tx, school.id).await.unwrap(), [], "the books follow from the log");
    })
    .await;
}

#[tokio::test]
async fn an_admin_sends_for_others_and_the_same_checks_hold_as_online() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = crate::attendance::tests::school(&t, "B", "5101").await;
        let room = class(&t, &school, "X", None).await;
        let pupil = student(&t, &school, room, "1001").await;
        let stranger = t.user(other.id, "2101", seed::TEACHER).await;
        choose(&t, &school, "geofence_policy", "block").await;
        let mut far = item(pupil, "checkin", "2025-11-19 07:00:00");
        far["latitude"] = FAR.0.into();
        far["longitude"] = FAR.1.into();
        let done = send(
            &t,
            &school.admin,
            json!([
                item(pupil, "checkin", "2025-11-20 07:31:00"),
                item(Value::Null, "checkin", "2025-11-20 07:00:00"),
                item(stranger, "checkin", "2025-11-20 07:00:00"),
                item(999_999, "checkin", "2025-11-20 07:00:00"),
                far,
                item(pupil, "checkin", "2025-11-21 07:00:00"),
                item(pupil, "checkin", "1999-11-21 07:00:00"),
            ]),
        )
        .await;
        assert_eq!(done["processed_count"], 1, "{done}");
        assert_eq!(
            (&done["processed"][0]["status"], &done["processed"][0]["late_minutes"]),
            (&json!("terlambat"), &json!(1))
        );
        let errors: Vec<&str> =
            done["failed"].as_array().unwrap().iter().map(|f| f["error"].as_str().unwrap()).collect();
        assert_eq!(
            errors,
            [
                "User tidak memiliki peran yang valid untuk absensi",
                "User tidak ditemukan",
                "User tidak ditemukan",
                "Anda berada di luar area sekolah",
                "Waktu absensi tidak masuk akal",
                "Waktu absensi tidak masuk akal",
            ]
        );
        assert_eq!(
            (count(&t, ROWS, &school).await, count(&t, ROWS, &other).await, count(&t, LOG, &other).await),
            (1, 0, 0)
        );
    })
    .await;
}

#[tokio::test]
async fn a_failed_record_is_tried_again_until_it_holds_and_then_no_more() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let pupil = t.user(school.id, "1001", seed::STUDENT).await;
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        tx.query("UPDATE users SET is_active = FALSE WHERE id = $1").bind(pupil.0).run().await.unwrap();
        tx.commit().await.unwrap();
        send(&t, &school.admin, json!([item(pupil, "checkin", "2025-11-20 07:00:00"), "rubbish"])).await;
        let failed = log(&t, &school, "status=failed").await;
        let id = failed["data"][1]["id"].clone();
        assert_eq!(failed["data"][1]["error_message"], "User tidak aktif");
        let path = format!("/api/offline-sync/{id}/retry");
        let again = t.post(&path, Some(&school.admin), json!({})).await;
        assert_eq!(again.parts(), (400, &refusal("Sinkronisasi gagal saat diulang: User tidak aktif")), "{}", t.on);
        let still = t.get(&format!("/api/offline-sync/{id}"), Some(&school.admin)).await.body["data"].clone();
        assert_eq!((&still["status"], &still["tries"], &still["reason"]), (&json!("failed"), &json!(2), &json!("inactive_person")));

        let mut tx = t.app.db.write(Cloud).await.unwrap();
        tx.query("UPDATE users SET is_active = TRUE WHERE id = $1").bind(pupil.0).run().await.unwrap();
        tx.commit().await.unwrap();
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let (t, path, admin) = (t.clone(), path.clone(), school.admin.clone());
                tokio::spawn(async move {
                    let answer = t.post(&path, Some(&admin), json!({})).await;
                    (answer.status.as_u16(), answer.body)
                })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        answers.sort_by_key(|(status, _)| *status);
        let statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [200, 400, 400, 400], "{}", t.on);
        assert_eq!(answers[1].1, refusal("Hanya log dengan status failed yang dapat dicoba ulang"));
        let (_, body) = &answers[0];
        assert_eq!(body["message"], "Sinkronisasi berhasil diulang");
        assert_eq!(
            body["data"],
            json!({
                "id": body["data"]["id"], "user_id": pupil, "type": "checkin", "latitude": null, "longitude": null, "accuracy": null,
                "photo_path": null, "qr_token_used": "OFFLINE_RETRY", "status": "hadir", "timestamp": "2025-11-20 07:00:00",
                "date_only": "2025-11-20", "synced": true, "created_at": START.to_rfc3339_micros(), "late_minutes": 0,
                "early_minutes": 0, "fence": null,
            })
        );
        assert_eq!(count(&t, ROWS, &school).await, 1);
        let now = t.get(&format!("/api/offline-sync/{id}"), Some(&school.admin)).await.body["data"].clone();
        assert_eq!((&now["status"], &now["error_message"], &now["tries"]), (&json!("success"), &Value::Null, &json!(3)));

        let mut tx = t.app.db.read(Cloud).await.unwrap();
        assert_eq!(recompute(&mut tx, school.id).await.unwrap(), [], "the books follow from the log");
        drop(tx);
        let rubbish = &failed["data"][0]["id"];
        let again = t.post(&format!("/api/offline-sync/{rubbish}/retry"), Some(&school.admin), json!({})).await;
        assert_eq!(again.parts(), (400, &refusal("Sinkronisasi gagal saat diulang: Data tidak dapat dibaca")));
    })
    .await;
}

#[tokio::test]
async fn the_log_is_filtered_and_paged() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (teacher, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let (colleague, other) = t.signed_in(school.id, "2002", seed::TEACHER).await;
        send(
            &t,
            &token,
            json!([
                item(teacher, "checkin", "2025-11-19 07:00:00"),
                item(teacher, "checkin", "2025-11-20 07:00:00"),
                1
            ]),
        )
        .await;
        send(&t, &other, json!([item(colleague, "checkin", "2025-11-20 23:59:59")])).await;
        let device = log(&t, &school, "").await["data"][0]["device_id"].as_str().unwrap().to_owned();
        for (query, total) in [
            (String::new(), 4),
            (format!("user_id={teacher}"), 2),
            ("status=success".into(), 3),
            ("status=failed".into(), 1),
            ("status=pending".into(), 0),
            ("status=discarded".into(), 0),
            ("status=".into(), 4),
            ("verdict=stored".into(), 3),
            ("verdict=quarantined".into(), 1),
            ("verdict=conflict".into(), 0),
            ("action_type=attendance".into(), 4),
            ("action_type=boot".into(), 0),
            (format!("device_id={device}"), 1),
            ("start_date=2025-11-20&end_date=2025-11-20".into(), 2),
            ("start_date=2025-11-20".into(), 3),
            ("end_date=2025-11-19".into(), 1),
            (format!("user_id={teacher}&status=success&start_date=2025-11-20&end_date=2025-11-20"), 1),
            ("q=2001".into(), 2),
            ("q=ORANG+200".into(), 3),
            ("q=orang+2_0".into(), 0),
            ("q=%25".into(), 0),
            ("q=tidak+dapat".into(), 1),
            ("q=orang&status=failed".into(), 0),
            (format!("q=orang&device_id={device}&status=success"), 1),
        ] {
            assert_eq!(log(&t, &school, &query).await["total"], total, "{} {query}", t.on);
        }
        let page = log(&t, &school, "per_page=3&page=2&status=").await;
        assert_eq!((&page["from"], &page["to"], &page["last_page"]), (&json!(4), &json!(4), &json!(2)));
        assert_eq!(page["prev_page_url"], "http://absensi.test/api/offline-sync?per_page=3&page=1");
        let ids: Vec<i64> = log(&t, &school, "").await["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|l| l["id"].as_i64().unwrap())
            .collect();
        assert!(ids.is_sorted_by(|a, b| a > b), "the newest first");
        let (mut seen, mut after) = (Vec::new(), json!(i64::MAX));
        while !after.is_null() {
            let stretch = log(&t, &school, &format!("after={after}&per_page=3")).await;
            assert_eq!(stretch["per_page"], 3);
            seen.extend(stretch["data"].as_array().unwrap().iter().map(|l| l["id"].as_i64().unwrap()));
            after = stretch["next_after"].clone();
        }
        assert_eq!(seen, ids, "{} without pages they are the same", t.on);
        for wrong in [
            "status=lost",
            "verdict=lost",
            "user_id=me",
            "device_id=7",
            "start_date=monday",
            "end_date=-5000-01-01",
            "after=x",
            "start_date=2025-11-02&end_date=2025-11-01",
            "action_type=a%00b",
            "q=a%00b",
        ] {
            assert_eq!(
                t.get(&format!("/api/offline-sync?{wrong}"), Some(&school.admin)).await.status,
                422,
                "{wrong}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn who_may_not_and_what_is_not_there() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = crate::attendance::tests::school(&t, "B", "5101").await;
        send(&t, &other.admin, json!([1])).await;
        let theirs = log(&t, &other, "").await["data"][0]["id"].clone();
        let unknown = refusal("Log sinkronisasi dengan ID tersebut tidak ditemukan");
        for id in [theirs, json!(999_999)] {
            assert_eq!(
                t.get(&format!("/api/offline-sync/{id}"), Some(&school.admin)).await.parts(),
                (404, &unknown)
            );
            let retry =
                t.post(&format!("/api/offline-sync/{id}/retry"), Some(&school.admin), json!({})).await;
            assert_eq!(retry.parts(), (404, &unknown));
        }
        let may_not_read = refusal("Hanya admin atau kepala sekolah yang dapat mengakses log sinkronisasi");
        let may_not_retry = refusal("Hanya admin yang dapat mencoba ulang sinkronisasi");
        for (number, role) in [
            ("1001", seed::STUDENT),
            ("2001", seed::TEACHER),
            ("3001", seed::STAFF),
            ("4001", seed::PRINCIPAL),
        ] {
            let (_, token) = t.signed_in(school.id, number, role).await;
            let reads = t.get("/api/offline-sync", Some(&token)).await;
            if role == seed::PRINCIPAL {
                assert_eq!(
                    (reads.status.as_u16(), &reads.body["data"]["total"]),
                    (200, &json!(0)),
                    "none of the other school's"
                );
            } else {
                assert_eq!(reads.parts(), (403, &may_not_read), "{number}");
                assert_eq!(t.get("/api/offline-sync/1", Some(&token)).await.parts(), (403, &may_not_read));
            }
            assert_eq!(
                t.post("/api/offline-sync/1/retry", Some(&token), json!({})).await.parts(),
                (403, &may_not_retry)
            );
        }
        let pupil = t.login("1001").await;
        let sent =
            t.post("/api/offline-sync/process-attendance", Some(&pupil), json!({"attendances": []})).await;
        assert_eq!(sent.parts(), (403, &refusal("Anda tidak memiliki izin untuk memproses absensi offline")));
        for (body, status) in [
            (json!({}), 422),
            (json!({"attendances": "x"}), 422),
            (json!({"attendances": vec![1; 501]}), 422),
            (json!({"attendances": ["x".repeat(2 << 20)]}), 413),
        ] {
            let refused = t.post("/api/offline-sync/process-attendance", Some(&school.admin), body).await;
            assert_eq!(refused.status, status, "{}", refused.body);
        }
        assert_eq!(count(&t, LOG, &school).await, 0);
        let none = send(&t, &school.admin, json!([])).await;
        assert_eq!(none, json!({"processed": [], "failed": [], "processed_count": 0, "failed_count": 0}));
        let full = send(&t, &school.admin, json!(vec![json!({"type": "a\u{0}b"}); 500])).await;
        assert_eq!(full["failed_count"], 500);
        assert_eq!(t.get("/api/offline-sync", None).await.status, 401);
    })
    .await;
}

/// Each statement of the list is put together from parts, so that no other check has seen it whole.
#[tokio::test]
async fn every_filter_and_pair_of_filters_is_a_statement_both_engines_take() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (teacher, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        send(&t, &token, json!([item(teacher, "checkin", "2025-11-20 07:00:00"), 1])).await;
        let user = format!("user_id={teacher}");
        let filters = [
            user.as_str(),
            "status=failed",
            "status=success",
            "verdict=refused",
            "action_type=boot",
            "action_type=attendance",
            "device_id=00000000-0000-0000-0000-000000000001",
            "start_date=2025-11-01",
            "end_date=2025-11-30",
            "start_date=2025-11-01&end_date=2025-11-30",
            "q=2001",
        ];
        for first in filters {
            for second in filters {
                let path = format!("/api/offline-sync?{first}&{second}");
                let answer = t.get(&path, Some(&school.admin)).await;
                // The same name twice is refused as such; nothing is a fault of ours.
                assert!(matches!(answer.status.as_u16(), 200 | 422), "{} {path}: {}", t.on, answer.body);
            }
            let alone = t.get(&format!("/api/offline-sync?{first}"), Some(&school.admin)).await;
            assert_eq!(alone.status, 200, "{} {first}: {}", t.on, alone.body);
        }
    })
    .await;
}

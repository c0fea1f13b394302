//! What an admin does with one record, on both databases.

use hadir_shared::{
    ids::UserId,
    rules::status::{Direction, Schedule},
    time::{Millis, Zone},
    wire::record::{Boot, UnknownCard, What},
};

use super::*;
use crate::attendance::fleet::hand::HandBox;

const BODIES: &str = "SELECT COUNT(DISTINCT body || hash) FROM sync_records WHERE institution_id = $1";
const CORRECTIONS: &str = "SELECT COUNT(*) FROM attendance_corrections WHERE institution_id = $1";
const DECISIONS: &str = "SELECT COUNT(*) FROM sync_decisions WHERE institution_id = $1";

async fn act(t: &TestApp, school: &School, id: &Value, verb: &str, body: Value) -> (u16, Value) {
    let answer = t.post(&format!("/api/offline-sync/{id}/{verb}"), Some(&school.admin), body).await;
    (answer.status.as_u16(), answer.body)
}

async fn detail(t: &TestApp, school: &School, id: &Value) -> Value {
    t.get(&format!("/api/offline-sync/{id}"), Some(&school.admin)).await.body["data"].clone()
}

/// The id of the newest record.
async fn newest(t: &TestApp, school: &School) -> Value {
    log(t, school, "per_page=1").await["data"][0]["id"].clone()
}

async fn same_as_recomputed(t: &TestApp, school: &School) {
    let mut tx = t.app.db.read(Cloud).await.unwrap();
    assert_eq!(recompute(&mut tx, school.id).await.unwrap(), [], "{} the books follow from the log", t.on);
}

async fn set_active(t: &TestApp, user: UserId, active: bool) {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    tx.query("UPDATE users SET is_active = $2 WHERE id = $1").bind(user.0).bind(active).run().await.unwrap();
    tx.commit().await.unwrap();
}

fn unknown_card(t: &TestApp, at: Millis) -> String {
    let card = UnknownCard {
        code: "KARTULAMA1".into(),
        direction: Direction::CheckIn,
        day: Zone::JAKARTA.day(at),
        gate: "Gerbang 1".into(),
        operator: None,
        schedule: Schedule {
            version: 1,
            zone: Zone::JAKARTA,
            checkin_end: "07:30:00".parse().unwrap(),
            late_grace_minutes: 0,
            checkout_start: "14:00:00".parse().unwrap(),
        },
    };
    HandBox::record(t, at, What::UnknownCard(card))
}

#[tokio::test]
async fn an_unknown_card_is_given_to_a_person_once_and_only_for_this_record() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = crate::attendance::tests::school(&t, "B", "5101").await;
        let room = class(&t, &school, "X", None).await;
        let pupil = student(&t, &school, room, "1001").await;
        let stranger = t.user(other.id, "1301", seed::STUDENT).await;
        let mut sender = HandBox::enrol(&t, school.id).await;
        let batch = sender.batch(&t, vec![unknown_card(&t, START), unknown_card(&t, START.plus_seconds(60))]);
        sender.deliver(&t, &batch).await;
        let lines = log(&t, &school, "status=failed").await["data"].clone();
        let (second, first) = (lines[0]["id"].clone(), lines[1]["id"].clone());
        let before = count(&t, BODIES, &school).await;

        for nobody in [stranger, UserId(999_999)] {
            let refused = act(&t, &school, &first, "map", json!({"user_id": nobody})).await;
            assert_eq!(refused, (404, refusal("User tidak ditemukan")), "{}", t.on);
        }
        assert_eq!(act(&t, &school, &first, "map", json!({})).await.0, 422);
        let accepted = act(&t, &school, &first, "accept", json!({"reason": "saya lihat"})).await;
        assert_eq!(accepted, (409, refusal("Petakan log ini ke seorang pengguna terlebih dahulu")));
        let untouched = detail(&t, &school, &first).await;
        assert_eq!((&untouched["tries"], &untouched["decisions"]), (&json!(1), &json!([])), "{}", t.on);

        let mapped = act(&t, &school, &first, "map", json!({"user_id": pupil, "reason": "kartu lama"})).await;
        assert_eq!((mapped.0, &mapped.1["message"]), (200, &json!("Log berhasil dipetakan")), "{mapped:?}");
        assert_eq!(mapped.1["data"]["user_id"], json!(pupil));
        assert_eq!(mapped.1["data"]["qr_token_used"], "OFFLINE_MAP");
        let line = detail(&t, &school, &first).await;
        let decision = json!({
            "at": START.to_rfc3339_micros(), "decided_by": line["decisions"][0]["decided_by"], "decided_by_name": "Orang 5001",
            "action": "map", "reason": "kartu lama", "user_id": pupil, "timestamp": null, "verdict_before": "refused",
            "verdict_after": "stored", "error_message": null,
        });
        assert_eq!((&line["status"], &line["decisions"]), (&json!("success"), &json!([decision])));
        assert_eq!((&line["user"]["name"], &line["data"]["qr_code"]), (&json!("Orang 1001"), &json!("KARTULAMA1")));

        let again = act(&t, &school, &first, "map", json!({"user_id": pupil})).await;
        assert_eq!(again, (400, refusal("Hanya log dengan status failed yang dapat dipetakan")));
        assert_eq!(detail(&t, &school, &second).await["status"], "failed", "one record only");
        let twin = act(&t, &school, &second, "map", json!({"user_id": pupil})).await;
        assert_eq!((twin.0, &twin.1["data"]["id"]), (200, &mapped.1["data"]["id"]), "the day has it already");
        assert_eq!(detail(&t, &school, &second).await["verdict"], "duplicate");

        assert_eq!((count(&t, ROWS, &school).await, count(&t, BODIES, &school).await), (1, before), "{}", t.on);
        same_as_recomputed(&t, &school).await;
    })
    .await;
}

#[tokio::test]
async fn a_mapping_stays_when_the_books_refuse_and_can_be_put_right() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let (wrong, right) =
            (t.user(school.id, "1001", seed::STUDENT).await, t.user(school.id, "1002", seed::STUDENT).await);
        set_active(&t, wrong, false).await;
        send(&t, &school.admin, json!([item(999_999, "checkin", "2025-11-20 07:45:00")])).await;
        let id = newest(&t, &school).await;
        let refused = act(&t, &school, &id, "map", json!({"user_id": wrong})).await;
        assert_eq!(
            refused,
            (400, refusal("Log dipetakan, tetapi belum diterima: User tidak aktif")),
            "{}",
            t.on
        );
        let line = detail(&t, &school, &id).await;
        assert_eq!((&line["user_id"], &line["reason"]), (&json!(wrong), &json!("inactive_person")));
        assert_eq!(line["decisions"][0]["error_message"], "User tidak aktif");
        let mapped = act(&t, &school, &id, "map", json!({"user_id": right})).await;
        assert_eq!((mapped.0, &mapped.1["data"]["status"]), (200, &json!("terlambat")), "{}", t.on);
        assert_eq!(detail(&t, &school, &id).await["user_id"], json!(right));
        assert_eq!(count(&t, DECISIONS, &school).await, 2);
        same_as_recomputed(&t, &school).await;

        send(&t, &school.admin, json!([item(right, "checkin", "2025-11-19 07:45:00")])).await;
        let fine = newest(&t, &school).await;
        assert_eq!(act(&t, &school, &fine, "map", json!({"user_id": wrong})).await.0, 400, "it did not fail");
    })
    .await;
}

#[tokio::test]
async fn what_a_rule_refused_is_accepted_where_somebody_may_answer_for_it() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        let pupil = student(&t, &school, room, "1001").await;
        let leaver = student(&t, &school, room, "1002").await;
        let (teacher, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        choose(&t, &school, "geofence_policy", "block").await;
        let because = json!({"reason": "Lomba di luar sekolah"});

        let mut far = item(teacher, "checkin", "2025-11-19 07:00:00");
        far["latitude"] = FAR.0.into();
        far["longitude"] = FAR.1.into();
        send(&t, &token, json!([far])).await;
        let outside = newest(&t, &school).await;
        assert_eq!(act(&t, &school, &outside, "accept", json!({})).await.0, 422, "a reason is wanted");
        let timed = json!({"reason": "Lomba", "timestamp": "2025-11-19 07:00:00"});
        assert_eq!(act(&t, &school, &outside, "accept", timed).await.0, 422, "its own time is good");
        let accepted = act(&t, &school, &outside, "accept", because.clone()).await;
        assert_eq!(
            (accepted.0, &accepted.1["message"]),
            (200, &json!("Log berhasil diterima")),
            "{accepted:?}"
        );
        assert_eq!(accepted.1["data"]["fence"], "outside", "what was judged there stays");
        let twice = act(&t, &school, &outside, "accept", because.clone()).await;
        assert_eq!(twice, (400, refusal("Hanya log dengan status failed yang dapat diterima")));

        // A teacher in somebody else's name: trying again lets nothing in, an admin's word does.
        send(&t, &token, json!([item(pupil, "checkin", "2025-11-19 07:00:00")])).await;
        let forbidden = newest(&t, &school).await;
        let retried = act(&t, &school, &forbidden, "retry", json!({})).await;
        let words =
            "Sinkronisasi gagal saat diulang: Anda tidak memiliki izin untuk mencatat absensi pengguna lain";
        assert_eq!(retried, (400, refusal(words)), "{}", t.on);
        assert_eq!(act(&t, &school, &forbidden, "accept", because.clone()).await.0, 200);

        set_active(&t, leaver, false).await;
        send(&t, &school.admin, json!([item(leaver, "checkin", "2025-11-18 07:00:00")])).await;
        let left = newest(&t, &school).await;
        assert_eq!(act(&t, &school, &left, "retry", json!({})).await.0, 400);
        assert_eq!(act(&t, &school, &left, "accept", because.clone()).await.0, 200, "he was active then");

        send(&t, &school.admin, json!([item(pupil, "checkin", "2031-01-01 07:45:00"), "rubbish"])).await;
        let lines = log(&t, &school, "status=failed").await["data"].clone();
        let (rubbish, future) = (&lines[0]["id"], &lines[1]["id"]);
        for (timestamp, status) in [
            (Value::Null, 422),
            (json!("kemarin"), 422),
            (json!("2025-11-22 07:00:00"), 422),
            (json!("1999-11-20 07:00:00"), 400),
            (json!("2025-11-20 07:45:00"), 200),
        ] {
            let body = json!({"reason": "Jam kotak salah", "timestamp": timestamp});
            let answer = act(&t, &school, future, "accept", body).await;
            assert_eq!(answer.0, status, "{} {timestamp} {answer:?}", t.on);
        }
        let line = detail(&t, &school, future).await;
        assert_eq!(line["decisions"][1]["timestamp"], "2025-11-20 07:45:00", "{line}");
        assert_eq!(line["data"]["timestamp"], "2031-01-01 07:45:00", "its bytes stay");
        assert_eq!(
            act(&t, &school, rubbish, "accept", because.clone()).await,
            (409, refusal("Data yang tidak dapat dibaca hanya dapat diabaikan"))
        );
        send(&t, &school.admin, json!([item(Value::Null, "checkin", "2025-11-20 07:00:00")])).await;
        let admins = newest(&t, &school).await;
        let refused = act(&t, &school, &admins, "accept", because.clone()).await;
        assert_eq!(refused, (409, refusal("Perbaiki peran pengguna ini, lalu coba ulang")));
        same_as_recomputed(&t, &school).await;
    })
    .await;
}

#[tokio::test]
async fn a_contradiction_that_is_accepted_becomes_a_correction() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        let pupil = student(&t, &school, room, "1001").await;
        send(
            &t,
            &school.admin,
            json!([
                item(pupil, "checkin", "2025-11-20 07:45:00"),
                item(pupil, "checkin", "2025-11-20 07:10:00"),
                item(pupil, "checkout", "2025-11-20 14:10:00"),
                item(pupil, "checkout", "2025-11-20 13:00:00"),
            ]),
        )
        .await;
        let lines = log(&t, &school, "verdict=conflict").await["data"].clone();
        let (out, first) = (&lines[0]["id"], &lines[1]["id"]);
        let because = json!({"reason": "Gerbang 1 salah jam"});
        let refused = act(&t, &school, out, "accept", because.clone()).await;
        assert_eq!(
            refused,
            (409, refusal("Absen pulang yang berbeda tidak dapat diterima, hanya diabaikan"))
        );
        let accepted = act(&t, &school, first, "accept", because.clone()).await;
        assert_eq!(accepted.0, 200, "{} {accepted:?}", t.on);
        assert_eq!(
            (&accepted.1["data"]["status"], &accepted.1["data"]["late_minutes"]),
            (&json!("hadir"), &json!(0))
        );
        let line = detail(&t, &school, first).await;
        assert_eq!((&line["status"], &line["verdict"]), (&json!("success"), &json!("corrected")));
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let row: (String, String, i64, i64, String) = tx
            .query(
                "SELECT status_before, status_after, late_minutes_before, late_minutes_after, reason
                 FROM attendance_corrections WHERE institution_id = $1",
            )
            .bind(school.id.0)
            .one()
            .await
            .unwrap();
        drop(tx);
        let expected = ("terlambat".into(), "hadir".into(), 15, 0, "Gerbang 1 salah jam".into());
        assert_eq!(row, expected, "{}", t.on);
        assert_eq!(act(&t, &school, first, "accept", because).await.0, 400);
        assert_eq!((count(&t, ROWS, &school).await, count(&t, CORRECTIONS, &school).await), (2, 1));
        same_as_recomputed(&t, &school).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_discarded_stays_and_is_tried_no_more_until_it_is_reopened() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let pupil = t.user(school.id, "1001", seed::STUDENT).await;
        set_active(&t, pupil, false).await;
        send(&t, &school.admin, json!([item(pupil, "checkin", "2025-11-20 07:00:00")])).await;
        let id = newest(&t, &school).await;
        let because = json!({"reason": "Uji coba"});
        assert_eq!(act(&t, &school, &id, "discard", json!({"reason": " "})).await.0, 422);
        assert_eq!(act(&t, &school, &id, "reopen", because.clone()).await.0, 400);
        let done = act(&t, &school, &id, "discard", because.clone()).await;
        assert_eq!(done, (200, json!({"success": true, "message": "Log berhasil diabaikan"})), "{}", t.on);
        let line = detail(&t, &school, &id).await;
        assert_eq!(
            (&line["status"], &line["error_message"], &line["decisions"][0]["reason"]),
            (&json!("discarded"), &json!("User tidak aktif"), &json!("Uji coba"))
        );
        for (verb, words) in [
            ("discard", "Hanya log dengan status failed yang dapat diabaikan"),
            ("retry", "Hanya log dengan status failed yang dapat dicoba ulang"),
            ("accept", "Hanya log dengan status failed yang dapat diterima"),
        ] {
            assert_eq!(act(&t, &school, &id, verb, because.clone()).await, (400, refusal(words)), "{verb}");
        }
        assert_eq!(log(&t, &school, "status=discarded").await["total"], 1);
        assert_eq!(log(&t, &school, "status=failed").await["total"], 0);
        set_active(&t, pupil, true).await;
        assert_eq!(act(&t, &school, &id, "reopen", because.clone()).await.0, 200);
        assert_eq!(detail(&t, &school, &id).await["verdict"], "refused", "as it was");
        assert_eq!(act(&t, &school, &id, "retry", json!({})).await.0, 200);
        let actions: Vec<Value> = detail(&t, &school, &id).await["decisions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|decision| decision["action"].clone())
            .collect();
        assert_eq!(actions, ["discard", "reopen", "retry"]);
        let audited = "SELECT COUNT(*) FROM audit_log WHERE institution_id = $1 AND before IS NOT NULL
            AND action IN ('sync.discard', 'sync.reopen', 'sync.retry')";
        assert_eq!(count(&t, audited, &school).await, 3, "{}", t.on);
        same_as_recomputed(&t, &school).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_admins_who_decide_one_record_at_once_one_does() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let pupil = t.user(school.id, "1001", seed::STUDENT).await;
        let mut sender = HandBox::enrol(&t, school.id).await;
        for round in 0..5 {
            let at = START.plus_seconds(-24 * 3600 * (round + 1));
            let batch = sender.batch(&t, vec![unknown_card(&t, at)]);
            sender.deliver(&t, &batch).await;
            let id = newest(&t, &school).await;
            let presses = (0..8).map(|n| {
                let (t, admin, id) = (t.clone(), school.admin.clone(), id.clone());
                let (verb, body) = match n % 2 {
                    0 => ("map", json!({"user_id": pupil})),
                    _ => ("discard", json!({"reason": "kartu hilang"})),
                };
                tokio::spawn(async move {
                    let path = format!("/api/offline-sync/{id}/{verb}");
                    t.post(&path, Some(&admin), body).await.status.as_u16()
                })
            });
            let presses: Vec<_> = presses.collect();
            let mut statuses = Vec::new();
            for press in presses {
                statuses.push(press.await.unwrap());
            }
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 400, 400, 400, 400, 400, 400, 400], "{}", t.on);
            assert_eq!(detail(&t, &school, &id).await["decisions"].as_array().unwrap().len(), 1, "{}", t.on);
        }
        same_as_recomputed(&t, &school).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_contradictions_of_one_day_are_accepted_one_after_the_other() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let pupil = t.user(school.id, "1001", seed::STUDENT).await;
        let times = ["07:45:00", "07:50:00", "07:10:00", "07:20:00"];
        let items: Vec<Value> =
            times.iter().map(|time| item(pupil, "checkin", &format!("2025-11-20 {time}"))).collect();
        send(&t, &school.admin, json!(items)).await;
        let lines = log(&t, &school, "verdict=conflict").await["data"].clone();
        let presses: Vec<_> = lines
            .as_array()
            .unwrap()
            .iter()
            .map(|line| {
                let (t, admin, id) = (t.clone(), school.admin.clone(), line["id"].clone());
                tokio::spawn(async move {
                    let path = format!("/api/offline-sync/{id}/accept");
                    t.post(&path, Some(&admin), json!({"reason": "jam salah"})).await.status.as_u16()
                })
            })
            .collect();
        assert_eq!(presses.len(), 2, "07:50 is late as well: a duplicate");
        for press in presses {
            assert_eq!(press.await.unwrap(), 200, "{}", t.on);
        }
        assert_eq!(count(&t, CORRECTIONS, &school).await, 1, "{} the second found it corrected", t.on);
        let of = |verdict| log(&t, &school, verdict);
        assert_eq!(
            (of("verdict=corrected").await["total"].clone(), of("verdict=conflict").await["total"].clone()),
            (json!(1), json!(0))
        );
    })
    .await;
}

#[tokio::test]
async fn a_revoked_boxs_records_come_in_only_when_somebody_answers_for_them() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let pupil = t.user(school.id, "1001", seed::STUDENT).await;
        let mut sender = HandBox::enrol(&t, school.id).await;
        let path = format!("/api/edge-devices/{}/revoke", sender.device);
        assert_eq!(t.post(&path, Some(&school.admin), json!({})).await.status, 200);
        let boot = Boot { version: "1".into(), previous_clean: true };
        let events = vec![HandBox::scan(&t, pupil, START), HandBox::record(&t, START, What::Boot(boot))];
        let batch = sender.batch(&t, events);
        sender.deliver(&t, &batch).await;
        let lines = log(&t, &school, "verdict=quarantined").await["data"].clone();
        let (boot, scan) = (&lines[0]["id"], &lines[1]["id"]);
        let retried = act(&t, &school, scan, "retry", json!({})).await;
        let words = "Sinkronisasi gagal saat diulang: Perangkat sudah dicabut";
        assert_eq!(retried, (400, refusal(words)), "{}", t.on);
        assert_eq!(detail(&t, &school, scan).await["verdict"], "quarantined");
        let unsupported = refusal("Tipe action tidak didukung untuk diulang");
        assert_eq!(act(&t, &school, boot, "retry", json!({})).await, (400, unsupported));
        assert_eq!(count(&t, ROWS, &school).await, 0);
        let accepted = act(&t, &school, scan, "accept", json!({"reason": "dicabut terlalu cepat"})).await;
        assert_eq!(accepted.0, 200, "{} {accepted:?}", t.on);
        same_as_recomputed(&t, &school).await;
    })
    .await;
}

#[tokio::test]
async fn whoever_may_not_decide_does_not_and_another_schools_records_are_not_there() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let other = crate::attendance::tests::school(&t, "B", "5101").await;
        send(&t, &other.admin, json!([1])).await;
        let theirs = newest(&t, &other).await;
        send(&t, &school.admin, json!([1])).await;
        let ours = newest(&t, &school).await;
        let (_, principal) = t.signed_in(school.id, "4001", seed::PRINCIPAL).await;
        let pupil = t.user(school.id, "1001", seed::STUDENT).await;
        let unknown = refusal("Log sinkronisasi dengan ID tersebut tidak ditemukan");
        let may_not = refusal("Hanya admin yang dapat mencoba ulang sinkronisasi");
        let body = json!({"reason": "karena", "user_id": pupil});
        for verb in ["retry", "map", "accept", "discard", "reopen"] {
            let path = format!("/api/offline-sync/{ours}/{verb}");
            assert_eq!(
                t.post(&path, Some(&principal), body.clone()).await.parts(),
                (403, &may_not),
                "{verb}"
            );
            assert_eq!(t.post(&path, None, body.clone()).await.status, 401, "{verb}");
            for id in [&theirs, &json!(999_999)] {
                let answer = act(&t, &school, id, verb, body.clone()).await;
                assert_eq!(answer, (404, unknown.clone()), "{} {verb}", t.on);
            }
        }
        assert_eq!((count(&t, DECISIONS, &school).await, count(&t, DECISIONS, &other).await), (0, 0));
        let line = detail(&t, &other, &theirs).await;
        assert_eq!((&line["tries"], &line["status"]), (&json!(1), &json!("failed")));
    })
    .await;
}

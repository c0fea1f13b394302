//! What a gate takes back, as everybody sees it, on both databases.

use hadir_shared::{
    chain::Head,
    ids::{ClassId, EventId, LogId, UserId},
    rules::{status::Direction, undo::WITHIN_MS},
    time::{Millis, Zone},
    wire::{
        batch::Verdict,
        record::{Method, Record, Void, What},
    },
};
use serde_json::{Value, json};

use crate::{
    attendance::{
        absences, books,
        fleet::hand::HandBox,
        tests::{School, both, class, count, school, student},
    },
    identity::seed,
    testing::{START, TestApp},
};

const ROWS: &str = "SELECT COUNT(*) FROM attendance WHERE institution_id = $1 AND status <> 'alpha'";
const UNDOS: &str = "SELECT COUNT(*) FROM attendance_voids WHERE institution_id = $1";
const HOUR_MS: i64 = 3_600_000;

/// The verdict on a record that was simply stored.
const STORED: (Verdict, &str) = (Verdict::Stored, "");
const CARRIED: (Verdict, &str) = (Verdict::Duplicate, "taken_back");
const AGAIN: (Verdict, &str) = (Verdict::Duplicate, "already_recorded");
const NOT_ALLOWED: (Verdict, &str) = (Verdict::Refused, "not_allowed");
const DECIDED_SINCE: (Verdict, &str) = (Verdict::Conflict, "decided_since");

fn event(scan: &str) -> EventId {
    serde_json::from_str::<Record>(scan).unwrap().event
}

/// The bytes of an undo of a check-in.
fn undo(t: &TestApp, user: UserId, scan: &str, at: Millis) -> String {
    let void = Void {
        scan: event(scan),
        user,
        day: Zone::JAKARTA.day(START),
        direction: Direction::CheckIn,
        reason: String::new(),
        gate: "Gerbang 1".into(),
        operator: None,
    };
    HandBox::record(t, at, What::Void(void))
}

/// The same passage, changed.
fn changed(scan: &str, change: impl FnOnce(&mut hadir_shared::wire::record::Scan)) -> String {
    let mut record: Record = serde_json::from_str(scan).unwrap();
    if let What::Scan(scan) = &mut record.what {
        change(scan);
    }
    serde_json::to_string(&record).unwrap()
}

/// Delivers, and answers the verdict on each record.
async fn deliver(t: &TestApp, sender: &mut HandBox, events: &[&String]) -> Vec<(Verdict, String)> {
    let first = sender.head.seq + 1;
    let batch = sender.batch(t, events.iter().map(|event| (*event).clone()).collect());
    let receipt = sender.deliver(t, &batch).await;
    let told = |seq| receipt.verdicts.iter().find(|told| told.seq == seq);
    (first..first + events.len() as u64)
        .map(|seq| {
            told(seq).map_or((Verdict::Stored, String::new()), |told| (told.verdict, told.reason.clone()))
        })
        .collect()
}

fn told(verdicts: &[(Verdict, String)]) -> Vec<(Verdict, &str)> {
    verdicts.iter().map(|(verdict, reason)| (*verdict, reason.as_str())).collect()
}

/// A log of the same box that starts at its beginning.
fn another_log(t: &TestApp, sender: &HandBox) -> HandBox {
    let log = LogId(t.app.ids.random_uuid());
    HandBox { log, head: Head::genesis(log), ..sender.clone() }
}

async fn same_as_recomputed(t: &TestApp, school: &School) {
    let mut tx = t.app.db.read(school.id).await.unwrap();
    assert_eq!(books::recompute(&mut tx, school.id).await.unwrap(), [], "{}", t.on);
}

/// A school with a class, its teacher, and a student of it who can sign in.
struct Stage {
    school: School,
    teacher: String,
    room: ClassId,
    siti: UserId,
    own: String,
}

impl Stage {
    async fn set(t: &TestApp) -> Self {
        let school = school(t, "A", "5001").await;
        let (teacher, token) = t.signed_in(school.id, "2001", seed::TEACHER).await;
        let room = class(t, &school, "X", Some(teacher)).await;
        let siti = student(t, &school, room, "1001").await;
        student(t, &school, room, "1002").await;
        Self { school, teacher: token, room, siti, own: t.login("1001").await }
    }

    /// Everything that says whether somebody came, as people see it.
    async fn seen(&self, t: &TestApp) -> [Value; 5] {
        let get = async |path: &str, who: &str| {
            let answer = t.get(path, Some(who)).await;
            assert_eq!(answer.status, 200, "{} {path} {}", t.on, answer.body);
            answer.body["data"].clone()
        };
        let mut history = get("/api/attendance/history", &self.own).await;
        let mut status =
            get(&format!("/api/student-attendance/class-status/{}", self.room), &self.teacher).await;
        // A row made anew has another id and moment; what it says is compared.
        for row in history["data"].as_array_mut().into_iter().flatten() {
            for name in ["id", "timestamp", "created_at"] {
                row.as_object_mut().unwrap().remove(name);
            }
        }
        for student in status.as_array_mut().unwrap() {
            *student = student["attended"].clone();
        }
        // The recap counts days that are over.
        let now = t.app.now();
        t.clock.set(START.plus_millis(18 * HOUR_MS));
        let recap = get(&format!("/api/recap/class/{}", self.room), &self.teacher).await["students"].take();
        t.clock.set(now);
        [
            status,
            get("/api/dashboard", &self.teacher).await["attendance_statistics"].take(),
            get("/api/dashboard", &self.school.admin).await["attendance_statistics"].take(),
            json!([
                get("/api/dashboard", &self.own).await["attendance_status"].take(),
                history["data"].take()
            ]),
            recap,
        ]
    }
}

#[tokio::test]
async fn what_was_taken_back_is_as_if_it_had_not_been_and_the_next_scan_counts() {
    both(async |t| {
        let stage = Stage::set(&t).await;
        let (school, siti) = (&stage.school, stage.siti);
        let mut gate = HandBox::enrol(&t, school.id).await;
        let [first, second] = [0, 60].map(|after| HandBox::scan(&t, siti, START.plus_seconds(after)));
        let taken = undo(&t, siti, &first, START.plus_seconds(20));
        t.clock.set(START.plus_seconds(120));

        let nobody = stage.seen(&t).await;
        assert_eq!(nobody[0], json!([false, false]), "{}", t.on);
        assert_eq!(told(&deliver(&t, &mut gate, &[&first]).await), [STORED], "{}", t.on);
        let came = stage.seen(&t).await;
        for (before, after) in nobody.iter().zip(&came) {
            assert_ne!(before, after, "{}: it is seen everywhere", t.on);
        }
        assert_eq!(told(&deliver(&t, &mut gate, &[&taken]).await), [STORED], "{}", t.on);
        assert_eq!(stage.seen(&t).await, nobody, "{}", t.on);
        assert_eq!(told(&deliver(&t, &mut gate, &[&second]).await), [STORED], "{}", t.on);
        assert_eq!(stage.seen(&t).await, came, "{}", t.on);
        let rows = [count(&t, ROWS, school).await, count(&t, UNDOS, school).await];
        assert_eq!(rows, [2, 1], "{}: nothing was deleted", t.on);

        // Once more, all at once, with an undo of the second as well.
        let third = HandBox::scan(&t, siti, START.plus_seconds(90));
        let again = undo(&t, siti, &second, START.plus_seconds(80));
        assert_eq!(told(&deliver(&t, &mut gate, &[&again, &third]).await), [STORED, STORED], "{}", t.on);
        assert_eq!(stage.seen(&t).await, came, "{}", t.on);

        // The log of a box that had to leave its own carries over what the cloud has: nothing changes by it.
        let mut other = another_log(&t, &gate);
        let everything = [&first, &taken, &second, &again, &third];
        let verdicts = deliver(&t, &mut other, &everything).await;
        assert_eq!(told(&verdicts), [CARRIED, AGAIN, CARRIED, AGAIN, AGAIN], "{}", t.on);
        assert_eq!(stage.seen(&t).await, came, "{}", t.on);
        let rows = [count(&t, ROWS, school).await, count(&t, UNDOS, school).await];
        assert_eq!(rows, [3, 2], "{}", t.on);
        same_as_recomputed(&t, school).await;

        let log = t.get("/api/offline-sync?action_type=void", Some(&school.admin)).await;
        let status =
            log.body["data"]["data"].as_array().unwrap().iter().all(|row| row["status"] == "success");
        assert!(status && log.body["data"]["total"] == 4, "{} {}", t.on, log.body);
    })
    .await;
}

#[tokio::test]
async fn what_a_gate_may_not_take_back_stays() {
    both(async |t| {
        let stage = Stage::set(&t).await;
        let (school, siti) = (&stage.school, stage.siti);
        let (mut gate, mut other) =
            (HandBox::enrol(&t, school.id).await, HandBox::enrol(&t, school.id).await);
        let scan = HandBox::scan(&t, siti, START);
        let (teacher, staff) = {
            let teacher = t.user(school.id, "2002", seed::TEACHER).await;
            let scan = changed(&HandBox::scan(&t, teacher, START), |scan| scan.method = Method::Rotating);
            (teacher, scan)
        };
        assert_eq!(told(&deliver(&t, &mut gate, &[&scan, &staff]).await), [STORED, STORED], "{}", t.on);
        let came = stage.seen(&t).await;

        let of_another = undo(&t, siti, &scan, START.plus_seconds(5));
        assert_eq!(told(&deliver(&t, &mut other, &[&of_another]).await), [NOT_ALLOWED], "{}", t.on);
        let late = undo(&t, siti, &scan, START.plus_millis(WITHIN_MS + 1));
        let of_staff = undo(&t, teacher, &staff, START.plus_seconds(5));
        assert_eq!(told(&deliver(&t, &mut gate, &[&late, &of_staff]).await), [NOT_ALLOWED; 2], "{}", t.on);

        // A school that names another's student has nothing of his.
        let elsewhere = crate::attendance::tests::school(&t, "B", "5101").await;
        let mut foreign = HandBox::enrol(&t, elsewhere.id).await;
        let aimed = undo(&t, siti, &scan, START.plus_seconds(5));
        assert_eq!(told(&deliver(&t, &mut foreign, &[&aimed]).await), [CARRIED], "{}", t.on);
        assert_eq!(stage.seen(&t).await, came, "{}", t.on);

        // The check-out stands on it, and can go first.
        let left = changed(&HandBox::scan(&t, siti, START.plus_seconds(30)), |scan| {
            scan.direction = Direction::CheckOut;
        });
        let soon = undo(&t, siti, &scan, START.plus_seconds(40));
        assert_eq!(told(&deliver(&t, &mut gate, &[&left, &soon]).await), [STORED, DECIDED_SINCE], "{}", t.on);
        let mut leaving: Record =
            serde_json::from_str(&undo(&t, siti, &left, START.plus_seconds(50))).unwrap();
        if let What::Void(void) = &mut leaving.what {
            void.direction = Direction::CheckOut;
        }
        let leaving = serde_json::to_string(&leaving).unwrap();
        assert_eq!(told(&deliver(&t, &mut gate, &[&leaving]).await), [STORED], "{}", t.on);
        assert_eq!(stage.seen(&t).await, came, "{}", t.on);

        // What a person decided stands.
        let body =
            json!({"user_id": siti, "date": "2025-11-21", "status": "izin", "reason": "Surat orang tua"});
        let corrected = t.post("/api/attendance/correct", Some(&school.admin), body).await;
        assert_eq!(corrected.status, 201, "{} {}", t.on, corrected.body);
        let seen = stage.seen(&t).await;
        let after = undo(&t, siti, &scan, START.plus_seconds(60));
        assert_eq!(told(&deliver(&t, &mut gate, &[&after]).await), [DECIDED_SINCE], "{}", t.on);
        assert_eq!(stage.seen(&t).await, seen, "{}", t.on);
        assert_eq!(count(&t, UNDOS, school).await, 1, "{}: of the check-out", t.on);
        same_as_recomputed(&t, school).await;

        // A conflict is somebody's, who corrects the day; it is not tried again.
        let failed = t.get("/api/offline-sync?action_type=void&status=failed", Some(&school.admin)).await;
        let first = &failed.body["data"]["data"][0];
        let accept = format!("/api/offline-sync/{}/accept", first["id"]);
        let accepted = t.post(&accept, Some(&school.admin), json!({"reason": "Memang batal"})).await;
        assert_eq!(accepted.status, 409, "{} {}", t.on, accepted.body);
        let gone = format!("/api/offline-sync/{}/discard", first["id"]);
        let discarded = t.post(&gone, Some(&school.admin), json!({"reason": "Sudah dikoreksi"})).await;
        assert_eq!(discarded.status, 200, "{} {}", t.on, discarded.body);
    })
    .await;
}

#[tokio::test]
async fn who_was_seen_at_another_gate_as_well_was_seen() {
    both(async |t| {
        let stage = Stage::set(&t).await;
        let (school, siti) = (&stage.school, stage.siti);
        let mut gates = [
            HandBox::enrol(&t, school.id).await,
            HandBox::enrol(&t, school.id).await,
            HandBox::enrol(&t, school.id).await,
        ];
        let scans = [0, 30, HOUR_MS / 1000].map(|after| HandBox::scan(&t, siti, START.plus_seconds(after)));
        let verdicts = [STORED, AGAIN, (Verdict::Conflict, "contradicts")];
        for ((gate, scan), verdict) in gates.iter_mut().zip(&scans).zip(verdicts) {
            assert_eq!(told(&deliver(&t, gate, &[scan]).await), [verdict], "{}", t.on);
        }
        let status = async || stage.seen(&t).await[3][0].clone();
        assert_eq!(status().await, "hadir", "{}", t.on);
        // The second gate takes its own back, of which the books have nothing: it will not come in later.
        let [a, b, c] = &mut gates;
        let second = undo(&t, siti, &scans[1], START.plus_seconds(40));
        assert_eq!(told(&deliver(&t, b, &[&second]).await), [CARRIED], "{}", t.on);
        let first = undo(&t, siti, &scans[0], START.plus_seconds(50));
        assert_eq!(told(&deliver(&t, a, &[&first]).await), [STORED], "{}", t.on);
        assert_eq!(status().await, "terlambat", "{}: the third gate saw him an hour later", t.on);
        let third = undo(&t, siti, &scans[2], START.plus_millis(HOUR_MS + 1000));
        assert_eq!(told(&deliver(&t, c, &[&third]).await), [STORED], "{}", t.on);
        assert_eq!(status().await, "belum_absen", "{}", t.on);
        assert_eq!(stage.seen(&t).await[0], json!([false, false]), "{}", t.on);
        same_as_recomputed(&t, school).await;
    })
    .await;
}

#[tokio::test]
async fn an_undo_that_comes_after_the_night_leaves_an_absence() {
    both(async |t| {
        let stage = Stage::set(&t).await;
        let (school, siti) = (&stage.school, stage.siti);
        let mut gate = HandBox::enrol(&t, school.id).await;
        let scan = HandBox::scan(&t, siti, START);
        deliver(&t, &mut gate, &[&scan]).await;
        t.clock.set(START.plus_millis(18 * HOUR_MS + HOUR_MS / 4));
        absences::mark(&t.app).await.unwrap();
        let own = async || {
            let answer = t.get("/api/attendance/history", Some(&t.login("1001").await)).await;
            let rows = answer.body["data"]["data"].as_array().unwrap().clone();
            rows.iter().map(|row| row["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(own().await, ["hadir"], "{}", t.on);
        let taken = undo(&t, siti, &scan, START.plus_seconds(20));
        assert_eq!(told(&deliver(&t, &mut gate, &[&taken]).await), [STORED], "{}", t.on);
        assert_eq!(own().await, ["alpha"], "{}: as of everybody who was not there", t.on);
        // It can be corrected, as any day.
        let body = json!({"user_id": siti, "date": "2025-11-21", "status": "sakit", "reason": "Di UKS"});
        let corrected = t.post("/api/attendance/correct", Some(&school.admin), body).await;
        assert_eq!(corrected.status, 201, "{} {}", t.on, corrected.body);
        assert_eq!(own().await, ["sakit"], "{}", t.on);
        same_as_recomputed(&t, school).await;
    })
    .await;
}

#[tokio::test]
async fn of_an_undo_and_a_scan_elsewhere_at_once_the_scan_is_never_lost() {
    both(async |t| {
        let school = school(&t, "A", "5001").await;
        let room = class(&t, &school, "X", None).await;
        let mut boxes = [HandBox::enrol(&t, school.id).await, HandBox::enrol(&t, school.id).await];
        for n in 0..25 {
            let user = student(&t, &school, room, &format!("s{n}")).await;
            let scan = HandBox::scan(&t, user, START);
            deliver(&t, &mut boxes[0], &[&scan]).await;
            let events = [
                undo(&t, user, &scan, START.plus_seconds(10)),
                HandBox::scan(&t, user, START.plus_seconds(20)),
            ];
            let mut sent = Vec::new();
            for (sender, event) in boxes.iter_mut().zip(events) {
                let batch = sender.batch(&t, vec![event]);
                let (t, sender) = (t.clone(), sender.clone());
                sent.push(tokio::spawn(async move { sender.deliver(&t, &batch).await }));
            }
            for sent in sent {
                sent.await.unwrap();
            }
        }
        let standing = "SELECT COUNT(*) FROM attendance a WHERE a.institution_id = $1 AND NOT EXISTS (
            SELECT 1 FROM attendance_voids v WHERE v.institution_id = $1 AND v.attendance_id = a.id)";
        assert_eq!(count(&t, UNDOS, &school).await, 25, "{}", t.on);
        assert_eq!(count(&t, standing, &school).await, 25, "{}", t.on);
        same_as_recomputed(&t, &school).await;
    })
    .await;
}

#[tokio::test]
async fn a_revoked_box_takes_nothing_back_until_somebody_lets_it() {
    both(async |t| {
        let stage = Stage::set(&t).await;
        let (school, siti) = (&stage.school, stage.siti);
        let mut gate = HandBox::enrol(&t, school.id).await;
        let scan = HandBox::scan(&t, siti, START);
        deliver(&t, &mut gate, &[&scan]).await;
        let path = format!("/api/edge-devices/{}/revoke", gate.device);
        assert_eq!(t.post(&path, Some(&school.admin), json!({})).await.status, 200);
        let came = stage.seen(&t).await;
        let taken = undo(&t, siti, &scan, START.plus_seconds(20));
        let verdicts = deliver(&t, &mut gate, &[&taken]).await;
        assert_eq!(told(&verdicts), [(Verdict::Quarantined, "revoked_device")], "{}", t.on);
        assert_eq!(stage.seen(&t).await, came, "{}", t.on);
        same_as_recomputed(&t, school).await;
    })
    .await;
}

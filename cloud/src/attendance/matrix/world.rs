//! Two schools with one of everything, made through the API as their own people would.

use std::collections::BTreeMap;

use axum::body::Body;
use hadir_shared::ids::InstitutionId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    super::{fleet::hand::HandBox, tests},
    cases::form,
    roles,
};
use crate::{
    db::Cloud,
    fail::Fail,
    identity::{self, Actor, Attempt, Key, NewSession, NewUser, seed, user},
    jobs::{self, NewJob},
    mail::{self, Channel, Language, Said, To},
    testing::{PASSWORD, TestApp, request},
};

pub struct World {
    pub a: School,
    pub b: School,
    /// Ids of the right shape that nothing has.
    pub unknown: School,
    /// The token of a super admin, who belongs to no school.
    pub super_admin: String,
}

/// A school, and the ids of what is in it.
pub struct School {
    pub id: InstitutionId,
    tokens: BTreeMap<&'static str, String>,
    pub siswa: i64,
    pub sibling: i64,
    pub guru: i64,
    /// Somebody who was never recorded.
    pub newcomer: i64,
    /// The student's, with both students in it.
    pub class: i64,
    pub empty_class: i64,
    pub card: i64,
    /// The student's, waiting, with a letter.
    pub leave: i64,
    /// The student's, waiting, to be taken back.
    pub spare_leave: i64,
    pub sibling_leave: i64,
    pub announcement: i64,
    pub spare_announcement: i64,
    /// Of the sibling, on this day.
    pub attendance: i64,
    pub holiday: i64,
    /// Failed ones of the offline log: one for each thing that can be done about it. The last is of nobody known.
    pub records: [i64; 6],
    /// A retry of many.
    pub retry: i64,
    pub device: Uuid,
    /// The device's; a record of it is in quarantine.
    pub log: Uuid,
    pub file: String,
    pub sibling_file: String,
    /// The sibling's profile photo.
    pub photo: String,
    /// What a new account may name as its photo in the first school, and may not elsewhere: a path of the documents' own server.
    pub claim: String,
    /// The student's, beside the one of his token.
    pub spare_sessions: [Uuid; 2],
    /// One that failed.
    pub job: i64,
    /// One that failed.
    pub message: i64,
    /// What the kiosk shows now.
    pub qr_token: String,
}

impl World {
    pub async fn new(t: &TestApp) -> Self {
        let (a, b) = (School::new(t, "A", 1).await, School::new(t, "B", 2).await);
        Self { a, b, unknown: School::unknown(), super_admin: super_admin(t).await }
    }
}

impl School {
    pub fn token(&self, role: &str) -> &str {
        &self.tokens[role]
    }

    async fn new(t: &TestApp, code: &str, n: i64) -> Self {
        let number = |role: i64| format!("{n}{role}01");
        let school = tests::school(t, code, &number(5)).await;
        let mut tokens = BTreeMap::from([("admin", school.admin.clone())]);
        let mut people = BTreeMap::new();
        for (role, id) in roles::ALL.iter().zip(1..=4) {
            let (user, token) = t.signed_in(school.id, &number(id), id).await;
            people.insert(*role, user);
            tokens.insert(*role, token);
        }
        let (sibling, siblings) = t.signed_in(school.id, &format!("{n}102"), seed::STUDENT).await;
        let newcomer = t.user(school.id, &format!("{n}103"), seed::STUDENT).await;
        let class = tests::class(t, &school, "X IPA 1", Some(people["guru"])).await;
        let empty_class = tests::class(t, &school, "X IPA 2", None).await;
        tests::join(t, &school, class, people["siswa"]).await;
        tests::join(t, &school, class, sibling).await;

        let (admin, pupil) = (school.admin.as_str(), tokens["siswa"].as_str());
        let made = async |path: &str, token: &str, body: Value| {
            let answer = t.post(path, Some(token), body).await;
            assert_eq!(answer.status, 201, "{path} {}", answer.body);
            answer.body["data"]["id"].as_i64().unwrap()
        };
        let asked = || json!({"leave_type": "izin", "start_date": "2025-11-24", "end_date": "2025-11-24", "reason": "Keluarga"});
        let leave = made("/api/leaves", pupil, asked()).await;
        let spare_leave = made("/api/leaves", pupil, asked()).await;
        let sibling_leave = made("/api/leaves", &siblings, asked()).await;
        let file = letter(t, pupil, leave).await;
        let sibling_file = letter(t, &siblings, sibling_leave).await;
        let photo = json!({"photo": tests::picture(32)});
        let photo = t.post("/api/profile/photo", Some(&siblings), photo).await;
        let photo =
            photo.body["data"]["photo_path"].as_str().unwrap_or_else(|| panic!("{}", photo.body)).to_owned();
        let news = || json!({"title": "Upacara", "content": "Senin pagi", "is_published": true});
        let announcement = made("/api/announcements", admin, news()).await;
        let spare_announcement = made("/api/announcements", admin, news()).await;
        let card =
            t.post("/api/student-qr-cards/generate", Some(admin), json!({"student_id": sibling})).await;
        let scan =
            json!({"nisn_nip_nik": format!("{n}102"), "latitude": tests::HERE.0, "longitude": tests::HERE.1});
        let came = t.post("/api/student-attendance/scan-qr", Some(&tokens["guru"]), scan).await;
        let off =
            t.post("/api/holidays", Some(admin), json!({"date": "2025-12-26", "name": "Cuti bersama"})).await;
        assert_eq!(off.status, 201, "{}", off.body);
        let off = t.get("/api/holidays?year=2025", Some(admin)).await;
        // Refused because the teacher may not, kept as failed; an administrator may.
        let item = |day: i64| json!({"user_id": people["siswa"], "type": "checkin", "timestamp": format!("2025-11-{day} 06:40:00")});
        let sent = json!({"attendances": (10..15).map(item).collect::<Vec<_>>()});
        let refused = t.post("/api/offline-sync/process-attendance", Some(&tokens["guru"]), sent).await;
        assert_eq!(refused.body["data"]["failed_count"], 5, "{}", refused.body);
        let nobody = json!({"user_id": 8_000_000, "type": "checkin", "timestamp": "2025-11-17 06:40:00"});
        t.post("/api/offline-sync/process-attendance", Some(admin), json!({"attendances": [nobody]})).await;
        let log = t.get("/api/offline-sync?status=failed", Some(admin)).await;
        let ids =
            log.body["data"]["data"].as_array().unwrap().iter().map(|record| record["id"].as_i64().unwrap());
        let mut records: Vec<_> = ids.collect();
        records.sort_unstable();
        let none = json!({"filter": {"start_date": "2020-01-01", "end_date": "2020-01-01"}});
        let retry = t.post("/api/offline-sync/retry", Some(admin), none).await;
        let mut sender = HandBox::enrol(t, school.id).await;
        let alone = sender.batch(t, vec![HandBox::scan(t, people["siswa"], t.app.now())]);
        assert_eq!(sender.post(t, "/api/offline-sync/quarantine", &alone).await.status, 200);
        let mut spare_sessions = [Uuid::nil(); 2];
        for spare in &mut spare_sessions {
            let token = t.login(&number(1)).await;
            *spare = t.app.identity.caller(&t.app, &token).await.unwrap().session;
        }
        Self {
            spare_sessions,
            job: failed_job(t, school.id).await,
            message: failed_message(t, school.id).await,
            siswa: people["siswa"].0,
            sibling: sibling.0,
            guru: people["guru"].0,
            newcomer: newcomer.0,
            class: class.0,
            empty_class: empty_class.0,
            card: card.body["data"]["id"].as_i64().unwrap(),
            leave,
            spare_leave,
            sibling_leave,
            announcement,
            spare_announcement,
            attendance: came.body["data"]["id"].as_i64().unwrap_or_else(|| panic!("{}", came.body)),
            holiday: off.body["data"][0]["id"].as_i64().unwrap_or_else(|| panic!("{}", off.body)),
            records: records.try_into().unwrap(),
            retry: retry.body["data"]["id"].as_i64().unwrap_or_else(|| panic!("{}", retry.body)),
            device: sender.device.0,
            log: sender.log.0,
            claim: if n == 1 { "profiles/baru.jpg".into() } else { photo.clone() },
            photo,
            file,
            sibling_file,
            qr_token: tests::shown(t, &school, t.app.now()).await,
            id: school.id,
            tokens,
        }
    }

    fn unknown() -> Self {
        let id = |n: i64| 8_000_000 + n;
        Self {
            id: InstitutionId(id(0)),
            tokens: BTreeMap::new(),
            siswa: id(1),
            sibling: id(2),
            guru: id(3),
            newcomer: id(4),
            class: id(5),
            empty_class: id(6),
            card: id(7),
            leave: id(8),
            spare_leave: id(9),
            sibling_leave: id(10),
            announcement: id(11),
            spare_announcement: id(12),
            records: [13, 14, 15, 16, 17, 21].map(id),
            retry: id(18),
            attendance: id(19),
            holiday: id(20),
            device: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001),
            log: Uuid::from_u128(0x0190_0000_0000_4000_8000_0000_0000_0002),
            spare_sessions: [
                Uuid::from_u128(0x0190_0000_0000_4000_8000_0000_0000_0003),
                Uuid::from_u128(0x0190_0000_0000_4000_8000_0000_0000_0004),
            ],
            job: id(22),
            message: id(23),
            file: "0123456789abcdef0123456789abcdef".into(),
            photo: "/files/0123456789abcdef0123456789abcded".into(),
            claim: "/files/0123456789abcdef0123456789abcded".into(),
            sibling_file: "0123456789abcdef0123456789abcdee".into(),
            qr_token: "0".repeat(32),
        }
    }
}

/// Uploads the letter of a leave and answers its key.
async fn letter(t: &TestApp, token: &str, leave: i64) -> String {
    let asked = request("POST", &format!("/api/leaves/{leave}/attachment"), Some(token));
    let asked = asked.header("content-type", "multipart/form-data; boundary=x").body(Body::from(form()));
    let answer = t.send(asked.unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["data"]["attachment_path"].as_str().unwrap().trim_start_matches("/files/").to_owned()
}

async fn failed_message(t: &TestApp, school: InstitutionId) -> i64 {
    let to = To { name: "Siti", address: "siti@sekolah.sch.id", user: None, institution: Some(school) };
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let said = (Said::Reset("012345"), Language::Indonesian);
    let id = mail::post(&mut tx, &t.app, Channel::Email, to, said.0, said.1).await.unwrap();
    tx.query("UPDATE messages SET state = 'failed', tries = 1 WHERE id = $1").bind(id).run().await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn failed_job(t: &TestApp, school: InstitutionId) -> i64 {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let job =
        NewJob { kind: "files.erase", institution: Some(school), payload: json!({}), run_at: t.app.now() };
    let id = jobs::enqueue(&mut tx, &job, t.app.now()).await.unwrap();
    tx.query("UPDATE jobs SET state = 'failed', tries = 12 WHERE id = $1").bind(id).run().await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn super_admin(t: &TestApp) -> String {
    let hash = t.app.identity.hasher().hash(&t.app.ids, PASSWORD).await.unwrap();
    let new = NewUser { number: Some("9101"), name: "Super", password_hash: &hash, ..NewUser::default() };
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let id = user::create(&mut tx, &t.app, Actor::System, &new, Fail::conflict("taken")).await.unwrap();
    user::set_role(&mut tx, &t.app, Actor::System, id, seed::SUPER_ADMIN).await.unwrap();
    tx.commit().await.unwrap();
    let address = std::net::Ipv4Addr::LOCALHOST.into();
    let session = NewSession { client: "sso", address, user_agent: None, life_ms: 86_400_000 };
    let attempt = Attempt { key: Key::Number("9101"), password: PASSWORD, session };
    identity::login(&t.app, &attempt, |_| Ok(())).await.unwrap().token
}

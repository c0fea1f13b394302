//! Pulling from a cloud in memory that can lie, forget and break off.
#![expect(clippy::disallowed_types, reason = "a cloud in a test needs no dialect")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Path, Query, State},
    http::{StatusCode, Uri},
    response::{IntoResponse as _, Response},
    routing::get,
};
use hadir_shared::{
    chain::Hash,
    ids::{ClassId, DeviceId, InstitutionId, UserId},
    sign::{SecretKey, Signature},
    time::Millis,
    wire::{
        PROTO,
        batch::Refusal,
        enrolment::Enrolled,
        roster::{CardEntry, Entry, Manifest, Page, Person, Role, SettingsBody, digest, entity},
    },
};
use serde::Serialize;
use uuid::Uuid;

use super::*;
use crate::{
    membership::{self, Membership},
    node::Node,
    testing::TestBox,
};

const SCHOOL: InstitutionId = InstitutionId(42);
const NOW: Millis = Millis(1_795_000_000_000);

#[derive(Clone)]
struct Feed(Arc<Mutex<Told>>);

struct Told {
    key: SecretKey,
    institution: InstitutionId,
    generation: Uuid,
    entries: Vec<Entry>,
    /// Entries in a page.
    page: usize,
    asked: Vec<String>,
    /// Answers to chunks before they begin to fail.
    chunks_left: usize,
    /// Makes the digest wrong.
    wrong_digest: bool,
}

impl Feed {
    fn told<T>(&self, with: impl FnOnce(&mut Told) -> T) -> T {
        with(&mut self.0.lock().unwrap())
    }

    fn put(&self, entity: &str, key: &str, body: Option<&impl Serialize>) {
        self.told(|told| {
            let cseq = told.latest() + 1;
            let body = body.map(|body| serde_json::to_string(body).unwrap());
            told.entries.retain(|e| (&*e.entity, &*e.key) != (entity, key));
            told.entries.push(Entry {
                cseq,
                entity: entity.into(),
                key: key.into(),
                deleted: body.is_none(),
                body: body.unwrap_or_default(),
            });
        });
    }

    fn student(&self, id: i64, class: i64) {
        let person = Person {
            id: UserId(id),
            uuid: Uuid::from_u128(id.unsigned_abs().into()),
            number: (1000 + id).to_string(),
            name: format!("Siswa {id}"),
            role: Role::Siswa,
            active: true,
            class: Some(ClassId(class)),
            verifier: None,
            photo: None,
        };
        self.put(entity::PERSON, &id.to_string(), Some(&person));
    }

    fn card(&self, student: i64, active: bool) {
        let card = CardEntry {
            id: student,
            student: UserId(student),
            serial: 1,
            code: format!("K{student}"),
            active,
        };
        self.put(entity::CARD, &student.to_string(), Some(&card));
    }

    fn settings(&self, version: i64) {
        self.put(entity::SETTINGS, "", Some(&SettingsBody { version, values: BTreeMap::new() }));
    }
}

impl Told {
    fn latest(&self) -> u64 {
        self.entries.iter().map(|e| e.cseq).max().unwrap_or(0)
    }

    fn living(&self) -> Vec<Entry> {
        self.entries.iter().filter(|e| !e.deleted).cloned().collect()
    }

    fn digest(&self) -> Hash {
        if self.wrong_digest {
            return Hash::of(b"wrong");
        }
        digest(self.living().iter().map(|e| (&*e.entity, &*e.key, e.hash())))
    }

    fn chunks(&self) -> Vec<String> {
        self.living().chunks(2).map(|chunk| serde_json::to_string(chunk).unwrap()).collect()
    }
}

async fn page(State(feed): State<Feed>, uri: Uri, Query(query): Query<BTreeMap<String, String>>) -> Response {
    feed.told(|told| {
        told.asked.push(uri.to_string());
        let since: u64 = query["since"].parse().unwrap();
        if query["generation"] != told.generation.to_string() {
            let refusal = Refusal::Refetch { generation: told.generation };
            return (StatusCode::GONE, serde_json::json!({"refusal": refusal}).to_string()).into_response();
        }
        let mut entries: Vec<Entry> = told.entries.iter().filter(|e| e.cseq > since).cloned().collect();
        entries.truncate(told.page);
        let latest = told.latest();
        let to = if entries.len() < told.page { latest } else { entries.last().unwrap().cseq };
        let mut page = Page {
            proto: PROTO,
            institution: told.institution,
            generation: told.generation,
            from: since,
            to,
            latest,
            revocations: latest,
            entries,
            digest: (to == latest).then(|| told.digest()),
            sig: Signature([0; 64]),
        };
        page.sign(&told.key);
        serde_json::to_string(&page).unwrap().into_response()
    })
}

async fn snapshot(State(feed): State<Feed>) -> Response {
    feed.told(|told| {
        told.asked.push("snapshot".into());
        let mut manifest = Manifest {
            proto: PROTO,
            institution: told.institution,
            generation: told.generation,
            cursor: told.latest(),
            chunks: told.chunks().iter().map(|chunk| Hash::of(chunk.as_bytes())).collect(),
            digest: told.digest(),
            sig: Signature([0; 64]),
        };
        manifest.sign(&told.key);
        serde_json::to_string(&manifest).unwrap().into_response()
    })
}

async fn chunk(State(feed): State<Feed>, Path(hash): Path<String>) -> Response {
    feed.told(|told| {
        told.asked.push("chunk".into());
        if told.chunks_left == 0 {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        told.chunks_left -= 1;
        told.chunks()
            .into_iter()
            .find(|c| Hash::of(c.as_bytes()).to_string() == hash)
            .unwrap()
            .into_response()
    })
}

struct Pair {
    school: TestBox,
    feed: Feed,
}

impl Pair {
    /// A school of five students in one class, at settings of version 3; nothing pulled yet.
    async fn new() -> Self {
        let school = TestBox::demo(NOW).await;
        let feed = Feed(Arc::new(Mutex::new(Told {
            key: SecretKey::from_seed(&[2; 32]),
            institution: SCHOOL,
            generation: Uuid::from_u128(1),
            entries: vec![],
            page: 2,
            asked: vec![],
            chunks_left: usize::MAX,
            wrong_digest: false,
        })));
        feed.settings(3);
        (1..=5).for_each(|id| feed.student(id, 7));
        let app = Router::new()
            .route("/api/offline-sync/roster", get(page))
            .route("/api/offline-sync/roster/snapshot", get(snapshot))
            .route("/api/offline-sync/roster/chunks/{hash}", get(chunk))
            .with_state(feed.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, app).into_future());
        let enrolled = Enrolled {
            proto: PROTO,
            device: DeviceId(Uuid::from_u128(5)),
            institution: SCHOOL,
            institution_code: "S42".into(),
            institution_name: "Sekolah 42".into(),
            cloud_key: feed.told(|told| told.key.public()),
            time: NOW,
        };
        let member = Membership::new(address, "Gerbang".into(), &SecretKey::from_seed(&[1; 32]), enrolled);
        let node = school.node();
        membership::join(node.store(), node.seal(), node.ids(), &member, NOW).await.unwrap();
        node.reload().await.unwrap();
        Self { school, feed }
    }

    async fn pulled() -> Self {
        let pair = Self::new().await;
        pair.node().pull_once().await.unwrap();
        pair
    }

    fn node(&self) -> &Node {
        self.school.node()
    }

    fn students(&self) -> usize {
        self.node().roster().students_of(ClassId(7)).count()
    }

    fn asked(&self) -> Vec<String> {
        self.feed.told(|told| std::mem::take(&mut told.asked))
    }
}

#[tokio::test]
async fn first_a_snapshot_then_only_what_changed() {
    let pair = Pair::new().await;
    assert_eq!(pair.students(), 0, "the demo school is gone with the membership");
    pair.node().pull_once().await.unwrap();
    assert_eq!((pair.students(), pair.node().roster().cursor), (5, 6));
    assert!(pair.asked().contains(&"snapshot".to_owned()));
    (6..=10).for_each(|id| pair.feed.student(id, 7));
    pair.feed.put(entity::PERSON, "1", None::<&()>);
    pair.feed.card(2, true);
    pair.feed.card(2, false);
    pair.node().pull_once().await.unwrap();
    let view = pair.node().roster();
    assert_eq!(
        (pair.students(), view.person(UserId(1)), view.cursor),
        (9, None, 14),
        "a tombstone is a tombstone"
    );
    assert!(!view.card_by_code("k2").unwrap().active);
    assert!(!pair.asked().contains(&"snapshot".to_owned()), "a few pages did");
    // And it is on the disk, sealed: a new process has it without asking anybody, and the file tells no names.
    let folder = pair.school.folder().to_owned();
    let school = pair.school.restart().await;
    assert_eq!(school.node().roster().students_of(ClassId(7)).count(), 9);
    let file = std::fs::read(folder.join("edge.db")).unwrap();
    assert!(!file.windows(8).any(|w| w == b"Siswa 10"), "a name in the clear");
}

#[tokio::test]
async fn a_new_generation_is_fetched_whole_and_old_things_are_gone() {
    // Seen to fail without the `clear` in `snapshot`.
    let pair = Pair::pulled().await;
    pair.feed.told(|told| {
        told.generation = Uuid::from_u128(2);
        told.entries.retain(|e| e.key != "3");
    });
    pair.node().pull_once().await.unwrap();
    assert_eq!((pair.students(), pair.node().roster().person(UserId(3))), (4, None));
}

#[tokio::test]
async fn a_snapshot_that_breaks_off_changes_nothing_and_goes_on_where_it_stopped() {
    // Seen to fail with nothing staged.
    let pair = Pair::new().await;
    pair.feed.told(|told| told.chunks_left = 2);
    assert!(matches!(pair.node().pull_once().await, Err(PullFailed::Answered { status: 500 })));
    assert_eq!((pair.students(), pair.node().roster().cursor), (0, 0));
    pair.asked();
    pair.feed.told(|told| told.chunks_left = 1);
    pair.node().pull_once().await.unwrap();
    assert_eq!(pair.students(), 5);
    assert_eq!(
        pair.asked().iter().filter(|what| *what == "chunk").count(),
        1,
        "two of three were here already"
    );
}

#[tokio::test]
async fn what_this_schools_cloud_did_not_sign_is_refused() {
    // Seen to fail with `check` answering Ok.
    let pair = Pair::pulled().await;
    pair.feed.student(6, 7);
    let right = pair.feed.told(|told| std::mem::replace(&mut told.key, SecretKey::from_seed(&[66; 32])));
    assert!(matches!(pair.node().pull_once().await, Err(PullFailed::Foreign)));
    pair.feed.told(|told| {
        told.key = right;
        told.institution = InstitutionId(43);
    });
    assert!(
        matches!(pair.node().pull_once().await, Err(PullFailed::Foreign)),
        "another school of the same cloud"
    );
    assert_eq!(pair.students(), 5);
    pair.feed.told(|told| told.institution = SCHOOL);
    pair.node().pull_once().await.unwrap();
    assert_eq!(pair.students(), 6);
}

#[tokio::test]
async fn older_settings_are_refused_however_they_come() {
    // Seen to fail with `refuse_older_settings` answering Ok.
    let pair = Pair::pulled().await;
    pair.feed.settings(2);
    let refused = pair.node().pull_once().await;
    assert!(matches!(refused, Err(PullFailed::OlderSettings { held: 3, offered: 2 })));
    pair.feed.told(|told| told.generation = Uuid::from_u128(9));
    assert!(
        matches!(pair.node().pull_once().await, Err(PullFailed::OlderSettings { .. })),
        "in a snapshot as well"
    );
    assert_eq!(pair.node().roster().schedule().version, 3);
    pair.feed.settings(4);
    pair.node().pull_once().await.unwrap();
    assert_eq!(pair.node().roster().schedule().version, 4);
}

#[tokio::test]
async fn a_difference_the_cursor_hides_is_found_by_the_digest() {
    // Seen to fail with the digest not compared.
    let pair = Pair::pulled().await;
    let lose = |tx: &mut crate::store::Tx<'_>| {
        Ok::<_, crate::store::NotSaved>(
            tx.execute("DELETE FROM roster WHERE entity = 'person' AND key = '4'", [])?,
        )
    };
    pair.node().store().write(lose).await.unwrap();
    pair.asked();
    pair.node().pull_once().await.unwrap();
    assert!(pair.asked().contains(&"snapshot".to_owned()));
    assert_eq!(pair.students(), 5);
    // A cloud whose digest is wrong is not asked for ever.
    pair.feed.told(|told| told.wrong_digest = true);
    assert!(matches!(pair.node().pull_once().await, Err(PullFailed::WrongSnapshot)));
}

#[tokio::test]
async fn hours_of_a_weekday_travel_with_the_settings() {
    let pair = Pair::pulled().await;
    let hours = |day: &str| pair.node().roster().schedule().on(day.parse().unwrap()).checkin_end.to_string();
    assert_eq!(hours("2026-11-20"), "07:30:00", "a cloud that says nothing of it");
    let values = BTreeMap::from([("weekday_hours".to_owned(), "5=07:00-11:30".to_owned())]);
    pair.feed.put(entity::SETTINGS, "", Some(&SettingsBody { version: 4, values }));
    pair.node().pull_once().await.unwrap();
    assert_eq!((hours("2026-11-20").as_str(), hours("2026-11-19").as_str()), ("07:00:00", "07:30:00"));
}

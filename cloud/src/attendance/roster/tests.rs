//! The way down, through the router, on both databases.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hadir_shared::{
    chain::Hash,
    ids::{InstitutionId, UserId},
    wire::roster::{Chunk, Entry, Keys, Manifest, PAGE_ENTRIES, Page, Person, digest, entity},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Change, publish, purge, refresh, touch_everything, touch_people};
use crate::{
    attendance::fleet::hand::HandBox,
    db::Cloud,
    identity::{Actor, seed, user},
    testing::{START, TestApp},
};

const ROSTER: &str = "/api/offline-sync/roster";

/// What a box holds, kept as a box keeps it.
struct Held {
    sender: HandBox,
    generation: Uuid,
    cursor: u64,
    entries: BTreeMap<(String, String), Entry>,
}

impl Held {
    async fn snapshot(t: &TestApp, sender: &HandBox) -> Self {
        let manifest = manifest(t, sender).await;
        let mut entries = BTreeMap::new();
        for hash in &manifest.chunks {
            let answer = sender.get(t, &format!("{ROSTER}/chunks/{hash}")).await;
            assert_eq!(answer.status, 200, "{} {}", t.on, answer.body);
            let chunk: Chunk = serde_json::from_value(answer.body).unwrap();
            assert_eq!(Hash::of(&serde_json::to_vec(&chunk).unwrap()), *hash, "named by its hash");
            entries.extend(chunk.into_iter().map(|entry| ((entry.entity.clone(), entry.key.clone()), entry)));
        }
        let held = Self {
            sender: sender.clone(),
            generation: manifest.generation,
            cursor: manifest.cursor,
            entries,
        };
        assert_eq!(held.digest(), manifest.digest, "{}", t.on);
        held
    }

    /// Pulls pages until there is no more; answers how many entries came.
    async fn pull(&mut self, t: &TestApp) -> usize {
        let mut came = 0;
        loop {
            let (generation, cursor) = (self.generation, self.cursor);
            let answer =
                self.sender.get(t, &format!("{ROSTER}?generation={generation}&since={cursor}")).await;
            assert_eq!(answer.status, 200, "{} {}", t.on, answer.body);
            let page: Page = serde_json::from_value(answer.body).unwrap();
            page.verify(&self.sender.cloud_key).unwrap();
            assert_eq!((page.from, page.institution), (self.cursor, self.sender.institution));
            assert!(page.entries.is_sorted_by_key(|entry| entry.cseq));
            came += page.entries.len();
            for entry in page.entries {
                let key = (entry.entity.clone(), entry.key.clone());
                if entry.deleted {
                    self.entries.remove(&key)
                } else {
                    self.entries.insert(key, entry)
                };
            }
            self.cursor = page.to;
            if page.to == page.latest {
                assert_eq!(page.digest, Some(self.digest()), "{} the same on both sides", t.on);
                return came;
            }
            assert_eq!(page.digest, None);
        }
    }

    fn digest(&self) -> Hash {
        digest(self.entries.values().map(|entry| (&*entry.entity, &*entry.key, entry.hash())))
    }

    fn person(&self, person: UserId) -> Person {
        let entry = &self.entries[&(entity::PERSON.to_owned(), person.to_string())];
        serde_json::from_str(&entry.body).unwrap()
    }
}

async fn manifest(t: &TestApp, sender: &HandBox) -> Manifest {
    let answer = sender.get(t, &format!("{ROSTER}/snapshot")).await;
    assert_eq!(answer.status, 200, "{} {}", t.on, answer.body);
    let manifest: Manifest = serde_json::from_value(answer.body).unwrap();
    manifest.verify(&sender.cloud_key).unwrap();
    manifest
}

async fn touch(t: &TestApp, school: InstitutionId, people: &[UserId]) {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    touch_people(&mut tx, &t.app, school, people).await.unwrap();
    tx.commit().await.unwrap();
}

async fn publish_class(t: &TestApp, school: InstitutionId, key: &str, body: Option<&Value>) {
    let change = match body {
        Some(body) => Change::put(entity::CLASS, &key, body).unwrap(),
        None => Change::gone(entity::CLASS, &key),
    };
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    publish(&mut tx, &t.app, school, vec![change]).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_box_takes_a_snapshot_and_then_what_changed() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let (student, teacher) =
            (t.user(school, "1001", seed::STUDENT).await, t.user(school, "2001", seed::TEACHER).await);
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        touch_everything(&mut tx, &t.app, school).await.unwrap();
        tx.commit().await.unwrap();
        let sender = HandBox::enrol(&t, school).await;
        let mut held = Held::snapshot(&t, &sender).await;
        assert_eq!(held.pull(&t).await, 0, "{}", t.on);
        let kinds: BTreeSet<&str> = held.entries.keys().map(|(entity, _)| entity.as_str()).collect();
        assert_eq!(kinds, BTreeSet::from(["institution", "keys", "person", "settings"]));

        refresh(&t.app).await.unwrap();
        let latest = super::latest(&mut t.app.db.read(Cloud).await.unwrap(), school).await.unwrap();
        assert_eq!(latest.cast_unsigned(), held.cursor, "{} nothing changed, nothing is published", t.on);
        let (student_is, teacher_is) = (held.person(student), held.person(teacher));
        assert_eq!(
            (student_is.number.as_str(), student_is.active, student_is.verifier),
            ("1001", true, None)
        );
        assert!(
            teacher_is.verifier.is_some_and(|phc| phc.starts_with("$argon2id$")),
            "staff sign in offline"
        );
        let keys: Keys = serde_json::from_str(&held.entries[&("keys".into(), String::new())].body).unwrap();
        assert_eq!(keys.cloud, [t.app.sync.key().public()]);
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        assert_eq!(keys.qr, super::qr_key(&mut tx, &t.app, school).await.unwrap().to_hex());
        let (epoch, secret) = super::card_key(&mut tx, &t.app, school).await.unwrap();
        assert_eq!(keys.cards, BTreeMap::from([(epoch, secret.public())]));
        drop(tx);

        let mut tx = t.app.db.write(Cloud).await.unwrap();
        user::set_active(&mut tx, &t.app, Actor::System, teacher, false).await.unwrap();
        touch_people(&mut tx, &t.app, school, &[teacher, student]).await.unwrap();
        tx.commit().await.unwrap();
        let down = super::down(&mut t.app.db.read(Cloud).await.unwrap(), school).await.unwrap();
        assert_eq!(down.revocations, down.latest, "{} somebody must stop coming in", t.on);
        assert_eq!(held.pull(&t).await, 1, "who did not change is not sent");
        let teacher_is = held.person(teacher);
        assert_eq!((teacher_is.active, teacher_is.verifier), (false, None));
    })
    .await;
}

#[tokio::test]
async fn many_pages_tombstones_and_cursors_that_lead_nowhere() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let sender = HandBox::enrol(&t, school).await;
        let mut held = Held::snapshot(&t, &sender).await;
        let old = (held.generation, held.cursor);
        let classes: Vec<Change> = (0..PAGE_ENTRIES * 2 + 10)
            .map(|n| {
                Change::put(entity::CLASS, &n, &json!({"id": n, "name": format!("Kelas \"{n}\"")})).unwrap()
            })
            .collect();
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        publish(&mut tx, &t.app, school, classes).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(held.pull(&t).await, PAGE_ENTRIES * 2 + 10, "{}", t.on);
        publish_class(&t, school, "7", None).await;
        assert_eq!(
            (held.pull(&t).await, held.entries.contains_key(&("class".into(), "7".into()))),
            (1, false)
        );
        assert!(manifest(&t, &sender).await.chunks.len() >= 3);
        let anew = Held::snapshot(&t, &sender).await;
        assert_eq!(anew.digest(), held.digest(), "{} both ways lead to the same roster", t.on);
        refresh(&t.app).await.unwrap();
        held.pull(&t).await;
        assert!(
            held.entries.keys().all(|(entity, _)| entity != entity::CLASS),
            "{} there are no such rows",
            t.on
        );

        let refetch = json!({"error": "refetch", "generation": old.0});
        let other = t.app.ids.random_uuid();
        for query in [
            String::new(),
            format!("?generation={other}&since={}", old.1),
            format!("?generation={}&since={}", old.0, held.cursor + 1),
            format!("?generation={}&since=-1", old.0),
        ] {
            let answer = sender.get(&t, &format!("{ROSTER}{query}")).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.body["refusal"]),
                (410, &refetch),
                "{} {query}",
                t.on
            );
        }
        t.clock.set(START.plus_millis(super::KEEP_TOMBSTONE_MS + 1));
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        purge(&mut tx, &t.app).await.unwrap();
        tx.commit().await.unwrap();
        let too_old = sender.get(&t, &format!("{ROSTER}?generation={}&since={}", old.0, old.1)).await;
        assert_eq!(too_old.status, 410, "{} the tombstone it would need is gone", t.on);
        assert_eq!(held.pull(&t).await, 0, "{} who has seen it goes on", t.on);
        let gone = sender.get(&t, &format!("{ROSTER}/chunks/{}", manifest_chunk(&anew))).await;
        assert_eq!(gone.status, 404, "{} old chunks are gone", t.on);
        Held::snapshot(&t, &sender).await;
    })
    .await;
}

/// The hash of the first chunk of what is held.
fn manifest_chunk(held: &Held) -> Hash {
    let mut entries: Vec<&Entry> = held.entries.values().collect();
    entries.sort_by_key(|entry| entry.cseq);
    entries.truncate(PAGE_ENTRIES);
    Hash::of(&serde_json::to_vec(&entries).unwrap())
}

#[tokio::test]
async fn a_snapshot_is_made_once_for_each_state() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let sender = HandBox::enrol(&t, school).await;
        let first = manifest(&t, &sender).await;
        t.clock.set(START.plus_seconds(60));
        assert_eq!(manifest(&t, &sender).await, first);
        let made = "SELECT created_at FROM roster_snapshots";
        let (at,): (i64,) = t.app.db.read(Cloud).await.unwrap().query(made).one().await.unwrap();
        assert_eq!(at, START.0, "{} kept while nothing changes", t.on);
        publish_class(&t, school, "1", Some(&json!({"id": 1, "name": "X"}))).await;
        let second = manifest(&t, &sender).await;
        assert!(second.cursor > first.cursor && second.digest != first.digest, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_box_reads_its_own_schools_roster_only() {
    TestApp::both(async |t| {
        let (school, other) = (t.institution("A").await, t.institution("B").await);
        let (own, theirs) = (HandBox::enrol(&t, school).await, HandBox::enrol(&t, other).await);
        let secret = t.user(school, "1001", seed::STUDENT).await;
        touch(&t, school, &[secret]).await;
        let of_own = manifest(&t, &own).await;
        let of_theirs = Held::snapshot(&t, &theirs).await;
        assert!(of_theirs.entries.values().all(|entry| entry.entity != entity::PERSON), "{}", t.on);
        let chunk = format!("{ROSTER}/chunks/{}", of_own.chunks[0]);
        assert_eq!(
            (own.get(&t, &chunk).await.status.as_u16(), theirs.get(&t, &chunk).await.status.as_u16()),
            (200, 404)
        );
        let page = format!("{ROSTER}?generation={}&since=0", of_own.generation);
        assert_eq!(theirs.get(&t, &page).await.status, 410, "{} another school's generation", t.on);
        for path in [page.as_str(), chunk.as_str(), "/api/offline-sync/roster/snapshot"] {
            assert_eq!(t.get(path, None).await.status, 401, "{} {path}", t.on);
            let mut forged = own.clone();
            forged.key = theirs.key.clone();
            assert_eq!(forged.get(&t, path).await.status, 401, "{} {path}", t.on);
        }
        let (_, admin) = t.signed_in(school, "5001", seed::ADMIN).await;
        assert_eq!(
            t.get("/api/offline-sync/roster/snapshot", Some(&admin)).await.status,
            401,
            "people have no roster"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_commits_late_is_not_skipped() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let sender = HandBox::enrol(&t, school).await;
        let mut held = Held::snapshot(&t, &sender).await;
        let writers: Vec<_> = (0..24_u64)
            .map(|n| {
                let t = t.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(n % 5)).await;
                    let mut tx = t.app.db.write(Cloud).await.unwrap();
                    let change =
                        Change::put(entity::CLASS, &n, &json!({"id": n, "name": n.to_string()})).unwrap();
                    publish(&mut tx, &t.app, school, vec![change]).await.unwrap();
                    // The longest ones hold their number while others would like to overtake them.
                    tokio::time::sleep(Duration::from_millis(20 * u64::from(n % 3 == 0))).await;
                    if n % 6 == 1 { drop(tx) } else { tx.commit().await.unwrap() }
                })
            })
            .collect();
        while writers.iter().any(|writer| !writer.is_finished()) {
            held.pull(&t).await;
        }
        for writer in writers {
            writer.await.unwrap();
        }
        held.pull(&t).await;
        let classes: BTreeSet<u64> = held
            .entries
            .keys()
            .filter(|(entity, _)| entity == entity::CLASS)
            .map(|(_, key)| key.parse().unwrap())
            .collect();
        let expected: BTreeSet<u64> = (0..24).filter(|n| n % 6 != 1).collect();
        assert_eq!(classes, expected, "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_school_that_fails_stops_no_other_and_fails_the_refresh() {
    crate::attendance::tests::both(async |t| {
        let spoilt = crate::attendance::tests::school(&t, "A", "5001").await;
        let sound = crate::attendance::tests::school(&t, "B", "5101").await;
        refresh(&t.app).await.unwrap();
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        // Neither is published; what the first is left with is no key.
        tx.query("UPDATE institution_keys SET public = 'x' WHERE institution_id = $1 AND purpose = 'card'")
            .bind(spoilt.id.0)
            .run()
            .await
            .unwrap();
        tx.query("UPDATE users SET name = 'Nama Lain'").run().await.unwrap();
        tx.commit().await.unwrap();
        let latest = async |id| super::latest(&mut t.app.db.read(Cloud).await.unwrap(), id).await.unwrap();
        let before = (latest(spoilt.id).await, latest(sound.id).await);
        let failed = refresh(&t.app).await.unwrap_err();
        assert!(format!("{failed:?}").contains("1 of 2 schools"), "{}: {failed:?}", t.on);
        assert_eq!((latest(spoilt.id).await, latest(sound.id).await), (before.0, before.1 + 1), "{}", t.on);
    })
    .await;
}

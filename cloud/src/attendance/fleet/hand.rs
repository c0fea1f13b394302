//! A box made by hand, for the tests of what boxes speak to.

use async_compression::tokio::bufread::ZstdEncoder;
use axum::{body::Body, http::Request};
use hadir_shared::{
    chain::Head,
    ids::{BatchId, DeviceId, EventId, InstitutionId, LogId, UserId},
    rules::status::{Direction, Schedule},
    sign::{PublicKey, SecretKey, Signature},
    time::{Grade, Millis, Reading, Zone},
    wire::{
        PROTO,
        batch::{Batch, Health, Receipt},
        enrolment::Enrolled,
        record::{Method, RECORD_VERSION, Record, Scan, Stamp, What},
        request::{DEVICE_HEADER, NONCE_HEADER, SIGNATURE_HEADER, SignedRequest},
    },
};
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use super::enrolment_code;
use crate::{
    db::Cloud,
    identity::Actor,
    testing::{Answer, TestApp, request},
};

pub const BATCHES: &str = "/api/offline-sync/batches";

#[derive(Clone)]
pub struct HandBox {
    pub device: DeviceId,
    pub institution: InstitutionId,
    pub key: SecretKey,
    pub cloud_key: PublicKey,
    pub log: LogId,
    pub head: Head,
}

/// A code of a school, made as the command line makes it.
pub async fn code(t: &TestApp, school: InstitutionId) -> String {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let code = enrolment_code::make(&mut tx, &t.app, Actor::System, school).await.unwrap();
    tx.commit().await.unwrap();
    code
}

pub fn new_key(t: &TestApp) -> SecretKey {
    SecretKey::from_seed(&t.app.ids.bytes())
}

/// Asks to join, and answers what the cloud said.
pub async fn ask(t: &TestApp, code: &str, key: &PublicKey) -> Answer {
    let body =
        json!({"proto": PROTO, "code": code, "public_key": key, "name": "Gerbang 1", "version": "1.0.0"});
    t.post("/api/offline-sync/enrolments", None, body).await
}

impl HandBox {
    pub async fn enrol(t: &TestApp, school: InstitutionId) -> Self {
        let key = new_key(t);
        let answer = ask(t, &code(t, school).await, &key.public()).await;
        assert_eq!(answer.status, 200, "{} {}", t.on, answer.body);
        let enrolled: Enrolled = serde_json::from_value(answer.body).unwrap();
        assert_eq!(enrolled.institution, school);
        let log = LogId(t.app.ids.random_uuid());
        let (device, cloud_key) = (enrolled.device, enrolled.cloud_key);
        Self { device, institution: school, key, cloud_key, log, head: Head::genesis(log) }
    }

    /// The bytes of a check-in.
    pub fn scan(t: &TestApp, user: UserId, at: Millis) -> String {
        let scan = Scan {
            user,
            direction: Direction::CheckIn,
            day: Zone::JAKARTA.day(at),
            method: Method::Card,
            token: "1".into(),
            gate: "Gerbang 1".into(),
            operator: None,
            class: None,
            position: None,
            fence: None,
            schedule: Schedule {
                version: 1,
                zone: Zone::JAKARTA,
                checkin_end: "07:30:00".parse().unwrap(),
                late_grace_minutes: 0,
                checkout_start: "14:00:00".parse().unwrap(),
            },
        };
        Self::record(t, at, What::Scan(Box::new(scan)))
    }

    /// The bytes of any record.
    pub fn record(t: &TestApp, at: Millis, what: What) -> String {
        let boot = t.app.ids.random_uuid();
        let stamp = Stamp { claimed: at, trusted: at, grade: Grade::Anchored, boottime_ms: 0, boot };
        let event = EventId(t.app.ids.uuid(at));
        serde_json::to_string(&Record { v: RECORD_VERSION, event, at: stamp, what, origin: None }).unwrap()
    }

    /// The next batch of the log. Its records count as sent.
    pub fn batch(&mut self, t: &TestApp, events: Vec<String>) -> Batch {
        let before = self.head;
        self.head = events.iter().fold(before, |head, event| head.append(self.log, event.as_bytes()));
        self.batch_from(t, before, events)
    }

    /// A batch that goes on from any head at all.
    pub fn batch_from(&self, t: &TestApp, before: Head, events: Vec<String>) -> Batch {
        let last = events.iter().fold(before, |head, event| head.append(self.log, event.as_bytes()));
        let mut batch = Batch {
            proto: PROTO,
            institution: self.institution,
            device: self.device,
            log: self.log,
            batch: BatchId(t.app.ids.random_uuid()),
            first_seq: before.seq + 1,
            prev_hash: before.hash,
            events,
            last_hash: last.hash,
            sig: Signature([0; 64]),
            acked_view: before.seq,
            t1: Reading {
                wall: t.app.now().plus_millis(1_500),
                boottime_ms: 0,
                boot: t.app.ids.random_uuid(),
            },
            health: Health { version: "1.0.0".into(), pending: 3, roster_cursor: 1, ..Health::default() },
        };
        batch.sign(&self.key);
        batch
    }

    /// A signed request over the body as it travels.
    pub fn signed(&self, t: &TestApp, method: &str, target: &str, body: Vec<u8>) -> Request<Body> {
        let nonce = t.app.ids.random_uuid();
        let signed = SignedRequest { device: self.device, nonce, method, target, body: &body };
        request(method, target, None)
            .header(DEVICE_HEADER, self.device.to_string())
            .header(NONCE_HEADER, nonce.to_string())
            .header(SIGNATURE_HEADER, signed.sign(&self.key).to_string())
            .header("content-type", "application/json")
            .header("content-encoding", if method == "POST" { "zstd" } else { "identity" })
            .header("content-length", body.len())
            .body(Body::from(body))
            .unwrap()
    }

    pub async fn get(&self, t: &TestApp, target: &str) -> Answer {
        t.send(self.signed(t, "GET", target, Vec::new())).await
    }

    pub async fn post(&self, t: &TestApp, target: &str, batch: &Batch) -> Answer {
        let body = packed(&serde_json::to_vec(batch).unwrap()).await;
        t.send(self.signed(t, "POST", target, body)).await
    }

    pub async fn send(&self, t: &TestApp, batch: &Batch) -> Answer {
        self.post(t, BATCHES, batch).await
    }

    /// Sends, and believes nothing but a receipt for it.
    pub async fn deliver(&self, t: &TestApp, batch: &Batch) -> Receipt {
        let answer = self.send(t, batch).await;
        self.receipt(t, batch, answer)
    }

    pub fn receipt(&self, t: &TestApp, batch: &Batch, answer: Answer) -> Receipt {
        assert_eq!(answer.status, 200, "{} {}", t.on, answer.body);
        assert_eq!(answer.headers["content-type"], hadir_shared::wire::batch::RECEIPT_CONTENT_TYPE);
        let receipt: Receipt = serde_json::from_value(answer.body).unwrap();
        assert_eq!(receipt.batch, batch.batch);
        receipt.verify(&self.cloud_key, self.device, self.log).unwrap();
        receipt
    }
}

pub async fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    ZstdEncoder::new(bytes).read_to_end(&mut packed).await.unwrap();
    packed
}

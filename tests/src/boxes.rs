//! A box without a box: what one says to the cloud, made by hand.
//!
//! It keeps its log in memory only. Tests use it to send what a real box never would, benchmarks to send faster than one can.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, ensure};
use async_compression::{Level, tokio::write::ZstdEncoder};
use hadir_shared::{
    chain::Head,
    ids::{BatchId, ClassId, DeviceId, EventId, InstitutionId, LogId, UserId},
    rules::{status::Direction, timetable::Timetable},
    settings::Settings,
    sign::{PublicKey, SecretKey, Signature},
    time::{Grade, Millis, Reading, SchoolDay},
    wire::{
        PROTO,
        batch::{Batch, Health, RECEIPT_CONTENT_TYPE, Receipt},
        enrolment::{Enrol, Enrolled},
        record::{Method, RECORD_VERSION, Record, Scan, Stamp, What},
        request::{DEVICE_HEADER, NONCE_HEADER, SIGNATURE_HEADER, SignedRequest},
    },
};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use crate::{now, random_id};

const BATCHES: &str = "/api/offline-sync/batches";

/// An enrolled box, and what it has sent so far.
#[derive(Debug, Clone)]
pub struct HandBox {
    pub device: DeviceId,
    pub institution: InstitutionId,
    pub log: LogId,
    pub key: SecretKey,
    /// Of the cloud: receipts are checked with it.
    pub cloud_key: PublicKey,
    /// The last record that was put into a batch.
    pub head: Head,
    cloud: String,
    boot: Uuid,
    schedule: Timetable,
}

/// A client for tools: 30 seconds, no proxy of the environment.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client() -> anyhow::Result<reqwest::Client> {
    let builder = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30));
    Ok(builder.user_agent("hadir-tests").build()?)
}

impl HandBox {
    /// Joins a school with a one-time code.
    ///
    /// # Errors
    /// When the cloud refuses.
    pub async fn enrol(
        client: &reqwest::Client,
        cloud: &str,
        code: &str,
        name: &str,
    ) -> anyhow::Result<Self> {
        let key = SecretKey::from_seed(&rand::random());
        let enrol = Enrol {
            proto: PROTO,
            code: code.into(),
            public_key: key.public(),
            name: name.into(),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        let answer = client.post(format!("{cloud}/api/offline-sync/enrolments")).json(&enrol).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "the cloud does not enrol {name}: {status} {text}");
        let enrolled: Enrolled =
            serde_json::from_str(&text).with_context(|| format!("no membership: {text}"))?;
        let log = LogId(random_id());
        Ok(Self {
            device: enrolled.device,
            institution: enrolled.institution,
            log,
            key,
            cloud_key: enrolled.cloud_key,
            head: Head::genesis(log),
            cloud: cloud.into(),
            boot: random_id(),
            schedule: Settings::read(1, &BTreeMap::new())?.schedule,
        })
    }

    /// The bytes of a record: a student's card at the gate.
    ///
    /// # Errors
    /// Never, as far as anybody knows: a record is always JSON.
    pub fn scan(
        &self,
        user: UserId,
        class: Option<ClassId>,
        day: SchoolDay,
        at: Millis,
    ) -> anyhow::Result<String> {
        let scan = Scan {
            user,
            direction: Direction::CheckIn,
            day,
            method: Method::Card,
            token: "1".into(),
            gate: "Gerbang 1".into(),
            operator: None,
            class,
            position: None,
            fence: None,
            schedule: self.schedule.on(day),
        };
        self.record(at, What::Scan(Box::new(scan)))
    }

    /// The bytes of any record.
    ///
    /// # Errors
    /// As [`HandBox::scan`].
    pub fn record(&self, at: Millis, what: What) -> anyhow::Result<String> {
        let stamp =
            Stamp { claimed: at, trusted: at, grade: Grade::Estimated, boottime_ms: 0, boot: self.boot };
        let record = Record { v: RECORD_VERSION, event: EventId(random_id()), at: stamp, what, origin: None };
        Ok(serde_json::to_string(&record)?)
    }

    /// The next batch of this log, signed. Its records count as sent, whether or not it is.
    pub fn batch(&mut self, events: Vec<String>) -> Batch {
        let before = self.head;
        self.head = events.iter().fold(before, |head, event| head.append(self.log, event.as_bytes()));
        let mut batch = Batch {
            proto: PROTO,
            institution: self.institution,
            device: self.device,
            log: self.log,
            batch: BatchId(random_id()),
            first_seq: before.seq + 1,
            prev_hash: before.hash,
            events,
            last_hash: self.head.hash,
            sig: Signature([0; 64]),
            acked_view: before.seq,
            t1: Reading { wall: now(), boottime_ms: 0, boot: self.boot },
            health: Health { version: env!("CARGO_PKG_VERSION").into(), ..Health::default() },
        };
        batch.sign(&self.key);
        batch
    }

    /// Sends a batch and believes nothing but a receipt for it.
    ///
    /// # Errors
    /// When the cloud does not take it, or answers with anything but its signed receipt.
    pub async fn send(&self, client: &reqwest::Client, batch: &Batch) -> anyhow::Result<Receipt> {
        self.post(client, batch.batch, packed(batch).await?).await
    }

    /// As [`HandBox::send`], for a batch that was [`packed`] before.
    ///
    /// # Errors
    /// As [`HandBox::send`].
    pub async fn post(
        &self,
        client: &reqwest::Client,
        batch: BatchId,
        body: Vec<u8>,
    ) -> anyhow::Result<Receipt> {
        let nonce = random_id();
        let signed =
            SignedRequest { device: self.device, nonce, method: "POST", target: BATCHES, body: &body };
        let signature = signed.sign(&self.key);
        let answer = client
            .post(format!("{}{BATCHES}", self.cloud))
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_ENCODING, "zstd")
            .header(DEVICE_HEADER, self.device.to_string())
            .header(NONCE_HEADER, nonce.to_string())
            .header(SIGNATURE_HEADER, signature.to_string())
            .body(body)
            .send()
            .await?;
        let status = answer.status();
        let kind = answer
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let text = answer.text().await?;
        ensure!(status.is_success(), "the cloud does not take the batch: {status} {text}");
        ensure!(kind.starts_with(RECEIPT_CONTENT_TYPE), "not a receipt but {kind:?}: {text}");
        let receipt: Receipt = serde_json::from_str(&text)?;
        ensure!(receipt.batch == batch, "a receipt for another batch");
        receipt.verify(&self.cloud_key, self.device, self.log)?;
        Ok(receipt)
    }
}

/// A batch as it travels: JSON, compressed.
///
/// # Errors
/// When there is no memory for it.
pub async fn packed(batch: &Batch) -> anyhow::Result<Vec<u8>> {
    let mut encoder = ZstdEncoder::with_quality(Vec::new(), Level::Fastest);
    encoder.write_all(&serde_json::to_vec(batch)?).await?;
    encoder.shutdown().await?;
    Ok(encoder.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_makes_is_sound_and_continues() {
        let (log, key) = (LogId(random_id()), SecretKey::from_seed(&[1; 32]));
        let mut by_hand = HandBox {
            device: DeviceId(random_id()),
            institution: InstitutionId(1),
            log,
            cloud_key: key.public(),
            key: key.clone(),
            head: Head::genesis(log),
            cloud: String::new(),
            boot: random_id(),
            schedule: Settings::read(1, &BTreeMap::new()).unwrap().schedule,
        };
        let scan = |n| by_hand.scan(UserId(n), None, "2025-11-20".parse().unwrap(), Millis(1)).unwrap();
        let (first, second) = (vec![scan(1), scan(2)], vec![scan(3)]);
        let first = by_hand.batch(first);
        let second = by_hand.batch(second);
        assert_eq!(first.check(&key.public()).unwrap().last(), Some(&second.prev_hash));
        assert_eq!(second.first_seq, 3);
        assert!(second.check(&key.public()).is_ok());
    }
}

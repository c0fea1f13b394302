//! The documented upload: a client that collected by itself, as a device of its sender's own.

use chrono::NaiveDateTime;
use hadir_shared::{
    chain::{Hash, Head},
    ids::{DeviceId, EventId, InstitutionId, LogId, UserId},
    rules::{
        fence::{Position, judge},
        status::Direction,
    },
    settings::Settings,
    time::{Grade, Millis, SchoolDay},
    wire::{
        batch::{Reason, Verdict},
        record::{Method, RECORD_VERSION, Record, Scan, Stamp, What},
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Failed, Outcomes, shown::UNREADABLE, store};
use crate::{
    app::App,
    attendance::{
        books::{self, Candidate, Outcome},
        classes,
        records::{self, Offline},
        settings,
    },
    db::Tx,
    fail::Fail,
};

/// How far a client's clock may run ahead before what it says is not believed.
const AHEAD_MS: i64 = 10 * 60 * 1000;
/// The contract's `qr_token_used` of an upload.
const TOKEN: &str = "OFFLINE";

/// Who uploads.
#[derive(Debug, Clone, Copy)]
pub struct Sender {
    pub institution: InstitutionId,
    pub user: UserId,
    pub uuid: Uuid,
    pub may_record_others: bool,
}

/// What an item says, once it could be read.
#[derive(Debug, PartialEq)]
struct Item {
    user: UserId,
    direction: Direction,
    at: Millis,
    position: Option<Position>,
}

/// An item on its way through.
struct Entry {
    data: Value,
    body: String,
    user: Option<UserId>,
    at: Option<Millis>,
    decided: Decided,
}

enum Decided {
    /// The books decide; the place of its candidate.
    Asked(usize),
    Refused(Reason),
    /// Could not be read, and why.
    Unreadable(String),
}

/// Decides every item, logs every item, and answers for every item.
pub async fn run(app: &App, sender: Sender, items: Vec<Value>) -> Result<Outcomes, Fail> {
    let now = app.now();
    let mut tx = app.db.write(sender.institution).await?;
    let settings = settings::load(&mut tx, sender.institution).await?;
    let mut entries = Vec::with_capacity(items.len());
    let mut candidates = Vec::new();
    for data in items {
        entries.push(prepare(&mut tx, app, sender, &settings, data, &mut candidates, now).await?);
    }
    let outcomes = books::project(&mut tx, sender.institution, &candidates, now).await?;
    log(&mut tx, sender, &entries, &outcomes, now).await?;
    let processed = answer(&mut tx, sender.institution, &settings, entries, &outcomes).await?;
    tx.commit().await?;
    Ok(processed)
}

async fn prepare(
    tx: &mut Tx,
    app: &App,
    sender: Sender,
    settings: &Settings,
    data: Value,
    candidates: &mut Vec<Candidate>,
    now: Millis,
) -> Result<Entry, Fail> {
    let item = match read(&data, sender.user, settings) {
        Ok(item) => item,
        Err(why) => {
            let body = json!({ UNREADABLE: data }).to_string();
            return Ok(Entry { data, body, user: None, at: None, decided: Decided::Unreadable(why) });
        }
    };
    let day = settings.schedule.zone.day(item.at);
    let class = classes::of_student(tx, sender.institution, item.user, day).await?;
    let scan = Scan {
        user: item.user,
        direction: item.direction,
        day,
        method: Method::Offline,
        token: TOKEN.into(),
        gate: String::new(),
        operator: (item.user != sender.user).then_some(sender.user),
        class,
        position: item.position,
        fence: settings.fence.as_ref().zip(item.position).map(|(fence, position)| judge(fence, position)),
        schedule: settings.schedule.on(day),
    };
    let stamp = Stamp {
        claimed: item.at,
        trusted: item.at,
        grade: Grade::Estimated,
        boottime_ms: 0,
        boot: Uuid::nil(),
    };
    let event = EventId(app.ids.uuid(item.at));
    let record = Record {
        v: RECORD_VERSION,
        event,
        at: stamp,
        what: What::Scan(Box::new(scan.clone())),
        origin: None,
    };
    let body = serde_json::to_string(&record).map_err(anyhow::Error::from)?;
    let decided = if item.user != sender.user && !sender.may_record_others {
        Decided::Refused(Reason::NotAllowed)
    } else if let Some(reason) = refusal(&scan, stamp, settings, now) {
        Decided::Refused(reason)
    } else {
        candidates.push(candidate(event, stamp, scan, DeviceId(sender.uuid)));
        Decided::Asked(candidates.len() - 1)
    };
    Ok(Entry { data, body, user: Some(item.user), at: Some(item.at), decided })
}

/// A record of a client's as the books take it: no gate saw it.
pub fn candidate(event: EventId, at: Stamp, scan: Scan, device: DeviceId) -> Candidate {
    Candidate { gate: None, ..Candidate::scanned(event, at, scan, device) }
}

/// What the cloud would have refused online, and the books do not know of.
pub fn refusal(scan: &Scan, at: Stamp, settings: &Settings, now: Millis) -> Option<Reason> {
    if at.claimed.since(now) > AHEAD_MS {
        return Some(Reason::ImpossibleTime);
    }
    scan.fence.is_some_and(|verdict| settings.policy.refuses(verdict)).then_some(Reason::OutsideArea)
}

/// Reads an item, or says in Indonesian why it cannot be.
fn read(data: &Value, own: UserId, settings: &Settings) -> Result<Item, String> {
    let fields = data.as_object().ok_or("Data tidak dapat dibaca")?;
    let field = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let user = match field("user_id") {
        None => own,
        Some(id) => UserId(id.as_i64().ok_or("user_id tidak valid")?),
    };
    let word = field("type").and_then(Value::as_str).ok_or("type wajib diisi")?;
    let direction = Direction::parse(word).ok_or("type harus salah satu dari: checkin, checkout")?;
    let text = field("timestamp").and_then(Value::as_str).ok_or("timestamp wajib diisi")?;
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
        .map_err(|_| "timestamp harus berformat YYYY-MM-DD HH:MM:SS")?;
    let at = settings.schedule.zone.instant(SchoolDay(local.date()), local.time());
    let number = |name: &str| match field(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or_else(|| format!("{name} harus berupa angka")),
    };
    let accuracy = number("accuracy")?;
    let position = match (number("latitude")?, number("longitude")?) {
        (None, None) => None,
        (Some(latitude), Some(longitude)) => {
            Some(Position::new(latitude, longitude, accuracy).ok_or("latitude atau longitude tidak valid")?)
        }
        _ => return Err("latitude dan longitude harus diisi bersama".into()),
    };
    Ok(Item { user, direction, at, position })
}

/// Appends every item to the sender's own log, whose head is locked from here to the commit.
async fn log(
    tx: &mut Tx,
    sender: Sender,
    entries: &[Entry],
    outcomes: &[Outcome],
    now: Millis,
) -> Result<(), Fail> {
    if entries.is_empty() {
        return Ok(());
    }
    let (device, log) = (sender.uuid, LogId(sender.uuid));
    let genesis = Hash::genesis(log).to_string();
    let (seq, hash) = store::lock_head(tx, sender.institution, device, log, &genesis, now).await?;
    let hash = hash.parse().map_err(anyhow::Error::from)?;
    let mut head = Head { seq: u64::try_from(seq).map_err(anyhow::Error::from)?, hash };
    for entry in entries {
        head = head.append(log, entry.body.as_bytes());
        let (verdict, reason, message, attendance_id) = entry.verdict(outcomes);
        let row = store::NewRow {
            device,
            log,
            head,
            body: &entry.body,
            verdict,
            reason,
            message: message.as_deref(),
            user: entry.user,
            at: entry.at,
            attendance_id,
        };
        store::insert(tx, sender.institution, &row, now).await?;
    }
    Ok(store::move_head(tx, sender.institution, device, log, head, now).await?)
}

impl Entry {
    fn verdict(&self, outcomes: &[Outcome]) -> (Verdict, Option<Reason>, Option<String>, Option<i64>) {
        match &self.decided {
            Decided::Asked(at) => {
                let (verdict, reason, attendance_id) = of(outcomes.get(*at).copied());
                (verdict, reason, reason.map(|reason| reason.message().to_owned()), attendance_id)
            }
            Decided::Refused(reason) => {
                (Verdict::Refused, Some(*reason), Some(reason.message().to_owned()), None)
            }
            Decided::Unreadable(why) => {
                (Verdict::Quarantined, Some(Reason::BadSchema), Some(why.clone()), None)
            }
        }
    }
}

/// The books' outcome as the log writes it.
pub fn of(outcome: Option<Outcome>) -> (Verdict, Option<Reason>, Option<i64>) {
    outcome.unwrap_or(Outcome::Conflict).verdict()
}

/// To the uploader a duplicate is a failure, as the contract has it: there is nothing of his in the books.
async fn answer(
    tx: &mut Tx,
    institution: InstitutionId,
    settings: &Settings,
    entries: Vec<Entry>,
    outcomes: &[Outcome],
) -> Result<Outcomes, Fail> {
    let (mut processed, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry.verdict(outcomes) {
            (Verdict::Stored, _, _, Some(id)) => {
                let row = records::by_id(tx, institution, id).await?;
                processed.push(Offline::new(row, settings.schedule.zone));
            }
            (_, _, message, _) => {
                failed.push(Failed { data: entry.data, error: message.unwrap_or_default() });
            }
        }
    }
    Ok(Outcomes { processed_count: processed.len(), failed_count: failed.len(), processed, failed })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_item_is_read_or_told_what_is_wrong_with_it() {
        let settings = Settings::read(1, &BTreeMap::new()).unwrap();
        let good = json!({"user_id": 7, "type": "checkout", "timestamp": "2025-11-20 14:05:30", "latitude": -6.2, "longitude": 106.8});
        let item = read(&good, UserId(1), &settings).unwrap();
        assert_eq!(
            (item.user, item.direction, item.at),
            (UserId(7), Direction::CheckOut, Millis(1_763_622_330_000))
        );
        assert_eq!(item.position.unwrap().accuracy, None);
        let mut own = good.clone();
        own["user_id"] = Value::Null;
        assert_eq!(read(&own, UserId(1), &settings).unwrap().user, UserId(1));

        let cases = [
            (json!(7), "Data tidak dapat dibaca"),
            (json!({}), "type wajib diisi"),
            (json!({"user_id": "7"}), "user_id tidak valid"),
            (json!({"user_id": 1.5}), "user_id tidak valid"),
            (json!({"type": "masuk"}), "type harus salah satu dari: checkin, checkout"),
            (json!({"type": "checkin"}), "timestamp wajib diisi"),
            (json!({"type": "checkin", "timestamp": 7}), "timestamp wajib diisi"),
            (
                json!({"type": "checkin", "timestamp": "2025-13-01 00:00:00"}),
                "timestamp harus berformat YYYY-MM-DD HH:MM:SS",
            ),
            (
                json!({"type": "checkin", "timestamp": "2025-11-20T07:00:00Z"}),
                "timestamp harus berformat YYYY-MM-DD HH:MM:SS",
            ),
            (
                json!({"type": "checkin", "timestamp": "2025-11-20 07:00:00", "latitude": "x"}),
                "latitude harus berupa angka",
            ),
            (
                json!({"type": "checkin", "timestamp": "2025-11-20 07:00:00", "latitude": 1}),
                "latitude dan longitude harus diisi bersama",
            ),
            (
                json!({"type": "checkin", "timestamp": "2025-11-20 07:00:00", "latitude": 91, "longitude": 0}),
                "latitude atau longitude tidak valid",
            ),
        ];
        for (data, why) in cases {
            assert_eq!(read(&data, UserId(1), &settings), Err(why.to_owned()), "{data}");
        }
    }
}

//! Trying a failed record again, with the people, cards and settings of now.

use hadir_shared::{
    ids::DeviceId,
    settings::Settings,
    time::Millis,
    wire::{
        batch::{Reason, Verdict},
        record::{Method, Record, Scan, Stamp, UnknownCard, What},
    },
};
use serde_json::json;

use super::{process, store, unknown};
use crate::{
    app::App,
    attendance::{
        books::{self, Candidate},
        cards, classes,
        records::{self, Offline},
        settings,
    },
    db::Tx,
    fail::Fail,
    http::Member,
    identity::{Entry, audit},
};

/// The contract's `qr_token_used` of a record that was tried again.
const TOKEN: &str = "OFFLINE_RETRY";

/// The record as it stands in the books now. Another failure stays in the log, and is what this fails with.
pub async fn run(app: &App, who: &Member, id: i64) -> Result<Offline, Fail> {
    let now = app.now();
    let mut tx = app.db.write(who.institution).await?;
    // Whoever tries the same record meanwhile waits here, and then finds it decided.
    let Some(row) = store::claim_failed(&mut tx, who.institution, id, now).await? else {
        let known = store::by_id(&mut tx, who.institution, id).await?;
        return Err(known.map_or_else(unknown, |_| {
            Fail::bad_request("Hanya log dengan status failed yang dapat dicoba ulang")
        }));
    };
    let settings = settings::load(&mut tx, who.institution).await?;
    let (verdict, reason, attendance_id) = match candidate(&mut tx, app, who, &row, &settings, now).await? {
        Ok(candidate) => {
            process::of(books::project(&mut tx, who.institution, &[candidate], now).await?.first().copied())
        }
        Err(reason) => (verdict_of(reason), Some(reason), None),
    };
    store::decide(&mut tx, who.institution, id, verdict, reason, attendance_id, now).await?;
    let entry = Entry::new(who.actor(), "sync.retry", format!("sync_record:{id}")).of(who.institution);
    let entry = entry.before(json!({"verdict": row.verdict})).after(json!({"verdict": verdict.as_str()}));
    audit(&mut tx, app, &entry).await?;
    let stands = match attendance_id {
        Some(id) => Some(records::by_id(&mut tx, who.institution, id).await?),
        None => None,
    };
    tx.commit().await?;
    stands.map(|row| Offline::new(row, settings.schedule.zone)).ok_or_else(|| failed(reason))
}

/// The record as the books take it, or why they cannot be asked.
async fn candidate(
    tx: &mut Tx,
    app: &App,
    who: &Member,
    row: &store::Row,
    settings: &Settings,
    now: Millis,
) -> Result<Result<Candidate, Reason>, Fail> {
    let Ok(record) = serde_json::from_str::<Record>(&row.body) else { return Ok(Err(Reason::BadSchema)) };
    let device = DeviceId(row.device_id);
    let candidate = match record.what {
        What::Scan(scan) if scan.method == Method::Offline => {
            if let Some(reason) = process::refusal(&scan, record.at, settings, now) {
                return Ok(Err(reason));
            }
            process::candidate(record.event, record.at, *scan, device)
        }
        What::Scan(scan) => Candidate::scanned(record.event, record.at, *scan, device),
        What::UnknownCard(card) => match known_by_now(tx, app, who, &card, record.at).await? {
            Some(scan) => Candidate::scanned(record.event, record.at, scan, device),
            None => return Ok(Err(Reason::UnknownCard)),
        },
        _ => return Err(Fail::bad_request("Tipe action tidak didukung untuk diulang")),
    };
    let candidate = Candidate { token: TOKEN.into(), ..candidate };
    Ok(if candidate.is_writable() { Ok(candidate) } else { Err(Reason::BadSchema) })
}

/// The scan it would have been, had the card been known.
async fn known_by_now(
    tx: &mut Tx,
    app: &App,
    who: &Member,
    card: &UnknownCard,
    at: Stamp,
) -> Result<Option<Scan>, Fail> {
    let Ok((student, serial)) = cards::resolve(tx, app, who.institution, &card.code).await? else {
        return Ok(None);
    };
    let day = card.schedule.zone.day(at.trusted);
    Ok(Some(Scan {
        user: student,
        direction: card.direction,
        day,
        method: Method::Card,
        token: serial.to_string(),
        gate: card.gate.clone(),
        operator: card.operator,
        class: classes::of_student(tx, who.institution, student, day).await?,
        position: None,
        fence: None,
        schedule: card.schedule,
    }))
}

const fn verdict_of(reason: Reason) -> Verdict {
    match reason {
        Reason::BadSchema => Verdict::Quarantined,
        _ => Verdict::Refused,
    }
}

fn failed(reason: Option<Reason>) -> Fail {
    let why = reason.map_or("", Reason::message);
    Fail::bad_request(format!("Sinkronisasi gagal saat diulang: {why}"))
}

//! What an admin can do with one record that failed.
//!
//! | route | what |
//! |---|---|
//! | `POST /offline-sync/{id}/retry` | decided as if it came now |
//! | `POST /offline-sync/{id}/map` | it is this person's; one record, never those to come |
//! | `POST /offline-sync/{id}/accept` | although a rule refuses it |
//! | `POST /offline-sync/{id}/discard` | it stays in the log and counts for nothing |
//! | `POST /offline-sync/{id}/reopen` | it was discarded by mistake |

use aide::axum::{ApiRouter, routing::post_with};
use axum::extract::State;
use chrono::NaiveDateTime;
use hadir_shared::{
    ids::UserId,
    time::{Millis, SchoolDay, Zone},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    decide::{self, Decision, Hand, How},
    shown::DISCARDED,
    store, unknown,
};
use crate::{
    app::App,
    attendance::{
        dialect::{Done, Said},
        permits::RetrySync,
        records::Offline,
        settings,
    },
    fail::{Fail, Flaw},
    http::{Allowed, Body, Check, Segment, describe::says},
};

/// Somebody's reason, in characters.
const REASON: std::ops::RangeInclusive<usize> = 3..=500;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/offline-sync/{id}/retry", post_with(retry, says("Try a failed record again")))
        .api_route("/offline-sync/{id}/map", post_with(map, says("Give a failed record to a person")))
        .api_route("/offline-sync/{id}/accept", post_with(accept, says("Accept a failed record as it is")))
        .api_route(
            "/offline-sync/{id}/discard",
            post_with(discard, says("Let a failed record count for nothing")),
        )
        .api_route("/offline-sync/{id}/reopen", post_with(reopen, says("Take a discarded record up again")))
}

#[derive(Deserialize, JsonSchema)]
struct Mapping {
    user_id: Option<UserId>,
    reason: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Acceptance {
    reason: Option<String>,
    /// When it was, by the school's clocks: for a record whose own time cannot be.
    timestamp: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Because {
    reason: Option<String>,
}

impl Because {
    fn check(self) -> Result<String, Fail> {
        let mut check = Check::new();
        let reason = check.text("reason", self.reason, REASON);
        check.finish()?;
        Ok(reason)
    }
}

async fn retry(
    State(app): State<App>,
    who: Allowed<RetrySync>,
    Segment(id): Segment<i64>,
) -> Result<Said<Offline>, Fail> {
    let words = ("Hanya log dengan status failed yang dapat dicoba ulang", "Sinkronisasi gagal saat diulang");
    let row = decide::one(&app, Hand::from(&*who), id, How::Retry, None, words).await?;
    Ok(Said("Sinkronisasi berhasil diulang", row))
}

async fn map(
    State(app): State<App>,
    who: Allowed<RetrySync>,
    Segment(id): Segment<i64>,
    Body(mapping): Body<Mapping>,
) -> Result<Said<Offline>, Fail> {
    let mut check = Check::new();
    let user = check.required("user_id", mapping.user_id.map(|user| user.0));
    let reason = check.optional_text("reason", mapping.reason, REASON);
    check.finish()?;
    let words =
        ("Hanya log dengan status failed yang dapat dipetakan", "Log dipetakan, tetapi belum diterima");
    let how = How::Map(UserId(user));
    let row = decide::one(&app, Hand::from(&*who), id, how, reason.as_deref(), words).await?;
    Ok(Said("Log berhasil dipetakan", row))
}

async fn accept(
    State(app): State<App>,
    who: Allowed<RetrySync>,
    Segment(id): Segment<i64>,
    Body(acceptance): Body<Acceptance>,
) -> Result<Said<Offline>, Fail> {
    let mut check = Check::new();
    let reason = check.text("reason", acceptance.reason, REASON);
    let moment = check.optional_text("timestamp", acceptance.timestamp, 1..=32);
    check.finish()?;
    let at = match moment {
        None => None,
        Some(text) => Some(moment_of(&text, zone(&app, &who).await?)?),
    };
    let words = ("Hanya log dengan status failed yang dapat diterima", "Log belum dapat diterima");
    let row = decide::one(&app, Hand::from(&*who), id, How::Accept(at), Some(&reason), words).await?;
    Ok(Said("Log berhasil diterima", row))
}

async fn zone(app: &App, who: &Allowed<RetrySync>) -> Result<Zone, Fail> {
    let mut tx = app.db.read(who.institution).await?;
    Ok(settings::load(&mut tx, who.institution).await?.schedule.zone)
}

fn moment_of(text: &str, zone: Zone) -> Result<Millis, Fail> {
    let flaw = || Flaw::Said("timestamp harus berformat YYYY-MM-DD HH:MM:SS".into());
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
        .map_err(|_| Fail::invalid("timestamp", flaw()))?;
    Ok(zone.instant(SchoolDay(local.date()), local.time()))
}

async fn discard(
    State(app): State<App>,
    who: Allowed<RetrySync>,
    Segment(id): Segment<i64>,
    Body(because): Body<Because>,
) -> Result<Done, Fail> {
    let reason = because.check()?;
    let hand = Hand::from(&*who);
    let mut tx = app.db.write(hand.institution).await?;
    let Some(before) = store::decisions::discard(&mut tx, hand.institution, id, app.now()).await? else {
        let known = store::list::by_id(&mut tx, hand.institution, id).await?;
        let not_failed = Fail::bad_request("Hanya log dengan status failed yang dapat diabaikan");
        return Err(known.map_or_else(unknown, |_| not_failed));
    };
    let decision = decision(hand, "discard", &reason, &before, DISCARDED);
    decide::keep(&mut tx, &app, hand, "sync.discard", id, &decision).await?;
    tx.commit().await?;
    Ok(Done("Log berhasil diabaikan"))
}

async fn reopen(
    State(app): State<App>,
    who: Allowed<RetrySync>,
    Segment(id): Segment<i64>,
    Body(because): Body<Because>,
) -> Result<Done, Fail> {
    let reason = because.check()?;
    let hand = Hand::from(&*who);
    let mut tx = app.db.write(hand.institution).await?;
    let Some(after) = store::decisions::reopen(&mut tx, hand.institution, id, app.now()).await? else {
        let known = store::list::by_id(&mut tx, hand.institution, id).await?;
        let not_discarded = Fail::bad_request("Hanya log yang diabaikan yang dapat dibuka kembali");
        return Err(known.map_or_else(unknown, |_| not_discarded));
    };
    let decision = decision(hand, "reopen", &reason, DISCARDED, &after);
    decide::keep(&mut tx, &app, hand, "sync.reopen", id, &decision).await?;
    tx.commit().await?;
    Ok(Done("Log berhasil dibuka kembali"))
}

fn decision<'d>(
    hand: Hand,
    action: &'static str,
    words: &'d str,
    before: &'d str,
    after: &'d str,
) -> Decision<'d> {
    Decision { by: hand.user, action, words: Some(words), user: None, at: None, before, after, error: None }
}

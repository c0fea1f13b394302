//! Whether the school's cloud can be reached from here, and is the one who answers.

use chrono::DateTime;
use hadir_shared::time::Millis;
use reqwest::{Client, Response, header::DATE, redirect::Policy};

use super::{PATIENCE, Patient, Seen};
use crate::{clock::Timekeeper, link::Unreachable};

/// The whole answer of a cloud that is well.
const WELL: &str = "ok\n";
/// A clock further off than this makes students late who are not.
const OFF_MS: i64 = 60_000;

pub async fn look(patient: &Patient<'_>, time: &Timekeeper) -> Seen {
    let Some(kept) = &patient.kept else { return Seen::skipped("no box has run here yet") };
    match &kept.member {
        Some(member) => call(&member.cloud, time).await,
        None => Seen::skipped("the box belongs to no school"),
    }
}

pub async fn call(cloud: &str, time: &Timekeeper) -> Seen {
    let client = Client::builder().timeout(PATIENCE).redirect(Policy::none()).build();
    let sent = match client {
        Ok(client) => client.get(format!("{cloud}/healthz")).send().await,
        Err(error) => Err(error),
    };
    let answer = match sent {
        Ok(answer) => answer,
        Err(error) => return out_of_reach(cloud, &Unreachable::from(error).to_string()),
    };
    let (status, ahead) = (answer.status(), ahead_ms(&answer, time));
    let is_whole = answer.text().await.is_ok_and(|text| text == WELL);
    if status.is_server_error() {
        return Seen::wrong(
            format!("{cloud} answers {status}"),
            "nothing here: the box keeps its records and delivers them when the cloud is well again",
        );
    }
    if !status.is_success() || !is_whole {
        return Seen::wrong(
            format!("{cloud}: somebody else answers ({status})"),
            "a captive portal, as school networks have: sign this machine in there, or have its address let through",
        );
    }
    match ahead {
        Some(ms) if ms.abs() > OFF_MS => Seen::wrong(
            format!("{cloud} answers, but this machine's clock is {} s from its", ms / 1000),
            "timedatectl set-ntp true",
        ),
        _ => Seen::fine(format!("{cloud} answers")),
    }
}

fn out_of_reach(cloud: &str, why: &str) -> Seen {
    let fix = if why.contains("certificate") {
        "the clock may be wrong (see `clock`), or somebody between here and the cloud reads along: never go on over plain http"
    } else {
        "the internet may be out, which is what the box is for: it records and delivers later. If other machines here reach it, \
         look at cable, DNS (resolvectl query) and firewall (port 443 outwards)"
    };
    Seen::wrong(format!("{cloud}: {why}"), fix)
}

/// By how much this machine's clock is ahead of whoever answered; seconds at best.
fn ahead_ms(answer: &Response, time: &Timekeeper) -> Option<i64> {
    let said = answer.headers().get(DATE)?.to_str().ok()?;
    let there = DateTime::parse_from_rfc2822(said).ok()?;
    Some(time.reading().wall.since(Millis(there.timestamp_millis())))
}

//! What the kiosk shows: the rotating QR with its digits, and who passed last.
//!
//! What always holds: everything in one answer belongs to one moment, so that the page can go dark when it gets no new one;
//! people are named by their first name and an initial, because everybody walks past a kiosk.

use axum::{Router, extract::State, routing::get};
use hadir_shared::time::Millis;
use serde::Serialize;

use super::{
    Web,
    auth::AtScreen,
    dialect::Data,
    fail::Fail,
    qrcode::{self, CheckInBase, Shown},
    scan,
};

pub fn routes() -> Router<Web> {
    Router::new().route("/kiosk", get(state))
}

#[derive(Serialize)]
struct Kiosk {
    #[serde(flatten)]
    shown: Shown,
    svg: String,
    school: String,
    zone: &'static str,
    zone_name: String,
    latest: Vec<Passed>,
}

#[derive(Serialize)]
struct Passed {
    seq: Option<u64>,
    name: String,
    initials: String,
    outcome: &'static str,
    time: Option<String>,
    at: Option<Millis>,
}

async fn state(State(web): State<Web>, _: AtScreen, base: CheckInBase) -> Result<Data<Kiosk>, Fail> {
    let shown = qrcode::now(&web, &base)?;
    let roster = web.node.roster();
    let zone = roster.schedule().zone;
    let latest = scan::latest(&web).await?.into_iter().map(|o| {
        let name = o.name.unwrap_or_default();
        Passed {
            seq: o.seq,
            initials: initials(&name),
            name: short(&name),
            outcome: o.outcome,
            time: o.time,
            at: o.at,
        }
    });
    Ok(Data(Kiosk {
        svg: qrcode::svg(&shown.url)?,
        school: roster.institution.name.clone(),
        zone: zone.name(),
        zone_name: zone.abbreviation(shown.now),
        latest: latest.collect(),
        shown,
    }))
}

/// `Andi Pratama Wijaya` is `AW`.
fn initials(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|w| w.chars().next());
    words.next().into_iter().chain(words.next_back()).flat_map(char::to_uppercase).collect()
}

/// `Andi Pratama Wijaya` is `Andi W.`
fn short(name: &str) -> String {
    let mut words = name.split_whitespace();
    let first = words.next().unwrap_or_default();
    match words.next_back().and_then(|w| w.chars().next()) {
        Some(initial) => format!("{first} {initial}."),
        None => first.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_named_briefly() {
        for (name, brief, letters) in [
            ("Andi Pratama Wijaya", "Andi W.", "AW"),
            ("Budi", "Budi", "B"),
            ("  élan   vital ", "élan v.", "ÉV"),
            ("", "", ""),
        ] {
            assert_eq!((short(name).as_str(), initials(name).as_str()), (brief, letters));
        }
    }
}

//! What the kiosk shows: the rotating QR with its digits, and who passed last.
//!
//! What always holds: everything in one answer belongs to one moment, so that the page can go dark when it gets no new one;
//! people are initials unless the school wants more, because everybody walks past a kiosk.

use axum::{Router, extract::State, routing::get};
use hadir_shared::{settings::KioskPeople, time::Millis};
use serde::Serialize;

use super::{
    Web,
    auth::AtScreen,
    dialect::Data,
    fail::Fail,
    qrcode::{self, CheckInBase, Shown},
    scan,
};
use crate::clock::BUILT;

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
    /// Tells one version of the program from the next, for a page that was loaded from the one before.
    built: Millis,
}

#[derive(Serialize)]
struct Passed {
    seq: Option<u64>,
    /// Where the school lets kiosks name people.
    name: Option<String>,
    initials: String,
    outcome: &'static str,
    time: Option<String>,
    at: Option<Millis>,
}

async fn state(State(web): State<Web>, _: AtScreen, base: CheckInBase) -> Result<Data<Kiosk>, Fail> {
    let shown = qrcode::now(&web, &base)?;
    let roster = web.node.roster();
    let zone = roster.schedule().zone;
    let people = roster.settings.kiosk_people;
    let latest = if people == KioskPeople::Nobody { vec![] } else { scan::latest(&web).await? };
    let latest = latest.into_iter().filter(|o| !o.is_void).map(|o| {
        let name = o.name.unwrap_or_default();
        Passed {
            seq: o.seq,
            initials: initials(&name),
            name: (people == KioskPeople::Names).then(|| short(&name)),
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
        built: BUILT,
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
    use hadir_shared::wire::roster::entity;
    use serde_json::{Value, json};

    use super::*;
    use crate::http::testing::Served;

    #[tokio::test]
    async fn a_kiosk_tells_of_people_what_the_school_lets_it() {
        let school = Served::at("06:41:00").await;
        school.post("/api/scan", json!({"number": "1001"})).here().await.data();
        let name = school.node().roster().person_by_number("1001").unwrap().name.clone();
        let person = json!({
            "id": school.id("1001"), "uuid": uuid::Uuid::from_u128(1), "number": "1001", "name": name, "role": 1,
            "active": true,
        });
        for (policy, shown) in [
            (None, json!([null, initials(&name)])),
            (Some("initials"), json!([null, initials(&name)])),
            (Some("names"), json!([short(&name), initials(&name)])),
            (Some("none"), Value::Null),
        ] {
            let values: Value = policy.map_or(json!({}), |policy| json!({"kiosk_people": policy}));
            let keys = json!({"qr": "07".repeat(32), "cards": {}, "cloud": [], "jwks": {"keys": []}, "issuer": "", "audience": ""});
            school.shows(&[
                Served::entry(entity::SETTINGS, "", &json!({"version": 1, "values": values})),
                Served::entry(entity::KEYS, "", &keys),
                Served::entry(entity::PERSON, school.id("1001"), &person),
            ]);
            let answer = school.get("/api/kiosk").here().await;
            let one = &answer.data()["latest"][0];
            let told = if one.is_null() { Value::Null } else { json!([one["name"], one["initials"]]) };
            assert_eq!(told, shown, "{policy:?}");
            assert!(!answer.text().contains(&name), "never the whole name");
        }
        assert!(name.contains(' '), "or its short form would be the whole");
    }

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

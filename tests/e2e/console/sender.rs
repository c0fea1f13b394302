//! What fills the log: a box of SMAN1, made by hand, and what it sends.

use hadir_shared::{
    ids::{ClassId, UserId},
    rules::status::{Direction, Schedule},
    settings::Settings,
    time::{Millis, Zone},
    wire::{
        batch::Batch,
        record::{UnknownCard, What},
    },
};
use hadir_tests::{
    boxes::{HandBox, client},
    now,
};

use super::Console;

const DAY_MS: i64 = 24 * 3600 * 1000;

pub async fn enrolled(console: &Console) -> HandBox {
    let code = console.cloud.plan.enrolment_code("SMAN1").await.unwrap();
    HandBox::enrol(&client().unwrap(), &console.cloud.url(), &code, "Gerbang Uji").await.unwrap()
}

pub async fn send(sender: &HandBox, batch: &Batch) {
    sender.send(&client().unwrap(), batch).await.unwrap();
}

fn schedule(at: Millis) -> Schedule {
    Settings::read(1, &[].into()).unwrap().schedule.at(at)
}

/// Check-ins of somebody on so many days before today.
pub fn days_of(sender: &HandBox, person: i64, class: Option<ClassId>, days: i64) -> Vec<String> {
    let scan = |ago: i64| {
        let at = now().plus_millis(-ago * DAY_MS);
        sender.scan(UserId(person), class, Zone::JAKARTA.day(at), at).unwrap()
    };
    (1..=days).map(scan).collect()
}

/// A card that the box did not know, yesterday.
pub fn unknown_card(sender: &HandBox, code: &str) -> String {
    let at = now().plus_millis(-DAY_MS);
    let card = UnknownCard {
        code: code.into(),
        direction: Direction::CheckIn,
        day: Zone::JAKARTA.day(at),
        gate: "Gerbang Uji".into(),
        operator: None,
        schedule: schedule(at),
    };
    sender.record(at, What::UnknownCard(card)).unwrap()
}

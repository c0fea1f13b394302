//! A record of the log, read for people.

use hadir_shared::{
    time::{Millis, Zone},
    wire::record::{Record, What},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::attendance::records::local;

/// Under this name the log keeps an item that could not be read.
pub const UNREADABLE: &str = "unreadable";

pub const FAILED: &str = "failed";
/// A verdict and a status.
pub const DISCARDED: &str = "discarded";
/// Somebody accepted what contradicted the books: a correction stands beside them.
pub const CORRECTED: &str = "corrected";
/// The contract's three, one of ours, and the four words people use for it ([`of_word`]).
pub const STATUSES: &[&str] =
    &["pending", "success", FAILED, DISCARDED, "menunggu", "terkirim", "ditolak", "bentrok"];
/// A box is told the first five only.
pub const VERDICTS: &[&str] =
    &["stored", "duplicate", "conflict", "refused", "quarantined", CORRECTED, DISCARDED];

/// The log's status of a verdict. Nothing is ever pending here: what has arrived is decided with its arrival.
pub fn status(verdict: &str) -> &'static str {
    match verdict {
        "stored" | "duplicate" | CORRECTED => "success",
        DISCARDED => DISCARDED,
        _ => FAILED,
    }
}

/// The contract's status and the verdict that a word of people's stands for. What waits is what is held in quarantine: at the
/// box something waits to be sent, here it waits for somebody.
pub fn of_word(word: &str) -> (Option<&str>, Option<&str>) {
    match word {
        "terkirim" => (Some("success"), None),
        "menunggu" => (None, Some("quarantined")),
        "ditolak" => (None, Some("refused")),
        "bentrok" => (None, Some("conflict")),
        DISCARDED => (Some(DISCARDED), Some(DISCARDED)),
        status => (Some(status), None),
    }
}

pub struct Shown {
    pub data: Value,
    pub event: Option<Uuid>,
}

/// What the record says. One that is not understood is shown as it came.
pub fn read(body: &str, zone: Zone) -> Shown {
    match serde_json::from_str::<Record>(body) {
        Ok(record) => {
            Shown { event: Some(record.event.0), data: data(&record.what, record.at.claimed, zone) }
        }
        Err(_) => Shown { event: None, data: unread(body) },
    }
}

fn unread(body: &str) -> Value {
    match serde_json::from_str::<Value>(body) {
        Ok(Value::Object(mut fields)) => fields.remove(UNREADABLE).unwrap_or(Value::Object(fields)),
        Ok(other) => other,
        Err(_) => body.into(),
    }
}

fn data(what: &What, claimed: Millis, zone: Zone) -> Value {
    match what {
        What::Scan(scan) => json!({
            "type": scan.direction,
            "timestamp": local(zone, claimed),
            "latitude": scan.position.map(|position| position.latitude),
            "longitude": scan.position.map(|position| position.longitude),
            "accuracy": scan.position.and_then(|position| position.accuracy),
            "method": scan.method,
            "qr_token_used": scan.token,
            "gate": scan.gate,
            "class_id": scan.class,
            "operator_id": scan.operator,
        }),
        What::UnknownCard(card) => json!({
            "type": card.direction,
            "timestamp": local(zone, claimed),
            "qr_code": card.code,
            "gate": card.gate,
            "operator_id": card.operator,
        }),
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_shown_as_it_came() {
        let cases = [
            (r#"{"unreadable":{"user_id":"x"}}"#, json!({"user_id": "x"})),
            (r#"{"unreadable":7}"#, json!(7)),
            (r#"{"from":"the future"}"#, json!({"from": "the future"})),
            ("not even JSON", json!("not even JSON")),
        ];
        for (body, data) in cases {
            let shown = read(body, Zone::JAKARTA);
            assert_eq!((shown.data, shown.event), (data, None), "{body}");
        }
    }
}

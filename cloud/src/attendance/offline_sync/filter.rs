//! Which part of the log somebody asks for: in the query of the list, and in the body of a retry of many.

use chrono::{NaiveDate, NaiveTime};
use hadir_shared::time::{Millis, SchoolDay, Zone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    shown::{FAILED, STATUSES, VERDICTS, of_word},
    store::list::Lead,
};
use crate::{
    fail::{Fail, Flaw},
    http::Check,
};

/// A text to look for is not longer, in characters.
const LONGEST_SEARCH: usize = 100;
/// The names in [`Asked`].
const FIELDS: &[&str] =
    &["user_id", "status", "verdict", "action_type", "device_id", "start_date", "end_date", "q"];

/// The contract's status that no record of the log has: what arrived is decided.
const NONE: &str = "pending";

/// As it comes.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
pub struct Asked {
    pub user_id: Option<i64>,
    /// A status of the contract, `discarded`, or one of the words `menunggu`, `terkirim`, `ditolak`, `bentrok`.
    pub status: Option<String>,
    pub verdict: Option<String>,
    pub action_type: Option<String>,
    pub device_id: Option<Uuid>,
    pub start_date: Option<SchoolDay>,
    pub end_date: Option<SchoolDay>,
    /// Part of a name, a number or an error message.
    pub q: Option<String>,
}

/// Valid. What is `None` restricts nothing.
#[derive(Debug)]
pub struct Filter {
    pub user: Option<i64>,
    pub status: Option<String>,
    pub verdict: Option<String>,
    pub action: Option<String>,
    pub device: Option<Uuid>,
    /// From this instant to that, both included.
    pub from: Option<Millis>,
    pub until: Option<Millis>,
    text: Option<String>,
}

impl Asked {
    /// From a body. A name that is none is refused: without the filter it was meant to be, all would be taken.
    pub fn from_body(body: Map<String, Value>) -> Result<Self, Fail> {
        if let Some(unknown) = body.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(Fail::invalid(format!("filter.{unknown}"), Flaw::Unknown));
        }
        serde_path_to_error::deserialize(Value::Object(body)).map_err(|e| {
            let field = format!("filter.{}", e.path());
            Fail::invalid(field, Flaw::WrongType(e.into_inner().to_string()))
        })
    }

    /// Days are the school's.
    pub fn check(self, zone: Zone) -> Result<Filter, Fail> {
        let mut check = Check::new();
        let action = check.optional_text("action_type", self.action_type, 1..=32);
        let status = check.optional_text("status", self.status, 1..=32);
        if let Some(status) = &status {
            check.one_of("status", status, STATUSES);
        }
        let verdict = check.optional_text("verdict", self.verdict, 1..=32);
        if let Some(verdict) = &verdict {
            check.one_of("verdict", verdict, VERDICTS);
        }
        let text = check.optional_text("q", self.q, 1..=LONGEST_SEARCH);
        let is_in_order = self.start_date.zip(self.end_date).is_none_or(|(first, last)| first <= last);
        let flaw = Flaw::Said("end_date tidak boleh sebelum start_date".into());
        check.that(is_in_order, "end_date", flaw);
        check.finish()?;
        let (mut status, mut verdict) = (status, verdict);
        if let Some(word) = status.take() {
            let (of_contract, meant) = of_word(&word);
            let contradicts = meant.is_some_and(|meant| verdict.as_deref().is_some_and(|said| said != meant));
            status = if contradicts { Some(NONE.into()) } else { of_contract.map(str::to_owned) };
            verdict = verdict.or_else(|| meant.map(str::to_owned));
        }
        let begins = |day: NaiveDate| zone.instant(SchoolDay(day), NaiveTime::MIN);
        let after = self.end_date.and_then(|day| day.0.succ_opt()).map(begins);
        Ok(Filter {
            user: self.user_id,
            status,
            verdict,
            action,
            device: self.device_id,
            from: self.start_date.map(|day| begins(day.0)),
            until: after.map(|after| after.plus_millis(-1)),
            text,
        })
    }
}

impl Filter {
    /// The index that is likely to leave the fewest rows. `names_few`: the text names no more people than can be looked up
    /// each by himself.
    pub fn lead(&self, names_few: bool) -> Lead {
        let is_told =
            |given: &Option<String>, usual: &str| given.as_deref().is_some_and(|word| word != usual);
        match (self.from, self.until) {
            _ if self.user.is_some() => Lead::User,
            _ if is_told(&self.verdict, "stored") => Lead::Verdict,
            _ if self.status.as_deref() == Some(FAILED) => Lead::Failed,
            _ if self.text.is_some() && names_few => Lead::People,
            (None, None) if is_told(&self.action, "attendance") => Lead::Action,
            (None, None) if self.device.is_some() => Lead::Device,
            (None, None) => Lead::Id,
            _ => Lead::Time,
        }
    }

    /// A LIKE pattern that finds the text as it stands, in lower case.
    pub fn pattern(&self) -> Option<String> {
        let escape =
            |text: &String| text.replace('!', "!!").replace('%', "!%").replace('_', "!_").to_lowercase();
        self.text.as_ref().map(|text| format!("%{}%", escape(text)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filter(body: &Value) -> Result<Filter, Fail> {
        Asked::from_body(body.as_object().unwrap().clone())?.check(Zone::JAKARTA)
    }

    #[test]
    fn the_narrowest_index_leads() {
        let box_id = Uuid::nil();
        let cases = [
            (json!({}), Lead::Id),
            (json!({"status": "success"}), Lead::Id),
            (json!({"verdict": "stored", "action_type": "attendance"}), Lead::Id),
            (json!({"status": "failed", "device_id": box_id}), Lead::Failed),
            (json!({"status": "discarded"}), Lead::Verdict),
            (json!({"verdict": "quarantined", "q": "andi"}), Lead::Verdict),
            (json!({"user_id": 7, "status": "failed"}), Lead::User),
            (json!({"q": "andi", "start_date": "2025-11-01"}), Lead::People),
            (json!({"start_date": "2025-11-01", "end_date": "2025-11-02", "device_id": box_id}), Lead::Time),
            (json!({"start_date": "2025-11-01"}), Lead::Time),
            (json!({"end_date": "2025-11-01", "action_type": "boot"}), Lead::Time),
            (json!({"device_id": box_id}), Lead::Device),
            (json!({"action_type": "boot", "device_id": box_id}), Lead::Action),
        ];
        for (body, lead) in cases {
            assert_eq!(filter(&body).unwrap().lead(true), lead, "{body}");
        }
        let broad = filter(&json!({"q": "a"})).unwrap();
        assert_eq!(broad.lead(false), Lead::Id, "of so many people the newest rows hold enough");
    }

    #[test]
    fn a_word_is_a_verdict_and_two_that_differ_are_none() {
        let cases = [
            (json!({"status": "terkirim"}), Some("success"), None),
            (json!({"status": "menunggu"}), None, Some("quarantined")),
            (json!({"status": "ditolak"}), None, Some("refused")),
            (json!({"status": "bentrok", "verdict": "conflict"}), None, Some("conflict")),
            (json!({"status": "bentrok", "verdict": "stored"}), Some(NONE), Some("stored")),
            (json!({"status": "discarded"}), Some("discarded"), Some("discarded")),
            (json!({"status": "failed", "verdict": "refused"}), Some("failed"), Some("refused")),
        ];
        for (body, status, verdict) in cases {
            let filter = filter(&body).unwrap();
            assert_eq!((filter.status.as_deref(), filter.verdict.as_deref()), (status, verdict), "{body}");
        }
    }

    #[test]
    fn a_filter_that_is_none_is_refused_and_not_left_out() {
        for body in [
            json!({"userid": 7}),
            json!({"user_id": "seven"}),
            json!({"status": "lost"}),
            json!({"verdict": "lost"}),
            json!({"start_date": "2025-11-02", "end_date": "2025-11-01"}),
            json!({"q": "x".repeat(101)}),
        ] {
            assert!(matches!(filter(&body), Err(Fail::Invalid(_))), "{body}");
        }
        assert_eq!(filter(&json!({"q": "10%_!A"})).unwrap().pattern().as_deref(), Some("%10!%!_!!a%"));
    }
}

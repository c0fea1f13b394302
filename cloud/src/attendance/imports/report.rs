//! What an import did, or would do, as it is told.

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::Serialize;

use super::plan::{Row, Step, World, new_classes};
use crate::{
    attendance::dialect::{self, Unfit},
    fail::Problem,
};

/// Rows of an answer; the counts are of all.
const MOST_SHOWN: usize = 200;

/// What an import does, or would do.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    dry_run: bool,
    total: usize,
    pub created: usize,
    pub updated: usize,
    pub unchanged: usize,
    refused: usize,
    /// The names of new classes.
    classes_created: Vec<String>,
    /// The refused rows, then those that are created or updated; [`MOST_SHOWN`] at most.
    rows: Vec<Shown>,
    /// Such rows beyond those.
    rows_left_out: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ImportedRow")]
struct Shown {
    /// As a spreadsheet counts it: the first is 1.
    row: u64,
    action: &'static str,
    nisn_nip_nik: String,
    name: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    errors: BTreeMap<String, Vec<String>>,
}

pub fn report(rows: &[Row], world: &World, dry_run: bool) -> Report {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for row in rows {
        *counts.entry(row.step.name()).or_default() += 1;
    }
    let count = |action| counts.get(action).copied().unwrap_or_default();
    let telling = rows.len() - count("unchanged");
    let mut shown: Vec<&Row> = rows.iter().filter(|row| !matches!(row.step, Step::Unchanged)).collect();
    shown.sort_by_key(|row| !matches!(row.step, Step::Refused(_)));
    Report {
        dry_run,
        total: rows.len(),
        created: count("created"),
        updated: count("updated"),
        unchanged: count("unchanged"),
        refused: count("refused"),
        classes_created: new_classes(rows, world),
        rows: shown.into_iter().take(MOST_SHOWN).map(Shown::from).collect(),
        rows_left_out: telling.saturating_sub(MOST_SHOWN),
    }
}

/// Every flaw under the row and field it is in: `rows.7.email`.
pub fn unfit(rows: &[Row], world: &World) -> Unfit<Report> {
    let refused = rows.iter().filter_map(|row| match &row.step {
        Step::Refused(problems) => Some((row.line, problems)),
        _ => None,
    });
    let errors = refused.take(MOST_SHOWN).flat_map(|(row, problems)| {
        dialect::errors(problems)
            .into_iter()
            .map(move |(field, texts)| (format!("rows.{row}.{field}"), texts))
    });
    Unfit(errors.collect(), report(rows, world, false))
}

impl Step {
    const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "created",
            Self::Update(..) => "updated",
            Self::Unchanged => "unchanged",
            Self::Refused(_) => "refused",
        }
    }
}

impl From<&Row> for Shown {
    fn from(row: &Row) -> Self {
        let problems: &[Problem] = match &row.step {
            Step::Refused(problems) => problems,
            _ => &[],
        };
        Self {
            row: row.line,
            action: row.step.name(),
            nisn_nip_nik: row.number.clone(),
            name: row.name.clone(),
            errors: dialect::errors(problems)
                .into_iter()
                .map(|(field, texts)| (field.to_owned(), texts))
                .collect(),
        }
    }
}

//! One box.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Response};
use hadir_shared::{ids::DeviceId, time::Millis};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    super::{
        alerts::{self, Alert},
        store::{self, ListedRow, LogRow},
        unknown,
    },
    Words,
};
use crate::{
    app::App,
    attendance::permits::{ReadDevices, RetrySync, WriteDevices},
    console::{Lang, Shell, Visit, chart, html},
    fail::Fail,
    http::{Params, Permission as _, Segment},
};

const HOUR_MS: i64 = 3_600_000;

#[derive(Deserialize)]
pub struct Asked {
    /// `7d`, or the last day.
    range: Option<String>,
}

#[derive(Template)]
#[template(path = "console/box.html")]
struct BoxPage {
    shell: Shell,
    row: ListedRow,
    logs: Vec<LogRow>,
    quarantined: BTreeMap<Uuid, i64>,
    alerts: Vec<Alert>,
    lags: Lags,
    may_write: bool,
    may_retry: bool,
}

pub async fn show(
    State(app): State<App>,
    visit: Visit<ReadDevices>,
    Segment((_, id)): Segment<(i64, DeviceId)>,
    Params(asked): Params<Asked>,
) -> Result<Response, Fail> {
    let (institution, now) = (visit.institution, app.now());
    let mut tx = app.db.read(institution).await?;
    let row = store::one(&mut tx, institution, id).await?.ok_or_else(unknown)?;
    let range = Range::of(asked.range.as_deref());
    let since = range.since(now);
    let steps = store::lags(&mut tx, institution, id, since, range.step_ms()).await?;
    let opened = alerts::opened(&mut tx, institution, now).await?;
    let heard = store::heard(&mut tx, institution).await?;
    let own = heard.iter().filter(|heard| heard.id == id.0);
    html(&BoxPage {
        alerts: own.flat_map(|heard| alerts::of_box(heard, opened, now)).collect(),
        logs: store::logs(&mut tx, institution, id).await?,
        quarantined: store::quarantined(&mut tx, institution, id).await?.into_iter().collect(),
        lags: Lags::new(range, since, &steps, &visit.shell),
        row,
        may_write: visit.may(WriteDevices::CODE),
        may_retry: visit.may(RetrySync::CODE),
        shell: visit.shell,
    })
}

/// What the chart goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    Day,
    Week,
}

impl Range {
    fn of(text: Option<&str>) -> Self {
        if text == Some("7d") { Self::Week } else { Self::Day }
    }

    const fn step_ms(self) -> i64 {
        match self {
            Self::Day => HOUR_MS,
            Self::Week => 6 * HOUR_MS,
        }
    }

    const fn steps(self) -> i64 {
        match self {
            Self::Day => 24,
            Self::Week => 28,
        }
    }

    /// The beginning of the first step: whole hours, the last of them under way.
    const fn since(self, now: Millis) -> Millis {
        let end = (now.0 / HOUR_MS + 1) * HOUR_MS;
        Millis(end - self.steps() * self.step_ms())
    }
}

/// How late records came, as a picture and as numbers.
struct Lags {
    range: Range,
    svg: String,
    /// When, how late the latest came, how many.
    rows: Vec<(String, String, i64)>,
}

impl Lags {
    fn new(range: Range, since: Millis, steps: &[(i64, i64, i64)], shell: &Shell) -> Self {
        let by_step: BTreeMap<i64, (i64, i64)> =
            steps.iter().map(|(n, ms, many)| (*n, (*ms, *many))).collect();
        let most = by_step.values().map(|(ms, _)| *ms).max().unwrap_or(0);
        let (unit_ms, unit) = unit(most, shell.lang);
        let points = (0..range.steps()).map(|n| {
            let at = since.plus_millis(n * range.step_ms());
            let late = by_step.get(&n).map(|(ms, _)| ratio(*ms, unit_ms));
            chart::Point { label: label(range, at, shell), value: late }
        });
        let points: Vec<_> = points.collect();
        let said = shell.t(
            "Keterlambatan catatan terlama menurut waktu kejadian",
            "The latest record by when it was made",
        );
        let svg = chart::line(&points, ratio(most, unit_ms).ceil(), unit, said);
        let rows = by_step.iter().map(|(n, (ms, many))| {
            (label(range, since.plus_millis(n * range.step_ms()), shell), shell.lang.span(*ms), *many)
        });
        Self { range, svg, rows: rows.collect() }
    }

    fn is_week(&self) -> bool {
        self.range == Range::Week
    }
}

/// The unit in which the axis is written, so that its numbers stay short.
fn unit(most_ms: i64, lang: Lang) -> (i64, &'static str) {
    match most_ms {
        ms if ms <= 120_000 => (1_000, lang.t(" dtk", " s")),
        ms if ms <= 2 * HOUR_MS => (60_000, lang.t(" mnt", " min")),
        _ => (HOUR_MS, lang.t(" jam", " h")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a picture")]
fn ratio(ms: i64, unit_ms: i64) -> f64 {
    ms.max(0) as f64 / unit_ms as f64
}

fn label(range: Range, at: Millis, shell: &Shell) -> String {
    match range {
        Range::Day => shell.time(&at),
        Range::Week => format!("{} {}", shell.lang.short_day(shell.zone().day(at)), shell.time(&at)),
    }
}

impl BoxPage {
    /// How many records a log has in quarantine.
    fn held(&self, log: &LogRow) -> i64 {
        self.quarantined.get(&log.log_id).copied().unwrap_or(0)
    }

    /// What is to be compared with the box's own page.
    fn key(&self) -> String {
        self.row.public_key.chars().take(16).collect()
    }
}

impl Words for BoxPage {
    fn shell(&self) -> &Shell {
        &self.shell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_ends_with_the_hour_that_is_under_way() {
        let now = Millis(1_763_682_300_000);
        for (text, range, steps) in
            [(None, Range::Day, 24), (Some("7d"), Range::Week, 28), (Some("x"), Range::Day, 24)]
        {
            assert_eq!((Range::of(text), range.steps()), (range, steps));
            let end = range.since(now).plus_millis(steps * range.step_ms());
            assert!(end > now && end.since(now) <= HOUR_MS, "{text:?}");
        }
    }

    #[test]
    fn the_axis_has_short_numbers() {
        for (ms, unit_ms) in [(0, 1_000), (120_000, 1_000), (121_000, 60_000), (3 * HOUR_MS, HOUR_MS)] {
            assert_eq!(unit(ms, Lang::Id).0, unit_ms, "{ms}");
        }
    }
}

//! The boxes of a school, and one of them: how it is, what it has delivered, and what can be done with it.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Response};
use hadir_shared::time::Millis;
use uuid::Uuid;

use super::{
    alerts::{self, Alert},
    store::{self, ListedRow},
};
use crate::{
    app::App,
    attendance::permits::{ReadDevices, WriteDevices},
    console::{Pages, Shell, Visit, html},
    fail::Fail,
    http::{Page, Permission as _},
};

mod one;
#[cfg(test)]
mod tests;

pub fn pages() -> Pages {
    Pages::default().page("/fleet", list).page("/fleet/{id}", one::show)
}

/// A word with the class that colours it.
type Word = (&'static str, &'static str);

#[derive(Template)]
#[template(path = "console/fleet.html")]
struct FleetPage {
    shell: Shell,
    boxes: Vec<ListedRow>,
    alerts: Vec<Alert>,
    /// Of each box, the worst of its alerts.
    ill: BTreeMap<Uuid, Alert>,
    page: i64,
    last: i64,
    total: i64,
    may_write: bool,
}

async fn list(State(app): State<App>, visit: Visit<ReadDevices>, page: Page) -> Result<Response, Fail> {
    let (institution, now) = (visit.institution, app.now());
    let mut tx = app.db.read(institution).await?;
    let alerts = alerts::of_school(&mut tx, institution, now).await?;
    let total = store::count(&mut tx, institution).await?;
    let boxes = store::list(&mut tx, institution, page.offset(), page.per_page).await?;
    let mut ill = BTreeMap::new();
    for alert in &alerts {
        if let Some(device) = alert.device() {
            ill.entry(device).or_insert_with(|| alert.clone());
        }
    }
    html(&FleetPage {
        boxes,
        alerts,
        ill,
        page: page.page,
        last: page.last(total),
        total,
        may_write: visit.may(WriteDevices::CODE),
        shell: visit.shell,
    })
}

impl FleetPage {
    /// How it is, in a word.
    fn state(&self, row: &ListedRow) -> Word {
        match self.ill.get(&row.id) {
            _ if row.revoked_at.is_some() => ("calm", self.shell.t("Dicabut", "Revoked")),
            Some(Alert::Silent { .. }) => ("bad", self.shell.t("Diam", "Silent")),
            Some(Alert::ClockOff { .. }) => ("warn", self.shell.t("Jam meleset", "Clock off")),
            Some(Alert::DiskLow { .. }) => ("bad", self.shell.t("Disk penuh", "Disk full")),
            _ if row.last_seen_at.is_none() => ("calm", self.shell.t("Belum terdengar", "Not heard of yet")),
            _ => ("good", self.shell.t("Baik", "Well")),
        }
    }
}

impl Words for FleetPage {
    fn shell(&self) -> &Shell {
        &self.shell
    }
}

/// What both pages say of a box.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as a template hands it over")]
trait Words {
    fn shell(&self) -> &Shell;

    fn warning(&self, alert: &Alert) -> String {
        alert.words(self.shell().lang, self.shell().now)
    }

    fn at(&self, at: &i64) -> String {
        self.shell().moment(&Millis(*at))
    }

    fn ago(&self, at: &i64) -> String {
        self.shell().ago(&Millis(*at))
    }

    /// The clock's deviation: `+1,5 detik`.
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    fn offset(&self, ms: &i64) -> String {
        let lang = self.shell().lang;
        let sign = if *ms < 0 { "−" } else { "+" };
        let seconds = ms.unsigned_abs() as f64 / 1000.0;
        format!("{sign}{} {}", lang.decimal(seconds), lang.t("detik", "s"))
    }

    fn bytes(&self, bytes: &i64) -> String {
        self.shell().lang.bytes(*bytes)
    }

    /// What a box still has to deliver, and since when.
    fn pending(&self, row: &ListedRow) -> String {
        let shell = self.shell();
        let Some(pending) = row.pending else { return "–".into() };
        match row.oldest_pending_at.filter(|_| pending > 0) {
            None => shell.n(&pending),
            Some(at) => {
                let age = shell.lang.span(shell.now.since(Millis(at)));
                format!("{}, {} {age}", shell.n(&pending), shell.t("tertua", "oldest"))
            }
        }
    }

    /// How what a box recorded compares with what is here.
    fn heads(&self, row: &ListedRow) -> (Word, String) {
        heads(row, self.shell())
    }
}

/// How what a box recorded compares with what is here.
fn heads(row: &ListedRow, shell: &Shell) -> (Word, String) {
    let (Some(told), Some(held)) = (row.told_seq, row.high_seq) else {
        return (("calm", shell.t("belum ada catatan", "no record yet")), String::new());
    };
    let numbers = format!(
        "{} {} {} {} {}",
        shell.t("tercatat", "recorded"),
        shell.n(&told),
        if told == held { "=" } else { "≠" },
        shell.t("diterima", "acknowledged"),
        shell.n(&held)
    );
    let word = match row.heads_equal() {
        Some(true) => ("good", shell.t("✓ kepala rantai sama", "✓ heads equal")),
        Some(false) => ("bad", shell.t("✕ kepala rantai berbeda", "✕ heads differ")),
        None => ("warn", shell.t("sedang dikirim", "under way")),
    };
    (word, numbers)
}

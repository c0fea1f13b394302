//! The page of jobs.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Response};
use hadir_shared::time::Millis;

use super::{Asked, ReadJobs, RetryJobs, cut, reach, scope};
use crate::{
    TIMETABLE,
    app::App,
    console::{Pages, Shell, Visit, html},
    fail::Fail,
    http::{Params, Permission as _},
    jobs::{self, Listed, STATES},
};

pub fn pages() -> Pages {
    Pages::default().page("/jobs", list).merge(super::outbox::pages())
}

/// A scheduled job, and when it ran last.
struct Timed {
    name: &'static str,
    cron: &'static str,
    last: Option<Millis>,
}

#[derive(Template)]
#[template(path = "console/jobs.html")]
struct JobsPage {
    shell: Shell,
    state: String,
    counts: BTreeMap<String, i64>,
    jobs: Vec<Listed>,
    next: Option<i64>,
    is_later: bool,
    timed: Vec<Timed>,
    may_retry: bool,
}

async fn list(
    State(app): State<App>,
    visit: Visit<ReadJobs>,
    Params(asked): Params<Asked>,
) -> Result<Response, Fail> {
    let limit = asked.check(STATES)?;
    let reach = reach(visit.member());
    let mut tx = app.db.read(scope(visit.member())).await?;
    let counts = jobs::counts_of(&mut tx, reach).await?.into_iter().collect();
    let rows = jobs::list(&mut tx, reach, asked.state.as_deref(), asked.before, limit + 1).await?;
    let (jobs, next) = cut(rows, limit, |job| job.id);
    let runs = jobs::runs(&mut tx).await?;
    let last = |name: &str| runs.iter().find(|run| run.job == name).map(|run| run.scheduled_for);
    html(&JobsPage {
        may_retry: visit.may(RetryJobs::CODE),
        shell: visit.shell,
        state: asked.state.unwrap_or_default(),
        counts,
        jobs,
        next,
        is_later: asked.before.is_some(),
        timed: TIMETABLE
            .iter()
            .map(|one| Timed { name: one.name, cron: one.cron, last: last(one.name) })
            .collect(),
    })
}

impl JobsPage {
    fn count(&self, state: &str) -> i64 {
        self.counts.get(state).copied().unwrap_or(0)
    }

    /// The class of its colour, and its word.
    fn state_word(&self, state: &str) -> (&'static str, &'static str) {
        match state {
            "waiting" => ("calm", self.shell.t("Menunggu", "Waiting")),
            "running" => ("warn", self.shell.t("Berjalan", "Running")),
            "failed" => ("bad", self.shell.t("Gagal", "Failed")),
            _ => ("good", self.shell.t("Selesai", "Done")),
        }
    }

    fn kind_word(&self, kind: &str) -> &'static str {
        match kind {
            "files.erase" => self.shell.t("Menghapus berkas", "Erasing files"),
            "offline_sync.retry" | "sync.retry" => {
                self.shell.t("Mencoba ulang catatan offline", "Trying offline records again")
            }
            "mail.send" => self.shell.t("Mengirim pesan", "Sending a message"),
            _ => "",
        }
    }

    fn timed_word(&self, name: &str) -> &'static str {
        match name {
            "identity.purge" => self.shell.t("Menghapus sesi lama", "Deleting old sessions"),
            "identity.keys" => self.shell.t("Mengganti kunci tanda tangan", "Turning over signing keys"),
            "mail.purge" => self.shell.t("Menghapus pesan lama", "Deleting old messages"),
            "oidc.purge" => self.shell.t("Menghapus kode masuk lama", "Deleting old sign-in codes"),
            "jobs.purge" => self.shell.t("Menghapus pekerjaan lama", "Deleting old jobs"),
            "roster.purge" => self.shell.t("Merapikan daftar untuk kotak", "Tidying the boxes' roster"),
            "roster.refresh" => {
                self.shell.t("Memperbarui daftar untuk kotak", "Refreshing the boxes' roster")
            }
            "absences.mark" => self.shell.t("Menandai yang alpa", "Marking absences"),
            _ => "",
        }
    }
}

/// `0 45 17 * * *`: the hour and minute in UTC.
fn hour(cron: &str) -> String {
    let mut parts = cron.split(' ').skip(1);
    match (parts.next(), parts.next()) {
        (Some(minute), Some(hour)) => format!("{hour:0>2}:{minute:0>2} UTC"),
        _ => cron.to_owned(),
    }
}

//! Work in the background: what follows from what people did, and what happens by the clock. Beyond the documents.
//!
//! What always holds: one sees the jobs and messages of his school, and who looks after all schools those of none as well;
//! what a job carries and what stands in a message is not shown; one that failed is tried again once, however often that is
//! asked for.

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with},
};
use axum::extract::State;
use hadir_shared::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    dialect::{self, Data, Done},
    export::file,
    permits::{ReadJobs, RetryJobs},
};
use crate::{
    app::App,
    console::EVERY_SCHOOL,
    db::{Cloud, Scope},
    fail::{Fail, Flaw},
    http::{Allowed, Check, Member, Params, Segment, describe::says},
    jobs::{self, Reach, STATES},
    sheet::{AsFile, Column, Columns, MOST_WRITTEN, OrFile},
};

mod messages;
mod outbox;
pub mod page;
#[cfg(test)]
mod tests;

const USUAL: i64 = 50;
const MOST: i64 = 100;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/jobs", get_with(list, says("Work in the background, the newest first")))
        .api_route("/jobs/{id}/retry", post_with(retry, says("Have a job that failed tried again")))
        .merge(messages::routes())
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Asked {
    /// One of those it can be in.
    state: Option<String>,
    /// `next` of the page before.
    before: Option<i64>,
    limit: Option<i64>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Job")]
struct Shown {
    id: i64,
    kind: String,
    state: String,
    tries: i64,
    /// Not before.
    #[serde(with = "dialect::Instant")]
    run_at: Millis,
    last_error: Option<String>,
    #[serde(with = "dialect::Instant")]
    created_at: Millis,
    finished_at: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "JobPage")]
struct Jobs {
    jobs: Vec<Shown>,
    /// What `before` is for the next page; null on the last.
    next: Option<i64>,
}

impl From<jobs::Listed> for Shown {
    fn from(job: jobs::Listed) -> Self {
        Self {
            id: job.id,
            kind: job.kind,
            state: job.state,
            tries: job.tries,
            run_at: job.run_at,
            last_error: job.last_error,
            created_at: job.created_at,
            finished_at: job.finished_at.map(|at| Millis(at).to_rfc3339_micros()),
        }
    }
}

impl Columns for jobs::Listed {
    const COLUMNS: &'static [Column<Self>] = &[
        ("Jenis", |job| job.kind.as_str().into()),
        ("Keadaan", |job| job.state.as_str().into()),
        ("Percobaan", |job| job.tries.into()),
        ("Mulai", |job| job.run_at.into()),
        ("Galat terakhir", |job| job.last_error.as_deref().into()),
        ("Dibuat", |job| job.created_at.into()),
        ("Selesai", |job| job.finished_at.map(Millis).into()),
    ];
}

async fn list(
    State(app): State<App>,
    who: Allowed<ReadJobs>,
    Params(asked): Params<Asked>,
    AsFile(format): AsFile,
) -> Result<OrFile<Data<Jobs>>, Fail> {
    let limit = asked.check(STATES)?;
    let mut tx = app.db.read(scope(&who)).await?;
    let state = asked.state.as_deref();
    if let Some(format) = format {
        let most = i64::from(MOST_WRITTEN) + 1;
        let rows = jobs::list(&mut tx, reach(&who), state, None, most).await?;
        return file(&mut tx, &app, who.institution, format, "pekerjaan", rows).await;
    }
    let rows = jobs::list(&mut tx, reach(&who), state, asked.before, limit + 1).await?;
    let (rows, next) = cut(rows, limit, |job| job.id);
    Ok(OrFile::Usual(Data(Jobs { jobs: rows.into_iter().map(Shown::from).collect(), next })))
}

async fn retry(
    State(app): State<App>,
    who: Allowed<RetryJobs>,
    Segment(id): Segment<i64>,
) -> Result<Done, Fail> {
    let mut tx = app.db.write(scope(&who)).await?;
    if !jobs::retry(&mut tx, &app, who.actor(), reach(&who), id).await? {
        return Err(Fail::not_found("Tidak ada pekerjaan gagal dengan nomor ini"));
    }
    tx.commit().await?;
    app.jobs.ring();
    Ok(Done("Pekerjaan akan dicoba lagi"))
}

impl Asked {
    /// Gives how many rows are wanted, in one of these states.
    fn check(&self, states: &'static [&'static str]) -> Result<i64, Fail> {
        let mut check = Check::new();
        let is_known = self.state.as_deref().is_none_or(|state| states.contains(&state));
        check.that(is_known, "state", Flaw::NotOneOf(states));
        let limit = check.range("limit", self.limit.unwrap_or(USUAL), 1..=MOST);
        check.finish()?;
        Ok(limit)
    }
}

fn reach(who: &Member) -> Reach {
    Reach { institution: who.institution, all: who.may(EVERY_SCHOOL) }
}

/// The jobs of no school are in no school's scope.
fn scope(who: &Member) -> Scope {
    if reach(who).all { Cloud } else { who.institution.into() }
}

/// The page of a list that was asked for one row more, and where the next begins.
fn cut<T>(mut rows: Vec<T>, limit: i64, id: impl Fn(&T) -> i64) -> (Vec<T>, Option<i64>) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| is_more).map(id);
    (rows, next)
}

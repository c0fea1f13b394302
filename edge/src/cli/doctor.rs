//! `hadir-edge doctor`: reads only, but for one small file that measures the disk; works beside a running box.

use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::{Exit, Failed};
use crate::{
    clock::SystemClock,
    config::Config,
    doctor::{Finding, State, examine},
    ids::Ids,
};

#[derive(Debug, Args)]
pub struct Doctor {
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// Fails with [`Exit::Wrong`] when anything is wrong.
pub async fn doctor(config: &Config, asked: &Doctor) -> Result<(), Failed> {
    let clock = Arc::new(SystemClock::new(Ids::system().random_uuid()));
    let findings = examine(config, clock).await;
    let wrong = findings.iter().filter(|finding| finding.state == State::Wrong).count();
    if asked.json {
        let json = serde_json::to_string_pretty(&json!({ "ok": wrong == 0, "findings": findings }))
            .map_err(|error| Failed::new(Exit::Software, error))?;
        println!("{json}");
    } else {
        findings.iter().for_each(tell);
    }
    if wrong == 0 {
        return Ok(());
    }
    Err(Failed::new(Exit::Wrong, anyhow::anyhow!("{wrong} of {} findings are wrong", findings.len())))
}

fn tell(finding: &Finding) {
    let Finding { check, state, detail, fix } = finding;
    let mark = match state {
        State::Ok => "ok   ",
        State::Wrong => "WRONG",
        State::Skipped => "-    ",
    };
    println!("{mark} {check}: {detail}");
    if let Some(fix) = fix {
        println!("      fix: {fix}");
    }
}

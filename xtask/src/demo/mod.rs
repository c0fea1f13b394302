//! `cargo xtask demo`: a school in one terminal, and a morning at its gate.
//!
//! It builds both programs, starts the cloud on SQLite with the demo school and an enrolled box, and says where the pages are.
//! With `--rush N` it shows N students' cards to the box's camera endpoint, with `--outage 20s` it cuts the line between box
//! and cloud meanwhile; then it counts on both sides, and fails with the difference where they do not agree.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use hadir_tests::process::{target, workspace};

use crate::{
    Exit, INTERRUPTED,
    run::{command, interrupted, shown},
};

mod count;
mod rush;
mod stack;

use stack::Stack;

/// How long a morning at the gate is: from the first student to the bell.
const MORNING: Duration = Duration::from_mins(40);

#[derive(Args)]
pub struct Arguments {
    /// Let N students pass the gates with their cards, then count and stop
    #[arg(long, value_name = "N")]
    rush: Option<usize>,
    /// Cut the line between box and cloud for this long during the rush
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "rush")]
    outage: Option<Duration>,
    /// Gates at which they pass
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    gates: u8,
    /// How much faster than real time the morning of 40 minutes goes by
    #[arg(long, default_value_t = 60.0)]
    speed: f64,
    /// Keep everything in a temporary folder that is removed at the end (a rush does so by itself)
    #[arg(long)]
    ephemeral: bool,
    /// Keep the data of a rush
    #[arg(long, conflicts_with_all = ["ephemeral", "outage"])]
    keep: bool,
    /// Build with optimisations (takes minutes the first time)
    #[arg(long)]
    release: bool,
}

pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let programs = build(arguments.release).await?;
    let temporary = arguments.ephemeral || (arguments.rush.is_some() && !arguments.keep);
    let folder =
        if temporary { Some(tempfile::Builder::new().prefix("hadir-demo-").tempdir()?) } else { None };
    let data = folder.as_ref().map_or_else(|| workspace().join("data"), |folder| folder.path().to_owned());
    let stopped = || Exit { status: INTERRUPTED, why: "interrupted".into() };
    let stack = tokio::select! {
        stack = Stack::start(&programs, &data, arguments.rush.is_some()) => stack?,
        () = interrupted() => return Err(stopped().into()),
    };
    println!("{}", stack.table());
    let done = tokio::select! {
        done = morning(&stack, arguments) => done,
        () = interrupted() => match arguments.rush {
            Some(_) => Err(stopped().into()),
            None => Ok(()),
        },
    };
    stack.stop().await?;
    done
}

/// The rush, or nothing until somebody has seen enough.
async fn morning(stack: &Stack, arguments: &Arguments) -> anyhow::Result<()> {
    let Some(students) = arguments.rush else {
        println!("  Ctrl-C berhenti / stops");
        return std::future::pending().await;
    };
    let morning = rush::Morning {
        students,
        gates: arguments.gates.into(),
        lasts: MORNING.div_f64(arguments.speed.max(0.01)),
        outage: arguments.outage,
    };
    let before = count::Before::take(stack).await?;
    let passed = rush::run(stack, &morning).await?;
    count::settle(stack).await?;
    let report = count::compare(stack, &before, &passed).await?;
    println!("{report}");
    report.verdict()
}

/// Builds both programs; answers their folder.
async fn build(release: bool) -> anyhow::Result<PathBuf> {
    let mut line = vec!["build", "--quiet", "--package", "hadir-edge", "--package", "hadir-cloud"];
    if release {
        line.push("--release");
    }
    eprintln!("building edge and cloud …");
    shown(command("cargo", &line)).await?;
    Ok(target().join(if release { "release" } else { "debug" }))
}

/// `30s`, `2m`, or seconds without a unit.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is not a time such as 30s or 2m"))?;
    match unit {
        "" | "s" => Ok(Duration::from_secs_f64(number)),
        "m" => Ok(Duration::from_secs_f64(number * 60.0)),
        "ms" => Ok(Duration::from_secs_f64(number / 1000.0)),
        _ => Err(format!("{unit:?} is not one of ms, s, m")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(duration("soon").is_err() && duration("3 weeks").is_err());
    }
}

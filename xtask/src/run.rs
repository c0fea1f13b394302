//! Running other programs: by argument list, from the workspace's folder, stopped with us.

use std::{
    fmt::Write as _,
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
};

use crate::{Exit, INTERRUPTED};

/// A command in the workspace's folder.
pub fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(hadir_tests::process::workspace()).stdin(Stdio::null());
    command
}

/// Runs to the end and shows what it says; its whole process group ends with Ctrl-C.
///
/// # Errors
/// When it cannot be started, fails, or is interrupted.
pub async fn shown(command: Command) -> anyhow::Result<()> {
    finish(command).await.map(drop)
}

/// As [`shown`], but silent: what it says is part of the error.
///
/// # Errors
/// As [`shown`].
pub async fn quiet(mut command: Command) -> anyhow::Result<()> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command).await.map(drop)
}

/// As [`quiet`]; what it says on its standard output is the answer.
///
/// # Errors
/// As [`shown`], or when that is no text.
pub async fn output(mut command: Command) -> anyhow::Result<String> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(String::from_utf8(finish(command).await?.stdout)?)
}

async fn finish(mut command: Command) -> anyhow::Result<Output> {
    let name = command.as_std().get_program().display().to_string();
    let child = command
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{name} cannot be started"))?;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let output = tokio::select! {
        output = child.wait_with_output() => output?,
        () = interrupted() => {
            if let Some(group) = group {
                kill_process_group(group, Signal::TERM)?;
            }
            return Err(Exit { status: INTERRUPTED, why: "interrupted".into() }.into());
        }
    };
    if !output.status.success() {
        let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
        bail!("{name} ended with {}\n{said}", output.status);
    }
    Ok(output)
}

/// Ends when somebody asks this program to stop: Ctrl-C, or SIGTERM.
pub async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// What was run, how long it took, and whether it held; written as it happens and once more at the end.
#[derive(Default)]
pub struct Summary(Vec<Step>);

struct Step {
    name: &'static str,
    took: Duration,
    outcome: Outcome,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    Failed,
    /// Not run, and why.
    Skipped(String),
}

impl Summary {
    /// Runs one step; a failure is shown and remembered, an interruption ends everything.
    ///
    /// # Errors
    /// When it was interrupted.
    pub async fn step(
        &mut self,
        name: &'static str,
        work: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        eprintln!("▶ {name}");
        let start = Instant::now();
        let done = work.await;
        let outcome = match done {
            Ok(()) => Outcome::Ok,
            Err(error) if error.downcast_ref::<Exit>().is_some_and(|exit| exit.status == INTERRUPTED) => {
                return Err(error);
            }
            Err(error) => {
                eprintln!("{error:#}");
                Outcome::Failed
            }
        };
        self.0.push(Step { name, took: start.elapsed(), outcome });
        Ok(())
    }

    /// Remembers a step that could not be run.
    pub fn skip(&mut self, name: &'static str, why: &str) {
        self.0.push(Step { name, took: Duration::ZERO, outcome: Outcome::Skipped(why.into()) });
    }

    /// One line per step.
    ///
    /// # Errors
    /// When one of them failed.
    pub fn finish(self) -> anyhow::Result<()> {
        let mut text = String::new();
        for Step { name, took, outcome } in &self.0 {
            let _ = match outcome {
                Outcome::Ok => writeln!(text, "  ok       {name:<24} {:>7.1} s", took.as_secs_f64()),
                Outcome::Failed => writeln!(text, "  FAILED   {name:<24} {:>7.1} s", took.as_secs_f64()),
                Outcome::Skipped(why) => writeln!(text, "  skipped  {name:<24} {why}"),
            };
        }
        eprint!("\n{text}");
        let failed: Vec<_> =
            self.0.iter().filter(|step| step.outcome == Outcome::Failed).map(|step| step.name).collect();
        if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failure_does_not_stop_the_others_and_is_named_at_the_end() {
        let mut summary = Summary::default();
        summary.step("first", async { quiet(command("false", &[])).await }).await.unwrap();
        summary.step("second", async { quiet(command("true", &[])).await }).await.unwrap();
        summary.skip("third", "not installed");
        assert_eq!(summary.finish().unwrap_err().to_string(), "failed: first");
    }

    #[tokio::test]
    async fn what_a_silent_program_said_is_in_its_error() {
        let error = quiet(command("sh", &["-c", "echo one; echo two >&2; exit 3"])).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("one") && text.contains("two"), "{text}");
    }
}

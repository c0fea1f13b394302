//! `cargo xtask bench`: the budget, measured, in one run.
//!
//! Both programs are built with optimisations and run as processes. What depends on the disk is given as a ratio to what the
//! same disk does in the same run without the program. The load comes from the same machine, so it pays for both sides.

use std::{fmt::Write as _, fs, path::PathBuf};

use clap::{Args, ValueEnum};
use hadir_tests::process::{target, workspace};

use crate::run::{command, shown};

mod cloud;
mod console;
mod edge;
mod gates;
mod identity;
mod load;
mod machine;
mod raw;
mod recap;

#[derive(Args)]
pub struct Arguments {
    /// A tenth of the work: to see that it runs, not what it does
    #[arg(long)]
    quick: bool,
    /// Where to keep databases while it runs: on the disk to be measured (default: the build folder)
    #[arg(long, value_name = "FOLDER")]
    on: Option<PathBuf>,
    /// Measure the programs in this folder instead of building them
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
    /// Measure one part alone, and do not write docs/BENCHMARKS.md
    #[arg(long, value_name = "PART")]
    only: Option<Part>,
    /// Do not write docs/BENCHMARKS.md
    #[arg(long)]
    dry: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Edge,
    Cloud,
    Recap,
    Identity,
    Console,
}

/// One line of the budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub what: &'static str,
    pub target: &'static str,
    pub measured: String,
    /// Measured by target, so that 1.0 is met exactly and more is better.
    pub ratio: f64,
}

impl Row {
    /// A quantity that must be at least `target`.
    pub fn at_least(
        what: &'static str,
        target: &'static str,
        measured: String,
        value: f64,
        least: f64,
    ) -> Self {
        Self { what, target, measured, ratio: value / least }
    }

    /// A quantity that must stay below `target`.
    pub fn below(what: &'static str, target: &'static str, measured: String, value: f64, most: f64) -> Self {
        Self { what, target, measured, ratio: most / value }
    }

    fn is_met(&self) -> bool {
        self.ratio >= 1.0
    }
}

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Scale(u32);

impl Scale {
    /// The full number, or a tenth of it.
    pub fn of(self, full: u32) -> u32 {
        full / self.0
    }
}

pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Some(programs) = &arguments.programs else { return optimised().await };
    let parent = arguments.on.clone().unwrap_or_else(target);
    fs::create_dir_all(&parent)?;
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(&parent)?;
    let scale = Scale(if arguments.quick { 10 } else { 1 });
    let asked = |part| arguments.only.is_none_or(|only| only == part);
    let mut rows = Vec::new();
    if asked(Part::Edge) {
        rows.extend(edge::measure(programs, folder.path(), scale).await?);
    }
    if asked(Part::Cloud) {
        rows.extend(cloud::measure(programs, folder.path(), scale).await?);
    }
    if asked(Part::Recap) {
        rows.extend(recap::measure(programs, folder.path(), scale).await?);
    }
    if asked(Part::Identity) {
        rows.extend(identity::measure(programs, folder.path(), scale).await?);
    }
    if asked(Part::Console) {
        rows.extend(console::measure(programs, folder.path(), scale).await?);
    }
    let table = table(&rows);
    print!("{table}");
    if !arguments.dry && arguments.only.is_none() {
        let page = page(&table, arguments.quick, &machine::describe(folder.path())?);
        fs::write(workspace().join("docs/BENCHMARKS.md"), page)?;
    }
    Ok(())
}

/// Builds everything with optimisations, this program as well, and goes on there: the load is not to be what is measured.
async fn optimised() -> anyhow::Result<()> {
    eprintln!("building edge and cloud with optimisations …");
    // As one: built a package at a time, what they share would be built again with other features.
    shown(command("cargo", &["build", "--release", "--quiet", "--workspace", "--bins", "--examples"]))
        .await?;
    let programs = target().join("release");
    let mut itself = command(&programs.join("xtask").display().to_string(), &[]);
    itself.args(std::env::args_os().skip(1)).arg("--programs").arg(programs);
    shown(itself).await
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from("| what | at least | measured | of target | |\n|---|---|---|---|---|\n");
    for row in rows {
        let verdict = if row.is_met() { "met" } else { "**not met**" };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.2} × | {verdict} |",
            row.what, row.target, row.measured, row.ratio
        );
    }
    text
}

fn page(table: &str, quick: bool, machine: &str) -> String {
    let command = if quick { "cargo xtask bench --quick" } else { "cargo xtask bench" };
    let day = hadir_tests::now().to_rfc3339_micros();
    let day = day.split('T').next().unwrap_or_default();
    format!(
        "# Benchmarks\n\nWritten by `{command}` on {day}.\n\n{machine}\n\n{table}\n\
         \"Of target\" is how many times over a line is met: 1.00 × is just enough, for times and sizes too. Rates that \
         hang on the disk are compared with what the same disk did in the same run without the program. The load is made \
         on the same cores as the work, so both sides are slower than on machines of their own.\n\n\
         The lines of the console are measured over one PostgreSQL with 200 schools, 1,000 boxes and 5,000,000 records of their \
         logs, a fifth of them one school's and two fifths of those one box's. Every page of that school is opened 40 times: \
         the log without a filter and under each filter alone, its top and its depths. The slowest page is in brackets.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_met_or_not_in_both_directions() {
        let rows = [
            Row::at_least("rate", "≥ 10", "12".into(), 12.0, 10.0),
            Row::below("wait", "< 5 ms", "10 ms".into(), 10.0, 5.0),
        ];
        assert_eq!(rows.each_ref().map(Row::is_met), [true, false]);
        let text = table(&rows);
        assert!(text.contains("| rate | ≥ 10 | 12 | 1.20 × | met |"), "{text}");
        assert!(text.contains("| 0.50 × | **not met** |"), "{text}");
    }
}

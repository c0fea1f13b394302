//! `cargo xtask check`: what a change must pass before its tests are run.

use std::path::PathBuf;

use clap::Args;

use crate::{
    deny,
    run::{Summary, command, quiet, shown},
    sql, tidy,
};

#[derive(Args, Default)]
pub struct Arguments {
    /// Format the code, and let clippy repair what it can
    #[arg(long)]
    fix: bool,
    /// Install cargo-deny when it is missing (takes minutes)
    #[arg(long)]
    install: bool,
    /// A checked-out RustSec advisory database, to look for known weaknesses in
    #[arg(long, value_name = "PATH")]
    advisory_db: Option<PathBuf>,
}

pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut summary = Summary::default();
    if arguments.fix {
        shown(command("cargo", &["fmt", "--all"])).await?;
        shown(command("cargo", &["clippy", "--fix", "--allow-dirty", "--workspace", "--all-targets"]))
            .await?;
    }
    all(&mut summary, None).await?;
    deny::run(&mut summary, arguments.install, arguments.advisory_db.as_deref()).await?;
    summary.finish()
}

/// Everything but `deny`, which a fresh machine does not have. `postgres` is the address of one that runs, if one does.
///
/// # Errors
/// When it was interrupted.
pub async fn all(summary: &mut Summary, postgres: Option<&str>) -> anyhow::Result<()> {
    summary.step("fmt", quiet(command("cargo", &["fmt", "--all", "--check"]))).await?;
    let clippy = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
    summary.step("clippy", shown(command("cargo", &clippy))).await?;
    let mut rustdoc =
        command("cargo", &["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"]);
    rustdoc.env("RUSTDOCFLAGS", "-D warnings");
    summary.step("rustdoc", shown(rustdoc)).await?;
    summary.step("tidy", async { tidy::run(&tidy::Arguments::default()) }).await?;
    summary.step("sql", sql::run(postgres)).await?;
    units(summary).await
}

/// The systemd units: well formed, and exposed by at most 2.0 on systemd's scale of 10.
async fn units(summary: &mut Summary) -> anyhow::Result<()> {
    if quiet(command("systemd-analyze", &["--version"])).await.is_err() {
        summary.skip("systemd", "systemd-analyze is not installed");
        return Ok(());
    }
    let units = [
        "systemd/hadir-edge.service",
        "systemd/hadir-edge-backup.service",
        "systemd/hadir-edge-backup.timer",
        "systemd/hadir-cloud.service",
    ];
    summary
        .step("systemd", async {
            for unit in units.iter().filter(|unit| unit.ends_with(".service")) {
                quiet(command(
                    "systemd-analyze",
                    &["security", "--offline=true", "--threshold=20", "--no-pager", unit],
                ))
                .await?;
            }
            verify(&units).await
        })
        .await
}

/// `systemd-analyze verify`, on copies that start a program this machine has: the real ones are not installed here.
async fn verify(units: &[&str]) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for unit in units {
        let text = std::fs::read_to_string(hadir_tests::process::workspace().join(unit))?;
        let text: Vec<_> = text
            .lines()
            .map(|line| if line.starts_with("ExecStart=") { "ExecStart=/bin/true" } else { line })
            .filter(|line| !line.starts_with("Documentation=man:"))
            .collect();
        let name = unit.trim_start_matches("systemd/");
        std::fs::write(folder.path().join(name), text.join("\n") + "\n")?;
    }
    let mut verify = command("systemd-analyze", &["verify", "--man=no", "--recursive-errors=one"]);
    verify.args(units.iter().map(|unit| folder.path().join(unit.trim_start_matches("systemd/"))));
    quiet(verify).await
}

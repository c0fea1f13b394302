//! `cargo xtask test --fuzz`: a real cloud with the demo school, and schemathesis against it, on both databases.
//!
//! Schemathesis comes from PyPI into a virtual environment under the target folder, once. Where that may not be, it is said
//! what is missing, with status 69.

use std::path::{Path, PathBuf};

use hadir_tests::{
    postgres::{Database, Postgres},
    process,
    school::Plan,
};

use crate::{
    EX_UNAVAILABLE, Exit,
    run::{command, quiet, shown},
};

/// As it was when the documents first passed: a newer one may ask for more, on a day of our choosing.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// Generated cases of each operation and role, beside those that the document's own limits suggest: some 10,000 in all.
const EXAMPLES: &str = "1";

/// # Errors
/// When something was answered with a 5xx, or a tool is missing.
pub async fn run(may_install: bool) -> anyhow::Result<()> {
    let program = provide(may_install).await?;
    // A cloud of its own for each: what one run writes is not what the other finds.
    let folder = tempfile::tempdir()?;
    against(&program, &Plan::cloud(folder.path())?).await?;
    let own = if hadir_tests::env("HADIR_TEST_PG").is_none() { Some(Postgres::start()?) } else { None };
    let url =
        own.as_ref().map(Postgres::url).or_else(|| hadir_tests::env("HADIR_TEST_PG")).unwrap_or_default();
    let database = Database::create(&url).await?;
    let folder = tempfile::tempdir()?;
    let plan = Plan::cloud(folder.path())?.on(&database);
    plan.run(&["migrate"]).await?;
    against(&program, &plan).await
}

async fn against(program: &Path, plan: &Plan) -> anyhow::Result<()> {
    plan.run(&["demo"]).await?;
    let cloud = plan.start().await?;
    let script = process::workspace().join("tests/fuzz/run.py");
    let mut run = command("python3", &[]);
    run.arg(script).arg(program).args([cloud.url(), EXAMPLES]);
    let ran = shown(run).await;
    cloud.stop().await?;
    ran
}

/// Where schemathesis is.
async fn provide(may_install: bool) -> anyhow::Result<PathBuf> {
    let folder = process::target().join("fuzz").join("venv");
    let program = folder.join("bin").join("schemathesis");
    if program.is_file() {
        return Ok(program);
    }
    let missing = |why: String| Exit {
        status: EX_UNAVAILABLE,
        why: format!(
            "missing: {SCHEMATHESIS} in {} ({why}); python3 with venv and pip brings it",
            folder.display()
        ),
    };
    if !may_install {
        return Err(missing("--no-install".into()).into());
    }
    let mut venv = command("python3", &["-m", "venv"]);
    venv.arg(&folder);
    quiet(venv).await.map_err(|e| missing(e.to_string()))?;
    let pip = folder.join("bin").join("pip").display().to_string();
    let install = command(&pip, &["install", "--quiet", SCHEMATHESIS]);
    quiet(install).await.map_err(|e| missing(e.to_string()))?;
    Ok(program)
}

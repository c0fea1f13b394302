//! `cargo deny`: what may be in the tree (`deny.toml`), without the network but for what the lock file names.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use hadir_tests::process::workspace;

use crate::run::{Summary, command, quiet, shown};

/// What cargo-deny calls its copy of `https://github.com/rustsec/advisory-db`.
const DATABASE: &str = "advisory-db-3157b0e258782691";

/// # Errors
/// When it was interrupted, or could not be installed.
pub async fn run(summary: &mut Summary, install: bool, advisories: Option<&Path>) -> anyhow::Result<()> {
    let is_here = quiet(command("cargo", &["deny", "--version"])).await.is_ok();
    if !is_here && !install {
        summary.skip("deny", "cargo-deny is not installed (cargo xtask check --install)");
        return Ok(());
    }
    if !is_here {
        shown(command("cargo", &["install", "cargo-deny", "--locked"])).await?;
    }
    // It looks at the crates of every platform; a build fetches those of its own.
    quiet(command("cargo", &["fetch", "--locked", "--quiet"])).await?;
    let tree = ["deny", "--offline", "--log-level", "error", "check", "bans", "licenses", "sources"];
    summary.step("deny", quiet(command("cargo", &tree))).await?;
    if let Some(database) = advisories {
        return summary.step("advisories", known_weaknesses(database)).await;
    }
    summary.skip("advisories", "no --advisory-db PATH");
    Ok(())
}

/// Looks the tree up in a copy of the RustSec database, a clone or only its `crates` folder.
async fn known_weaknesses(database: &Path) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let clone = repository(&database.canonicalize()?, folder.path()).await?;
    let cache = folder.path().join("cache");
    fs::create_dir(&cache)?;
    symlink(clone, cache.join(DATABASE))?;
    let rules = fs::read_to_string(workspace().join("deny.toml"))?;
    let rules =
        rules.replace("[advisories]", &format!("[advisories]\ndb-path = {:?}", cache.display().to_string()));
    let file = folder.path().join("deny.toml");
    fs::write(&file, rules)?;
    let mut deny = command("cargo", &["deny", "--offline", "--log-level", "error", "--config"]);
    deny.arg(file).args(["check", "advisories"]);
    quiet(deny).await
}

/// cargo-deny reads nothing but a git repository: one is made around a bare folder.
async fn repository(database: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    if database.join(".git").exists() {
        return Ok(database.to_owned());
    }
    let copy = folder.join("database");
    fs::create_dir(&copy)?;
    let mut cp = command("cp", &["-r"]);
    cp.arg(database.join("crates")).arg(&copy);
    quiet(cp).await?;
    let author = ["-c", "user.name=xtask", "-c", "user.email=xtask@localhost"];
    for arguments in
        [vec!["init", "-q"], vec!["add", "-A"], [&author[..], &["commit", "-qm", "snapshot"]].concat()]
    {
        let mut git = command("git", &arguments);
        quiet({
            git.current_dir(&copy);
            git
        })
        .await?;
    }
    Ok(copy)
}

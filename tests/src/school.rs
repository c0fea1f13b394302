//! A cloud and a box as processes, on folders of the caller's choice.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use crate::{
    postgres::Database,
    process::{Program, binary},
};

/// One of the two programs, with everything it is told through its environment.
#[derive(Debug, Clone)]
pub struct Plan {
    binary: PathBuf,
    environment: Vec<(String, String)>,
    prefix: &'static str,
}

impl Plan {
    /// The cloud of this workspace, on SQLite in `data`, at a free port, saying little.
    ///
    /// # Errors
    /// When the program cannot be built.
    pub fn cloud(data: &Path) -> anyhow::Result<Self> {
        Ok(Self::new(binary("hadir-cloud")?, "HADIR_CLOUD_", data))
    }

    /// The box of this workspace, which keeps its log in `data`, at a free port, saying little.
    ///
    /// # Errors
    /// When the program cannot be built.
    pub fn edge(data: &Path) -> anyhow::Result<Self> {
        Ok(Self::new(binary("hadir-edge")?, "HADIR_EDGE_", data))
    }

    /// As [`Plan::cloud`], with the program of another folder: a release build, or an older version.
    pub fn cloud_in(programs: &Path, data: &Path) -> Self {
        Self::new(programs.join("hadir-cloud"), "HADIR_CLOUD_", data)
    }

    /// As [`Plan::edge`], with the program of another folder.
    pub fn edge_in(programs: &Path, data: &Path) -> Self {
        Self::new(programs.join("hadir-edge"), "HADIR_EDGE_", data)
    }

    fn new(binary: PathBuf, prefix: &'static str, data: &Path) -> Self {
        let plan = Self { binary, environment: Vec::new(), prefix };
        plan.with("LISTEN", "127.0.0.1:0").with("LOG", "warn").with("DATA_DIR", &data.display().to_string())
    }

    /// Sets a key of the program's configuration, in upper case: `with("LISTEN", "127.0.0.1:8000")`.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        let name = format!("{}{key}", self.prefix);
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Puts the cloud on a PostgreSQL database.
    #[must_use]
    pub fn on(self, database: &Database) -> Self {
        self.with("DATABASE_URL", &database.url).with("DATABASE_OWNER_URL", &database.owner_url)
    }

    /// Where the program is.
    pub fn program(&self) -> &Path {
        &self.binary
    }

    /// A command of the program, not started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        let inherited = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        for name in
            inherited.filter(|name| name.starts_with("HADIR_CLOUD_") || name.starts_with("HADIR_EDGE_"))
        {
            command.env_remove(name);
        }
        command.args(arguments).envs(self.environment.iter().cloned());
        command
    }

    /// Runs a command to its end; answers what it wrote to standard output.
    ///
    /// # Errors
    /// When it fails; the error holds what it said.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(arguments).stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output = output.with_context(|| format!("{} cannot be started", self.binary.display()))?;
        let said = || [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
        ensure!(output.status.success(), "{} {}: {}", self.binary.display(), arguments.join(" "), said());
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Starts the program's service and waits until it listens.
    ///
    /// # Errors
    /// As [`Program::start`].
    pub async fn start(&self) -> anyhow::Result<Program> {
        let service = if self.prefix == "HADIR_CLOUD_" { "serve" } else { "run" };
        Program::start(self.command(&[service])).await
    }

    /// A code that lets one box join a school. For the cloud only.
    ///
    /// # Errors
    /// When there is no such school.
    pub async fn enrolment_code(&self, institution: &str) -> anyhow::Result<String> {
        Ok(self.run(&["edge", "code", "--institution", institution]).await?.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_set_twice_has_its_last_value_and_nothing_is_inherited() {
        let plan = Plan { binary: "x".into(), environment: Vec::new(), prefix: "HADIR_EDGE_" };
        let command = plan.with("LISTEN", "a").with("LISTEN", "b").command(&["run"]);
        let set: Vec<_> = command.as_std().get_envs().filter(|(_, value)| value.is_some()).collect();
        assert_eq!(set, [("HADIR_EDGE_LISTEN".as_ref(), Some("b".as_ref()))]);
    }
}

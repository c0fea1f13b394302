//! Relying parties that nobody here wrote: openid-client (npm) and Authlib (PyPI), which the tests let sign people in. What
//! they need is fetched once by `cargo xtask test`, beside what cargo builds.

use std::path::PathBuf;

use tokio::process::Command;

use crate::{env, process};

/// The packages of npm.
pub const NODE: [&str; 2] = ["openid-client@6.9.0", "jose@6.2.18"];
/// The packages of PyPI.
pub const PYTHON: [&str; 3] = ["Authlib==1.9.10", "joserfc==1.8.0", "requests==2.34.2"];

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    OpenidClient,
    Authlib,
}

/// The folder of both; its name says what is in it.
pub fn folder() -> PathBuf {
    process::target().join("relying-parties-1")
}

/// Where Python's packages are.
pub fn venv() -> PathBuf {
    folder().join("venv")
}

/// Whether both are here.
///
/// # Errors
/// When they are not, and a run without them is no run: where `HADIR_REQUIRE_BROWSER` or `CI` is set.
pub fn are_here() -> anyhow::Result<bool> {
    let found = folder().join("complete").exists();
    let must_be = ["HADIR_REQUIRE_BROWSER", "CI"].into_iter().any(|name| env(name).is_some());
    anyhow::ensure!(found || !must_be, "no {}: cargo xtask test fetches it", folder().display());
    Ok(found)
}

impl Kind {
    /// What starts it for a client of `issuer`, at a port of this machine.
    pub fn command(self, issuer: &str, id: &str, secret: &str, port: u16) -> Command {
        let scripts = process::workspace().join("tests/relying");
        let mut command = match self {
            Self::OpenidClient => {
                let mut command = Command::new("node");
                command.arg(scripts.join("openid_client.mjs")).arg(folder());
                command
            }
            Self::Authlib => {
                let mut command = Command::new(venv().join("bin/python3"));
                command.arg(scripts.join("authlib_rp.py"));
                command
            }
        };
        command.args([issuer, id, secret]).arg(port.to_string());
        command
    }
}

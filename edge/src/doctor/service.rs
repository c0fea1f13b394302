//! Whether the machine starts the box by itself.

use tokio::process::Command;

use super::{PATIENCE, Seen};
use crate::config::Config;

const UNIT: &str = "hadir-edge.service";

pub async fn look(config: &Config) -> Seen {
    if !std::path::Path::new("/run/systemd/system").is_dir() {
        return Seen::skipped("systemd does not run here: whatever starts the box is somebody else's");
    }
    if config.data_dir.is_relative() {
        return Seen::skipped("this is not the machine's own box: its data folder is relative");
    }
    let state = async |what| ask("systemctl", &[what, UNIT]).await.unwrap_or_default().trim().to_owned();
    judge(&state("is-enabled").await, &state("is-active").await)
}

fn judge(enabled: &str, active: &str) -> Seen {
    match (enabled, active) {
        ("enabled", "active") => Seen::fine("enabled, and runs"),
        ("" | "not-found", _) => Seen::wrong("there is no unit", "hadir-edge install"),
        ("enabled", active) => Seen::wrong(
            format!("enabled, but {active}"),
            "systemctl restart hadir-edge; if it does not stay, journalctl -u hadir-edge -n 50 says why",
        ),
        (enabled, _) => Seen::wrong(
            format!("{enabled}: the box does not start with the machine"),
            "systemctl enable --now hadir-edge",
        ),
    }
}

/// What a program of the system says; `None` where it is missing or hangs. Its status is part of what it says.
pub async fn ask(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, output).await.ok()?.ok()?;
    String::from_utf8(output.stdout).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_service_must_be_enabled_and_run() {
        assert!(matches!(judge("enabled", "active"), Seen::Fine(_)));
        for (enabled, active, fix) in [
            ("", "inactive", "install"),
            ("not-found", "inactive", "install"),
            ("disabled", "active", "enable"),
            ("enabled", "failed", "restart"),
        ] {
            let Seen::Wrong { fix: said, .. } = judge(enabled, active) else { panic!("{enabled} {active}") };
            assert!(said.contains(fix), "{said}");
        }
        assert_eq!(ask("echo", &["yes"]).await.as_deref(), Some("yes\n"));
        assert_eq!(ask("no-such-program", &[]).await, None);
    }
}

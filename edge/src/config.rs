//! Configuration: one TOML file, every key also an environment variable `HADIR_EDGE_<KEY>`, which wins.
//!
//! Read once, at the start; nothing else looks at the environment. A box needs none of it.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use figment::{
    Figment,
    providers::{Env, Format as _, Serialized, Toml},
};
use serde::{Deserialize, Serialize};

const ENV_PREFIX: &str = "HADIR_EDGE_";
/// Where `install` puts the configuration of the machine's box.
pub const INSTALLED: &str = "/etc/hadir/edge.toml";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen over plain HTTP; port 0 takes a free one. Whoever asks from another machine is sent to HTTPS.
    pub listen: String,
    /// Where to listen over HTTPS; not at all when it is empty. `0.0.0.0:8443` serves the school's network.
    pub listen_tls: String,
    /// The school's own certificate, with those between it and its authority; without one, the box's own authority vouches.
    pub tls_cert: Option<PathBuf>,
    /// The key of `tls_cert`.
    pub tls_key: Option<PathBuf>,
    /// Whether the box announces its name (`hadir-1a2b.local`) in the school's network.
    pub mdns: bool,
    /// Where telephones reach the box, as the kiosk's QR says it: `https://absensi.sekolah.sch.id`. When it is empty: by the
    /// name or address the kiosk itself calls the box by, where a telephone finds it too; else by the box's own address in
    /// the network, because old telephones do not find names under `.local`.
    pub public_url: String,
    /// Everything the box keeps: the log, its keys.
    pub data_dir: PathBuf,
    /// What people call this gate, unless a page says otherwise.
    pub gate_name: String,
    /// What to log, as in `RUST_LOG`.
    pub log: String,
    /// The first wait after a failed contact, at most, in milliseconds; it doubles.
    pub retry_base_ms: u64,
    /// The longest wait between two contacts, in milliseconds.
    pub retry_cap_ms: u64,
    /// How often a box with nothing to send says where it stands.
    pub heartbeat_seconds: u64,
    /// How often the roster is asked for without being told of a change.
    pub roster_seconds: u64,
    /// Disk space kept back for the day the disk is full, in MiB.
    pub ballast_mib: u64,
    /// How many days the pictures of check-ins are kept.
    pub photo_days: u32,
    /// The most pages of 4 KiB the database may have; 0 is no limit.
    pub max_pages: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            listen_tls: String::new(),
            tls_cert: None,
            tls_key: None,
            mdns: false,
            public_url: String::new(),
            data_dir: "data-edge".into(),
            gate_name: "Gerbang 1".into(),
            log: "info".into(),
            retry_base_ms: 2_000,
            retry_cap_ms: 15 * 60 * 1000,
            heartbeat_seconds: 600,
            roster_seconds: 300,
            ballast_mib: 64,
            photo_days: 90,
            max_pages: 0,
        }
    }
}

impl Config {
    /// Reads the file, if one is named, and the environment.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let config: Self = figment(file)?.extract().context("the configuration is wrong")?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.retry_base_ms > 0, "retry_base_ms must be at least 1");
        anyhow::ensure!(
            self.retry_cap_ms >= self.retry_base_ms,
            "retry_cap_ms must not be below retry_base_ms"
        );
        anyhow::ensure!(self.heartbeat_seconds > 0, "heartbeat_seconds must be at least 1");
        anyhow::ensure!(self.roster_seconds > 0, "roster_seconds must be at least 1");
        anyhow::ensure!((1..=3660).contains(&self.photo_days), "photo_days must be between 1 and 3660");
        anyhow::ensure!(
            self.tls_cert.is_some() == self.tls_key.is_some(),
            "tls_cert and tls_key belong together: one of them is missing"
        );
        let name = self.gate_name.chars().count();
        anyhow::ensure!((1..=100).contains(&name), "gate_name must have between 1 and 100 characters");
        Ok(())
    }
}

/// What the machine's box keeps.
pub const INSTALLED_DATA: &str = "/var/lib/hadir-edge";

/// The configuration of the box that is installed on this machine, if one is.
pub fn installed() -> Option<PathBuf> {
    Some(PathBuf::from(INSTALLED)).filter(|file| file.exists())
}

/// Every value and where it came from, one per line.
pub fn show(file: Option<&Path>) -> anyhow::Result<String> {
    let figment = figment(file)?;
    let config: Config = figment.extract().context("the configuration is wrong")?;
    let values = serde_json::to_value(&config)?;
    let mut text = String::new();
    for (key, value) in values.as_object().into_iter().flatten() {
        let from = figment.find_metadata(key).map_or("default", |from| &from.name);
        let origin = if from.contains("environment") {
            format!("environment {ENV_PREFIX}{}", key.to_uppercase())
        } else if from.contains("TOML") {
            format!("file {}", file.unwrap_or(Path::new("?")).display())
        } else {
            "default".into()
        };
        writeln!(text, "{key} = {value}  # {origin}")?;
    }
    Ok(text)
}

fn figment(file: Option<&Path>) -> anyhow::Result<Figment> {
    let mut figment = Figment::from(Serialized::defaults(Config::default()));
    if let Some(file) = file {
        anyhow::ensure!(file.exists(), "the configuration file {} does not exist", file.display());
        figment = figment.merge(Toml::file_exact(file));
    }
    Ok(figment.merge(Env::prefixed(ENV_PREFIX).ignore(&["config"])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_what_is_wrong_in_it_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("edge.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:0\"\nballast_mib = 1\n").unwrap();
        let config = Config::load(Some(&file)).unwrap();
        assert_eq!(
            (config.listen.as_str(), config.ballast_mib, config.retry_base_ms),
            ("127.0.0.1:0", 1, 2_000)
        );
        assert!(show(Some(&file)).unwrap().contains(&format!("ballast_mib = 1  # file {}", file.display())));
        assert!(show(None).unwrap().contains("ballast_mib = 64  # default"));
        for wrong in [
            "lisen = \"x\"",
            "retry_base_ms = 0",
            "retry_cap_ms = 1",
            "gate_name = \"\"",
            "tls_cert = \"a.pem\"",
        ] {
            std::fs::write(&file, wrong).unwrap();
            assert!(Config::load(Some(&file)).is_err(), "{wrong}");
        }
    }
}

//! Configuration: one TOML file, every key also an environment variable `HADIR_CLOUD_<KEY>`, which wins.
//!
//! Read once, at the start; nothing else looks at the environment.

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

const ENV_PREFIX: &str = "HADIR_CLOUD_";

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: String,
    /// Everything the cloud keeps on this machine: the SQLite database, its secret key, files.
    pub data_dir: PathBuf,
    /// `postgres://…` or `sqlite://path`; by default `sqlite://<data_dir>/cloud.db`.
    pub database_url: Option<String>,
    /// `postgres://…` of the account that owns the tables: `migrate` uses it, nothing else does. The account of
    /// `database_url`, which must exist, then owns nothing and is given the rows. By default that account owns them.
    pub database_owner_url: Option<String>,
    /// The key that seals secrets in the database; by default `<data_dir>/secret.key`. Every node needs the same one.
    pub secret_key_file: Option<PathBuf>,
    /// How the world reaches this cloud: `https://absensi.sekolah.sch.id`. Links and tokens name it. Without it, links
    /// follow the request's own host.
    pub public_url: Option<String>,
    /// Believe `X-Forwarded-For`, `-Host` and `-Proto`: only behind a proxy that sets them.
    pub trust_proxy: bool,
    /// What to log, as in `RUST_LOG`.
    pub log: String,
    /// How long a session of the attendance module lives, in days.
    pub session_days: i64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8000".into(),
            data_dir: "data".into(),
            database_url: None,
            database_owner_url: None,
            secret_key_file: None,
            public_url: None,
            trust_proxy: false,
            log: "info,tokio_cron_scheduler=warn".into(),
            session_days: 30,
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

    /// The database's address, the default filled in.
    pub fn database_url(&self) -> String {
        self.database_url
            .clone()
            .unwrap_or_else(|| format!("sqlite://{}", self.data_dir.join("cloud.db").display()))
    }

    pub fn secret_key_file(&self) -> PathBuf {
        self.secret_key_file.clone().unwrap_or_else(|| self.data_dir.join("secret.key"))
    }

    pub fn is_sqlite(&self) -> bool {
        self.database_url().starts_with("sqlite:")
    }

    fn check(&self) -> anyhow::Result<()> {
        let engine = self.database_url();
        anyhow::ensure!(
            ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| engine.starts_with(scheme)),
            "database_url must start with sqlite:// or postgres://"
        );
        if let Some(owner) = &self.database_owner_url {
            anyhow::ensure!(
                !self.is_sqlite() && (owner.starts_with("postgres:") || owner.starts_with("postgresql:")),
                "database_owner_url is for PostgreSQL: it must start with postgres://, as database_url must"
            );
        }
        if let Some(url) = &self.public_url {
            let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            anyhow::ensure!(
                host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@'])),
                "public_url must be a scheme and a host, such as https://absensi.sekolah.sch.id"
            );
        }
        anyhow::ensure!((1..=366).contains(&self.session_days), "session_days must be between 1 and 366");
        Ok(())
    }
}

/// Every value and where it came from, one per line; passwords are masked.
pub fn show(file: Option<&Path>) -> anyhow::Result<String> {
    let figment = figment(file)?;
    let config: Config = figment.extract().context("the configuration is wrong")?;
    let values = serde_json::to_value(&config)?;
    let mut text = String::new();
    for (key, value) in values.as_object().into_iter().flatten() {
        let source = figment
            .find_metadata(key)
            .map_or_else(|| "default".to_owned(), |from| origin(&from.name, file, key));
        let shown = match key.as_str() {
            "database_url" => serde_json::to_string(&mask(&config.database_url()))?,
            "database_owner_url" => serde_json::to_string(&config.database_owner_url.as_deref().map(mask))?,
            "secret_key_file" => serde_json::to_string(&config.secret_key_file())?,
            _ => value.to_string(),
        };
        writeln!(text, "{key} = {shown}  # {source}")?;
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

fn origin(provider: &str, file: Option<&Path>, key: &str) -> String {
    if provider.contains("environment") {
        format!("environment {ENV_PREFIX}{}", key.to_uppercase())
    } else if provider.contains("TOML") {
        format!("file {}", file.unwrap_or(Path::new("?")).display())
    } else {
        "default".into()
    }
}

/// `postgres://hadir:secret@db/hadir` → `postgres://hadir:***@db/hadir`.
pub fn mask(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let rest = match rest.rsplit_once('@') {
        Some((user, host)) => {
            format!("{}@{host}", user.split_once(':').map_or(user.into(), |(name, _)| format!("{name}:***")))
        }
        None => rest.into(),
    };
    match rest.split_once("password=") {
        Some((before, after)) => {
            let end = after.find('&').unwrap_or(after.len());
            format!("{scheme}://{before}password=***{}", &after[end..])
        }
        None => format!("{scheme}://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        assert_eq!(mask("postgres://hadir:s3cr@t@db:5432/hadir"), "postgres://hadir:***@db:5432/hadir");
        assert_eq!(
            mask("postgres://db/hadir?user=a&password=s3cret&x=1"),
            "postgres://db/hadir?user=a&password=***&x=1"
        );
        assert_eq!(mask("sqlite://data/cloud.db"), "sqlite://data/cloud.db");
    }

    #[test]
    fn a_file_is_read_and_an_unknown_key_in_it_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cloud.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:0\"\npublic_url = \"https://a.example\"\n").unwrap();
        let config = Config::load(Some(&file)).unwrap();
        assert_eq!((config.listen.as_str(), config.session_days), ("127.0.0.1:0", 30));
        assert!(
            show(Some(&file))
                .unwrap()
                .contains(&format!("listen = \"127.0.0.1:0\"  # file {}", file.display()))
        );
        assert!(show(None).unwrap().contains("trust_proxy = false  # default"));
        for wrong in [
            "lisen = \"x\"",
            "public_url = \"https://a.example/path\"",
            "database_url = \"mysql://x\"",
            "session_days = 0",
        ] {
            std::fs::write(&file, wrong).unwrap();
            assert!(Config::load(Some(&file)).is_err(), "{wrong}");
        }
    }
}

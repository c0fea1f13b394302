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
    /// Where to listen; port 0 takes a free one. An address, or `[[listen]]` tables with `addr` and, for a listener that has
    /// some modules alone, `modules`.
    pub listen: Listen,
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
    /// How long a session lives where its module knows no refreshing, in days.
    pub session_days: i64,
    /// The server that takes mails: `smtp://user:password@host:587?tls=required`, `smtps://…`. Without it mails are kept.
    pub smtp_url: Option<String>,
    /// A PEM file with the authority that vouches for the mail server, where this machine does not believe it anyway: that of
    /// a school's own server. For a `smtp_url` that asks for TLS.
    pub smtp_ca: Option<PathBuf>,
    /// Whom mails are from: `Hadir <hadir@sekolah.sch.id>`. Needed with `smtp_url`.
    pub mail_from: Option<String>,
    /// The HTTP gateway that takes text messages. Without it they are kept.
    pub sms_url: Option<String>,
    /// A file with the secret requests to the gateway are signed with; 16 bytes at least. Needed with `sms_url`.
    pub sms_secret_file: Option<PathBuf>,
    /// Let the gateway be in this machine's own network.
    pub sms_allow_private: bool,
    /// What `GET /sso/install` asks for; without it that address does not exist. Remove it after the first start.
    pub setup_token: Option<String>,
    /// The password of the super admin it makes; without it one is made up, and logged.
    pub super_admin_password: Option<String>,
}

/// One address for everything, or several, each with all modules or some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Listen {
    One(String),
    Several(Vec<Listener>),
}

/// An address, and what answers there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    pub addr: String,
    /// Empty: everything.
    #[serde(default)]
    pub modules: Vec<String>,
}

impl Listen {
    /// As a list.
    pub fn all(&self) -> Vec<Listener> {
        match self {
            Self::One(addr) => vec![Listener { addr: addr.clone(), modules: Vec::new() }],
            Self::Several(all) => all.clone(),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Listen::One("127.0.0.1:8000".into()),
            data_dir: "data".into(),
            database_url: None,
            database_owner_url: None,
            secret_key_file: None,
            public_url: None,
            trust_proxy: false,
            log: "info,tokio_cron_scheduler=warn".into(),
            session_days: 30,
            smtp_url: None,
            smtp_ca: None,
            mail_from: None,
            sms_url: None,
            sms_secret_file: None,
            sms_allow_private: false,
            setup_token: None,
            super_admin_password: None,
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
        self.check_listeners()?;
        self.check_messages()
    }

    fn check_listeners(&self) -> anyhow::Result<()> {
        let listeners = self.listen.all();
        anyhow::ensure!(!listeners.is_empty(), "listen must name an address");
        for module in listeners.iter().flat_map(|listener| &listener.modules) {
            let known = crate::MODULES.contains(&module.as_str());
            anyhow::ensure!(
                known,
                "listen names the module {module:?}; there are {}",
                crate::MODULES.join(", ")
            );
        }
        Ok(())
    }

    fn check_messages(&self) -> anyhow::Result<()> {
        if let Some(url) = &self.smtp_url {
            let is_smtp = url.starts_with("smtp://") || url.starts_with("smtps://");
            anyhow::ensure!(is_smtp, "smtp_url must start with smtp:// or smtps://");
            anyhow::ensure!(self.mail_from.is_some(), "smtp_url needs mail_from: whom mails are from");
            crate::mail::check_server(url, self.smtp_ca.as_deref())?;
        }
        anyhow::ensure!(self.smtp_ca.is_none() || self.smtp_url.is_some(), "smtp_ca needs smtp_url");
        if let Some(from) = &self.mail_from {
            crate::mail::check_sender(from).context("mail_from")?;
        }
        if let Some(url) = &self.sms_url {
            let is_http = url.starts_with("http://") || url.starts_with("https://");
            anyhow::ensure!(is_http, "sms_url must start with https:// or http://");
            anyhow::ensure!(
                self.sms_secret_file.is_some(),
                "sms_url needs sms_secret_file: what signs its requests"
            );
        }
        if let Some(token) = &self.setup_token {
            anyhow::ensure!(token.len() >= 16, "setup_token must have 16 characters at least");
        }
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
            "smtp_url" | "sms_url" => serde_json::to_string(&value.as_str().map(mask))?,
            "setup_token" | "super_admin_password" => serde_json::to_string(&value.as_str().map(|_| "***"))?,
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
        assert_eq!((config.listen, config.session_days), (Listen::One("127.0.0.1:0".into()), 30));
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
            "listen = []",
            "[[listen]]\naddr = \"127.0.0.1:0\"\nmodules = [\"lms\"]",
            "[[listen]]\naddr = \"127.0.0.1:0\"\nmodule = \"sso\"",
            "smtp_url = \"smtp://localhost\"",
            "smtp_url = \"http://localhost\"\nmail_from = \"a@b.id\"",
            "smtp_url = \"smtp://localhost?tls=requird\"\nmail_from = \"a@b.id\"",
            "smtp_ca = \"/etc/ssl/school.pem\"",
            "smtp_url = \"smtps://localhost\"\nmail_from = \"a@b.id\"\nsmtp_ca = \"/nowhere/school.pem\"",
            "mail_from = \"nobody\"",
            "sms_url = \"https://sms.example\"",
            "setup_token = \"short\"",
        ] {
            std::fs::write(&file, wrong).unwrap();
            assert!(Config::load(Some(&file)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn several_listeners_and_secrets_that_are_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cloud.toml");
        let text = "smtp_url = \"smtp://hadir:s3cret@mail.example\"\nmail_from = \"Hadir <hadir@sekolah.sch.id>\"\n\
                    setup_token = \"0123456789abcdef\"\nsuper_admin_password = \"s3cret s3cret\"\n\
                    [[listen]]\naddr = \"127.0.0.1:0\"\n[[listen]]\naddr = \"127.0.0.1:3001\"\nmodules = [\"sso\"]\n";
        std::fs::write(&file, text).unwrap();
        let listeners = Config::load(Some(&file)).unwrap().listen.all();
        assert_eq!(listeners.len(), 2);
        assert_eq!(
            (listeners[0].modules.len(), listeners[1].modules.as_slice()),
            (0, ["sso".to_owned()].as_slice())
        );
        let shown = show(Some(&file)).unwrap();
        assert!(!shown.contains("s3cret") && !shown.contains("0123456789abcdef"), "{shown}");
    }
}

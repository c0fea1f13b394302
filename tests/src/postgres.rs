//! A private PostgreSQL in a temporary folder.
//!
//! It listens on 127.0.0.1 at a free port, trusts everybody who can reach it, and does not wait for the disk, unless
//! asked to: what it holds is worth nothing. It never runs as root, because it refuses to.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

/// A running PostgreSQL. It ends, and its data with it, when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    child: Child,
    port: u16,
    bin: PathBuf,
    user: Option<Account>,
    disk: Disk,
    folder: TempDir,
}

/// The account that works with the rows of a [`Database`] and owns nothing.
const ACCOUNT: &str = "hadir_app";

/// A database of one's own, empty.
#[derive(Debug, Clone)]
pub struct Database {
    /// As its owner, who makes the tables.
    pub owner_url: String,
    /// As the account the cloud runs as.
    pub url: String,
}

impl Database {
    /// On the server at `server` (`postgres://postgres@host:port`), which trusts whoever comes.
    ///
    /// # Errors
    /// When the server is not there.
    pub async fn create(server: &str) -> anyhow::Result<Self> {
        let name = format!("hadir_{}", crate::random_id().simple());
        let mut admin = PgConnection::connect(&format!("{server}/postgres")).await?;
        // Several tests come here at once; the lock ends with the connection.
        let account = format!(
            "SELECT pg_advisory_lock(7412);
             DO $$ BEGIN CREATE ROLE {ACCOUNT} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        );
        sqlx::raw_sql(AssertSqlSafe(account)).execute(&mut admin).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await?;
        admin.close().await?;
        let as_account = server.replacen("//postgres@", &format!("//{ACCOUNT}@"), 1);
        Ok(Self { owner_url: format!("{server}/{name}"), url: format!("{as_account}/{name}") })
    }
}

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// As PostgreSQL is delivered: what is committed survives a power cut.
    Waits,
    /// For tests, which are over before the power fails.
    Ignored,
}

/// An account to run as instead of root.
#[derive(Debug, Clone, Copy)]
struct Account {
    uid: u32,
    gid: u32,
}

/// The folder with `initdb` and `postgres`: on PATH, or the newest of Debian's `/usr/lib/postgresql/*/bin`.
pub fn installation() -> Option<PathBuf> {
    let complete = |bin: &PathBuf| bin.join("initdb").is_file() && bin.join("postgres").is_file();
    let path = crate::env("PATH").unwrap_or_default();
    if let Some(bin) = path.split(':').map(PathBuf::from).find(complete) {
        return Some(bin);
    }
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    versions
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, bin)| complete(bin))
        .max()
        .map(|(_, bin)| bin)
}

impl Postgres {
    /// Makes a cluster for tests and starts it. Takes about a second.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, or does not come up within 30 seconds; the error holds its log.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_on(Disk::Ignored, &std::env::temp_dir())
    }

    /// Makes a cluster in a new folder under `parent` and starts it.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn start_on(disk: Disk, parent: &Path) -> anyhow::Result<Self> {
        let bin =
            installation().context("PostgreSQL is not installed (Debian: apt-get install postgresql)")?;
        let user = if rustix::process::geteuid().is_root() { Some(unprivileged()?) } else { None };
        let folder = tempfile::Builder::new().prefix("hadir-pg-").tempdir_in(parent)?;
        if let Some(user) = user {
            chown(folder.path(), Some(user.uid), Some(user.gid))?;
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700))?;
        init(&bin, user, folder.path())?;
        let port = crate::free_port()?;
        let child = launch(&bin, user, folder.path(), port, disk)?;
        Ok(Self { child, port, bin, user, disk, folder })
    }

    /// `postgres://postgres@127.0.0.1:PORT`, without a database: each test makes its own.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }

    /// The postmaster's process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends every process of it at once, as a crash would. What was committed is recovered by [`Postgres::restart`].
    ///
    /// # Errors
    /// When it had ended already.
    pub fn crash(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::QUIT)?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again after [`Postgres::crash`], on the same port.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.child = launch(&self.bin, self.user, self.folder.path(), self.port, self.disk)?;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = Pid::from_raw(self.child.id().cast_signed()).context("not a process id")?;
        Ok(kill_process(id, signal)?)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // SIGINT is PostgreSQL's "fast" shutdown: it does not wait for clients.
        if self.signal(Signal::INT).is_ok() && ends_within(&mut self.child, Duration::from_secs(10)) {
            return;
        }
        let _ = self.signal(Signal::QUIT);
        if !ends_within(&mut self.child, Duration::from_secs(5)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn ends_within(child: &mut Child, limit: Duration) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// The `postgres` account its package makes, or `nobody`.
fn unprivileged() -> anyhow::Result<Account> {
    let passwd = fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some(Account { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    };
    find("postgres")
        .or_else(|| find("nobody"))
        .context("no account to run PostgreSQL as: it refuses to run as root")
}

fn command(bin: &Path, program: &str, user: Option<Account>, folder: &Path) -> Command {
    let mut command = Command::new(bin.join(program));
    // Its own process group: Ctrl-C on the terminal is for whoever uses it, who stops it in order.
    command.current_dir(folder).stdin(Stdio::null()).env("LC_ALL", "C").env_remove("PGDATA").process_group(0);
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

fn init(bin: &Path, user: Option<Account>, folder: &Path) -> anyhow::Result<()> {
    let output = command(bin, "initdb", user, folder)
        .args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--pgdata",
        ])
        .arg(folder.join("data"))
        .output()?;
    ensure!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn launch(bin: &Path, user: Option<Account>, folder: &Path, port: u16, disk: Disk) -> anyhow::Result<Child> {
    let log = folder.join("log");
    let _ = fs::remove_file(folder.join("data/postmaster.pid"));
    let fast = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"];
    let mut child = command(bin, "postgres", user, folder)
        .arg("-D")
        .arg(folder.join("data"))
        .args(["-p", &port.to_string()])
        .args(["-c", "listen_addresses=127.0.0.1"])
        .arg("-c")
        .arg(format!("unix_socket_directories={}", folder.display()))
        .args(["-c", "max_connections=400", "-c", "shared_buffers=128MB", "-c", "max_wal_size=2GB"])
        .args(if disk == Disk::Ignored { &fast[..] } else { &[] })
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log)?)
        .spawn()?;
    let start = Instant::now();
    while !is_ready(folder) {
        let said = || fs::read_to_string(&log).unwrap_or_default();
        if let Some(status) = child.try_wait()? {
            bail!("PostgreSQL ended at once ({status}): {}", said());
        }
        if start.elapsed() > Duration::from_secs(30) {
            let _ = child.kill();
            let _ = child.wait();
            bail!("PostgreSQL did not come up: {}", said());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(child)
}

/// The eighth line of `postmaster.pid` is the server's state.
fn is_ready(folder: &Path) -> bool {
    fs::read_to_string(folder.join("data/postmaster.pid"))
        .is_ok_and(|text| text.lines().nth(7).is_some_and(|state| state.trim() == "ready"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_starts_survives_a_crash_and_leaves_nothing_behind() {
        let mut postgres = Postgres::start().unwrap();
        let url = format!("{}/postgres", postgres.url());
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("CREATE TABLE t (n BIGINT); INSERT INTO t VALUES (7)")
            .execute(&mut connection)
            .await
            .unwrap();
        sqlx::raw_sql("CHECKPOINT").execute(&mut connection).await.unwrap();
        postgres.crash().unwrap();
        assert!(PgConnection::connect(&url).await.is_err(), "it is gone");
        postgres.restart().unwrap();
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let (n,): (i64,) = sqlx::query_as("SELECT n FROM t").fetch_one(&mut connection).await.unwrap();
        assert_eq!(n, 7);
        let (id, folder) = (postgres.id(), postgres.folder.path().to_owned());
        drop(postgres);
        assert!(!folder.exists());
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }
}

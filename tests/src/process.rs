//! A program that is started, waited for, and stopped by its id.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

/// How long a program may take to say that it listens: debug builds on a busy machine.
const START_LIMIT: Duration = Duration::from_mins(1);
/// How long it may take to drain after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// What a ready program writes, before its address.
const READY: &str = "listening on ";

/// A running program. Killed when dropped; [`Program::stop`] ends it in order.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    urls: Vec<String>,
    output: Output,
}

type Output = Arc<Mutex<String>>;

impl Program {
    /// Starts it and waits for its line `listening on http://…`.
    ///
    /// # Errors
    /// When it cannot be started, ends, or does not listen within a minute; the error holds what it said.
    pub async fn start(mut command: Command) -> anyhow::Result<Self> {
        let name =
            Path::new(command.as_std().get_program()).file_name().unwrap_or_default().display().to_string();
        // Its own process group: Ctrl-C on the terminal is for whoever started it, who stops it in order.
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        let output = Output::default();
        let (found, mut urls) = watch::channel(Vec::new());
        let found = Arc::new(found);
        if let Some(out) = child.stdout.take() {
            tokio::spawn(listen(out, output.clone(), found.clone()));
        }
        if let Some(err) = child.stderr.take() {
            tokio::spawn(listen(err, output.clone(), found));
        }
        let mut program = Self { name, child, urls: Vec::new(), output };
        let plain = |urls: &Vec<String>| urls.iter().any(|url| url.starts_with("http://"));
        let ready = tokio::select! {
            ready = timeout(START_LIMIT, urls.wait_for(plain)) => ready.ok().and_then(Result::ok).is_some(),
            _ = program.child.wait() => false,
        };
        if !ready {
            // What it said last may still be in the pipe.
            tokio::time::sleep(Duration::from_millis(100)).await;
            bail!("{} did not start to listen:\n{}", program.name, program.output());
        }
        program.urls.clone_from(&urls.borrow());
        Ok(program)
    }

    /// Where it listens without TLS: `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> &str {
        self.urls.iter().find(|url| url.starts_with("http://")).map_or("", String::as_str)
    }

    /// Every address it named before it was ready.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Its process id; `None` once it has ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// What it has written so far, both streams.
    pub fn output(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its exit status, when it has ended by itself.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// When it does not end within 20 seconds (it is killed then), or ends with a failure.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(id) = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            kill_process(id, Signal::TERM)?;
        }
        let Ok(status) = timeout(STOP_LIMIT, self.child.wait()).await else {
            let output = self.output();
            self.kill().await?;
            bail!("the program did not stop within {STOP_LIMIT:?}:\n{output}");
        };
        let status = status?;
        anyhow::ensure!(status.success(), "{} stopped with {status}:\n{}", self.name, self.output());
        Ok(())
    }

    /// Ends it at once (SIGKILL), as a power cut of the process would.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.start_kill()?;
        self.child.wait().await?;
        Ok(())
    }
}

async fn listen(stream: impl AsyncRead + Unpin, output: Output, found: Arc<watch::Sender<Vec<String>>>) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(url) = address(&line) {
            found.send_modify(|urls| urls.push(url));
        }
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        output.push_str(&line);
        output.push('\n');
    }
}

/// The address of a line that says `listening on ADDRESS`, in a log of people's or programs' form.
fn address(line: &str) -> Option<String> {
    let after = line.split_once(READY)?.1;
    let end =
        after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\u{1b}' | ',')).unwrap_or(after.len());
    let url = after[..end].trim_end_matches('/');
    url.starts_with("http").then(|| url.to_owned())
}

/// Where [`binary`] has put them.
static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);

/// A program of this workspace, built and up to date, by the name of its binary.
///
/// Under `cargo xtask` the programs are built already, and `HADIR_BIN_DIR` says where; otherwise they are built here, once.
///
/// # Errors
/// When it cannot be built.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    if let Some(folder) = crate::env("HADIR_BIN_DIR") {
        return Ok(PathBuf::from(folder).join(name));
    }
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = match &*built {
        Some(folder) => folder.clone(),
        None => built.insert(build()?).clone(),
    };
    Ok(folder.join(name))
}

fn build() -> anyhow::Result<PathBuf> {
    // The whole workspace, as `cargo test` builds it: the same features, so nothing is compiled twice.
    let status = std::process::Command::new("cargo")
        .args(["build", "--workspace", "--bins"])
        .current_dir(workspace())
        .status()
        .context("cargo cannot be started")?;
    anyhow::ensure!(status.success(), "the programs do not build");
    Ok(target().join("debug"))
}

/// The folder of the workspace's `Cargo.toml`.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Where cargo puts what it builds.
pub fn target() -> PathBuf {
    crate::env("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn it_waits_for_the_line_and_stops_by_signal() {
        let script = "trap 'exit 0' TERM; echo starting; echo 'INFO listening on http://127.0.0.1:81/' >&2; while :; do sleep 0.1; done";
        let program = Program::start(shell(script)).await.unwrap();
        assert_eq!(program.url(), "http://127.0.0.1:81");
        let id = program.id().unwrap();
        program.stop().await.unwrap();
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }

    #[tokio::test]
    async fn a_program_that_ends_early_is_quoted() {
        let error = Program::start(shell("echo no such database; exit 3")).await.unwrap_err();
        assert!(format!("{error:#}").contains("no such database"), "{error:#}");
    }

    #[test]
    fn addresses_are_read_from_both_forms_of_log() {
        for (line, url) in [
            ("listening on http://127.0.0.1:8000", Some("http://127.0.0.1:8000")),
            (
                r#"{"level":"INFO","message":"listening on http://127.0.0.1:8000/"}"#,
                Some("http://127.0.0.1:8000"),
            ),
            ("\u{1b}[32mlistening on https://[::1]:8443\u{1b}[0m", Some("https://[::1]:8443")),
            ("listening on a socket", None),
            ("hello", None),
        ] {
            assert_eq!(address(line).as_deref(), url, "{line}");
        }
    }
}

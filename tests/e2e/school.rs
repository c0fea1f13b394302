//! A cloud with the demo school, and boxes enrolled in it: what every test starts from.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};
use hadir_shared::{demo, ids::LogId};
use hadir_tests::{
    free_port, now,
    postgres::Postgres,
    process::{Program, binary},
};
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::process::Command;
use uuid::Uuid;

use crate::ledger::Books;

/// How long anything may take to come true.
const PATIENCE: Duration = Duration::from_secs(120);

/// Which database the cloud is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A cloud that can be killed and started again at the same address.
pub struct Cloud {
    pub client: Client,
    folder: TempDir,
    port: u16,
    database: Option<Database>,
    program: Option<Program>,
}

/// A PostgreSQL database of one test.
struct Database {
    url: String,
    /// Kept running by whoever holds it, when the test started its own.
    _own: Option<Postgres>,
}

impl Cloud {
    /// With the demo school loaded, its classes of `class_size` students.
    pub async fn start(engine: Engine, class_size: usize) -> anyhow::Result<Self> {
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(fresh_database().await?),
        };
        let mut cloud =
            Self { client: client()?, folder: TempDir::new()?, port: free_port()?, database, program: None };
        cloud.run(&["migrate"]).await?;
        cloud.run(&["demo", "--class-size", &class_size.to_string()]).await?;
        cloud.resume().await?;
        Ok(cloud)
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// SIGKILL.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.program.take().context("the cloud is not running")?.kill().await
    }

    /// Starts it (again).
    pub async fn resume(&mut self) -> anyhow::Result<()> {
        let mut command = self.command();
        command.arg("serve").env("HADIR_CLOUD_LISTEN", self.address());
        self.program = Some(Program::start(command).await?);
        Ok(())
    }

    /// Runs one of its commands to the end and answers what it printed.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command().args(arguments).output().await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "hadir-cloud {arguments:?}: {}\n{said}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }

    /// A one-time enrolment code for a school.
    pub async fn code(&self, institution: &str) -> anyhow::Result<String> {
        let said = self.run(&["edge", "code", "--institution", institution]).await?;
        said.split_whitespace().last().map(str::to_owned).context("no code was printed")
    }

    pub fn books(&self) -> Books {
        match &self.database {
            Some(database) => Books::Postgres(database.url.clone()),
            None => Books::Sqlite(self.folder.path().join("cloud.db")),
        }
    }

    /// A signed-in person of the demo, by number.
    pub async fn sign_in(&self, number: &str) -> anyhow::Result<SignedIn> {
        let login = json!({"nisn_nip_nik": number, "password": demo::PASSWORD});
        let answer: Value = self
            .client
            .post(format!("{}/api/auth/login", self.url()))
            .json(&login)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let token = answer["data"]["token"].as_str().context("no token")?.to_owned();
        Ok(SignedIn { client: self.client.clone(), url: self.url(), token })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binary("hadir-cloud").expect("the programs build"));
        command.env("HADIR_CLOUD_DATA_DIR", self.folder.path()).env("HADIR_CLOUD_LOG", "warn,hadir_cloud=info");
        if let Some(database) = &self.database {
            command.env("HADIR_CLOUD_DATABASE_URL", &database.url);
        }
        command.kill_on_drop(true);
        command
    }
}

/// Somebody who talks to the cloud.
pub struct SignedIn {
    client: Client,
    url: String,
    token: String,
}

impl SignedIn {
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Status and body.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(body);
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// The texts printed on the active cards of the school, with their students.
    pub async fn cards(&self) -> anyhow::Result<Vec<(i64, String)>> {
        let answer = self.get("/api/student-qr-cards").await?;
        let cards = answer["data"].as_array().context("no list of cards")?;
        cards
            .iter()
            .filter(|card| card["is_active"] == true)
            .map(|card| {
                let student = card["student_id"].as_i64().context("a card without a student")?;
                Ok((student, card["signed_code"].as_str().context("a card without a signed code")?.to_owned()))
            })
            .collect()
    }
}

/// A box that can be killed and started again at the same address.
pub struct Edge {
    pub client: Client,
    folder: TempDir,
    port: u16,
    program: Option<Program>,
}

impl Edge {
    /// Enrolled through `cloud_url` (which may be a proxy), and running.
    pub async fn enrol(cloud_url: &str, code: &str) -> anyhow::Result<Self> {
        let mut edge = Self { client: client()?, folder: TempDir::new()?, port: free_port()?, program: None };
        edge.run(&["enroll", "--cloud", cloud_url, "--code", code]).await?;
        edge.resume().await?;
        Ok(edge)
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// SIGKILL.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.program.take().context("the box is not running")?.kill().await
    }

    /// SIGTERM, and an orderly end.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.program.take().context("the box is not running")?.stop().await
    }

    pub async fn resume(&mut self) -> anyhow::Result<()> {
        let mut command = self.command();
        command.arg("run");
        self.program = Some(Program::start(command).await?);
        Ok(())
    }

    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command().args(arguments).output().await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "hadir-edge {arguments:?}: {}\n{said}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("edge.db")
    }

    /// What the box says of itself.
    pub async fn status(&self) -> anyhow::Result<Value> {
        let answer = self.client.get(format!("{}/api/box/status", self.url())).send().await?;
        let body: Value = answer.error_for_status()?.json().await?;
        Ok(body.get("data").cloned().unwrap_or(body))
    }

    /// One scan: the answer's outcome, or nothing when the box did not answer.
    pub async fn scan(&self, code: &str, direction: &str, gate: &str) -> Option<Answer> {
        scan(&self.client, &self.url(), code, direction, gate).await
    }

    /// Waits until nothing is left to acknowledge, and answers the status then.
    pub async fn drained(&self) -> anyhow::Result<Value> {
        eventually("everything is acknowledged", async || {
            let status = self.status().await.ok()?;
            (status["pending"] == 0 && status["heads_equal"] == true).then_some(status)
        })
        .await
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binary("hadir-edge").expect("the programs build"));
        command
            .env("HADIR_EDGE_DATA_DIR", self.folder.path())
            .env("HADIR_EDGE_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("HADIR_EDGE_LISTEN_TLS", "")
            .env("HADIR_EDGE_LOG", "warn,hadir_edge=info")
            .env("HADIR_EDGE_RETRY_BASE_MS", "50")
            .env("HADIR_EDGE_RETRY_CAP_MS", "500")
            .env("HADIR_EDGE_BALLAST_MIB", "1")
            .kill_on_drop(true);
        command
    }
}

/// What the gate was told.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// The result's word: `hadir`, `terlambat`, `pulang`, `sudah`, …
    pub fn outcome(&self) -> &str {
        self.body["data"]["results"][0]["outcome"].as_str().unwrap_or_default()
    }

    /// Whether whoever stands at the gate was told that it is recorded, now or before.
    pub fn is_recorded(&self) -> bool {
        ["hadir", "terlambat", "pulang", "sudah"].contains(&self.outcome())
    }
}

pub async fn scan(client: &Client, url: &str, code: &str, direction: &str, gate: &str) -> Option<Answer> {
    let body = json!({"code": code, "direction": direction, "gate": gate});
    let answer = client.post(format!("{url}/api/scan")).json(&body).send().await.ok()?;
    let status = answer.status().as_u16();
    Some(Answer { status, body: answer.json().await.ok()? })
}

/// Asks again until there is an answer, and fails with `what` after two minutes.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> anyhow::Result<T> {
    let start = now();
    loop {
        if let Some(answer) = ask().await {
            return Ok(answer);
        }
        ensure!(now().since(start) < i64::try_from(PATIENCE.as_millis())?, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The box's device and log, as it tells them.
pub fn identity(status: &Value) -> anyhow::Result<(Uuid, LogId)> {
    let id = |key: &str| -> anyhow::Result<Uuid> {
        Ok(status[key].as_str().with_context(|| format!("no {key} in {status}"))?.parse()?)
    };
    Ok((id("device")?, LogId(id("log")?)))
}

/// Runs a test on one engine after the other.
pub async fn on_both(test: impl AsyncFn(Engine)) {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        eprintln!("on {engine:?}");
        test(engine).await;
    }
}

fn client() -> anyhow::Result<Client> {
    Ok(Client::builder().timeout(Duration::from_secs(20)).no_proxy().build()?)
}

async fn fresh_database() -> anyhow::Result<Database> {
    let (own, base) = match hadir_tests::env("HADIR_TEST_PG") {
        Some(base) => (None, base),
        None => {
            let own = Postgres::start()?;
            let base = own.url();
            (Some(own), base)
        }
    };
    let name = format!("e2e_{}", hadir_tests::random_id().simple());
    let mut admin = PgConnection::connect(&format!("{base}/postgres")).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await?;
    Ok(Database { url: format!("{base}/{name}"), _own: own })
}

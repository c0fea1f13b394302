//! A cloud with the demo school, and boxes enrolled in it: what every test starts from.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use hadir_shared::{demo, ids::LogId};
use hadir_tests::{
    api::Api,
    boxes, free_port, now,
    postgres::{Database, Postgres},
    process::Program,
    school::Plan,
};
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::ledger::Books;

/// How long anything may take to come true, in milliseconds.
const PATIENCE_MS: i64 = 120_000;

/// Which database the cloud is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Runs a test on one engine after the other.
pub async fn on_both(test: impl AsyncFn(Engine)) {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        eprintln!("on {engine:?}");
        test(engine).await;
    }
}

/// A cloud that can be killed and started again at the same address.
pub struct Cloud {
    pub plan: Plan,
    folder: TempDir,
    address: String,
    database: Option<Database>,
    /// Runs as long as the test, where no server was provided.
    _server: Option<Postgres>,
    program: Option<Program>,
}

impl Cloud {
    /// With the demo school loaded, its classes of `class_size` students.
    pub async fn start(engine: Engine, class_size: usize) -> anyhow::Result<Self> {
        Self::set_up(engine, class_size, false).await
    }

    /// As [`Cloud::start`], with a public address, as other software's sign-in needs one; its classes are small.
    pub async fn start_as_provider(engine: Engine) -> anyhow::Result<Self> {
        Self::set_up(engine, 2, true).await
    }

    async fn set_up(engine: Engine, class_size: usize, is_public: bool) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut plan = Plan::cloud(folder.path())?.with("LISTEN", &address);
        if is_public {
            plan = plan.with("PUBLIC_URL", &format!("http://{address}"));
        }
        let (database, server) = match engine {
            Engine::Sqlite => (None, None),
            Engine::Postgres => fresh_database().await.map(|(database, server)| (Some(database), server))?,
        };
        if let Some(database) = &database {
            plan = plan.on(database);
        }
        plan.run(&["migrate"]).await?;
        plan.run(&["demo", "--class-size", &class_size.to_string(), "--days", "0"]).await?;
        let mut cloud = Self { plan, folder, address, database, _server: server, program: None };
        cloud.resume().await?;
        Ok(cloud)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// SIGKILL.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.program.take().context("the cloud is not running")?.kill().await
    }

    /// Starts it (again).
    pub async fn resume(&mut self) -> anyhow::Result<()> {
        self.program = Some(self.plan.start().await?);
        Ok(())
    }

    /// Somebody of the demo, signed in.
    pub async fn sign_in(&self, number: &str) -> anyhow::Result<Api> {
        Api::login(&self.url(), number, demo::PASSWORD).await
    }

    /// A school's active cards, as its administrator reads them.
    pub async fn cards(&self, admin: &str) -> anyhow::Result<Vec<Card>> {
        let answer = self.sign_in(admin).await?.get("/api/student-qr-cards").await?;
        let cards = answer["data"].as_array().context("no list of cards")?;
        let active = cards.iter().filter(|card| card["is_active"] == true);
        let text = |value: &Value| value.as_str().map(str::to_owned).context("a card without its words");
        let read = |card: &Value| {
            let student = card["student_id"].as_i64().context("a card without a student")?;
            Ok(Card {
                student,
                number: text(&card["student"]["nisn_nip_nik"])?,
                code: text(&card["signed_code"])?,
            })
        };
        active.map(read).collect()
    }

    pub fn books(&self) -> Books {
        match &self.database {
            Some(database) => Books::Postgres(database.owner_url.clone()),
            None => Books::Sqlite(self.folder.path().join("cloud.db")),
        }
    }
}

/// A student's card.
#[derive(Debug, Clone)]
pub struct Card {
    pub student: i64,
    pub number: String,
    /// The text its QR holds.
    pub code: String,
}

/// A box that can be killed and started again at the same address.
pub struct Edge {
    pub plan: Plan,
    pub client: Client,
    data: PathBuf,
    _folder: TempDir,
    address: String,
    program: Option<Program>,
}

impl Edge {
    /// Installed as on a machine, into a folder, and running from there. It belongs to no school yet.
    pub async fn installed() -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let root = folder.path().to_path_buf();
        Plan::edge(&root)?.run(&["install", "--root", &root.display().to_string()]).await?;
        let (address, secure) =
            (format!("127.0.0.1:{}", free_port()?), format!("127.0.0.1:{}", free_port()?));
        let data = root.join("var/lib/hadir-edge");
        let plan = Plan::edge_in(&root.join("usr/local/bin"), &data)
            .with("CONFIG", &root.join("etc/hadir/edge.toml").display().to_string())
            .with("LISTEN", &address)
            .with("LISTEN_TLS", &secure)
            .with("RETRY_BASE_MS", "50")
            .with("RETRY_CAP_MS", "500")
            .with("BALLAST_MIB", "1");
        let mut edge = Self { plan, client: boxes::client()?, data, _folder: folder, address, program: None };
        edge.resume().await?;
        Ok(edge)
    }

    /// Enrolled in SMAN1 through `url` (the cloud's, or a proxy's), and running.
    pub async fn enrol(cloud: &Cloud, url: &str) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let plan = Plan::edge(folder.path())?
            .with("LISTEN", &address)
            .with("RETRY_BASE_MS", "50")
            .with("RETRY_CAP_MS", "500")
            .with("BALLAST_MIB", "1");
        let code = cloud.plan.enrolment_code("SMAN1").await?;
        plan.run(&["enroll", "--cloud", url, "--code", &code]).await?;
        let data = folder.path().to_path_buf();
        let mut edge = Self { plan, client: boxes::client()?, data, _folder: folder, address, program: None };
        edge.resume().await?;
        Ok(edge)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its address of HTTPS, where it was given one.
    pub fn secure_url(&self) -> anyhow::Result<&str> {
        let urls = self.program.as_ref().context("the box is not running")?.urls();
        let secure = urls.iter().find(|url| url.starts_with("https://"));
        secure.map(String::as_str).context("it does not speak HTTPS")
    }

    /// SIGKILL.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.program.take().context("the box is not running")?.kill().await
    }

    /// SIGTERM, and an orderly end.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.program.take().context("the box is not running")?.stop().await
    }

    /// SIGSTOP: it is there and answers nothing.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = self.program.as_ref().and_then(Program::id).and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(kill_process(id.context("the box is not running")?, signal)?)
    }

    /// Starts it (again).
    pub async fn resume(&mut self) -> anyhow::Result<()> {
        self.program = Some(self.plan.start().await?);
        Ok(())
    }

    /// Where it keeps everything: what a test deletes when a box dies.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    pub fn database(&self) -> PathBuf {
        self.data.join("edge.db")
    }

    /// What the box says of itself.
    pub async fn status(&self) -> anyhow::Result<Value> {
        let answer = self.client.get(format!("{}/api/box/status", self.url())).send().await?;
        let body: Value = answer.error_for_status()?.json().await?;
        Ok(body.get("data").cloned().unwrap_or(body))
    }

    /// One scan: the answer, or nothing when the box did not give one.
    pub async fn scan(&self, code: &str, direction: &str, gate: &str) -> Option<Answer> {
        scan(&self.client, &self.url(), code, direction, gate).await
    }

    /// The last scans, as its gate shows them.
    pub async fn latest(&self) -> anyhow::Result<Vec<Value>> {
        let answer = self.client.get(format!("{}/api/gate", self.url())).send().await?;
        let mut body: Value = answer.error_for_status()?.json().await?;
        Ok(serde_json::from_value(body["data"]["latest"].take())?)
    }

    /// Takes one of the last scans back; answers the status and the body.
    pub async fn undo(&self, event: &Value) -> anyhow::Result<(u16, Value)> {
        let body = json!({"event": event, "gate": "Gerbang 1"});
        let answer = self.client.post(format!("{}/api/gate/undo", self.url())).json(&body).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Waits until nothing is left to acknowledge, and answers the status then.
    pub async fn drained(&self) -> anyhow::Result<Value> {
        let ask = async || {
            let status = self.status().await.ok()?;
            (status["pending"] == 0 && status["heads_equal"] == true).then_some(status)
        };
        eventually("everything is acknowledged", ask).await
    }
}

/// What the gate was told.
#[derive(Debug, Clone)]
pub struct Answer {
    pub body: Value,
}

impl Answer {
    /// The result's word: `hadir`, `terlambat`, `pulang`, `sudah`, …
    pub fn outcome(&self) -> &str {
        self.body["data"]["results"][0]["outcome"].as_str().unwrap_or_default()
    }

    /// The name of the record.
    pub fn event(&self) -> &Value {
        &self.body["data"]["results"][0]["event"]
    }

    /// Whether whoever stands at the gate was told that it is recorded, now or before.
    pub fn is_recorded(&self) -> bool {
        ["hadir", "terlambat", "pulang", "sudah"].contains(&self.outcome())
    }
}

/// A code held before a gate of the box at `url`.
pub async fn scan(client: &Client, url: &str, code: &str, direction: &str, gate: &str) -> Option<Answer> {
    let body = json!({"code": code, "direction": direction, "gate": gate});
    let answer = client.post(format!("{url}/api/scan")).json(&body).send().await.ok()?;
    Some(Answer { body: answer.json().await.ok()? })
}

/// Asks again until there is an answer, and fails with `what` after two minutes.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> anyhow::Result<T> {
    let start = now();
    loop {
        if let Some(answer) = ask().await {
            return Ok(answer);
        }
        ensure!(now().since(start) < PATIENCE_MS, "never came true: {what}");
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

async fn fresh_database() -> anyhow::Result<(Database, Option<Postgres>)> {
    let server = if hadir_tests::env("HADIR_TEST_PG").is_none() { Some(Postgres::start()?) } else { None };
    let base = server.as_ref().map(Postgres::url).or_else(|| hadir_tests::env("HADIR_TEST_PG"));
    Ok((Database::create(&base.unwrap_or_default()).await?, server))
}

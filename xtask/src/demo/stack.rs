//! Cloud, box, and the line between them.

use std::{fmt::Write as _, net::SocketAddr, path::Path, time::Duration};

use anyhow::Context as _;
use hadir_shared::demo::PASSWORD;
use hadir_tests::{
    api::Api,
    free_port,
    process::Program,
    proxy::{Mode, Proxy},
    school::Plan,
};
use serde_json::Value;

/// The school the box belongs to.
pub const SCHOOL: &str = "SMAN1";
/// Its administrator.
const ADMIN: &str = "5001";
const CLOUD_PORT: u16 = 8000;
const EDGE_PORT: u16 = 8080;
const EDGE_TLS_PORT: u16 = 8443;

/// Everything that runs.
pub struct Stack {
    cloud: Program,
    edge: Program,
    /// Between box and cloud, when the line is to be cut.
    line: Option<Proxy>,
    pub admin: Api,
    /// Where the box serves HTTPS on this machine, and what telephones reach it by.
    secure: (String, Option<String>),
}

impl Stack {
    /// `cuttable`: the box reaches its cloud through a proxy, and tries again quickly.
    pub async fn start(programs: &Path, data: &Path, cuttable: bool) -> anyhow::Result<Self> {
        let (cloud_port, edge_port, tls_port) = (port(CLOUD_PORT)?, port(EDGE_PORT)?, port(EDGE_TLS_PORT)?);
        let cloud_data = data.join("cloud");
        std::fs::create_dir_all(&cloud_data)?;
        let cloud = Plan::cloud_in(programs, &cloud_data).with("LISTEN", &format!("127.0.0.1:{cloud_port}"));
        if cloud_data.join("cloud.db").exists() {
            eprintln!("using the data in {}", data.display());
        } else {
            eprintln!("loading the demo school …");
            cloud.run(&["demo"]).await?;
        }
        let running = cloud.start().await?;
        let line = if cuttable { Some(Proxy::start(address(running.url())?).await?) } else { None };
        let upstream = line.as_ref().map_or_else(|| running.url().to_owned(), Proxy::url);

        // A box belongs to one cloud at one address: another port is another box.
        let edge_data = data.join(format!("edge-{cloud_port}"));
        let is_new = !edge_data.exists();
        std::fs::create_dir_all(&edge_data)?;
        let mut edge = Plan::edge_in(programs, &edge_data)
            .with("LISTEN", &format!("127.0.0.1:{edge_port}"))
            // The whole network, so that a telephone can try it.
            .with("LISTEN_TLS", &format!("0.0.0.0:{tls_port}"));
        if cuttable {
            edge = edge.with("RETRY_CAP_MS", "2000").with("RETRY_BASE_MS", "200");
        }
        if is_new {
            let code = cloud.enrolment_code(SCHOOL).await?;
            edge.run(&["enroll", "--cloud", &upstream, "--code", &code]).await?;
        }
        let edge = edge.start().await?;
        let admin = Api::login(running.url(), ADMIN, PASSWORD).await?;
        let secure = (format!("https://127.0.0.1:{tls_port}"), None);
        let mut stack = Self { cloud: running, edge, line, admin, secure };
        stack.roster_arrives().await?;
        stack.secure.1 = stack.edge_status().await?["https"]["url"].as_str().map(str::to_owned);
        Ok(stack)
    }

    /// The box knows its school once the first roster is there.
    async fn roster_arrives(&self) -> anyhow::Result<()> {
        for _ in 0..300 {
            if self.edge_status().await?["roster_cursor"].as_u64().is_some_and(|cursor| cursor > 0) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("the box has no roster after 30 s: {}", self.edge_status().await?)
    }

    pub fn edge_url(&self) -> &str {
        self.edge.url()
    }

    /// What the box says of itself.
    pub async fn edge_status(&self) -> anyhow::Result<Value> {
        let answer =
            hadir_tests::boxes::client()?.get(format!("{}/api/box/status", self.edge.url())).send().await?;
        let mut answer: Value = answer.json().await?;
        Ok(answer["data"].take())
    }

    /// Cuts the line for a while; says so in the progress.
    pub async fn outage(&self, lasts: Duration) {
        if let Some(line) = &self.line {
            line.set(Mode::Cut);
            tokio::time::sleep(lasts).await;
            line.set(Mode::Pass);
        }
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        let edge = self.edge.stop().await;
        self.cloud.stop().await?;
        edge
    }

    /// Where the pages are, and who may sign in.
    pub fn table(&self) -> String {
        let (cloud, edge, (secure, outside)) = (self.cloud.url(), self.edge.url(), &self.secure);
        let outside = outside.as_ref().unwrap_or(secure);
        let mut text = String::from("\n  Halaman / pages\n");
        for (what, url) in [
            ("gerbang / gate", format!("{edge}/gate")),
            ("  dengan HTTPS / over HTTPS", format!("{secure}/gate")),
            ("  dari ponsel / from a phone", format!("{outside}/gate")),
            ("  percayai kotak / trust the box", format!("{}/ca", outside.replacen("https:", "http:", 1))),
            ("kios QR / kiosk", format!("{edge}/kiosk")),
            ("status kotak / box status", format!("{edge}/status")),
            ("konsol / console", format!("{cloud}/console")),
            ("API awan / cloud API", format!("{cloud}/docs")),
        ] {
            let _ = writeln!(text, "    {what:<32} {url}");
        }
        let _ = writeln!(text, "\n  Masuk / logins (kata sandi / password: {PASSWORD})");
        for (who, number) in [
            ("admin", "5001"),
            ("kepala sekolah / principal", "4001"),
            ("pegawai / staff", "3001"),
            ("guru / teachers", "2001-2006"),
            ("siswa / students", "1001-1180"),
            ("semua sekolah / all schools", "super_admin"),
        ] {
            let _ = writeln!(text, "    {who:<32} {number}");
        }
        text
    }
}

fn address(url: &str) -> anyhow::Result<SocketAddr> {
    url.strip_prefix("http://").context("not a plain address")?.parse().context("not an address")
}

/// The usual port, or a free one when somebody has it.
fn port(usual: u16) -> anyhow::Result<u16> {
    if std::net::TcpListener::bind(("127.0.0.1", usual)).is_ok() {
        return Ok(usual);
    }
    let port = free_port()?;
    eprintln!("port {usual} is in use; taking {port}");
    Ok(port)
}

//! The console over five million records of two hundred schools: every page as the person who opens it waits for it, at the
//! server, by HTTP, and the log under every filter alone. All of it as SMAN1, whose records are a fifth.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use hadir_shared::{demo::PASSWORD, time::Zone};
use hadir_tests::{
    now,
    postgres::{Database, Disk, Postgres},
    school::Plan,
};
use reqwest::{Client, header, redirect::Policy};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqlSafeStr as _};

use super::{Row, Scale};

const FILL: &str = include_str!("fill.sql");
const RECORDS: u32 = 5_000_000;
const SCHOOLS: u32 = 199;
const DAY_MS: i64 = 24 * 3600 * 1000;
const TIMES: usize = 40;
const MOST_MS: f64 = 300.0;

/// How long the slowest but two of [`TIMES`] took, in milliseconds, and what it was.
struct Slowest {
    ms: f64,
    what: String,
}

pub async fn measure(programs: &Path, folder: &Path, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let data = folder.join("console");
    fs::create_dir_all(&data)?;
    let postgres = Postgres::start_on(Disk::Waits, folder)?;
    let database = Database::create(&postgres.url()).await?;
    let plan = Plan::cloud_in(programs, &data).on(&database);
    plan.run(&["migrate"]).await?;
    plan.run(&["demo", "--days", "0"]).await?;
    let start = Instant::now();
    let mut owner = PgConnection::connect(&database.owner_url).await?;
    fill(&mut owner, scale).await?;
    eprintln!("{} records in {:.0} s", scale.of(RECORDS), start.elapsed().as_secs_f64());
    let cloud = plan.start().await?;
    let school = id(&mut owner, "SELECT id FROM institutions WHERE code = 'SMAN1'").await?;
    let admin = Browser::sign_in(cloud.url(), "5001").await?;
    let log = slowest(&admin, school, &log_paths(&mut owner).await?).await?;
    let one = device(&mut owner, "Gerbang 1").await?;
    let boxes = ["/fleet".to_owned(), format!("/fleet/{one}"), format!("/fleet/{one}?range=7d")];
    let fleet = slowest(&admin, school, &boxes).await?;
    let overview = slowest(&admin, school, &[String::new()]).await?;
    let keeper = Browser::sign_in(cloud.url(), "semua").await?;
    let paths = ["", "?page=5", "?q=uji+1", "?per_page=100"].map(|query| format!("/console/schools{query}"));
    let schools = slowest_of(&keeper, &paths).await?;
    cloud.stop().await?;
    let row = |what, slowest: Slowest| {
        Row::below(what, "< 300 ms", format!("{:.0} ms ({})", slowest.ms, slowest.what), slowest.ms, MOST_MS)
    };
    Ok(vec![
        row(
            "console: sync log under each filter alone, 5,000,000 records of 200 schools, PostgreSQL, p95 of the slowest",
            log,
        ),
        row("console: the boxes of a school and one box, p95 of the slowest", fleet),
        row("console: overview, p95", overview),
        row("console: all schools, p95 of the slowest", schools),
    ])
}

/// Writes the schools and their records, as autovacuum leaves them after a while.
async fn fill(owner: &mut PgConnection, scale: Scale) -> anyhow::Result<()> {
    let today = Zone::JAKARTA.day(now());
    let fill = FILL
        .replace("{rows}", &scale.of(RECORDS).to_string())
        .replace("{schools}", &SCHOOLS.to_string())
        .replace("{now}", &now().0.to_string())
        .replace("{today}", &today.to_string())
        .replace("{year}", &today.academic_year().to_string());
    owner.execute(AssertSqlSafe(format!("BEGIN; {fill}; COMMIT")).into_sql_str()).await?;
    owner.execute("VACUUM ANALYZE").await?;
    Ok(())
}

async fn id(owner: &mut PgConnection, sql: &'static str) -> anyhow::Result<i64> {
    let (id,): (i64,) = sqlx::query_as(sql).fetch_one(owner).await?;
    Ok(id)
}

/// A box of SMAN1.
async fn device(owner: &mut PgConnection, name: &str) -> anyhow::Result<String> {
    let sql = "SELECT d.id::text FROM edge_devices d JOIN institutions i ON i.id = d.institution_id
        WHERE i.code = 'SMAN1' AND d.name = $1";
    let (id,): (String,) = sqlx::query_as(sql).bind(name).fetch_one(owner).await?;
    Ok(id)
}

/// The log without a filter and under each alone: what much has, what little has, what nothing has; its top and its depths.
async fn log_paths(owner: &mut PgConnection) -> anyhow::Result<Vec<String>> {
    let person = id(
        owner,
        "SELECT MIN(u.id) FROM users u JOIN institutions i ON i.id = u.institution_id
         WHERE i.code = 'SMAN1' AND u.nisn_nip_nik LIKE '7_______'",
    )
    .await?;
    let middle = id(
        owner,
        "SELECT r.id FROM sync_records r JOIN institutions i ON i.id = r.institution_id WHERE i.code = 'SMAN1'
         ORDER BY r.id OFFSET (SELECT COUNT(*) / 2 FROM sync_records o JOIN institutions s ON s.id = o.institution_id
            WHERE s.code = 'SMAN1') LIMIT 1",
    )
    .await?;
    let (most, least) = (device(owner, "Gerbang 1").await?, device(owner, "Gerbang 5").await?);
    let day = |ago: i64| Zone::JAKARTA.day(now().plus_millis(-ago * DAY_MS));
    let words = [
        "status=terkirim",
        "status=ditolak",
        "status=bentrok",
        "status=menunggu",
        "status=failed",
        "status=discarded",
    ];
    let verdicts =
        ["stored", "duplicate", "refused", "corrected"].map(|verdict| format!("verdict={verdict}"));
    let actions = ["attendance", "boot", "void"].map(|action| format!("action_type={action}"));
    let texts = ["a", "andi", "kartika+nugroho", "70000007", "tidak+dikenal", "tidak+ada"]
        .map(|text| format!("q={text}"));
    let ranges = [
        format!("start_date={}", day(30)),
        format!("end_date={}", day(30)),
        format!("start_date={}&end_date={}", day(30), day(0)),
        format!("start_date={}&end_date={}", day(200), day(170)),
        format!("start_date={}&end_date={}", day(365), day(0)),
        format!("start_date={}", day(-1)),
    ];
    let others = [
        String::new(),
        format!("after={middle}"),
        format!("user_id={person}"),
        format!("device_id={most}"),
        format!("device_id={most}&after={middle}"),
        format!("device_id={least}"),
    ];
    let mut queries: Vec<String> = words.map(str::to_owned).into();
    queries.extend(verdicts.into_iter().chain(actions).chain(texts).chain(ranges).chain(others));
    Ok(queries.into_iter().map(|query| format!("/log?{query}")).collect())
}

async fn slowest(browser: &Browser, school: i64, paths: &[String]) -> anyhow::Result<Slowest> {
    let paths: Vec<String> = paths.iter().map(|path| format!("/console/{school}{path}")).collect();
    slowest_of(browser, &paths).await
}

async fn slowest_of(browser: &Browser, paths: &[String]) -> anyhow::Result<Slowest> {
    let mut slowest = Slowest { ms: 0.0, what: String::new() };
    let mut all = String::new();
    for path in paths {
        let ms = browser.milliseconds(path).await?;
        let _ = writeln!(all, "{ms:>8.0} ms  {path}");
        if ms > slowest.ms {
            slowest = Slowest { ms, what: path.clone() };
        }
    }
    eprint!("{all}");
    Ok(slowest)
}

/// Somebody signed in to the console.
struct Browser {
    client: Client,
    base: String,
    cookie: String,
}

impl Browser {
    /// By the page, as people do.
    async fn sign_in(base: &str, login: &str) -> anyhow::Result<Self> {
        let client = Client::builder().redirect(Policy::none()).build()?;
        let form = client.get(format!("{base}/console/login")).send().await?;
        let cookie = cookie(form.headers(), "__Host-hadir-form")?;
        let page = form.text().await?;
        let csrf = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let csrf = csrf.context("a login page without a token")?;
        let body = [("login", login), ("password", PASSWORD), ("next", "/console"), ("csrf", csrf)];
        let body: Vec<String> =
            body.iter().map(|(key, value)| format!("{key}={}", value.replace('!', "%21"))).collect();
        let entered = client
            .post(format!("{base}/console/login"))
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.join("&"))
            .send()
            .await?;
        ensure!(entered.status() == 303, "{login} could not sign in: {}", entered.status());
        let cookie = self::cookie(entered.headers(), "__Host-hadir")?;
        Ok(Self { client, base: base.into(), cookie })
    }

    async fn milliseconds(&self, path: &str) -> anyhow::Result<f64> {
        let mut took = Vec::with_capacity(TIMES);
        for _ in 0..TIMES {
            let start = Instant::now();
            let request =
                self.client.get(format!("{}{path}", self.base)).header(header::COOKIE, &self.cookie);
            let answer = request.send().await?;
            ensure!(answer.status() == 200, "{path}: {}", answer.status());
            answer.bytes().await?;
            took.push(start.elapsed());
        }
        took.sort_unstable();
        let slow = took.get(TIMES * 95 / 100).copied().unwrap_or(Duration::MAX);
        Ok(slow.as_secs_f64() * 1e3)
    }
}

/// `name=value` of a cookie that was set.
fn cookie(headers: &header::HeaderMap, name: &str) -> anyhow::Result<String> {
    let lines = headers.get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.filter_map(|line| line.split(';').next());
    let own = pairs.map(str::to_owned).find(|pair| pair.split('=').next() == Some(name));
    own.with_context(|| format!("no cookie {name}"))
}

//! A cloud of its own for each test: on a fresh SQLite file and, where `HADIR_TEST_PG` names a server
//! (`postgres://user@host:port`), on a fresh PostgreSQL database; a clock that is set by hand; ids that repeat.
//!
//! With `HADIR_REQUIRE_PG=1` a run without a server fails instead of testing half.

use std::{
    future::Future,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use hadir_shared::{
    ids::{InstitutionId, UserId},
    time::{Clock, Millis, Reading},
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool};
use tokio::sync::OnceCell;
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::{
    app::App,
    attendance::roster,
    clock::Ids,
    config::Config,
    db::{Cloud, Db},
    fail::Fail,
    identity::{Actor, NewUser, keys::turn, seed, user},
    seal::Seal,
};

pub mod examples;
pub mod matrix;

/// The password of everybody a test makes.
pub const PASSWORD: &str = "Rahasia123!";
/// Who the tests' cloud is to PostgreSQL: an account that owns nothing.
const PG_ACCOUNT: &str = "hadir_test";
/// When a test begins: Friday 21 November 2025, 06:45 in Jakarta.
pub const START: Millis = Millis(1_763_682_300_000);

/// A clock that is set by hand.
#[derive(Debug)]
pub struct HandClock(AtomicI64);

impl HandClock {
    pub fn set(&self, now: Millis) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    pub fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn read(&self) -> Reading {
        let now = self.0.load(Ordering::SeqCst);
        Reading { wall: Millis(now), boottime_ms: now, boot: Uuid::nil() }
    }
}

/// One cloud, and clients for it.
#[derive(Clone)]
pub struct TestApp {
    pub app: App,
    pub clock: Arc<HandClock>,
    /// `sqlite` or `postgres`: for the messages of assertions.
    pub on: &'static str,
    /// Made when it is first asked: it describes every route, which takes longer than most requests.
    router: Arc<OnceLock<Router>>,
}

/// An answer, read to its end.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The JSON of the body; a text that is none is a string, an empty body is null.
    pub body: Value,
}

impl Answer {
    /// Status and body, for one assertion over both.
    pub fn parts(&self) -> (u16, &Value) {
        (self.status.as_u16(), &self.body)
    }
}

impl TestApp {
    /// Runs the test on every engine there is.
    pub async fn both<F: Future<Output = ()>>(test: impl Fn(Self) -> F) {
        let folder = tempfile::tempdir().unwrap();
        let t = Self::sqlite(folder.path()).await;
        let db = t.app.db.clone();
        test(t).await;
        db.close().await;
        if let Some(server) = pg_server() {
            let (url, name) = pg_copy(&server).await;
            let db = Db::open(&url).await.unwrap();
            test(Self::over(db.clone(), Config { database_url: Some(url), ..Config::default() }).await).await;
            db.close().await;
            let mut admin = PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
            admin.execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await.unwrap();
        }
    }

    /// On SQLite alone, for a test that is not about the database.
    pub async fn sqlite(folder: &Path) -> Self {
        let url = sqlite_copy(folder).await;
        Self::over(Db::open(&url).await.unwrap(), Config { database_url: Some(url), ..Config::default() })
            .await
    }

    async fn over(db: Db, config: Config) -> Self {
        let clock = Arc::new(HandClock(AtomicI64::new(START.0)));
        let on = db.engine();
        let app = App::new(db, clock.clone(), Ids::seeded(1), config, seal()).await.unwrap();
        Self { app, clock, on, router: Arc::default() }
    }

    /// The same cloud under another configuration.
    pub fn configured(&self, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = (*self.app.config).clone();
        change(&mut config);
        let app = App { config: Arc::new(config), ..self.app.clone() };
        Self { app, router: Arc::default(), ..self.clone() }
    }

    /// The same cloud by the machine's own clock: for what is promised in real time.
    pub fn in_real_time(&self) -> Self {
        let app = App { clock: Arc::new(crate::clock::SystemClock::new()), ..self.app.clone() };
        Self { app, router: Arc::default(), ..self.clone() }
    }

    /// Another node over the same database: its own caches, its own keys in memory.
    pub async fn another_node(&self) -> Self {
        let app = &self.app;
        let ids = Ids::seeded(2);
        let other = App::new(app.db.clone(), app.clock.clone(), ids, (*app.config).clone(), app.seal.clone());
        Self { app: Box::pin(other).await.unwrap(), router: Arc::default(), ..self.clone() }
    }

    /// The database as the owner of its tables sees it.
    pub async fn as_owner(&self) -> Db {
        let url = self.app.config.database_url();
        Db::open(&url.replacen(&format!("//{PG_ACCOUNT}@"), "//postgres@", 1)).await.unwrap()
    }

    pub fn router(&self) -> Router {
        self.router.get_or_init(|| crate::router(self.app.clone())).clone()
    }

    pub async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.send(request("GET", path, token).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        self.json("POST", path, token, &body).await
    }

    pub async fn put(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        self.json("PUT", path, token, &body).await
    }

    pub async fn delete(&self, path: &str, token: Option<&str>) -> Answer {
        self.send(request("DELETE", path, token).body(Body::empty()).unwrap()).await
    }

    pub async fn json(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let request = request(method, path, token).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Any request at all.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 16 << 20).await.unwrap();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into())
        };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A school with every service, and its keys.
    pub async fn institution(&self, code: &str) -> InstitutionId {
        let services: Vec<_> = seed::SERVICES.iter().map(|(code, _)| *code).collect();
        let mut tx = self.app.db.write(Cloud).await.unwrap();
        let id =
            user::create_institution(&mut tx, &self.app, Actor::System, code, code, &services).await.unwrap();
        roster::ensure_keys(&mut tx, &self.app, id).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// Somebody with a role (`seed::TEACHER`, …) and [`PASSWORD`].
    pub async fn user(&self, institution: InstitutionId, number: &str, role: i64) -> UserId {
        let hash = password_hash().await;
        let name = format!("Orang {number}");
        let new = NewUser {
            institution: Some(institution),
            number: Some(number),
            name: &name,
            password_hash: &hash,
            ..NewUser::default()
        };
        let mut tx = self.app.db.write(Cloud).await.unwrap();
        let taken = Fail::conflict("taken");
        let id = user::create(&mut tx, &self.app, Actor::System, &new, taken).await.unwrap();
        user::set_role(&mut tx, &self.app, Actor::System, id, role).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// The token of somebody who signs in through attendance.
    pub async fn login(&self, number: &str) -> String {
        let body = serde_json::json!({ "nisn_nip_nik": number, "password": PASSWORD });
        let answer = self.post("/api/auth/login", None, body).await;
        assert_eq!(answer.status, 200, "{} login of {number}: {}", self.on, answer.body);
        answer.body["data"]["token"].as_str().unwrap().to_owned()
    }

    /// A user who is already signed in.
    pub async fn signed_in(&self, institution: InstitutionId, number: &str, role: i64) -> (UserId, String) {
        let user = self.user(institution, number, role).await;
        (user, self.login(number).await)
    }
}

/// A request with a bearer token, to be given headers and a body.
pub fn request(method: &str, path: &str, token: Option<&str>) -> axum::http::request::Builder {
    let request = Request::builder().method(method).uri(path).header("host", "absensi.test");
    match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    }
}

/// The key that everything in a test's database is sealed with.
fn seal() -> Seal {
    Seal::from_key(&[7; 32]).unwrap()
}

/// Hashed once per run: it takes as long as it should.
pub async fn password_hash() -> String {
    static HASH: OnceCell<String> = OnceCell::const_new();
    let hasher = crate::identity::password::Hasher::new();
    HASH.get_or_init(async || hasher.hash(&Ids::seeded(1), PASSWORD).await.unwrap()).await.clone()
}

/// Migrated and seeded once per run, then copied.
async fn sqlite_copy(folder: &Path) -> String {
    static TEMPLATE: OnceCell<Vec<u8>> = OnceCell::const_new();
    let path = folder.join("cloud.db");
    let bytes = TEMPLATE
        .get_or_init(async || {
            let template = tempfile::tempdir().unwrap();
            let path = template.path().join("template.db");
            let db = Db::open(&format!("sqlite://{}", path.display())).await.unwrap();
            db.migrate().await.unwrap();
            seed::seed(&db, START, &Ids::seeded(1)).await.unwrap();
            turn::establish(&db, START, &Ids::seeded(1), &seal()).await.unwrap();
            db.close().await;
            std::fs::read(path).unwrap()
        })
        .await;
    std::fs::write(&path, bytes).unwrap();
    format!("sqlite://{}", path.display())
}

#[expect(clippy::disallowed_methods, reason = "the tests' own configuration")]
pub fn pg_server() -> Option<String> {
    let server = std::env::var("HADIR_TEST_PG").ok().filter(|server| !server.is_empty());
    let required = std::env::var("HADIR_REQUIRE_PG").is_ok_and(|value| value == "1");
    assert!(server.is_some() || !required, "HADIR_REQUIRE_PG=1, but HADIR_TEST_PG names no server");
    server
}

/// A database of its own, copied from a template that is made once for each state of the schema. The template stays
/// for later runs; its name tells what is in it.
async fn pg_copy(server: &str) -> (String, String) {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let template = TEMPLATE.get_or_init(|| pg_template(server)).await;
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("hadir_test_{}_{n}", std::process::id());
    let admin = PgPool::connect(&format!("{server}/postgres")).await.unwrap();
    admin.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await.unwrap();
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}"))).await.unwrap();
    admin.close().await;
    (format!("{}/{name}", server.replacen("//postgres@", &format!("//{PG_ACCOUNT}@"), 1)), name)
}

async fn pg_template(server: &str) -> String {
    let state =
        format!("{:?}{:?}{:?}{:?}", crate::db::schema(), seed::SERVICES, seed::ROLES, seed::PERMISSIONS);
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(state)[..8]);
    let name = format!("hadir_template_{digest}");
    let mut admin = PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
    // Two test programs may come here at once; the lock ends with the connection.
    admin.execute("SELECT pg_advisory_lock(7411)").await.unwrap();
    let (made,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM pg_database WHERE datname = $1")
        .bind(&name)
        .fetch_one(&mut admin)
        .await
        .unwrap();
    if made == 0 {
        let draft = format!("{name}_draft");
        admin.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)"))).await.unwrap();
        let create =
            format!("CREATE DATABASE {draft} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'");
        admin.execute(AssertSqlSafe(create)).await.unwrap();
        let account = format!(
            "DO $$ BEGIN CREATE ROLE {PG_ACCOUNT} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        );
        admin.execute(AssertSqlSafe(account)).await.unwrap();
        let db = Db::open(&format!("{server}/{draft}")).await.unwrap();
        db.migrate().await.unwrap();
        db.grant(PG_ACCOUNT).await.unwrap();
        seed::seed(&db, START, &Ids::seeded(1)).await.unwrap();
        turn::establish(&db, START, &Ids::seeded(1), &seal()).await.unwrap();
        db.close().await;
        admin.execute(AssertSqlSafe(format!("ALTER DATABASE {draft} RENAME TO {name}"))).await.unwrap();
    }
    admin.close().await.unwrap();
    name
}

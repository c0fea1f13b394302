//! What it costs to know who asks: a handler that asks for a permission, against one that asks for nothing, in one process and
//! without a network. `cargo xtask bench` runs it. Prints two numbers: the 99th percentile of each, in nanoseconds.

use std::{sync::Arc, time::Instant};

use anyhow::ensure;
use axum::{Router, body::Body, http::Request, routing::get};
use hadir_cloud::{
    app::App,
    attendance::permits::Use,
    clock::{Ids, SystemClock},
    config::Config,
    db::{Cloud, Db},
    fail::Fail,
    http::Allowed,
    identity::{Actor, Attempt, Key, NewSession, NewUser, login, seed, user},
    seal::Seal,
};
use hadir_shared::time::Clock as _;
use tower::ServiceExt as _;

const NUMBER: &str = "2001";
const PASSWORD: &str = "kunci rumah nenek";
const CALLS: usize = 50_000;
const WARM_UP: usize = 5_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let app = app(folder.path()).await?;
    let token = sign_in(&app).await?;
    let router = Router::new()
        .route("/bare", get(async || "ok"))
        .route("/asked", get(async |_: Allowed<Use>| "ok"))
        .with_state(app);
    let (mut bare, mut asked) = (Vec::with_capacity(CALLS), Vec::with_capacity(CALLS));
    // In turns, so that whatever else this machine does hits both.
    for n in 0..WARM_UP + CALLS {
        for (path, times) in [("/bare", &mut bare), ("/asked", &mut asked)] {
            let request = Request::get(path).header("authorization", format!("Bearer {token}"));
            let request = request.body(Body::empty())?;
            let start = Instant::now();
            let answer = router.clone().oneshot(request).await?;
            let took = start.elapsed().as_nanos();
            ensure!(answer.status() == 200, "{path}: {}", answer.status());
            if n >= WARM_UP {
                times.push(took);
            }
        }
    }
    println!("{} {}", p99(&mut bare), p99(&mut asked));
    Ok(())
}

async fn app(folder: &std::path::Path) -> anyhow::Result<App> {
    let url = format!("sqlite://{}", folder.join("cloud.db").display());
    let db = Db::open(&url).await?;
    db.migrate().await?;
    let ids = Ids::system();
    seed::seed(&db, SystemClock::new().now(), &ids).await?;
    let config = Config { database_url: Some(url), ..Config::default() };
    let seal = Seal::from_key(&ids.bytes::<32>())?;
    App::new(db, Arc::new(SystemClock::new()), ids, config, seal).await
}

async fn sign_in(app: &App) -> Result<String, Fail> {
    let hash = app.identity.hasher().hash(&app.ids, PASSWORD).await?;
    let services: Vec<_> = seed::SERVICES.iter().map(|(code, _)| *code).collect();
    let mut tx = app.db.write(Cloud).await?;
    let school = user::create_institution(&mut tx, app, Actor::System, "SMAN1", "SMAN 1", &services).await?;
    let new = NewUser {
        institution: Some(school),
        number: Some(NUMBER),
        name: "Guru",
        password_hash: &hash,
        ..NewUser::default()
    };
    let id = user::create(&mut tx, app, Actor::System, &new, Fail::conflict("taken")).await?;
    user::set_role(&mut tx, app, Actor::System, id, seed::TEACHER).await?;
    tx.commit().await?;
    let session = NewSession {
        client: "bench",
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        user_agent: None,
        life_ms: 3_600_000,
    };
    let attempt = Attempt { key: Key::Number(NUMBER), password: PASSWORD, session };
    Ok(login(app, &attempt, |_| Ok(())).await?.token)
}

fn p99(times: &mut [u128]) -> u128 {
    times.sort_unstable();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

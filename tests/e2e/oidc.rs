//! Signing in to other software, as people do: in a browser, with relying parties that nobody here wrote.

use hadir_shared::demo;
use hadir_tests::{
    browser::{self, Browser},
    free_port,
    process::Program,
    relying::{self, Kind},
};
use serde_json::Value;

use crate::school::{Cloud, Engine, on_both};

/// A teacher of the demo school.
const TEACHER: &str = "2001";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_relying_parties_sign_somebody_in_and_out() {
    if !browser::is_here().unwrap() || !relying::are_here().unwrap() {
        eprintln!("NOT RUN: this test needs chromium, chromedriver, node and what cargo xtask test fetches");
        return;
    }
    on_both(async |engine| {
        sign_in_and_out(engine, Kind::OpenidClient, "RS256").await;
        sign_in_and_out(engine, Kind::Authlib, "EdDSA").await;
    })
    .await;
}

async fn sign_in_and_out(engine: Engine, kind: Kind, alg: &str) {
    let cloud = Cloud::start_as_provider(engine).await.unwrap();
    let port = free_port().unwrap();
    let own = format!("http://127.0.0.1:{port}");
    let (callback, goodbye) = (format!("{own}/cb"), format!("{own}/bye"));
    let printed = cloud
        .plan
        .run(&[
            "clients",
            "add",
            "--name",
            "Moodle",
            "--redirect-uri",
            &callback,
            "--logout-uri",
            &goodbye,
            "--alg",
            alg,
            "--scope",
            "openid profile school offline_access",
        ])
        .await
        .unwrap();
    let (id, secret) = printed.trim().split_once('\n').unwrap();
    let rp = Program::start(kind.command(&cloud.url(), id, secret.trim(), port)).await.unwrap();
    let page = Browser::start(&[]).await.unwrap();

    page.open(&own).await.unwrap();
    page.until("document.querySelector('#login')").await.unwrap();
    page.fill("#login", TEACHER).await.unwrap();
    page.fill("#password", demo::PASSWORD).await.unwrap();
    page.tap("form[action='/console/login'] button.main").await.unwrap();
    let asked =
        page.until("document.querySelector(\"button[value='allow']\") && document.body.innerText").await;
    assert!(asked.unwrap().as_str().unwrap().contains("Moodle"), "{kind:?}");
    page.tap("button[value='allow']").await.unwrap();
    let done = result(&page).await;
    assert_eq!(done["user"]["number"], TEACHER, "{kind:?}: {done}");
    assert_eq!(done["user"]["school_code"], "SMAN1", "{kind:?}: {done}");
    assert_eq!(
        (&done["same"], &done["active"], &done["rotated"]),
        (&true.into(), &true.into(), &true.into()),
        "{done}"
    );
    assert_eq!(done["alg"], alg, "{kind:?}: by the published key set alone");

    // Signed in already, and agreed already: nobody is asked again.
    page.open(&own).await.unwrap();
    assert_eq!(result(&page).await["user"], done["user"], "{kind:?}");

    page.open(&format!("{own}/logout")).await.unwrap();
    let left = result(&page).await;
    assert_eq!(
        (&left["signed_out"], &left["after"]),
        (&true.into(), &"invalid_grant".into()),
        "{kind:?}: {left}"
    );
    page.open(&own).await.unwrap();
    page.until("document.querySelector('#login')").await.unwrap();
    rp.kill().await.unwrap();
}

/// What the relying party shows of how it went.
async fn result(page: &Browser) -> Value {
    let text = page.until("(document.querySelector('#result') || {}).innerText").await.unwrap();
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

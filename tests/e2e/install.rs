//! A box that is installed into a folder, started from there, and looked at: the same files as on a machine.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
};

use hadir_tests::{
    process::{Program, binary},
    school::Plan,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, process::Command};

// Of sysexits.h: EX_USAGE, EX_TEMPFAIL.
const USAGE: Option<i32> = Some(64);
const LATER: Option<i32> = Some(75);

/// What a command wrote, and its status.
async fn said(command: &mut Command) -> (String, Option<i32>) {
    let output = command.stdin(Stdio::null()).output().await.unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

fn install(root: &Path) -> Command {
    let mut command = Command::new(binary("hadir-edge").unwrap());
    command.args(["install", "--root"]).arg(root);
    command
}

/// The installed box, told nothing but where its root is and which ports are free.
fn installed(root: &Path) -> Plan {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    Plan::edge_in(&root.join("usr/local/bin"), &root.join("var/lib/hadir-edge"))
        .with("CONFIG", &root.join("etc/hadir/edge.toml").display().to_string())
        .with("LISTEN", &free())
        .with("LISTEN_TLS", &free())
        .with("BALLAST_MIB", "0")
}

async fn doctor(plan: &Plan) -> Value {
    let (said, _) = said(&mut plan.command(&["doctor", "--json"])).await;
    serde_json::from_str(&said).unwrap()
}

fn state<'a>(findings: &'a Value, check: &str) -> &'a str {
    let all = findings["findings"].as_array().unwrap();
    all.iter().find(|finding| finding["check"] == check).unwrap()["state"].as_str().unwrap()
}

fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[tokio::test]
async fn what_is_installed_runs_is_found_sound_and_goes_again_without_its_data() {
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    let (first, status) = said(&mut install(root)).await;
    assert_eq!(status, Some(0), "{first}");
    let before = files(root);
    let (second, status) = said(&mut install(root)).await;
    assert!(status == Some(0) && second.contains("nothing had to be changed"), "{second}");
    assert_eq!(files(root), before);

    let plan = installed(root);
    let off = doctor(&plan).await;
    assert_eq!((state(&off, "database"), state(&off, "port (the school)")), ("wrong", "wrong"), "{off}");
    let running: Program = plan.start().await.unwrap();
    let on = doctor(&plan).await;
    for check in [
        "files",
        "disk space",
        "database",
        "port (this machine)",
        "port (the school)",
        "certificate",
        "gate page",
    ] {
        assert_eq!(state(&on, check), "ok", "{on}");
    }
    running.stop().await.unwrap();
    let off = doctor(&plan).await;
    assert_eq!((state(&off, "database"), state(&off, "gate page")), ("ok", "wrong"), "{off}");

    let uninstall = || {
        let mut command = plan.command(&["uninstall", "--root"]);
        command.arg(root);
        command
    };
    let (told, status) = said(&mut uninstall()).await;
    assert!(status == Some(0) && told.contains("left"), "{told}");
    assert!(
        !root.join("usr/local/bin/hadir-edge").exists() && root.join("var/lib/hadir-edge/edge.db").exists()
    );
    let mut purge = install(root);
    purge.args(["--purge-data"]);
    assert_eq!(said(&mut purge).await.1, Some(2), "only `uninstall` deletes");
}

#[tokio::test]
async fn a_school_that_cannot_be_joined_leaves_a_box_that_serves_and_a_secret_is_on_no_command_line() {
    let folder = TempDir::new().unwrap();
    let (_, status) = said(install(folder.path()).args(["--cloud", "http://127.0.0.1:1"])).await;
    assert_eq!(status, USAGE, "no code");
    assert!(!folder.path().join("etc").exists(), "nothing is half installed");

    let mut asked = install(folder.path());
    asked.args(["--cloud", "http://127.0.0.1:1", "--code-stdin"]);
    let mut child =
        asked.stdin(Stdio::piped()).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"ABCD-EFGH\n").await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    let told = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    assert_eq!(output.status.code(), LATER, "{told}");
    assert!(told.contains("has not joined") && !told.contains("ABCD"), "{told}");
    let plan = installed(folder.path());
    plan.start().await.unwrap().stop().await.unwrap();
}

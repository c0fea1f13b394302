//! The whole of it, on boxes of the disk. What each finding is judged by is tested beside it.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, net::TcpListener};
use uuid::Uuid;

use super::{Finding, Seen, State, cloud, examine};
use crate::{
    clock::{BUILT, SystemClock, Timekeeper},
    config::Config,
    ids::Ids,
    node::Node,
};

async fn look(config: &Config) -> Vec<Finding> {
    let findings = examine(config, Arc::new(SystemClock::new(Uuid::nil()))).await;
    for finding in &findings {
        assert_eq!(finding.fix.is_some(), finding.state == State::Wrong, "{finding:?}");
    }
    findings
}

fn of<'a>(findings: &'a [Finding], check: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.check == check).unwrap()
}

fn config(folder: &Path) -> Config {
    Config {
        data_dir: folder.join("data"),
        listen: "127.0.0.1:0".into(),
        ballast_mib: 0,
        ..Config::default()
    }
}

/// A box that has been on, and is off.
async fn has_run(config: &Config) {
    let ids = Ids::seeded(7);
    let node = Node::open(config.clone(), Arc::new(SystemClock::new(Uuid::nil())), ids, BUILT).await.unwrap();
    node.stop().await;
}

#[tokio::test]
async fn a_box_that_never_ran_is_told_how_to_begin() {
    let folder = TempDir::new().unwrap();
    let findings = look(&config(folder.path())).await;
    for (check, fix) in
        [("files", "hadir-edge install"), ("database", "systemctl start"), ("disk speed", "dmesg")]
    {
        let finding = of(&findings, check);
        assert_eq!(finding.state, State::Wrong, "{finding:?}");
        assert!(finding.fix.as_ref().unwrap().contains(fix), "{finding:?}");
    }
    assert_eq!(of(&findings, "cloud").state, State::Skipped);
    assert!(!folder.path().join("data").exists(), "looking makes nothing");
}

#[tokio::test]
async fn a_sound_box_is_found_sound_and_nothing_is_left_behind() {
    let folder = TempDir::new().unwrap();
    let config = config(folder.path());
    has_run(&config).await;
    let names = || {
        let mut names: Vec<_> = fs::read_dir(&config.data_dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            // SQLite's own, beside a database that is read.
            .filter(|name| !name.starts_with("edge.db-"))
            .collect();
        names.sort();
        names
    };
    let before = names();
    let findings = look(&config).await;
    for check in ["files", "disk space", "sqlite", "database"] {
        assert_eq!(of(&findings, check).state, State::Ok, "{:?}", of(&findings, check));
    }
    for check in ["roster", "records waiting", "cloud", "certificate", "port (this machine)", "backup"] {
        assert_eq!(of(&findings, check).state, State::Skipped, "{:?}", of(&findings, check));
    }
    assert_eq!(names(), before);
}

#[tokio::test]
async fn damage_a_lost_key_and_loose_modes_are_found() {
    let folder = TempDir::new().unwrap();
    let config = config(folder.path());
    has_run(&config).await;
    fs::set_permissions(config.data_dir.join("secret.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let files = of(&look(&config).await, "files").clone();
    assert_eq!(files.fix.unwrap(), format!("chmod 600 {}", config.data_dir.join("secret.key").display()));

    fs::remove_file(config.data_dir.join("secret.key")).unwrap();
    assert_eq!(of(&look(&config).await, "database").state, State::Wrong);
    assert!(!config.data_dir.join("secret.key").exists(), "looking makes no key");

    fs::write(config.data_dir.join("edge.db"), b"not a database at all, but long enough to be read as one")
        .unwrap();
    assert_eq!(of(&look(&config).await, "database").state, State::Wrong);
}

#[tokio::test]
async fn a_box_that_is_off_listens_nowhere_and_has_no_certificate() {
    let folder = TempDir::new().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = Config { listen_tls: free.to_string(), ..config(folder.path()) };
    has_run(&config).await;
    let findings = look(&config).await;
    assert!(of(&findings, "port (the school)").detail.contains("the box is off"));
    for check in ["certificate", "gate page"] {
        assert_eq!(of(&findings, check).state, State::Wrong, "{:?}", of(&findings, check));
    }
}

/// What whoever answers at the cloud's address is taken for.
async fn answered_by(head_and_body: &'static str) -> Seen {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 1024];
        tokio::io::AsyncReadExt::read(&mut stream, &mut asked).await.unwrap();
        stream.write_all(head_and_body.as_bytes()).await.unwrap();
    });
    let clock = Arc::new(SystemClock::new(Uuid::nil()));
    cloud::call(&format!("http://{address}"), &Timekeeper::new(clock, BUILT, None)).await
}

#[tokio::test]
async fn a_cloud_a_portal_and_a_clock_that_is_off_are_told_apart() {
    let well = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n";
    assert!(matches!(answered_by(well).await, Seen::Fine(_)));
    for (answer, said, fix) in [
        (
            "HTTP/1.1 302 Found\r\nlocation: http://login.wifi/\r\ncontent-length: 0\r\n\r\n",
            "somebody else",
            "portal",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>", "somebody else", "portal"),
        ("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", "503", "keeps its records"),
        (
            "HTTP/1.1 200 OK\r\ndate: Wed, 21 Oct 2015 07:28:00 GMT\r\ncontent-length: 3\r\n\r\nok\n",
            "clock",
            "set-ntp",
        ),
    ] {
        let Seen::Wrong { what, fix: told } = answered_by(answer).await else { panic!("{answer}") };
        assert!(what.contains(said) && told.contains(fix), "{what}: {told}");
    }
    let clock = Arc::new(SystemClock::new(Uuid::nil()));
    let nobody = cloud::call("http://127.0.0.1:1", &Timekeeper::new(clock, BUILT, None)).await;
    assert!(matches!(nobody, Seen::Wrong { fix, .. } if fix.contains("internet may be out")));
}

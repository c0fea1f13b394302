//! HTTPS in the school's network, with a real process: its files, its exits, its signals. What it answers over a handshake is
//! tested beside the code (`edge/src/tls/tests.rs`).

use std::{fs, path::Path, time::Duration};

use hadir_tests::{process::Program, school::Plan};
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Certificate, Client, StatusCode, redirect::Policy};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

// Of sysexits.h: EX_DATAERR, EX_TEMPFAIL, EX_CONFIG.
const DATA: Option<i32> = Some(65);
const LATER: Option<i32> = Some(75);
const CONFIG: Option<i32> = Some(78);

pub fn alone(folder: &TempDir) -> Plan {
    Plan::edge(folder.path()).unwrap().with("LISTEN_TLS", "127.0.0.1:0").with("BALLAST_MIB", "0")
}

pub fn secure(running: &Program) -> &str {
    running.urls().iter().find(|url| url.starts_with("https://")).expect("an address of HTTPS")
}

/// Trusts this certificate and no other, and goes where it is told only.
fn trusting(pem: &[u8]) -> Client {
    let trusted = Certificate::from_pem(pem).unwrap();
    Client::builder().tls_certs_only([trusted]).no_proxy().redirect(Policy::none()).build().unwrap()
}

/// As a telephone gets it: in clear, at the same port.
pub async fn authority(url: &str) -> Vec<u8> {
    let address = url.replace("https://", "http://");
    let answer = reqwest::get(format!("{address}/ca.pem")).await.unwrap().error_for_status().unwrap();
    answer.bytes().await.unwrap().into()
}

/// Starts it although it is bound to fail: its status and what it said.
async fn fails(plan: &Plan) -> (Option<i32>, String) {
    let output = plan.command(&["run"]).output();
    let output = tokio::time::timeout(Duration::from_secs(30), output).await.expect("it runs").unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn a_device_that_trusts_the_box_once_trusts_it_after_every_start() {
    let folder = TempDir::new().unwrap();
    let plan = alone(&folder);
    let running = plan.start().await.unwrap();
    let trusted = authority(secure(&running)).await;
    let client = trusting(&trusted);
    let gate = client.get(format!("{}/gate", secure(&running))).send().await.unwrap();
    assert_eq!(gate.status(), StatusCode::OK);

    let (status, said) = fails(&plan).await;
    assert_eq!(status, LATER, "a second one on the same disk: {said}");
    running.stop().await.unwrap();

    let told = plan.run(&["status"]).await.unwrap();
    assert!(told.contains("\nfingerprint ") && told.contains(" 127.0.0.1 "), "{told}");
    assert!(plan.run(&["config", "show"]).await.unwrap().contains("# fingerprint: "));

    let running = plan.start().await.unwrap();
    assert_eq!(authority(secure(&running)).await, trusted);
    client.get(format!("{}/gate", secure(&running))).send().await.unwrap();
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_damaged_authority_stops_the_start_and_stays_for_somebody_to_look_at() {
    let folder = TempDir::new().unwrap();
    let plan = alone(&folder);
    plan.start().await.unwrap().stop().await.unwrap();
    let file = folder.path().join("tls/ca.pem");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 100]).unwrap();
    let (status, said) = fails(&plan).await;
    assert_eq!(status, DATA, "{said}");
    assert!(said.contains("tls/ca.pem") && said.contains("put the file back from a backup"), "{said}");
    assert_eq!(fs::read(&file).unwrap(), whole[..whole.len() - 100]);
    fs::write(&file, whole).unwrap();
    plan.start().await.unwrap().stop().await.unwrap();
}

/// A certificate for 127.0.0.1 that vouches for itself, and its key, in the folder.
fn school(folder: &Path) -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let text = |what: &str, der: &[u8]| {
        let body = data_encoding::BASE64.encode(der);
        format!("-----BEGIN {what}-----\n{body}\n-----END {what}-----\n")
    };
    let pem = text("CERTIFICATE", certificate.der());
    fs::write(folder.join("school.key"), text("PRIVATE KEY", &key.serialize_der())).unwrap();
    fs::write(folder.join("school.pem"), &pem).unwrap();
    pem.into_bytes()
}

#[tokio::test]
async fn a_school_renews_its_own_certificate_while_the_box_runs() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let plan = alone(&folder).with("TLS_CERT", &file("school.pem")).with("TLS_KEY", &file("school.key"));
    let first = school(folder.path());
    let running = plan.start().await.unwrap();
    let page = format!("{}/ca", secure(&running));
    let shown = trusting(&first).get(&page).send().await.unwrap().text().await.unwrap();
    assert!(shown.contains("Tidak ada yang perlu dipasang"), "{shown}");

    let second = school(folder.path());
    trusting(&second).get(&page).send().await.unwrap_err();
    let id = running.id().and_then(|id| Pid::from_raw(id.cast_signed())).unwrap();
    kill_process(id, Signal::HUP).unwrap();
    let mut tries = 0;
    while trusting(&second).get(&page).send().await.is_err() {
        tries += 1;
        // Well before the box would have looked by itself.
        assert!(tries < 50, "the signal was not heard");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    running.stop().await.unwrap();

    fs::write(folder.path().join("school.key"), "").unwrap();
    let (status, said) = fails(&plan).await;
    assert_eq!(status, CONFIG);
    assert!(said.contains("tls_cert, tls_key") && said.contains("no private key can be read"), "{said}");
}

//! The gate over HTTPS: what a teacher's telephone needs before a browser gives it the camera and the place.

use data_encoding::BASE64;
use hadir_tests::browser::Browser;
use reqwest::{Certificate, Client, tls::TlsInfo};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use x509_parser::parse_x509_certificate;

use super::can_run;
use crate::https::{alone, authority, secure};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_trusts_the_box_gives_its_pages_camera_and_place() {
    if !can_run() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let running = alone(&folder).start().await.unwrap();
    let page = format!("{}/gate", secure(&running));

    let stranger = Browser::start(&[]).await.unwrap();
    stranger.open(&page).await.unwrap();
    stranger.until("document.body.innerText.includes('ERR_CERT_AUTHORITY_INVALID')").await.unwrap();
    drop(stranger);

    let switches = [
        trusting(secure(&running)).await,
        "--use-fake-ui-for-media-stream".to_owned(),
        "--use-fake-device-for-media-stream".to_owned(),
    ];
    let browser = Browser::start(&switches).await.unwrap();
    browser.open(&page).await.unwrap();
    let given = "return [isSecureContext, Boolean(navigator.mediaDevices), Boolean(navigator.geolocation)]";
    assert_eq!(browser.run(given, Value::Null).await.unwrap(), json!([true, true, true]));
    browser.tap("#start").await.unwrap();
    browser.until("document.getElementById('video').videoWidth").await.unwrap();
    assert_eq!(browser.complaints().await.unwrap(), [""; 0]);
    running.stop().await.unwrap();
}

/// The switch that makes a browser trust the box at this address. Its key is the one of a certificate the box's own authority
/// vouches for, at this address, today: reqwest looked.
pub(super) async fn trusting(url: &str) -> String {
    let trusted = Certificate::from_pem(&authority(url).await).unwrap();
    let client = Client::builder().tls_certs_only([trusted]).tls_info(true).no_proxy().build().unwrap();
    let answer = client.get(format!("{url}/gate")).send().await.unwrap();
    let leaf = answer.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate).unwrap();
    let key = parse_x509_certificate(leaf).unwrap().1.public_key().raw.to_vec();
    format!("--ignore-certificate-errors-spki-list={}", BASE64.encode(&Sha256::digest(key)))
}

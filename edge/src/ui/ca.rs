//! How a device comes to trust the box: its authority, to take away, and what to do with it on each kind of device.
//!
//! What always holds: all of it can be had in clear, because a device needs it before it can do without; the fingerprint
//! stands beside it, for whoever wants to compare it with what the box's own screen says.

use std::fmt::Write as _;

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest as _, Sha256};
use uuid::Builder;

use super::pages::{page, school};
use crate::{
    http::{Web, fail::Fail},
    tls::{Ca, Https, Tls, Voucher},
};

/// What a device without trust may ask for in clear, beside scripts and styles.
pub const IN_CLEAR: [&str; 4] = ["/ca", "/ca.crt", "/ca.pem", "/ca.mobileconfig"];

/// Of a bare certificate (RFC 2585 names `pkix-cert`; this is what browsers and telephones install).
const DER: &str = "application/x-x509-ca-cert";
const PEM: &str = "application/x-pem-file";
const PROFILE: &str = "application/x-apple-aspen-config";

#[derive(Template)]
#[template(path = "ca.html")]
struct Page {
    school: String,
    /// `None` where the box serves no HTTPS.
    https: Option<Https>,
    /// When the authority ends; `None` where the school has its own certificate.
    ends: Option<String>,
}

pub async fn show(State(web): State<Web>) -> Result<Response, Fail> {
    let zone = web.node.roster().schedule().zone;
    let tls = web.node.tls();
    let ca = tls.and_then(Tls::ca);
    page(&Page {
        school: school(&web),
        https: tls.map(Tls::told),
        ends: ca.map(|ca| zone.day(ca.expires_at()).0.format("%d-%m-%Y").to_string()),
    })
}

impl Page {
    fn is_school(&self) -> bool {
        self.https.as_ref().is_some_and(|https| https.voucher == Voucher::School)
    }

    /// In groups of eight bytes, for eyes that compare.
    fn fingerprint(&self) -> Vec<String> {
        let whole = self.https.as_ref().map_or("", |https| https.fingerprint.as_str());
        let bytes: Vec<&str> = whole.split(':').collect();
        bytes.chunks(8).map(|group| group.join(":")).collect()
    }
}

pub async fn der(State(web): State<Web>) -> Result<Response, Fail> {
    let der = ca(&web)?.der().to_vec();
    Ok(file(DER, "hadir-ca.crt", der))
}

pub async fn pem(State(web): State<Web>) -> Result<Response, Fail> {
    let pem = ca(&web)?.pem();
    Ok(file(PEM, "hadir-ca.pem", pem.into_bytes()))
}

pub async fn profile(State(web): State<Web>) -> Result<Response, Fail> {
    let profile = mobileconfig(ca(&web)?, &school(&web));
    Ok(file(PROFILE, "hadir.mobileconfig", profile.into_bytes()))
}

fn ca(web: &Web) -> Result<&Ca, Fail> {
    let none = Fail::NotFound("Kotak ini tidak memakai sertifikat sendiri");
    web.node.tls().and_then(Tls::ca).ok_or(none)
}

/// `inline`: devices that can install it offer to, others keep it under the name.
fn file(kind: &'static str, name: &'static str, bytes: Vec<u8>) -> Response {
    let disposition = HeaderValue::from_str(&format!("inline; filename=\"{name}\""));
    let mut response = ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], bytes).into_response();
    if let Ok(disposition) = disposition {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

/// Apple's configuration profile with one root certificate (Configuration Profile Reference, `com.apple.security.root`).
/// Its ids come from the certificate, so that installing it again replaces it.
fn mobileconfig(ca: &Ca, school: &str) -> String {
    let id = |what: &str| {
        let digest = Sha256::new().chain_update(what).chain_update(ca.der()).finalize();
        Builder::from_custom_bytes(digest[..16].try_into().unwrap_or_default()).into_uuid()
    };
    let (profile, root) = (id("profile"), id("root"));
    let mut lines = String::new();
    for line in data_encoding::BASE64.encode(ca.der()).as_bytes().chunks(64) {
        let _ = writeln!(lines, "{}", String::from_utf8_lossy(line));
    }
    let school = escaped(school);
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
<key>PayloadContent</key>
<array>
<dict>
<key>PayloadCertificateFileName</key><string>hadir-ca.crt</string>
<key>PayloadContent</key>
<data>
{lines}</data>
<key>PayloadDisplayName</key><string>Hadir: {school}</string>
<key>PayloadIdentifier</key><string>id.hadir.ca.{root}</string>
<key>PayloadType</key><string>com.apple.security.root</string>
<key>PayloadUUID</key><string>{root}</string>
<key>PayloadVersion</key><integer>1</integer>
</dict>
</array>
<key>PayloadDescription</key><string>Sertifikat kotak absensi Hadir di jaringan sekolah. Certificate of the Hadir attendance box in the school's network.</string>
<key>PayloadDisplayName</key><string>Hadir: {school}</string>
<key>PayloadIdentifier</key><string>id.hadir.{profile}</string>
<key>PayloadOrganization</key><string>{school}</string>
<key>PayloadRemovalDisallowed</key><false/>
<key>PayloadType</key><string>Configuration</string>
<key>PayloadUUID</key><string>{profile}</string>
<key>PayloadVersion</key><integer>1</integer>
</dict>
</plist>
"#
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use hadir_shared::time::Millis;
    use rcgen::{CertificateParams, KeyPair};

    use crate::{
        clock::BUILT,
        http::testing::{Served, at},
        tls::{Place, Tls},
    };

    async fn secured() -> (Served, Tls) {
        let school = Served::at("06:41:00").await;
        let node = school.node();
        let place = Place { host: None, local: "hadir-1a2b.local".into(), addresses: Vec::new(), main: None };
        let tls = Tls::open(node.config(), node.ids(), place, at("06:41:00"), BUILT).unwrap();
        tls.listens_at(8443);
        node.serves_with(tls.clone());
        (school, tls)
    }

    #[tokio::test]
    async fn the_page_tells_the_fingerprint_the_names_and_what_to_do_on_each_device() {
        let (school, tls) = secured().await;
        let page = school.get("/ca").in_clear().await.text();
        let told = tls.told();
        let groups = page.split_once("mono groups\">").unwrap().1.split_once("</p>").unwrap().0;
        let shown = groups.replace("</span><span>", ":").replace("<span>", "").replace("</span>", "");
        assert_eq!(shown, told.fingerprint);
        for word in [
            "Android",
            "iPhone",
            "Windows",
            "Chromebook",
            "hadir-1a2b.local",
            "https://hadir-1a2b.local:8443",
        ] {
            assert!(page.contains(word), "{word}");
        }
        for link in ["/ca.crt", "/ca.pem", "/ca.mobileconfig"] {
            assert!(page.contains(&format!("href=\"{link}\"")), "{link}");
        }
        let status = school.get("/status").await.text();
        assert!(status.contains(&told.fingerprint) && status.contains("hadir-1a2b.local"));
        assert_eq!(school.get("/api/box/status").await.data()["https"]["fingerprint"], told.fingerprint);
    }

    #[tokio::test]
    async fn devices_get_the_authority_in_the_form_they_install() {
        let (school, tls) = secured().await;
        let ca = tls.ca().unwrap();
        let der = school.get("/ca.crt").in_clear().await;
        assert_eq!(der.headers["content-type"], "application/x-x509-ca-cert");
        assert_eq!(der.headers["content-disposition"], "inline; filename=\"hadir-ca.crt\"");
        assert_eq!(der.body, ca.der());
        let text = school.get("/ca.pem").in_clear().await;
        assert_eq!(text.headers["content-type"], "application/x-pem-file");
        assert_eq!(pem::parse(&text.body).unwrap().contents(), ca.der());
        assert!(!text.text().contains("PRIVATE"));

        let profile = school.get("/ca.mobileconfig").in_clear().await;
        assert_eq!(profile.headers["content-type"], "application/x-apple-aspen-config");
        let profile = profile.text();
        let data = profile.split_once("<data>\n").unwrap().1.split_once("</data>").unwrap().0;
        assert_eq!(data_encoding::BASE64.decode(data.replace('\n', "").as_bytes()).unwrap(), ca.der());
        assert!(profile.contains("com.apple.security.root"));
        assert_eq!(school.get("/ca.mobileconfig").await.text(), profile, "the same profile again");
    }

    #[test]
    fn a_name_with_marks_does_not_break_the_profile() {
        assert_eq!(super::escaped("SMA <1> & 2"), "SMA &lt;1&gt; &amp; 2");
    }

    #[tokio::test]
    async fn with_the_schools_own_certificate_there_is_nothing_to_install() {
        let school = Served::at("06:41:00").await;
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        let pair = KeyPair::generate().unwrap();
        let made = CertificateParams::new(["absensi.sekolah.example".into()]).unwrap().self_signed(&pair);
        let text = |what, der: &[u8]| pem::encode(&pem::Pem::new(what, der));
        std::fs::write(&cert, text("CERTIFICATE", made.unwrap().der())).unwrap();
        std::fs::write(&key, text("PRIVATE KEY", &pair.serialize_der())).unwrap();
        let node = school.node();
        let mut config = node.config().clone();
        (config.tls_cert, config.tls_key) = (Some(cert), Some(key));
        let tls = Tls::open(&config, node.ids(), Place::of(node), Millis(0), BUILT).unwrap();
        node.serves_with(tls);
        let page = school.get("/ca").in_clear().await.text();
        assert!(page.contains("Tidak ada yang perlu dipasang") && !page.contains("/ca.crt"));
        school.get("/ca.crt").await.refused(404, "Kotak ini tidak memakai sertifikat sendiri");
    }
}

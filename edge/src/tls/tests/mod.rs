use std::{collections::HashSet, fs, net::SocketAddr, os::unix::fs::PermissionsExt as _, sync::Barrier};

use axum::{Router, routing::get};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

use super::{bundle::Said, ca::DAY_MS, *};
use crate::{
    http::listen::{self, Limits, Site},
    testing,
};

mod connections;

/// 20 November 2026, the day the tests' boxes were built and started.
const NOW: Millis = Millis(1_795_132_800_000);
const PATIENCE: Duration = Duration::from_secs(10);

fn place(addresses: &[&str]) -> Place {
    Place {
        host: Some("kotak-1".into()),
        local: "hadir-1a2b.local".into(),
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        main: None,
    }
}

/// A box's folder and certificate.
struct Fixture {
    folder: TempDir,
    config: Config,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { config: testing::config(folder.path()), folder }
    }

    fn open_at(&self, now: Millis) -> Result<Tls, CannotServe> {
        Tls::open(&self.config, &Ids::system(), place(&["192.168.1.10"]), now, NOW)
    }

    fn open(&self) -> Tls {
        self.open_at(NOW).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("tls").join(name)
    }

    /// A school's certificate for these names, in the files of the configuration.
    fn school(&mut self, names: &[&str], until: Millis) {
        let (cert, key) = (self.folder.path().join("school.pem"), self.folder.path().join("school.key"));
        let pair = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        ca::limit(&mut params, NOW.plus_millis(-DAY_MS), until);
        fs::write(&cert, bundle::certificate_pem(params.self_signed(&pair).unwrap().der())).unwrap();
        fs::write(&key, pem::encode(&pem::Pem::new("PRIVATE KEY", pair.serialize_der()))).unwrap();
        (self.config.tls_cert, self.config.tls_key) = (Some(cert), Some(key));
    }
}

/// What a connection made now would get.
fn served(tls: &Tls) -> (Vec<u8>, Said) {
    let der = tls.inner.served.read().unwrap().key.cert[0].to_vec();
    let said = Said::by(&der).unwrap();
    (der, said)
}

#[test]
fn the_authority_is_made_once_kept_to_itself_and_good_for_ten_years() {
    let fixture = Fixture::new();
    let first = fixture.open();
    let fingerprint = first.told().fingerprint;
    assert_eq!(fingerprint.split(':').count(), 32);
    assert_eq!(first.told().voucher, Voucher::Box);
    for name in ["ca.pem", "leaf.pem"] {
        assert_eq!(fs::metadata(fixture.file(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!(fs::metadata(fixture.file("")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(fixture.file("")).unwrap().count(), 2, "nothing is left lying about");

    let (_, authority) = X509Certificate::from_der(first.ca().unwrap().der()).unwrap();
    assert!(authority.is_ca() && authority.verify_signature(None).is_ok());
    assert_eq!(first.ca().unwrap().expires_at().since(NOW), 3_650 * DAY_MS);

    let again = fixture.open();
    assert_eq!(again.told(), first.told());
    assert_eq!(served(&again).0, served(&first).0, "the leaf is kept, too");
    assert_eq!(on_disk(&fixture.config).unwrap().unwrap(), first.told());
}

#[test]
fn the_leaf_names_everything_the_box_is_called_by_and_lives_about_a_year() {
    let fixture = Fixture::new();
    let (_, said) = served(&fixture.open());
    let names =
        ["hadir-1a2b.local", "localhost", "kotak-1", "kotak-1.local", "127.0.0.1", "::1", "192.168.1.10"];
    assert_eq!(said.names, names);
    assert_eq!(said.not_before, NOW.plus_millis(-DAY_MS));
    assert_eq!(said.not_after.since(said.not_before), 397 * DAY_MS, "Apple's limit is 398 days");
}

#[test]
fn what_the_authority_may_not_vouch_for_is_left_out() {
    let fixture = Fixture::new();
    let tls = fixture.open();
    let mut renamed = place(&["203.0.113.5", "fd00::7"]);
    for (host, names) in [("bank.example", &[][..]), ("kotak-2", &["kotak-2.local"])] {
        renamed.host = Some(host.into());
        tls.refresh(renamed.clone(), NOW);
        let always = ["hadir-1a2b.local", "localhost"].iter().chain(names);
        let all: Vec<&str> = always.chain(&["127.0.0.1", "::1", "203.0.113.5", "fd00::7"]).copied().collect();
        assert_eq!(served(&tls).1.names, all);
    }
}

#[test]
fn the_leaf_is_renewed_with_a_third_left_and_when_the_box_has_moved() {
    let fixture = Fixture::new();
    let tls = fixture.open();
    let (first, _) = served(&tls);
    let two_thirds = NOW.plus_millis(-DAY_MS).plus_millis(397 * DAY_MS * 2 / 3);

    tls.refresh(place(&["192.168.1.10"]), two_thirds.plus_millis(-DAY_MS));
    assert_eq!(served(&tls).0, first, "not yet");
    tls.refresh(place(&["192.168.1.10"]), two_thirds);
    let (second, said) = served(&tls);
    assert_ne!(second, first);
    assert_eq!(said.not_before, two_thirds.plus_millis(-DAY_MS));

    tls.refresh(place(&["192.168.1.11"]), two_thirds);
    let (third, said) = served(&tls);
    assert_ne!(third, second);
    assert!(said.names.contains(&"192.168.1.11".into()) && !said.names.contains(&"192.168.1.10".into()));
    assert_eq!(tls.told().problem, None);
    let kept = Leaf::read(&fixture.file("leaf.pem")).unwrap();
    assert_eq!(kept.key.cert[0].as_ref(), third, "and is there after a restart");
}

#[test]
fn a_leaf_does_not_outlive_its_authority() {
    let fixture = Fixture::new();
    let tls = fixture.open();
    let ends = tls.ca().unwrap().expires_at();
    tls.refresh(place(&[]), ends.plus_millis(-100 * DAY_MS));
    assert_eq!(served(&tls).1.not_after, ends);
}

#[test]
fn a_box_that_woke_up_in_1970_serves_what_devices_trust_today() {
    let fixture = Fixture::new();
    let tls = fixture.open_at(Millis(0)).unwrap();
    let (first, said) = served(&tls);
    assert!(said.not_before <= NOW && NOW < said.not_after);
    assert_eq!(tls.ca().unwrap().expires_at().since(NOW), 3_650 * DAY_MS);
    for clock in [Millis(0), NOW] {
        tls.refresh(place(&["192.168.1.10"]), clock);
        assert_eq!(served(&tls).0, first, "and no other when its clock is set");
    }
}

#[test]
fn a_box_whose_clock_was_ahead_mends_itself() {
    let ahead = NOW.plus_millis(9 * 365 * DAY_MS);
    let fixture = Fixture::new();
    let tls = fixture.open_at(ahead).unwrap();
    let authority = Said::by(tls.ca().unwrap().der()).unwrap();
    assert!(authority.not_before <= NOW && authority.not_after > ahead, "it is trusted now and later");
    for clock in [NOW, ahead, NOW] {
        let (before, _) = served(&tls);
        tls.refresh(place(&["192.168.1.10"]), clock);
        let (after, said) = served(&tls);
        assert!(said.not_before <= clock && clock < said.not_after && after != before, "{clock:?}");
    }
    assert_eq!(fixture.open().told().fingerprint, tls.told().fingerprint);
}

#[test]
fn a_damaged_authority_is_an_error_and_stays_as_it_is() {
    let fixture = Fixture::new();
    fixture.open();
    let whole = fs::read_to_string(fixture.file("ca.pem")).unwrap();
    let other = {
        let other = Fixture::new();
        other.open();
        fs::read_to_string(other.file("ca.pem")).unwrap()
    };
    let split = |text: &str| text.split_at(text.find("-----BEGIN PRIVATE").unwrap()).0.to_owned();
    let key_of = |text: &str| text.split_at(text.find("-----BEGIN PRIVATE").unwrap()).1.to_owned();
    let damaged = [
        String::new(),
        "\0\0\0\0".into(),
        whole[..whole.len() / 2].into(),
        split(&whole),
        key_of(&whole),
        split(&whole) + &key_of(&other),
        whole.replacen("MII", "AAA", 1),
    ];
    for text in damaged {
        fs::write(fixture.file("ca.pem"), &text).unwrap();
        let error = fixture.open_at(NOW).unwrap_err();
        assert!(matches!(error, CannotServe::Ca { .. }), "{error}");
        assert!(error.to_string().contains("put the file back from a backup"), "{error}");
        assert!(on_disk(&fixture.config).is_err());
        assert_eq!(fs::read_to_string(fixture.file("ca.pem")).unwrap(), text);
    }
    fs::write(fixture.file("ca.pem"), &whole).unwrap();
    fixture.open();
}

#[test]
fn a_damaged_leaf_or_one_of_another_authority_is_simply_replaced() {
    let (fixture, other) = (Fixture::new(), Fixture::new());
    let (first, foreign) = (fixture.open(), other.open());
    for text in [String::new(), "x".into(), fs::read_to_string(other.file("leaf.pem")).unwrap()] {
        fs::write(fixture.file("leaf.pem"), text).unwrap();
        let again = fixture.open();
        assert_eq!(again.told().fingerprint, first.told().fingerprint);
        assert_ne!(served(&again).0, served(&foreign).0);
    }
}

#[test]
fn two_starts_at_once_have_one_authority() {
    for _ in 0..5 {
        let fixture = Fixture::new();
        let together = Barrier::new(8);
        let start = || {
            together.wait();
            fixture.open().told().fingerprint
        };
        let found: HashSet<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(found.len(), 1, "{found:?}");
    }
}

#[test]
fn a_wrong_certificate_of_the_school_is_refused_at_the_start() {
    let mut fixture = Fixture::new();
    let refused = |fixture: &Fixture, now, why: &str| {
        let error = fixture.open_at(now).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    fixture.school(&["absensi.sekolah.example"], NOW.plus_millis(90 * DAY_MS));
    let (cert, key) = (fixture.config.tls_cert.clone().unwrap(), fixture.config.tls_key.clone().unwrap());
    let good = fs::read_to_string(&key).unwrap();
    assert_eq!(fixture.open().told().names, ["absensi.sekolah.example"]);
    assert!(!fixture.file("ca.pem").exists(), "no authority is made that nobody needs");

    refused(&fixture, NOW.plus_millis(91 * DAY_MS), "it ended at 2027-02-18");
    fixture.open_at(Millis(0)).unwrap();
    let other = KeyPair::generate().unwrap();
    fs::write(&key, pem::encode(&pem::Pem::new("PRIVATE KEY", other.serialize_der()))).unwrap();
    refused(&fixture, NOW, "the key is not that of the certificate");
    fs::write(&key, "").unwrap();
    refused(&fixture, NOW, "no private key can be read");
    fs::write(&key, &good).unwrap();
    fs::write(&cert, "").unwrap();
    refused(&fixture, NOW, "there is no certificate in it");
    fs::remove_file(&cert).unwrap();
    refused(&fixture, NOW, "school.pem: No such file");
    fixture.school(&[], NOW.plus_millis(90 * DAY_MS));
    refused(&fixture, NOW, "it names no host");
}

#[test]
fn the_schools_certificate_is_read_again_and_a_bad_one_leaves_the_last_good_one() {
    let mut fixture = Fixture::new();
    fixture.school(&["absensi.sekolah.example"], NOW.plus_millis(90 * DAY_MS));
    let tls = fixture.open();
    tls.listens_at(8443);
    let (first, _) = served(&tls);
    assert_eq!(tls.url().as_deref(), Some("https://absensi.sekolah.example:8443"));

    fs::write(fixture.config.tls_key.clone().unwrap(), "half").unwrap();
    tls.refresh(place(&[]), NOW);
    assert!(tls.told().problem.unwrap().contains("no private key"));
    assert_eq!(served(&tls).0, first);

    fixture.school(&["*.sekolah.example", "hadir.sekolah.example"], NOW.plus_millis(180 * DAY_MS));
    tls.refresh(place(&[]), NOW);
    assert_eq!((tls.told().problem, tls.told().expires_at), (None, NOW.plus_millis(180 * DAY_MS)));
    assert_eq!(tls.url().as_deref(), Some("https://hadir.sekolah.example:8443"));

    tls.refresh(place(&[]), NOW.plus_millis(181 * DAY_MS));
    assert!(tls.told().problem.unwrap().contains("it ended at"), "nobody renewed it");
}

/// Whose certificates begin and end around the machine's own time: the clients here look at that one.
fn fresh() -> (Fixture, Tls) {
    let fixture = Fixture::new();
    let now = Millis(rcgen_now());
    let tls = Tls::open(&fixture.config, &Ids::system(), place(&["192.168.1.10"]), now, now).unwrap();
    (fixture, tls)
}

#[expect(clippy::disallowed_methods, reason = "what the clients' own library reads")]
fn rcgen_now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

#[test]
fn constraints_are_in_the_certificate_itself() {
    let fixture = Fixture::new();
    let tls = fixture.open();
    let ca = tls.ca().unwrap();
    let (_, authority) = X509Certificate::from_der(ca.der()).unwrap();
    assert!(authority.name_constraints().unwrap().unwrap().critical);
    let allowed = |name: &str| !ca.permitted(&[name.into()]).is_empty();
    for (name, is) in [
        ("kotak.local", true),
        ("a.kotak-1", true),
        ("box.home.arpa", true),
        ("10.0.0.1", true),
        ("notlocal", false),
        ("local.example", false),
        ("kotak-11", false),
    ] {
        assert_eq!(allowed(name), is, "{name}");
    }
}

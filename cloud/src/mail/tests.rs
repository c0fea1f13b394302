//! Against a mail server nobody here wrote (aiosmtpd, from Debian's `python3-aiosmtpd`). Without it these tests say so and
//! pass, unless `CI` or `HADIR_REQUIRE_SMTP` is set: then they fail.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use axum::{Router, body::Bytes, extract::State as Extracted, http::HeaderMap, routing::post as on_post};
use hmac::{Hmac, KeyInit, Mac as _};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdout, Command},
    sync::Mutex,
};

use super::*;
use crate::{
    jobs::Worker,
    testing::{TestApp, request},
};

struct Server {
    _process: Child,
    mails: Lines<BufReader<ChildStdout>>,
    port: u16,
}

/// `None`: there is no aiosmtpd here.
async fn server() -> Option<Server> {
    server_with(&[]).await
}

async fn server_with(arguments: &[&OsStr]) -> Option<Server> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/mail/smtp_server.py");
    for python in ["/usr/bin/python3", "python3"] {
        let mut command = Command::new(python);
        command.arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let Ok(mut process) = command.spawn() else { continue };
        let mut mails = BufReader::new(process.stdout.take().unwrap()).lines();
        if let Ok(Some(port)) = mails.next_line().await {
            return Some(Server { _process: process, mails, port: port.parse().unwrap() });
        }
    }
    #[expect(clippy::disallowed_methods, reason = "the tests' own configuration")]
    let required = ["CI", "HADIR_REQUIRE_SMTP"].into_iter().any(|name| std::env::var(name).is_ok());
    assert!(!required, "no aiosmtpd: apt-get install python3-aiosmtpd");
    eprintln!("no aiosmtpd here: nothing was tested");
    None
}

impl Server {
    async fn mail(&mut self) -> Value {
        let line = tokio::time::timeout(std::time::Duration::from_secs(20), self.mails.next_line()).await;
        serde_json::from_str(&line.unwrap().unwrap().unwrap()).unwrap()
    }

    fn for_cloud(&self, t: &TestApp) -> TestApp {
        t.configured(|config| {
            config.smtp_url = Some(format!("smtp://127.0.0.1:{}", self.port));
            config.mail_from = Some("Absensi SMAN 1 <hadir@sekolah.sch.id>".into());
        })
    }
}

async fn write(t: &TestApp, channel: Channel, name: &str, address: &str) -> i64 {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let to = To { name, address, user: None, institution: None };
    let id = post(&mut tx, &t.app, channel, to, Said::Reset("012345"), Language::Indonesian).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn work(t: &TestApp) {
    Worker::new(t.app.clone(), crate::kinds()).drain().await.unwrap();
}

async fn state(t: &TestApp, id: i64) -> (String, i64, Option<String>) {
    let mut tx = t.app.db.read(Cloud).await.unwrap();
    let all = list(&mut tx, None, None, None, 100).await.unwrap();
    let one = all.into_iter().find(|one| one.id == id).unwrap();
    (one.state, one.tries, one.last_error)
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    let Some(mut server) = server().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let t = server.for_cloud(&TestApp::sqlite(folder.path()).await);
    let id = write(&t, Channel::Email, "Siti Nurhaliza, S.Pd. <é>", "siti@sekolah.sch.id").await;
    work(&t).await;
    let mail = server.mail().await;
    assert_eq!(
        (&mail["from"], &mail["to"]),
        (&json!("hadir@sekolah.sch.id"), &json!(["siti@sekolah.sch.id"]))
    );
    let text = mail["text"].as_str().unwrap();
    for part in [
        "Subject: Kode untuk kata sandi baru",
        "From: ",
        "multipart/alternative",
        "012345",
        "text/html",
        "Message-ID: <",
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    assert!(text.contains("Thu, 20 Nov 2025 23:45:00 +0000"), "the clock that was handed in: {text}");
    assert_eq!(state(&t, id).await, ("sent".into(), 1, None));
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    assert!(read(&mut tx, &t.app, None, id).await.unwrap().is_none(), "the code is gone with it");
    assert!(!retry(&mut tx, &t.app, Actor::System, None, id).await.unwrap(), "once is enough");
}

#[tokio::test]
async fn what_is_refused_fails_and_what_is_put_off_is_tried_again() {
    let Some(mut server) = server().await else { return };
    TestApp::both(async |t| {
        let t = server.for_cloud(&t);
        let refused = write(&t, Channel::Email, "Siti", "refused@sekolah.sch.id").await;
        let later = write(&t, Channel::Email, "Siti", "later@sekolah.sch.id").await;
        work(&t).await;
        let (now, tries, error) = state(&t, refused).await;
        assert_eq!((now.as_str(), tries), ("failed", 1), "{}", t.on);
        assert!(error.unwrap().contains("no such mailbox"));
        assert_eq!(state(&t, later).await.0, "waiting", "{}", t.on);
        for _ in 0..jobs::TRIES {
            t.clock.advance_ms(3_600_000);
            work(&t).await;
        }
        let (now, tries, error) = state(&t, later).await;
        assert_eq!((now.as_str(), tries), ("failed", jobs::TRIES), "{}", t.on);
        assert!(error.unwrap().contains("try again later"));

        let mut tx = t.app.db.write(Cloud).await.unwrap();
        assert!(retry(&mut tx, &t.app, Actor::System, None, refused).await.unwrap());
        assert!(!retry(&mut tx, &t.app, Actor::System, None, refused).await.unwrap(), "it waits already");
        assert!(
            !retry(&mut tx, &t.app, Actor::System, Some(Reach::of(InstitutionId(1))), later).await.unwrap(),
            "another's"
        );
        tx.commit().await.unwrap();
        work(&t).await;
        assert_eq!(state(&t, refused).await.1, 2, "{}", t.on);
    })
    .await;
    let _ = &mut server;
}

#[tokio::test]
async fn t37_a_poisoned_name_adds_no_header_and_ends_no_worker() {
    let Some(mut server) = server().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let t = server.for_cloud(&TestApp::sqlite(folder.path()).await);
    let poisoned =
        write(&t, Channel::Email, "Budi\r\nBcc: dia@evil.example\r\n\r\nx\u{0}", "budi@sekolah.sch.id").await;
    let address =
        write(&t, Channel::Email, "Budi", "budi@sekolah.sch.id\r\nRCPT TO:<dia@evil.example>").await;
    let next = write(&t, Channel::Email, "Siti", "siti@sekolah.sch.id").await;
    work(&t).await;
    assert_eq!(state(&t, poisoned).await.0, "sent");
    assert_eq!(state(&t, address).await.0, "failed");
    assert_eq!(state(&t, next).await.0, "sent");
    for whom in ["budi@sekolah.sch.id", "siti@sekolah.sch.id"] {
        let mail = server.mail().await;
        assert_eq!(mail["to"], json!([whom]));
        let head = mail["text"].as_str().unwrap().split("\r\n\r\n").next().unwrap().to_owned();
        assert!(!head.lines().any(|line| line.to_lowercase().starts_with("bcc")), "{head}");
    }
}

/// An authority, and a certificate of its for `127.0.0.1` with the key: PEM files.
struct Certified {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

fn certified(folder: &Path) -> Certified {
    let write = |name: &str, label: &str, der: &[u8]| {
        let path = folder.join(name);
        let text = data_encoding::BASE64_MIME.encode(der);
        std::fs::write(&path, format!("-----BEGIN {label}-----\n{text}-----END {label}-----\n")).unwrap();
        path
    };
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let signing = KeyPair::generate().unwrap();
    let authority = params.self_signed(&signing).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(params, signing)).unwrap();
    Certified {
        authority: write("authority.pem", "CERTIFICATE", authority.der()),
        certificate: write("certificate.pem", "CERTIFICATE", leaf.der()),
        key: write("key.pem", "PRIVATE KEY", &key.serialize_der()),
    }
}

#[tokio::test]
async fn over_tls_a_mail_goes_to_a_server_that_proves_its_name() {
    let (folder, stranger) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (own, stranger) = (certified(folder.path()), certified(stranger.path()));
    for (mode, scheme, ask) in [("starttls", "smtp", "?tls=required"), ("tls", "smtps", "")] {
        let arguments = [OsStr::new(mode), own.certificate.as_os_str(), own.key.as_os_str()];
        let Some(server) = server_with(&arguments).await else { return };
        let (port, server) = (server.port, Mutex::new(server));
        TestApp::both(async |t| {
            let to = |host: &str, authority: Option<&Path>| {
                t.configured(|config| {
                    config.smtp_url = Some(format!("{scheme}://{host}:{port}{ask}"));
                    config.smtp_ca = authority.map(Into::into);
                    config.mail_from = Some("hadir@sekolah.sch.id".into());
                })
            };
            let id = write(&t, Channel::Email, "Siti", "siti@sekolah.sch.id").await;
            let untrusted = [
                to("127.0.0.1", None),
                to("127.0.0.1", Some(&stranger.authority)),
                to("localhost", Some(&own.authority)),
            ];
            for (tried, t) in (1..).zip(untrusted) {
                work(&t).await;
                let (now, tries, error) = state(&t, id).await;
                let error = error.unwrap_or_default();
                assert_eq!((now.as_str(), tries), ("waiting", tried), "{} {mode}: {error}", t.on);
                assert!(
                    error.contains("the mail server") && error.contains("certificate"),
                    "{mode}: {error}"
                );
                t.clock.advance_ms(3_600_000);
            }
            work(&to("127.0.0.1", Some(&own.authority))).await;
            assert_eq!(state(&t, id).await.0, "sent", "{} {mode}", t.on);
            let mut server = server.lock().await;
            let mail = server.mail().await;
            assert_eq!((&mail["to"], &mail["secured"]), (&json!(["siti@sekolah.sch.id"]), &json!(true)));
            let more = tokio::time::timeout(std::time::Duration::from_millis(200), server.mail()).await;
            assert!(more.is_err(), "{} {mode}: once, of four tries", t.on);
        })
        .await;
    }
}

/// A server that offers no STARTTLS, and all it was told.
async fn clear_server() -> (u16, Arc<Mutex<String>>) {
    let told = Arc::<Mutex<String>>::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let keep = told.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (read, mut write) = stream.split();
            let (mut read, mut line) = (BufReader::new(read), Vec::new());
            let _ = write.write_all(b"220 mail.test ESMTP\r\n").await;
            while read.read_until(b'\n', &mut line).await.is_ok_and(|bytes| bytes > 0) {
                let text = String::from_utf8_lossy(&line).into_owned();
                let answer = if text.starts_with("EHLO") {
                    "250-mail.test\r\n250 AUTH PLAIN\r\n"
                } else {
                    "454 no\r\n"
                };
                keep.lock().await.push_str(&text);
                line.clear();
                if write.write_all(answer.as_bytes()).await.is_err() {
                    break;
                }
            }
        }
    });
    (port, told)
}

#[tokio::test]
async fn where_tls_is_asked_for_nothing_is_said_in_the_clear() {
    TestApp::both(async |t| {
        let (port, told) = clear_server().await;
        let with = |url: String| {
            t.configured(|config| {
                config.smtp_url = Some(url);
                config.mail_from = Some("hadir@sekolah.sch.id".into());
            })
        };
        let at = format!("hadir:s3cret@127.0.0.1:{port}");
        let id = write(&t, Channel::Email, "Siti", "siti@sekolah.sch.id").await;
        let asked = with(format!("smtp://{at}?tls=required"));
        work(&asked).await;
        let (now, tries, error) = state(&t, id).await;
        assert_eq!((now.as_str(), tries), ("waiting", 1), "{}", t.on);
        assert!(error.as_ref().is_some_and(|error| error.contains("STARTTLS")), "{error:?}");
        let heard = std::mem::take(&mut *told.lock().await);
        assert!(heard.starts_with("EHLO"), "it was asked what it knows: {heard}");
        assert!(heard.lines().all(|line| line.starts_with("EHLO") || line.starts_with("QUIT")), "{heard}");

        t.clock.advance_ms(3_600_000);
        work(&with(format!("smtps://{at}"))).await;
        assert_eq!(state(&t, id).await.0, "waiting", "{}", t.on);
        let heard = std::mem::take(&mut *told.lock().await);
        assert!(!heard.contains("EHLO") && !heard.contains("AUTH"), "{heard}");

        t.clock.advance_ms(3_600_000);
        work(&with(format!("smtp://{at}"))).await;
        assert!(told.lock().await.contains("AUTH PLAIN"), "whoever asks for none has none: {}", t.on);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for() {
    TestApp::both(async |t| {
        let t = t.configured(|config| {
            config.smtp_url = Some("smtp://127.0.0.1:1".into());
            config.mail_from = Some("hadir@sekolah.sch.id".into());
        });
        let id = write(&t, Channel::Email, "Siti", "siti@sekolah.sch.id").await;
        work(&t).await;
        let (now, tries, error) = state(&t, id).await;
        assert_eq!((now.as_str(), tries), ("waiting", 1), "{}", t.on);
        assert!(error.unwrap().contains("mail server"), "{}", t.on);
    })
    .await;
}

#[tokio::test]
async fn without_a_server_messages_are_kept_and_shown_to_whom_they_concern() {
    TestApp::both(async |t| {
        let (a, b) = (t.institution("A").await, t.institution("B").await);
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        let to = To { name: "Siti", address: "siti@sekolah.sch.id", user: None, institution: Some(a) };
        let id = post(&mut tx, &t.app, Channel::Email, to, Said::Reset("012345"), Language::English)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        work(&t).await;
        assert_eq!(state(&t, id).await.0, "kept", "{}", t.on);
        let mut tx = t.app.db.write(a).await.unwrap();
        assert_eq!(list(&mut tx, Some(Reach::of(a)), Some(State::Kept), None, 10).await.unwrap().len(), 1);
        assert!(
            read(&mut tx, &t.app, Some(Reach::of(a)), id).await.unwrap().unwrap().text.contains("012345")
        );
        drop(tx);
        let mut tx = t.app.db.write(b).await.unwrap();
        assert_eq!(list(&mut tx, Some(Reach::of(b)), None, None, 10).await.unwrap().len(), 0, "{}", t.on);
        assert!(read(&mut tx, &t.app, Some(Reach::of(b)), id).await.unwrap().is_none());
        assert!(!retry(&mut tx, &t.app, Actor::System, Some(Reach::of(b)), id).await.unwrap());
        drop(tx);
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let (sealed,): (String,) =
            tx.query("SELECT content FROM messages WHERE id = $1").bind(id).one().await.unwrap();
        assert!(!sealed.contains("012345"), "{}: sealed", t.on);
        drop(tx);
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        t.clock.advance_ms(KEEP_MS + 1);
        purge(&mut tx, &t.app).await.unwrap();
        assert_eq!(list(&mut tx, None, None, None, 10).await.unwrap().len(), 0);
    })
    .await;
}

/// What a gateway was sent: headers and body.
type Sent = Arc<Mutex<Vec<(HeaderMap, String)>>>;

async fn gateway(answer: u16) -> (String, Sent) {
    let sent = Sent::default();
    let keep = async move |Extracted(sent): Extracted<Sent>, headers: HeaderMap, body: Bytes| {
        sent.lock().await.push((headers, String::from_utf8(body.to_vec()).unwrap()));
        axum::http::StatusCode::from_u16(answer).unwrap()
    };
    let router = Router::new().route("/sms", on_post(keep)).with_state(sent.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/sms", listener.local_addr().unwrap());
    let stop = tokio_util::sync::CancellationToken::new();
    tokio::spawn(crate::http::listen::serve(listener, router, crate::http::listen::Limits::default(), stop));
    (url, sent)
}

#[tokio::test]
async fn a_text_message_is_signed_and_a_private_gateway_refused() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("sms.key");
    std::fs::write(&secret, "0123456789abcdef0123\n").unwrap();
    TestApp::both(async |t| {
        let (url, sent) = gateway(200).await;
        let with = |private: bool, url: &str| {
            t.configured(|config| {
                config.sms_url = Some(url.to_owned());
                config.sms_secret_file = Some(secret.clone());
                config.sms_allow_private = private;
            })
        };
        let t = with(false, &url);
        let id = write(&t, Channel::Sms, "Siti", "081234567890").await;
        work(&t).await;
        assert_eq!((state(&t, id).await.0.as_str(), sent.lock().await.len()), ("failed", 0), "{}", t.on);
        // By a name, it is looked at where the name is resolved.
        let named = with(false, &url.replace("127.0.0.1", "localhost"));
        let id = write(&named, Channel::Sms, "Siti", "081234567890").await;
        work(&named).await;
        assert_eq!((state(&t, id).await.0.as_str(), sent.lock().await.len()), ("waiting", 0), "{}", t.on);

        let t = with(true, &url);
        let id = write(&t, Channel::Sms, "Siti", "081234567890").await;
        work(&t).await;
        assert_eq!(state(&t, id).await.0, "sent", "{}", t.on);
        let (headers, body) = sent.lock().await.pop().unwrap();
        let told: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(told["to"], "081234567890");
        assert!(told["text"].as_str().unwrap().contains("012345") && !body.contains("Siti"), "{body}");
        let seconds = headers["x-hadir-time"].to_str().unwrap();
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(b"0123456789abcdef0123").unwrap();
        let mac = mac.chain_update(format!("{seconds}.{body}")).finalize().into_bytes();
        let wanted = format!("v1={}", data_encoding::HEXLOWER.encode(&mac));
        assert_eq!(headers["x-hadir-signature"].to_str().unwrap(), wanted);

        for (answer, left) in [(500, "waiting"), (400, "failed"), (302, "waiting")] {
            let t = with(true, &gateway(answer).await.0);
            let id = write(&t, Channel::Sms, "Siti", "081234567890").await;
            work(&t).await;
            assert_eq!(state(&t, id).await.0, left, "{} {answer}", t.on);
        }
    })
    .await;
}

#[tokio::test]
async fn t27_a_reset_mail_names_no_host_that_a_client_made_up() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let user = t.user(school, "2001", crate::identity::seed::TEACHER).await;
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        let set = "UPDATE users SET email = 'guru@sekolah.sch.id' WHERE id = $1";
        tx.query(set).bind(user.0).run().await.unwrap();
        tx.commit().await.unwrap();
        let asked = request("POST", "/sso/auth/forgot-password", None)
            .header("content-type", "application/json")
            .header("x-forwarded-host", "evil.example")
            .header("forwarded", "host=evil.example");
        t.send(asked.body(json!({"email": "guru@sekolah.sch.id"}).to_string().into()).unwrap()).await;
        work(&t).await;
        let mut tx = t.app.db.read(Cloud).await.unwrap();
        let id = list(&mut tx, None, None, None, 1).await.unwrap()[0].id;
        let content = read(&mut tx, &t.app, None, id).await.unwrap().unwrap();
        assert!(!format!("{content:?}").contains("evil"), "{content:?}");
        assert!(
            !content.text.contains("http") && !content.html.contains("href"),
            "there is no link to lead astray"
        );
    })
    .await;
}

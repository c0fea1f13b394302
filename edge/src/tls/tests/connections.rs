//! Connections: who is answered, with which certificate, and who is hung up on.

use super::*;

/// A listener with the box's certificate.
struct Listening {
    address: SocketAddr,
    tls: Tls,
    _stop: tokio_util::sync::DropGuard,
}

impl Listening {
    async fn with(tls: &Tls, limits: Limits) -> Self {
        let router = Router::new()
            .route("/", get(async |peer: axum::http::HeaderMap| peer["host"].to_str().unwrap().to_owned()))
            .route("/slow", get(async || tokio::time::sleep(Duration::from_millis(700)).await));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let acceptor = Some(tls.server_config().unwrap().into());
        tokio::spawn(listen::serve(listener, Site { router, tls: acceptor, limits }, stop.clone()));
        Self { address, tls: tls.clone(), _stop: stop.drop_guard() }
    }

    /// A connection of somebody who trusts this authority and no other.
    async fn shake(&self, name: &str, ca: &Ca, protocol: &[u8]) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ca.der().to_vec())).unwrap();
        let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    async fn trusting(&self, name: &str, protocol: &[u8]) -> TlsStream<TcpStream> {
        self.shake(name, self.tls.ca().unwrap(), protocol).await.unwrap()
    }
}

fn presented(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// One request on a connection that goes on.
async fn ask<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(stream: &mut S) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: kotak\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nkotak") {
        let mut part = [0; 1024];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut part)).await.unwrap().unwrap();
        assert_ne!(read, 0, "hung up after {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..read]);
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn who_trusts_the_authority_connects_by_every_name_and_nobody_else_does() {
    let (_fixture, tls) = fresh();
    let listening = Listening::with(&tls, Limits::default()).await;
    for name in
        ["hadir-1a2b.local", "localhost", "kotak-1", "kotak-1.local", "127.0.0.1", "::1", "192.168.1.10"]
    {
        let mut stream = listening.trusting(name, b"http/1.1").await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200"), "{name}");
    }
    let (_other, stranger) = fresh();
    let errors = [
        listening.shake("example.org", tls.ca().unwrap(), b"h2").await.unwrap_err().to_string(),
        listening.shake("192.168.1.11", tls.ca().unwrap(), b"h2").await.unwrap_err().to_string(),
        listening.shake("localhost", stranger.ca().unwrap(), b"h2").await.unwrap_err().to_string(),
    ];
    assert!(
        errors[0].contains("not valid for name") && errors[1].contains("not valid for name"),
        "{errors:?}"
    );
    assert!(errors[2].contains("UnknownIssuer") || errors[2].contains("BadSignature"), "{errors:?}");
}

#[tokio::test]
async fn an_ordinary_client_that_trusts_only_the_authority_is_answered() {
    let (_fixture, tls) = fresh();
    let listening = Listening::with(&tls, Limits::default()).await;
    let trusted = reqwest::Certificate::from_pem(tls.ca().unwrap().pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([trusted]).no_proxy();
    let client = client.resolve("hadir-1a2b.local", listening.address).build().unwrap();
    let port = listening.address.port();
    for name in ["127.0.0.1", "hadir-1a2b.local"] {
        let answer = client.get(format!("https://{name}:{port}/")).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), format!("{name}:{port}"));
    }
    let stranger = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(stranger.get(format!("https://127.0.0.1:{port}/")).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn a_new_leaf_is_served_to_new_connections_and_old_ones_go_on() {
    let (_fixture, tls) = fresh();
    let listening = Listening::with(&tls, Limits::default()).await;
    let mut before = listening.trusting("localhost", b"http/1.1").await;
    ask(&mut before).await;
    tls.refresh(place(&["10.0.0.9"]), Millis(rcgen_now()));
    let after = listening.trusting("10.0.0.9", b"http/1.1").await;
    assert_ne!(presented(&after), presented(&before));
    assert!(ask(&mut before).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_and_tell_the_name() {
    let (_fixture, tls) = fresh();
    let listening = Listening::with(&tls, Limits::default()).await;
    let stream = listening.trusting("localhost", b"h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut send, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = axum::http::Request::get("https://kotak.local:8443/").body(()).unwrap();
    let answer = send.send_request(request, true).unwrap().0.await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().data().await.unwrap().unwrap(), "kotak.local:8443");
}

#[tokio::test]
async fn plain_http_is_understood_at_the_same_door() {
    let (_fixture, tls) = fresh();
    let listening = Listening::with(&tls, Limits::default()).await;
    let mut stream = TcpStream::connect(listening.address).await.unwrap();
    assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn who_does_not_finish_a_handshake_or_asks_nothing_is_hung_up_on_and_makes_room() {
    let (_fixture, tls) = fresh();
    let quick = Duration::from_millis(200);
    let limits = Limits { head: quick, handshake: quick, connections: 4 };
    let listening = Listening::with(&tls, limits).await;
    let mut silent: Vec<Box<dyn tokio::io::AsyncRead + Unpin>> = Vec::new();
    for start in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01"] {
        let mut stream = TcpStream::connect(listening.address).await.unwrap();
        stream.write_all(start).await.unwrap();
        silent.push(Box::new(stream));
    }
    let mut idle = listening.trusting("localhost", b"h2").await;
    idle.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    silent.push(Box::new(idle));
    let mut next = listening.trusting("localhost", b"http/1.1").await;
    ask(&mut next).await;
    for mut stream in silent {
        let mut said = Vec::new();
        let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said));
        let _ = end.await.expect("still connected");
    }
}

#[tokio::test]
async fn a_slow_answer_of_http2_is_not_silence() {
    let (_fixture, tls) = fresh();
    let limits = Limits { head: Duration::from_millis(100), ..Limits::default() };
    let listening = Listening::with(&tls, limits).await;
    let (mut send, connection) =
        h2::client::handshake(listening.trusting("localhost", b"h2").await).await.unwrap();
    tokio::spawn(connection);
    let request = axum::http::Request::get("https://localhost/slow").body(()).unwrap();
    assert_eq!(send.send_request(request, true).unwrap().0.await.unwrap().status(), 200);
}

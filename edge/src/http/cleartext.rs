//! What may be said in clear: nothing that left this machine, save what a device needs in order to trust the box.
//!
//! What always holds: a password or a token that came in clear from elsewhere is never looked at, and nothing personal goes
//! out in clear. Browsers are sent to HTTPS; a client of the API is refused, because one that is sent on would go on sending
//! its token in clear first.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{
    Web,
    extract::{Encrypted, Peer, host_name},
    fail::Fail,
};
use crate::{tls::place, ui};

pub async fn guard(State(web): State<Web>, peer: Peer, request: Request, next: Next) -> Response {
    if is_safe(&request) || is_for_all(&request) {
        return next.run(request).await;
    }
    match elsewhere(&web, &peer, &request) {
        Some(location) => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response(),
        None => Fail::InClear.into_response(),
    }
}

/// Encrypted, or never on a wire: who comes from a loopback address came to one.
fn is_safe(request: &Request) -> bool {
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>();
    request.extensions().get::<Encrypted>().is_some()
        || from.is_some_and(|from| from.0.ip().to_canonical().is_loopback())
}

/// The page that explains the certificate, with what it is made of, and whether the box lives.
fn is_for_all(request: &Request) -> bool {
    let path = request.uri().path();
    is_reading(request)
        && (ui::IN_CLEAR.contains(&path) || path.starts_with("/assets/") || path == "/healthz")
}

fn is_reading(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

/// The same page over HTTPS, under the name it was asked for by.
fn elsewhere(web: &Web, peer: &Peer, request: &Request) -> Option<HeaderValue> {
    let port = web.node.tls()?.port()?;
    let path = request.uri().path();
    let is_api = path == "/api" || path.starts_with("/api/");
    let host = peer.host.as_deref().map(host_name).filter(|_| is_reading(request) && !is_api)?;
    let rest = request.uri().path_and_query().map_or("/", |rest| rest.as_str());
    let host = host.trim_matches(['[', ']']);
    HeaderValue::from_str(&format!("{}{rest}", place::url(host, port))).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        clock::BUILT,
        http::testing::{Ask, Served, at},
        tls::{Place, Tls},
    };

    const REFUSED: &str = "Sambungan ini tidak terenkripsi. Gunakan alamat https:// kotak ini";

    async fn secured() -> Served {
        let school = Served::at("06:41:00").await;
        let node = school.node();
        let tls = Tls::open(node.config(), node.ids(), Place::of(node), at("06:41:00"), BUILT).unwrap();
        tls.listens_at(8443);
        node.serves_with(tls);
        school
    }

    async fn sent_to(ask: Ask) -> String {
        let answer = ask.in_clear().await;
        assert_eq!(answer.status, 308, "{}", answer.text());
        assert!(answer.body.is_empty());
        answer.headers["location"].to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn pages_asked_for_in_clear_are_sent_to_https_under_the_same_name() {
        let school = secured().await;
        let host = axum::http::header::HOST;
        for (name, location) in [
            ("kotak.local:8080", "https://kotak.local:8443/gate?x=1"),
            ("192.168.1.10", "https://192.168.1.10:8443/gate?x=1"),
            ("[fd00::1]:80", "https://[fd00::1]:8443/gate?x=1"),
            ("localhost:8080", "https://localhost:8443/gate?x=1"),
        ] {
            assert_eq!(sent_to(school.get("/gate?x=1").header(host.clone(), name)).await, location);
        }
        for path in ["/", "/kiosk", "/status", "/metrics", "/nowhere", "/c/abc", "/apix", "/ca/x"] {
            let location = sent_to(school.get(path)).await;
            assert_eq!(location, format!("https://kotak.local:8443{path}"));
            let head = school.ask(axum::http::Method::HEAD, path);
            assert_eq!(sent_to(head).await, location);
        }
        let broken = school.get("/gate").header(host, "evil.example/?");
        broken.in_clear().await.refused(403, REFUSED);
    }

    #[tokio::test]
    async fn nothing_secret_is_taken_or_given_in_clear() {
        let school = secured().await;
        let token = school.token("3001").await;
        let recorded = school.recorded();
        let login = json!({"nisn_nip_nik": "3001", "password": hadir_shared::demo::PASSWORD});
        school.post("/api/auth/login", login).in_clear().await.refused(403, REFUSED);
        school.get("/api/user").bearer(&token).in_clear().await.refused(403, REFUSED);
        school.get("/api/box/status").in_clear().await.refused(403, REFUSED);
        school.post("/gate", json!({})).in_clear().await.refused(403, REFUSED);
        school.post("/ca", json!({})).in_clear().await.refused(403, REFUSED);
        let scan = school.post("/api/scan", json!({"number": "1001"})).bearer(&token);
        scan.in_clear().await.refused(403, REFUSED);
        assert_eq!(school.recorded(), recorded);
        assert_eq!(school.get("/api/user").bearer(&token).await.status, 200, "encrypted, all is well");
    }

    #[tokio::test]
    async fn what_a_device_needs_in_order_to_trust_the_box_comes_in_clear() {
        let school = secured().await;
        for path in [
            "/ca",
            "/ca.crt",
            "/ca.pem",
            "/ca.mobileconfig",
            "/healthz",
            "/assets/hadir.css",
            "/assets/language.js",
        ] {
            assert_eq!(school.get(path).in_clear().await.status, 200, "{path}");
        }
    }

    #[tokio::test]
    async fn the_boxs_own_screen_may_stay_in_clear() {
        let school = secured().await;
        for path in ["/gate", "/status", "/api/box/status", "/api/kiosk"] {
            assert_eq!(school.get(path).here().await.status, 200, "{path}");
        }
    }

    #[tokio::test]
    async fn without_https_there_is_nowhere_to_send_anybody() {
        let school = Served::at("06:41:00").await;
        school.get("/gate").in_clear().await.refused(403, REFUSED);
        assert!(school.get("/ca").in_clear().await.text().contains("listen_tls"));
        school.get("/ca.crt").in_clear().await.refused(404, "Kotak ini tidak memakai sertifikat sendiri");
    }
}

//! Under which address a telephone reaches the check-in page.

use std::net::UdpSocket;

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::http::{
    Web,
    extract::{Origin, Peer},
    fail::Fail,
};

/// The address the QR starts with. The configured `public_url`; else the name by which the screen itself calls the box;
/// and where that is the loopback address, which no telephone reaches, the box's own address in the school's network.
#[derive(Debug, Clone)]
pub struct CheckInBase(String);

impl CheckInBase {
    pub fn url(&self, token: &str) -> String {
        format!("{}/c/{token}", self.0)
    }
}

impl FromRequestParts<Web> for CheckInBase {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fail> {
        let configured = web.node.config().public_url.trim_end_matches('/');
        if !configured.is_empty() {
            return Ok(Self(configured.into()));
        }
        let Origin(origin) = Origin::from_request_parts(parts, web).await?;
        let is_here = Peer::from_request_parts(parts, web).await?.is_here();
        let outside = is_here.then(|| in_network(&web.node.config().listen_tls)).flatten();
        Ok(Self(outside.unwrap_or(origin)))
    }
}

/// `https://192.168.1.10:8443`, when the box listens there. Plain HTTP is served on the loopback address only, and a
/// telephone gives its place and camera to HTTPS only.
fn in_network(listen_tls: &str) -> Option<String> {
    let (_, port) = listen_tls.rsplit_once(':').filter(|(_, port)| *port != "0")?;
    // Asks the system which of its addresses a packet would leave from; none is sent (192.0.2.1 is TEST-NET-1, RFC 5737).
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    socket.connect(("192.0.2.1", 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified() && !address.is_loopback()).then(|| format!("https://{address}:{port}"))
}
